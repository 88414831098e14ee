//! A real server, which is killed, set back, filled and taken away. `NATS_SERVER` names the program, `nats-server` unless it
//! is set; without it these tests say so and pass, or fail where `NOTHING_SKIPPED` is set.
#![cfg(unix)]

mod access;
mod bridge;
mod inlet;
mod lives;
mod outlet;
mod proxy;
mod refusals;
mod sleeps;
mod status;
mod support;
mod takes;
