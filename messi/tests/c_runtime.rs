//! The runtime in C: its state machines in time that is made up, its sockets, and the bank with all that it talks to.
//!
//! The tests themselves are in C, `tests/c`, `tests/async` and `tests/bank/c`; each is a case of a program, which runs
//! under the address and undefined behaviour sanitizers where gcc has them.

#![cfg(target_os = "linux")] // epoll.

#[path = "support/cases.rs"]
mod cases;
mod support;

use cases::Case;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};
use support::process::Process;
use support::*;

const BANK: &str = "tests/interop/bank.proto";
const STRICT: [&str; 5] = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"];

/// The bank as it is generated for Linux, once for all tests.
static LINUX: LazyLock<PathBuf> = LazyLock::new(|| generated("linux", &[]));
/// And for the async framework.
static ASYNC: LazyLock<PathBuf> = LazyLock::new(|| generated("async", &["-p", "async"]));

fn generated(name: &str, options: &[&str]) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c_runtime").join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let bank = repository(BANK);
    let mut arguments = vec!["generate_c_source", "-o", ".", bank.to_str().unwrap()];
    arguments.extend(options);
    generate(&directory, &arguments);
    directory
}

fn with_extension(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    paths.sort();
    paths
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    with_extension(directory, "c")
}

fn gcc(directory: &Path) -> Command {
    let mut gcc = Command::new("gcc");
    gcc.args(STRICT).arg("-I").arg(directory).arg("-I").arg(package().join("tests/c"));
    gcc
}

/// Whether gcc can link with the sanitizers.
fn sanitizers() -> &'static [&'static str] {
    static HAS: LazyLock<bool> = LazyLock::new(|| {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("main.c");
        fs::write(&source, "int main(void) { return 0; }\n").unwrap();
        let program = directory.path().join("main");
        tool("gcc", &["-fsanitize=address,undefined", source.to_str().unwrap(), "-o", program.to_str().unwrap()])
    });
    if *HAS { &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] } else { &[] }
}

/// Builds what is generated with one more program. `None`, and why is printed: gcc or nanopb is not here.
fn build(generated: &LazyLock<PathBuf>, name: &str, program: &[&str], options: &[&str]) -> Option<PathBuf> {
    if !nanopb() {
        return None;
    }
    let built = generated.join(name);
    let mut gcc = gcc(generated);
    gcc.args(["-g", "-O1"]).args(options).args(sources(generated));
    gcc.args(program.iter().map(|path| package().join(path)));
    run(gcc.args(["-lprotobuf-nanopb", "-o"]).arg(&built), true);
    Some(built)
}

type Program = LazyLock<Option<PathBuf>>;

static CLIENT: Program = LazyLock::new(|| build(&LINUX, "test_client", &["tests/c/client.c"], sanitizers()));
static SERVER: Program = LazyLock::new(|| build(&LINUX, "test_server", &["tests/c/server.c"], sanitizers()));
static SOCKETS: Program = LazyLock::new(|| build(&LINUX, "test_linux", &["tests/c/linux.c"], sanitizers()));
static FRAMEWORK: Program = LazyLock::new(|| {
    let framework = package().join("tests/async");
    let options = [sanitizers(), &["-I", framework.to_str().unwrap()]].concat();
    build(&ASYNC, "test_async", &["tests/async/client.c", "tests/async/fake.c"], &options)
});

/// Compiled for the newest wire alone.
static NEWEST: Program =
    LazyLock::new(|| build(&LINUX, "test_newest", &["tests/c/client.c"], &[sanitizers(), &["-DMESSI_NO_V1"]].concat()));

/// What the older wires are for is left out, and nothing else is.
#[test]
fn without_the_older_wires_the_newest_is_spoken() {
    for name in ["encode_error", "wires_that_cannot_be_are_refused"] {
        case(&NEWEST, name);
    }
}

static CASES: Program = LazyLock::new(|| build(&LINUX, "test_cases", &["tests/c/cases.c"], sanitizers()));
static NEWEST_CASES: Program = LazyLock::new(|| {
    build(&LINUX, "test_newest_cases", &["tests/c/cases.c"], &[sanitizers(), &["-DMESSI_NO_V1"]].concat())
});

/// The lines that the player of cases prints; nothing if it is not here.
fn player(program: &Program, what: &str, files: &BTreeSet<&str>) -> Option<Vec<String>> {
    let mut command = Command::new(program.as_ref()?);
    command.arg(what).args(files.iter().map(|file| package().join("tests/cases").join(file)));
    Some(text(&run(&mut command, false).stdout).lines().map(str::to_owned).collect())
}

/// All but those that need what the README says that the client or the server in C lacks.
#[test]
fn cases_are_as_they_say() {
    let folder = package().join("tests/cases");
    let all = cases::all(&folder);
    let files = all.iter().map(|case| case.file.as_str()).collect();
    for (program, lacked) in [(&CASES, &[][..]), (&NEWEST_CASES, &["old_wires".to_owned()])] {
        let lacks = |column| cases::lacks(&folder, column).into_iter().chain(lacked.iter().cloned()).collect();
        let (client, server) = (lacks("c client"), lacks("c server"));
        let lacks = |case: &Case| if case.setting("side") == ["client"] { &client } else { &server };
        let expected: Vec<String> = all.iter().map(|case| case.report(lacks(case))).collect();
        if let Some(said) = player(program, "play", &files) {
            assert_eq!(said, expected);
        }
    }
}

#[test]
fn wrong_cases_fail_at_their_line() {
    let wrong = cases::wrong(&package().join("tests/cases"));
    if let Some(said) = player(&CASES, "wrong", &BTreeSet::from(["wrong.case"])) {
        let played: Vec<String> = said.into_iter().filter(|line| line.starts_with("played ")).collect();
        assert!(played.len() >= 50 && played.len() <= wrong.len(), "{played:?}");
    }
}

fn case(program: &Program, name: &str) {
    if let Some(program) = &**program {
        run(Command::new(program).arg(name), false);
    }
}

/// One test for each case of a program, and one that there is none for which there is no test.
macro_rules! cases {
    ($(mod $module:ident of $program:ident: [$($case:ident),* $(,)?];)*) => {$(
        mod $module {
            use super::*;

            $(#[test]
            fn $case() {
                case(&$program, stringify!($case));
            })*

            #[test]
            fn no_case_is_forgotten() {
                if let Some(program) = &*$program {
                    let cases = text(&run(&mut Command::new(program), false).stdout);
                    assert_eq!(cases.lines().collect::<Vec<_>>(), [$(stringify!($case)),*]);
                }
            }
        }
    )*};
}

cases! {
    mod client of CLIENT: [
        connect_and_disconnect,
        connect_successful_on_second_attempt,
        keep_alive_ping_write_error_disconnect,
        server_disconnects,
        send_another_message_after_first_failed,
        encode_error,
        many_frames_are_read_at_once,
        a_turn_is_bounded,
        a_new_connection_begins_from_nothing,
        a_server_that_was_slow_comes_back_as_new,
        what_follows_too_big_a_message_is_not_written_past_the_buffer,
        sending_while_disconnected_does_nothing,
        stopped_in_a_callback_it_stays_stopped,
        started_again_in_a_callback_it_begins_anew,
        started_twice_it_connects_once,
        the_first_reason_is_the_reason,
        what_arrived_before_a_write_failed_is_delivered,
        frames_of_a_callback_are_written_at_once,
        a_callback_may_send_more_than_the_buffer_takes,
        what_is_pending_is_sent_in_order_whatever_the_pieces,
        without_malloc_the_output_buffer_is_all_there_is,
        large_frames_follow_each_other_in_one_buffer,
        a_server_that_does_not_read_is_not_read_from,
        what_was_left_is_looked_at_although_a_send_made_the_room,
        a_message_larger_than_a_header_can_say_is_not_sent,
        older_wires_may_fill_the_buffers_and_no_more,
        older_wires_carry_more_than_16_mib,
        wires_that_cannot_be_are_refused,
        stop_writes_what_is_pending,
        an_attempt_to_connect_ends_after_five_seconds,
        all_addresses_are_tried,
        pauses_double_to_thirty_seconds_with_full_jitter,
        every_pause_ends,
        seeds_make_different_pauses,
        only_a_healthy_connection_makes_pauses_short_again,
        wrong_arguments_are_refused,
        uris,
        a_number_that_is_no_reason_has_words_too,
        workspaces,
    ];
    mod server of SERVER: [
        connect_and_disconnect_clients,
        broadcast_message,
        broadcast_message_one_client_fails,
        each_client_has_a_patience_of_its_own,
        no_timer_is_left_of_one_that_is_gone,
        too_many_clients,
        partial_message_read_from_multiple_clients_and_send,
        send_message,
        send_another_message_after_first_failed,
        reply_with_no_current_client,
        disconnect_client_fia,
        disconnect_current_client,
        output_buffering,
        a_new_connection_begins_from_nothing,
        a_pause_ends_with_its_connection,
        each_client_hears_its_own_wire,
        large_frames_wait_for_the_first_byte_too,
        disconnected_before_its_first_byte_it_is_gone_at_once,
        the_largest_message_is_that_of_the_wire,
        wires_that_cannot_be_are_refused,
        stopped_and_started_again_it_is_as_new,
        stopped_in_any_callback_it_stays_stopped,
        started_again_in_any_callback_it_is_as_new,
        whatever_is_asked_of_whomever_is_safe,
        slots_that_are_free_longest_are_taken_first,
        frames_of_one_turn_are_written_at_once,
        what_is_gathered_stays_little_and_is_not_slow,
        what_is_pending_moves_up_before_it_takes_more_memory,
        memory_grows_in_few_steps_and_for_all_that_is_pending,
        what_was_sent_before_a_disconnect_may_be_read,
        stop_writes_what_is_pending,
        a_message_that_does_not_fit_is_not_sent,
        answers_take_no_memory_once_they_are_read,
        wrong_arguments_are_refused,
    ];
    mod sockets of SOCKETS: [
        by_address,
        by_name,
        all_addresses_of_a_name_are_tried,
        by_ipv6,
        at_all_addresses,
        small_frames_do_not_wait,
        large_messages_arrive_both_ways,
        it_connects_when_the_server_comes,
        no_signal_kills_it,
        an_event_of_an_earlier_descriptor_is_no_connection,
        events_of_others_do_no_harm,
        too_many_clients,
        an_answer_arrives_although_the_client_is_disconnected,
        a_client_that_never_reads_is_cut_and_the_others_do_not_notice,
        no_descriptor_is_left,
        whichever_add_to_epoll_fails_no_descriptor_is_left,
        a_port_that_is_taken_is_an_error,
        without_descriptors_the_server_pauses_and_recovers,
        addresses_that_are_none_are_refused,
        a_silent_server_is_found,
        a_silent_client_is_found,
    ];
    mod framework of FRAMEWORK: [
        connect_and_disconnect,
        connect_successful_on_second_attempt,
        an_attempt_to_connect_ends_after_five_seconds,
        keep_alive,
        server_disconnects,
        what_arrived_before_the_end_is_delivered,
        partial_message_read,
        all_input_is_read,
        encode_error,
        decode_error,
        received_message_too_big,
        stopped_in_a_callback_it_stays_stopped,
        the_end_may_come_while_writing,
        answers_that_fill_the_output_buffer_do_not_end_the_reading,
    ];
}

// -------------------------------------------------------------------------------------------------------- compilation

/// Each file by itself, which must be silent.
fn compile(directory: &Path, compiler: &str, options: &[&str]) {
    // A compiler that fails removes its output, and root may remove what it must not.
    let scratch = tempfile::tempdir().unwrap();
    let object = scratch.path().join("object.o");
    for source in sources(directory) {
        run(
            Command::new(compiler).args(options).arg("-I").arg(directory).args(["-c", "-o"]).arg(&object).arg(source),
            true,
        );
    }
}

fn headers_in_cpp(directory: &Path, options: &[&str]) {
    let scratch = tempfile::tempdir().unwrap();
    for header in with_extension(directory, "h") {
        let source = scratch.path().join("header.cpp");
        // Twice, for its include guard.
        fs::write(&source, format!("#include \"{0}\"\n#include \"{0}\"\n", header.display())).unwrap();
        let mut command = Command::new("g++");
        command.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I"]).arg(directory);
        run(command.args(options).arg(&source), true);
    }
}

#[test]
fn no_warning_with_64_bits() {
    if nanopb() {
        compile(&LINUX, "gcc", &[&STRICT[..], &["-O2", "-Wconversion", "-Wshadow"]].concat());
    }
}

#[test]
fn no_warning_with_32_bits() {
    if nanopb() && tool("gcc", &["-m32", "-E", "-include", "sys/socket.h", "-x", "c", "/dev/null"]) {
        compile(&LINUX, "gcc", &[&STRICT[..], &["-O2", "-m32"]].concat());
    }
}

#[test]
fn no_warning_for_the_async_framework_nor_without_malloc() {
    if nanopb() {
        let framework = package().join("tests/async");
        let options = [&STRICT[..], &["-I", framework.to_str().unwrap()]].concat();
        compile(&ASYNC, "gcc", &options);
        compile(&ASYNC, "gcc", &[&options[..], &["-DMESSI_PB_NO_MALLOC"]].concat());
        compile(&ASYNC, "gcc", &[&options[..], &["-DMESSI_PB_NO_MALLOC", "-DMESSI_NO_V1"]].concat());
    }
}

#[test]
fn headers_are_cpp_too() {
    if nanopb() && tool("g++", &["--version"]) {
        let framework = package().join("tests/async");
        headers_in_cpp(&LINUX, &[]);
        headers_in_cpp(&ASYNC, &["-I", framework.to_str().unwrap()]);
    }
}

/// Without malloc none is called, nor anything that calls it.
#[test]
fn without_malloc_there_is_no_malloc() {
    if !(nanopb() && tool("nm", &["--version"])) {
        return;
    }
    let framework = package().join("tests/async");
    let scratch = tempfile::tempdir().unwrap();
    for source in sources(&ASYNC) {
        let object = scratch.path().join("object.o");
        let mut gcc = gcc(&ASYNC);
        gcc.arg("-I").arg(&framework).args(["-Os", "-DMESSI_PB_NO_MALLOC", "-c", "-o"]).arg(&object).arg(&source);
        run(&mut gcc, true);
        let symbols = text(&run(Command::new("nm").arg("-u").arg(&object), false).stdout);
        let allocates =
            symbols.split_whitespace().any(|symbol| ["malloc", "realloc", "calloc", "free"].contains(&symbol));
        assert!(!allocates, "{}: {symbols}", source.display());
    }
}

// ----------------------------------------------------------------------------------------------------------- generator

fn refused(options: &[&str], name: &str, proto: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(name), proto).unwrap();
    let output = messi(directory.path(), &[&["generate_c_source", "-o", "out"], options, &[name]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(!directory.path().join("out").exists());
    text(&output.stderr)
}

fn protocol(package: &str, to_server: &str, to_client: &str, more: &str) -> String {
    format!(
        "syntax = \"proto3\";\npackage {package};\nmessage ClientToServer {{ oneof messages {{ M {to_server} = 1; }} }}\n\
         message ServerToClient {{ oneof messages {{ M {to_client} = 1; }} }}\nmessage M {{}}\n{more}\n"
    )
}

#[test]
fn each_side_has_its_files() {
    let names = |options: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        let bank = repository(BANK);
        generate(directory.path(), &[&["generate_c_source", bank.to_str().unwrap()], options].concat());
        let paths = files(directory.path()).into_keys();
        let sources = paths.filter(|path| path.extension().is_some_and(|end| end == "c"));
        sources.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let both = "bank.pb bank_client bank_server messi messi_linux messi_linux_server messi_pb messi_server";
    assert_eq!(names(&[]), both);
    assert_eq!(names(&["-s", "both"]), both);
    assert_eq!(names(&["-s", "client"]), "bank.pb bank_client messi messi_linux messi_pb");
    let server = "bank.pb bank_server messi messi_linux messi_linux_server messi_pb messi_server";
    assert_eq!(names(&["-s", "server"]), server);
    assert_eq!(names(&["-p", "async"]), "bank.pb bank_client messi messi_async messi_pb");
    assert_eq!(names(&["-p", "async", "-s", "client"]), "bank.pb bank_client messi messi_async messi_pb");
}

#[test]
fn the_async_framework_has_no_server() {
    for side in ["server", "both"] {
        let said = refused(&["-p", "async", "-s", side], "x.proto", &protocol("x", "a", "b", ""));
        assert_eq!(
            said,
            "error: the async framework cannot accept connections: generate its client only, or for Linux\n"
        );
    }
}

#[test]
fn names_that_are_taken_have_places() {
    let cases = [
        (
            "x.proto",
            protocol("x", "a", "connected", ""),
            "x.proto:4:45: `on_connected` is the callback for connections in C: rename the field",
        ),
        (
            "x.proto",
            protocol("x", "client_disconnected", "b", ""),
            "x.proto:3:45: `on_client_disconnected` is the callback for connections in C: rename the field",
        ),
        (
            "x.proto",
            protocol("x", "a", "b", "message Client {}"),
            "x.proto:6:9: `struct x_client_t` is that of the client of x.proto in C: rename the type",
        ),
        (
            "x.proto",
            protocol("x.server", "a", "b", "message Client {}"),
            "x.proto:6:9: `struct x_server_client_t` is that of the server of x.proto in C: rename the type",
        ),
        (
            "messi_linux.proto",
            protocol("x", "a", "b", ""),
            "messi_linux.proto:1:1: `struct messi_linux_client_t` is one of the runtime in C: rename the file",
        ),
        (
            "x.proto",
            protocol("messi", "a", "b", "enum Wire { A = 0; }"),
            "x.proto:6:6: `enum messi_wire_t` is one of the runtime in C: rename the type",
        ),
    ];
    for (name, proto, expected) in cases {
        assert_eq!(refused(&[], name, &proto), format!("error: {expected}\n"));
    }
}

/// Whatever the package, the members' names and the file's name are, it compiles.
#[test]
fn names_of_all_kinds_compile() {
    if !nanopb() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let members =
        ["int", "class", "errno", "message", "self_p", "camelCase", "Capital", "init", "client_p", "new", "t"];
    let oneof: String = members.iter().enumerate().map(|(i, name)| format!("M {name} = {};\n", i + 1)).collect();
    for (name, package) in [("MyProto.proto", "package a.b.c;"), ("x.proto", ""), ("int.proto", "package int;")] {
        let proto = format!(
            "syntax = \"proto3\";\n{package}\nmessage ClientToServer {{ oneof messages {{ {oneof} }} }}\n\
             message ServerToClient {{ oneof messages {{ {oneof} }} }}\nmessage M {{ string text = 1; }}\n"
        );
        fs::write(directory.path().join(name), proto).unwrap();
        generate(directory.path(), &["generate_c_source", "-o", "out", name]);
    }
    compile(&out, "gcc", &STRICT);
    if tool("g++", &["--version"]) {
        headers_in_cpp(&out, &[]);
    }
}

#[test]
fn chat_is_as_expected() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    generate(&repository("examples/chat"), &["generate_c_source", "-o", out, "chat.proto"]);
    // The runtime is what it is; the messages have golden files of their own.
    for path in files(directory.path()).into_keys() {
        if !path.to_str().unwrap().starts_with("chat_") {
            fs::remove_file(directory.path().join(path)).unwrap();
        }
    }
    assert_golden("c/chat", directory.path());
}

// ------------------------------------------------------------------------------------------------------------ examples

/// What the example's Makefile makes, in a copy.
fn example(name: &str) -> Option<tempfile::TempDir> {
    if !(nanopb() && tool("make", &["--version"])) {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("c");
    fs::create_dir(&copy).unwrap();
    fs::copy(repository(&format!("examples/{name}/{name}.proto")), directory.path().join(format!("{name}.proto")))
        .unwrap();
    for file in ["Makefile", "client.c", "server.c"] {
        fs::copy(repository(&format!("examples/{name}/c/{file}")), copy.join(file)).unwrap();
    }
    let variables = [concat!("MESSI=", env!("CARGO_BIN_EXE_messi")), "CFLAGS=-O1 -Werror"];
    run(Command::new("make").args(["-s", "-C"]).arg(&copy).args(variables), true);
    Some(directory)
}

fn port_in(line: &str) -> String {
    let rest = line.split_once(" port ").unwrap_or_else(|| panic!("{line}")).1;
    rest.chars().take_while(char::is_ascii_digit).collect()
}

#[test]
fn hello_world() {
    let Some(example) = example("hello_world") else { return };
    let program = |name: &str, uri: &str| of(&example.path().join("c").join(name), uri);
    let mut server = Process::start(program("server", "tcp://127.0.0.1:0"));
    let port = port_in(&server.line());
    let said = run(&mut program("client", &format!("tcp://localhost:{port}")), false).stdout;
    assert_eq!(text(&said), "Hello, world!\n");
}

#[test]
fn chat() {
    let Some(example) = example("chat") else { return };
    let program = |name: &str, uri: &str| of(&example.path().join("c").join(name), uri);
    let mut server = Process::start(program("server", "tcp://127.0.0.1:0"));
    let uri = format!("tcp://127.0.0.1:{}", port_in(&server.line()));
    let guest = |name: &str| {
        let mut client = program("client", &uri);
        client.arg(name);
        Process::start(client)
    };
    let mut ada = guest("ada");
    assert_eq!(ada.line(), "ada | ada is here");
    let mut bob = guest("bob");
    assert_eq!(bob.line(), "bob | ada is here");
    assert_eq!(bob.line(), "bob | bob is here");
    assert_eq!(ada.line(), "ada | bob is here");
    bob.type_line("hello");
    bob.type_line("how are \x1b you?");
    assert!(bob.end().0.success());
    assert_eq!(ada.line(), "ada | bob: hello");
    assert_eq!(ada.line(), "ada | bob: how are   you?");
    assert_eq!(ada.line(), "ada | bob has left");
    drop(server);
    assert_eq!(ada.line(), "ada | (Connection closed. Connecting again.)");
}

// ------------------------------------------------------------------------------------------------------------ the bank

static BANK_SERVER: Program = LazyLock::new(|| bank("server", sanitizers()));
static BANK_CLIENT: Program = LazyLock::new(|| bank("client", sanitizers()));

fn bank(side: &str, options: &[&str]) -> Option<PathBuf> {
    build(&LINUX, &format!("bank_{side}"), &[&format!("tests/bank/c/{side}.c")], options)
}

/// A program with its first argument: a port or a URI.
fn of(program: &Path, argument: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(argument);
    command
}

#[test]
fn the_bank_in_c_at_both_ends() {
    let (Some(server), Some(client)) = (&*BANK_SERVER, &*BANK_CLIENT) else { return };
    scenario::play(of(server, "0"), |port| of(client, port));
}

#[test]
fn the_bank_serves_messis_own_clients() {
    let Some(server) = &*BANK_SERVER else { return };
    for (name, wire, ours) in [
        ("peer-client", "v2", "v2"),
        ("peer-client-py", "v2", "auto"),
        ("peer-client", "v1b", "v1b"),
        ("peer-client", "v1b", "auto"),
        ("peer-client", "v1a", "v1a"),
        ("peer-client", "v1a", "auto-v1a"),
    ] {
        if scenario::messi_peer(name, wire, "0").is_some() {
            let mut server = of(server, "0");
            server.env("WIRE", ours);
            scenario::play(server, |port| scenario::messi_peer(name, wire, port).unwrap());
        }
    }
}

#[test]
fn the_bank_visits_messis_own_server() {
    let Some(client) = &*BANK_CLIENT else { return };
    for wire in ["v2", "v1b", "v1a"] {
        scenario::visit_messi(wire, |port| {
            let mut client = of(client, port);
            client.env("WIRE", wire);
            client
        });
    }
}

/// Nothing is read before it is written, which sanitizers do not see.
#[test]
fn the_bank_under_valgrind() {
    if !tool("valgrind", &["--version"]) {
        return;
    }
    let Some(server) = build(&LINUX, "plain_server", &["tests/bank/c/server.c"], &[]) else { return };
    let Some(client) = build(&LINUX, "plain_client", &["tests/bank/c/client.c"], &[]) else { return };
    let valgrind = |program: &Path, port: &str| {
        let mut command = Command::new("valgrind");
        command.args(["-q", "--error-exitcode=9", "--leak-check=full", "--track-fds=no"]).arg(program).arg(port);
        command
    };
    scenario::play(valgrind(&server, "0"), |port| valgrind(&client, port));
}
