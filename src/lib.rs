#![doc = include_str!("../README.md")]

mod mmap;
mod sync;

pub mod message_bus;
pub mod traits;
