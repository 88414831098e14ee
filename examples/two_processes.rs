//! One ring, two processes: guests order, and the kitchen, another process, cooks. It is killed in the middle of its
//! work, the ring heals, and another kitchen goes on.
//!
//! Each process has a table with its own handlers. What they send is for the other one, and no route here carries it:
//! so they are marked `#[allow(unrouted)]`. The ring keeps what ids mean, and refuses a table that says otherwise.
//!
//! ```sh
//! cargo run --example two_processes
//! ```

use rust_messenger::prelude::*;
use rust_messenger::{CircularBus, NamedOptions};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender as ChannelSender, channel};

type Done<T = ()> = Result<T, Box<dyn Error>>;

messenger_id_enum!(HandlerId { Guest = 1, Cook = 2 });

#[derive(Serialize, Deserialize)]
struct Order {
    number: u32,
}

serde_message!(Order, 1);

/// The first one of a cook is number 0: now orders are taken.
#[derive(Serialize, Deserialize)]
struct Dish {
    number: u32,
    cook: u32,
}

serde_message!(Dish, 2);

/// Gets the dishes.
struct Guest(ChannelSender<Dish>);
handler!(Guest, HandlerId::Guest);

impl Handle<Dish> for Guest {
    fn handle<W: Writer>(&mut self, dish: &Dish, _: &W) {
        let _ = self.0.send(Dish { ..*dish });
    }
}

Messenger! {
    type Hall;
    ChannelSender<Dish>,
    Tables:
        handlers: [ #[allow(unrouted)] guest: Guest = |dishes| Guest(dishes.clone()) ]
        routes: [ Cook, Dish: [ guest ] ]
}

/// Cooks what is ordered.
struct Cook {
    process: u32,
}

impl Handler for Cook {
    type Id = HandlerId;
    const ID: HandlerId = HandlerId::Cook;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        Self::send(&Dish { number: 0, cook: self.process }, writer);
    }
}

impl Handle<Order> for Cook {
    fn handle<W: Writer>(&mut self, order: &Order, writer: &W) {
        Self::send(&Dish { number: order.number, cook: self.process }, writer);
    }
}

Messenger! {
    type Kitchen;
    u32,
    Stove:
        handlers: [ #[allow(unrouted)] cook: Cook = |process| Cook { process: *process } ]
        routes: [ Guest, Order: [ cook ] ]
}

/// The other process: cooks until whoever has started it lets go of its standard input, or is no more.
fn kitchen(ring: &Path) -> Done {
    let bus = CircularBus::open(ring, NamedOptions::default().table(Kitchen::table()))?;
    let messenger = Kitchen::new(bus);
    let handles = messenger.run(&std::process::id());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    messenger.stop();
    handles.join()?;
    Ok(())
}

/// Starts the other process, and waits until it takes orders.
fn start_kitchen(ring: &Path, dishes: &Receiver<Dish>) -> Done<(Child, ChildStdin)> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg("kitchen").arg(ring).stdin(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take().ok_or("it has a standard input")?;
    while dishes.recv()?.number != 0 {}
    Ok((child, stdin))
}

fn serve(hall: &Hall<CircularBus>, dishes: &Receiver<Dish>, number: u32, kitchen: &Child) -> Done {
    Guest::send(&Order { number }, &hall.writer()?);
    let dish = dishes.recv()?;
    println!("dish {} comes from the kitchen: {}", dish.number, dish.cook == kitchen.id());
    Ok(())
}

fn hall(ring: &Path) -> Done {
    let options = NamedOptions { capacity: Some(16 * 1024), ..NamedOptions::default() }.table(Hall::table());
    let hall = Hall::new(CircularBus::create(ring, options)?);
    let (cooked, dishes) = channel();
    let handles = hall.run(&cooked);

    let (mut first, _input) = start_kitchen(ring, &dishes)?;
    for number in 1..=3 {
        serve(&hall, &dishes, number, &first)?;
    }
    first.kill()?;
    first.wait()?;
    println!("the kitchen is killed");

    // Far more than the ring holds. A reader that lives would hold it up; that of the dead is given back when somebody
    // finds the ring full.
    let writer = hall.writer()?;
    for number in 4..=2000 {
        Guest::send(&Order { number }, &writer);
    }
    println!("the ring is healed");

    let (mut second, input) = start_kitchen(ring, &dishes)?;
    serve(&hall, &dishes, 2001, &second)?;
    drop(input);
    println!("another kitchen ends: {}", second.wait()?.success());
    hall.stop();
    println!("unsent: {}", handles.join()?.unsent);
    Ok(CircularBus::remove(ring)?)
}

fn main() -> Done {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let [_, _, ring] = &arguments[..] {
        return kitchen(Path::new(ring));
    }
    hall(&std::env::temp_dir().join(format!("two_processes-{}.ring", std::process::id())))
}
