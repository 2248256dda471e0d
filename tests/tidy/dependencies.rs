//! Which crate may use which: the arrows of `crates/README.md`, from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::workspace::{cargo, metadata};

/// Crate and every crate of ours that it may use. An edge that is not here is a change of the design.
const EDGES: [(&str, &[&str]); 15] = [
    ("mllp", &[]),
    ("hl7v2", &[]),
    ("fhir", &[]),
    ("mapping", &["fhir", "hl7v2"]),
    ("verifier", &["fhir"]),
    ("residency", &["fhir", "verifier"]),
    ("audit", &[]),
    ("smart", &["fhir"]),
    ("store", &["audit", "fhir"]),
    ("sources", &["hl7v2", "mllp", "store"]),
    ("pipeline", &["audit", "fhir", "hl7v2", "mapping", "residency", "store", "verifier"]),
    ("delivery", &["audit", "fhir", "hl7v2", "mllp", "residency", "store"]),
    ("rest", &["audit", "fhir", "smart", "store", "verifier"]),
    ("console", &["audit", "fhir", "hl7v2", "mapping", "store"]),
    (
        "tidegate",
        &[
            "audit",
            "console",
            "delivery",
            "fhir",
            "hl7v2",
            "mapping",
            "mllp",
            "pipeline",
            "residency",
            "rest",
            "smart",
            "sources",
            "store",
            "verifier",
        ],
    ),
];

/// External crate and the crates of ours that may use it outside of tests: what each gives is a power.
const HOMES: [(&str, &[&str]); 15] = [
    ("sqlx", &["store"]),
    ("rusqlite", &["store"]),
    ("axum", &["rest", "console", "tidegate"]),
    ("hyper", &["delivery", "rest", "tidegate"]),
    ("tokio-rustls", &["mllp", "delivery", "rest", "tidegate"]),
    ("rustls", &["mllp", "delivery", "rest", "tidegate"]),
    ("askama", &["console"]),
    ("clap", &["tidegate"]),
    ("rcgen", &["tidegate"]),
    ("mimalloc", &["tidegate"]),
    ("tracing-subscriber", &["tidegate"]),
    ("serde-saphyr", &["mapping", "residency", "tidegate"]),
    ("encoding_rs", &["hl7v2"]),
    ("prometheus-client", &["rest"]),
    ("flate2", &["fhir", "rest", "store", "verifier"]),
];

/// What the cloud build does not hold, so that it cannot be made to do it.
const ABSENT_FROM_CLOUD: [&str; 7] =
    ["delivery", "hl7v2", "mapping", "mllp", "pipeline", "residency", "sources"];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Normal,
    Development,
}

fn dependencies(metadata: &Value, kind: Kind) -> BTreeMap<String, BTreeSet<String>> {
    let root = harness::root().join("crates");
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    let mut found = BTreeMap::new();
    for package in packages {
        let manifest = package["manifest_path"].as_str().expect("a package has a manifest");
        if !std::path::Path::new(manifest).starts_with(&root) {
            continue;
        }
        let wanted = |dependency: &&Value| (dependency["kind"] == "dev") == (kind == Kind::Development);
        let names =
            package["dependencies"].as_array().expect("a package lists dependencies").iter().filter(wanted);
        let names =
            names.filter_map(|dependency| dependency["name"].as_str()).map(ToOwned::to_owned).collect();
        found.insert(package["name"].as_str().expect("a package has a name").to_owned(), names);
    }
    found
}

#[test]
fn each_crate_uses_only_what_its_place_allows() {
    let found = dependencies(&metadata(), Kind::Normal);
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(name, edges)| (*name, edges.iter().copied().collect())).collect();
    let ours: BTreeSet<&str> = allowed.keys().copied().collect();
    assert_eq!(ours, found.keys().map(String::as_str).collect(), "crates/ and this table differ");
    for (name, uses) in &found {
        let uses: BTreeSet<&str> =
            uses.iter().map(String::as_str).filter(|used| ours.contains(used)).collect();
        let more: Vec<&&str> = uses.difference(&allowed[name.as_str()]).collect();
        assert!(more.is_empty(), "{name} uses {more:?}: a new edge is a change of the design");
        let fewer: Vec<&&str> = allowed[name.as_str()].difference(&uses).collect();
        assert!(fewer.is_empty(), "{name} no longer uses {fewer:?}: take the edge out of this table");
    }
}

/// Tests of a crate may look down further than the crate, never sideways or up.
#[test]
fn tests_of_a_crate_look_down_only() {
    let layers: [&[&str]; 4] = [
        &["mllp", "hl7v2", "fhir"],
        &["mapping", "residency", "verifier", "audit", "smart"],
        &["store"],
        &["sources", "pipeline", "delivery", "rest", "console"],
    ];
    let layer = |name: &str| layers.iter().position(|names| names.contains(&name)).unwrap_or(layers.len());
    for (name, uses) in dependencies(&metadata(), Kind::Development) {
        for used in uses.iter().filter(|used| EDGES.iter().any(|(ours, _)| ours == used)) {
            assert!(
                layer(used) < layer(&name),
                "the tests of {name} use {used}, which does not lie below it"
            );
        }
    }
}

#[test]
fn a_power_has_few_homes() {
    let found = dependencies(&metadata(), Kind::Normal);
    for (external, homes) in HOMES {
        let users: BTreeSet<&str> =
            found.iter().filter(|(_, uses)| uses.contains(external)).map(|(name, _)| name.as_str()).collect();
        let strangers: Vec<&&str> = users.iter().filter(|user| !homes.contains(user)).collect();
        assert!(strangers.is_empty(), "{strangers:?} use {external}, which belongs to {homes:?}");
        assert!(!users.is_empty(), "nobody uses {external}: take it out of this table");
    }
}

#[test]
fn the_cloud_build_holds_no_mapping_no_transform_and_no_hl7v2() {
    let tree = |features: &[&str]| {
        let mut arguments = vec!["tree", "-p", "tidegate", "-e", "normal", "--prefix", "none"];
        arguments.extend(features);
        let text = cargo(&arguments);
        text.lines()
            .filter_map(|line| line.split(' ').next())
            .map(ToOwned::to_owned)
            .collect::<BTreeSet<String>>()
    };
    let cloud = tree(&["--no-default-features", "--features", "portal"]);
    let full = tree(&[]);
    assert!(cloud.contains("rest") && cloud.contains("verifier"), "this is not the cloud build: {cloud:?}");
    for name in ABSENT_FROM_CLOUD {
        assert!(!cloud.contains(name), "the cloud build holds {name}");
        assert!(full.contains(name), "the full build does not hold {name}: the rule looks at the wrong tree");
    }
}

#[test]
fn numbers_keep_their_digits_and_objects_their_one_order() {
    let text = cargo(&["tree", "-p", "tidegate", "-e", "features", "-i", "serde_json", "--prefix", "none"]);
    assert!(
        text.contains("serde_json feature \"arbitrary_precision\""),
        "a laboratory value would pass through a float"
    );
    assert!(
        !text.contains("preserve_order"),
        "something turned on preserve_order, which doubles the cost of JSON"
    );
}

#[test]
fn sqlite_is_linked_once() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    let versions: Vec<&Value> =
        packages.iter().filter(|package| package["name"] == "libsqlite3-sys").collect();
    assert_eq!(versions.len(), 1, "two copies of SQLite in one process corrupt each other's locks");
}
