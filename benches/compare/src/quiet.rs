//! Whether the machine had anything else to do, as Linux counts it. Elsewhere nobody knows.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Of a machine with nothing else to do, other programs have less than this share.
const QUIET: f64 = 0.03;

/// Processor time since the machine's start and since this program's, in ticks.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    all: u64,
    /// Neither idle nor waiting for a disk. What the host took away counts: somebody else had it.
    busy: u64,
    own: u64,
}

impl Ticks {
    pub fn now() -> Option<Ticks> {
        let machine = fs::read_to_string("/proc/stat").ok()?;
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is in user already.
        let spent: Vec<u64> =
            machine.lines().next()?.split_whitespace().skip(1).take(8).map_while(|word| word.parse().ok()).collect();
        let all = spent.iter().sum();
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // Behind the name, which may hold anything: utime and stime are the 12th and 13th.
        let own =
            own.rsplit_once(')')?.1.split_whitespace().skip(11).take(2).map_while(|word| word.parse::<u64>().ok());
        Some(Ticks { all, busy: all - spent.get(3)? - spent.get(4)?, own: own.sum() })
    }

    /// The share of all cores that other programs have had since then.
    pub fn others(self) -> Option<f64> {
        let now = Ticks::now()?;
        let others = (now.busy - self.busy).saturating_sub(now.own - self.own);
        Some(others as f64 / (now.all - self.all).max(1) as f64)
    }
}

/// Waits until other programs leave the cores alone for three seconds. False: they did not within `at_most`, or nobody
/// knows.
pub fn wait(at_most: Duration) -> bool {
    let begin = Instant::now();
    let mut quiet = 0;
    while quiet < 3 {
        let Some(before) = Ticks::now() else { return false };
        thread::sleep(Duration::from_secs(1));
        quiet = if before.others().is_some_and(|share| share < QUIET) { quiet + 1 } else { 0 };
        if quiet == 0 && begin.elapsed() >= at_most {
            return false;
        }
    }
    true
}
