//! Where clients of the REST API ask for changes: each is checked where it is asked, and waits for its turn between messages.

use std::sync::Arc;

use async_trait::async_trait;
use fhir::{Issue, IssueCode, Reference, Severity};
use mapping::Package;
use serde_json::Value;
use store::{
    ACTS_MAX, Act, ClientOutcome, ClientRefusal, ClientWrite, ClientWrites, IndexEntry, ResourceBody,
    ResourceContent, ResourceKey,
};
use tokio::sync::{mpsc, oneshot};

use crate::owner::owner_of;
use crate::packages::Packages;
use crate::row;
use crate::state::weight_of;

/// Requests that wait for their turn; more wait where they are asked.
pub(crate) const WAITING_MAX: usize = 256;
/// Weight of the contents of a request above which it is checked on a thread of its own.
const INLINE_WEIGHT_MAX: usize = 256 * 1024;

/// The port of the pipeline for clients. It lasts as long as the pipeline runs; afterwards it refuses.
#[derive(Clone)]
pub struct Desk {
    pub(crate) sender: mpsc::Sender<Asked>,
    pub(crate) packages: Packages,
}

/// A request that was checked and waits.
pub(crate) struct Asked {
    pub(crate) write: ClientWrite,
    /// The contents of the acts, in their order.
    pub(crate) contents: Vec<Option<Content>>,
    pub(crate) reply: oneshot::Sender<store::Result<ClientOutcome>>,
}

/// What an act writes, with all that can be told of it by itself. It is worked out where the content is checked, for the
/// pipeline is one and those who ask are many.
pub(crate) struct Content {
    pub(crate) body: Arc<Value>,
    /// Whose resource it is.
    pub(crate) owner: Option<String>,
    /// Its literal references that are resolved here, each with its location.
    pub(crate) links: Vec<(String, Link)>,
    /// What is stored of it, until it is taken to be stored.
    image: Option<Image>,
}

/// What a reference names.
pub(crate) enum Link {
    /// A resource of this node.
    Here(ResourceKey),
    /// What a search finds.
    Conditional,
}

/// What is stored of a content: its canonical form, and what it is found by.
pub(crate) struct Image {
    pub(crate) body: ResourceBody,
    pub(crate) index: Vec<IndexEntry>,
}

impl Content {
    fn of(key: &ResourceKey, body: Arc<Value>) -> Self {
        let mut links = Vec::new();
        fhir::references(&body, &mut |location, reference| {
            let link = match Reference::parse(reference) {
                Reference::Relative { resource_type, id, .. } => {
                    Link::Here(ResourceKey { resource_type, id: id.to_owned() })
                }
                Reference::Conditional { .. } => Link::Conditional,
                _ => return,
            };
            links.push((location.to_owned(), link));
        });
        let (owner, image) = (owner_of(key, &body), Some(Image::of(&body)));
        Self { body, owner, links, image }
    }

    /// Resources of this node that it refers to.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &ResourceKey> {
        self.links.iter().filter_map(|(_, link)| match link {
            Link::Here(key) => Some(key),
            Link::Conditional => None,
        })
    }

    /// What is stored of this body, which is most often the content's own.
    pub(crate) fn image_of(&mut self, body: &Arc<Value>) -> Image {
        let own = if Arc::ptr_eq(body, &self.body) { self.image.take() } else { None };
        own.unwrap_or_else(|| Image::of(body))
    }
}

impl Image {
    pub(crate) fn of(body: &Value) -> Self {
        Self { body: ResourceBody::new(fhir::canonical_json(body)), index: row::index_of(body) }
    }

    /// What is stored of a deletion.
    pub(crate) fn of_deletion() -> Self {
        Self { body: ResourceBody::new(Vec::new()), index: Vec::new() }
    }
}

/// Why a request cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(&'static str);

pub(crate) fn unavailable(reason: &'static str) -> store::Error {
    store::Error::Unavailable(Box::new(Said(reason)))
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Desk({} waiting)", WAITING_MAX.saturating_sub(self.sender.capacity()))
    }
}

#[async_trait]
impl ClientWrites for Desk {
    async fn write(&self, write: ClientWrite) -> store::Result<ClientOutcome> {
        if write.acts.len() > ACTS_MAX {
            return Err(store::Error::TooCostly("more acts than one write may have"));
        }
        let package = self.packages.current();
        let contents = write.acts.iter().filter_map(|act| act.content.as_ref());
        let weight: usize = contents.map(|content| weight_of(content.expose())).sum();
        let checked = if weight > INLINE_WEIGHT_MAX {
            let checking = tokio::task::spawn_blocking(move || (checked(&package, &write.acts), write));
            checking.await.map_err(|_| unavailable("a check did not finish"))?
        } else {
            (checked(&package, &write.acts), write)
        };
        let (contents, write) = match checked {
            (Ok(contents), write) => (contents, write),
            (Err(refusal), _) => return Ok(ClientOutcome::Refused(refusal)),
        };
        let (reply, answer) = oneshot::channel();
        let ended = || unavailable("nothing is written any more");
        self.sender.send(Asked { write, contents, reply }).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    fn check(&self, content: &ResourceContent) -> Vec<Issue> {
        issues(&self.packages.current(), content.expose())
    }
}

/// The contents, all of which may be written.
fn checked(package: &Package, acts: &[Act]) -> Result<Vec<Option<Content>>, ClientRefusal> {
    let mut contents = Vec::with_capacity(acts.len());
    for (position, act) in acts.iter().enumerate() {
        let Some(content) = &act.content else {
            contents.push(None);
            continue;
        };
        let mut found = issues(package, content.expose());
        found.extend(misnamed(&act.key, content.expose()));
        if found.iter().any(Issue::is_error) {
            found.retain(Issue::is_error);
            return Err(ClientRefusal::Invalid(position, found));
        }
        contents.push(Some(Content::of(&act.key, content.clone().into_exposed())));
    }
    Ok(contents)
}

/// R4 with its invariants, and the profiles that the resource names or the site demands: a broken profile refuses where the
/// site's messages are held for it.
fn issues(package: &Package, value: &Value) -> Vec<Issue> {
    let mut found = fhir::validate(value);
    if found.iter().any(Issue::is_error) || package.profiles().packages().is_empty() {
        return found;
    }
    let validated = package.validate(None, [value]);
    let is_refused = validated.refused.is_some();
    found.extend(validated.issues.into_iter().map(|issue| Issue {
        severity: if is_refused { issue.severity } else { issue.severity.max(Severity::Warning) },
        code: issue.code,
        location: issue.path,
        text: issue.text,
    }));
    found
}

/// The content must say the type and id under which it is kept.
fn misnamed(key: &ResourceKey, value: &Value) -> Option<Issue> {
    let name = key.resource_type.as_str();
    let says = |member: &str| value.get(member).and_then(Value::as_str);
    let is_same = says("resourceType") == Some(name) && says("id") == Some(&key.id);
    (!is_same)
        .then(|| Issue::error(IssueCode::Invalid, format!("{name}.id"), "the id is not that of the request"))
}
