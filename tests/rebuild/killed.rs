//! Processes that are killed as their snapshots are written. A child writes one of a quarter of a megabyte after each
//! message, so that most of its time goes into that: before the journal is synced, in the draft, in its sync, in the
//! rename. It repeats what its journal says, or it ends with another word than the one for which it is killed. So this
//! cannot pass by luck: what is rebuilt wrong is told by the first difference.

use super::snapshots::{Config, Messenger, check_outputs, options, positions, process};
use super::{Input, OUTSIDE, Outside, content, scratch};
use rust_messenger::message_bus::PersistentBus;
use rust_messenger::messenger::Step;
use rust_messenger::traits::{Message, Sender};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TOLD: &str = "REBUILD_TEST";

/// Sends inputs, one after the other, until it is killed, and says so of each on its standard error.
#[test]
fn child_is_kept_until_it_is_killed() {
    let Ok(path) = std::env::var(TOLD) else { return };
    let path = PathBuf::from(path);
    let (bus, _) = PersistentBus::open(&path, options(1)).unwrap();
    let messenger = Messenger::new(bus);
    let mut workers = messenger.workers(&Config::large()).unwrap();
    while workers.step() == Step::Worked {}
    let outside = messenger.writer().unwrap();
    for input in inputs(&path).. {
        Outside::try_send(&Input(input), &outside).unwrap();
        while workers.step() == Step::Worked {}
        std::io::stderr().write_all(b".").unwrap();
    }
}

fn inputs(path: &Path) -> u64 {
    content(path).iter().filter(|entry| (entry.0, entry.1) == (OUTSIDE, Input::ID)).count() as u64
}

#[test]
fn a_process_that_is_killed_as_it_is_kept_is_rebuilt() {
    let (_directory, path) = scratch();
    let mut newest = 0;
    for kill in 0..24_u64 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "killed::child_is_kept_until_it_is_killed", "--nocapture", "--test-threads=1"]);
        command.env(TOLD, &path).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut dots = vec![0; 1 + kill as usize * 7 % 23];
        let read = child.stderr.as_mut().unwrap().read_exact(&mut dots);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(read.is_ok() && dots.iter().all(|dot| *dot == b'.'), "{status}: {}", String::from_utf8_lossy(&dots));
        // Whatever it was at, one that is whole is left, and no older one than was there.
        let left = positions(&path).last().copied().unwrap_or_default();
        assert!(left >= newest, "kill {kill}: {left} after {newest}");
        newest = left;
    }
    assert!(newest > 0, "none was written");
    let count = inputs(&path);
    let came = process(&path, 1000, count..count + 1);
    assert_eq!((came.began, came.skipped), (Some(newest), vec![]));
    came.ended.unwrap();
    check_outputs(&path, count + 1);
}
