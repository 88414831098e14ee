//! The processes: a server, and nodes that are started and killed.

use std::error::Error;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// One of the two, and what it says.
pub struct Node {
    name: &'static str,
    pub child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Node {
    pub fn start(name: &'static str, url: &str, directory: &Path) -> Result<Node, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args([name, url]).arg(directory).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        Ok(Node { name, child, lines })
    }

    /// Waits until it says `line`.
    pub fn until(&mut self, line: &str) -> Result<(), Box<dyn Error>> {
        for said in self.lines.by_ref() {
            let said = said?;
            println!("{}: {said}", self.name);
            if said == line {
                return Ok(());
            }
        }
        Err(format!("{} ended, and never said {line:?}", self.name).into())
    }

    pub fn kill(mut self) -> Result<(), Box<dyn Error>> {
        println!("{}: killed", self.name);
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// A server with its store in `directory`, and its address; `None`: there is none.
pub fn server(directory: &Path) -> Result<Option<(Child, String)>, Box<dyn Error>> {
    let program = std::env::var("NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
    let (store, ports) = (directory.join("store"), directory.join("ports"));
    std::fs::create_dir(&ports)?;
    let mut command = Command::new(program);
    command.args(["-a", "127.0.0.1", "-p", "-1", "-js", "-sd"]).arg(store).arg("--ports_file_dir").arg(&ports);
    let Ok(mut child) = command.stderr(Stdio::null()).spawn() else { return Ok(None) };
    while child.try_wait()?.is_none() {
        let file = ports.read_dir()?.next().transpose()?;
        let text = file.map(|file| std::fs::read_to_string(file.path())).transpose()?.unwrap_or_default();
        if let Some(url) = text.split('"').find(|word| word.starts_with("nats://")) {
            return Ok(Some((child, url.to_owned())));
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    Ok(None)
}
