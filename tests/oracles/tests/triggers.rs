//! `mappings/TRIGGERS.md`: for each trigger its message file and the resource types it makes. `UPDATE_EXPECT=1` writes it.

use mapping::{Catalog, CatalogMessage, Package};
use oracles::{files, workspace};
use std::collections::{BTreeMap, BTreeSet};

const HEAD: &str = "# Triggers\n\nMade from the package by `tests/oracles/tests/triggers.rs`. Each message also makes one Provenance.\n\n| trigger | message file | resources |\n|---|---|---|\n";

/// The types that a map makes: its own, and those of the type maps that it refers to.
fn made(catalog: &Catalog, name: &str, seen: &mut BTreeSet<String>, kinds: &mut BTreeSet<String>) {
    if !seen.insert(name.to_owned()) {
        return;
    }
    let Some(map) = catalog.maps.iter().find(|map| map.name == name) else { return };
    if fhir::r4().is_resource(&map.target) {
        kinds.insert(map.target.clone());
    }
    for by in map.writes.iter().filter_map(|write| write.by.as_deref()) {
        made(catalog, by, seen, kinds);
    }
}

fn resources(catalog: &Catalog, message: &CatalogMessage, event: &str) -> String {
    let (mut seen, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    let makes = message.makes.iter().filter(|line| !line.skipped.iter().any(|skipped| skipped == event));
    makes.for_each(|line| made(catalog, &line.map, &mut seen, &mut kinds));
    kinds.into_iter().collect::<Vec<_>>().join(", ")
}

fn page(catalog: &Catalog) -> String {
    let mut lines = BTreeMap::new();
    for message in &catalog.messages {
        for trigger in &message.triggers {
            let event = trigger.rsplit('^').next().unwrap_or_default();
            let kinds = resources(catalog, message, event);
            lines.insert(trigger.replace('^', " "), format!("{} | {kinds}", message.name));
        }
    }
    let lines: String = lines.iter().map(|(trigger, rest)| format!("| {trigger} | {rest} |\n")).collect();
    format!("{HEAD}{lines}")
}

#[test]
fn the_page_of_triggers_is_what_the_package_makes() {
    let sources = files::package(&workspace().join("mappings")).expect("the package is readable");
    let package = Package::compile(&sources).unwrap_or_else(|found| panic!("{found:?}"));
    let catalog = package.catalog();
    let page = page(&catalog);
    assert_eq!(page.lines().count(), package.triggers().len() + HEAD.lines().count());
    let path = workspace().join("mappings/TRIGGERS.md");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &page).expect("the page is writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<&str> =
        page.lines().filter(|line| !committed.lines().any(|other| other == *line)).collect();
    assert!(
        committed == page,
        "TRIGGERS.md is out of date (UPDATE_EXPECT=1 writes it):\n{}",
        changed.join("\n")
    );
}
