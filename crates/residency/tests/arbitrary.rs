//! Whatever JSON comes in, an answer comes out, and what is made passes.

mod support;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use support::YEAR;

/// Names that R4 has, so that the walk goes deep, and some it has not.
const NAMES: [&str; 24] = [
    "resourceType",
    "id",
    "meta",
    "contained",
    "extension",
    "modifierExtension",
    "name",
    "birthDate",
    "address",
    "state",
    "postalCode",
    "country",
    "code",
    "coding",
    "system",
    "value",
    "valueQuantity",
    "unit",
    "subject",
    "reference",
    "component",
    "status",
    "_birthDate",
    "nonsense",
];

fn json_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "Patient",
            "Observation",
            "Patient/1",
            "#c0",
            "1936-01-01",
            "60614",
            "US",
            "http://loinc.org",
            "8302-2",
            "final",
            "mg"
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES.to_vec()), inner), 0..8).prop_map(|entries| {
                Value::Object(
                    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
                )
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deidentify_answers_and_what_it_makes_passes(kind in prop::sample::select(vec!["Patient", "Observation"]), body in json_value(), status in any::<bool>()) {
        thread_local! {
            static LOADED: (residency::Profile, verifier::Grammar) = (support::profile(), support::grammar());
        }
        let mut resource = if let Value::Object(map) = body { Value::Object(map) } else { json!({"value": body}) };
        resource["resourceType"] = json!(kind);
        resource["id"] = json!("x1");
        if status {
            resource["status"] = json!("final");
        }
        LOADED.with(|(profile, grammar)| {
            let map = support::pseudonyms(profile, &resource, Some("x1"));
            if let Ok(made) = profile.deidentify(&resource, Some("x1"), &map, YEAR) {
                let verdict = verifier::verify_arrival(&fhir::canonical_json(&made.resource), grammar);
                assert!(verdict.is_ok(), "{verdict:?} {}", made.resource);
            }
        });
    }

    #[test]
    fn verify_answers(bytes in any::<Vec<u8>>(), value in json_value()) {
        thread_local! {
            static GRAMMAR: verifier::Grammar = support::grammar();
        }
        GRAMMAR.with(|grammar| {
            assert!(verifier::verify_arrival(&bytes, grammar).is_err());
            let mut known = verifier::KnownIdentifiers::default();
            known.add_resource(&value);
            assert!(verifier::verify(value.to_string().as_bytes(), grammar, &known).is_err());
        });
    }
}
