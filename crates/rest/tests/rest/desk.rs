//! A clinical store with the plainest port for writes: R4 alone is checked, nothing is released. What stands between the port
//! and the commit is the pipeline's matter, and tested there.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use audit::{Actor, Kind, Record};
use axum::Router;
use fhir::{Audience, CustomParameters, Issue};
use rest::{Permission, TokenSet, token_hash};
use serde_json::Value;
use store::sqlite::{Options, Role, Sqlite};
use store::{
    Answers, Apply, ClientOutcome, ClientRefusal, ClientWrite, ClientWrites, DecidedSet, Error, Guard,
    GuardedSet, IndexEntry, Origin, ResourceBody, ResourceContent, ResourceVersion, Resources, Result,
    Written,
};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::answer::{Answer, send};
use crate::fake::{AT, Records, node};

/// The port.
pub struct Desk {
    store: Arc<Sqlite>,
    turn: Mutex<()>,
}

/// A node in a folder that goes with it.
pub struct Writing {
    folder: PathBuf,
    pub store: Arc<Sqlite>,
    pub records: Arc<Records>,
    pub router: Router,
}

impl Drop for Writing {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.folder);
        assert!(removed.is_ok() || std::thread::panicking(), "the folder of a test stays behind");
    }
}

pub async fn writing() -> Writing {
    writing_with(|_| {}).await
}

/// The same, of a surface that `change` has changed.
pub async fn writing_with(change: impl FnOnce(&mut rest::Fhir)) -> Writing {
    defining(&[], &CustomParameters::default(), change).await
}

/// The same, of resources that stood before a package defined these search parameters.
pub async fn defining(
    resources: &[Value],
    parameters: &CustomParameters,
    change: impl FnOnce(&mut rest::Fhir),
) -> Writing {
    let folder = std::env::temp_dir().join(format!("rest-writes-{}", Uuid::new_v4()));
    let options = || Options { synchronous_full: false, read_connections: 4, now_us: || AT };
    if !resources.is_empty() {
        let before = Sqlite::open(&folder, Role::Clinical, options()).await.expect("opens");
        let versions = resources.iter().map(|resource| version(resource, 1, Origin::Package("p".into())));
        let set = set(versions.collect(), Vec::new());
        before.commit_guarded(vec![GuardedSet { guards: Vec::new(), set }]).await.expect("commits");
        before.close().await.expect("closes");
    }
    let store = Sqlite::open_indexing(&folder, Role::Clinical, options(), parameters).await.expect("opens");
    let mut node = node();
    node.fhir.resources = store.clone().into();
    node.fhir.index = store.search_index();
    node.fhir.writes = Some(Arc::new(Desk { store: store.clone(), turn: Mutex::new(()) }));
    node.fhir.tokens = TokenSet::with([
        ("writer".to_owned(), token_hash("good"), Permission::Write),
        ("reader".to_owned(), token_hash("reads"), Permission::Read),
    ]);
    change(&mut node.fhir);
    Writing { folder, store, records: node.records.clone(), router: rest::clinical(node.fhir) }
}

impl Writing {
    /// A request with a token for writing.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("authorization", "Bearer good")];
        all.extend_from_slice(headers);
        send(&self.router, method, path, &all, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &[], &body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask("PUT", path, &[], &body.to_string()).await
    }

    /// How many resources of a type there are.
    pub async fn count(&self, of: &str) -> u64 {
        let counts = self.store.counts().await.expect("reads");
        counts.into_iter().find(|(name, _)| name.as_str() == of).map_or(0, |(_, count)| count)
    }

    /// A resource as a message makes it.
    pub async fn derived(&self, resource: &Value) {
        let set = set(vec![version(resource, 1, Origin::Package("p".into()))], Vec::new());
        self.store.commit_guarded(vec![GuardedSet { guards: Vec::new(), set }]).await.expect("commits");
    }
}

fn version(resource: &Value, number: u32, origin: Origin) -> ResourceVersion {
    let resource_type = fhir::ResourceType::of(resource).expect("a type");
    ResourceVersion {
        key: store::ResourceKey { resource_type, id: resource["id"].as_str().expect("an id").to_owned() },
        version: number,
        updated_us: AT + i64::from(number),
        patient: None,
        deleted: false,
        body: ResourceBody::new(fhir::canonical_json(resource)),
        index: IndexEntry::all_of(resource, Audience::Identified),
        origin,
    }
}

fn set(versions: Vec<ResourceVersion>, records: Vec<Record>) -> DecidedSet {
    let (deliveries, pseudonyms) = (Vec::new(), Vec::new());
    DecidedSet { at_us: AT, versions, deliveries, pseudonyms, records, answers: Answers::Client }
}

#[async_trait]
impl ClientWrites for Desk {
    async fn write(&self, write: ClientWrite) -> Result<ClientOutcome> {
        let _turn = self.turn.lock().await;
        let mut guards = write.guards.clone();
        let (mut versions, mut written) = (Vec::new(), Vec::new());
        for (position, act) in write.acts.iter().enumerate() {
            let content = act.content.as_ref().map(ResourceContent::expose);
            let body = content.map(|content| ResourceBody::new(fhir::canonical_json(content)));
            let mut issues = content.map(fhir::validate).unwrap_or_default();
            issues.retain(Issue::is_error);
            if !issues.is_empty() {
                return Ok(ClientOutcome::Refused(ClientRefusal::Invalid(position, issues)));
            }
            let standing = self.store.read(&act.key).await?;
            if standing.as_ref().is_some_and(|stored| stored.origin.client().is_none()) {
                return Ok(ClientOutcome::Refused(ClientRefusal::Derived(position)));
            }
            let last = standing.as_ref().map_or(0, |stored| stored.version);
            let live = standing.filter(|stored| !stored.deleted);
            guards.push(Guard::Version { key: act.key.clone(), version: last });
            let told = |version: u32, updated_us| Written {
                version,
                updated_us,
                created: live.is_none() && body.is_some(),
                body: body.clone(),
            };
            if live.as_ref().map(|stored| &stored.body) == body.as_ref() {
                written.push(told(last, live.as_ref().map_or(0, |stored| stored.updated_us)));
                continue;
            }
            written.push(told(last + 1, AT + i64::from(last + 1)));
            let origin = Origin::Client { client: write.client.clone(), method: act.method };
            versions.push(match content {
                Some(content) => version(content, last + 1, origin),
                None => {
                    let name = act.key.resource_type.as_str();
                    let bare = serde_json::json!({"resourceType": name, "id": act.key.id});
                    let body = ResourceBody::new(Vec::new());
                    ResourceVersion { deleted: true, body, ..version(&bare, last + 1, origin) }
                }
            });
        }
        let record = Record::new(Kind::ResourceUpdated, write.request, "node-1", AT)
            .actor(Actor::Client(write.client.clone()));
        match self.store.commit_guarded(vec![GuardedSet { guards, set: set(versions, vec![record]) }]).await {
            Ok(()) => Ok(ClientOutcome::Written(written)),
            Err(Error::Guard { guard, .. }) => Ok(ClientOutcome::Refused(ClientRefusal::Guard(guard))),
            Err(error) => Err(error),
        }
    }

    fn check(&self, content: &ResourceContent) -> Vec<Issue> {
        fhir::validate(content.expose())
    }
}
