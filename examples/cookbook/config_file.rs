//! A configuration from a file: read and checked before anything runs, then cloned for each worker.
//!
//! Lines are `name = value`, in any order. What is wrong is an error with its line, and no worker starts.

use rust_messenger::traits::{Handler, New, Writer};
use rust_messenger::{CircularBus, Messenger};

#[derive(Clone)]
struct Config {
    ring_bytes: usize,
    greeting: String,
}
impl Config {
    fn parse(text: &str) -> Result<Config, String> {
        let mut config = Config { ring_bytes: 64 * 1024, greeting: String::from("Hello!") };
        let lines = text.lines().map(str::trim).zip(1..);
        for (line, number) in lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')) {
            let (name, value) = line.split_once('=').ok_or(format!("line {number}: `{line}` is no `name = value`"))?;
            match (name.trim(), value.trim()) {
                ("greeting", value) => config.greeting = value.to_owned(),
                ("ring_bytes", value) => {
                    config.ring_bytes = value.parse().map_err(|error| format!("line {number}: `{value}`: {error}"))?;
                }
                (name, _) => return Err(format!("line {number}: nobody knows `{name}`")),
            }
        }
        Ok(config)
    }
}

struct Greeter(String);
impl Handler for Greeter {
    type Id = u16;
    const ID: u16 = 1;
    fn on_start<W: Writer>(&mut self, writer: &W) {
        println!("{}", self.0);
        writer.stop();
    }
}
impl New<Config> for Greeter {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Greeter(config.greeting.clone())
    }
}

Messenger! { Config, Worker: handlers: [ #[allow(unrouted)] greeter: Greeter ] routes: [] }

pub fn main(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let path = arguments.first().ok_or("which file?")?;
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let config = Config::parse(&text).map_err(|error| format!("{path}: {error}"))?;
    let messenger = Messenger::new(CircularBus::new(config.ring_bytes)?);
    messenger.run(&config).join()?;
    Ok(())
}
