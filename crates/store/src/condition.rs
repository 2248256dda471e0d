//! Whether the files of a store still take what they are given.

/// How one kind of file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileCondition {
    /// Its last write is durable.
    #[default]
    Sound,
    /// Its last write found no space. Nothing of it is kept, and the next may succeed.
    Full,
    /// A write or an fsync of it failed: pages that the system dropped look clean, so this process writes to it no more.
    Failed,
}

/// How the files of an open store are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Condition {
    /// The months of the journal.
    pub journal: FileCondition,
    /// `node.db`.
    pub node: FileCondition,
    /// `access.db`.
    pub access: FileCondition,
}

impl Condition {
    /// Each kind of file with its name: `journal`, `node`, `access`.
    pub fn each(&self) -> [(&'static str, FileCondition); 3] {
        [("journal", self.journal), ("node", self.node), ("access", self.access)]
    }
}
