//! `graph()`: the exact Mermaid and DOT of two tables, the second with everything in it that the two languages would
//! take for their own: their keywords, and characters that mean something there.

use rust_messenger::traits::{DecodeError, DeserializeFrom, ExtendedMessage, Handle, Handler, Message, New, Writer};
use std::marker::PhantomData;

struct Config;

/// A message without a payload, written by hand, so that this test needs no feature.
macro_rules! message {
    ($message:ty, $id:literal) => {
        impl Message for $message {
            type Id = u16;
            const ID: u16 = $id;
        }

        impl ExtendedMessage for $message {
            fn get_size(&self) -> usize {
                0
            }

            fn write_into(&self, _: &mut [u8]) {}
        }

        impl DeserializeFrom for $message {
            fn deserialize_from(_: &[u8]) -> Self {
                unreachable!("no table of this test runs")
            }

            fn try_deserialize_from(_: &[u8]) -> Result<Self, DecodeError> {
                Err(DecodeError::new("no table of this test runs"))
            }
        }
    };
}

macro_rules! handler {
    ($handler:ty, $id:literal handles $($message:ty),*) => {
        impl Handler for $handler {
            type Id = u16;
            const ID: u16 = $id;
        }

        impl New<Config> for $handler {
            fn new<W: Writer>(_: &Config, _: &W) -> Self {
                unreachable!("no table of this test runs")
            }
        }

        $( impl Handle<$message> for $handler {
            fn handle<W: Writer>(&mut self, _: &$message, _: &W) {}
        } )*
    };
}

mod messages {
    pub struct MessageA;
    pub struct MessageB;
    pub struct Batch<T>(pub std::marker::PhantomData<T>);
    pub struct Tick;
}

mod handlers {
    pub struct HandlerA;
    pub struct HandlerB;
    pub struct HandlerC;
}

use messages::{Batch, MessageA, MessageB, Tick};

message!(MessageA, 0);
message!(MessageB, 1);
message!(Batch<Tick>, 2);

handler!(handlers::HandlerA, 1 handles MessageA);
handler!(handlers::HandlerB, 2 handles MessageB);
handler!(handlers::HandlerC, 3 handles MessageA);

/// The table of `examples/serde_bincode.rs`.
mod serde_bincode {
    use super::{handlers, messages};

    rust_messenger::Messenger! {
        super::Config,
        WorkerA:
            handlers: [ handler_a: handlers::HandlerA, handler_b: handlers::HandlerB ]
            routes: [
                handlers::HandlerA, messages::MessageB: [ handler_b ],
                handlers::HandlerB, messages::MessageA: [ handler_a ],
            ]
        WorkerB:
            handlers: [ handler_c: handlers::HandlerC ]
            routes: [ handlers::HandlerB, messages::MessageA: [ handler_c ] ]
    }
}

#[test]
fn mermaid_of_the_first_example() {
    let expected = r#"flowchart LR
    subgraph WorkerA
        WorkerA_handler_a["handler_a: HandlerA"]
        WorkerA_handler_b["handler_b: HandlerB"]
    end
    subgraph WorkerB
        WorkerB_handler_c["handler_c: HandlerC"]
    end
    WorkerA_handler_a -- "MessageB" --> WorkerA_handler_b
    WorkerA_handler_b -- "MessageA" --> WorkerA_handler_a
    WorkerA_handler_b -- "MessageA" --> WorkerB_handler_c
"#;
    assert_eq!(serde_bincode::Messenger::graph().to_mermaid(), expected);
    // Naming no bus, and shown as Mermaid.
    assert_eq!(serde_bincode::Messenger::graph().to_string(), expected);
}

#[test]
fn dot_of_the_first_example() {
    let expected = r#"digraph "Messenger" {
    rankdir=LR;
    subgraph cluster_WorkerA {
        label="WorkerA";
        WorkerA_handler_a [label="handler_a: HandlerA", shape=box];
        WorkerA_handler_b [label="handler_b: HandlerB", shape=box];
    }
    subgraph cluster_WorkerB {
        label="WorkerB";
        WorkerB_handler_c [label="handler_c: HandlerC", shape=box];
    }
    WorkerA_handler_a -> WorkerA_handler_b [label="MessageB"];
    WorkerA_handler_b -> WorkerA_handler_a [label="MessageA"];
    WorkerA_handler_b -> WorkerB_handler_c [label="MessageA"];
}
"#;
    assert_eq!(serde_bincode::Messenger::graph().to_dot(), expected);
}

/// A source that no worker has: a thread outside writes in its name.
struct Console;

impl Handler for Console {
    type Id = u16;
    const ID: u16 = 40;
}

struct Bridge<T>(PhantomData<T>);

handler!(Bridge<messages::Tick>, 41 handles Batch<Tick>);

struct Log;

handler!(Log, 42 handles MessageA, MessageB, Batch<Tick>);

// Everything here that needs care: a name that is a keyword of DOT, a keyword of Rust as a name, generics, a source
// from outside with two routes, two receivers of one route, two handlers of one type, one that is in no route.
rust_messenger::Messenger! {
    type Graph;
    Config,
    Edge:
        handlers: [ bridge: Bridge<messages::Tick>, #[allow(unrouted)] idle: handlers::HandlerC ]
        routes: [ crate::Console, messages::Batch<messages::Tick>: [ bridge ] ]
    Keep:
        handlers: [ r#loop: Log, second: Log ]
        routes: [
            crate::Console, messages::MessageA: [ r#loop ],
            Bridge<messages::Tick>, messages::Batch<messages::Tick>: [ r#loop, second ],
            Bridge<messages::Tick>, messages::MessageB: [ second ],
        ]
}

#[test]
fn mermaid_with_outside_sources_and_generics() {
    let expected = r##"flowchart LR
    subgraph Edge
        Edge_bridge["bridge: Bridge#lt;Tick#gt;"]
        Edge_idle["idle: HandlerC"]
    end
    subgraph Keep
        Keep_loop["loop: Log"]
        Keep_second["second: Log"]
    end
    outside_crate__Console(["Console"])
    outside_crate__Console -- "Batch#lt;Tick#gt;" --> Edge_bridge
    outside_crate__Console -- "MessageA" --> Keep_loop
    Edge_bridge -- "Batch#lt;Tick#gt;" --> Keep_loop
    Edge_bridge -- "Batch#lt;Tick#gt;" --> Keep_second
    Edge_bridge -- "MessageB" --> Keep_second
"##;
    assert_eq!(Graph::graph().to_mermaid(), expected);
}

#[test]
fn dot_with_outside_sources_and_generics() {
    let expected = r#"digraph "Graph" {
    rankdir=LR;
    subgraph cluster_Edge {
        label="Edge";
        Edge_bridge [label="bridge: Bridge<Tick>", shape=box];
        Edge_idle [label="idle: HandlerC", shape=box];
    }
    subgraph cluster_Keep {
        label="Keep";
        Keep_loop [label="loop: Log", shape=box];
        Keep_second [label="second: Log", shape=box];
    }
    outside_crate__Console [label="Console"];
    outside_crate__Console -> Edge_bridge [label="Batch<Tick>"];
    outside_crate__Console -> Keep_loop [label="MessageA"];
    Edge_bridge -> Keep_loop [label="Batch<Tick>"];
    Edge_bridge -> Keep_second [label="Batch<Tick>"];
    Edge_bridge -> Keep_second [label="MessageB"];
}
"#;
    assert_eq!(Graph::graph().to_dot(), expected);
}

/// A table that a program makes may name two handlers of a source, which the compiler refuses: both send.
#[test]
fn two_handlers_of_a_source_both_send() {
    use rust_messenger::routing::{Table, TableHandler, TableRoute, TableWorker};
    let handler = |name| TableHandler { name, type_name: "Log", id: 42, allow_unrouted: false };
    let handlers = [handler("first"), handler("second")];
    let routes = [TableRoute {
        source: "Log",
        source_id: 42,
        message: "Line",
        message_id: 1,
        layout: rust_messenger::traits::Layout::UNKNOWN,
        receivers: &["second"],
    }];
    let workers = [TableWorker { name: "Keep", handlers: &handlers, routes: &routes }];
    let picture = Table { name: "Twice", workers: &workers }.to_mermaid();
    for sender in ["first", "second"] {
        let edge = format!("Keep_{sender} -- \"Line\" --> Keep_second");
        assert!(picture.contains(&edge), "{picture}");
    }
}
