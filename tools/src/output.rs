//! Standard output: colours on a terminal only, and what a run came to.

use crate::failure::Failure;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::time::Duration;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Fine,
    Damaged,
    /// A routing table does not fit.
    Contradicted,
    /// Not all could be given back.
    Left,
}

impl Outcome {
    pub fn damaged_if(is_damaged: bool) -> Outcome {
        if is_damaged { Outcome::Damaged } else { Outcome::Fine }
    }
}

/// What a piece of text is, which is what its colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Less important than the rest.
    Faint,
    /// What to look at first.
    Strong,
    /// Worth knowing.
    Notice,
    /// Damage.
    Alarm,
}

/// Standard output.
#[derive(Debug)]
pub struct Output {
    to: BufWriter<Stdout>,
    is_colored: bool,
}

impl Output {
    pub fn new() -> Output {
        let stdout = io::stdout();
        // https://no-color.org: set, and not to nothing.
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let is_colored = stdout.is_terminal() && !is_refused && !is_dumb;
        Output { to: BufWriter::new(stdout), is_colored }
    }

    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())?;
        self.to.write_all(b"\n")
    }

    /// As it is.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    pub fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Faint => "2",
            Ink::Strong => "1",
            Ink::Notice => "33",
            Ink::Alarm => "31",
        };
        if self.is_colored { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Something that should be known and is not what was asked for, on standard error.
pub fn warn(text: &str) {
    // Nobody is left to tell if that fails.
    let _ = writeln!(io::stderr(), "rmsg: warning: {}", crate::names::clean(text));
}

/// Waits for so long, or until nobody reads standard output any more.
pub fn watch_output(pause: Duration) -> Result<(), Failure> {
    let stdout = io::stdout();
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    let timeout =
        Timespec { tv_sec: pause.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: pause.subsec_nanos().into() };
    match poll(&mut watched, Some(&timeout)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => Ok(()),
        Ok(_) => Err(Failure::Output(io::ErrorKind::BrokenPipe.into())),
        Err(error) => Err(Failure::Output(error.into())),
    }
}
