//! What the maps make has a decision of each profile and a rule of the policy: nothing new leaves, or stays, by oversight.

use std::collections::BTreeSet;

use regex::Regex;

use crate::workspace::{files, read};

const POLICY: &str = "profiles/residency/policy.yaml";
/// In no profile: a rule of the policy keeps each here, and `profiles/README.md` says why.
const NEVER_RELEASED: [&str; 15] = [
    "ActivityDefinition",
    "CareTeam",
    "ChargeItemDefinition",
    "ClaimResponse",
    "Consent",
    "MessageHeader",
    "ObservationDefinition",
    "OperationOutcome",
    "Parameters",
    "Schedule",
    "Slot",
    "SpecimenDefinition",
    "SupplyRequest",
    "Task",
    "ValueSet",
];

/// Resource types that a map of the package makes, and the Provenance of each message.
fn made() -> BTreeSet<String> {
    let target = Regex::new(r"(?m)^map: \S+ -> (\S+)$").expect("a constant expression compiles");
    let maps = files()
        .into_iter()
        .filter(|file| file.path.starts_with("mappings/") && !file.path.contains(".test."));
    let mut made: BTreeSet<String> = BTreeSet::from(["Provenance".to_owned()]);
    for file in maps {
        made.extend(target.captures_iter(&file.text).map(|found| found[1].to_owned()));
    }
    // The others are data types: parts of a resource, decided with it.
    let is_resource = |name: &String| name == "Provenance" || fhir::ResourceType::parse(name).is_some();
    made.retain(is_resource);
    assert!(made.len() > 15, "only {made:?}: the reader is broken");
    made
}

#[test]
fn each_type_that_a_map_makes_is_decided_by_each_profile_and_named_by_the_policy() {
    let made = made();
    let rules: BTreeSet<String> =
        read(POLICY).split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect();
    for name in &made {
        assert!(rules.contains(name), "{POLICY} has no rule for {name}");
    }
    let decisions = files().into_iter().filter(|file| {
        file.path.starts_with("profiles/deidentification/") && file.path.ends_with("/fhir.tsv")
    });
    let mut profiles = 0;
    for file in decisions {
        profiles += 1;
        let decided: BTreeSet<&str> = file.text.lines().filter_map(|line| line.split('\t').next()).collect();
        for name in made.iter().filter(|name| !NEVER_RELEASED.contains(&name.as_str())) {
            assert!(decided.contains(name.as_str()), "{} decides nothing of {name}", file.path);
        }
    }
    assert!(profiles > 0, "no profile was found: the reader is broken");
}
