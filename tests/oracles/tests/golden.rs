//! Each fixture `<stem>.hl7` has its Bundle beside it, `<stem>.bundle.json`. `UPDATE_EXPECT=1` accepts.

use mapping::{Context, Package, Translation};
use oracles::{files, workspace};
use uuid::Uuid;

/// A namespace for the ids in the expected bundles.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d1e_6a7e_0000_5000_8000_0000_0000_0002);

#[test]
fn fixtures_become_their_bundles() {
    let sources = files::package(&workspace().join("mappings")).expect("the package is readable");
    let Ok(package) = Package::compile(&sources) else { panic!("the package does not compile") };
    let accept = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    let paths = files::walk(&workspace().join("fixtures"), &[".hl7"]).expect("fixtures are readable");
    assert!(paths.len() >= 9, "only {} fixtures were found", paths.len());
    for path in paths {
        let bytes = std::fs::read(&path).expect("the fixture is readable");
        let message = hl7v2::Message::read(&bytes).expect("the fixture is a message");
        let context = Context { namespace: NAMESPACE, site: site_of(&message), trace: false };
        let translation = package.translate(&message, &context).expect("the fixture is translated");
        let bundle = redacted(&package, &translation);
        let expected = path.with_extension("bundle.json");
        if accept {
            std::fs::write(&expected, &bundle).expect("the bundle is writable");
        }
        if std::fs::read_to_string(&expected).ok().as_deref() != Some(bundle.as_str()) {
            wrong.push(expected.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "other bundles than expected: {}", wrong.join(", "));
}

/// The overlay of the sender (MSH-3), else the hospital's: some fixtures have it sent by others of its systems.
fn site_of(message: &hl7v2::Message<'_>) -> Option<&'static str> {
    let sender = message.segment(0)?.field(3).component(1).text().into_owned();
    match sender.as_str() {
        "CAPE_RX" => Some("cape-pharmacy"),
        "MERIDIAN_PAY" => Some("meridian-payer"),
        _ => Some("demo"),
    }
}

/// The bundle without what every edit of the package changes: its hash, and the id of the Provenance that names it.
fn redacted(package: &Package, translation: &Translation) -> String {
    let text = serde_json::to_string_pretty(&translation.bundle()).expect("a bundle is JSON") + "\n";
    let provenance = translation.change.sets.iter().find(|set| set.resource_type.as_str() == "Provenance");
    let text = text.replace(package.hash(), "[package hash]");
    provenance.map_or(text.clone(), |set| text.replace(&set.id, "[provenance id]"))
}

#[test]
fn the_tests_beside_the_maps_pass() {
    let sources = files::package(&workspace().join("mappings")).expect("the package is readable");
    let Ok(package) = Package::compile(&sources) else { panic!("the package does not compile") };
    let outcomes = package.run_tests();
    assert!(outcomes.len() >= 60, "only {} tests were found", outcomes.len());
    let failed: Vec<String> = outcomes
        .iter()
        .filter(|outcome| !outcome.failures.is_empty())
        .map(|outcome| {
            format!("{}:{} {}: {}", outcome.file, outcome.line, outcome.name, outcome.failures.join("; "))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} fail:\n{}", failed.len(), outcomes.len(), failed.join("\n"));
}
