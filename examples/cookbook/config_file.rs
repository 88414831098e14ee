//! A configuration from a file: read and checked before anything runs, then cloned for each worker.
//!
//! Lines are `name = value`, in any order. What is wrong is an error with its line, and no worker starts.

use rust_messenger::prelude::*;

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

#[derive(serde::Serialize, serde::Deserialize)]
struct Knock;
serde_message!(Knock, 1);

struct Guest; // It stands in no worker: it names who sends.
handler!(Guest, 1);

struct Porter(String);
handler!(Porter, 2);
impl New<Config> for Porter {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Porter(config.greeting.clone())
    }
}
impl Handle<Knock> for Porter {
    fn handle<W: Writer>(&mut self, _: &Knock, writer: &W) {
        println!("{}", self.0);
        writer.stop();
    }
}

Messenger! { Config, Door: handlers: [ porter: Porter ] routes: [ Guest, Knock: [ porter ] ] }

pub fn main(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let path = arguments.first().ok_or("which file?")?;
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let config = Config::parse(&text).map_err(|error| format!("{path}: {error}"))?;
    let messenger = Messenger::new(CircularBus::new(config.ring_bytes)?);
    let handles = messenger.run(&config);
    Guest::send(&Knock, &messenger.writer()?);
    handles.join()?;
    Ok(())
}
