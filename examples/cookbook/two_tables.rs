//! Two tables in one process, each on a bus of its own. A handler of the one holds a writer of the other.
//!
//! To the second table that handler is a thread outside: it is a source there and stands in no worker. It tries and
//! does not wait, for a worker that waited for another bus would keep its own full.

use rust_messenger::messenger::OutsideWriter;
use rust_messenger::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Line(String);
serde_message!(Line, 1);

struct Desk(OutsideWriter<CircularBus>);
impl Handler for Desk {
    type Id = u16;
    const ID: u16 = 1;
    fn on_start<W: Writer>(&mut self, writer: &W) {
        Self::send(&Line("dear archive".into()), writer);
    }
}
impl New<OutsideWriter<CircularBus>> for Desk {
    fn new<W: Writer>(archive: &OutsideWriter<CircularBus>, _: &W) -> Self {
        Desk(archive.clone())
    }
}
impl Handle<Line> for Desk {
    fn handle<W: Writer>(&mut self, line: &Line, writer: &W) {
        if let Err(error) = Self::try_send(line, &self.0) {
            writer.fail(error);
        }
    }
}

#[derive(Default)]
struct Shelf;
handler!(Shelf, 2, default);
impl Handle<Line> for Shelf {
    fn handle<W: Writer>(&mut self, line: &Line, writer: &W) {
        println!("archived: {}", line.0);
        writer.stop();
    }
}

Messenger! { type Office; OutsideWriter<CircularBus>, Clerk: handlers: [ desk: Desk ] routes: [ Desk, Line: [ desk ] ] }
Messenger! { type Archive; (), Keeper: handlers: [ shelf: Shelf ] routes: [ Desk, Line: [ shelf ] ] }

pub fn main(_: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let office = Office::new(CircularBus::new(64 * 1024)?);
    let archive = Archive::new(CircularBus::new(64 * 1024)?);
    let archiving = archive.run(&());
    let working = office.run(&archive.writer()?);
    archiving.join()?;
    office.stop();
    working.join()?;
    Ok(())
}
