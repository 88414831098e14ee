//! One case of a simulation: a seed, and what of its faults and inputs takes place. As text, it is run again.

use super::faults::{Faults, Kind};
use std::fmt;
use std::path::Path;

/// What is run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    pub(super) seed: u64,
    /// `None`: everything.
    pub(super) only: Option<Only>,
}

/// What takes place, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Only {
    /// The number of each fault among the occasions of its kind.
    pub(super) faults: Vec<(Kind, u32)>,
    /// The number of each input.
    pub(super) inputs: Vec<u32>,
}

impl Case {
    pub(super) fn of(seed: u64) -> Case {
        Case { seed, only: None }
    }
}

const TITLE: &str = "simulation 1";

/// A case as the text of a file, with the rates that it was found at.
pub(super) struct Text<'a>(pub(super) &'a Case, pub(super) &'a Faults);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Text(case, rates) = self;
        writeln!(f, "{TITLE}\nseed {}", case.seed)?;
        for kind in Kind::ALL {
            writeln!(f, "rate {} {}", kind.name(), rates.of(kind))?;
        }
        let Some(only) = &case.only else { return Ok(()) };
        writeln!(f, "only")?;
        for (kind, number) in &only.faults {
            writeln!(f, "fault {} {number}", kind.name())?;
        }
        only.inputs.iter().try_for_each(|number| writeln!(f, "input {number}"))
    }
}

/// Reads a case, and the rates that it was found at.
///
/// # Errors
///
/// What is wrong, and in which line.
pub(super) fn parse(text: &str) -> Result<(Case, Faults), String> {
    let mut lines = (1..).zip(text.lines());
    if lines.next().is_none_or(|(_, line)| line != TITLE) {
        return Err(format!("it does not begin with `{TITLE}`"));
    }
    let (mut seed, mut rates, mut only) = (None, Faults::default(), None::<Only>);
    for (number, line) in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let kind = |name: &str| Kind::ALL.into_iter().find(|kind| kind.name() == name);
        let read = match (words[..].first(), words.get(1).copied(), words.get(2).copied(), &mut only) {
            (Some(&"seed"), Some(value), None, _) => value.parse().ok().map(|value| seed = Some(value)),
            (Some(&"rate"), Some(name), Some(value), _) => {
                kind(name).zip(value.parse().ok()).map(|(kind, rate)| rates.set(kind, rate))
            }
            (Some(&"only"), None, None, _) => {
                only = Some(Only::default());
                Some(())
            }
            (Some(&"fault"), Some(name), Some(value), Some(only)) => {
                kind(name).zip(value.parse().ok()).map(|fault| only.faults.push(fault))
            }
            (Some(&"input"), Some(value), None, Some(only)) => value.parse().ok().map(|value| only.inputs.push(value)),
            _ => None,
        };
        read.filter(|()| words.len() <= 3).ok_or_else(|| format!("line {number} says nothing known: {line}"))?;
    }
    let seed = seed.ok_or("it names no seed")?;
    if let Some(only) = &mut only {
        only.faults.sort_unstable();
        only.inputs.sort_unstable();
    }
    Ok((Case { seed, only }, rates))
}

/// Reads the case in a file.
///
/// # Errors
///
/// Why not, with the path.
pub(super) fn read(path: &Path) -> Result<(Case, Faults), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("{} is no case: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let rates = Faults { full: 0.05, crash: 0.25, ..Faults::default() };
        let only = Only { faults: vec![(Kind::Full, 3), (Kind::Crash, 0)], inputs: vec![1, 40] };
        for case in
            [Case::of(u64::MAX), Case { seed: 3, only: Some(only) }, Case { seed: 3, only: Some(Only::default()) }]
        {
            let text = Text(&case, &rates).to_string();
            assert_eq!(parse(&text), Ok((case, rates)), "{text}");
        }
    }

    #[test]
    fn what_is_no_case_says_where() {
        for (text, said) in [
            ("", "does not begin"),
            ("simulation 1\n", "no seed"),
            ("simulation 1\nseed x\n", "line 2"),
            ("simulation 1\nseed 1\nfault full 1\n", "line 3"),
            ("simulation 1\nseed 1\nonly\nfault none 1\n", "line 4"),
            ("simulation 1\nseed 1\nonly\ninput 1 2\n", "line 4"),
            ("simulation 1\nseed 1\nrate full 1 2\n", "line 3"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
