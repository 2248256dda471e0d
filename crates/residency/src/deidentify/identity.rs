//! Ids and references under released ids.

use std::collections::{BTreeSet, HashMap};

use aws_lc_rs::hmac;
use serde_json::{Map, Value};

use super::Refusal;
use crate::profile::Profile;
use crate::pseudonym::{Pseudonym, Pseudonyms, Subject, dependent_id};

/// Where pseudonyms come from: the map, or nowhere while the needed ones are collected.
pub(super) enum Source<'a> {
    Map(&'a Pseudonyms),
    Collect(&'a mut BTreeSet<Subject>, &'a Pseudonym),
}

/// Names of everything one resource mentions.
pub(super) struct Identities<'a> {
    profile: &'a Profile,
    owner: Option<&'a str>,
    owner_key: Option<hmac::Key>,
    source: Source<'a>,
    /// New local ids of contained resources, by the old.
    contained: HashMap<String, String>,
    /// New local ids that something refers to.
    pub(super) referenced: BTreeSet<String>,
}

impl<'a> Identities<'a> {
    pub(super) fn new(profile: &'a Profile, owner: Option<&'a str>, source: Source<'a>) -> Self {
        Self {
            profile,
            owner,
            owner_key: None,
            source,
            contained: HashMap::new(),
            referenced: BTreeSet::new(),
        }
    }

    /// Released id of the resource itself.
    pub(super) fn root_id(&mut self, resource_type: fhir::ResourceType, id: &str) -> Result<String, Refusal> {
        let location = resource_type.as_str();
        self.released_id(resource_type, id, location)?
            .ok_or_else(|| Refusal { code: "owner-missing", location: location.to_owned() })
    }

    /// Gives contained resources of listed types local ids `c0`, `c1`, …
    pub(super) fn number_contained(&mut self, root: &Map<String, Value>) {
        let contained =
            root.get("contained").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for resource in contained {
            let listed = fhir::ResourceType::of(resource).is_some_and(|name| self.profile.covers(name));
            if let (true, Some(id)) = (listed, resource.get("id").and_then(Value::as_str)) {
                let next = format!("c{}", self.contained.len());
                self.contained.entry(id.to_owned()).or_insert(next);
            }
        }
    }

    /// Whether the walk is after the needed pseudonyms alone.
    pub(super) fn collects(&self) -> bool {
        matches!(self.source, Source::Collect(..))
    }

    pub(super) fn local_id(&self, id: &str) -> Option<&str> {
        self.contained.get(id).map(String::as_str)
    }

    /// The reference under released ids; `None` when it may not leave: absolute, conditional, to a bundle entry, or to a
    /// type outside the profile.
    pub(super) fn reference(&mut self, reference: &str, location: &str) -> Result<Option<String>, Refusal> {
        if let Some(local) = reference.strip_prefix('#') {
            let target = self.contained.get(local).cloned();
            self.referenced.extend(target.clone());
            return Ok(target.map(|id| format!("#{id}")));
        }
        let mut parts = reference.split('/');
        let (Some(name), Some(id)) = (parts.next(), parts.next()) else { return Ok(None) };
        let literal = matches!(
            (parts.next(), parts.next(), parts.next()),
            (None, _, _) | (Some("_history"), Some(_), None)
        );
        let Some(resource_type) = fhir::ResourceType::parse(name) else { return Ok(None) };
        if !literal || !self.profile.covers(resource_type) || !fhir::is_resource_id(id) {
            return Ok(None);
        }
        let released = self.released_id(resource_type, id, location)?;
        Ok(released.map(|id| format!("{name}/{id}")))
    }

    /// `None` when the id would derive from an owner and there is none.
    fn released_id(
        &mut self,
        resource_type: fhir::ResourceType,
        id: &str,
        location: &str,
    ) -> Result<Option<String>, Refusal> {
        if self.profile.subjects.contains(&resource_type) {
            let subject = Subject { resource_type, clinical_id: id.to_owned() };
            return self.pseudonym(subject, location).map(|pseudonym| Some(pseudonym.released_id.clone()));
        }
        let Some(owner) = self.owner else { return Ok(None) };
        if self.owner_key.is_none() {
            let patient = fhir::ResourceType::parse("Patient")
                .ok_or_else(|| Refusal { code: "owner-missing", location: location.to_owned() })?;
            let subject = Subject { resource_type: patient, clinical_id: owner.to_owned() };
            let secret = &self.pseudonym(subject, location)?.secret;
            self.owner_key = Some(hmac::Key::new(hmac::HMAC_SHA256, secret));
        }
        Ok(self.owner_key.as_ref().map(|key| dependent_id(key, resource_type.as_str(), id)))
    }

    fn pseudonym(&mut self, subject: Subject, location: &str) -> Result<&Pseudonym, Refusal> {
        match &mut self.source {
            Source::Map(map) => map
                .0
                .get(&subject)
                .ok_or_else(|| Refusal { code: "pseudonym-missing", location: location.to_owned() }),
            Source::Collect(wanted, nobody) => {
                wanted.insert(subject);
                Ok(nobody)
            }
        }
    }
}
