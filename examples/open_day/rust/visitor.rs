//! A visitor, without a bus.

use crate::open_day::server_to_client::Messages;
use crate::open_day::{Bring, OpenDay};
use rust_messenger::messi::{ClientEvent, ClientLoop, ClientOptions};
use std::error::Error;

/// Brings `lines`, and stays for the day. Returns what it says of it.
///
/// # Errors
///
/// It heard less than was said, or the door was closed on it.
pub fn visit(uri: &str, name: &str, lines: Vec<String>) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut client = ClientLoop::<OpenDay>::new(ClientOptions::new(uri))?;
    client.start();
    let (mut measured, mut denied) = (0, 0);
    loop {
        match client.next(None) {
            Some(ClientEvent::Connected) => {
                client.send(&Bring { name: name.to_owned(), lines: lines.clone() }.into())?;
            }
            Some(ClientEvent::Message(message)) => match message.messages {
                Some(Messages::Measured(_)) => measured += 1,
                Some(Messages::Denied(_)) => denied += 1,
                Some(Messages::Day(day)) => {
                    client.finish();
                    if (measured, denied) != (day.readings, day.refused) {
                        return Err(format!("heard of {measured} and {denied}: {day:?}").into());
                    }
                    return Ok(format!(
                        "{} readings, {} garbled; {} orders, {} refused, {} done",
                        day.readings, day.garbled, day.orders, day.refused, day.done
                    ));
                }
                None => {}
            },
            Some(ClientEvent::Disconnected(reason)) if measured > 0 => {
                return Err(format!("disconnected in the middle of the day: {reason}").into());
            }
            _ => {}
        }
    }
}
