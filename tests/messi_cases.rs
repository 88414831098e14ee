//! The cases of `messi/tests/cases`, played with the connection in Rust. The README there says what they are and how
//! they are written; `wrong.case` has a case for each clause of it.

#![cfg(feature = "messi")]
#![cfg(not(miri))] // There is no unsafe code in a connection, and its cases take minutes in the interpreter.

#[path = "../messi/tests/support/cases.rs"]
mod cases;

use cases::Case;
use rust_messenger::__private::messi::{Connection, Kind, Refusal, Side, Verdict};
use rust_messenger::messi::{Reason, Settings, Wire, Wires};
use rust_messenger::traits::Time;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

/// What arrives is cut into pieces of so many bytes, and is not.
const PIECES: &[usize] = &[usize::MAX, 1, 3, 7];

/// The line at which a case failed, and how.
type Fault = (usize, String);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("messi/tests/cases")
}

fn at(millis: u64) -> Time {
    Time::from_nanos(millis * 1_000_000)
}

fn millis(time: Time) -> u64 {
    // A deadline within a millisecond is kept at its end.
    time.as_nanos().div_ceil(1_000_000)
}

// ------------------------------------------------------------------------------------------------------------- reading

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("`{word}` is no number"))
}

fn window(word: &str) -> Result<usize, String> {
    if word == "open" { Ok(usize::MAX) } else { number(word).map(|number| number as usize) }
}

fn yes_or_no(word: &str) -> Result<bool, String> {
    match word {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("`{word}` is neither yes nor no")),
    }
}

fn reason(word: &str) -> Result<Reason, String> {
    let mut reasons = (0..=u8::MAX).map_while(Reason::from_number);
    reasons.find(|reason| reason.name() == word).ok_or(format!("`{word}` is no reason"))
}

/// Hexadecimal digits and text in quotes, either of which may be repeated.
fn bytes(mut text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while !text.is_empty() {
        let word;
        if let Some(quoted) = text.strip_prefix('"') {
            let (inside, behind) = quoted.split_once('"').ok_or("a quote without its end")?;
            (word, text) = (inside.as_bytes().to_vec(), behind);
        } else {
            let (digits, behind) = text.split_at(text.find(['*', ' ']).unwrap_or(text.len()));
            if digits.is_empty() || digits.len() % 2 != 0 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(format!("`{digits}` is no bytes"));
            }
            let pairs = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
            (word, text) = (pairs.collect(), behind);
        }
        let mut count = 1;
        if let Some(behind) = text.strip_prefix('*') {
            let (digits, behind) = behind.split_at(behind.find(' ').unwrap_or(behind.len()));
            (count, text) = (number(digits)? as usize, behind);
        }
        bytes.extend(word.repeat(count));
        if !text.is_empty() {
            text = text
                .strip_prefix(' ')
                .filter(|text| !text.is_empty())
                .ok_or("bytes are words with one space between")?;
        }
    }
    Ok(bytes)
}

/// The settings of a case.
struct Plan {
    side: Side,
    settings: Settings,
    needs: Vec<String>,
    turn: Option<usize>,
    is_cut: bool,
    each: Vec<String>,
    /// The keys that were there.
    seen: BTreeSet<String>,
}

impl Plan {
    fn set(&mut self, key: &str, values: &[&str]) -> Result<(), String> {
        if !self.seen.insert(key.to_owned()) {
            return Err(format!("`{key}` is there twice"));
        }
        if key == "needs" {
            self.needs = values.iter().map(|value| value.to_string()).collect();
            let known = cases::capabilities(&folder());
            return match self.needs.iter().find(|need| !known.contains(*need)) {
                Some(need) => Err(format!("`{need}` is no capability")),
                None => Ok(()),
            };
        }
        if key == "each" {
            self.each = values.iter().map(|value| value.to_string()).collect();
            return Ok(());
        }
        let [value] = values else { return Err(format!("`{key}` has one value")) };
        let time = |word: &str| number(word).map(Duration::from_millis);
        let settings = &mut self.settings;
        match (key, *value) {
            ("side", "client") => (self.side, *settings) = (Side::Client, Settings::new(Side::Client)),
            ("side", "server") => (self.side, *settings) = (Side::Server, Settings::new(Side::Server)),
            ("wire", "v2") => {}
            ("wire", wire) => {
                self.need("old_wires")?;
                self.settings.wires = match wire {
                    "v1a" => Wires::Only(Wire::V1a),
                    "v1b" => Wires::Only(Wire::V1b),
                    "auto_v1a" if self.side == Side::Server => Wires::Auto { v1: Wire::V1a },
                    "auto_v1b" if self.side == Side::Server => Wires::Auto { v1: Wire::V1b },
                    _ => return Err(format!("`{wire}` is no wire")),
                };
            }
            ("strict", "yes") => settings.strict = true,
            ("any_traffic", "yes") => settings.any_traffic = true,
            ("max_frame", value) => settings.max_frame = number(value)? as usize,
            ("max_pending", value) => settings.max_pending = number(value)? as usize,
            ("keep_alive", value) => {
                settings.keep_alive = if value == "never" { None } else { Some(time(value)?) };
                self.need("keep_alive")?;
            }
            ("handshake_time" | "frame_time" | "write_time", value) => {
                *match key {
                    "handshake_time" => &mut settings.handshake_time,
                    "frame_time" => &mut settings.frame_time,
                    _ => &mut settings.write_time,
                } = time(value)?;
                self.need("limits")?;
            }
            ("turn", value) => {
                self.turn = Some(number(value)? as usize);
                self.need("turns")?;
            }
            ("pieces", "whole") => self.is_cut = false,
            _ => return Err(format!("`{key} {value}` is no setting")),
        }
        Ok(())
    }

    fn need(&self, capability: &str) -> Result<(), String> {
        let is_named = self.needs.iter().any(|need| need == capability);
        if is_named { Ok(()) } else { Err(format!("needs `{capability}`, and does not say so")) }
    }
}

// ------------------------------------------------------------------------------------------------------------- playing

/// A connection, the socket and the user that it has, and what came out of it.
struct Life<'a> {
    plan: &'a Plan,
    connection: Connection,
    now: u64,
    piece: usize,
    /// What arrived and was not read.
    socket: VecDeque<u8>,
    /// How much more the peer reads.
    window: usize,
    user: User,
    /// What the peer read, each byte with its time.
    sent: VecDeque<(u64, u8)>,
    end: Option<(u64, Reason)>,
    is_end_said: bool,
    is_full: bool,
}

/// What takes the messages.
struct User {
    room: usize,
    answer: Option<Reason>,
    messages: VecDeque<(u64, Vec<u8>)>,
}

impl User {
    fn offer(&mut self, payload: &[u8], now: u64) -> Verdict {
        if self.room == 0 {
            return Verdict::Full;
        }
        self.room -= usize::from(self.room != usize::MAX);
        if !payload.is_empty() {
            self.messages.push_back((now, payload.to_vec()));
        }
        self.answer.map_or(Verdict::Taken, Verdict::Refused)
    }
}

impl<'a> Life<'a> {
    fn new(plan: &'a Plan, piece: usize) -> Life<'a> {
        Life {
            plan,
            connection: Connection::new(plan.side, plan.settings.clone(), at(0)),
            now: 0,
            piece,
            socket: VecDeque::new(),
            window: usize::MAX,
            user: User { room: usize::MAX, answer: None, messages: VecDeque::new() },
            sent: VecDeque::new(),
            end: None,
            is_end_said: false,
            is_full: false,
        }
    }

    /// Reads and writes until there is nothing more to do now.
    fn settle(&mut self) {
        while self.end.is_none() {
            let count = self.window.min(self.connection.output().len());
            if count > 0 {
                self.sent.extend(self.connection.output()[..count].iter().map(|byte| (self.now, *byte)));
                self.window -= if self.window == usize::MAX { 0 } else { count };
                self.connection.wrote(count, at(self.now));
            }
            if self.connection.wants_input() && !self.socket.is_empty() {
                let bytes: Vec<u8> = self.socket.drain(..self.piece.min(self.socket.len())).collect();
                self.take_in(Some(&bytes));
            } else if self.connection.wants_turn() && self.plan.turn.is_none() {
                self.take_in(None);
            } else if count == 0 {
                break;
            }
        }
    }

    /// Decodes bytes, or goes on with what was left.
    fn take_in(&mut self, bytes: Option<&[u8]>) {
        let mut budget = self.plan.turn.unwrap_or(usize::MAX);
        let now = self.now;
        let user = &mut self.user;
        let deliver = |payload: &[u8]| user.offer(payload, now);
        let result = match bytes {
            Some(bytes) => self.connection.receive(bytes, at(now), &mut budget, deliver),
            None => self.connection.resume(at(now), &mut budget, deliver),
        };
        self.end = result.err().map(|reason| (now, reason));
    }

    /// Lets time pass.
    fn pass(&mut self, until: u64) -> Result<(), String> {
        let mut ticks = 0;
        while self.end.is_none()
            && let Some(deadline) = self.connection.next_deadline().map(millis).filter(|deadline| *deadline <= until)
        {
            // What stays due would be a loop that never waits.
            ticks += 1;
            if ticks > 10_000 {
                return Err(format!("the deadline at {deadline} is never done"));
            }
            self.now = self.now.max(deadline);
            self.end = self.connection.tick(at(self.now)).err().map(|reason| (self.now, reason));
            self.settle();
        }
        self.now = until;
        Ok(())
    }

    fn check_all_said(&self) -> Result<(), String> {
        if let Some((time, _)) = self.sent.front() {
            let bytes: Vec<u8> = self.sent.iter().map(|(_, byte)| *byte).take(32).collect();
            return Err(format!("at {time} {bytes:02x?} were sent"));
        }
        if let Some((time, message)) = self.user.messages.front() {
            return Err(format!("at {time} there was the message {message:02x?}"));
        }
        match self.end {
            Some((time, reason)) if !self.is_end_said => Err(format!("at {time} it ended: {}", reason.name())),
            _ => Ok(()),
        }
    }

    fn step(&mut self, line: &str) -> Result<(), String> {
        let (time, line) = line.split_once(' ').ok_or("a step has a time and a verb")?;
        let time = number(time)?;
        let (verb, value) = line.split_once(' ').unwrap_or((line, ""));
        if self.is_end_said {
            return Err("a step behind the end".to_owned());
        }
        if time < self.now {
            return Err(format!("it is {} already", self.now));
        }
        if self.is_full {
            self.plan.need("retry")?;
        }
        self.pass(time)?;
        match verb {
            ">" => self.check_sent(&bytes(value)?),
            "message" => self.check_message(&bytes(value)?),
            "ends" => self.check_end(reason(value)?),
            "<" | "send" | "full" | "window" | "room" | "refuse" | "turn" | "quiet" => {
                self.check_all_said()?;
                self.act(verb, value)?;
                self.settle();
                Ok(())
            }
            "pending" => same("pending", number(value)?, self.connection.pending() as u64),
            "reads" => same("reads", yes_or_no(value)?, self.connection.wants_input()),
            "more" => {
                self.plan.need("turns")?;
                same("more", yes_or_no(value)?, self.connection.wants_turn())
            }
            "reason" => {
                let mut words = value.splitn(3, ' ').map(str::to_owned);
                let expected = [(); 3].map(|()| words.next().unwrap_or_default());
                let number = number(&expected[0])?;
                let reason = u8::try_from(number).ok().and_then(Reason::from_number).ok_or("no such reason")?;
                let number = (reason as u8).to_string();
                same("the reason", expected, [number, reason.name().to_owned(), format!("\"{reason}\"")])
            }
            "deadline" => {
                self.plan.need("deadlines")?;
                let expected = if value == "none" { None } else { Some(number(value)?) };
                same("deadline", expected, self.connection.next_deadline().map(millis))
            }
            _ => Err(format!("`{verb}` is no step")),
        }
    }

    fn act(&mut self, verb: &str, value: &str) -> Result<(), String> {
        match verb {
            "<" => self.socket.extend(bytes(value)?),
            "send" | "full" => {
                let kind = match self.plan.side {
                    Side::Client => Kind::ClientToServer,
                    Side::Server => Kind::ServerToClient,
                };
                self.is_full = verb == "full";
                let expected = if self.is_full { Err(Refusal::Full) } else { Ok(()) };
                same("the send", expected, self.connection.send_bytes(kind, &bytes(value)?, at(self.now)))?;
            }
            "window" => self.window = window(value)?,
            "room" => {
                self.plan.need("room")?;
                self.user.room = window(value)?;
                self.take_in(None);
            }
            "refuse" => {
                self.plan.need("refuse")?;
                self.user.answer = Some(reason(value)?);
            }
            "turn" => {
                self.plan.need("turns")?;
                self.take_in(None);
            }
            _ => {}
        }
        Ok(())
    }

    fn check_sent(&mut self, expected: &[u8]) -> Result<(), String> {
        let count = expected.len().min(self.sent.len());
        let sent: Vec<(u64, u8)> = self.sent.drain(..count).collect();
        let is_right =
            expected.len() == count && expected.iter().zip(&sent).all(|(byte, sent)| (self.now, *byte) == *sent);
        if is_right { Ok(()) } else { Err(format!("{:02x?} were sent", sent.iter().take(64).collect::<Vec<_>>())) }
    }

    fn check_message(&mut self, expected: &[u8]) -> Result<(), String> {
        let message = self.user.messages.pop_front();
        let is_right = message.as_ref().is_some_and(|message| *message == (self.now, expected.to_vec()));
        if is_right { Ok(()) } else { Err(format!("the message is {message:02x?}")) }
    }

    fn check_end(&mut self, expected: Reason) -> Result<(), String> {
        self.is_end_said = true;
        same("the end", Some((self.now, expected)), self.end)?;
        self.check_all_said()
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, actual: T) -> Result<(), String> {
    if expected == actual { Ok(()) } else { Err(format!("{what}: {actual:?}, and not {expected:?}")) }
}

/// Plays a case in all pieces and with each word.
fn play(case: &Case) -> Result<(), Fault> {
    let side = Side::Server;
    let settings = Settings::new(side);
    let seen = BTreeSet::new();
    let mut plan = Plan { side, settings, needs: vec![], turn: None, is_cut: true, each: vec![String::new()], seen };
    let is_setting = |line: &str| !line.starts_with(|c: char| c.is_ascii_digit()) && line != "end";
    let settings: Vec<_> = case.lines.iter().take_while(|(_, line)| is_setting(line)).collect();
    for (index, (line, text)) in settings.iter().enumerate() {
        let words: Vec<&str> = text.split(' ').collect();
        if (index == 0) != (words[0] == "side") {
            return Err((*line, "`side` is the first setting".to_owned()));
        }
        plan.set(words[0], &words[1..]).map_err(|fault| (*line, fault))?;
    }
    let pieces = if plan.is_cut { PIECES } else { &PIECES[..1] };
    for (piece, word) in pieces.iter().flat_map(|piece| plan.each.iter().map(move |word| (*piece, word))) {
        let mut life = Life::new(&plan, piece);
        for (line, text) in &case.lines[settings.len()..] {
            let result = if text == "end" { life.check_all_said() } else { life.step(&text.replace('$', word)) };
            result.map_err(|fault| (*line, format!("{fault} (pieces of {piece}, `{word}`)")))?;
        }
    }
    Ok(())
}

// --------------------------------------------------------------------------------------------------------------- tests

#[test]
fn cases_are_as_they_say() {
    let cases = cases::all(&folder());
    let mut report = Vec::new();
    let mut faults = Vec::new();
    for case in &cases {
        report.push(format!("played {}", case.name));
        if let Err((line, fault)) = play(case) {
            faults.push(format!("{}:{line}: {}: {fault}", case.file, case.name));
        }
    }
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), cases.len(), faults.join("\n"));
    let lacks = cases::lacks(&folder(), "rust");
    assert_eq!(report, cases.iter().map(|case| case.report(&lacks)).collect::<Vec<_>>());
    assert!(cases.len() >= 80, "{} cases", cases.len());
}

#[test]
fn wrong_cases_fail_at_their_line() {
    for (case, line) in cases::wrong(&folder()) {
        match play(&case) {
            Ok(()) => panic!("{} passes", case.name),
            Err((failed, fault)) => assert_eq!(failed, line, "{}: {fault}", case.name),
        }
    }
}

/// Each capability is one that a case needs and an implementation lacks.
#[test]
fn capabilities_are_needed() {
    let cases = cases::all(&folder());
    let lacked: BTreeSet<String> =
        ["c client", "c server", "python"].iter().flat_map(|column| cases::lacks(&folder(), column)).collect();
    for capability in cases::capabilities(&folder()) {
        assert!(cases.iter().any(|case| case.setting("needs").contains(&capability.as_str())), "{capability}");
        assert!(lacked.contains(&capability) || capability == "old_wires", "{capability} is lacked by nobody");
    }
}

/// What the reader of files refuses, and not the driver.
#[test]
fn what_is_no_file_of_cases_is_refused() {
    for (text, fault) in [
        ("side server\n", "no.case:1: outside of a case"),
        ("# none\n\ncase a\nend\nend\n", "no.case:5: outside of a case"),
        ("case a\nside server\n", "no.case: the last case has no end"),
        ("case a\nend\ncase a\nend\n", "no.case: a is there twice"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("no.case"), text).unwrap();
        let panic = std::panic::catch_unwind(|| cases::all(folder.path())).err().expect("it is refused");
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some(fault));
    }
}
