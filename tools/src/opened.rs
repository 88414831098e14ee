//! A journal that was opened, with what its header says.

use crate::failure::Failure;
use crate::names::Names;
use crate::output::{Outcome, warn};
use rust_messenger::message_bus::{HeaderDamage, Info, Journal};
use std::path::Path;

/// A journal and its header.
#[derive(Debug)]
pub struct Opened {
    pub journal: Journal,
    pub info: Info,
    pub names: Names,
}

impl Opened {
    pub fn new(path: &Path) -> Result<Opened, Failure> {
        let journal = Journal::open(path)?;
        let info = journal.info()?;
        let names = Names::of(info.table.clone());
        Ok(Opened { journal, info, names })
    }

    /// Says what of the header makes the rest look other than it is.
    pub fn warn(&self, path: &Path) -> Outcome {
        let is_table_damaged = self.info.damage.contains(&HeaderDamage::Table);
        if is_table_damaged {
            warn(&format!("{}: a routing table in the header is damaged: names may be missing or old", path.display()));
        }
        if self.info.missing != 0 {
            warn(&format!(
                "{}: {} bytes are missing at the end: the file was cut off",
                path.display(),
                self.info.missing
            ));
        }
        Outcome::damaged_if(is_table_damaged || self.info.missing != 0)
    }
}
