//! `rmsg journal check`: whether a routing table contradicts a journal.

use crate::args::{CheckArgs, Format};
use crate::failure::Failure;
use crate::json;
use crate::names::clean_lines;
use crate::opened::Opened;
use crate::output::{Ink, Outcome, Output};
use rust_messenger::message_bus::JournalTable;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// No table is larger.
const LARGEST: u64 = 64 << 20;

pub fn check(args: &CheckArgs) -> Result<Outcome, Failure> {
    let opened = Opened::new(&args.file)?;
    let damage = opened.warn(&args.file);
    let table = read_table(&args.table)?;
    let renamed: Vec<_> = args.renamed.iter().map(|(old, new)| (old.as_str(), new.as_str())).collect();
    let journal = opened.info.table.unwrap_or_default();
    let said: Vec<String> = journal.check(&table, &renamed).iter().map(|said| clean_lines(said)).collect();
    let mut output = Output::new();
    match args.format {
        Format::Json => output.line(&json::line(&json::Checked { fits: said.is_empty(), contradictions: &said })?)?,
        Format::Text if said.is_empty() => output.line("fits: the journal opens with this table")?,
        Format::Text => {
            for said in &said {
                let line = format!("{}: {said}", output.paint(Ink::Alarm, "contradicts"));
                output.line(&line)?;
            }
        }
    }
    output.flush()?;
    Ok(if said.is_empty() { damage } else { Outcome::Contradicted })
}

fn read_table(path: &Path) -> Result<JournalTable, Failure> {
    let lacks = |found| Failure::Lacks {
        path: path.to_owned(),
        found,
        expected: "the text of a routing table",
        cure: "have the program write what `Messenger::table().to_text()` returns",
    };
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut text));
    read.map_err(|error| Failure::Read { path: path.to_owned(), error })?;
    let text = String::from_utf8(text).map_err(|_| lacks("bytes that are no text"))?;
    if !text.starts_with("table\t") {
        return Err(lacks("another text"));
    }
    JournalTable::parse(&text).ok_or_else(|| lacks("a text that begins as one and goes on as something else"))
}
