//! The config cannot be cloned, which every worker needs.

pub struct Options;

#[derive(Clone)]
pub struct Idle;

impl rust_messenger::Handler for Idle {
    type Id = u16;
    const ID: u16 = 4;
}

impl rust_messenger::New<Options> for Idle {
    fn new<W: rust_messenger::Writer>(_: &Options, _: &W) -> Self {
        Idle
    }
}

rust_messenger::Messenger! {
    Options,
    Worker:
        handlers: [ #[allow(unrouted)] idle: Idle ]
        routes: []
}

fn main() {
    let messenger = Messenger::new(rust_messenger::CircularBus::new(4096).unwrap());
    messenger.run(&Options).join().unwrap();
}
