//! Every code table of the package goes out as a ConceptMap and comes back saying the same.

#[path = "support/shipped.rs"]
mod shipped;

use std::collections::BTreeMap;

use mapping::Package;
use serde_json::Value;

fn exported(package: &Package) -> BTreeMap<String, Value> {
    let names = package.code_tables(None);
    names
        .into_iter()
        .map(|name| (name.to_owned(), package.concept_map(name, None).expect("the table is there")))
        .collect()
}

/// What the package makes of a message, and what becomes of each of its fields.
fn translated(package: &Package, bytes: &[u8]) -> String {
    let message = hl7v2::Message::read(bytes).expect("the fixture has a header");
    let context = mapping::Context { namespace: uuid::Uuid::from_u128(7), site: None, trace: false };
    let made = package.translate(&message, &context).expect("the fixture is translated");
    // The Provenance names the hash of the package's files, which are other bytes now.
    let sets = made.made().filter(|set| set.resource_type.as_str() != "Provenance");
    let resources: Vec<String> = sets.map(|set| set.resource.to_string()).collect();
    let fates: Vec<_> =
        made.coverage.leaves.iter().map(|leaf| (&leaf.path, leaf.fate, &leaf.reason)).collect();
    format!("{resources:#?} {fates:?}")
}

#[test]
fn every_table_comes_back_the_same() {
    let before = shipped::package();
    let maps = exported(&before);
    assert!(maps.len() > 50, "the package has its tables");
    let mut sources = shipped::sources();
    for (name, map) in &maps {
        assert_eq!(fhir::validate(map), vec![], "{name}");
        let text = mapping::code_table_of(map, name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let replaced = sources.insert(format!("codes/{name}.yaml"), text);
        assert!(replaced.is_some(), "{name} stands in its file");
    }
    let after = shipped::compiled(sources);
    for (name, map) in exported(&after) {
        assert_eq!(maps.get(&name), Some(&map), "{name}");
    }
    for message in
        ["ADT_A01/admit-inpatient.hl7", "ORU_R01/numeric-panel.hl7", "RDE_O11/compound-infusion.hl7"]
    {
        let bytes = shipped::fixture(message);
        assert_eq!(translated(&after, &bytes), translated(&before, &bytes), "{message}");
    }
}
