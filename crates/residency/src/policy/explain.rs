//! Why a decision came out as it did: every rule, tried in the order of the file.

use super::{Destination, Labels, Policy, Rule};

/// One rule as it was tried for a resource and a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its id.
    pub id: String,
    /// Whether it permits; else it denies.
    pub permits: bool,
    /// What of it does not hold: `destination`, `zone`, `type`, `message` (it is about messages),
    /// `label`. Empty: it matches.
    pub fails: Vec<&'static str>,
}

impl Rule {
    fn tried(&self, destination: &Destination, resource_type: fhir::ResourceType, labels: &Labels) -> Tried {
        let is_labelled =
            |named: &std::collections::BTreeSet<String>| labels.0.iter().any(|label| named.contains(label));
        let conditions = [
            ("destination", self.destinations.as_ref().is_none_or(|ids| ids.contains(&destination.id))),
            ("zone", self.zones.as_ref().is_none_or(|zones| zones.contains(&destination.zone))),
            ("type", self.types.as_ref().is_none_or(|types| types.contains(&resource_type))),
            ("message", self.message.is_none()),
            ("label", self.labels.as_ref().is_none_or(is_labelled)),
        ];
        let fails = conditions.into_iter().filter(|(_, holds)| !holds).map(|(name, _)| name).collect();
        Tried { id: self.id.clone(), permits: self.permits, fails }
    }
}

impl Policy {
    /// Every rule, in the order of the file, as [`Policy::decide`] tries it; none for an unknown destination. A rule
    /// that denies wins wherever it stands.
    pub fn explain(
        &self,
        destination: &str,
        resource_type: fhir::ResourceType,
        labels: &Labels,
    ) -> Vec<Tried> {
        let Some(destination) = self.destinations.get(destination) else { return Vec::new() };
        self.rules.iter().map(|rule| rule.tried(destination, resource_type, labels)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const POLICY: &str = "unlabelled: deny\nrules:\n  - {id: stays, effect: deny, zones: [cloud], labels: [HIV], reason: sensitive}\n  - {id: goes, effect: permit, destinations: [portal], types: [Patient]}\n";

    fn policy() -> Policy {
        let files = [
            ("zones.yaml", "zones:\n  - {id: cloud, kind: cloud, region: US}\n"),
            ("destinations.yaml", "destinations:\n  - {id: portal, zone: cloud, profile: p}\n"),
            ("policy.yaml", POLICY),
            ("labels.yaml", "rules:\n  - {id: hiv, label: HIV, system: 'urn:s', codes: [h]}\n"),
        ];
        let files: BTreeMap<String, String> =
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Policy::compile(&files, &["p"]).expect("compiles")
    }

    #[test]
    fn rules_that_match_are_those_that_decide_and_the_others_say_why_not() {
        let policy = policy();
        let kind = |name: &str| fhir::ResourceType::parse(name).expect("a type of R4");
        for (name, label) in [("Patient", "N"), ("Patient", "HIV"), ("Observation", "N")] {
            let labels = Labels(vec![label.to_owned()]);
            let tried = policy.explain("portal", kind(name), &labels);
            let matched = |permits: bool| -> Vec<String> {
                let of = tried.iter().filter(|tried| tried.permits == permits && tried.fails.is_empty());
                of.map(|tried| tried.id.clone()).collect()
            };
            let (permits, denies) = (matched(true), matched(false));
            let expected = match (denies.is_empty(), permits.is_empty()) {
                (false, _) => super::super::Decision::Deny { reason: "rule-denies", rules: denies },
                (true, true) => super::super::Decision::Deny { reason: "no-rule-permits", rules: Vec::new() },
                (true, false) => super::super::Decision::Permit { profile: "p".into(), rules: permits },
            };
            assert_eq!(policy.decide("portal", kind(name), &labels), expected);
        }
        let tried = policy.explain("portal", kind("Observation"), &Labels(vec!["N".to_owned()]));
        assert_eq!(tried[0], Tried { id: "stays".into(), permits: false, fails: vec!["label"] });
        assert_eq!(tried[1], Tried { id: "goes".into(), permits: true, fails: vec!["type"] });
        assert!(policy.explain("nowhere", kind("Patient"), &Labels::default()).is_empty());
    }
}
