//! What clients of the REST API change: the port they are asked through, and the guards under which it is written.

use std::sync::Arc;

use async_trait::async_trait;
use fhir::Issue;
use serde_json::Value;
use uuid::Uuid;

use crate::{DecidedSet, Micros, ResourceBody, ResourceKey, Result, Search, WriteMethod};

/// Acts of one write; a larger one is refused by whoever asks.
pub const ACTS_MAX: usize = 10_000;

/// What must hold when a set is written. It is looked at inside the writer's transaction, so that nothing comes between.
#[derive(Debug, Clone)]
pub enum Guard {
    /// The resource's last version is this one, its deletion included; 0: it never existed.
    Version {
        /// Which resource.
        key: ResourceKey,
        /// Its version.
        version: u32,
    },
    /// The resource stands.
    Live(ResourceKey),
    /// The resource does not stand: it never existed or is deleted.
    Absent(ResourceKey),
    /// Nothing matches.
    NoMatch(Search),
    /// This one matches and no other.
    OnlyMatch {
        /// What is looked for.
        search: Search,
        /// What must be found.
        key: ResourceKey,
    },
}

/// A set with what must hold when it is written.
#[derive(Debug)]
pub struct GuardedSet {
    /// All must hold before anything of the set is written.
    pub guards: Vec<Guard>,
    /// What is written.
    pub set: DecidedSet,
}

/// All that one request changes: done as a whole or not at all.
#[derive(Debug)]
pub struct ClientWrite {
    /// The request's id, as it stands in the records of the act.
    pub request: Uuid,
    /// Who asks.
    pub client: String,
    /// What must hold.
    pub guards: Vec<Guard>,
    /// At most one of each resource.
    pub acts: Vec<Act>,
}

/// The content of a resource as its elements: read once where it comes from, and shared by all that look at it. PHI: `Debug`
/// prints `[phi]`, and there is no `Serialize`, `Display` or `AsRef`.
#[derive(Clone)]
pub struct ResourceContent(Arc<Value>);

impl ResourceContent {
    /// A content of these elements.
    pub fn new(elements: Value) -> Self {
        Self(Arc::new(elements))
    }

    /// The elements, for who may see them.
    pub fn expose(&self) -> &Value {
        &self.0
    }

    /// The elements, to be changed; they are copied when others share them.
    pub fn expose_mut(&mut self) -> &mut Value {
        Arc::make_mut(&mut self.0)
    }

    /// The elements, shared.
    pub fn into_exposed(self) -> Arc<Value> {
        self.0
    }
}

impl std::fmt::Debug for ResourceContent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[phi]")
    }
}

/// What becomes of one resource.
#[derive(Debug, Clone)]
pub struct Act {
    /// Which.
    pub key: ResourceKey,
    /// How it was asked for.
    pub method: WriteMethod,
    /// Its new content, with this id; `None`: it is deleted.
    pub content: Option<ResourceContent>,
}

/// What became of a write.
#[derive(Debug)]
pub enum ClientOutcome {
    /// It is durable: one for each act, in their order.
    Written(Vec<Written>),
    /// Nothing of it was written.
    Refused(ClientRefusal),
}

/// What became of one act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its current version; 0 when what was to be deleted never existed.
    pub version: u32,
    /// When that version was made.
    pub updated_us: Micros,
    /// Whether nothing stood there before.
    pub created: bool,
    /// The content as it stands; `None` after a deletion.
    pub body: Option<ResourceBody>,
}

/// Why nothing was written.
#[derive(Debug)]
pub enum ClientRefusal {
    /// The guard at this position does not hold.
    Guard(usize),
    /// The resource of the act at this position is made of messages: it is corrected where they come from.
    Derived(usize),
    /// The act at this position cannot be done for these reasons.
    Invalid(usize, Vec<Issue>),
}

/// Changes resources for clients. Every change goes the way of a message's: validated, labelled, decided, de-identified and
/// verified for each destination, and recorded in the same commit.
#[async_trait]
pub trait ClientWrites: Send + Sync {
    /// Returns after the commit is durable. Writes are done in the order in which they are asked for.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] and [`crate::Error::Full`] when it cannot be done now; whether it was done is not known
    /// when the future is dropped before.
    async fn write(&self, write: ClientWrite) -> Result<ClientOutcome>;

    /// What [`ClientWrites::write`] would find in a resource: errors refuse it, the rest is only said.
    fn check(&self, content: &ResourceContent) -> Vec<Issue>;
}
