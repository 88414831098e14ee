//! Actors, as the documentation of each framework shows them.

use super::{Meter, Order, Path};
use kameo::actor::{ActorRef, Spawn};
use kameo::message::{Context, Message};
use ractor::ActorProcessingErr;
use std::convert::Infallible;
use tokio::runtime::{Builder, Runtime};

/// As many threads as there are cores.
fn many_threads() -> Runtime {
    Builder::new_multi_thread().build().expect("a runtime")
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// Runs `sends` as a task among the others: what sends to an actor is one, as a rule.
fn spawned(sends: impl Future<Output = ()> + Send + 'static) {
    let runtime = many_threads();
    runtime.block_on(runtime.spawn(sends)).expect("the sender ends");
}

pub struct Kameo;

/// Receives, or asks: whoever has a peer.
struct Asking {
    meter: Meter,
    peer: Option<ActorRef<Answering>>,
}

impl kameo::Actor for Asking {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(args)
    }
}

impl Message<Order> for Asking {
    type Reply = ();

    async fn handle(&mut self, order: Order, context: &mut Context<Self, ()>) {
        if self.meter.see(&order) {
            context.stop();
        } else if let Some(peer) = &self.peer {
            let next = Asked(Order::number(self.meter.next), context.actor_ref().clone());
            peer.tell(next).send().await.expect("the peer lives");
        }
    }
}

struct Answering;

/// An order, and who wants the answer.
struct Asked(Order, ActorRef<Asking>);

impl kameo::Actor for Answering {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(args)
    }
}

impl Message<Asked> for Answering {
    type Reply = ();

    async fn handle(&mut self, Asked(order, to): Asked, _: &mut Context<Self, ()>) {
        to.tell(order).send().await.expect("who asks lives");
    }
}

impl Kameo {
    fn trips(runtime: &Runtime, meter: Meter) {
        runtime.block_on(async {
            let peer = Answering::spawn(Answering);
            let asking = Asking::spawn(Asking { meter, peer: Some(peer.clone()) });
            peer.tell(Asked(Order::number(0), asking.clone())).send().await.expect("the peer lives");
            asking.wait_for_shutdown().await;
            peer.stop_gracefully().await.expect("the peer lives");
            peer.wait_for_shutdown().await;
        });
    }
}

impl Path for Kameo {
    fn outside(meter: Meter) {
        spawned(async {
            let total = meter.total;
            let sink = Asking::spawn(Asking { meter, peer: None });
            for number in 0..total {
                sink.tell(Order::number(number)).send().await.expect("the sink waits for the last one");
            }
            sink.wait_for_shutdown().await;
        });
    }

    fn in_one(meter: Meter) {
        Kameo::trips(&one_thread(), meter);
    }

    fn between(meter: Meter) {
        Kameo::trips(&many_threads(), meter);
    }
}

pub struct Ractor;

/// What an actor of this kind is sent.
enum Said {
    Order(Order),
    /// Answer this one from now on.
    Peer(ractor::ActorRef<Said>),
}

/// Counts, and asks if it has a peer.
struct Counting;

struct Counted {
    meter: Meter,
    peer: Option<ractor::ActorRef<Said>>,
}

impl ractor::Actor for Counting {
    type Msg = Said;
    type State = Counted;
    type Arguments = Meter;

    async fn pre_start(&self, _: ractor::ActorRef<Said>, meter: Meter) -> Result<Counted, ActorProcessingErr> {
        Ok(Counted { meter, peer: None })
    }

    async fn handle(
        &self,
        myself: ractor::ActorRef<Said>,
        said: Said,
        state: &mut Counted,
    ) -> Result<(), ActorProcessingErr> {
        match said {
            Said::Peer(peer) => {
                peer.cast(Said::Order(Order::number(0)))?;
                state.peer = Some(peer);
            }
            Said::Order(order) if state.meter.see(&order) => myself.stop(None),
            Said::Order(_) => {
                if let Some(peer) = &state.peer {
                    peer.cast(Said::Order(Order::number(state.meter.next)))?;
                }
            }
        }
        Ok(())
    }
}

struct Returning;

impl ractor::Actor for Returning {
    type Msg = Said;
    type State = ractor::ActorRef<Said>;
    type Arguments = ractor::ActorRef<Said>;

    async fn pre_start(
        &self,
        _: ractor::ActorRef<Said>,
        to: ractor::ActorRef<Said>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(to)
    }

    async fn handle(
        &self,
        _: ractor::ActorRef<Said>,
        said: Said,
        to: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        to.cast(said)?;
        Ok(())
    }
}

impl Ractor {
    fn trips(runtime: &Runtime, meter: Meter) {
        runtime.block_on(async {
            let (counting, counted) = ractor::Actor::spawn(None, Counting, meter).await.expect("an actor");
            let (peer, returned) = ractor::Actor::spawn(None, Returning, counting.clone()).await.expect("an actor");
            counting.cast(Said::Peer(peer.clone())).expect("it lives");
            counted.await.expect("it ends by itself");
            peer.stop(None);
            returned.await.expect("it ends when it is told to");
        });
    }
}

impl Path for Ractor {
    fn outside(meter: Meter) {
        spawned(async {
            let total = meter.total;
            let (sink, ended) = ractor::Actor::spawn(None, Counting, meter).await.expect("an actor");
            for number in 0..total {
                sink.cast(Said::Order(Order::number(number))).expect("it waits for the last one");
            }
            ended.await.expect("it ends by itself");
        });
    }

    fn in_one(meter: Meter) {
        Ractor::trips(&one_thread(), meter);
    }

    fn between(meter: Meter) {
        Ractor::trips(&many_threads(), meter);
    }
}
