//! What a bridge costs beside async-nats alone, which does the same with the same bytes, headers and window, in turns with it
//! against one server. What counts is the median of the ratios of each round: a busy machine slows down both.
//!
//! `cargo bench` measures; `--rounds N` and `--millis N` say how often and how long. Anything else runs each question once and
//! briefly, as a test.

mod alone;
mod inward;
mod outward;
mod paced;
mod round_trip;
#[path = "../../tests/server/support.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod support;

use support::Server;

/// The payloads whose rates are measured, in bytes.
const SIZES: [usize; 3] = [32, 1024, 16 << 10];

/// How much is measured.
#[derive(Clone, Copy)]
struct Plan {
    rounds: usize,
    /// How long one measurement takes, about.
    millis: usize,
}

impl Plan {
    fn of(arguments: &[String]) -> Plan {
        let is_measured = arguments.iter().any(|argument| argument == "--bench");
        let number = |name: &str, otherwise| {
            let place = arguments.iter().position(|argument| argument == name);
            place.map_or(otherwise, |place| arguments[place + 1].parse().expect("a number"))
        };
        let (rounds, millis) = if is_measured { (9, 1000) } else { (1, 20) };
        Plan { rounds: number("--rounds", rounds), millis: number("--millis", millis) }
    }

    /// So many messages, at about so many thousands in a second.
    fn messages(self, thousands: usize) -> usize {
        self.millis * thousands
    }
}

/// What was measured of both in one round.
#[derive(Clone, Copy)]
struct Pair<T = f64> {
    bridge: T,
    alone: T,
}

/// Measures both in turns, the other one first each time.
fn rounds<T>(plan: Plan, mut bridge: impl FnMut(usize) -> T, mut alone: impl FnMut(usize) -> T) -> Vec<Pair<T>> {
    let round = |round: usize| {
        if round.is_multiple_of(2) {
            let bridge = bridge(round);
            Pair { bridge, alone: alone(round) }
        } else {
            let alone = alone(round);
            Pair { bridge: bridge(round), alone }
        }
    };
    (0..plan.rounds).map(round).collect()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// One line of the table.
fn say(what: &str, unit: &str, target: &str, pairs: &[Pair]) {
    let of = |number: fn(&Pair) -> f64| median(pairs.iter().map(number).collect());
    let (bridge, alone, ratio) = (of(|pair| pair.bridge), of(|pair| pair.alone), of(|pair| pair.bridge / pair.alone));
    println!("| {what} | {bridge:.1} {unit} | {alone:.1} {unit} | {ratio:.2} | {target} |");
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--list") || !support::is_there() {
        return;
    }
    let only = arguments.iter().position(|argument| argument == "--only").map(|place| arguments[place + 1].as_str());
    let wants = |question: &str| only.is_none_or(|only| only == question);
    let plan = Plan::of(&arguments);
    let server = Server::start();
    println!("| | bridge | async-nats alone | ratio | target |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for size in SIZES {
        let thousands = if size > 10_000 { 5 } else { 20 };
        let messages = plan.messages(thousands);
        if wants("out") {
            let pairs = rounds(
                plan,
                |round| outward::bridge(&server, &format!("{size}-bridge-{round}"), size, messages),
                |round| outward::alone(&server, &format!("{size}-alone-{round}"), size, messages),
            );
            say(&format!("out, {size} B"), "k/s", "at least 0.8", &pairs);
        }
        if wants("in") {
            let node = format!("{size}-in");
            outward::bridge(&server, &node, size, messages);
            let pairs = rounds(
                plan,
                |round| inward::bridge(&server, &node, &format!("reader-{round}"), messages),
                |_| inward::alone(&server, &node, messages),
            );
            say(&format!("in, {size} B"), "k/s", "at least 0.8", &pairs);
        }
        server.forget(size);
    }
    if wants("trip") {
        let trips = plan.messages(1);
        let pairs = rounds(
            plan,
            |round| round_trip::bridge(&server, round, trips),
            |round| round_trip::alone(&server, round, trips),
        );
        say("there and back through two streams", "us", "at most 1.3", &pairs);
    }
    if wants("paced") {
        let with = |round| paced::write(Some((&server, round)), plan.messages(paced::THOUSANDS));
        let pairs = rounds(plan, with, |_| paced::write(None, plan.messages(paced::THOUSANDS)));
        let part = |part: fn(&paced::Took) -> f64| -> Vec<_> {
            pairs.iter().map(|pair| Pair { bridge: part(&pair.bridge), alone: part(&pair.alone) }).collect()
        };
        let what = "a write to the bus, 20 k/s, beside none";
        say(&format!("{what}, the mean"), "ns", "at most 1.1", &part(|took| took.mean));
        say(&format!("{what}, the median"), "ns", "at most 1.1", &part(|took| took.median));
    }
}

impl Server {
    /// Deletes what was measured with messages of that size.
    fn forget(&self, size: usize) {
        use futures_util::StreamExt;
        self.ask(|context| async move {
            let names: Vec<_> = context.stream_names().filter_map(async |name| name.ok()).collect().await;
            for name in names.iter().filter(|name| name.starts_with(&format!("bench+{size}-"))) {
                context.delete_stream(name).await.unwrap();
            }
        });
    }
}
