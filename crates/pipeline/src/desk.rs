//! Where clients of the REST API ask for changes: each is checked where it is asked, and waits for its turn between messages.

use async_trait::async_trait;
use fhir::{Issue, IssueCode, Severity};
use mapping::Package;
use serde_json::Value;
use store::{
    ACTS_MAX, Act, ClientOutcome, ClientRefusal, ClientWrite, ClientWrites, ResourceBody, ResourceKey,
};
use tokio::sync::{mpsc, oneshot};

use crate::packages::Packages;

/// Requests that wait for their turn; more wait where they are asked.
pub(crate) const WAITING_MAX: usize = 256;
/// Bytes of a request above which it is checked on a thread of its own.
const INLINE_BYTES_MAX: usize = 64 * 1024;

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

/// What an act writes.
pub(crate) struct Content {
    pub(crate) body: Value,
    /// Every literal reference of it with its location. They are looked for where the content is checked, for the pipeline is
    /// one and those who ask are many.
    pub(crate) references: Vec<(String, String)>,
}

impl Content {
    fn of(body: Value) -> Self {
        let mut references = Vec::new();
        fhir::references(&body, &mut |location, reference| {
            references.push((location.to_owned(), reference.to_owned()));
        });
        Self { body, references }
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
        let bytes: usize = write.acts.iter().filter_map(|act| Some(act.body.as_ref()?.expose().len())).sum();
        let checked = if bytes > INLINE_BYTES_MAX {
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

    fn check(&self, body: &ResourceBody) -> Vec<Issue> {
        match serde_json::from_slice(body.expose()) {
            Ok(value) => issues(&self.packages.current(), &value),
            Err(_) => vec![Issue::error(IssueCode::Structure, "", "the content is no JSON")],
        }
    }
}

/// The contents, all of which may be written.
fn checked(package: &Package, acts: &[Act]) -> Result<Vec<Option<Content>>, ClientRefusal> {
    let mut contents = Vec::with_capacity(acts.len());
    for (position, act) in acts.iter().enumerate() {
        let Some(body) = &act.body else {
            contents.push(None);
            continue;
        };
        let invalid = |issues| ClientRefusal::Invalid(position, issues);
        let value: Value = serde_json::from_slice(body.expose())
            .map_err(|_| invalid(vec![Issue::error(IssueCode::Structure, "", "the content is no JSON")]))?;
        let mut found = issues(package, &value);
        found.extend(misnamed(&act.key, &value));
        if found.iter().any(Issue::is_error) {
            found.retain(Issue::is_error);
            return Err(invalid(found));
        }
        contents.push(Some(Content::of(value)));
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
