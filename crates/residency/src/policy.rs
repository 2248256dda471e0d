//! Zones, destinations and rules: what may go where. Nothing goes unless a rule permits it.

mod consent;
mod explain;
mod label;
mod message;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diagnostic;
use crate::profile::{Profile, content_hash};

pub use consent::{Consent, DESTINATION_SYSTEM};
pub use explain::Tried;
pub use label::{LABEL_NORMAL, Labels, label};
pub(crate) use message::MessageConditions;
pub use message::{Denial, MessageFacts, MessagePermit};

/// What a decision calls the profile of an on-prem destination that receives data as it is.
pub const IDENTIFIED: &str = "identified";

/// Destinations, zones and rules, compiled from `profiles/residency/*.yaml` and pinned by content hash. Default deny.
#[derive(Debug)]
pub struct Policy {
    hash: String,
    destinations: BTreeMap<String, Destination>,
    rules: Vec<Rule>,
    unlabelled_denied: bool,
    label_rules: Vec<label::LabelRule>,
    visits: Vec<VisitRule>,
}

/// Labels that, on a resource of one of these types, cover what belongs to the same encounter.
#[derive(Debug)]
pub(crate) struct VisitRule {
    labels: BTreeSet<String>,
    on: BTreeSet<fhir::ResourceType>,
}

/// Who may receive data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its name in the policy and in configuration.
    pub id: String,
    /// The zone it stands in.
    pub zone: String,
    /// Where that zone's machines stand (ISO 3166); a receipt must name it.
    pub region: String,
    /// Whether that zone is of kind `cloud`.
    pub cloud: bool,
    /// What it takes.
    pub form: Form,
    /// De-identification profile; always there when `cloud`, never with [`Form::Hl7v2`].
    pub profile: Option<String>,
}

/// What a destination takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// Resources.
    #[default]
    Fhir,
    /// HL7 v2 messages as they were received: on-prem only.
    Hl7v2,
}

/// The answer for one resource and destination, with the rules that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// May go after this profile ([`IDENTIFIED`] for an on-prem destination without one).
    Permit {
        /// Profile id.
        profile: String,
        /// Ids of the rules that permit.
        rules: Vec<String>,
    },
    /// Stays.
    Deny {
        /// `unknown-destination`, `not-fhir`, `unlabelled`, `rule-denies`, `no-rule-permits`.
        reason: &'static str,
        /// Ids of the rules that deny.
        rules: Vec<String>,
    },
}

#[derive(Debug)]
pub(crate) struct Rule {
    id: String,
    permits: bool,
    /// `None` is any.
    destinations: Option<BTreeSet<String>>,
    zones: Option<BTreeSet<String>>,
    types: Option<BTreeSet<fhir::ResourceType>>,
    labels: Option<BTreeSet<String>>,
    /// A rule about messages; else about resources, or without `types` and `labels` about both.
    message: Option<MessageConditions>,
}

impl Rule {
    fn reaches(&self, destination: &Destination) -> bool {
        self.destinations.as_ref().is_none_or(|ids| ids.contains(&destination.id))
            && self.zones.as_ref().is_none_or(|zones| zones.contains(&destination.zone))
    }

    fn matches(&self, destination: &Destination, resource_type: fhir::ResourceType, labels: &Labels) -> bool {
        self.reaches(destination)
            && self.message.is_none()
            && self.types.as_ref().is_none_or(|types| types.contains(&resource_type))
            && self.labels.as_ref().is_none_or(|named| labels.0.iter().any(|label| named.contains(label)))
    }
}

impl Policy {
    /// Compiles `zones.yaml`, `destinations.yaml`, `policy.yaml` and `labels.yaml` (relative path → text). `profiles`:
    /// ids of the de-identification profiles that exist.
    ///
    /// # Errors
    /// Every [`Diagnostic`] found: unknown keys, zones, profiles, types; a cloud destination without a profile.
    pub fn compile(files: &BTreeMap<String, String>, profiles: &[&str]) -> Result<Self, Vec<Diagnostic>> {
        read::compile(files, profiles)
    }

    /// SHA-256 of the files, hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The types whose labels cover a visit; empty when the policy says so of none.
    pub fn covering_types(&self) -> BTreeSet<fhir::ResourceType> {
        self.visits.iter().flat_map(|rule| rule.on.iter().copied()).collect()
    }

    /// Those of a resource's labels that cover all that belongs to its encounter.
    pub fn covering(&self, resource_type: fhir::ResourceType, labels: &Labels) -> BTreeSet<String> {
        let rules = self.visits.iter().filter(|rule| rule.on.contains(&resource_type));
        rules.flat_map(|rule| labels.0.iter().filter(|label| rule.labels.contains(*label)).cloned()).collect()
    }

    /// What decisions stand on: this policy and these profiles, as one content hash (hexadecimal).
    pub fn basis<'p>(&self, profiles: impl Iterator<Item = &'p Profile>) -> String {
        let profiles =
            profiles.map(|profile| (format!("profile:{}", profile.id()), profile.hash().to_owned()));
        content_hash(&profiles.chain([("policy".to_owned(), self.hash.clone())]).collect())
    }

    /// All destinations, by id.
    pub fn destinations(&self) -> Vec<&Destination> {
        self.destinations.values().collect()
    }

    /// One destination.
    pub fn destination(&self, id: &str) -> Option<&Destination> {
        self.destinations.get(id)
    }

    /// Whether a resource of this type with these labels may go to a destination. Total: what is unknown stays.
    pub fn decide(&self, destination: &str, resource_type: fhir::ResourceType, labels: &Labels) -> Decision {
        let deny = |reason, rules| Decision::Deny { reason, rules };
        let Some(destination) = self.destinations.get(destination) else {
            return deny("unknown-destination", Vec::new());
        };
        if destination.form != Form::Fhir {
            return deny("not-fhir", Vec::new());
        }
        if labels.0.is_empty() && self.unlabelled_denied {
            return deny("unlabelled", Vec::new());
        }
        let (permits, denies): (Vec<&Rule>, Vec<&Rule>) = self
            .rules
            .iter()
            .filter(|rule| rule.matches(destination, resource_type, labels))
            .partition(|rule| rule.permits);
        let ids = |rules: Vec<&Rule>| rules.into_iter().map(|rule| rule.id.clone()).collect();
        if !denies.is_empty() {
            return deny("rule-denies", ids(denies));
        }
        if permits.is_empty() {
            return deny("no-rule-permits", Vec::new());
        }
        match &destination.profile {
            Some(profile) => Decision::Permit { profile: profile.clone(), rules: ids(permits) },
            None if destination.cloud => deny("unknown-destination", Vec::new()),
            None => Decision::Permit { profile: IDENTIFIED.to_owned(), rules: ids(permits) },
        }
    }
}
