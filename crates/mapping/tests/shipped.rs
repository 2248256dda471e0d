//! The package as shipped: its tests pass, and the messages of `fixtures/` become the bundles beside them. What accepts
//! new bundles is `tests/oracles` (`golden`).

#[path = "support/shipped.rs"]
mod shipped;

use mapping::{Context, Package, Translation};
use uuid::Uuid;

/// The namespace of the ids in the expected bundles.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d1e_6a7e_0000_5000_8000_0000_0000_0002);
/// Where converters of HL7 v2 are wrong or disagree: each has a test that is named after its number.
const CASES: usize = 40;
/// Rules that the tests make give a value, at least, in hundredths of a percent: of all, and of each file.
const RULES_RUN_MIN: usize = 8_000;
const FILE_RULES_RUN_MIN: usize = 5_000;

#[test]
fn the_tests_beside_the_maps_pass() {
    let outcomes = shipped::package().run_tests();
    assert!(outcomes.len() > 500, "only {} tests were found", outcomes.len());
    let failed: Vec<String> = outcomes
        .iter()
        .filter(|outcome| !outcome.failures.is_empty())
        .map(|one| format!("{}:{} {}: {}", one.file, one.line, one.name, one.failures.join("; ")))
        .collect();
    assert!(failed.is_empty(), "{} of {} fail:\n{}", failed.len(), outcomes.len(), failed.join("\n"));
    let names_case = |name: &str, case: usize| {
        let number = name.split("case ").nth(1).map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        number.flatten().and_then(|number| number.parse().ok()) == Some(case)
    };
    let unnamed: Vec<usize> =
        (1..=CASES).filter(|case| !outcomes.iter().any(|one| names_case(&one.name, *case))).collect();
    assert!(unnamed.is_empty(), "no test is named `case N` for {unnamed:?}");
}

#[test]
fn the_tests_beside_the_maps_run_the_rules() {
    let (_, coverage) = shipped::package().run_tests_covering();
    let low: Vec<String> = coverage
        .by_file()
        .iter()
        .filter(|file| file.share() < FILE_RULES_RUN_MIN)
        .map(|file| format!("{}: {} of {}", file.file, file.run, file.all))
        .collect();
    assert!(low.is_empty(), "tests run less than they should of:\n{}", low.join("\n"));
    let (run, all) = (coverage.run(), coverage.rules.len());
    assert!(coverage.share() >= RULES_RUN_MIN, "tests run {run} of {all} rules; tidegate test --uncovered");
}

#[test]
fn the_fixtures_become_their_bundles_and_a_trace_changes_nothing() {
    let package = shipped::package();
    let mut messages: Vec<_> = std::fs::read_dir(shipped::root("fixtures"))
        .expect("the folder is readable")
        .flat_map(|folder| std::fs::read_dir(folder.expect("an entry").path()).into_iter().flatten())
        .map(|file| file.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "hl7"))
        .collect();
    messages.sort();
    assert!(messages.len() > 30, "only {} fixtures were found", messages.len());
    for path in messages {
        let bytes = std::fs::read(&path).expect("the fixture is readable");
        let expected =
            std::fs::read_to_string(path.with_extension("bundle.json")).expect("it has its bundle");
        let (plain, traced) = (translated(&package, &bytes, false), translated(&package, &bytes, true));
        assert!(shown(&package, &plain) == expected, "another bundle: {}", path.display());
        assert!(shown(&package, &traced) == expected, "another bundle with a trace: {}", path.display());
        // Only a translation without a trace passes over rules and makes a person once.
        assert_eq!(plain.coverage.leaves, traced.coverage.leaves, "{}", path.display());
        assert_eq!(plain.issues, traced.issues, "{}", path.display());
    }
}

fn translated(package: &Package, bytes: &[u8], trace: bool) -> Translation {
    let message = hl7v2::Message::read(bytes).expect("the fixture is a message");
    let sender = message.segment(0).expect("MSH").field(3).component(1).text();
    // Some fixtures are sent by other systems of the hospital.
    let site = match &*sender {
        "CAPE_RX" => "cape-pharmacy",
        "MERIDIAN_PAY" => "meridian-payer",
        _ => "demo",
    };
    let context = Context { namespace: NAMESPACE, site: Some(site), trace };
    package.translate(&message, &context).expect("the fixture is translated")
}

/// The bundle of a fixture without what every edit of the package changes: its hash, and the id of the Provenance.
fn shown(package: &Package, made: &Translation) -> String {
    let text = serde_json::to_string_pretty(&made.bundle()).expect("a bundle is JSON") + "\n";
    let text = text.replace(package.hash(), "[package hash]");
    let provenance = made.change.sets.iter().find(|set| set.resource_type.as_str() == "Provenance");
    provenance.map_or(text.clone(), |set| text.replace(&set.id, "[provenance id]"))
}
