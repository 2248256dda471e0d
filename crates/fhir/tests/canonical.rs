//! Canonical JSON, bundles, outcomes, and that no input makes any of it panic.

use fhir::bundle::{Method, SearchMode, TransactionEntry, entries, searchset, transaction};
use fhir::{IssueCode, canonical_json, extract, for_each_reference, http_status, r4, validate};
use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};

#[test]
fn elements_stand_in_the_order_of_the_specification() {
    let given = r#"{"zebra":1,"valueQuantity":{"value":1.0e3,"code":"kg","unit":"kg","system":"http://unitsofmeasure.org"},"_status":{"id":"s"},
        "status":"final","alien":{"b":1,"a":[true,null]},"code":{"text":"\"\\/ü\u0001\n\u2028","coding":[{"code":"c","system":"s"}]},
        "contained":[{"id":"p","birthDate":"2020","name":[{"given":["A"],"_given":[null],"family":"B"}],"resourceType":"Patient"}],
        "component":[{"referenceRange":[{"high":{"value":123456789012345678901234567890},"low":{"value":81.250}}],"code":{}}],
        "id":"o","resourceType":"Observation"}"#;
    let expected = concat!(
        r#"{"resourceType":"Observation","id":"o","contained":[{"resourceType":"Patient","id":"p","#,
        r#""name":[{"family":"B","given":["A"],"_given":[null]}],"birthDate":"2020"}],"status":"final","_status":{"id":"s"},"#,
        r#""code":{"coding":[{"system":"s","code":"c"}],"text":"\"\\/ü\u0001\n"#,
        "\u{2028}",
        r#""},"valueQuantity":{"value":1.0e+3,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"},"#,
        r#""component":[{"code":{},"referenceRange":[{"low":{"value":81.250},"high":{"value":123456789012345678901234567890}}]}],"#,
        r#""alien":{"a":[true,null],"b":1},"zebra":1}"#
    );
    let resource: Value = serde_json::from_str(given).unwrap();
    let canonical = canonical_json(&resource);
    assert_eq!(String::from_utf8(canonical.clone()).unwrap(), expected);
    assert_eq!(serde_json::from_slice::<Value>(&canonical).unwrap(), resource);
}

#[test]
fn bundles_are_valid_and_hold_no_empty_parts() {
    let patient = json!({"resourceType": "Patient", "id": "1"});
    let found = searchset(
        Some(1),
        &[("self", "http://x/fhir/Patient")],
        [(None, patient.clone(), SearchMode::Match)],
    );
    assert_eq!((validate(&found), entries(&found).count()), (vec![], 1));
    let none = searchset(Some(0), &[], []);
    assert_eq!(none, json!({"resourceType": "Bundle", "type": "searchset", "total": 0}));
    let asked = transaction([
        TransactionEntry {
            full_url: Some("urn:uuid:1".into()),
            resource: Some(patient),
            method: Method::Put,
            url: "Patient/1".into(),
            if_none_exist: None,
        },
        TransactionEntry {
            full_url: None,
            resource: None,
            method: Method::Delete,
            url: "Patient/2".into(),
            if_none_exist: Some("a=b".into()),
        },
    ]);
    assert_eq!(validate(&asked), []);
    assert_eq!(
        asked["entry"][1]["request"],
        json!({"method": "DELETE", "url": "Patient/2", "ifNoneExist": "a=b"})
    );
}

#[test]
fn issue_codes_are_those_of_r4_and_map_to_a_status() {
    let known = r4().codes("http://hl7.org/fhir/ValueSet/issue-type").unwrap();
    for code in IssueCode::ALL {
        assert!(known.contains(code.as_str()), "{code:?}");
        assert!((200..600).contains(&code.http_status()));
    }
    assert_eq!(http_status(&[]), 200);
    assert_eq!(http_status(&validate(&json!({"resourceType": "Patient", "birthDate": "x"}))), 400);
}

/// JSON that is near to a resource: element names with any values, and any names.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        proptest::strategy::Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "(2020-0[0-9]-1[0-9]T?|Patient/[a-z]|#a|urn:uuid:|[+-]é|[0-9:.TZ+-]{0,25})".prop_map(Value::from),
    ];
    let name = prop_oneof![
        "_?(resourceType|id|name|given|extension|url|valueString|contained|entry|resource|subject|reference|birthDate|code|coding)",
        ".{0,6}",
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_anything_panic(mut value in json_value(), name in "(Patient|Bundle|Observation|Parameters|Questionnaire)") {
        if let Value::Object(object) = &mut value {
            object.insert("resourceType".into(), name.as_str().into());
        }
        validate(&value);
        let canonical = canonical_json(&value);
        assert_eq!(serde_json::from_slice::<Value>(&canonical).unwrap(), value);
        for parameter in r4().search_parameters(&name) {
            extract(&value, parameter);
        }
        for_each_reference(&mut value, &mut |_, text| text.push('x'));
    }
}
