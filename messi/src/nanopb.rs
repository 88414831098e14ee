//! Messages in C: descriptors for nanopb 0.4.

use crate::{Error, Generated, Model};

pub(crate) fn generate(model: &Model) -> Result<Vec<Generated>, Error> {
    let _ = model;
    Ok(Vec::new())
}
