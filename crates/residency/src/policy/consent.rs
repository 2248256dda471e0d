//! What a FHIR Consent says about release (R4, Consent). What cannot be understood denies.

use std::collections::BTreeSet;

use serde_json::Value;

/// System of the identifier by which a consent's actor names a destination of the policy.
pub const DESTINATION_SYSTEM: &str = "urn:tidegate:destination";

/// Statuses under which a consent is not in force.
const NOT_IN_FORCE: [&str; 5] = ["draft", "proposed", "rejected", "inactive", "entered-in-error"];
/// Scopes that are not about release: treatment, research, advance directives.
const OTHER_SCOPES: [&str; 3] = ["treatment", "research", "adr"];

/// To which destinations a consent denies release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consent {
    /// To none: it is not in force, not about release, or permits.
    Silent,
    /// To these.
    Denies(BTreeSet<String>),
    /// To all.
    DeniesAll,
}

impl Consent {
    /// Reads a Consent resource. In force and about privacy, it denies unless it permits and makes no exception.
    pub fn of(resource: &Value) -> Self {
        let status = resource.get("status").and_then(Value::as_str).unwrap_or_default();
        if NOT_IN_FORCE.contains(&status) || is_other_scope(resource) {
            return Self::Silent;
        }
        let provision = resource.get("provision");
        let kind = provision.and_then(|provision| provision.get("type")).and_then(Value::as_str);
        let has_exceptions = provision.is_some_and(|provision| provision.get("provision").is_some());
        match kind {
            Some("permit") if !has_exceptions => Self::Silent,
            Some("deny") if !has_exceptions => destinations(provision).map_or(Self::DeniesAll, Self::Denies),
            _ => Self::DeniesAll,
        }
    }

    /// Does it deny release to this destination?
    pub fn denies(&self, destination: &str) -> bool {
        match self {
            Self::Silent => false,
            Self::Denies(destinations) => destinations.contains(destination),
            Self::DeniesAll => true,
        }
    }
}

fn is_other_scope(resource: &Value) -> bool {
    let codings = resource.pointer("/scope/coding").and_then(Value::as_array);
    let mut codes = codings.into_iter().flatten().filter_map(|coding| coding.get("code")?.as_str());
    let others: Vec<bool> = codes.by_ref().map(|code| OTHER_SCOPES.contains(&code)).collect();
    !others.is_empty() && others.iter().all(|is_other| *is_other)
}

/// The destinations that the actors name; `None` when there is no actor, or one that names none.
fn destinations(provision: Option<&Value>) -> Option<BTreeSet<String>> {
    let actors = provision?.get("actor")?.as_array()?;
    let named = |actor: &Value| {
        let identifier = actor.pointer("/reference/identifier")?;
        let system = identifier.get("system").and_then(Value::as_str)?;
        let value = identifier.get("value").and_then(Value::as_str)?;
        (system == DESTINATION_SYSTEM).then(|| value.to_owned())
    };
    let destinations: Option<BTreeSet<String>> = actors.iter().map(named).collect();
    destinations.filter(|destinations| !destinations.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn consent(status: &str, kind: &str) -> Value {
        json!({"resourceType": "Consent", "status": status,
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
            "provision": {"type": kind}})
    }

    #[test]
    fn what_is_in_force_and_denies_denies_all() {
        assert_eq!(Consent::of(&consent("active", "deny")), Consent::DeniesAll);
        assert_eq!(Consent::of(&consent("active", "permit")), Consent::Silent);
        for status in NOT_IN_FORCE {
            assert_eq!(Consent::of(&consent(status, "deny")), Consent::Silent);
        }
        let mut treatment = consent("active", "deny");
        treatment["scope"]["coding"][0]["code"] = json!("treatment");
        assert_eq!(Consent::of(&treatment), Consent::Silent);
    }

    #[test]
    fn what_cannot_be_understood_denies() {
        assert_eq!(Consent::of(&json!({"resourceType": "Consent"})), Consent::DeniesAll);
        assert_eq!(Consent::of(&consent("a-new-status", "deny")), Consent::DeniesAll);
        let mut exception = consent("active", "permit");
        exception["provision"]["provision"] = json!([{"type": "deny"}]);
        assert_eq!(Consent::of(&exception), Consent::DeniesAll);
        let mut actor = consent("active", "deny");
        actor["provision"]["actor"] = json!([{"reference": {"reference": "Organization/o"}}]);
        assert_eq!(Consent::of(&actor), Consent::DeniesAll);
    }

    #[test]
    fn a_destination_may_be_named() {
        let mut one = consent("active", "deny");
        one["provision"]["actor"] =
            json!([{"reference": {"identifier": {"system": DESTINATION_SYSTEM, "value": "cloud"}}}]);
        let one = Consent::of(&one);
        assert!(one.denies("cloud") && !one.denies("research"));
    }
}
