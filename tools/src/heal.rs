//! `rmsg heal`: what dead processes held of a named ring is given back, where nobody runs who would do it.
//!
//! Whoever opens a ring heals it, and so does this. What came of it is the difference of two looks.

use crate::args::{Format, StatArgs};
use crate::failure::Failure;
use crate::json;
use crate::names::clean;
use crate::output::{Ink, Outcome, Output};
use crate::ring::called;
use rust_messenger::message_bus::{AttachmentStats, NamedStats};
use rust_messenger::{CircularBus, NamedOptions};

/// What a dead process held.
#[derive(Debug)]
struct Estate<'a> {
    dead: &'a AttachmentStats,
    readers: Vec<&'a str>,
    writers: usize,
    lock: bool,
}

impl Estate<'_> {
    fn is_nothing(&self) -> bool {
        self.readers.is_empty() && self.writers == 0 && !self.lock
    }
}

/// What dead processes hold.
fn estates(stats: &NamedStats) -> Vec<Estate<'_>> {
    let dead = stats.attachments.iter().enumerate().filter(|(_, it)| !it.alive);
    let estate = |(place, dead)| Estate {
        dead,
        readers: stats.readers.iter().filter(|it| it.attachment == place).map(|it| it.name.as_str()).collect(),
        writers: stats.writers.iter().filter(|it| it.attachment == place).count(),
        lock: stats.lock == Some(place),
    };
    dead.map(estate).collect()
}

pub fn heal(args: &StatArgs) -> Result<Outcome, Failure> {
    let before = NamedStats::read(&args.file)?;
    // Whoever heals needs the lock, and takes none from the living.
    let holder = before.lock.and_then(|holder| before.attachments.get(holder)).filter(|holder| holder.paused);
    if let Some(holder) = holder {
        let holder = format!("{}, which stands still,", called(holder));
        return Err(Failure::Held { path: args.file.clone(), holder });
    }
    if before.one_writer {
        drop(CircularBus::open_one_writer(&args.file, NamedOptions::default())?);
    } else {
        drop(CircularBus::open(&args.file, NamedOptions::default())?);
    }
    let after = NamedStats::read(&args.file)?;
    let left = estates(&after);
    let mut output = Output::new();
    let found = estates(&before);
    for estate in &found {
        let is_same = |it: &&Estate<'_>| (it.dead.pid, &it.dead.program) == (estate.dead.pid, &estate.dead.program);
        let still = left.iter().find(is_same);
        match args.format {
            Format::Text => print(&mut output, estate, still)?,
            Format::Json => output.line(&json::line(&object(estate, still))?)?,
        }
    }
    if found.is_empty() && args.format == Format::Text {
        output.line("nothing to give back: nobody who is dead holds anything")?;
    }
    output.flush()?;
    Ok(if left.is_empty() { Outcome::Fine } else { Outcome::Left })
}

fn print(output: &mut Output, estate: &Estate<'_>, still: Option<&Estate<'_>>) -> Result<(), Failure> {
    let whose = called(estate.dead);
    output.line(&format!("{}: gave back {}", output.paint(Ink::Strong, &whose), in_words(estate)))?;
    if let Some(still) = still {
        let left = format!("  left: {}; somebody alive may be at work there, try again", in_words(still));
        output.line(&output.paint(Ink::Notice, &left))?;
    }
    Ok(())
}

fn in_words(estate: &Estate<'_>) -> String {
    let readers = estate.readers.iter().map(|name| format!("reader {}", clean(name)));
    let writers = match estate.writers {
        0 => None,
        1 => Some("a writer".to_owned()),
        many => Some(format!("{many} writers")),
    };
    let lock = estate.lock.then(|| "the lock".to_owned());
    let all: Vec<String> = readers.chain(writers).chain(lock).collect();
    // It had taken the place of the one writer, and nothing else.
    if estate.is_nothing() { "the one writer's place".to_owned() } else { all.join(", ") }
}

fn object<'a>(estate: &Estate<'a>, still: Option<&Estate<'_>>) -> json::Healed<'a> {
    json::Healed {
        pid: estate.dead.pid,
        program: &estate.dead.program,
        readers: estate.readers.clone(),
        writers: estate.writers,
        lock: estate.lock,
        is_left: still.is_some(),
    }
}
