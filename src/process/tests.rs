//! Real processes in every state that matters, as they are and as they are mistaken for; and what `/proc` may say.

use super::*;
use crate::children::{Process, skip, wait_until};
use crate::mmap::named::{self, Named};
use proptest::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Command, Stdio};

fn stat_of(pid: u32) -> Option<Stat> {
    system::Pid::of(pid)?.stat()
}

/// A process of this test's namespaces.
fn identity_of(process: &Process) -> Identity {
    let (pid, own) = (process.0.id(), Identity::of_this_process());
    Identity { pid, started: stat_of(pid).expect("it has not been waited for").started, ..own }
}

/// The same where pids mean nothing.
fn elsewhere(identity: Identity) -> [Identity; 2] {
    let Identity { pid_namespace, time_namespace, .. } = identity;
    [
        Identity { pid_namespace: pid_namespace + 1, ..identity },
        Identity { time_namespace: time_namespace + 1, ..identity },
    ]
}

fn sleeper() -> Process {
    Process::start(Command::new("sleep").arg("1000"))
}

/// Whether it is dead to this process, whoever holds a lock.
#[track_caller]
fn is_dead(identity: Identity) -> bool {
    let observer = Observer::of_this_process();
    assert!(observer.has_own_proc, "a /proc of other pids");
    let [free, held] = [false, true].map(|held| observer.is_dead(&identity, observer.boot(), || held));
    assert_eq!(free, held, "the lock is no proof here");
    free
}

fn wait_for_state(process: &Process, state: u8, threads: u64) {
    wait_until("it is in that state", || {
        stat_of(process.0.id()).is_some_and(|stat| (stat.state, stat.threads) == (state, threads))
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn who_runs_or_stands_still_is_alive() {
    assert!(!is_dead(Identity::of_this_process()));
    let process = sleeper();
    let identity = identity_of(&process);
    assert!(!is_dead(identity));
    kill_process(Pid::from_child(&process.0), Signal::STOP).unwrap();
    wait_for_state(&process, b'T', 1);
    assert!(!is_dead(identity));
    kill_process(Pid::from_child(&process.0), Signal::CONT).unwrap();
    wait_for_state(&process, b'S', 1);
    assert!(!is_dead(identity));
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn a_pid_that_somebody_else_has_by_now_stands_still_for_nobody() {
    let (process, observer) = (sleeper(), Observer::of_this_process());
    let identity = identity_of(&process);
    assert!(!observer.is_paused(&identity));
    kill_process(Pid::from_child(&process.0), Signal::STOP).unwrap();
    wait_for_state(&process, b'T', 1);
    assert!(observer.is_paused(&identity));
    assert!(!observer.is_paused(&Identity { started: identity.started + 1, ..identity }));
    assert!(elsewhere(identity).iter().all(|other| !observer.is_paused(other)), "of those pids nothing is known");
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn who_was_killed_is_dead_before_and_after_it_is_waited_for() {
    let mut process = sleeper();
    let identity = identity_of(&process);
    process.kill();
    wait_for_state(&process, b'Z', 1);
    assert!(is_dead(identity));
    drop(process);
    assert!(is_dead(identity));
    // Nor does it need `/proc`: whoever has the pid, there is no such process.
    let started = stat_of(identity.pid).map(|stat| stat.started);
    assert!(system::Pid::of(identity.pid).unwrap().is_nobodys() || started != Some(identity.started));
}

/// What is left of the main thread is a zombie, and the process writes.
#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn who_lost_its_main_thread_alone_is_alive() {
    const PROGRAM: &str = "import ctypes, threading
threading.Thread(target=threading.Event().wait).start()
ctypes.CDLL(None).pthread_exit(None)";
    if Command::new("python3").arg("--version").output().is_err() {
        return skip("python3, whose main thread can end alone");
    }
    let mut process = Process::start(Command::new("python3").args(["-c", PROGRAM]));
    let identity = identity_of(&process);
    wait_for_state(&process, b'Z', 2);
    assert!(!is_dead(identity));
    process.kill();
    wait_for_state(&process, b'Z', 1);
    assert!(is_dead(identity));
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn another_one_that_has_its_pid_is_another() {
    let process = sleeper();
    let identity = identity_of(&process);
    for started in [identity.started - 1, identity.started + 1, 0, u64::MAX] {
        assert!(is_dead(Identity { started, ..identity }));
    }
    assert!(!is_dead(identity));
}

fn ring() -> (tempfile::TempDir, Named) {
    let directory = tempfile::tempdir().unwrap();
    let named = named::create(&directory.path().join("ring"), 0o600, 4096, |_| {}).unwrap();
    (directory, named)
}

/// Elsewhere a lock is all there is to know, and pids and times are those of others.
#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn of_who_is_elsewhere_the_lock_is_the_proof() {
    let (_directory, named) = ring();
    let observer = Observer::of_this_process();
    let is_dead = |other: &Identity| observer.is_dead(other, observer.boot(), || named.is_byte_locked(3).unwrap());
    let mut gone = sleeper();
    let identity = identity_of(&gone);
    gone.kill();
    drop(gone);
    let nowhere = Identity { pid_namespace: 0, ..identity };
    let nobody = [0, 1 << 31, u32::MAX].map(|pid| Identity { pid, ..identity });
    let others = elsewhere(identity).into_iter().chain([nowhere]).chain(nobody).collect::<Vec<_>>();
    let lock = named.lock_byte(3).unwrap();
    assert!(others.iter().all(|other| !is_dead(other)), "its lock is held");
    drop(lock);
    wait_until("the lock is free", || !named.is_byte_locked(3).unwrap());
    assert!(others.iter().all(is_dead), "its lock is free");
    // To one who knows no namespace of its own, or sees the pids of another, everybody is elsewhere.
    let lost = Observer { identity: Identity { pid_namespace: 0, ..observer.identity }, ..Observer::of_this_process() };
    let strange = Observer { has_own_proc: false, ..Observer::of_this_process() };
    for observer in [lost, strange] {
        for held in [false, true] {
            assert_eq!(observer.is_dead(&identity, observer.boot(), || held), !held);
            assert_eq!(observer.is_dead(&nowhere, observer.boot(), || held), !held);
        }
    }
}

/// A child that was forked has the lock of its parent, and keeps it when that is dead.
#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn a_child_that_keeps_the_lock_of_the_dead_keeps_nobody_alive() {
    let (_directory, named) = ring();
    let lock = named.lock_byte(3).unwrap().unwrap();
    /// What nobody waits for does not outlive this test.
    struct Orphan(Pid);
    impl Drop for Orphan {
        fn drop(&mut self) {
            let _ = kill_process(self.0, Signal::KILL);
        }
    }

    // The shell has the lock as its standard input, and so has the child that it forks, by another number.
    let script = ["-c", "exec 3<&0; sleep 1000 2>&- & echo $!; wait"];
    let mut parent = Process::start(Command::new("sh").args(script).stdin(lock.into_handle()).stdout(Stdio::piped()));
    let identity = identity_of(&parent);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(parent.0.stdout.take().unwrap()), &mut line).unwrap();
    let child = Orphan(Pid::from_raw(line.trim().parse().unwrap()).unwrap());
    assert!(!is_dead(identity) && named.is_byte_locked(3).unwrap());
    parent.kill();
    wait_for_state(&parent, b'Z', 1);
    assert!(is_dead(identity));
    assert!(named.is_byte_locked(3).unwrap(), "by the child");
    let observer = Observer::of_this_process();
    let dead_elsewhere = || {
        let held = || named.is_byte_locked(3).unwrap();
        elsewhere(identity).map(|other| observer.is_dead(&other, observer.boot(), held))
    };
    assert_eq!(dead_elsewhere(), [false; 2]);
    drop(child);
    wait_until("the child's lock is gone", || dead_elsewhere() == [true; 2]);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no /proc")]
fn nobody_outlives_the_boot() {
    let observer = Observer::of_this_process();
    let identity = observer.identity();
    assert_ne!(observer.boot(), 0);
    assert!(observer.is_dead(&identity, observer.boot() ^ 1, || true));
    assert!(!observer.is_dead(&identity, observer.boot(), || true));
    // A boot that is not known is no other.
    assert!(!observer.is_dead(&identity, 0, || true));
    let unsaid = Observer { boot: 0, ..Observer::of_this_process() };
    assert!(!unsaid.is_dead(&identity, observer.boot(), || true));
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no /proc")]
fn this_process_is_known_by_what_the_system_says_of_it() {
    use std::os::unix::fs::MetadataExt;
    let identity = Identity::of_this_process();
    let inode = |name: &str| fs::metadata(format!("/proc/self/ns/{name}")).map_or(0, |there| there.ino());
    assert_eq!(identity.pid, std::process::id());
    assert_eq!((identity.pid_namespace, identity.time_namespace), (inode("pid"), inode("time")));
    assert_eq!(identity.started, stat_of(identity.pid).unwrap().started);
    assert_eq!(Observer::of_this_process().identity(), identity);
}

// -------------------------------------------------------------------------------------------------- what /proc may say

const FIELDS: &str = " 1 4242 4242 0 -1 4194304 95 0 0 0 1 2 0 0 20 0 3 0 987654 5000000 ";

#[test]
fn any_name_is_stepped_over() {
    for name in ["sh", "", "a b", "(", ")", ") Z (", "a\nb) X 1 2", "\u{e9})", ")))"] {
        let stat = format!("4242 ({name}) S{FIELDS}");
        assert_eq!(Stat::parse(stat.as_bytes()), Some(Stat { state: b'S', threads: 3, started: 987_654 }), "{name:?}");
    }
    for broken in
        ["", "4242", "4242 (sh", "4242 (sh)", "4242 (sh) ", "4242 (sh) S", "4242 (sh) SS 1 2 3", "(sh) S 1 -1"]
    {
        assert_eq!(Stat::parse(broken.as_bytes()), None, "{broken:?}");
    }
    // Cut off before the start, or with something else in its place.
    assert_eq!(Stat::parse(b"4242 (sh) S 1 4242 4242 0 -1 4194304 95 0 0 0 1 2 0 0 20 0 3 0"), None);
    assert_eq!(Stat::parse(b"4242 (sh) S 1 4242 4242 0 -1 4194304 95 0 0 0 1 2 0 0 20 0 3 0 -5"), None);
}

#[test]
fn what_is_left_of_a_process_proves_its_end() {
    let stat = |state, threads| Stat { state, threads, started: 5 };
    for (state, threads, ended) in [
        (b'R', 1, false),
        (b'S', 1, false),
        (b'D', 1, false),
        (b'T', 1, false),
        (b't', 1, false),
        (b'I', 1, false),
        (b'X', 1, true),
        (b'X', 0, true),
        (b'Z', 1, true),
        (b'Z', 2, false),
        (b'Z', 0, false),
    ] {
        let stat = stat(state, threads);
        assert_eq!(stat.proves_the_end(5), ended, "{stat:?}");
        assert!(stat.proves_the_end(4) && stat.proves_the_end(6), "{stat:?}");
    }
}

#[test]
fn namespaces_and_boots_are_numbers() {
    assert_eq!(inode_in(Path::new("pid:[4026531836]")), Some(4_026_531_836));
    for broken in ["", "pid", "pid:[]", "pid:[12", "pid:12]", "pid:[-1]", "pid:[1x]"] {
        assert_eq!(inode_in(Path::new(broken)), None, "{broken}");
    }
    let boot = number_of_boot("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\n");
    assert_eq!(boot, Some(0x0f1e_2d3c_4b5a_6978_8796_a5b4_c3d2_e1f0));
    for broken in ["", "0f1e2d3c", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fg", "+f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0-0"] {
        assert_eq!(number_of_boot(broken), None, "{broken}");
    }
}

#[test]
fn a_proc_of_other_pids_is_not_believed() {
    let is_own = |link: &str, status: &str| is_proc_of(17, Path::new(link), status);
    assert!(is_own("17", "Name:\tsh\nNSpid:\t17\n"));
    assert!(is_own("17", "Name:\tsh\n"), "a system that does not say it");
    assert!(!is_own("170", "Name:\tsh\nNSpid:\t170\t17\n"));
    assert!(!is_own("17", "Name:\tsh\nNSpid:\t17\t17\n"), "by chance the same number in the namespace around ours");
    assert!(!is_own("", ""));
}

proptest! {
    #[test]
    #[cfg_attr(miri, ignore = "a case takes minutes there, and shares no memory with anybody")]
    fn what_is_written_is_parsed(
        name in prop::collection::vec(any::<u8>(), 0..16),
        state in prop::sample::select(&b"RSDTtZXI"[..]),
        (threads, started) in any::<(u32, u64)>(),
        fields in prop::collection::vec(any::<i64>(), 40),
    ) {
        let mut stat = [b"4242 (".as_slice(), &name, b") ", &[state]].concat();
        for (place, field) in (4..).zip(fields) {
            let field = match place {
                20 => threads.to_string(),
                22 => started.to_string(),
                _ => field.to_string(),
            };
            stat.extend(format!(" {field}").bytes());
        }
        stat.push(b'\n');
        prop_assert_eq!(Stat::parse(&stat), Some(Stat { state, threads: threads.into(), started }));
        // Cut anywhere before the start it is nothing, or shorter numbers; never a panic.
        for end in 0..stat.len() {
            let _ = Stat::parse(&stat[..end]);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "a case takes seconds there, and shares no memory with anybody")]
    fn any_bytes_are_parsed_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Stat::parse(&bytes);
    }
}
