//! What errors say beside their own words: each that holds another error gives it as its source, and a refused capacity
//! is told what would do.

use rust_messenger::message_bus::{BusError, CircularBus};
use rust_messenger::messenger::StartError;
use rust_messenger::traits::{CursorError, EncodeError, NoWriter, SubscribeError, WriteError};
use std::error::Error;
use std::io;

fn inner() -> io::Error {
    io::Error::other("what the system said")
}

/// Of each error, the words of its source are `words`.
#[track_caller]
fn assert_sources(errors: &[&dyn Error], words: &str) {
    for error in errors {
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some(words), "{error:?}");
    }
}

#[test]
fn an_error_within_an_error_is_its_source() {
    let encode = EncodeError::TooLong { claimed: 8 };
    assert_sources(&[&WriteError::Encode(encode.clone())], &encode.to_string());
    let (worker, subscribe) = ("Left", SubscribeError::Journal(CursorError::NoSources));
    assert_sources(
        &[&StartError::Subscribe { worker, error: subscribe }, &subscribe],
        &CursorError::NoSources.to_string(),
    );
    assert_sources(&[&StartError::Writer { worker, error: NoWriter::Taken }], &NoWriter::Taken.to_string());
    let thread = StartError::Thread { worker, error: inner() };
    assert_sources(&[&thread, &BusError::Map(inner()), &BusError::Random(inner())], &inner().to_string());
}

#[cfg(unix)]
#[test]
fn what_the_system_says_of_a_journal_is_the_source() {
    use rust_messenger::message_bus::JournalError;
    let error = JournalError::Io { path: "a.journal".into(), action: "opening it", error: inner() };
    assert_sources(&[&error], &inner().to_string());
}

#[cfg(feature = "messi")]
#[test]
fn what_a_bridge_was_told_is_the_source() {
    use rust_messenger::messi::{NetworkError, SendError, SetupError};
    let (uri, host) = (String::from("tcp://localhost:1"), String::from("localhost"));
    let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let errors: [&dyn Error; 6] = [
        &SetupError::Resolve { host, error: inner() },
        &SetupError::Listen { uri: uri.clone(), error: inner() },
        &SetupError::Poller(inner()),
        &NetworkError::Connect { uri: uri.clone(), error: inner() },
        &NetworkError::Handshake { peer, error: inner() },
        &NetworkError::Accept(inner()),
    ];
    assert_sources(&errors, &inner().to_string());
    assert_sources(&[&NetworkError::Unsent(SendError::Full)], &SendError::Full.to_string());
    let not_started = SetupError::Uri { uri };
    let words = not_started.to_string();
    assert_sources(&[&NetworkError::Start(not_started)], &words);
}

#[cfg(feature = "tls")]
#[test]
fn what_rustls_says_is_the_source() {
    use rust_messenger::messi::SetupError;
    use rust_messenger::messi::tls::rustls;
    let words = rustls::Error::DecryptError.to_string();
    assert_sources(&[&SetupError::Tls(Box::new(rustls::Error::DecryptError))], &words);
}

/// As whoever unwraps it sees it.
#[test]
fn a_capacity_that_is_refused_is_told_what_would_do() {
    let error = CircularBus::new(100_000).unwrap_err();
    for text in [format!("{error:?}"), error.to_string()] {
        assert!(text.contains("100000") && text.contains("power of two"), "{text}");
    }
}
