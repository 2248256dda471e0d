//! What goes in with every leaf filled comes out without a canary and without a full date, and what may stay stays.

#[path = "support/saturate.rs"]
mod saturate;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use residency::Profile;
use serde_json::Value;
use support::{YEAR, grammar, made_wrong, profile, profile_files, pseudonyms};
use verifier::{IdentifierKind, KnownIdentifiers};

/// Least share of leaves marked `keep` or `code` that must survive.
const SURVIVAL_MIN: f64 = 0.99;
/// Folder with `deid-canaries/` (`fhir-r4-saturated.ndjson`, `fhir-r4-canaries.tsv`) to check as well.
const CORPORA: &str = "TIDEGATE_CORPORA";

/// Counts of what should survive and what did.
#[derive(Default)]
struct Survival {
    expected: usize,
    survived: usize,
    lost: BTreeSet<String>,
}

/// Decisions by (path, type), read here on their own.
fn decisions() -> BTreeMap<(String, String), String> {
    let files = profile_files();
    let rows = files["fhir.tsv"].lines().filter(|line| !line.starts_with('#')).skip(1);
    rows.map(|row| row.split('\t').collect::<Vec<_>>())
        .map(|cells| ((cells[1].to_owned(), cells[2].to_owned()), cells[3].to_owned()))
        .collect()
}

/// Collects (path, value) of every leaf that a `keep` row or, for codings of an allowed system, a `code` row marks.
fn marked(
    path: &str,
    map: &serde_json::Map<String, Value>,
    rows: &BTreeMap<(String, String), String>,
    out: &mut Vec<(String, String)>,
) {
    for (name, value) in map {
        let Some(property) = fhir::r4().property(path, name) else { continue };
        let row_type = if property.element.content_reference.is_some() { "@ref" } else { property.type_code };
        let Some(operation) = rows.get(&(property.element.path.to_owned(), row_type.to_owned())) else {
            continue;
        };
        let single = std::slice::from_ref(value);
        for item in value.as_array().map_or(single, Vec::as_slice) {
            match (operation.as_str(), item) {
                ("keep", item) => out.push((property.element.path.to_owned(), item.to_string())),
                ("code", Value::Object(item)) => {
                    let codings = item.get("coding").and_then(Value::as_array).cloned();
                    for coding in codings.unwrap_or_else(|| vec![Value::Object(item.clone())]) {
                        let text = |name: &str| coding[name].as_str().unwrap_or_default().to_owned();
                        if text("system").starts_with("http") {
                            out.push((
                                property.element.path.to_owned(),
                                format!("{}|{}", text("system"), text("code")),
                            ));
                        }
                    }
                }
                (
                    "descend" | "timing" | "dosage" | "addr:state+zip3+country" | "attach-stub",
                    Value::Object(item),
                ) => {
                    marked(property.child_path, item, rows, out);
                }
                _ => {}
            }
        }
    }
}

impl Survival {
    fn count(
        &mut self,
        name: &str,
        before: &Value,
        after: &Value,
        rows: &BTreeMap<(String, String), String>,
    ) {
        let (mut expected, mut there) = (Vec::new(), Vec::new());
        marked(name, before.as_object().unwrap(), rows, &mut expected);
        marked(name, after.as_object().unwrap(), rows, &mut there);
        self.expected += expected.len();
        for leaf in expected {
            match there.iter().position(|other| *other == leaf) {
                Some(at) => {
                    there.swap_remove(at);
                    self.survived += 1;
                }
                None => drop(self.lost.insert(format!("{} {}", leaf.0, leaf.1))),
            }
        }
    }

    fn assert_kept(&self) {
        assert!(self.expected > 500, "too little to count: {}", self.expected);
        // Counts of a test stay far below 2^53.
        let share = self.survived as f64 / self.expected as f64;
        eprintln!("{} of {} leaves marked keep or code survive", self.survived, self.expected);
        assert!(share >= SURVIVAL_MIN, "{share}: {:#?}", self.lost);
    }
}

fn full_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(8).any(|window| {
        window[..4].iter().all(u8::is_ascii_digit)
            && window[4] == b'-'
            && window[5..7].iter().all(u8::is_ascii_digit)
            && window[7] == b'-'
    })
}

fn deidentified(profile: &Profile, resource: &Value) -> Value {
    let owner = if resource["resourceType"] == "Patient" { resource["id"].as_str() } else { Some("owner") };
    let map = pseudonyms(profile, resource, owner);
    profile.deidentify(resource, owner, &map, YEAR).unwrap_or_else(|refusal| panic!("{refusal}")).resource
}

#[test]
fn no_canary_of_any_type_comes_out() {
    let (profile, grammar, rows) = (profile(), grammar(), decisions());
    let mut survival = Survival::default();
    let mut types = 0;
    for name in
        fhir::r4().resource_names().filter(|name| profile.covers(fhir::ResourceType::parse(name).unwrap()))
    {
        types += 1;
        for (variant, saturate::Saturated { resource, canaries }) in
            saturate::saturated(name).into_iter().enumerate()
        {
            assert!(canaries.len() > 15, "{name} was not filled");
            let before = resource.to_string();
            let output = deidentified(&profile, &resource);
            let after = output.to_string();
            let lowercase = after.to_lowercase();
            for canary in &canaries {
                assert!(before.contains(canary));
                assert!(!lowercase.contains(&canary.to_lowercase()), "{name}: {canary} in {after}");
            }
            assert!(full_date(&before) && !full_date(&after), "{after}");
            assert!(!after.contains("WnFjYW5hcnk"));
            assert_eq!(made_wrong(&resource, &output), [], "{after}");
            let mut known = KnownIdentifiers::default();
            // All canaries of one variant in four; their search is what takes the time of this test.
            let searched = canaries.iter().filter(|_| variant % 4 == 0);
            searched.for_each(|canary| known.add(IdentifierKind::Other, canary));
            let bytes = fhir::canonical_json(&output);
            let verdict = verifier::verify(&bytes, &grammar, &known);
            assert!(verdict.is_ok(), "{:?} {after}", verdict.unwrap_err());
            assert!(verifier::verify(before.as_bytes(), &grammar, &known).is_err());
            survival.count(name, &resource, &output, &rows);
        }
    }
    assert_eq!(types, 34);
    survival.assert_kept();
}

#[test]
fn no_canary_of_the_corpus_comes_out() {
    let Ok(root) = std::env::var(CORPORA) else {
        eprintln!("{CORPORA} is not set; the generated resources above were checked");
        return;
    };
    let folder = std::path::Path::new(&root).join("deid-canaries");
    let canaries = std::fs::read_to_string(folder.join("fhir-r4-canaries.tsv")).unwrap();
    let kinds = ["text", "id", "uri", "b64", "zip", "local-code"];
    let canaries: Vec<&str> = canaries
        .lines()
        .skip(1)
        .filter_map(|line| line.split('\t').next().zip(line.rsplit('\t').next()))
        .filter(|(_, kind)| kinds.contains(kind))
        // A code has no spaces, so that the first word alone stands in local codes.
        .filter_map(|(canary, _)| canary.split(' ').next())
        .collect();
    assert!(canaries.len() > 7000);
    let (profile, grammar, rows) = (profile(), grammar(), decisions());
    let (mut survival, mut out, mut before, mut refused) =
        (Survival::default(), String::new(), String::new(), BTreeSet::new());
    let mut types = BTreeSet::new();
    for line in std::fs::read_to_string(folder.join("fhir-r4-saturated.ndjson")).unwrap().lines() {
        let resource: Value = serde_json::from_str(line).unwrap();
        let name = resource["resourceType"].as_str().unwrap().to_owned();
        before.push_str(line);
        if !profile.covers(fhir::ResourceType::parse(&name).unwrap()) {
            let map = residency::Pseudonyms::default();
            assert_eq!(
                profile.deidentify(&resource, None, &map, YEAR).unwrap_err().code,
                "type-without-rows"
            );
            refused.insert(name);
            continue;
        }
        let output = deidentified(&profile, &resource);
        // The corpus refers to patients everywhere, where a patient may not stand too.
        let issues = made_wrong(&resource, &output)
            .into_iter()
            .filter(|issue| !issue.text.contains("reference to this type"));
        assert_eq!(issues.collect::<Vec<_>>(), [], "{output}");
        let verdict = verifier::verify_arrival(&fhir::canonical_json(&output), &grammar);
        assert!(verdict.is_ok(), "{:?} {output}", verdict.unwrap_err());
        survival.count(&name, &resource, &output, &rows);
        out.push_str(&output.to_string());
        types.insert(name);
    }
    let found: Vec<&&str> = canaries.iter().filter(|canary| out.contains(**canary)).collect();
    assert!(found.is_empty(), "{found:?}");
    let control = canaries.iter().filter(|canary| before.contains(**canary)).count();
    assert!(
        control * 100 >= canaries.len() * 99,
        "the scan found {control} of {} in the input",
        canaries.len()
    );
    assert!(full_date(&before) && !full_date(&out));
    assert_eq!((types.len(), refused), (29, BTreeSet::from(["MessageHeader".to_owned()])));
    survival.assert_kept();
}
