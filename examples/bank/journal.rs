//! The bus of a bank that keeps what was said.

use rust_messenger::routing::Table;
use std::error::Error;

#[cfg(unix)]
pub fn open(path: &str, table: &'static Table<'static>) -> Result<rust_messenger::PersistentBus, Box<dyn Error>> {
    let options = rust_messenger::PersistentOptions::default().table(table);
    let (bus, recovered) = rust_messenger::PersistentBus::open(path, options)?;
    eprintln!("{recovered}");
    Ok(bus)
}

#[cfg(not(unix))]
pub fn open(_: &str, _: &'static Table<'static>) -> Result<rust_messenger::CircularBus, Box<dyn Error>> {
    Err("journals want Unix".into())
}
