//! The command `messi`: its options, what it leaves on disk, and what it says.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use support::*;
use tempfile::TempDir;

const PROTOCOL: &str = "\
syntax = \"proto3\";
message A {}
message ClientToServer { oneof messages { A a = 1; } }
message ServerToClient { oneof messages { A a = 1; } }
";

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

#[track_caller]
fn assert_fails(output: &Output, code: i32, says: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(says), "`{said}` does not say `{says}`");
    assert_eq!(text(&output.stdout), "");
    assert!(!said.contains("panicked"), "{said}");
}

const ALL: [&str; 3] = ["generate_c_source", "generate_py_source", "generate_rust_source"];

#[test]
fn usage_is_exit_code_2() {
    let here = directory(&[("chat.proto", PROTOCOL)]);
    let here = here.path();
    assert_fails(&messi(here, &[]), 2, "Usage: messi");
    assert_fails(&messi(here, &["generate_c_source"]), 2, "<FILE>...");
    assert_fails(&messi(here, &["generate_c_source", "-p", "windows", "chat.proto"]), 2, "linux, async");
    assert_fails(&messi(here, &["generate_py_source", "-s", "neither", "chat.proto"]), 2, "both, client, server");
    assert_fails(&messi(here, &["generate_rust_source", "--server", "65536", "chat.proto"]), 2, "65536");
    assert_fails(&messi(here, &["generate_java_source", "chat.proto"]), 2, "generate_java_source");
    assert_eq!(files(here).len(), 1);
}

#[test]
fn version_and_help() {
    let here = tempfile::tempdir().unwrap();
    let version = messi(here.path(), &["--version"]);
    assert_eq!(text(&version.stdout), format!("messi {}\n", env!("CARGO_PKG_VERSION")));
    let help = text(&messi(here.path(), &["--help"]).stdout);
    for command in ALL {
        assert!(help.contains(command), "{help}");
        let help = text(&messi(here.path(), &[command, "--help"]).stdout);
        assert!(help.contains("--import-path") && help.contains("--check"), "{help}");
    }
    assert!(help.contains("Examples:"), "{help}");
}

#[test]
fn dashes_are_underscores() {
    for command in ALL {
        let (one, other) = (directory(&[("chat.proto", PROTOCOL)]), directory(&[("chat.proto", PROTOCOL)]));
        generate(one.path(), &[command, "chat.proto"]);
        generate(other.path(), &[&command.replace('_', "-"), "chat.proto"]);
        assert!(files(one.path()).len() > 1, "{command} made nothing");
        assert_eq!(files(one.path()), files(other.path()));
    }
}

/// A build that looks at times does not build again what did not change.
#[test]
fn what_is_the_same_is_not_written() {
    for command in ALL {
        let here = directory(&[("chat.proto", PROTOCOL)]);
        let written = |arguments: &[&str]| {
            let output = messi(here.path(), arguments);
            assert!(output.status.success(), "{}", text(&output.stderr));
            text(&output.stderr).lines().filter(|line| line.starts_with("wrote ")).count()
        };
        let all = written(&["-d", command, "-o", "a/b", "chat.proto"]);
        let made = files(&here.path().join("a/b"));
        assert_eq!(all, made.len());
        assert!(all > 0);
        assert_eq!(written(&["-d", command, "-o", "a/b", "chat.proto"]), 0);
        let (one, text) = made.iter().next().unwrap();
        fs::write(here.path().join("a/b").join(one), "changed").unwrap();
        assert_eq!(written(&[command, "-d", "-o", "a/b", "chat.proto"]), 1);
        assert_eq!(fs::read_to_string(here.path().join("a/b").join(one)).unwrap(), *text);
    }
}

#[test]
fn check_compares_and_writes_nothing() {
    for command in ALL {
        let here = directory(&[("chat.proto", PROTOCOL)]);
        let check = || messi(here.path(), &[command, "--check", "-o", "out", "chat.proto"]);
        assert_fails(&check(), 1, "not what would be generated");
        assert!(!here.path().join("out").exists());
        generate(here.path(), &[command, "-o", "out", "chat.proto"]);
        let made = files(&here.path().join("out"));
        let output = check();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
        for (path, was) in &made {
            let path = here.path().join("out").join(path);
            fs::write(&path, format!("{was}\n")).unwrap();
            assert_fails(&check(), 1, path.file_name().unwrap().to_str().unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{was}\n"));
            fs::remove_file(&path).unwrap();
            assert_fails(&check(), 1, path.file_name().unwrap().to_str().unwrap());
            fs::write(&path, was).unwrap();
        }
    }
}

/// What cannot be written last must not let anything be written first.
#[test]
fn all_or_nothing() {
    for command in ALL {
        let here = directory(&[("chat.proto", PROTOCOL)]);
        generate(here.path(), &[command, "-o", "made", "chat.proto"]);
        for path in files(&here.path().join("made")).keys() {
            let out = directory(&[]);
            fs::create_dir_all(out.path().join(path)).unwrap();
            let output = messi(here.path(), &[command, "-o", out.path().to_str().unwrap(), "chat.proto"]);
            assert_fails(&output, 1, &format!("cannot write {}", out.path().join(path).display()));
            assert!(files(out.path()).is_empty(), "{:?}", files(out.path()));
        }
    }
}

/// A directory that was made for what was not written goes again.
#[test]
fn no_directory_is_left() {
    let importing = format!("{PROTOCOL}import \"sub/types.proto\";\n");
    let types = "syntax = \"proto3\";\npackage t;\nmessage T {}\n";
    let here = directory(&[("chat.proto", &importing), ("sub/types.proto", types)]);
    for (command, last) in [("generate_c_source", "chat_server.c"), ("generate_py_source", "chat_server.py")] {
        let out = here.path().join(command);
        fs::create_dir_all(out.join(last)).unwrap();
        assert_fails(&messi(here.path(), &[command, "-o", command, "chat.proto"]), 1, "cannot write");
        assert!(!out.join("sub").exists(), "{command}");
        fs::remove_dir(out.join(last)).unwrap();
        generate(here.path(), &[command, "-o", command, "chat.proto"]);
        assert!(out.join("sub").exists(), "{command}");
    }
}

#[test]
fn nowhere_to_write() {
    let here = directory(&[("chat.proto", PROTOCOL), ("file", "")]);
    for command in ALL {
        assert_fails(&messi(here.path(), &[command, "-o", "file/below", "chat.proto"]), 1, "cannot write file/below");
        assert_fails(&messi(here.path(), &[command, "-o", "file", "chat.proto"]), 1, "cannot write file/");
    }
    assert_eq!(files(here.path()).len(), 2);
}

#[cfg(unix)]
#[test]
fn no_permission_to_write() {
    use std::os::unix::fs::PermissionsExt;
    let here = directory(&[("chat.proto", PROTOCOL)]);
    let out = here.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(out.join("probe"), "").is_ok() {
        // Such as root's; then the files of the kernel are what even root cannot write.
        fs::remove_file(out.join("probe")).unwrap();
        assert_fails(
            &messi(here.path(), &["generate_rust_source", "-o", "/proc", "chat.proto"]),
            1,
            "cannot write /proc/chat.rs",
        );
    } else {
        for command in ALL {
            assert_fails(&messi(here.path(), &[command, "-o", "out", "chat.proto"]), 1, "cannot write out/");
        }
    }
    assert!(files(&out).is_empty());
}

#[cfg(unix)]
#[test]
fn files_are_readable_as_any_other() {
    use std::os::unix::fs::PermissionsExt;
    let here = directory(&[("chat.proto", PROTOCOL)]);
    generate(here.path(), &["generate_rust_source", "chat.proto"]);
    let mode = |name: &str| fs::metadata(here.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("chat.rs"), mode("chat.proto"));
}

#[test]
fn what_is_not_a_file() {
    let here = directory(&[("directory.proto/chat.proto", PROTOCOL)]);
    for command in ALL {
        assert_fails(&messi(here.path(), &[command, "x.proto"]), 1, "error: cannot read x.proto: No such file");
        assert_fails(&messi(here.path(), &[command, "directory.proto"]), 1, "cannot read directory.proto: not a file");
    }
    #[cfg(unix)]
    {
        // Opening it would wait for ever.
        run(Command::new("mkfifo").arg(here.path().join("pipe.proto")), true);
        assert_fails(
            &messi(here.path(), &["generate_c_source", "pipe.proto"]),
            1,
            "cannot read pipe.proto: not a file",
        );
    }
}

#[test]
fn not_utf8() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("latin.proto"), b"syntax = \"proto3\";\n// \xc3\xa5 caf\xe9\n").unwrap();
    assert_fails(&messi(here.path(), &["generate_c_source", "latin.proto"]), 1, "latin.proto:2:9: this is not UTF-8");
    // Columns are characters wherever they come from: the parser, the checks of types, our own.
    for (after, column, what) in
        [("message B { int32 n; }", 29, "expected"), ("message B { C c = 1; }", 22, "not defined")]
    {
        fs::write(here.path().join("chat.proto"), format!("{PROTOCOL}/* å€ */ {after}\n")).unwrap();
        let place = format!("chat.proto:5:{column}: ");
        let output = messi(here.path(), &["generate_c_source", "chat.proto"]);
        assert_fails(&output, 1, &place);
        assert_fails(&output, 1, what);
    }
    let reserved = "/* å€ */ message B { reserved \"n\"; int32 n = 1; }\n";
    fs::write(here.path().join("chat.proto"), format!("{PROTOCOL}{reserved}")).unwrap();
    assert_fails(&messi(here.path(), &["generate_c_source", "chat.proto"]), 1, "chat.proto:5:42: the name `n`");
}

#[test]
fn names_of_files() {
    let other = PROTOCOL.replace("message A", "package other;\nmessage A");
    let names = [("1chat.proto", PROTOCOL), ("чат.proto", PROTOCOL), ("aB.proto", PROTOCOL), ("a_b.proto", &other)];
    let here = directory(&names);
    for name in ["1chat.proto", "чат.proto"] {
        assert_fails(&messi(here.path(), &["generate_c_source", name]), 1, "must begin with a letter");
    }
    assert_fails(
        &messi(here.path(), &["generate_c_source", "aB.proto", "a_b.proto"]),
        1,
        "a_b.proto makes files of the same names",
    );
}

/// Imports are found in the directory of the file that was given, or where it is said.
#[test]
fn import_paths() {
    let importing = PROTOCOL.replace("message A {}", "import \"types.proto\";\nmessage A { t.T t = 1; }");
    let types = "syntax = \"proto3\";\npackage t;\nmessage T {}\n";
    let here = directory(&[("p/chat.proto", &importing), ("p/types.proto", types), ("q/types.proto", types)]);
    for command in ALL {
        generate(here.path(), &[command, "-o", "o", "p/chat.proto"]);
        generate(here.path(), &[command, "-o", "o", "-I", "p", "p/chat.proto"]);
        generate(&here.path().join("p"), &[command, "-o", "../o", "chat.proto"]);
        generate(&here.path().join("q"), &[command, "-o", "../o", "../p/chat.proto"]);
        let absolute = here.path().join("p/chat.proto");
        generate(Path::new("/"), &[command, "-o", here.path().join("o").to_str().unwrap(), absolute.to_str().unwrap()]);
        let output = messi(here.path(), &[command, "-o", "x", "-I", "q", "p/chat.proto"]);
        assert_fails(&output, 1, "p/chat.proto is in none of the import paths: add its directory with -I");
        let output = messi(here.path(), &[command, "-o", "x", "-I", "q", "-I", "p", "q/types.proto", "p/chat.proto"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let output = messi(here.path(), &[command, "-o", "x", "-I", "q", "-I", "p", "p/types.proto", "p/chat.proto"]);
        assert_fails(&output, 1, "p/types.proto is hidden by q/types.proto");
        let output = messi(here.path(), &[command, "-o", "x", "-I", ".", "p/types.proto", "p/chat.proto"]);
        assert_fails(&output, 1, "p/chat.proto:2:1: `types.proto` is not in the import paths (.)");
    }
}

#[test]
fn one_file_by_two_names() {
    let importing = PROTOCOL.replace("message A {}", "import \"p/types.proto\";\nmessage A { t.T t = 1; }");
    let types = "syntax = \"proto3\";\npackage t;\nmessage T {}\n";
    let here = directory(&[("p/chat.proto", &importing), ("p/types.proto", types)]);
    // Found in the current directory, unless it also was given and so has a name in its own.
    generate(here.path(), &["generate_rust_source", "-o", "o", "p/chat.proto"]);
    let output = messi(here.path(), &["generate_rust_source", "-o", "o", "p/types.proto", "p/chat.proto"]);
    assert_fails(&output, 1, "p/chat.proto:2:1: ");
    assert_fails(&output, 1, "`p/types.proto` and also `types.proto`");
    generate(here.path(), &["generate_rust_source", "-o", "o", "-I", ".", "p/types.proto", "p/chat.proto"]);
}

/// Copies of what comes with the generator do not get into its way.
#[test]
fn copies_of_what_is_bundled() {
    let importing = format!("{PROTOCOL}import \"nanopb.proto\";\nimport \"google/protobuf/empty.proto\";\n");
    let old = "message Old {}\n";
    let here = directory(&[("chat.proto", &importing), ("nanopb.proto", old), ("google/protobuf/empty.proto", old)]);
    for command in ALL {
        generate(here.path(), &[command, "-o", "o", "chat.proto"]);
    }
}

#[test]
fn types_only_beside_a_protocol() {
    let types = "syntax = \"proto3\";\npackage t;\nmessage T {}\n";
    let here = directory(&[("chat.proto", PROTOCOL), ("types.proto", types)]);
    for command in ALL {
        let output = messi(here.path(), &[command, "types.proto"]);
        assert_fails(
            &output,
            1,
            "types.proto:1:1: no protocol: add the messages `ClientToServer` and `ServerToClient`",
        );
        generate(here.path(), &[command, "-o", command, "types.proto", "chat.proto"]);
        let made = files(&here.path().join(command));
        let names: Vec<&str> = made.keys().map(|path| path.to_str().unwrap()).collect();
        assert!(names.iter().any(|name| name.starts_with("types")), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("types_client")), "{names:?}");
    }
}

#[test]
fn imports_that_go_too_deep() {
    let here = directory(&[]);
    for i in 0..300 {
        let text = match i {
            0 => format!("{PROTOCOL}import \"f1.proto\";\n"),
            _ => format!("syntax = \"proto3\";\nimport \"f{}.proto\";\n", i + 1),
        };
        fs::write(here.path().join(format!("f{i}.proto")), text).unwrap();
    }
    let output = messi(here.path(), &["generate_c_source", "f0.proto"]);
    assert_fails(&output, 1, "f63.proto:2:1: imports go more than 64 files deep");
}

/// Five seconds, on a machine ten times slower, and 768 MiB of memory. A binary that is built by itself needs 512:
/// in a build of the whole workspace `tests/tidy.rs` has proc-macro2 remember where each token stood.
#[cfg(target_os = "linux")]
fn bounded(directory: &Path, arguments: &[&str]) -> Output {
    let begun = Instant::now();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 786432 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_messi")]).args(arguments);
    let output = command.current_dir(directory).output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    output
}

#[cfg(target_os = "linux")]
#[test]
fn ten_megabytes() {
    let here = directory(&[]);
    fs::write(here.path().join("big.proto"), format!("{PROTOCOL}// {}\n", "x".repeat(10 << 20))).unwrap();
    for command in ALL {
        assert_fails(&bounded(here.path(), &[command, "big.proto"]), 1, "big.proto:1:1: more than 768 KiB of .proto");
    }
}

/// What takes the most memory of what is not refused for its size.
#[cfg(target_os = "linux")]
#[test]
fn the_largest_that_is_read() {
    fn filled(begin: &str, part: impl Fn(usize) -> String, end: &str) -> String {
        let mut text = format!("{PROTOCOL}{begin}");
        for i in 0.. {
            let part = part(i);
            if (text.len() + part.len() + end.len()) as u64 > messi::MAX_SOURCE {
                break;
            }
            text.push_str(&part);
        }
        text + end
    }
    // Those from 19000 on are protobuf's own.
    let number = |i: usize| if i < 18_998 { i + 1 } else { i + 2000 };
    let here = directory(&[
        ("values.proto", &filled("enum E {", |i| format!("V{i}={i};"), "}")),
        ("fields.proto", &filled("message B {", |i| format!("bool f{i}={};", number(i)), "}")),
        ("members.proto", &filled("message B { oneof o {", |i| format!("A f{i}={};", number(i)), "}}")),
    ]);
    for command in ALL {
        for name in ["values.proto", "fields.proto", "members.proto"] {
            let output = bounded(here.path(), &[command, "-o", "out", name]);
            assert!(output.status.success(), "{command} {name}: {}", text(&output.stderr));
        }
    }
}

/// Brackets that open and never close, as deep as a file can hold.
#[cfg(target_os = "linux")]
#[test]
fn nesting_without_end() {
    let most = messi::MAX_SOURCE as usize - PROTOCOL.len() - 100;
    for (begin, part) in [
        ("", "message A {"),
        ("option (x) = ", "{a:"),
        ("option (x) = {a: ", "["),
        ("option ", "("),
        ("message B { ", "a."),
        ("message B { map<", "map<"),
        ("", "/*"),
    ] {
        let here = directory(&[("deep.proto", &format!("{PROTOCOL}{begin}{}", part.repeat(most / part.len())))]);
        assert_fails(&bounded(here.path(), &["generate_c_source", "deep.proto"]), 1, "error: deep.proto:5:");
    }
}
