//! Processes that share a ring are killed and stopped at random moments: nothing that was acknowledged is lost, torn,
//! doubled, reordered or invented, and the others go on.
//!
//! Method: two processes write without end, a third one and this one read everything and check it. All of them gate
//! the small ring, so that it is full most of the time, and each message goes through claims, waits and moves of the
//! gate. A writer stores in a file of its own how many messages the ring has taken from it; each has a source of its
//! own, so that what is read of it must be numbered 0, 1, 2 .. without a gap, up to what it stored at least, and one
//! more at most: it may die between the two.
//!
//! By default a tenth is played. KILLS, PAIRS, STOPS and ROUNDS say how often; SEED repeats a run.

use super::*;
use rust_messenger::traits::{Header, MessageBus, Publish, ReadError, Reader};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use support::{compose, composed, mix, number_of, size_of};

/// A slot is at most an eighth of the ring.
const LARGEST: usize = CAPACITY / 8 - 16;
const MESSAGE: u16 = 1;

/// How often, unless the environment says it.
fn times(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |times| times.parse().unwrap())
}

/// Numbers that look random, repeated by SEED.
struct Chance(u64);

impl Chance {
    fn new(name: &str) -> Chance {
        let seed = times("SEED", u64::from(std::process::id()));
        // Seen where the test fails.
        println!("{name}: SEED={seed}");
        Chance(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = mix(self.0.wrapping_add(1));
        self.0 % limit
    }
}

/// What was read of each source: how many messages, of which no number was left out.
#[derive(Default)]
struct Account {
    next: BTreeMap<u16, u64>,
    position: Option<u64>,
}

impl Account {
    /// # Panics
    ///
    /// If the message is torn, or not the one that comes next.
    fn add(&mut self, header: &Header, payload: &[u8], from_the_start: bool) {
        let number = number_of(header, payload);
        assert_eq!(header.message, MESSAGE, "invented");
        assert!(self.position.is_none_or(|last| header.position > last), "positions go back");
        self.position = Some(header.position);
        let next = self.next.entry(header.source).or_insert(if from_the_start { 0 } else { number });
        assert_eq!(number, *next, "source {}: lost, doubled or reordered", header.source);
        *next += 1;
    }
}

/// As another process: writes without end, or reads without end.
#[test]
fn is_a_party() {
    let Some(told) = told() else { return };
    let mut told = told.split(' ');
    let mut word = || told.next().unwrap();
    let (role, source, path) = (word(), word().parse::<u16>().unwrap(), PathBuf::from(word()));
    match role {
        "writer" => {
            let taken = File::options().write(true).open(word()).unwrap();
            let writer = opened(&path).writer().unwrap();
            for number in 0u64.. {
                let size = size_of(source, number, LARGEST);
                match number % 2 {
                    0 => writer.write_bytes(source, MESSAGE, &composed(source, number, size)).unwrap(),
                    _ => writer.write(source, MESSAGE, size, |bytes| compose(source, number, bytes)).unwrap(),
                }
                taken.write_all_at(&(number + 1).to_le_bytes(), 0).unwrap();
            }
        }
        "reader" => {
            let (mut reader, mut account) = (opened(&path).subscribe("party").unwrap(), Account::default());
            loop {
                reader.wait(Some(Duration::from_secs(1)));
                while reader.try_read(|header, payload| account.add(header, payload, false)).is_ok() {}
            }
        }
        "attacher" => {
            let bus = CircularBus::open_or_create(&path, of_capacity()).unwrap();
            bus.writer().unwrap().write_bytes(source, MESSAGE, &composed(source, 0, 8)).unwrap();
            say("there");
            listen();
        }
        role => panic!("{role}"),
    }
}

/// Somebody who writes or reads without end.
struct Party {
    process: Process,
    /// Its source, if it writes, and where it says how much was taken.
    writes: Option<(u16, PathBuf)>,
}

/// The ring, who is on it, and what was read from it.
struct Play {
    directory: tempfile::TempDir,
    /// What the parties store, which is no part of the ring's directory.
    notes: tempfile::TempDir,
    bus: CircularBus,
    reader: <CircularBus as MessageBus>::Reader,
    account: Account,
    parties: Vec<Party>,
    sources: u16,
    /// How often somebody was killed, and when the others took long.
    deaths: usize,
    late: Vec<String>,
}

impl Play {
    fn new() -> Play {
        let (directory, path) = scratch();
        let bus = CircularBus::create(&path, of_capacity()).unwrap();
        let reader = bus.subscribe("checker").unwrap();
        let notes = tempfile::tempdir().unwrap();
        let (account, parties, late) = (Account::default(), Vec::new(), Vec::new());
        let mut play = Play { directory, notes, bus, reader, account, parties, sources: 0, deaths: 0, late };
        for writes in [true, true, false] {
            let party = play.party(writes);
            play.parties.push(party);
        }
        play.go_on(&[0, 1, 2]);
        play
    }

    fn party(&mut self, writes: bool) -> Party {
        let path = self.directory.path().join("ring");
        if !writes {
            let process = child(is_a_party, &format!("reader 0 {}", path.display()));
            return Party { process, writes: None };
        }
        self.sources += 1;
        let taken = self.notes.path().join(self.sources.to_string());
        std::fs::write(&taken, 0u64.to_le_bytes()).unwrap();
        let told = format!("writer {} {} {}", self.sources, path.display(), taken.display());
        Party { process: child(is_a_party, &told), writes: Some((self.sources, taken)) }
    }

    fn read(&mut self) {
        self.reader.wait(Some(Duration::from_millis(5)));
        for _ in 0..100 {
            let account = &mut self.account;
            match self.reader.try_read(|header, payload| account.add(header, payload, true)) {
                Ok(()) => {}
                Err(ReadError::Empty) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn read_of(&self, source: u16) -> u64 {
        self.account.next.get(&source).copied().unwrap_or(0)
    }

    /// Reads until each of these that writes has written more than the ring holds. How long that took.
    fn go_on(&mut self, living: &[usize]) -> Duration {
        let start = Instant::now();
        let sources = living.iter().filter_map(|index| self.parties[*index].writes.as_ref());
        let goals: Vec<_> =
            sources.map(|(source, _)| (*source, self.read_of(*source) + CAPACITY as u64 / 24)).collect();
        while goals.iter().any(|(source, goal)| self.read_of(*source) < *goal) {
            assert!(start.elapsed() < support::PATIENCE, "{goals:?}: they never go on; {:?}", self.bus.stats());
            self.read();
        }
        start.elapsed()
    }

    fn signal(&self, index: usize, signal: Signal) {
        kill_process(Pid::from_raw(self.parties[index].process.id() as i32).unwrap(), signal).unwrap();
    }

    /// Kills these at once, checks that the others go on, and has others in their places.
    fn kill(&mut self, dying: &[usize]) {
        let usual = self.go_on(&[0, 1, 2]);
        dying.iter().for_each(|index| self.signal(*index, Signal::KILL));
        let living: Vec<_> = (0..3).filter(|index| !dying.contains(index)).collect();
        let took = self.go_on(&living);
        // Two seconds, and as many more as a machine needs that is slow.
        self.deaths += 1;
        if took >= Duration::from_secs(2) + 20 * usual {
            self.late.push(format!("{dying:?} died: {took:?}, usually {usual:?}"));
        }
        for index in dying {
            let writes = self.parties[*index].writes.is_some();
            let new = self.party(writes);
            let old = std::mem::replace(&mut self.parties[*index], new);
            self.bury(old);
        }
        self.go_on(&[0, 1, 2]);
    }

    /// All that the ring has taken from somebody who is dead was read, or is to be read.
    fn bury(&mut self, party: Party) {
        let (status, _) = party.process.end();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}: it found a mistake");
        let Some((source, taken)) = party.writes else { return };
        let taken = u64::from_le_bytes(std::fs::read(taken).unwrap().try_into().unwrap());
        let start = Instant::now();
        while self.read_of(source) < taken {
            assert!(start.elapsed() < support::PATIENCE, "source {source}: {taken} taken, {}", self.read_of(source));
            self.read();
        }
        assert!(self.read_of(source) <= taken + 1, "source {source}: invented behind {taken}");
    }

    fn end(mut self) {
        // A machine that is busy with something else stands still for a second now and then.
        assert!(self.late.len() <= 1 + self.deaths / 10, "{:#?}", self.late);
        let parties = std::mem::take(&mut self.parties);
        for party in &parties {
            kill_process(Pid::from_raw(party.process.id() as i32).unwrap(), Signal::KILL).unwrap();
        }
        parties.into_iter().for_each(|party| self.bury(party));
        let names: Vec<_> = self.directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["ring"]);
        self.bus.writer().unwrap().write_bytes(0, MESSAGE, &composed(0, 0, 8)).unwrap();
        support::wait_until("all that the dead held is given back", || {
            self.read();
            self.bus.stats().readers.len() == 1
                || opened(&self.directory.path().join("ring")).stats().readers.len() == 1
        });
    }
}

#[test]
fn one_of_three_is_killed() {
    let (mut play, mut chance) = (Play::new(), Chance::new("one_of_three_is_killed"));
    for _ in 0..times("KILLS", 20) {
        (0..chance.below(20)).for_each(|_| play.read());
        play.kill(&[chance.below(3) as usize]);
    }
    play.end();
}

#[test]
fn two_of_three_are_killed_at_once() {
    let (mut play, mut chance) = (Play::new(), Chance::new("two_of_three_are_killed_at_once"));
    for _ in 0..times("PAIRS", 5) {
        (0..chance.below(20)).for_each(|_| play.read());
        let spared = chance.below(3) as usize;
        play.kill(&[(spared + 1) % 3, (spared + 2) % 3]);
    }
    play.end();
}

/// Who stands still may hold the others up, for he will go on where he stood. Then all go on.
#[test]
fn one_of_three_stands_still_for_a_while() {
    let (mut play, mut chance) = (Play::new(), Chance::new("one_of_three_stands_still_for_a_while"));
    for _ in 0..times("STOPS", 5) {
        let index = chance.below(3) as usize;
        play.signal(index, Signal::STOP);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(2) {
            play.read();
        }
        assert_eq!(play.bus.stats().readers.len(), 2, "nobody takes it for dead");
        play.signal(index, Signal::CONT);
        play.go_on(&[0, 1, 2]);
    }
    play.end();
}

#[test]
fn sixteen_open_or_make_a_ring_and_one_in_four_is_killed() {
    const MANY: usize = 16;
    let mut chance = Chance::new("sixteen_open_or_make_a_ring_and_one_in_four_is_killed");
    for _ in 0..times("ROUNDS", 20) {
        let (directory, path) = scratch();
        let mut all: Vec<_> =
            (1..=MANY).map(|source| child(is_a_party, &format!("attacher {source} {}", path.display()))).collect();
        let killed: Vec<_> = (0..MANY / 4).map(|group| 4 * group + chance.below(4) as usize).collect();
        let patience = Duration::from_micros(chance.below(10_000));
        let start = Instant::now();
        support::wait_until("some moment", || start.elapsed() >= patience);
        for index in &killed {
            kill_process(Pid::from_raw(all[*index].id() as i32).unwrap(), Signal::KILL).unwrap();
        }
        for (index, process) in all.iter_mut().enumerate() {
            if !killed.contains(&index) {
                process.wait_for("there");
            }
        }
        let written = opened(&path).stats().messages as usize;
        assert!((MANY - killed.len()..=MANY).contains(&written), "{written} have written");
        let names: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["ring"]);
    }
}
