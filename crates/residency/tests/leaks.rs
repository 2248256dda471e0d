//! What the verifier catches when the transformer or its tables are wrong.

#[path = "support/saturate.rs"]
mod saturate;
mod support;

use residency::Profile;
use serde_json::{Value, json};
use support::{PROFILE, YEAR, grammar, profile_files, pseudonyms};
use verifier::{Finding, Grammar, IdentifierKind, KnownIdentifiers, verify, verify_arrival};

/// One row in so many is mutated.
const SAMPLE: usize = 17;
/// Types of which every row is mutated.
const WHOLE: [&str; 5] =
    ["ImmunizationRecommendation", "Goal", "CarePlan", "NutritionOrder", "HealthcareService"];

fn findings(resource: &Value, grammar: &Grammar, known: &KnownIdentifiers) -> Vec<Finding> {
    verify(&fhir::canonical_json(resource), grammar, known).err().unwrap_or_default()
}

fn output(profile: &Profile, resource: &Value) -> Option<Value> {
    let owner = Some("owner");
    let map = pseudonyms(profile, resource, owner);
    profile.deidentify(resource, owner, &map, YEAR).ok().map(|made| made.resource)
}

/// The mark of the shipped profile on what another one made, so that structure alone is judged.
fn stamped(mut resource: Value, honest: &Value) -> Value {
    resource["meta"] = honest["meta"].clone();
    resource
}

#[test]
fn a_drop_that_becomes_another_operation_is_caught() {
    let (files, grammar) = (profile_files(), grammar());
    let honest = support::profile();
    let rows: Vec<&str> = files["fhir.tsv"].lines().collect();
    let mut caught = (0, 0);
    let dropped = rows.iter().enumerate().filter(|(_, row)| row.ends_with("\tdrop"));
    let tried = dropped.enumerate().filter(|(number, (_, row))| {
        number % SAMPLE == 0 || WHOLE.iter().any(|name| row.split('\t').next() == Some(*name))
    });
    for (_, (at, row)) in tried {
        let cells: Vec<&str> = row.split('\t').collect();
        let wider = match cells[2] {
            "boolean" | "integer" | "decimal" | "positiveInt" | "unsignedInt" => "keep",
            "date" | "dateTime" | "Period" => "year",
            "code" => "enum",
            "CodeableConcept" | "Coding" => "code",
            "Reference" => "ref",
            "Quantity" | "Range" | "Ratio" => "qty",
            _ => "keep",
        };
        let mut mutated: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        mutated[at] = format!("{}\t{}\t{}\t{wider}", cells[0], cells[1], cells[2]);
        let mut changed = files.clone();
        changed.insert("fhir.tsv".to_owned(), mutated.join("\n"));
        let Ok(profile) = Profile::compile(PROFILE, &changed) else {
            caught.0 += 1;
            continue;
        };
        let Some(owner) = fhir::ResourceType::parse(cells[0]) else { continue };
        for saturate::Saturated { resource, canaries } in saturate::saturated(owner.as_str()) {
            assert!(!canaries.is_empty());
            let (wide, narrow) = (output(&profile, &resource).unwrap(), output(&honest, &resource).unwrap());
            assert!(findings(&narrow, &grammar, &KnownIdentifiers::default()).is_empty());
            let wide = stamped(wide, &narrow);
            if wide != narrow {
                assert!(
                    !findings(&wide, &grammar, &KnownIdentifiers::default()).is_empty(),
                    "{row} as {wider}"
                );
                caught.1 += 1;
            }
        }
        // Whatever the change did, the mark of the tables differs.
        let sample = saturate::saturated(owner.as_str()).remove(0).resource;
        let unstamped = findings(&output(&profile, &sample).unwrap(), &grammar, &KnownIdentifiers::default());
        assert!(unstamped.iter().any(|finding| finding.check == "meta"));
    }
    assert!(caught.0 > 10 && caught.1 > 0, "{caught:?}");
}

fn known() -> (KnownIdentifiers, Vec<&'static str>) {
    let given = [
        (IdentifierKind::Name, "Featherstone"),
        (IdentifierKind::Number, "MRN-4471193"),
        (IdentifierKind::Number, "900-12-3456"),
        (IdentifierKind::Number, "0058812"),
        (IdentifierKind::Phone, "+1 (312) 555-0147"),
        (IdentifierKind::Email, "marigold@example.org"),
        (IdentifierKind::Street, "12 Larkspur Lane"),
        (IdentifierKind::Date, "1961-04-17"),
    ];
    let mut known = KnownIdentifiers::default();
    given.iter().for_each(|(kind, text)| known.add(*kind, text));
    (known, given.iter().map(|(_, text)| *text).collect())
}

/// Replaces the `at`-th string or number leaf; false when there are fewer.
fn inject(value: &mut Value, at: &mut usize, text: &str) -> bool {
    match value {
        Value::String(_) | Value::Number(_) => {
            if *at == 0 {
                *value = json!(text);
                return true;
            }
            *at -= 1;
            false
        }
        Value::Array(items) => items.iter_mut().any(|item| inject(item, at, text)),
        Value::Object(map) => map.iter_mut().any(|(_, item)| inject(item, at, text)),
        Value::Null | Value::Bool(_) => false,
    }
}

#[test]
fn an_identifier_in_any_leaf_is_caught() {
    let (profile, grammar) = (support::profile(), grammar());
    let (known, identifiers) = known();
    let mut tried = 0;
    for name in [
        "Patient",
        "Encounter",
        "Observation",
        "DiagnosticReport",
        "Condition",
        "MedicationRequest",
        "Provenance",
        "Organization",
    ] {
        let clean = output(&profile, &saturate::saturated(name)[0].resource).unwrap();
        assert_eq!(findings(&clean, &grammar, &known), []);
        for identifier in &identifiers {
            for leaf in 0.. {
                let mut dirty = clean.clone();
                if !inject(&mut dirty, &mut { leaf }, identifier) {
                    break;
                }
                let found = findings(&dirty, &grammar, &known);
                assert!(!found.is_empty(), "{name} leaf {leaf}: {identifier}");
                assert!(found.iter().all(|finding| !finding.location.contains(identifier)));
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

fn observation() -> Value {
    let resource = json!({
        "resourceType": "Observation", "id": "b1", "status": "final", "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "271649006"}]}, "valueQuantity": {"value": 120},
    });
    output(&support::profile(), &resource).unwrap()
}

#[test]
fn an_identifier_in_the_shape_of_a_code_or_value_is_caught() {
    let grammar = grammar();
    let with = |pointer: &str, value: Value, kind: IdentifierKind, identifier: &str| {
        let mut resource = observation();
        *resource.pointer_mut(pointer).unwrap() = value;
        let mut known = KnownIdentifiers::default();
        assert_eq!(findings(&resource, &grammar, &known), [], "the structure is sound");
        known.add(kind, identifier);
        findings(&resource, &grammar, &known).iter().any(|finding| finding.check == "known-identifier")
    };
    let code = "/code/coding/0/code";
    assert!(with(code, json!("4471193012"), IdentifierKind::Number, "4471193012"));
    assert!(with(code, json!("4471193012"), IdentifierKind::Number, "MRN 447-119-3012"));
    assert!(with(code, json!("3125550147"), IdentifierKind::Phone, "+1 (312) 555-0147"));
    assert!(with(code, json!("19610417"), IdentifierKind::Date, "1961-04-17"));
    assert!(with("/valueQuantity/value", json!(4_471_193), IdentifierKind::Number, "4471193"));
    assert!(with("/id", json!("41424344454647480000000000000000"), IdentifierKind::Number, "ABCDEFGH"));
    // What is the same by chance does not hold the resource back.
    assert!(!with(code, json!("271649006"), IdentifierKind::Name, "May"));
    assert!(!with("/valueQuantity/value", json!(120), IdentifierKind::Number, "120"));
    let mut final_name = KnownIdentifiers::default();
    final_name.add(IdentifierKind::Name, "Final");
    assert_eq!(findings(&observation(), &grammar, &final_name), []);
}

#[test]
fn bytes_that_say_more_than_they_parse_to_are_caught() {
    let grammar = grammar();
    let bytes = fhir::canonical_json(&observation());
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(verify_arrival(&bytes, &grammar).is_ok());
    for changed in [
        text.replacen("\"status\":\"final\"", "\"status\":\"Featherstone\",\"status\":\"final\"", 1),
        text.replacen(':', ": ", 1),
        format!("{text}\n"),
        text.replacen("final", "\\u0066inal", 1),
    ] {
        assert_ne!(changed, text);
        let found = verify_arrival(changed.as_bytes(), &grammar).unwrap_err();
        assert!(found.iter().any(|finding| finding.check == "canonical"), "{found:?}");
    }
    assert_eq!(verify_arrival(b"{", &grammar).unwrap_err()[0].check, "json");
}

#[test]
fn unknown_and_forbidden_elements_are_caught_without_their_names() {
    let grammar = grammar();
    for (name, value) in [
        ("Featherstone", json!(true)),
        ("valueString", json!("text")),
        ("issued", json!("2024-05-06T07:08:09Z")),
        ("note", json!([{"text": "x"}])),
        ("_status", json!({"id": "x"})),
        ("extension", json!([{"url": "https://example.org", "valueString": "x"}])),
        ("text", json!({"status": "generated", "div": "<div>x</div>"})),
    ] {
        let mut resource = observation();
        resource[name] = value;
        let found = verify_arrival(&fhir::canonical_json(&resource), &grammar).unwrap_err();
        assert!(found.iter().any(|finding| finding.check == "structure"), "{name}: {found:?}");
        assert!(found.iter().all(|finding| !finding.location.contains("Featherstone")));
    }
}
