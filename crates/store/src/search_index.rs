//! Search parameters that packages define: which there are, and how far their index is made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use fhir::{Audience, SearchParameter};
use serde_json::Value;

use crate::{IndexEntry, Result};

/// Makes the index of what packages define, part by part, beside all other work.
#[async_trait]
pub trait Indexing: Send + Sync {
    /// Makes the next part, in one transaction of a bounded size; what was made is kept whatever happens afterwards.
    /// `false`: all of it is there.
    ///
    /// # Errors
    /// When a resource cannot be read, or the part not written.
    async fn index_more(&self) -> Result<bool>;
}

/// The search parameters that packages define, of an open store. Clones see the same.
#[derive(Debug, Clone, Default)]
pub struct SearchIndex(Arc<Index>);

#[derive(Debug, Default)]
struct Index {
    by_type: BTreeMap<&'static str, Vec<Held>>,
    passes: BTreeMap<&'static str, Pass>,
    revision: AtomicU64,
}

/// One parameter of a type.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) parameter: &'static SearchParameter,
    /// Under which the index keeps its values.
    pub(crate) name: String,
    is_ready: AtomicBool,
}

impl Held {
    pub(crate) fn new(parameter: &'static SearchParameter, generation: i64, is_ready: bool) -> Self {
        let name = format!("{}{GENERATION}{generation}", parameter.code);
        Self { parameter, name, is_ready: AtomicBool::new(is_ready) }
    }

    /// Whether every resource is in its index.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }
}

/// Between code and generation; no code has it.
pub(crate) const GENERATION: char = '@';

/// A walk over the resources of a type.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    done: AtomicU64,
    total: AtomicU64,
    is_over: AtomicBool,
}

impl Pass {
    pub(crate) fn new(done: u64, total: u64) -> Self {
        Self { done: done.into(), total: total.into(), is_over: AtomicBool::new(false) }
    }
}

/// How far the index of a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    /// Every resource is in it.
    Ready,
    /// So many percent of the resources of its type were looked at, 99 at most.
    Building(u8),
}

/// A walk that is not over: rows of parameters that are new or changed are made, those of others removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The type whose resources are looked at.
    pub resource_type: &'static str,
    /// Codes that cannot be searched by until it is over.
    pub codes: Vec<&'static str>,
    /// Resources that were looked at.
    pub done: u64,
    /// Resources of the type when the walk began.
    pub total: u64,
}

/// What a database says of such parameters, for who reads it beside its node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeptIndex {
    /// Parameters whose index is made.
    pub ready: u64,
    /// Type and code of those whose index is being made.
    pub building: Vec<(String, String)>,
    /// Walks that are not over: type, resources that were looked at, and of how many.
    pub walks: Vec<(String, u64, u64)>,
}

impl SearchIndex {
    pub(crate) fn new(
        by_type: BTreeMap<&'static str, Vec<Held>>,
        passes: BTreeMap<&'static str, Pass>,
    ) -> Self {
        Self(Arc::new(Index { by_type, passes, revision: AtomicU64::new(0) }))
    }

    /// The parameters of a type, by code, with the state of each.
    pub fn of(&self, resource: &str) -> impl Iterator<Item = (&'static SearchParameter, IndexState)> {
        self.held(resource).iter().map(|held| {
            let building = || IndexState::Building(self.percent(resource));
            (held.parameter, if held.is_ready() { IndexState::Ready } else { building() })
        })
    }

    /// Every walk that is not over.
    pub fn pending(&self) -> Vec<Pending> {
        let open = self.0.passes.iter().filter(|(_, pass)| !pass.is_over.load(Ordering::Acquire));
        open.map(|(of, pass)| {
            let waiting = self.held(of).iter().filter(|held| !held.is_ready());
            Pending {
                resource_type: of,
                codes: waiting.map(|held| held.parameter.code).collect(),
                done: pass.done.load(Ordering::Acquire),
                total: pass.total.load(Ordering::Acquire),
            }
        })
        .collect()
    }

    /// How many parameters there are, and of how many every resource is in the index.
    pub fn counts(&self) -> (usize, usize) {
        let all = || self.0.by_type.values().flatten();
        (all().count(), all().filter(|held| held.is_ready()).count())
    }

    /// Another number whenever a parameter became ready.
    pub fn revision(&self) -> u64 {
        self.0.revision.load(Ordering::Acquire)
    }

    fn percent(&self, resource: &str) -> u8 {
        let Some(pass) = self.0.passes.get(resource) else { return 0 };
        let (done, total) = (pass.done.load(Ordering::Acquire), pass.total.load(Ordering::Acquire).max(1));
        u8::try_from((done.saturating_mul(100) / total).min(99)).unwrap_or(99)
    }

    pub(crate) fn held(&self, resource: &str) -> &[Held] {
        self.0.by_type.get(resource).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn find(&self, resource: &str, code: &str) -> Option<&Held> {
        self.held(resource).iter().find(|held| held.parameter.code == code)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.by_type.is_empty()
    }

    /// A parameter of R4, or of a package.
    pub(crate) fn parameter(&self, resource: &str, code: &str) -> Option<&'static SearchParameter> {
        let own = || self.find(resource, code).map(|held| held.parameter);
        fhir::r4().search_parameter(resource, code).or_else(own)
    }

    /// Values of a resource, under the codes of their parameters.
    pub(crate) fn entries(&self, resource: &Value, audience: Audience) -> Vec<IndexEntry> {
        let of = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let parameters = self.held(of).iter().map(|held| held.parameter);
        let entries = fhir::custom_entries(resource, parameters, audience).into_iter();
        entries.map(|(parameter, value)| IndexEntry { parameter, value }).collect()
    }

    /// Notes how far a walk has come.
    pub(crate) fn came_to(&self, resource: &str, done: u64) {
        if let Some(pass) = self.0.passes.get(resource) {
            pass.done.store(done, Ordering::Release);
        }
    }

    /// Notes that a walk is over: what was being made is there.
    pub(crate) fn over(&self, resource: &str) {
        if let Some(pass) = self.0.passes.get(resource) {
            pass.is_over.store(true, Ordering::Release);
        }
        self.held(resource).iter().for_each(|held| held.is_ready.store(true, Ordering::Release));
        self.0.revision.fetch_add(1, Ordering::AcqRel);
    }
}
