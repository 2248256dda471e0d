//! What a client sees of the store. Every interaction looks through it, so that what is not granted is as if it were not
//! there: it is left out before anything is counted, cut or paged, and asked for by id it answers as nothing does.
//!
//! A type that no scope names is refused as a whole (403), which tells nothing of any resource.

mod binary;
mod bound;
mod condition;
mod consent;
mod history;
mod labels;

#[cfg(feature = "clinical")]
use std::collections::HashSet;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
#[cfg(feature = "clinical")]
use fhir::{Issue, Reference};
use fhir::{IssueCode, ResourceType};
use serde_json::Value;
use smart::{Granted, Permission, Permissions};
#[cfg(feature = "clinical")]
use store::{Act, WriteMethod};
use store::{Page, ResourceKey, Resources, Stored};

pub(crate) use self::bound::Bound;
use self::condition::Condition;
pub(crate) use self::consent::{Denials, Denied};
use crate::auth::Client;
use crate::interaction::is_binary;
use crate::outcome::Failure;
#[cfg(feature = "clinical")]
use crate::server::Role;
use crate::server::Server;

/// The port for resources. Only a client's sight looks through it.
#[derive(Clone)]
pub struct Protected(Arc<dyn Resources>);

impl<R: Resources + 'static> From<Arc<R>> for Protected {
    fn from(resources: Arc<R>) -> Self {
        Self(resources)
    }
}

/// The resources of a server as one client sees them.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    server: &'a Server,
    granted: &'a Granted,
    denied: &'a Denied,
}

impl Server {
    /// What patients deny to a client, as it stands now; nothing to the node's own tokens.
    ///
    /// # Errors
    /// 503 when that cannot be read.
    pub(crate) async fn denied(&self, client: &Client) -> Result<Denied, Failure> {
        match &client.granted {
            Granted::Everything(_) => Ok(Denied::default()),
            Granted::Scoped(_) => self.denials.of(self.fhir.resources.0.as_ref(), &client.name).await,
        }
    }

    /// What this client sees.
    pub(crate) fn sight<'a>(&'a self, client: &'a Client) -> Sight<'a> {
        Sight { server: self, granted: &client.granted, denied: &client.denied }
    }
}

impl<'a> Sight<'a> {
    fn port(self) -> &'a dyn Resources {
        self.server.fhir.resources.0.as_ref()
    }

    /// Whether every resource is seen, so that nothing must be looked at twice.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self.granted, Granted::Everything(_))
    }

    /// # Errors
    /// 403 when the permission is granted for no resource of this type.
    pub(crate) fn require(self, permission: Permission, of: ResourceType) -> Result<(), Failure> {
        if self.granted.may(permission, of) { Ok(()) } else { Err(self.forbidden()) }
    }

    /// # Errors
    /// 403 when the permission is granted for no type.
    pub(crate) fn require_at_all(self, permission: Permission) -> Result<(), Failure> {
        if self.granted.may_at_all(permission) { Ok(()) } else { Err(self.forbidden()) }
    }

    /// What holds of the resources of a type for which one of these permissions is granted.
    fn condition(self, of: ResourceType, any: Permissions) -> Condition {
        Condition::of(self.server, (self.granted, self.denied), of, any)
    }

    /// The current version, deletions included.
    ///
    /// # Errors
    /// 403 for a type that may not be read.
    pub(crate) async fn read(self, key: &ResourceKey) -> Result<Option<Stored>, Failure> {
        self.require(Permission::Read, key.resource_type)?;
        let stored = self.port().read(key).await?;
        self.seen(stored, Permissions::of(&[Permission::Read])).await
    }

    /// One version, of a resource that the client sees today.
    ///
    /// # Errors
    /// As [`Sight::read`].
    pub(crate) async fn vread(self, key: &ResourceKey, version: u32) -> Result<Option<Stored>, Failure> {
        self.require(Permission::Read, key.resource_type)?;
        let any = Permissions::of(&[Permission::Read]);
        let stored = self.seen(self.port().vread(key, version).await?, any).await?;
        if stored.is_some() && !self.is_seen_today(key, any).await? {
            return Ok(None);
        }
        Ok(stored)
    }

    /// Whether the client sees a resource as it stands. What it does not see today has no history to it: a label that came
    /// later hides what was there before.
    async fn is_seen_today(self, key: &ResourceKey, any: Permissions) -> Result<bool, Failure> {
        if self.is_whole() {
            return Ok(true);
        }
        let today = self.port().read(key).await?;
        Ok(self.seen(today, any).await?.is_some())
    }

    /// One page of matches.
    ///
    /// # Errors
    /// As the port's.
    pub(crate) async fn search(self, search: &Bound) -> Result<Page, Failure> {
        Ok(self.port().search(search.as_search()).await?)
    }

    /// What stands live and may be changed so.
    ///
    /// # Errors
    /// As the port's.
    #[cfg(feature = "clinical")]
    pub(crate) async fn standing(
        self,
        key: &ResourceKey,
        permission: Permission,
    ) -> Result<Option<Stored>, Failure> {
        let stored = self.port().read(key).await?;
        if self.is_whole() {
            return Ok(stored);
        }
        let live = stored.filter(|stored| !stored.deleted);
        self.seen(live, Permissions::of(&[permission])).await
    }

    /// # Errors
    /// 403 when a resource that the client sees may not be changed so.
    #[cfg(feature = "clinical")]
    pub(crate) async fn may_change(self, found: &Stored, permission: Permission) -> Result<(), Failure> {
        match self.seen(Some(found.clone()), Permissions::of(&[permission])).await? {
            Some(_) => Ok(()),
            None => Err(self.forbidden()),
        }
    }

    /// Whether what an act writes may be written: a client of scopes writes what it could then change again, of no other
    /// patient, with references to what it sees. `among`: what the same request changes.
    ///
    /// # Errors
    /// 403 when the content is not covered, 422 as for a reference to nothing.
    #[cfg(feature = "clinical")]
    pub(crate) async fn admit(self, act: &Act, among: &HashSet<ResourceKey>) -> Result<(), Failure> {
        let Some(content) = act.content.as_ref().filter(|_| !self.is_whole()) else { return Ok(()) };
        let content = content.expose();
        let creates = act.method == WriteMethod::Post;
        self.accept(content, if creates { Permission::Create } else { Permission::Update })?;
        let mut targets = Vec::new();
        fhir::references(content, &mut |location, text| {
            if let Reference::Relative { resource_type, id, .. } = Reference::parse(text) {
                targets.push((location.to_owned(), ResourceKey { resource_type, id: id.to_owned() }));
            }
        });
        let mut unknown = Vec::new();
        for (location, key) in targets {
            if key != act.key && !among.contains(&key) && !self.knows(&key).await? {
                let text = "the resource that is referred to does not exist";
                unknown.push(Issue::error(IssueCode::NotFound, location, text));
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Failure::of_issues(StatusCode::UNPROCESSABLE_ENTITY, unknown))
    }

    /// Whether resources of a type may be created.
    #[cfg(feature = "clinical")]
    pub(crate) fn may_create(self, of: ResourceType) -> bool {
        self.granted.may(Permission::Create, of)
    }

    /// The role whose resources are seen.
    #[cfg(feature = "clinical")]
    pub(crate) fn role(self) -> &'static Role {
        self.server.role
    }

    /// Whether a content is covered by what is granted.
    ///
    /// # Errors
    /// 403 when it is not.
    #[cfg(feature = "clinical")]
    pub(crate) fn accept(self, content: &Value, permission: Permission) -> Result<(), Failure> {
        let of = ResourceType::of(content).ok_or_else(Failure::internal)?;
        let any = Permissions::of(&[permission]);
        let mut grants = self.granted.grants(of, any);
        let is_covered = |grant| Condition::covers(self.server, (grant, self.denied), of, any, content);
        if self.whole_has(any) || grants.any(is_covered) { Ok(()) } else { Err(self.forbidden()) }
    }

    /// Whether the client sees what a content refers to; a patient that it was given the resources of it knows.
    ///
    /// # Errors
    /// As the port's.
    #[cfg(feature = "clinical")]
    async fn knows(self, key: &ResourceKey) -> Result<bool, Failure> {
        if key.resource_type.as_str() == "Patient" && self.granted.knows_patient(&key.id) {
            return Ok(true);
        }
        let stored = self.port().read(key).await?.filter(|stored| !stored.deleted);
        Ok(self.seen(stored, Permissions::READ).await?.is_some())
    }

    /// A version if the client sees it. Of a deletion there is nothing to see, so the version before it decides.
    async fn seen(self, stored: Option<Stored>, any: Permissions) -> Result<Option<Stored>, Failure> {
        let Some(stored) = stored.filter(|_| !self.is_whole() || self.whole_has(any)) else {
            return Ok(None);
        };
        if self.is_whole() {
            return Ok(Some(stored));
        }
        let condition = self.condition(stored.key.resource_type, any);
        let decides = if stored.deleted {
            let Some(before) = stored.version.checked_sub(1) else { return Ok(None) };
            self.port().vread(&stored.key, before).await?.filter(|before| !before.deleted)
        } else {
            Some(stored.clone())
        };
        let Some(decides) = decides else { return Ok(None) };
        let content: Value = serde_json::from_slice(decides.body.expose()).map_err(|_| {
            tracing::error!("a stored resource cannot be read");
            Failure::internal()
        })?;
        let of = stored.key.resource_type;
        let holds = match is_binary(of) {
            true => self.sees_binary(of, &content, any).await?,
            false => condition.holds(&content),
        };
        Ok(holds.then_some(stored))
    }

    fn whole_has(self, any: Permissions) -> bool {
        matches!(self.granted, Granted::Everything(permissions) if permissions.meets(any))
    }

    /// 403 (RFC 6750 §3.1).
    pub(crate) fn forbidden(self) -> Failure {
        let text = match self.granted {
            Granted::Everything(_) => "this token may read and not write",
            Granted::Scoped(_) => "no scope of this token allows this",
        };
        let challenge = "Bearer realm=\"tidegate\", error=\"insufficient_scope\"";
        Failure::new(StatusCode::FORBIDDEN, IssueCode::Forbidden, text)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }
}
