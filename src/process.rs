//! Who is alive: what tells a process from every other, and what proves that it has ended.
//!
//! Only a proof counts. A process that is silent may stand still (SIGSTOP, a debugger, a frozen container) and go on
//! in the middle of what it was doing, so no time proves anything. Neither does what cannot be read.
//!
//! Which proof there is depends on who looks:
//!
//! * Where both are in one pid and one time namespace, and `/proc` is of that, the system's word on the pid counts:
//!   there is no such process, it began at another time, or it is dead or a zombie without threads. A zombie with
//!   threads is a process whose main thread alone has ended. A lock that nobody holds proves nothing there, because
//!   foreign code may have closed the descriptors of a living process; nor does one that is held, because a forked
//!   child holds its dead parent's.
//! * Elsewhere pids mean nothing, and the lock is all there is.
//! * Nobody outlives the boot of the machine.

use std::fs;
use std::path::Path;

/// What tells a process from every other of this boot, as far as namespaces let it be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// When it began, in ticks of its time namespace since the boot: field 22 of `/proc/PID/stat`.
    pub(crate) started: u64,
    /// The inode of its pid namespace. 0: the system does not say, and what else is known of it is its pid.
    pub(crate) pid_namespace: u64,
    /// The inode of its time namespace. 0: the system has none.
    pub(crate) time_namespace: u64,
}

impl Identity {
    fn of_this_process() -> Identity {
        let nowhere = Identity { pid: std::process::id(), started: 0, pid_namespace: 0, time_namespace: 0 };
        Identity::by_proc(nowhere.pid).unwrap_or(nowhere)
    }

    fn by_proc(pid: u32) -> Option<Identity> {
        let started = Stat::parse(&fs::read("/proc/self/stat").ok()?)?.started;
        let time_namespace = match fs::read_link("/proc/self/ns/time") {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            link => inode_in(&link.ok()?)?,
        };
        Some(Identity {
            pid,
            started,
            pid_namespace: inode_in(&fs::read_link("/proc/self/ns/pid").ok()?)?,
            time_namespace,
        })
    }
}

/// A process that looks whether others have ended.
#[derive(Debug)]
pub(crate) struct Observer {
    identity: Identity,
    boot: u128,
    /// Whether `/proc` speaks of the pids that this process and its like have.
    has_own_proc: bool,
}

impl Observer {
    /// This process. What it cannot read proves nothing to it.
    pub(crate) fn of_this_process() -> Observer {
        let identity = Identity::of_this_process();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let has_own_proc = fs::read_link("/proc/self").is_ok_and(|link| is_proc_of(identity.pid, &link, &status));
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().and_then(|id| number_of_boot(&id));
        Observer { identity, boot: boot.unwrap_or(0), has_own_proc }
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// The boot of this machine. 0: the system does not say.
    pub(crate) fn boot(&self) -> u128 {
        self.boot
    }

    /// Whether it is proven that `other`, a process of the boot `boot`, has ended. `lock_held` says whether anybody
    /// holds the lock that it took as a sign of life, and says so, too, when that cannot be known.
    pub(crate) fn is_dead(&self, other: &Identity, boot: u128, lock_held: impl FnOnce() -> bool) -> bool {
        if boot != self.boot && boot != 0 && self.boot != 0 {
            return true;
        }
        match self.sees(other).then_some(other.pid).and_then(system::Pid::of) {
            Some(pid) => pid.is_nobodys() || pid.stat().is_some_and(|stat| stat.proves_the_end(other.started)),
            None => !lock_held(),
        }
    }

    /// Whether `other` is known to stand still: stopped by a signal, or by whoever traces it.
    pub(crate) fn is_paused(&self, other: &Identity) -> bool {
        let stat = self.sees(other).then_some(other.pid).and_then(system::Pid::of).and_then(|pid| pid.stat());
        stat.is_some_and(|stat| stat.started == other.started && matches!(stat.state, b'T' | b't'))
    }

    /// Whether what the system says of the pid of `other` is about `other`.
    fn sees(&self, other: &Identity) -> bool {
        let own = &self.identity;
        self.has_own_proc
            && own.pid_namespace != 0
            && (own.pid_namespace, own.time_namespace) == (other.pid_namespace, other.time_namespace)
    }
}

/// The inode in a link such as `pid:[4026531836]`.
fn inode_in(link: &Path) -> Option<u64> {
    link.to_str()?.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

/// Whether a `/proc` whose link `self` and file `self/status` are these is of the pid namespace in which the process
/// that reads them is `pid`, and not of one around that.
fn is_proc_of(pid: u32, link: &Path, status: &str) -> bool {
    // From the namespace of this `/proc` down to the process's own, one number for each.
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    link.to_str() == Some(&pid.to_string()) && numbers.is_none_or(|numbers| numbers.split_whitespace().count() == 1)
}

/// A boot's UUID as a number.
fn number_of_boot(id: &str) -> Option<u128> {
    let digits: String = id.trim().chars().filter(|digit| *digit != '-').collect();
    u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)
}

/// What a file `/proc/PID/stat` says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stat {
    state: u8,
    threads: u64,
    started: u64,
}

impl Stat {
    /// The fields behind the name, which is in parentheses and may have any bytes in it, others of them among these.
    /// Behind it there are none.
    fn parse(stat: &[u8]) -> Option<Stat> {
        /// What the first field behind the name is called, counted from 1.
        const STATE: usize = 3;
        const THREADS: usize = 20;
        const STARTED: usize = 22;
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<&str> = std::str::from_utf8(&stat[name_end + 1..]).ok()?.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - STATE)?.parse().ok();
        match fields.first()?.as_bytes() {
            [state] => Some(Stat { state: *state, threads: number(THREADS)?, started: number(STARTED)? }),
            _ => None,
        }
    }

    /// That the process which began at `started` is not this one, or is no more than what is left to be waited for.
    fn proves_the_end(self, started: u64) -> bool {
        let is_left = match self.state {
            b'X' => true,
            // With others of its threads, the main one has ended and the process goes on.
            b'Z' => self.threads == 1,
            _ => false,
        };
        is_left || self.started != started
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::Stat;
    use rustix::io::Errno;
    use rustix::process::test_kill_process;

    pub(super) struct Pid(rustix::process::Pid);

    impl Pid {
        /// `None`: no process is ever called that.
        pub(super) fn of(pid: u32) -> Option<Pid> {
            i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(rustix::process::Pid::from_raw).map(Pid)
        }

        /// Asked of the system, and not of `/proc`, which may be told to hide those of other users.
        pub(super) fn is_nobodys(&self) -> bool {
            test_kill_process(self.0) == Err(Errno::SRCH)
        }

        pub(super) fn stat(&self) -> Option<Stat> {
            Stat::parse(&std::fs::read(format!("/proc/{}/stat", self.0.as_raw_nonzero())).ok()?)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Stat;

    /// Nothing is asked of other systems.
    pub(super) enum Pid {}

    impl Pid {
        pub(super) fn of(_: u32) -> Option<Pid> {
            None
        }

        pub(super) fn is_nobodys(&self) -> bool {
            match *self {}
        }

        pub(super) fn stat(&self) -> Option<Stat> {
            match *self {}
        }
    }
}

#[cfg(all(test, target_os = "linux", not(rust_messenger_loom)))]
mod tests;
