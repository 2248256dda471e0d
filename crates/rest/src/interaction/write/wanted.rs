//! What a change wants, and what that comes to over what stands: one act, under the guards that make it so.

use std::collections::HashSet;

use axum::http::StatusCode;
use fhir::{IssueCode, ResourceType};
use serde_json::Value;
use smart::Permission;
use store::{Act, Guard, ResourceContent, ResourceKey, Stored, WriteMethod};

use super::criteria::only_match;
use super::headers::{IfMatch, Preconditions};
use super::new_id::new_id;
use super::{own_id, sent, with_id};
use crate::interaction::outward;
use crate::outcome::Failure;
use crate::patch::{Patch, Refused};
use crate::server::Role;
use crate::sight::{Bound, Sight};

const STALE: &str = "the resource does not stand in the version that If-Match names";
const EXISTS: &str = "the resource exists, and If-None-Match says that it must not";
const UNCHOSEN: &str =
    "nothing matches the criteria, and a client of scopes does not choose the id of what it creates";
const ID_TAKEN: &str = "nothing matches the criteria, and a resource of this id exists";

/// One change as it is asked for.
#[derive(Clone)]
pub(in crate::interaction) struct Wanted {
    pub(in crate::interaction) of: ResourceType,
    pub(in crate::interaction) to: Address,
    pub(in crate::interaction) content: Content,
    pub(in crate::interaction) conditions: Preconditions,
}

/// Which resource is meant.
#[derive(Clone)]
pub(in crate::interaction) enum Address {
    /// A new one, under this id.
    New(String),
    /// A new one under this id, unless something matches.
    Unless(String, Bound),
    /// The one of this id.
    Id(String),
    /// The one that matches.
    Match(Bound),
}

/// What becomes of it.
#[derive(Clone)]
pub(in crate::interaction) enum Content {
    Resource(ResourceContent),
    Patch(Patch),
    Nothing,
}

impl Content {
    /// A resource of these elements.
    pub(in crate::interaction) fn of(resource: Value) -> Self {
        Self::Resource(ResourceContent::new(resource))
    }
}

/// What a failed guard means.
#[derive(Debug, Clone, Copy)]
pub(in crate::interaction) enum Failing {
    /// The client's condition does not hold: 412 with these words.
    Precondition(&'static str),
    /// What was found is not so any more: look again.
    Again,
}

/// What a change comes to.
#[derive(Debug, Default)]
pub(in crate::interaction) struct Resolved {
    /// The resource that is meant; `None` where there is none.
    pub(in crate::interaction) key: Option<ResourceKey>,
    /// What is done; `None`: nothing.
    pub(in crate::interaction) act: Option<Act>,
    pub(in crate::interaction) guards: Vec<(Guard, Failing)>,
    /// The resource that stands already, and because of which nothing is done.
    pub(in crate::interaction) found: Option<Stored>,
}

impl Wanted {
    /// What the client needs to be granted.
    pub(in crate::interaction) fn permission(&self) -> Permission {
        match (&self.to, &self.content) {
            (Address::New(_) | Address::Unless(..), _) => Permission::Create,
            (_, Content::Nothing) => Permission::Delete,
            (_, Content::Resource(_) | Content::Patch(_)) => Permission::Update,
        }
    }

    /// Looks what stands, and whether the client may do what it wants. `among`: what the same request changes too, and what
    /// a content may therefore refer to.
    ///
    /// # Errors
    /// 403 where a scope is wanting, 404 and 410 where there is nothing to patch, 412 where a condition fails, 400 where ids differ, 422 where a patch
    /// does not fit.
    pub(in crate::interaction) async fn resolve(
        &self,
        sight: Sight<'_>,
        among: &HashSet<ResourceKey>,
    ) -> Result<Resolved, Failure> {
        sight.require(self.permission(), self.of)?;
        let resolved = self.looked(sight).await?;
        if let Some(act) = &resolved.act {
            sight.admit(act, among).await?;
        }
        Ok(resolved)
    }

    async fn looked(&self, sight: Sight<'_>) -> Result<Resolved, Failure> {
        match &self.to {
            Address::New(id) => self.write(id, WriteMethod::Post, Vec::new()),
            Address::Unless(id, search) => match only_match(sight, search).await? {
                Some(found) => Ok(Resolved {
                    key: Some(found.key.clone()),
                    guards: vec![only(search, &found.key)],
                    found: Some(found),
                    act: None,
                }),
                None => self.write(id, WriteMethod::Post, vec![none(search)]),
            },
            Address::Id(id) => self.by_id(sight, id).await,
            Address::Match(search) => match only_match(sight, search).await? {
                Some(found) => {
                    sight.may_change(&found, self.permission()).await?;
                    self.matched(sight, search, found)
                }
                None => self.unmatched(sight, search),
            },
        }
    }

    /// A client that does not see every resource changes what it sees, in the version that it was allowed to change; what it
    /// does not see is to it as what is not there.
    async fn by_id(&self, sight: Sight<'_>, id: &str) -> Result<Resolved, Failure> {
        let mut guards = self.conditions(id);
        let mut standing = None;
        if !sight.is_whole() || matches!(self.content, Content::Patch(_)) {
            standing = sight.standing(&self.key(id), self.permission()).await?;
        }
        if !sight.is_whole() {
            let Some(Stored { key, version, .. }) = &standing else { return self.absent() };
            guards.push((Guard::Version { key: key.clone(), version: *version }, Failing::Again));
        }
        match &self.content {
            Content::Resource(_) => self.write(id, WriteMethod::Put, guards),
            Content::Nothing => self.write(id, WriteMethod::Delete, guards),
            Content::Patch(patch) => self.patch(sight.role(), patch, standing, guards),
        }
    }

    /// What becomes of a change of nothing: a deletion has nothing to do.
    fn absent(&self) -> Result<Resolved, Failure> {
        match &self.content {
            Content::Nothing if self.conditions.if_match.is_some() => Err(Failure::precondition(STALE)),
            Content::Nothing => Ok(Resolved::default()),
            Content::Resource(_) | Content::Patch(_) => {
                Err(Failure::not_found("there is no such resource or version"))
            }
        }
    }

    fn matched(&self, sight: Sight<'_>, search: &Bound, found: Stored) -> Result<Resolved, Failure> {
        let mut guards = vec![only(search, &found.key)];
        if !sight.is_whole() {
            let (key, version) = (found.key.clone(), found.version);
            guards.push((Guard::Version { key, version }, Failing::Again));
        }
        guards.extend(self.conditions(&found.key.id));
        match &self.content {
            Content::Resource(resource) => {
                if own_id(resource.expose())?.is_some_and(|id| id != found.key.id) {
                    let text = "the resource's id is not that of the match";
                    return Err(Failure::bad_request(IssueCode::Invalid, text));
                }
                self.write(&found.key.id, WriteMethod::Put, guards)
            }
            Content::Nothing => self.write(&found.key.id, WriteMethod::Delete, guards),
            Content::Patch(patch) => self.patch(sight.role(), patch, Some(found), guards),
        }
    }

    /// Nothing matches: an update creates, a deletion has nothing to do, a patch has nothing to change.
    fn unmatched(&self, sight: Sight<'_>, search: &Bound) -> Result<Resolved, Failure> {
        if self.conditions.if_match.is_some() {
            return Err(Failure::precondition(STALE));
        }
        match &self.content {
            Content::Resource(_) if !sight.may_create(self.of) => Err(sight.forbidden()),
            Content::Resource(resource) => match own_id(resource.expose())? {
                // Whether it is taken would tell of what the client does not see.
                Some(_) if !sight.is_whole() => Err(Failure::precondition(UNCHOSEN)),
                Some(id) => {
                    let taken = (Guard::Absent(self.key(id)), Failing::Precondition(ID_TAKEN));
                    self.write(id, WriteMethod::Put, vec![none(search), taken])
                }
                None => {
                    sight.accept(resource.expose(), Permission::Create)?;
                    self.write(&new_id(), WriteMethod::Put, vec![none(search)])
                }
            },
            Content::Nothing => Ok(Resolved { guards: vec![none(search)], ..Resolved::default() }),
            Content::Patch(_) => Err(Failure::not_found("nothing matches the criteria")),
        }
    }

    fn key(&self, id: &str) -> ResourceKey {
        ResourceKey { resource_type: self.of, id: id.to_owned() }
    }

    /// The client's conditions, as guards.
    fn conditions(&self, id: &str) -> Vec<(Guard, Failing)> {
        let key = || self.key(id);
        let mut guards = Vec::new();
        if let Some(if_match) = self.conditions.if_match {
            if let IfMatch::Version(version) = if_match {
                guards.push((Guard::Version { key: key(), version }, Failing::Precondition(STALE)));
            }
            guards.push((Guard::Live(key()), Failing::Precondition(STALE)));
        }
        if self.conditions.if_none_match {
            guards.push((Guard::Absent(key()), Failing::Precondition(EXISTS)));
        }
        guards
    }

    fn write(
        &self,
        id: &str,
        method: WriteMethod,
        guards: Vec<(Guard, Failing)>,
    ) -> Result<Resolved, Failure> {
        let content = match &self.content {
            Content::Resource(resource) => Some(with_id(resource.clone(), id)),
            Content::Patch(_) | Content::Nothing => None,
        };
        Ok(self.act(self.key(id), method, content, guards))
    }

    fn act(
        &self,
        key: ResourceKey,
        method: WriteMethod,
        content: Option<ResourceContent>,
        guards: Vec<(Guard, Failing)>,
    ) -> Resolved {
        let act = Act { key: key.clone(), method, content };
        Resolved { key: Some(key), act: Some(act), guards, found: None }
    }

    fn patch(
        &self,
        role: &Role,
        patch: &Patch,
        standing: Option<Stored>,
        mut guards: Vec<(Guard, Failing)>,
    ) -> Result<Resolved, Failure> {
        let Some(standing) = standing else {
            return Err(Failure::not_found("there is no such resource or version"));
        };
        let (key, version) = (standing.key.clone(), standing.version);
        if let Some(IfMatch::Version(asked)) = self.conditions.if_match
            && asked != version
        {
            return Err(Failure::precondition(STALE));
        }
        if standing.deleted {
            return Err(Failure::new(StatusCode::GONE, IssueCode::Deleted, "the resource is deleted"));
        }
        if self.conditions.if_none_match {
            return Err(Failure::precondition(EXISTS));
        }
        let patched = patch.apply(&outward(&standing, role)?).map_err(unfit)?;
        let patched = with_id(ResourceContent::new(sent(self.of, patched)?), &key.id);
        guards.push((Guard::Version { key: key.clone(), version }, Failing::Again));
        Ok(self.act(key, WriteMethod::Patch, Some(patched), guards))
    }
}

fn only(search: &Bound, key: &ResourceKey) -> (Guard, Failing) {
    (Guard::OnlyMatch { search: search.as_search().clone(), key: key.clone() }, Failing::Again)
}

fn none(search: &Bound) -> (Guard, Failing) {
    (Guard::NoMatch(search.as_search().clone()), Failing::Again)
}

/// How a refused patch is told.
pub(in crate::interaction) fn unfit(refused: Refused) -> Failure {
    let (status, code, number, what) = match refused {
        Refused::Malformed(number, what) => (StatusCode::BAD_REQUEST, IssueCode::Structure, number, what),
        Refused::Unfit(number, what) => {
            (StatusCode::UNPROCESSABLE_ENTITY, IssueCode::Processing, number, what)
        }
        Refused::Test(number) => {
            (StatusCode::UNPROCESSABLE_ENTITY, IssueCode::Processing, number, "the test failed")
        }
    };
    let text = if number == 0 { what.to_owned() } else { format!("operation {number} of the patch: {what}") };
    Failure::new(status, code, text)
}
