//! Processes that share a ring and are killed. What they held comes back, and what they did stays.

use super::*;
use crate::children::{Process, told, wait_for_the_end, wait_until};
use crate::mmap::Space;
use crate::traits::{BusWriter, EncodeError, MessageBus, NoWriter, Payload, Publish, ReadError, Reader, WriteError};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

/// Fences would end what only a death is to end here.
fn patient() -> NamedOptions {
    NamedOptions { silent_after: Duration::from_secs(1 << 20), ..NamedOptions::default() }
}

/// A fill that never ends.
struct Endless;

impl Payload for Endless {
    fn size(&self) -> usize {
        100
    }

    fn fill(&mut self, _: &mut Space<'_>) -> Result<(), EncodeError> {
        wait_for_the_end();
        Ok(())
    }
}

/// Does what it is told with the ring it is told, and waits for its end.
#[test]
fn child_uses_a_ring() {
    let Some(told) = told() else { return };
    let (role, path) = told.split_once(' ').unwrap();
    let path = Path::new(path);
    match role {
        "reader" => {
            let _reader = CircularBus::open(path, patient()).unwrap().subscribe("child").unwrap();
            wait_for_the_end();
        }
        "worker" => {
            let bus = CircularBus::open(path, patient()).unwrap();
            let reader = bus.subscribe("child").unwrap();
            let writer = bus.worker_writer(&reader).unwrap();
            writer.take_ticket();
            wait_for_the_end();
        }
        "fill" => {
            let _ = CircularBus::open(path, patient()).unwrap().writer().unwrap().try_put(1, 1, &mut Endless);
        }
        "one_writer" => {
            let writer = CircularBus::open_one_writer(path, patient()).unwrap().writer().unwrap();
            writer.write_bytes(1, 1, b"first").unwrap();
            let _ = writer.try_put(1, 1, &mut Endless);
        }
        "open_or_create" => {
            let bus = CircularBus::open_or_create(path, of_capacity(CAPACITY)).unwrap();
            bus.writer().unwrap().write_bytes(1, 1, b"there").unwrap();
            wait_for_the_end();
        }
        "make_and_remove" => loop {
            drop(CircularBus::open_or_create(path, of_capacity(CAPACITY)).unwrap());
            // It is there about as long as it is not.
            crate::sync::nap(Duration::from_millis(1));
            let _ = CircularBus::remove(path);
        },
        role => panic!("{role}"),
    }
}

fn child(role: &str, path: &Path) -> Process {
    Process::that_runs(child_uses_a_ring, &format!("{role} {}", path.display()))
}

/// Everything that is there, until nothing more fits.
fn fill_up(writer: &impl Publish) {
    while writer.try_write_bytes(1, 2, &[7; 100]).is_ok() {}
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn the_reader_of_a_killed_process_holds_nobody_back_and_that_of_a_stopped_one_does() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let mut child = child("reader", &path);
    child.wait_until("it reads", || bus.stats().readers.len() == 1);
    let writer = bus.writer().unwrap();
    fill_up(&writer);
    let pid = Pid::from_child(&child.0);
    kill_process(pid, Signal::STOP).unwrap();
    // Whoever is full looks for the dead every tenth of a second.
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(500) {
        assert_eq!(writer.try_write_bytes(1, 2, b"more"), Err(WriteError::Full), "it lives");
    }
    assert_eq!(bus.stats().readers.len(), 1);
    kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(writer.try_write_bytes(1, 2, b"more"), Err(WriteError::Full));
    child.kill();
    wait_until("there is room", || writer.try_write_bytes(1, 2, b"more").is_ok());
    assert_eq!(bus.stats().readers.len(), 0);
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn the_ticket_of_a_killed_process_is_nobodys() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let mut child = child("worker", &path);
    let writer = bus.writer().unwrap();
    child.wait_until("it has its ticket", || writer.try_write_bytes(1, 2, b"more") == Err(WriteError::Full));
    child.kill();
    wait_until("it is our turn", || writer.try_write_bytes(1, 2, b"more").is_ok());
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn what_a_killed_process_was_writing_is_stepped_over() {
    let (_directory, path) = scratch();
    drop(made(&path));
    let bus = CircularBus::open(&path, patient()).unwrap();
    let mut reader = bus.subscribe("reader").unwrap();
    let mut child = child("fill", &path);
    child.wait_until("it writes", || bus.tail() > 0);
    bus.writer().unwrap().write_bytes(1, 2, b"behind").unwrap();
    assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Empty));
    reader.wait(Some(Duration::from_millis(300)));
    assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Empty), "it lives");
    child.kill();
    let mut read = Vec::new();
    wait_until("it is stepped over", || {
        reader.wait(Some(Duration::from_millis(10)));
        reader.try_read(|_, payload| read = payload.to_vec()).is_ok()
    });
    assert_eq!(read, b"behind");
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn the_place_of_a_killed_one_writer_is_free() {
    let (_directory, path) = scratch();
    drop(CircularBus::create_one_writer(&path, of_capacity(CAPACITY)).unwrap());
    let bus = CircularBus::open_one_writer(&path, patient()).unwrap();
    let mut reader = bus.subscribe("reader").unwrap();
    let mut child = child("one_writer", &path);
    // Behind its first message it fills another one.
    child.wait_until("it writes", || bus.tail() > 32);
    assert_eq!(reader.try_read(|_, payload| payload.to_vec()), Ok(b"first".to_vec()));
    assert_eq!(bus.writer().err(), Some(NoWriter::Taken));
    child.kill();
    let mut writer = None;
    wait_until("its place is free", || {
        writer = bus.writer().ok();
        writer.is_some()
    });
    writer.unwrap().write_bytes(1, 2, b"next").unwrap();
    assert_eq!(reader.try_read(|_, payload| payload.to_vec()), Ok(b"next".to_vec()));
}

/// Who comes next has the place, and gives back what its former owner held, before anybody waits for it.
#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn the_next_one_has_the_place_of_a_killed_process_and_nothing_else_of_it() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let mut child = child("reader", &path);
    child.wait_until("it reads", || bus.stats().readers.len() == 1);
    assert_eq!(opened(&path).stats().readers.len(), 1, "it lives");
    child.kill();
    wait_until("nothing is left of it", || opened(&path).stats().readers.is_empty());
    use crate::message_bus::ring::owner::Owner;
    use crate::message_bus::ring::store::Store;
    let next = opened(&path);
    let owner = next.shared.store.owner();
    assert!(owner.attachment() == 1 && owner.generation() >= 2, "{owner:?}");
    assert!(bus.shared.store.has_ended(Owner::of(1, 1)) && !bus.shared.store.has_ended(owner));
}

/// All attach to one ring, whoever of them makes it, and whoever of them is killed.
#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn of_sixteen_processes_that_open_or_make_a_ring_all_have_one() {
    const MANY: u64 = 16;
    for killed in [0, 4] {
        let (directory, path) = scratch();
        let mut children: Vec<_> = (0..MANY).map(|_| child("open_or_create", &path)).collect();
        wait_until("there is a ring", || path.exists());
        (0..killed).for_each(|index| children[3 * index].kill());
        let bus = CircularBus::open(&path, NamedOptions::default()).unwrap();
        let living: Vec<_> = (0..MANY as usize).filter(|index| index % 3 != 0 || index / 3 >= killed).collect();
        wait_until("the living have written", || {
            for index in &living {
                let end = children[*index].0.try_wait().unwrap();
                assert!(end.is_none(), "{end:?}");
            }
            bus.stats().messages >= living.len() as u64
        });
        assert!(bus.stats().messages <= MANY);
        assert_eq!(names_in(&directory), ["ring"]);
    }
}

/// Wherever they are killed who make and remove it, there is a whole ring or none, and nothing else.
#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn who_is_killed_while_it_makes_or_removes_a_ring_leaves_a_whole_one_or_none() {
    let (mut rounds, mut some, mut none) = (0, 0, 0);
    // Which of the two is found is chance, so it goes on until both have been.
    wait_until("a ring has been found, and none", || {
        let (directory, path) = scratch();
        let mut both = [child("make_and_remove", &path), child("make_and_remove", &path)];
        wait_until("they are at it", || path.exists());
        crate::sync::nap(Duration::from_micros(700 * (rounds % 20)));
        both.iter_mut().for_each(Process::kill);
        drop(both);
        let names = names_in(&directory);
        assert!(names.is_empty() || names == ["ring"], "{names:?}");
        if names == ["ring"] {
            some += 1;
            let bus = opened(&path);
            bus.writer().unwrap().write_bytes(1, 2, b"whole").unwrap();
        } else {
            none += 1;
        }
        assert!(CircularBus::open_or_create(&path, of_capacity(CAPACITY)).is_ok());
        rounds += 1;
        rounds >= 20 && some > 0 && none > 0
    });
}
