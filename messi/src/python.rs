//! Python that talks Messi.

use crate::{Error, Generated, Model, Side};

/// What is generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Which sides.
    pub side: Side,
}

/// The messages of all files, and the client and the server of each that has a protocol.
///
/// # Errors
///
/// If something has no right name in Python.
pub fn generate(model: &Model, options: &Options) -> Result<Vec<Generated>, Error> {
    let _ = (model, options);
    Ok(Vec::new())
}
