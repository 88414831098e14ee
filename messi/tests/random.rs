//! Random protocols: what is generated of them is the same anywhere, compiles in all three languages, and the three
//! read what the others write.
//!
//! Compilers take minutes over two hundred of them, as `ALL_PROTOCOLS=1` and `ci/nightly.sh` have it. Otherwise those
//! are left out of which every kind of field and every name is in one before it: about 40 stay, and no kind goes.
//!
//! Values begin as trees of numbers and bytes and are encoded by hand (`random/wire.rs`). Each language in turn decodes
//! what the one before it encoded, and encodes it again; what comes out at last is decoded by hand and compared.

mod random {
    pub mod schema;
    pub mod wire;
}
mod support;

use heck::ToUpperCamelCase;
use random::schema::{Label, Message, Random, Schema, Type};
use random::wire::{self, Content};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::*;

/// How many protocols there are to choose from.
const PROTOCOLS: u64 = 200;
const VALUES: usize = 5;

/// The protocols, their files in `protos/`, and what is generated of them, in a directory of its own.
struct Made {
    directory: tempfile::TempDir,
    schemas: Vec<Schema>,
}

impl Made {
    fn new() -> Made {
        let directory = tempfile::tempdir().unwrap();
        let mut seen = BTreeSet::new();
        let is_new = |schema: &Schema| {
            let before = seen.len();
            seen.extend(kinds(schema));
            seen.len() > before || std::env::var_os("ALL_PROTOCOLS").is_some()
        };
        let schemas: Vec<Schema> = (0..PROTOCOLS).map(Schema::random).filter(is_new).collect();
        assert!(schemas.len() >= 30, "the kinds are too few: {}", schemas.len());
        let protos = directory.path().join("protos");
        fs::create_dir(&protos).unwrap();
        for schema in &schemas {
            for (file, (stem, _)) in schema.files.iter().enumerate() {
                fs::write(protos.join(format!("{stem}.proto")), schema.text(file)).unwrap();
            }
        }
        Made { directory, schemas }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn protocol(&self, schema: &Schema) -> String {
        self.path("protos").join(format!("{}.proto", schema.files[0].0)).to_str().unwrap().to_owned()
    }

    /// Generates all of them; the order and the place are those of the caller.
    fn generate(&self, command: &str, output: &Path, environment: &[(&str, &str)]) {
        for schema in &self.schemas {
            let mut run_messi = Command::new(env!("CARGO_BIN_EXE_messi"));
            run_messi.args([command, "-o", output.to_str().unwrap(), &self.protocol(schema)]);
            run_messi.envs(environment.iter().copied()).current_dir(self.directory.path());
            run(&mut run_messi, true);
        }
    }
}

/// What is in a protocol: each type with its label, the keys of maps, and names but for their numbers.
fn kinds(schema: &Schema) -> BTreeSet<(String, String)> {
    let plain = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_').to_owned();
    let mut kinds = BTreeSet::new();
    for message in &schema.messages {
        kinds.insert(("message".to_owned(), plain(&message.name)));
        for field in &message.fields {
            kinds.insert(("field".to_owned(), plain(&field.name)));
            let label = match field.label {
                Label::Implicit => "implicit",
                Label::Optional => "optional",
                Label::Repeated if field.unpacked => "unpacked",
                Label::Repeated => "repeated",
                Label::Map(_) => "map",
                Label::Oneof(_) => "oneof",
            };
            let ty = match field.ty {
                Type::Scalar(name) => name,
                Type::Enum(_) => "enum",
                Type::Message(_) => "message",
            };
            kinds.insert((label.to_owned(), ty.to_owned()));
            if let Label::Map(key) = field.label {
                kinds.insert(("key".to_owned(), key.to_owned()));
            }
        }
    }
    kinds
}

/// The messages whose values are sent around: those that are in no other one.
fn outer(schema: &Schema) -> impl Iterator<Item = usize> {
    (0..schema.messages.len()).filter(|&index| schema.messages[index].parent.is_none())
}

/// A value on its way: which message it is, and its bytes.
struct Record {
    schema: usize,
    message: usize,
    content: Content,
    bytes: Vec<u8>,
}

fn records(made: &Made) -> Vec<Record> {
    let mut random = Random(4711);
    let mut records = Vec::new();
    for (number, schema) in made.schemas.iter().enumerate() {
        for message in outer(schema) {
            for value in 0..VALUES {
                let content = if value == 0 { Content::new() } else { wire::random(schema, message, &mut random, 0) };
                let bytes = wire::encode(schema, message, &content);
                // Sorts the pairs of maps, too.
                let content = wire::decode(schema, message, &bytes).expect("the codec knows its own");
                records.push(Record { schema: number, message, content, bytes });
            }
        }
    }
    records
}

/// As the programs read and write them: schema, message and size as four bytes each, little endian, and the bytes.
fn write_records(records: &[Record]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        for number in [record.schema, record.message, record.bytes.len()] {
            out.extend((number as u32).to_le_bytes());
        }
        out.extend(&record.bytes);
    }
    out
}

/// Takes over what a program made of them: nothing may be missing, and all must still be what it was.
fn read_records(made: &Made, records: &mut [Record], bytes: &[u8], language: &str) {
    let mut rest = bytes;
    for record in records.iter_mut() {
        let (head, after) = rest.split_at_checked(12).unwrap_or_else(|| panic!("{language} wrote too little"));
        let number = |i: usize| u32::from_le_bytes(head[4 * i..][..4].try_into().unwrap()) as usize;
        assert_eq!((number(0), number(1)), (record.schema, record.message), "{language}");
        let (encoded, after) = after.split_at(number(2));
        let schema = &made.schemas[record.schema];
        let content = wire::decode(schema, record.message, encoded);
        assert_eq!(
            content.as_ref(),
            Some(&record.content),
            "{language} changed {} of {}: {:02x?} became {encoded:02x?}",
            schema.messages[record.message].name,
            schema.files[0].0,
            record.bytes
        );
        record.bytes = encoded.to_vec();
        rest = after;
    }
    assert!(rest.is_empty(), "{language} wrote too much");
}

#[test]
fn the_same_anywhere() {
    let made = Made::new();
    for command in ["generate_c_source", "generate_py_source", "generate_rust_source"] {
        let (one, other) = (made.path("one"), made.path("other/place"));
        made.generate(command, &one, &[("LC_ALL", "C"), ("TZ", "UTC"), ("HOME", "/")]);
        made.generate(command, &other, &[("LC_ALL", "tr_TR.UTF-8"), ("TZ", "Asia/Tokyo"), ("HOME", "/tmp")]);
        let (one, other) = (files(&one), files(&other));
        assert!(one.len() >= made.schemas.len());
        assert!(one == other, "{command} differs");
        for (path, text) in &one {
            let absolute = made.directory.path().to_str().unwrap();
            assert!(!text.contains(absolute), "{} names the directory that it was made in", path.display());
        }
    }
}

#[test]
fn all_languages_read_what_the_others_write() {
    let made = Made::new();
    let mut records = records(&made);
    let input = made.path("input");
    let output = made.path("output");
    let mut through = |language: &str, step: &dyn Fn(&Made, &Path, &Path) -> bool| {
        fs::write(&input, write_records(&records)).unwrap();
        let _ = fs::remove_file(&output);
        if step(&made, &input, &output) {
            read_records(&made, &mut records, &fs::read(&output).unwrap(), language);
        }
    };
    through("C", &through_c);
    through("Python", &through_python);
    through("Rust", &through_rust);
    // Each has read what another wrote when C has read what Rust wrote.
    through("C", &through_c);
}

/// Compiles all that is generated, warnings being errors, and a program for each protocol; runs those with their
/// records.
fn through_c(made: &Made, input: &Path, output: &Path) -> bool {
    if !nanopb() {
        return false;
    }
    let generated = made.path("c");
    if !generated.exists() {
        compile_c(made, &generated);
    }
    fs::write(output, "").unwrap();
    let records = fs::read(input).unwrap();
    let mut rest = &records[..];
    while !rest.is_empty() {
        // Records come in the order of the protocols.
        let schema = u32::from_le_bytes(rest[..4].try_into().unwrap());
        let mut end = 0;
        while rest[end..].starts_with(&schema.to_le_bytes()) {
            end += 12 + u32::from_le_bytes(rest[end + 8..][..4].try_into().unwrap()) as usize;
        }
        let (own_input, own_output) = (made.path("own_input"), made.path("own_output"));
        fs::write(&own_input, &rest[..end]).unwrap();
        let program = generated.join(format!("again{schema}"));
        run(Command::new(program).arg(&own_input).arg(&own_output), true);
        let mut all = fs::OpenOptions::new().append(true).open(output).unwrap();
        all.write_all(&fs::read(&own_output).unwrap()).unwrap();
        rest = &rest[end..];
    }
    true
}

fn compile_c(made: &Made, generated: &Path) {
    made.generate("generate_c_source", generated, &[]);
    let again = package().join("tests/random/again.c");
    // Two at a time, which is what the smallest of machines can do.
    let schemas: Vec<(usize, &Schema)> = made.schemas.iter().enumerate().collect();
    std::thread::scope(|scope| {
        for half in schemas.chunks(schemas.len().div_ceil(2)) {
            let again = &again;
            scope.spawn(move || {
                half.iter().for_each(|(number, schema)| compile_again(generated, again, *number, schema))
            });
        }
    });
}

fn compile_again(generated: &Path, again: &Path, number: usize, schema: &Schema) {
    let stem = &schema.files[0].0;
    let header = fs::read_to_string(generated.join(format!("{stem}.pb.h"))).unwrap();
    let imported: String = (schema.files[1..].iter())
        .map(|(stem, _)| fs::read_to_string(generated.join(format!("{stem}.pb.h"))).unwrap())
        .collect();
    let plain = |name: &str| name.to_lowercase().replace(['_', '.'], "");
    let mut table = format!("#include \"{stem}.pb.h\"\n#define CASES");
    for message in outer(schema) {
        let Message { name, file, .. } = &schema.messages[message];
        let wanted = plain(&format!("{}{name}", schema.files[*file].1));
        let prefix = format!("{header}{imported}")
            .lines()
            .filter_map(|line| {
                line.strip_prefix("#define ")?.split_once("_fields &").map(|(prefix, _)| prefix.to_owned())
            })
            .find(|prefix| plain(prefix) == wanted)
            .unwrap_or_else(|| panic!("no struct for {name} of {stem}"));
        write!(table, " CASE({message}, {prefix})").unwrap();
    }
    table.push('\n');
    let cases = generated.join(format!("cases{number}.h"));
    fs::write(&cases, table).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O0"]).current_dir(generated);
    gcc.arg("-include").arg(&cases).arg("-I.").arg(again).args(["messi_pb.c", "-o", &format!("again{number}")]);
    gcc.args(schema.files.iter().map(|(stem, _)| format!("{stem}.pb.c"))).arg("-lprotobuf-nanopb");
    run(&mut gcc, true);
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O0", "-fsyntax-only"]).current_dir(generated);
    gcc.args([format!("{stem}_client.c"), format!("{stem}_server.c")]);
    run(&mut gcc, true);
}

/// Imports all that is generated; those of no package each by itself, as their roots have one name.
fn through_python(made: &Made, input: &Path, output: &Path) -> bool {
    if !tool("python3", &["-c", "import google.protobuf"]) {
        return false;
    }
    let generated = made.path("python");
    if !generated.exists() {
        made.generate("generate_py_source", &generated, &[]);
    }
    let table: String = (made.schemas.iter().enumerate())
        .flat_map(|(number, schema)| {
            outer(schema).map(move |message| {
                let Message { name, file, .. } = &schema.messages[message];
                let (stem, package) = &schema.files[*file];
                let protocol = &schema.files[0].0;
                let alone = u8::from(package.is_empty() || schema.files[0].1.is_empty());
                format!("{number} {message} {alone} {protocol} {stem} {name}\n")
            })
        })
        .collect();
    let cases = made.path("cases.txt");
    fs::write(&cases, table).unwrap();
    let mut python = Command::new("python3");
    python.arg("-W").arg("error").arg(package().join("tests/random/again.py"));
    run(python.args([&generated, &cases, input, output]), true);
    true
}

/// Compiles all protocols as modules of one program, and runs it.
fn through_rust(made: &Made, input: &Path, output: &Path) -> bool {
    let generated = made.path("rust");
    made.generate("generate_rust_source", &generated, &[]);
    let mut program = String::from("use prost::Message;\n\n");
    for schema in &made.schemas {
        let stem = &schema.files[0].0;
        writeln!(program, "#[path = {:?}]\nmod {stem};", generated.join(format!("{stem}.rs"))).unwrap();
    }
    program.push_str(
        "
fn again<M: Message + Default>(bytes: &[u8]) -> Vec<u8> {
    M::decode(bytes).unwrap().encode_to_vec()
}

fn main() {
",
    );
    writeln!(program, "    let input = std::fs::read({input:?}).unwrap();").unwrap();
    program.push_str(
        "    let mut rest = &input[..];
    let mut output = Vec::new();
    while !rest.is_empty() {
        let number = |i: usize| u32::from_le_bytes(rest[4 * i..][..4].try_into().unwrap());
        let (schema, message, size) = (number(0), number(1), number(2) as usize);
        let bytes = &rest[12..][..size];
        let bytes = match (schema, message) {
",
    );
    for (number, schema) in made.schemas.iter().enumerate() {
        for message in outer(schema) {
            let Message { name, file, .. } = &schema.messages[message];
            let (stem, package) = (&schema.files[0].0, &schema.files[*file].1);
            let package: String =
                package.split('.').filter(|part| !part.is_empty()).map(|part| format!("::{part}")).collect();
            let name = match name.to_upper_camel_case().as_str() {
                "Self" => "Self_".to_owned(),
                name => name.to_owned(),
            };
            writeln!(program, "            ({number}, {message}) => again::<{stem}::proto{package}::{name}>(bytes),")
                .unwrap();
        }
    }
    program.push_str(
        "            _ => unreachable!(),
        };
        for number in [schema, message, bytes.len() as u32] {
            output.extend(number.to_le_bytes());
        }
        output.extend(bytes);
        rest = &rest[12 + size..];
    }
",
    );
    writeln!(program, "    std::fs::write({output:?}, output).unwrap();\n}}").unwrap();
    let main = made.path("all.rs");
    fs::write(&main, program).unwrap();
    trybuild::TestCases::new().pass(main);
    true
}
