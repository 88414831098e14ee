//! Messages on their way to the bus.

use super::incoming::In;
use super::settled::Receipt;
use crate::connection::lock;
use crate::error::BridgeError;
use crate::protocol::MessageHead;
use async_nats::Message;
use rust_messenger::traits::{Import, ImportError, MessageBus, WriteError};

/// Writes what comes of one incarnation.
pub(super) struct Importer {
    incarnation: u64,
    import: Box<dyn Import>,
}

impl<B: MessageBus> In<B> {
    /// The importer of that incarnation.
    pub(super) fn importer(&mut self, incarnation: u64) -> Result<&mut dyn Import, BridgeError> {
        let is_it = self.importer.as_ref().is_some_and(|importer| importer.incarnation == incarnation);
        if !is_it {
            self.importer = None; // There is one for a node at a time.
        }
        let node = self.names.node();
        let importer = match self.importer.take() {
            Some(importer) => importer,
            None => {
                let import = self.bus.importer(node, incarnation).map_err(|error| refused(node, error))?;
                Importer { incarnation, import }
            }
        };
        Ok(self.importer.insert(importer).import.as_mut())
    }

    pub(super) fn write(
        &mut self,
        receipt: Option<Receipt>,
        message: Message,
        head: Box<MessageHead>,
    ) -> Result<(), BridgeError> {
        let importer = self.importer(head.origin.incarnation)?;
        match importer.try_write(head.position, head.source, head.message, &message.payload) {
            Ok(()) => lock(&self.stats).written += 1,
            Err(ImportError::AlreadyThere { .. }) => lock(&self.stats).again += 1,
            Err(ImportError::Write(WriteError::TooLarge { .. })) => lock(&self.stats).too_large += 1,
            Err(ImportError::Write(WriteError::Full | WriteError::NoSpace | WriteError::Closed)) => {
                self.hold(receipt, message, head);
                return Ok(());
            }
            Err(error) => return Err(refused(self.names.node(), error)),
        }
        self.settle(receipt);
        Ok(())
    }
}

fn refused(node: &str, error: ImportError) -> BridgeError {
    BridgeError::Import { node: node.to_owned(), error }
}
