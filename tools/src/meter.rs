//! How far long work has come, on standard error if that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Less than so many bytes are read before anybody wonders.
const LONG: u64 = 32 << 20;
/// Between two looks at the clock.
const STRETCH: u64 = 1 << 20;
const TICK: Duration = Duration::from_millis(100);

/// A line that says how much was read. Gone when it is dropped.
#[derive(Debug)]
pub struct Meter {
    from: u64,
    to: u64,
    next: u64,
    drawn: Option<Instant>,
    is_on: bool,
}

impl Meter {
    /// For work that prints nothing until it ends.
    pub fn silent_work(from: u64, to: u64) -> Meter {
        let is_on = io::stderr().is_terminal() && to.saturating_sub(from) >= LONG;
        Meter { from, to, next: from, drawn: None, is_on }
    }

    /// For work that prints as it goes; on one terminal with it, the line would be in between.
    pub fn printing_work(from: u64, to: u64) -> Meter {
        let meter = Meter::silent_work(from, to);
        Meter { is_on: meter.is_on && !io::stdout().is_terminal(), ..meter }
    }

    pub fn at(&mut self, position: u64) {
        if !self.is_on || position < self.next {
            return;
        }
        self.next = position + STRETCH;
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= TICK) {
            self.drawn = Some(Instant::now());
            let (read, all) = (position.saturating_sub(self.from), (self.to - self.from).max(1));
            let (percent, mib) = (read.min(all) * 100 / all, |bytes: u64| bytes >> 20);
            let filled = percent as usize / 5;
            let line = format!("\r[{:<20}] {percent:>3} % of {} MiB\x1b[K", "#".repeat(filled), mib(all));
            // A line that cannot be drawn is no reason to end the work.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }

    /// Makes room for something else; drawn again when its time comes.
    pub fn clear(&mut self) {
        if self.drawn.is_some() {
            // As above.
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.clear();
    }
}
