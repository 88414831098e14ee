//! `Messenger!` in hostile places. The whole file has no prelude, a renamed crate, and comparisons that are ambiguous
//! unless both sides have a type; each module adds one more thing that an expansion could trip over. What compiles here
//! runs, too: an expansion that silently took the wrong name would not deliver.

#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(unused, nonstandard_style)]

extern crate rust_messenger as rm;

use ::std::result::Result::{Err, Ok};

/// With these, `x == y.into()` and the like no longer know their types.
pub struct Ambiguous;

macro_rules! poison {
    ($($type:ty),*) => { $(
        impl ::std::cmp::PartialEq<Ambiguous> for $type {
            fn eq(&self, _: &Ambiguous) -> bool {
                ::std::unreachable!("nobody asks")
            }
        }

        impl ::std::convert::From<Ambiguous> for $type {
            fn from(_: Ambiguous) -> $type {
                ::std::unreachable!("nobody asks")
            }
        }
    )* };
}

poison!(u8, u16, u32, usize, bool);

/// Methods with the names of those that the expansion calls, on everything there is.
#[allow(clippy::new_ret_no_self)]
pub trait Everything: ::std::marker::Sized {
    fn new() {}
    fn set(self) {}
    fn worker<T>(self) {}
    fn handler(self) {}
    fn visit(self) {}
    fn deliver(self) {}
    fn into(self) {}
    fn deref(self) {}
}

impl<T> Everything for T {}

// ------------------------------------------------------------------------------------ what the tables have in them

/// How many balls the pongs of a run have seen.
#[derive(::std::clone::Clone)]
pub struct Config {
    seen: ::std::sync::Arc<::std::sync::atomic::AtomicU16>,
    last: u16,
}

impl Config {
    fn new() -> Config {
        Config { seen: ::std::sync::Arc::new(::std::sync::atomic::AtomicU16::new(0)), last: 5 }
    }

    fn seen(&self) -> u16 {
        self.seen.load(::std::sync::atomic::Ordering::SeqCst)
    }
}

/// Makes a message of one `u16`, a handler that serves it and stops at the last one, and one that counts and returns.
macro_rules! game {
    ($config:ty, $ball:ident = $ball_id:literal, $ping:ident = $ping_id:literal, $pong:ident = $pong_id:literal) => {
        pub struct $ball(u16);

        impl ::rm::traits::Message for $ball {
            type Id = u16;
            const ID: u16 = $ball_id;
        }

        impl ::rm::traits::ExtendedMessage for $ball {
            fn get_size(&self) -> usize {
                2
            }

            fn write_into(&self, buffer: &mut [u8]) {
                buffer.copy_from_slice(&self.0.to_le_bytes());
            }
        }

        impl ::rm::traits::DeserializeFrom for $ball {
            fn deserialize_from(buffer: &[u8]) -> Self {
                $ball(u16::from_le_bytes([buffer[0], buffer[1]]))
            }
        }

        pub struct $ping($config);

        impl ::rm::traits::Handler for $ping {
            type Id = u16;
            const ID: u16 = $ping_id;

            fn on_start<Out: ::rm::traits::Writer>(&mut self, writer: &Out) {
                <Self as ::rm::traits::Sender>::send(&$ball(0), writer);
            }
        }

        impl ::rm::traits::New<$config> for $ping {
            fn new<Out: ::rm::traits::Writer>(config: &$config, _: &Out) -> Self {
                $ping(::std::clone::Clone::clone(config))
            }
        }

        impl ::rm::traits::Handle<$ball> for $ping {
            fn handle<Out: ::rm::traits::Writer>(&mut self, ball: &$ball, writer: &Out) {
                if ball.0 < self.0.last {
                    <Self as ::rm::traits::Sender>::send(&$ball(ball.0 + 1), writer);
                } else {
                    writer.stop();
                }
            }
        }

        pub struct $pong($config);

        impl ::rm::traits::Handler for $pong {
            type Id = u16;
            const ID: u16 = $pong_id;
        }

        impl ::rm::traits::New<$config> for $pong {
            fn new<Out: ::rm::traits::Writer>(config: &$config, _: &Out) -> Self {
                $pong(::std::clone::Clone::clone(config))
            }
        }

        impl ::rm::traits::Handle<$ball> for $pong {
            fn handle<Out: ::rm::traits::Writer>(&mut self, ball: &$ball, writer: &Out) {
                self.0.seen.fetch_add(1, ::std::sync::atomic::Ordering::SeqCst);
                <Self as ::rm::traits::Sender>::send(&$ball(ball.0), writer);
            }
        }
    };
}

/// Plays a table's game to its end and sees that every ball was delivered.
macro_rules! play {
    ($table:ident, $config:expr) => {{
        let config = $config;
        let messenger = $table::new(crate::bus());
        crate::ends_well(messenger.run(&config));
        ::std::assert_eq!(config.seen(), config.last + 1);
    }};
}

fn bus() -> ::rm::CircularBus {
    match ::rm::CircularBus::new(4096) {
        Ok(bus) => bus,
        Err(error) => ::std::panic!("{error}"),
    }
}

fn ends_well(handles: ::rm::JoinHandles) {
    if let Err(error) = handles.join() {
        ::std::panic!("{error}");
    }
}

game!(Config, Ball = 1, Ping = 1, Pong = 2);

// ---------------------------------------------------------------------------------------------------------- the places

rm::Messenger! {
    Config,
    WorkerA: handlers: [ ping: Ping ] routes: [ Pong, Ball: [ ping ] ]
    WorkerB: handlers: [ pong: Pong ] routes: [ Ping, Ball: [ pong ] ]
}

#[::std::prelude::v1::test]
fn without_a_prelude() {
    play!(Messenger, Config::new());
}

// A second table in the same module.
rm::Messenger! {
    type Single;
    Config,
    WorkerA: handlers: [ ping: Ping, pong: Pong ] routes: [ Pong, Ball: [ ping ], Ping, Ball: [ pong ] ]
}

#[::std::prelude::v1::test]
fn two_tables_in_one_module() {
    play!(Single, Config::new());
    ::std::assert_ne!(Single::graph().to_dot(), Messenger::graph().to_dot());
}

#[::std::prelude::v1::test]
fn inside_a_function() {
    rm::Messenger! {
        crate::Config,
        Only: handlers: [ ping: Ping, pong: Pong ] routes: [ Pong, Ball: [ ping ], Ping, Ball: [ pong ] ]
    }
    play!(Messenger, Config::new());
}

/// A leaked `use` would collide with these: every public name of the crate, and those of the expansion.
mod no_leaks {
    pub struct Handler;
    pub struct Handle;
    pub struct New;
    pub struct Writer;
    pub struct Sender;
    pub struct Message;
    pub struct MessageBus;
    pub struct Router;
    pub struct Header;
    pub struct Table;
    #[allow(clippy::upper_case_acronyms)]
    pub struct TABLE;
    pub struct Roster;
    pub struct Rows;
    pub struct Topology;
    pub struct Launch;
    pub struct Cell;
    pub struct Deref;
    pub struct Graph;
    pub struct WorkerA;
    pub struct WorkerB;

    // All of them are used, so that none is a warning.
    #[::std::prelude::v1::test]
    fn the_names_are_ours() {
        let ours = (Handler, Handle, New, Writer, Sender, Message, MessageBus, Router, Header, Table, TABLE);
        let too = (Roster, Rows, Topology, Launch, Cell, Deref, Graph, WorkerA, WorkerB);
        let _ = (ours, too);
        play!(Messenger, crate::Config::new());
    }

    ::rm::Messenger! {
        crate::Config,
        WorkerA: handlers: [ ping: crate::Ping ] routes: [ crate::Pong, crate::Ball: [ ping ] ]
        WorkerB: handlers: [ pong: crate::Pong ] routes: [ crate::Ping, crate::Ball: [ pong ] ]
    }
}

/// The user's own types are called like those of the prelude.
mod shadowing {
    pub struct Result;
    pub struct Option;
    pub struct Vec;
    pub struct String;
    pub struct Box;
    pub struct Ok;
    pub struct Err;
    pub struct Some;
    pub struct None;
    #[allow(non_camel_case_types)]
    pub struct str;
    #[allow(non_camel_case_types)]
    pub struct bool;
    pub trait Copy {}
    pub trait Clone: Copy {}
    pub trait Debug: Clone {}
    pub trait From: Debug {}
    pub trait Into: From {}
    pub trait Sized: Into {}
    const _: fn(&dyn Sized) = |_| {};

    ::rm::messenger_id_enum!(Ids { First = 1, Second = 2 });

    ::rm::Messenger! {
        crate::Config,
        WorkerA: handlers: [ ping: crate::Ping ] routes: [ crate::Pong, crate::Ball: [ ping ] ]
        WorkerB: handlers: [ pong: crate::Pong ] routes: [ crate::Ping, crate::Ball: [ pong ] ]
    }

    #[::std::prelude::v1::test]
    fn types_of_the_prelude() {
        let ours = (Result, Option, Vec, String, Box, Ok, Err, Some, None, str, bool);
        let _ = ours;
        let second: u16 = ::std::convert::Into::into(Ids::Second);
        ::std::assert_eq!((Ids::First as u16, second), (1, 2));
        play!(Messenger, crate::Config::new());
    }
}

/// A handler's type is called like its worker, the others like the type parameters that an expansion might use.
mod like_the_expansion {
    type L = crate::Config;

    game!(L, W = 1, WorkerA = 1, V = 2);

    ::rm::Messenger! {
        L,
        WorkerA: handlers: [ worker: WorkerA ] routes: [ V, W: [ worker ] ]
        V: handlers: [ r#loop: V ] routes: [ WorkerA, W: [ r#loop ] ]
    }

    #[::std::prelude::v1::test]
    fn types_called_like_workers_and_parameters() {
        play!(Messenger, crate::Config::new());
    }

    // Also when the table itself has such a name.
    ::rm::Messenger! {
        type Handlers;
        L,
        B: handlers: [ header: WorkerA, payload: V ] routes: [ V, W: [ header ], WorkerA, W: [ payload ] ]
    }

    #[::std::prelude::v1::test]
    fn handlers_called_like_variables() {
        play!(Handlers, crate::Config::new());
    }
}

/// Neither the config nor the handlers can be named by whoever holds the messenger.
mod private {
    #[derive(::std::clone::Clone)]
    struct Settings {
        seen: ::std::sync::Arc<::std::sync::atomic::AtomicU16>,
        last: u16,
    }

    impl Settings {
        fn seen(&self) -> u16 {
            self.seen.load(::std::sync::atomic::Ordering::SeqCst)
        }
    }

    mod handlers {
        type Settings = super::Settings;

        #[allow(private_interfaces)]
        mod inner {
            use super::Settings;

            game!(Settings, Ball = 1, Ping = 1, Pong = 2);
        }

        pub(super) use inner::{Ball, Ping, Pong};
    }

    ::rm::Messenger! {
        type Hidden;
        Settings,
        WorkerA: handlers: [ ping: handlers::Ping ] routes: [ handlers::Pong, handlers::Ball: [ ping ] ]
        WorkerB: handlers: [ pong: handlers::Pong ] routes: [ handlers::Ping, handlers::Ball: [ pong ] ]
    }

    #[::std::prelude::v1::test]
    fn config_and_handlers() {
        let seen = ::std::sync::Arc::new(::std::sync::atomic::AtomicU16::new(0));
        play!(Hidden, Settings { seen, last: 3 });
    }
}

/// The one-line ways of a message.
#[cfg(all(feature = "serde", feature = "bincode", feature = "prost", feature = "zero_copy"))]
mod messages {
    // The derives of other crates are not as careful as we are about the prelude.
    use ::std::prelude::rust_2024::*;

    #[derive(::serde::Serialize, ::serde::Deserialize)]
    pub struct Serde(u16);

    #[derive(::serde::Serialize, ::serde::Deserialize)]
    pub struct Bincode(u16);

    #[derive(Clone, PartialEq, ::prost::Message)]
    pub struct Prost {
        #[prost(uint32, tag = "1")]
        value: u32,
    }

    #[derive(::zerocopy::FromBytes, ::zerocopy::IntoBytes, ::zerocopy::KnownLayout, ::zerocopy::Immutable)]
    #[repr(C)]
    pub struct ZeroCopy([u8; 2]);

    mod bare {
        ::rm::messenger_id_enum!(Id { Serde = 1, Bincode = 2, Prost = 3, ZeroCopy = 4 });
        ::rm::serde_message!(super::Serde, Id::Serde);
        ::rm::bincode_message!(super::Bincode, Id::Bincode);
        ::rm::prost_message!(super::Prost, Id::Prost);
        ::rm::zero_copy_message!(super::ZeroCopy, Id::ZeroCopy);
    }

    fn there_and_back<M: ::rm::traits::ExtendedMessage + ::rm::traits::Encoded, T>(message: M, see: fn(&M) -> T) -> T {
        let mut bytes = ::std::vec![0; message.get_size()];
        message.write_into(&mut bytes);
        match M::decode(&bytes) {
            Ok(decoded) => see(::std::borrow::Borrow::borrow(&decoded)),
            Err(error) => ::std::panic!("{error}"),
        }
    }

    #[::std::prelude::v1::test]
    fn one_line_messages() {
        ::std::assert_eq!(there_and_back(Serde(7), |message| message.0), 7);
        ::std::assert_eq!(there_and_back(Bincode(7), |message| message.0), 7);
        ::std::assert_eq!(there_and_back(Prost { value: 7 }, |message| message.value), 7);
        // Bytes, because this vector need not be aligned as a payload on the bus is.
        ::std::assert_eq!(there_and_back(ZeroCopy([7, 8]), |message| message.0), [7, 8]);
    }
}

/// Handlers in one line, and handlers that the table makes.
mod handlers {
    ::rm::messenger_id_enum!(Id { Ping = 3, Pong = 4 });

    pub struct Ping(crate::Config);
    ::rm::handler!(Ping, 3);

    #[derive(::std::default::Default)]
    pub struct Pong(::std::option::Option<crate::Config>);

    /// Types of the language, and the trait, are called as the expansion of one line calls them.
    mod bare {
        #[allow(non_camel_case_types)]
        pub struct u16;
        #[allow(non_camel_case_types)]
        pub struct u64;
        pub trait Default {}
        impl Default for u16 {}
        impl Default for u64 {}
        const _: [&dyn Default; 2] = [&u16, &u64];

        ::rm::handler!(super::Pong, super::Id::Pong, default,);
    }

    impl ::rm::Handle<crate::Ball> for Ping {
        fn handle<Out: ::rm::Writer>(&mut self, ball: &crate::Ball, writer: &Out) {
            ::std::assert_eq!((ball.0, self.0.last), (7, 5));
            writer.stop();
        }
    }

    impl ::rm::TryHandle<crate::Ball> for Pong {
        type Error = ::std::convert::Infallible;

        fn try_handle<Out: ::rm::Writer>(
            &mut self,
            _: &crate::Ball,
            writer: &Out,
        ) -> ::std::result::Result<(), Self::Error> {
            ::std::assert!(self.0.is_none());
            <Self as ::rm::Sender>::send(&crate::Ball(7), writer);
            crate::Ok(())
        }
    }

    // The names of the pattern are the user's, whatever the expansion calls its own.
    ::rm::Messenger! {
        crate::Config,
        WorkerA:
            handlers: [ ping: Ping = |config| Ping(::std::clone::Clone::clone(config)) ]
            routes: [ Pong, crate::Ball: [ ping ] ]
        WorkerB: handlers: [ pong: Pong ] routes: [ crate::Ping, crate::Ball: [ pong ] ]
    }

    #[::std::prelude::v1::test]
    fn in_one_line() {
        let _ = Id::Ping;
        let messenger = Messenger::new(crate::bus());
        let handles = messenger.run(&crate::Config::new());
        match messenger.writer() {
            crate::Ok(writer) => <crate::Ping as ::rm::Sender>::send(&crate::Ball(0), &writer),
            crate::Err(error) => ::std::panic!("{error}"),
        }
        crate::ends_well(handles);
    }
}
