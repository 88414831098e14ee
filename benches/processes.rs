//! What a ring costs that has a name, and what it costs that the other side is another process: ratios within one run,
//! whose rounds play all sides in turn. `cargo bench --bench processes` prints a table, with `-- WORD` only the rows
//! that have this word; `cargo test --benches` plays one short round.

#[cfg(target_os = "linux")]
#[path = "support/mod.rs"]
mod support;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use super::support::{Check, Message, read, ring};
    use rust_messenger::message_bus::wait::{Adaptive, Park, WaitStrategy};
    use rust_messenger::message_bus::{CircularBus, ManyWriters, NamedOptions, OneWriter};
    use rust_messenger::traits::{Interest, MessageBus, Poller, Publish, ReadError, Reader};
    use rustix::time::{ClockId, clock_gettime};
    use std::io::Read as _;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::sync::{Arc, Barrier, Condvar, Mutex};
    use std::thread;
    use std::time::{Duration, Instant};

    const CAPACITY: usize = 1 << 20;
    const SIZE: usize = 32;
    /// How a process is told what it is here for.
    const TOLD: &str = "RUST_MESSENGER_BENCH";
    /// A machine that takes a thread off its core for a second must not spoil a comparison.
    const SILENT: Duration = Duration::from_secs(60);

    fn named() -> NamedOptions {
        NamedOptions { capacity: Some(CAPACITY), silent_after: SILENT, ..NamedOptions::default() }
    }

    /// A poller that nothing but a notification ends.
    #[derive(Debug, Default)]
    struct Bed {
        notified: Mutex<bool>,
        changed: Condvar,
    }

    impl Poller for Bed {
        fn wait(&self, timeout: Option<Duration>) {
            let notified = self.notified.lock().expect("no panic");
            let limit = timeout.unwrap_or(SILENT);
            let (mut notified, _) =
                self.changed.wait_timeout_while(notified, limit, |notified| !*notified).expect("no panic");
            *notified = false;
        }

        fn looks_first(&self) -> bool {
            false
        }

        fn notify(&self) {
            *self.notified.lock().expect("no panic") = true;
            self.changed.notify_one();
        }
    }

    /// How the sides of a conversation wait.
    #[derive(Clone, Copy, PartialEq)]
    enum Waits {
        Adaptive,
        Parked,
        InPoller,
    }

    /// Reads one more message.
    fn next<R: Reader>(reader: &mut R, check: &mut Check, bed: Option<&Arc<dyn Poller>>) {
        let Some(bed) = bed else { return read(reader, check, check.count + 1) };
        loop {
            match reader.try_read(|_, payload| check.accept(payload)) {
                Ok(()) => return,
                Err(ReadError::Empty) => reader.wait_in(bed, None, Interest::Messages, Reader::ready),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The two rings of a conversation, as one attachment has them.
    struct Rings<W: WaitStrategy>([CircularBus<OneWriter, W>; 2]);

    impl<W: WaitStrategy> Rings<W> {
        fn create(directory: &Path) {
            for name in ["there", "back"] {
                CircularBus::create_one_writer(directory.join(name), named()).expect("a ring");
            }
        }

        fn open(directory: &Path) -> Rings<W> {
            Rings(["there", "back"].map(|name| {
                CircularBus::open_one_writer(directory.join(name), named()).expect("a ring").waiting::<W>()
            }))
        }

        /// Sends back what comes.
        fn answer(&self, trips: u64, bed: Option<&Arc<dyn Poller>>) {
            let [there, back] = &self.0;
            let writer = back.writer().expect("a writer");
            let mut reader = there.subscribe("questions").expect("a reader");
            let (mut check, mut answer) = (Check::new(SIZE), Message::new(SIZE, 1));
            for trip in 0..trips {
                next(&mut reader, &mut check, bed);
                writer.write_bytes(1, 2, answer.number(trip)).expect("written");
            }
        }

        /// How long a trip there and back takes, once somebody answers.
        fn ask(&self, trips: u64, bed: Option<&Arc<dyn Poller>>) -> f64 {
            let [there, back] = &self.0;
            let writer = there.writer().expect("a writer");
            let mut reader = back.subscribe("answers").expect("a reader");
            let (mut check, mut question) = (Check::new(SIZE), Message::new(SIZE, 0));
            while there.stats().readers.is_empty() {
                thread::yield_now();
            }
            let begin = Instant::now();
            for trip in 0..trips {
                writer.write_bytes(1, 2, question.number(trip)).expect("written");
                next(&mut reader, &mut check, bed);
            }
            nanos(begin, trips)
        }
    }

    fn nanos(begin: Instant, many: u64) -> f64 {
        begin.elapsed().as_nanos() as f64 / many as f64
    }

    fn child(told: &str, directory: &Path, many: u64) -> Child {
        let told = format!("{told} {many} {}", directory.display());
        let program = std::env::current_exe().expect("a program");
        let mut command = Command::new(program);
        command.env(TOLD, told).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a child")
    }

    fn conversation<W: WaitStrategy>(directory: &Path, waits: Waits, trips: u64, process: bool) -> f64 {
        Rings::<W>::create(directory);
        let bed = || (waits == Waits::InPoller).then(|| Arc::new(Bed::default()) as Arc<dyn Poller>);
        let time = if process {
            let told = match waits {
                Waits::Adaptive => "adaptive",
                Waits::Parked => "parked",
                Waits::InPoller => "poller",
            };
            let mut child = child(told, directory, trips);
            let time = Rings::<W>::open(directory).ask(trips, bed().as_ref());
            assert!(child.wait().expect("a child").success());
            time
        } else {
            thread::scope(|scope| {
                scope.spawn(|| Rings::<W>::open(directory).answer(trips, bed().as_ref()));
                Rings::<W>::open(directory).ask(trips, bed().as_ref())
            })
        };
        for name in ["there", "back"] {
            CircularBus::remove(directory.join(name)).expect("removed");
        }
        time
    }

    /// Two threads that wake each other as threads do.
    fn unpark(trips: u64) -> f64 {
        let turn = &std::sync::atomic::AtomicU64::new(0);
        let order = std::sync::atomic::Ordering::SeqCst;
        let wait = move |until: u64| {
            while turn.load(order) != until {
                thread::park();
            }
        };
        let asker = thread::current();
        thread::scope(|scope| {
            let answerer = scope.spawn(move || {
                for trip in 0..trips {
                    wait(2 * trip + 1);
                    turn.store(2 * trip + 2, order);
                    asker.unpark();
                }
            });
            let begin = Instant::now();
            for trip in 0..trips {
                turn.store(2 * trip + 1, order);
                answerer.thread().unpark();
                wait(2 * trip + 2);
            }
            nanos(begin, trips)
        })
    }

    /// How long a message takes from `writers` threads to one.
    fn flow<B: MessageBus + Sync>(bus: &B, writers: usize, size: usize, many: u64) -> f64 {
        let start = &Barrier::new(writers + 1);
        let mut reader = bus.subscribe("reader").expect("a reader");
        thread::scope(|scope| {
            for index in 0..writers {
                let writer = bus.writer().expect("a writer");
                scope.spawn(move || {
                    let mut message = Message::new(size, index);
                    start.wait();
                    for number in 0..many {
                        writer.write_bytes(1, 2, message.number(number)).expect("written");
                    }
                });
            }
            let mut check = Check::new(size);
            start.wait();
            let begin = Instant::now();
            read(&mut reader, &mut check, many * writers as u64);
            nanos(begin, many * writers as u64)
        })
    }

    /// The same, where the reader is another process or thread with an attachment of its own.
    fn flow_apart(directory: &Path, many: u64, process: bool) -> f64 {
        Rings::<Adaptive>::create(directory);
        let measure = || {
            let rings = Rings::<Adaptive>::open(directory);
            let [there, back] = &rings.0;
            let writer = there.writer().expect("a writer");
            let mut reader = back.subscribe("answers").expect("a reader");
            while there.stats().readers.is_empty() {
                thread::yield_now();
            }
            let mut message = Message::new(SIZE, 0);
            let begin = Instant::now();
            for number in 0..many {
                writer.write_bytes(1, 2, message.number(number)).expect("written");
            }
            read(&mut reader, &mut Check::new(SIZE), 1);
            nanos(begin, many)
        };
        let time = if process {
            let mut child = child("drink", directory, many);
            let time = measure();
            assert!(child.wait().expect("a child").success());
            time
        } else {
            thread::scope(|scope| {
                scope.spawn(|| drink(directory, many));
                measure()
            })
        };
        for name in ["there", "back"] {
            CircularBus::remove(directory.join(name)).expect("removed");
        }
        time
    }

    /// Reads all, and says so.
    fn drink(directory: &Path, many: u64) {
        let rings = Rings::<Adaptive>::open(directory);
        let [there, back] = &rings.0;
        let writer = back.writer().expect("a writer");
        let mut reader = there.subscribe("questions").expect("a reader");
        read(&mut reader, &mut Check::new(SIZE), many);
        writer.write_bytes(1, 2, Message::new(SIZE, 0).number(0)).expect("written");
    }

    /// Sleeps on a ring, one thread as a reader and one in a poller, and says what share of a core that took.
    fn idle(directory: &Path, millis: u64) -> f64 {
        let rings = Rings::<Park>::open(directory);
        let [there, back] = &rings.0;
        let (mut parked, mut polling) = (there.subscribe("parked").expect("one"), back.subscribe("bed").expect("one"));
        let used = || {
            let time = clock_gettime(ClockId::ProcessCPUTime);
            time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
        };
        let limit = Duration::from_millis(millis);
        let (begin, before) = (Instant::now(), used());
        thread::scope(|scope| {
            scope.spawn(|| parked.wait_until(Some(limit), Interest::Messages, |_| false));
            let bed = Arc::new(Bed::default()) as Arc<dyn Poller>;
            while begin.elapsed() < limit {
                let left = limit.saturating_sub(begin.elapsed());
                polling.wait_in(&bed, Some(left), Interest::Messages, |_| false);
            }
        });
        (used() - before) / begin.elapsed().as_secs_f64()
    }

    fn told(told: &str) {
        let mut words = told.splitn(3, ' ');
        let mut word = || words.next().expect("a word");
        let (role, many, directory) = (word(), word().parse().expect("a number"), Path::new(word()));
        match role {
            "adaptive" => Rings::<Adaptive>::open(directory).answer(many, None),
            "parked" => Rings::<Park>::open(directory).answer(many, None),
            "poller" => {
                let bed = Arc::new(Bed::default()) as Arc<dyn Poller>;
                Rings::<Park>::open(directory).answer(many, Some(&bed));
            }
            "drink" => drink(directory, many),
            "idle" => println!("{}", idle(directory, many)),
            role => panic!("{role}"),
        }
    }

    /// What is compared: what it is, its target, what is measured, and what with.
    type Row<'a> = (&'static str, f64, Box<dyn Fn() -> f64 + 'a>, Box<dyn Fn() -> f64 + 'a>);

    pub(super) fn main() {
        if let Ok(words) = std::env::var(TOLD) {
            return told(&words);
        }
        let short = !std::env::args().any(|argument| argument == "--bench");
        let (rounds, many, trips, wakes) = if short { (1, 1000, 100, 10) } else { (15, 400_000, 40_000, 5_000) };
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        let directory = scratch.path();
        let path = directory.join("ring");
        let anonymous = |size| flow(&ring::<OneWriter, Adaptive>(size), 1, size, many);
        let one_writer = |size| {
            let bus = CircularBus::create_one_writer(&path, named()).expect("a ring");
            let time = flow(&bus, 1, size, many);
            CircularBus::remove(&path).expect("removed");
            time
        };
        let anonymous_many = |writers| flow(&ring::<ManyWriters, Adaptive>(SIZE), writers, SIZE, many);
        let many_writers = |writers| {
            let bus = CircularBus::create(&path, named()).expect("a ring");
            let time = flow(&bus, writers, SIZE, many);
            CircularBus::remove(&path).expect("removed");
            time
        };
        let rows: [Row<'_>; 8] = [
            ("named : anonymous, one writer, 32 B", 1.1, Box::new(|| one_writer(32)), Box::new(|| anonymous(32))),
            ("named : anonymous, one writer, 1 KiB", 1.1, Box::new(|| one_writer(1024)), Box::new(|| anonymous(1024))),
            (
                "named : anonymous, for many, one writes",
                1.15,
                Box::new(|| many_writers(1)),
                Box::new(|| anonymous_many(1)),
            ),
            (
                "named : anonymous, for many, two write",
                1.25,
                Box::new(|| many_writers(2)),
                Box::new(|| anonymous_many(2)),
            ),
            (
                "two processes : two threads, a message",
                1.2,
                Box::new(|| flow_apart(directory, many, true)),
                Box::new(|| flow_apart(directory, many, false)),
            ),
            (
                "two processes : two threads, a round trip",
                1.2,
                Box::new(|| conversation::<Adaptive>(directory, Waits::Adaptive, trips, true)),
                Box::new(|| conversation::<Adaptive>(directory, Waits::Adaptive, trips, false)),
            ),
            (
                "parked in two processes : `park` and `unpark`",
                1.2,
                Box::new(|| conversation::<Park>(directory, Waits::Parked, wakes, true)),
                Box::new(|| unpark(wakes)),
            ),
            (
                "in pollers of two processes : `park` and `unpark`",
                3.0,
                Box::new(|| conversation::<Park>(directory, Waits::InPoller, wakes, true)),
                Box::new(|| unpark(wakes)),
            ),
        ];
        let words: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
        let is_asked_for = |what: &str| words.is_empty() || words.iter().any(|word| what.contains(word.as_str()));
        let rows: Vec<_> = rows.into_iter().filter(|(what, ..)| is_asked_for(what)).collect();
        let mut times = vec![Vec::new(); rows.len()];
        for _ in 0..rounds {
            for ((_, _, ours, theirs), times) in rows.iter().zip(&mut times) {
                times.push((ours(), theirs()));
            }
        }
        println!("| what | ratio | quartiles | target | ns |\n| --- | --- | --- | --- | --- |");
        for ((what, target, ..), times) in rows.iter().zip(&times) {
            let sorted = |of: fn(&(f64, f64)) -> f64| {
                let mut all: Vec<_> = times.iter().map(of).collect();
                all.sort_by(f64::total_cmp);
                all
            };
            let (ratios, nanos) = (sorted(|(ours, theirs)| ours / theirs), sorted(|(ours, _)| *ours));
            let [low, middle, high] = [1, 2, 3].map(|quarter| (ratios.len() - 1) * quarter / 4);
            println!(
                "| {what} | {:.2} | {:.2} to {:.2} | {target} | {:.0} |",
                ratios[middle], ratios[low], ratios[high], nanos[middle]
            );
        }
        if !is_asked_for("an idle process") {
            return;
        }
        Rings::<Park>::create(directory);
        let mut child = child("idle", directory, if short { 100 } else { 10_000 });
        let mut share = String::new();
        child.stdout.take().expect("its words").read_to_string(&mut share).expect("its words");
        assert!(child.wait().expect("a child").success());
        let share: f64 = share.trim().parse().expect("a number");
        println!("| an idle process, share of a core | {:.3} % | | 0.1 % | |", share * 100.0);
    }
}
