//! A table on one thread: the caller steps the workers, in a loop of its own. So it runs where there are no threads,
//! and in tests, where every run takes the same course.

use rust_messenger::messenger::Step;
use rust_messenger::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Ball(u32);
serde_message!(Ball, 1);

struct Player<const ID: u16>;
impl<const ID: u16> Handler for Player<ID> {
    type Id = u16;
    const ID: u16 = ID;
}
impl<const ID: u16> New<()> for Player<ID> {
    fn new<W: Writer>(_: &(), _: &W) -> Self {
        Player
    }
}
impl<const ID: u16> Handle<Ball> for Player<ID> {
    fn handle<W: Writer>(&mut self, ball: &Ball, writer: &W) {
        println!("player {ID}: {}", ball.0);
        if ball.0 > 0 {
            Self::send(&Ball(ball.0 - 1), writer);
        }
    }
}

Messenger! {
    (),
    Left:
        handlers: [ left: Player<1> ]
        routes: [ Player<2>, Ball: [ left ] ]
    Right:
        handlers: [ right: Player<2> ]
        routes: [ Player<1>, Ball: [ right ] ]
}

pub fn main(_: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    let mut workers = messenger.workers(&())?;
    Player::<2>::try_send(&Ball(3), &messenger.writer()?)?;
    while workers.step() == Step::Worked {}
    println!("nothing to do");
    messenger.stop();
    while workers.step() != Step::Finished {}
    println!("left: {}", workers.conclude()?.left.len());
    Ok(())
}
