//! What create, update, patch, delete and transaction have in common: conditions, the way to the port, the answer.

mod answer;
mod criteria;
mod headers;
mod new_id;
mod raw;
mod wanted;

use std::collections::HashSet;
use std::future::Future;

use axum::http::StatusCode;
use axum::response::Response;
use fhir::{IssueCode, ResourceType};
use serde_json::Value;
use smart::Permission;
use store::{ClientOutcome, ClientRefusal, ClientWrite, Guard, ResourceContent};

pub(super) use self::answer::Done;
pub(super) use self::answer::status_text;
pub(super) use self::criteria::{conditional_reference, criteria, if_none_exist, only_match, query_criteria};
pub(super) use self::headers::{Preconditions, Prefer};
pub(super) use self::new_id::new_id;
pub(super) use self::raw::Sent;
pub(super) use self::wanted::{Address, Content, Failing, Resolved, Wanted, unfit};

use crate::audit::{Access, outcome_of};
use crate::auth::Client;
use crate::capacity::ATTEMPTS_MAX;
use crate::edge::RequestId;
use crate::outcome::Failure;
use crate::server::Server;
use crate::sight::Sight;

/// Who asks for a change, and where.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) server: &'a Server,
    pub(super) client: &'a Client,
    pub(super) request: RequestId,
}

impl Caller<'_> {
    /// Runs a change for a client that may make one; what is refused is recorded before it is told.
    pub(super) async fn change(
        self,
        of: &str,
        permission: Permission,
        work: impl Future<Output = Result<Response, Failure>>,
    ) -> Result<Response, Failure> {
        let permitted = async {
            match ResourceType::parse(of) {
                Some(of) => self.sight().require(permission, of)?,
                None => self.sight().require_at_all(permission)?,
            }
            work.await
        };
        self.recorded(of, permitted).await
    }

    /// # Errors
    /// 403 when the client may change nothing at all.
    pub(super) fn may_write(self) -> Result<(), Failure> {
        let changes = [Permission::Create, Permission::Update, Permission::Delete];
        let mut refused = changes.into_iter().map(|change| self.sight().require_at_all(change));
        let first = refused.next().unwrap_or(Ok(()));
        if refused.any(|other| other.is_ok()) { Ok(()) } else { first }
    }

    /// What the client sees.
    pub(super) fn sight(&self) -> Sight<'_> {
        self.server.sight(self.client)
    }

    /// Runs what may change something; what is refused is recorded before it is told.
    pub(super) async fn recorded(
        self,
        of: &str,
        work: impl Future<Output = Result<Response, Failure>>,
    ) -> Result<Response, Failure> {
        if self.server.fhir.writes.is_none() {
            return Err(not_served());
        }
        let done = work.await;
        if let Err(failure) = &done {
            self.record_refused(of, failure.status()).await?;
        }
        done
    }

    /// Commits the record of a refused change; of a type that is not served, none is named but `Bundle`.
    pub(super) async fn record_refused(self, of: &str, status: StatusCode) -> Result<(), Failure> {
        let known = ResourceType::parse(of).or_else(|| ResourceType::parse("Bundle"));
        let resource_type = known.ok_or_else(Failure::internal)?;
        let access = Access { client: self.client, request: self.request, resource_type };
        access.refused(self.server, outcome_of(status)).await
    }

    /// Does what one request wants, and looks again when something was written between the look and the write.
    pub(super) async fn run(self, wanted: &Wanted) -> Result<Done, Failure> {
        for _ in 0..ATTEMPTS_MAX {
            let Resolved { key, act, guards, found } = wanted.resolve(self.sight(), &HashSet::new()).await?;
            let Some(act) = act else { return Ok(Done::unwritten(found)) };
            let method = act.method;
            let (guards, failing): (Vec<Guard>, Vec<Failing>) = guards.into_iter().unzip();
            match self.submit(guards, vec![act]).await? {
                ClientOutcome::Written(written) => {
                    let written = written.into_iter().next().ok_or_else(Failure::internal)?;
                    let key = key.ok_or_else(Failure::internal)?;
                    return Ok(Done::written(key, method, written));
                }
                ClientOutcome::Refused(ClientRefusal::Guard(position)) => {
                    if let Some(Failing::Precondition(text)) = failing.get(position) {
                        return Err(Failure::precondition(*text));
                    }
                }
                ClientOutcome::Refused(refusal) => return Err(refused(refusal).1),
            }
        }
        Err(contended())
    }

    /// Asks the port.
    pub(super) async fn submit(
        self,
        guards: Vec<Guard>,
        acts: Vec<store::Act>,
    ) -> Result<ClientOutcome, Failure> {
        let writes = self.server.fhir.writes.as_ref().ok_or_else(not_served)?;
        let (request, client) = (self.request.0, self.client.name.clone());
        Ok(writes.write(ClientWrite { request, client, guards, acts }).await?)
    }
}

/// 405: this node does not write.
pub(super) fn not_served() -> Failure {
    let text = "this interaction is not served here";
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, IssueCode::NotSupported, text)
}

/// 409: others write the same all the time.
pub(super) fn contended() -> Failure {
    let text = "what it changes is being changed by others; try again";
    Failure::new(StatusCode::CONFLICT, IssueCode::Conflict, text)
}

/// The act that is refused, and how that is told.
pub(super) fn refused(refusal: ClientRefusal) -> (usize, Failure) {
    match refusal {
        ClientRefusal::Derived(act) => {
            let text = "this resource is made of HL7 v2 messages; it is corrected at its source";
            (act, Failure::new(StatusCode::CONFLICT, IssueCode::BusinessRule, text))
        }
        ClientRefusal::Invalid(act, issues) => {
            (act, Failure::of_issues(StatusCode::UNPROCESSABLE_ENTITY, issues))
        }
        ClientRefusal::Guard(_) => (0, contended()),
    }
}

/// A resource of the type that the address names, without what the server alone says of it.
///
/// # Errors
/// 400 when it is of another type; 422 when it is what `_summary` or `_elements` left of one.
pub(super) fn sent(of: ResourceType, mut resource: Value) -> Result<Value, Failure> {
    let structure = |text: &'static str| Failure::bad_request(IssueCode::Structure, text);
    let members = resource.as_object_mut().ok_or_else(|| structure("a resource is expected"))?;
    match members.get("resourceType").and_then(Value::as_str) {
        None => return Err(structure("resourceType is absent")),
        Some(name) if name != of.as_str() => {
            let text = "the resource is not of the type that the address names";
            return Err(Failure::bad_request(IssueCode::Invalid, text));
        }
        Some(_) => {}
    }
    if let Some(meta) = members.get_mut("meta").and_then(Value::as_object_mut) {
        for own in ["versionId", "lastUpdated"] {
            if meta.get(own).is_some_and(Value::is_string) {
                meta.remove(own);
            }
        }
        let tags = meta.get("tag").and_then(Value::as_array);
        let is_part = |tag: &Value| tag.get("code").and_then(Value::as_str) == Some("SUBSETTED");
        if tags.into_iter().flatten().any(is_part) {
            let text = "a resource that is marked SUBSETTED is not whole and is not written";
            return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, IssueCode::BusinessRule, text));
        }
        if meta.is_empty() {
            members.remove("meta");
        }
    }
    Ok(resource)
}

/// The id that a resource says it has.
///
/// # Errors
/// 400 when it is no id.
pub(super) fn own_id(resource: &Value) -> Result<Option<&str>, Failure> {
    match resource.get("id") {
        None => Ok(None),
        Some(Value::String(id)) if fhir::is_resource_id(id) => Ok(Some(id)),
        Some(_) => Err(Failure::bad_request(IssueCode::Value, "the resource's id is no id")),
    }
}

/// Gives a resource its id, unless it has it.
pub(super) fn with_id(mut resource: ResourceContent, id: &str) -> ResourceContent {
    if resource.expose().get("id").and_then(Value::as_str) != Some(id) {
        set_id(resource.expose_mut(), id);
    }
    resource
}

fn set_id(resource: &mut Value, id: &str) {
    if let Some(members) = resource.as_object_mut() {
        members.insert("id".to_owned(), Value::String(id.to_owned()));
    }
}
