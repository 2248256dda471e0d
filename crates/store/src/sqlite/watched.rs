//! What the writer and the checkpointer of a file find out about it, for all who want to know.

use std::sync::Arc;

use tokio::sync::watch;

use super::fault::is_fatal_cause;
use crate::{Condition, Error, FileCondition};

/// Which kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A month of the journal.
    #[cfg(feature = "clinical")]
    Journal,
    /// `node.db`.
    Node,
    /// `access.db`.
    Access,
}

/// The condition of a store as one kind of file sees and changes it.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    kind: Kind,
    sender: Arc<watch::Sender<Condition>>,
}

impl Watched {
    /// A kind of file of the store that `sender` tells of.
    pub fn new(kind: Kind, sender: &Arc<watch::Sender<Condition>>) -> Self {
        Self { kind, sender: Arc::clone(sender) }
    }

    /// Whether this process may write to it no more.
    pub fn has_failed(&self) -> bool {
        self.read() == FileCondition::Failed
    }

    /// Notes an error of a write, an fsync or a checkpoint.
    pub fn judge(&self, error: &Error) {
        match error {
            Error::Full => self.set(FileCondition::Full),
            _ if is_fatal_cause(error) => self.fail(),
            _ => {}
        }
    }

    /// Notes that the file is not to be written to any more.
    pub fn fail(&self) {
        if !self.has_failed() {
            let file = self.name();
            tracing::error!(
                file,
                "a write or an fsync failed: nothing more is acknowledged until the node is restarted"
            );
        }
        self.set(FileCondition::Failed);
    }

    /// Notes that a write is durable.
    pub fn took(&self) {
        if self.read() == FileCondition::Full {
            self.set(FileCondition::Sound);
        }
    }

    fn name(&self) -> &'static str {
        match self.kind {
            #[cfg(feature = "clinical")]
            Kind::Journal => "journal",
            Kind::Node => "node.db",
            Kind::Access => "access.db",
        }
    }

    fn read(&self) -> FileCondition {
        let condition = *self.sender.borrow();
        match self.kind {
            #[cfg(feature = "clinical")]
            Kind::Journal => condition.journal,
            Kind::Node => condition.node,
            Kind::Access => condition.access,
        }
    }

    fn set(&self, new: FileCondition) {
        self.sender.send_if_modified(|condition| {
            let place = match self.kind {
                #[cfg(feature = "clinical")]
                Kind::Journal => &mut condition.journal,
                Kind::Node => &mut condition.node,
                Kind::Access => &mut condition.access,
            };
            // What failed stays so: only a new process reads from the disk what the disk has.
            let is_new = *place != new && *place != FileCondition::Failed;
            if is_new {
                *place = new;
            }
            is_new
        });
    }
}
