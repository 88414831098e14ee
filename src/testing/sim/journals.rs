//! Simulations on journals: in memory and in files, reopened from what killed processes left.

use super::Sim;
use super::system::{Ground, Reopened};
use crate::message_bus::{JournalError, PersistentBus, PersistentOptions, Recovered, Start};
use crate::sync::Arc;
use crate::testing::ManualClock;
use crate::traits::MessageBus;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::{fs, io};

/// How many messages there are, if all were counted and none may be forgotten. It has to be as long as it was, and
/// whole.
fn counted(recovered: &Recovered, tail: u64, options: &PersistentOptions) -> Result<Option<u64>, String> {
    if recovered.is_damaged() || recovered.tail != tail {
        return Err(format!("of {tail} bytes, there are {} when it is opened again: {recovered}", recovered.tail));
    }
    let counts_all = recovered.unchecked.is_none() && !options.retention.forgets();
    Ok(counts_all.then_some(recovered.messages))
}

fn again(options: &PersistentOptions, clock: &ManualClock, verify: bool) -> PersistentOptions {
    PersistentOptions { verify, ..timed(options, clock) }
}

fn timed(options: &PersistentOptions, clock: &ManualClock) -> PersistentOptions {
    PersistentOptions { clock: Arc::new(clock.clone()), ..options.clone() }
}

/// Whether the reader of this name begins no later than where it was.
fn resumes(options: &PersistentOptions) -> impl Fn(&str) -> bool + 'static {
    let options = options.clone();
    move |name| {
        let listed = options.starts.iter().rev().find(|(listed, _)| *listed == name);
        !matches!(listed.map_or(options.start, |(_, start)| *start), Start::Latest | Start::At(_))
    }
}

fn text(error: JournalError) -> String {
    error.to_string()
}

impl Sim<PersistentBus> {
    /// A system on a journal in memory, which lives by the virtual clock. When all nodes are killed, what they left is
    /// opened again, with recovery. A small [`capacity`](PersistentOptions::capacity) and
    /// [`max_payload`](PersistentOptions::max_payload) make lives short.
    ///
    /// ```
    /// use rust_messenger::PersistentOptions;
    /// use rust_messenger::message_bus::Start;
    /// use rust_messenger::testing::Sim;
    ///
    /// let small = PersistentOptions { capacity: 256 << 10, max_payload: 1024, step: 64 << 10, ..Default::default() };
    /// let sim = Sim::on_journal(PersistentOptions { start: Start::Resume, ..small });
    /// # let _ = sim;
    /// ```
    pub fn on_journal(options: PersistentOptions) -> Self {
        let reopened = options.clone();
        let reopen = move |bus: PersistentBus, clock: &ManualClock, verify: bool| -> Reopened<PersistentBus> {
            let tail = bus.tail();
            let image = bus.image();
            drop(bus);
            let (bus, recovered) = PersistentBus::from_image(image, again(&reopened, clock, verify)).map_err(text)?;
            Ok((bus, counted(&recovered, tail, &reopened)?))
        };
        Sim::on(Ground {
            fills: false,
            resumes: Box::new(resumes(&options)),
            make: Box::new(move |clock| PersistentBus::in_memory(timed(&options, clock)).map_err(text)),
            reopen: Box::new(reopen),
        })
    }

    /// As [`on_journal`](Self::on_journal), in files: in a directory of its own in `directory`, which is removed with
    /// the simulation. When all nodes are killed, a copy of the file as it is then is opened again.
    pub fn on_files(directory: impl Into<PathBuf>, options: PersistentOptions) -> Self {
        let (directory, reopened) = (directory.into(), options.clone());
        let files = Rc::new(Files { directory, own: RefCell::default() });
        let copied = Rc::clone(&files);
        let make = move |clock: &ManualClock| {
            let own =
                files.anew().map_err(|error| format!("no directory in {}: {error}", files.directory.display()))?;
            PersistentBus::open(own.join(FILE), timed(&options, clock)).map(|(bus, _)| bus).map_err(text)
        };
        let resumes = Box::new(resumes(&reopened));
        let reopen = move |bus: PersistentBus, clock: &ManualClock, verify: bool| -> Reopened<PersistentBus> {
            let tail = bus.tail();
            let own = copied.own.borrow();
            let [file, copy] = [FILE, "copy"].map(|name| own.join(name));
            // As it is now: what closing it does comes too late.
            fs::copy(&file, &copy).map_err(|error| error.to_string())?;
            drop(bus);
            fs::rename(&copy, &file).map_err(|error| error.to_string())?;
            let (bus, recovered) = PersistentBus::open(&file, again(&reopened, clock, verify)).map_err(text)?;
            Ok((bus, counted(&recovered, tail, &reopened)?))
        };
        Sim::on(Ground { fills: false, resumes, make: Box::new(make), reopen: Box::new(reopen) })
    }
}

const FILE: &str = "simulation.journal";

/// The files of one simulation, as long as it is there.
struct Files {
    directory: PathBuf,
    /// Where they are, and nothing else: empty before the first life.
    own: RefCell<PathBuf>,
}

impl Files {
    /// A directory with nothing in it. Beside it may be others: of other simulations, and of killed ones.
    fn anew(&self) -> io::Result<PathBuf> {
        self.remove();
        let mut number = 0_u64;
        loop {
            let own = self.directory.join(format!("simulation.{}.{number}", std::process::id()));
            match fs::create_dir(&own) {
                Ok(()) => {
                    self.own.replace(own.clone());
                    return Ok(own);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn remove(&self) {
        let own = self.own.take();
        if !own.as_os_str().is_empty() {
            // Who has removed it already has done what is wanted.
            let _ = fs::remove_dir_all(own);
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.remove();
    }
}
