//! The Python output: as expected, importable, the same as protoc's, and talking.
//!
//! `MESSI_PYTHON` names the interpreter, `python3` unless it is set; it needs the package `protobuf`. Two tests need
//! `grpcio-tools` and `mypy` with `types-protobuf`, too, and are skipped without.

#[path = "support/cases.rs"]
mod cases;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::process::Process;
use support::*;
use tempfile::TempDir;

/// The interpreter, and whether it can `import` these.
fn interpreter(imports: &str) -> (String, [String; 2]) {
    let python = std::env::var("MESSI_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    (python, ["-c".to_owned(), format!("import sys; assert sys.version_info >= (3, 9); import {imports}")])
}

/// The interpreter, if it is here and has what all of this is about.
fn python() -> Option<String> {
    let (python, arguments) = interpreter("google.protobuf");
    tool(&python, &arguments.each_ref().map(String::as_str)).then_some(python)
}

/// The interpreter, if it also has what only one test needs.
fn python_with(imports: &str) -> Option<String> {
    let (python, arguments) = interpreter(imports);
    tool(&python, &arguments.each_ref().map(String::as_str)).then_some(python)
}

/// What is generated from `file`, which is below `import_path`.
fn generated(import_path: &str, file: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let import_path = repository(import_path);
    let file = import_path.join(file);
    let (output, import_path) = (directory.path().to_str().unwrap(), import_path.to_str().unwrap());
    generate(package(), &["generate_py_source", "-o", output, "-I", import_path, file.to_str().unwrap()]);
    directory
}

fn bank() -> TempDir {
    generated("tests/interop", "bank.proto")
}

fn kinds() -> TempDir {
    generated("messi/tests/python/proto", "kinds.proto")
}

/// Python with what was generated, and `beside`, as its modules. Warnings are errors.
fn command(python: &str, generated: &Path, beside: &Path) -> Command {
    let mut command = Command::new(python);
    let path = std::env::join_paths([generated, beside]).unwrap();
    command.args(["-X", "dev", "-W", "error"]).env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn tests() -> PathBuf {
    package().join("tests/python")
}

/// What the tests of a module print, if Python is here.
#[track_caller]
fn unittest(generated: &TempDir, module: &str) -> Option<String> {
    let python = python()?;
    let output = run(command(&python, generated.path(), &tests()).args(["-m", "unittest", module]), false);
    Some(text(&output.stdout))
}

#[test]
fn chat_is_as_expected() {
    let chat = generated("examples/chat", "chat.proto");
    // It is what is beside all of them, and compared with itself.
    let runtime = std::fs::read_to_string(chat.path().join("messi_runtime.py")).unwrap();
    assert_eq!(runtime, std::fs::read_to_string(package().join("runtime/python/messi_runtime.py")).unwrap());
    std::fs::remove_file(chat.path().join("messi_runtime.py")).unwrap();
    assert_golden("python/chat", chat.path());
}

#[test]
fn kinds_are_as_expected() {
    let kinds = kinds();
    std::fs::remove_file(kinds.path().join("messi_runtime.py")).unwrap();
    assert_golden("python/kinds", kinds.path());
}

#[test]
fn sides_can_be_chosen() {
    for (side, expected) in [
        ("both", &["bank_client.py", "bank_server.py"][..]),
        ("client", &["bank_client.py"]),
        ("server", &["bank_server.py"]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().to_str().unwrap();
        generate(&repository("tests/interop"), &["generate_py_source", "-s", side, "-o", output, "bank.proto"]);
        let files = files(directory.path());
        let mut expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        expected.extend(["bank_pb2.py", "bank_pb2.pyi", "messi_runtime.py"].map(PathBuf::from));
        expected.sort();
        assert_eq!(files.into_keys().collect::<Vec<_>>(), expected);
    }
}

/// A protocol with these members, at `path`, and with other files beside it.
fn refused(files: &[(&str, &str)], given: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let output = messi(directory.path(), &[&["generate_py_source", "-I", ".", "-o", "out"], given].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(!directory.path().join("out").exists());
    text(&output.stderr)
}

fn protocol(to_server: &str, to_client: &str) -> String {
    format!(
        "syntax = \"proto3\";\nmessage M {{}}\n\
         message ClientToServer {{ oneof messages {{ M {to_server} = 1; }} }}\n\
         message ServerToClient {{ oneof messages {{ M {to_client} = 1; }} }}\n"
    )
}

#[test]
fn members_with_the_names_of_what_every_side_has_are_refused() {
    for name in ["connected", "disconnected", "connect_failure"] {
        assert_eq!(
            refused(&[("a.proto", &protocol("m", name))], &["a.proto"]),
            format!("error: a.proto:4:45: every client has an `on_{name}` of its own: rename the member `{name}`\n")
        );
    }
    for name in ["client_connected", "client_disconnected"] {
        assert_eq!(
            refused(&[("a.proto", &protocol(name, "m"))], &["a.proto"]),
            format!("error: a.proto:3:45: every server has an `on_{name}` of its own: rename the member `{name}`\n")
        );
    }
    // They have another meaning on the other side.
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.proto"), protocol("connected", "client_connected")).unwrap();
    generate(directory.path(), &["generate_py_source", "a.proto"]);
}

#[test]
fn files_that_make_one_module_are_refused() {
    let types = "syntax = \"proto3\";\npackage p;\nmessage T {}\n";
    let imports = "import \"x-y.proto\"; import \"x_y.proto\";";
    let importing = protocol("m", "m").replace("\"proto3\";", &format!("\"proto3\"; {imports}"));
    let other = types.replace("package p", "package q");
    let said = refused(&[("x-y.proto", types), ("x_y.proto", &other), ("a.proto", &importing)], &["a.proto"]);
    assert!(said.starts_with("error: x_y.proto:1:1: x-y.proto makes the same module, x_y_pb2: rename"), "{said}");
}

#[test]
fn a_directory_with_the_name_of_the_runtime_is_refused() {
    let said = refused(&[("messi_runtime/a.proto", &protocol("m", "m"))], &["messi_runtime/a.proto"]);
    assert!(said.starts_with("error: messi_runtime/a.proto:1:1: the directory has the name of the module"), "{said}");
}

#[test]
fn file_names_of_all_kinds_can_be_imported() {
    let directory = tempfile::tempdir().unwrap();
    let types = |package: &str| format!("syntax = \"proto3\";\npackage {package};\nmessage T {{ int32 x = 1; }}\n");
    let names = ["CamelCase", "with-dash", "with.dot", "sub/class/import", "1digit", "with space", "sub/a+b"];
    let mut imports = String::new();
    let mut fields = String::new();
    for (i, name) in names.iter().enumerate() {
        let path = directory.path().join(format!("{name}.proto"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, types(&format!("p{i}"))).unwrap();
        imports.push_str(&format!("import \"{name}.proto\";\n"));
        fields.push_str(&format!("p{i}.T t{i} = {};\n", i + 1));
    }
    let text = format!(
        "syntax = \"proto3\";\n{imports}message ClientToServer {{ oneof messages {{ {fields} }} }}\n\
         message ServerToClient {{ oneof messages {{ {fields} }} }}\n"
    );
    std::fs::write(directory.path().join("MyProto-v1.0.proto"), text).unwrap();
    generate(directory.path(), &["generate_py_source", "MyProto-v1.0.proto"]);
    let Some(python) = python() else { return };
    let code = "from my_proto_v1_0_client import MyProtoV10Client as Client\n\
                from my_proto_v1_0_server import MyProtoV10Server\n\
                for i in range(7): getattr(Client('tcp://localhost:1'), f'init_t{i}')().x = i";
    run(command(&python, directory.path(), &tests()).args(["-c", code]), true);
}

#[test]
fn state_machines_do_what_they_should() {
    unittest(&bank(), "test_connection");
}

/// And each of them is played, unless it needs what the README says that Python lacks.
#[test]
fn cases_are_as_they_say() {
    let folder = package().join("tests/cases");
    let lacks = cases::lacks(&folder, "python");
    let expected: Vec<String> = cases::all(&folder).iter().map(|case| case.report(&lacks)).collect();
    if let Some(said) = unittest(&bank(), "test_cases") {
        assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn clients_do_what_they_should() {
    unittest(&bank(), "test_client");
}

#[test]
fn servers_do_what_they_should() {
    unittest(&bank(), "test_server");
}

#[test]
fn messages_mean_what_the_file_says() {
    unittest(&kinds(), "test_kinds");
}

#[test]
fn descriptors_are_those_of_protoc() {
    let Some(python) = python_with("google.protobuf, grpc_tools") else { return };
    for (generated, import_path, file, count) in [
        (kinds(), "messi/tests/python/proto", "kinds.proto", "3\n"),
        (bank(), "tests/interop", "bank.proto", "1\n"),
        (self::generated("examples/chat", "chat.proto"), "examples/chat", "chat.proto", "1\n"),
    ] {
        let mut command = Command::new(&python);
        command.arg(tests().join("check_descriptors.py")).arg(generated.path());
        command.args([repository(import_path), package().join("src/c")]).args(["--", file]);
        assert_eq!(text(&run(&mut command, false).stdout), count);
    }
}

#[test]
fn types_are_right() {
    let Some(python) = python_with("google.protobuf, mypy") else { return };
    let cache = tempfile::tempdir().unwrap();
    for (generated, beside) in [
        (bank(), Some(package().join("tests/bank/python"))),
        (kinds(), None),
        (self::generated("examples/chat", "chat.proto"), Some(repository("examples/chat/python"))),
        (self::generated("examples/hello_world", "hello_world.proto"), Some(repository("examples/hello_world/python"))),
        (self::generated("examples/open_day", "open_day.proto"), Some(repository("examples/open_day/python"))),
    ] {
        let mut command = Command::new(&python);
        command.args(["-m", "mypy", "--strict", "--no-error-summary", "--cache-dir"]).arg(cache.path());
        command.env("MYPYPATH", generated.path());
        // What has a stub is checked by it.
        let ours = |path: &PathBuf| {
            let name = path.to_str().unwrap();
            ["_client.py", "_server.py", "messi_runtime.py"].iter().any(|end| name.ends_with(end))
        };
        command.args(files(generated.path()).into_keys().filter(ours).map(|path| generated.path().join(path)));
        command.args(beside.iter().flat_map(|directory| {
            files(directory)
                .into_keys()
                .filter(|path| path.extension().is_some_and(|e| e == "py"))
                .map(|path| directory.join(path))
        }));
        run(&mut command, true);
    }
}

// ------------------------------------------------------------------------------------------------------------ examples

#[test]
fn hello_world_greets() {
    let Some(python) = python() else { return };
    let generated = generated("examples/hello_world", "hello_world.proto");
    let programs = repository("examples/hello_world/python");
    let mut both = command(&python, generated.path(), &programs);
    let output = run(both.arg(programs.join("hello_world.py")), false);
    assert_eq!(text(&output.stdout), "Hello, world!\n");
    // Where it is slow, Python says so.
    let said = text(&output.stderr);
    assert!(!said.contains("Error") && !said.contains("Warning"), "{said}");
}

#[test]
fn guests_chat_in_a_room() {
    let Some(python) = python() else { return };
    let generated = generated("examples/chat", "chat.proto");
    let programs = repository("examples/chat/python");
    let program = |arguments: &[&str]| {
        let mut command = command(&python, generated.path(), &programs);
        command.arg(programs.join(arguments[0])).args(&arguments[1..]).stderr(Stdio::null());
        Process::start(command)
    };
    let mut room = program(&["room.py", "tcp://127.0.0.1:0"]);
    let opened = room.wait_for("the room is open at port ");
    let uri = format!("tcp://127.0.0.1:{}", opened.split(';').next().unwrap());
    let mut ada = program(&["guest.py", &uri, "ada"]);
    assert_eq!(ada.line(), "ada | ada is here");
    let mut bob = program(&["guest.py", &uri, "bob"]);
    assert_eq!(bob.line(), "bob | ada is here");
    assert_eq!(bob.line(), "bob | bob is here");
    assert_eq!(ada.line(), "ada | bob is here");
    ada.type_line("Hello, \u{1b}[2JBob!");
    for (name, guest) in [("ada", &mut ada), ("bob", &mut bob)] {
        assert_eq!(guest.line(), format!("{name} | ada: Hello, [2JBob!"));
    }
    bob.type_line("How are you?");
    for (name, guest) in [("ada", &mut ada), ("bob", &mut bob)] {
        assert_eq!(guest.line(), format!("{name} | bob: How are you?"));
    }
    assert!(bob.end().0.success());
    assert_eq!(ada.line(), "ada | bob has left");
    assert!(ada.end().0.success());
}

// ---------------------------------------------------------------------------------------------------------------- bank

/// One side of the bank in Python.
fn side(python: &str, generated: &TempDir, side: &str, port: &str) -> Command {
    let programs = package().join("tests/bank/python");
    let mut command = command(python, generated.path(), &programs);
    command.arg(programs.join(format!("{side}.py"))).arg(port);
    command
}

#[test]
fn the_bank_serves_its_customers() {
    let Some(python) = python() else { return };
    let bank = bank();
    scenario::play(side(&python, &bank, "server", "0"), |port| side(&python, &bank, "client", port));
}

#[test]
fn the_bank_serves_customers_of_messi() {
    let Some(python) = python() else { return };
    let bank = bank();
    for (program, wire) in
        [("peer-client", "v2"), ("peer-client-py", "v2"), ("peer-client", "v1a"), ("peer-client", "v1b")]
    {
        if scenario::messi_peer(program, wire, "0").is_some() {
            let mut server = side(&python, &bank, "server", "0");
            server.env("WIRE", wire);
            scenario::play(server, |port| scenario::messi_peer(program, wire, port).unwrap());
        }
    }
}

#[test]
fn customers_visit_the_bank_of_messi() {
    let Some(python) = python() else { return };
    let bank = bank();
    for wire in ["v2", "v1a", "v1b"] {
        scenario::visit_messi(wire, |port| {
            let mut client = side(&python, &bank, "client", port);
            client.env("WIRE", wire);
            client
        });
    }
}
