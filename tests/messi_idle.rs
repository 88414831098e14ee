//! A bridge at rest uses no processor time, although it has a connection, pings and timers.
//!
//! One test in a process of its own: the time that is measured is the whole process's.

#![cfg(all(feature = "messi", target_os = "linux", not(miri)))]

#[path = "../examples/bank/bank.rs"]
mod bank;
#[path = "support/port.rs"]
mod port;
mod support;

use bank::Bank;
use port::Port;
use rust_messenger::message_bus::{CircularBus, CondvarBus};
use rust_messenger::messi::{Client, ClientConnected, ClientOptions, Reconnect, Server, ServerOptions};
use rust_messenger::traits::{Handle, Handler, MessageBus, New, Writer};
use rust_messenger::{Messenger, messi};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::{processor_time, wait_until, within};

#[derive(Clone)]
struct Config {
    server: ServerOptions<Bank>,
    client: ClientOptions<Bank>,
    met: Arc<AtomicBool>,
}

impl AsRef<ServerOptions<Bank>> for Config {
    fn as_ref(&self) -> &ServerOptions<Bank> {
        &self.server
    }
}

impl AsRef<ClientOptions<Bank>> for Config {
    fn as_ref(&self) -> &ClientOptions<Bank> {
        &self.client
    }
}

struct Witness(Arc<AtomicBool>);

impl Handler for Witness {
    type Id = u16;
    const ID: u16 = 1;
}

impl New<Config> for Witness {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Witness(Arc::clone(&config.met))
    }
}

impl Handle<ClientConnected> for Witness {
    fn handle<W: Writer>(&mut self, _: &ClientConnected, _: &W) {
        self.0.store(true, Ordering::Release);
    }
}

Messenger! {
    Config,
    Here:
        handlers: [ server: Server<Bank>, witness: Witness ]
        routes: [ Server<Bank>, ClientConnected: [ witness ] ]
    There:
        handlers: [ #[allow(unrouted)] client: Client<Bank> ]
        routes: []
}

fn idles<B: MessageBus>(bus: B) {
    let port = Port::new();
    let uri = port.uri();
    let mut client = ClientOptions::new(uri.as_str());
    client.reconnect = Reconnect::Constant(Duration::from_millis(1));
    let config = Config { server: messi::ServerOptions::new(uri), client, met: Arc::default() };
    let messenger = Messenger::new(bus);
    let handles = messenger.run(&config);
    wait_until("they have met", || config.met.load(Ordering::Acquire));

    // To fall asleep takes a thousandth of what is allowed.
    let (start, before) = (Instant::now(), processor_time());
    // Two pings and two pongs fall into this.
    #[expect(clippy::disallowed_methods, reason = "measures what a bridge uses while nothing happens")]
    thread::sleep(Duration::from_secs(5));
    let (watched, used) = (start.elapsed(), processor_time() - before);
    assert!(used <= watched / 100, "{used:?} of processor time in {watched:?} without a message");
    messenger.stop();
    handles.join().unwrap();
}

#[test]
fn a_bridge_at_rest_uses_no_processor_time() {
    within("a bridge at rest", || {
        idles(CircularBus::new(64 * 1024).unwrap());
        idles(CondvarBus::new(CircularBus::new(64 * 1024).unwrap()));
    });
}
