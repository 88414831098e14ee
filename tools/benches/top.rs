//! What writers pay for somebody who watches them: `rmsg top` on a terminal of its own, which looks ten times a second.
//!
//! `cargo bench --package rust_messenger_tools --bench top` prints ratios within one run, whose rounds write beside it
//! and without it in turn. `ROUNDS` says how many rounds there are. `cargo test --benches` plays a short one.

#[cfg(target_os = "linux")]
#[path = "../../benches/support/mod.rs"]
#[allow(dead_code)]
mod support;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use super::support::{Check, Message};
    use rust_messenger::message_bus::{CircularBus, NamedOptions};
    use rust_messenger::traits::{MessageBus, Publish, ReadError, Reader};
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};
    use std::fs::File;
    use std::io::{Read, Write};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc::channel;
    use std::thread::{self, JoinHandle};
    use std::time::{Duration, Instant};

    const SIZE: usize = 32;
    const EVERY: &str = "0.1";

    fn options() -> NamedOptions {
        // A machine that takes a thread off its core for a second must not spoil a comparison.
        NamedOptions { capacity: Some(1 << 20), silent_after: Duration::from_secs(60), ..NamedOptions::default() }
    }

    /// `rmsg top`, and the terminal that it draws on.
    struct Top {
        process: Child,
        host: File,
        /// Reads what it draws, and counts how often that was anything.
        screen: JoinHandle<u64>,
    }

    impl Top {
        /// Ends when the ring has been looked at and drawn.
        fn on(path: &Path) -> Top {
            let host = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
            grantpt(&host).expect("a terminal");
            unlockpt(&host).expect("a terminal");
            let name = ptsname(&host, Vec::new()).expect("its name");
            let end = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its other end");
            let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
            tcsetwinsize(&end, size).expect("its size");
            let (host, end) = (File::from(host), File::from(end));
            let stdio = || Stdio::from(end.try_clone().expect("a descriptor"));
            let mut command = Command::new(env!("CARGO_BIN_EXE_rmsg"));
            command.args(["top", "--every", EVERY]).arg(path);
            let process = command.stdin(stdio()).stdout(stdio()).spawn().expect("rmsg");
            // Or the terminal would never end.
            drop((command, end));
            let mut drawn = host.try_clone().expect("a descriptor");
            let (begun, has_begun) = channel();
            let screen = thread::spawn(move || {
                let (mut bytes, mut count) = ([0; 1 << 16], 0);
                while let Ok(1..) = drawn.read(&mut bytes) {
                    count += 1;
                    let _ = begun.send(());
                }
                count
            });
            has_begun.recv().expect("it draws");
            Top { process, host, screen }
        }

        /// How often it drew.
        fn end(mut self) -> u64 {
            self.host.write_all(b"q").expect("a terminal");
            assert!(self.process.wait().expect("rmsg").success());
            self.screen.join().expect("no panic")
        }
    }

    /// One thread writes for so long, another one reads. Nanoseconds a message.
    fn write_for<B: MessageBus<BusWriter: Send>>(bus: &B, long: Duration) -> f64 {
        let (writer, mut reader) = (bus.writer().expect("a writer"), bus.subscribe("reader").expect("a reader"));
        thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let mut check = Check::new(SIZE);
                loop {
                    match reader.try_read(|_, payload| check.accept(payload)) {
                        Ok(()) => {}
                        Err(ReadError::Empty) => reader.wait(None),
                        Err(ReadError::Closed) => return check.count,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
            let (mut message, mut written, begin) = (Message::new(SIZE, 0), 0, Instant::now());
            let took = loop {
                for _ in 0..1024 {
                    writer.write_bytes(1, 2, message.number(written)).expect("written");
                    written += 1;
                }
                let took = begin.elapsed();
                if took >= long {
                    break took;
                }
            };
            bus.close();
            assert_eq!(reading.join().expect("no panic"), written);
            took.as_nanos() as f64 / written as f64
        })
    }

    fn one_writer(path: &Path, long: Duration) -> f64 {
        write_for(&CircularBus::open_one_writer(path, options()).expect("a ring"), long)
    }

    fn many_writers(path: &Path, long: Duration) -> f64 {
        write_for(&CircularBus::open(path, options()).expect("a ring"), long)
    }

    /// Which ring, and how it is written to.
    type Row = (&'static str, bool, fn(&Path, Duration) -> f64);

    const ROWS: [Row; 2] =
        [("a ring for one writer", true, one_writer), ("a ring for many, one writes", false, many_writers)];

    pub(super) fn main() {
        let short = !std::env::args().any(|argument| argument == "--bench");
        let (rounds, long) = if short { (1, Duration::from_millis(10)) } else { (15, Duration::from_millis(250)) };
        let rounds = std::env::var("ROUNDS").map_or(rounds, |rounds| rounds.parse().expect("ROUNDS=n"));
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        let path = scratch.path().join("ring");
        println!("| writers beside `rmsg top` : without | ratio | quartiles | target | ns | looks |");
        println!("| --- | --- | --- | --- | --- | --- |");
        for (what, is_one, write) in ROWS {
            let (mut nanos, mut ratios, mut looks) = (Vec::new(), Vec::new(), 0);
            for round in 0..rounds {
                if is_one {
                    drop(CircularBus::create_one_writer(&path, options()).expect("a ring"));
                } else {
                    drop(CircularBus::create(&path, options()).expect("a ring"));
                }
                let mut beside = || {
                    let top = Top::on(&path);
                    let nanos = write(&path, long);
                    looks += top.end();
                    nanos
                };
                // Whoever comes second finds a warmer machine.
                let (with, without) = if round % 2 == 0 {
                    (beside(), write(&path, long))
                } else {
                    let without = write(&path, long);
                    (beside(), without)
                };
                CircularBus::remove(&path).expect("removed");
                nanos.push(with);
                ratios.push(with / without);
            }
            for values in [&mut nanos, &mut ratios] {
                values.sort_by(f64::total_cmp);
            }
            let [low, middle, high] = [1, 2, 3].map(|quarter| (rounds - 1) * quarter / 4);
            println!(
                "| {what}, {rounds} rounds | {:.3} | {:.3} to {:.3} | 1.05 | {:.1} | {looks} |",
                ratios[middle], ratios[low], ratios[high], nanos[middle]
            );
        }
    }
}
