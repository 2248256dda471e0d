//! Modifiers, units and composites over real resources.

use fhir::{DateMatch, NumberMatch, UCUM};
use serde_json::{Value, json};
use store::{Clause, PartValue, QuantityValue, TokenValue, TypedValue, UriMatch};

use crate::harness::Adapter;
use crate::samples::{NOW_US, real, references, tokens};
use crate::search::{found, put};

/// A quantity in every unit that it can be compared in.
pub fn quantities(asked: &str, unit: &str) -> Vec<QuantityValue> {
    let each = NumberMatch::in_units(asked, unit).expect("a number").into_iter();
    each.map(|(unit, number)| QuantityValue { number, system: Some(UCUM.into()), unit: Some(unit) }).collect()
}

fn plain(asked: &str) -> QuantityValue {
    QuantityValue { number: NumberMatch::parse(asked).expect("a number"), system: None, unit: None }
}

fn number(values: Vec<QuantityValue>) -> Clause {
    Clause::Number { parameter: "value-quantity".into(), values }
}

fn measured(id: &str, quantity: &Value) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"}, "valueQuantity": quantity})
}

fn in_unit(id: &str, value: f64, unit: &str) -> Value {
    measured(id, &json!({"value": value, "system": UCUM, "code": unit}))
}

pub async fn units_of_one_dimension_are_compared(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let resources = [
        in_unit("kg", 100.0, "kg"),
        in_unit("g", 100_000.0, "g"),
        in_unit("g-edge", 99_500.0, "g"),
        in_unit("g-beyond", 100_500.0, "g"),
        in_unit("mg", 100.0, "mg"),
        in_unit("mmol", 100.0, "mmol/L"),
        in_unit("unknown", 100.0, "[arb'U]"),
        measured("text", &json!({"value": 100, "unit": "kg"})),
    ];
    put(&node, 1, resources.iter().map(real).collect()).await;
    let cases: [(Vec<QuantityValue>, &[&str]); 9] = [
        (quantities("100", "kg"), &["g", "g-edge", "kg"]),
        (quantities("100.00", "kg"), &["g", "kg"]),
        (quantities("100000", "g"), &["g", "kg"]),
        (quantities("gt100", "kg"), &["g-beyond"]),
        (quantities("lt1", "kg"), &["mg"]),
        (quantities("ne100", "kg"), &["g-beyond", "mg"]),
        (quantities("100", "[arb'U]"), &["unknown"]),
        (quantities("100", "lb"), &[]),
        (vec![plain("100")], &["kg", "mg", "mmol", "text", "unknown"]),
    ];
    for (values, expected) in cases {
        let asked = format!("{values:?}", values = values.len());
        assert_eq!(found(&*node.resources, "Observation", vec![number(values)]).await, expected, "{asked}");
    }
}

pub async fn a_bound_stands_for_all_that_it_can_be(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let bound = |id: &str, comparator: &str, value: f64| {
        measured(id, &json!({"value": value, "comparator": comparator, "system": UCUM, "code": "mg"}))
    };
    let resources = [
        bound("lt5", "<", 5.0),
        bound("le5", "<=", 5.0),
        bound("gt5", ">", 5.0),
        bound("ge5", ">=", 5.0),
        in_unit("is5", 5.0, "mg"),
    ];
    put(&node, 1, resources.iter().map(real).collect()).await;
    let cases: [(&str, &[&str]); 14] = [
        ("5", &["is5"]),
        ("4", &[]),
        ("ne5", &["ge5", "gt5", "le5", "lt5"]),
        ("gt4", &["ge5", "gt5", "is5", "le5", "lt5"]),
        ("gt5", &["ge5", "gt5"]),
        ("ge5", &["ge5", "gt5", "is5", "le5"]),
        ("lt5", &["le5", "lt5"]),
        ("le5", &["ge5", "is5", "le5", "lt5"]),
        ("lt6", &["ge5", "gt5", "is5", "le5", "lt5"]),
        ("sa5", &["gt5"]),
        ("sa4", &["ge5", "gt5", "is5"]),
        ("eb5", &["lt5"]),
        ("eb6", &["is5", "le5", "lt5"]),
        ("ap5", &["ge5", "gt5", "is5", "le5", "lt5"]),
    ];
    for (asked, expected) in cases {
        for values in [vec![plain(asked)], quantities(asked, "mg")] {
            let ids = found(&*node.resources, "Observation", vec![number(values)]).await;
            assert_eq!(ids, expected, "{asked}");
        }
    }
    let grams = quantities("lt0.006", "g");
    assert_eq!(found(&*node.resources, "Observation", vec![number(grams)]).await.len(), 5, "also of bounds");
}

pub async fn uris_are_compared_along_their_path(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let library =
        |id: &str, url: &str| json!({"resourceType": "Library", "id": id, "status": "active", "url": url});
    let resources = [
        library("a", "http://example.org/fhir"),
        library("b", "http://example.org/fhir/"),
        library("c", "http://example.org/fhir/Library/x"),
        library("d", "http://example.org/fhirs"),
        library("e", "http://example.org"),
        library("f", "HTTP://example.org/fhir"),
    ];
    put(&node, 1, resources.iter().map(real).collect()).await;
    let cases: [(UriMatch, &str, &[&str]); 8] = [
        (UriMatch::Whole, "http://example.org/fhir", &["a"]),
        (UriMatch::Below, "http://example.org/fhir", &["a", "b", "c"]),
        (UriMatch::Below, "http://example.org/fhir/", &["a", "b", "c"]),
        (UriMatch::Below, "http://example.org", &["a", "b", "c", "d", "e"]),
        (UriMatch::Below, "http://example.org/fhir/Library/x/y", &[]),
        (UriMatch::Above, "http://example.org/fhir/Library/x/y", &["a", "b", "c", "e"]),
        (UriMatch::Above, "http://example.org/fhir", &["a", "b", "e"]),
        (UriMatch::Above, "http://example.com/fhir", &[]),
    ];
    for (how, asked, expected) in cases {
        let clause = Clause::Uri { parameter: "url".into(), values: vec![asked.into()], how };
        assert_eq!(found(&*node.resources, "Library", vec![clause]).await, expected, "{how:?} {asked}");
    }
}

pub async fn words_beside_codes_are_found(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let coded =
        |id: &str, code: &Value| json!({"resourceType": "Condition", "id": id, "subject": {}, "code": code});
    let resources = [
        coded("text", &json!({"text": "Diabetes mellitus, Typ Zwei"})),
        coded("display", &json!({"coding": [{"code": "1", "display": "Type 2 diabétes"}]})),
        coded("code", &json!({"coding": [{"code": "diabetes"}]})),
        json!({"resourceType": "Condition", "id": "none", "subject": {}}),
    ];
    put(&node, 1, resources.iter().map(real).collect()).await;
    let cases: [(&[&str], &[&str]); 6] = [
        (&["DIABETES"], &["display", "text"]),
        (&["mell"], &["text"]),
        (&["ellitus"], &[]),
        (&["2 dia"], &["display"]),
        (&["zwei", "type"], &["display", "text"]),
        (&["none"], &[]),
    ];
    for (asked, expected) in cases {
        let values = asked.iter().map(|word| (*word).to_owned()).collect();
        let clause = Clause::Words { parameter: "code".into(), values };
        assert_eq!(found(&*node.resources, "Condition", vec![clause]).await, expected, "{asked:?}");
    }
}

pub async fn identifiers_are_found_by_their_type(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let typed = |id: &str, system: &str, code: &str, value: &str| {
        json!({"resourceType": "Patient", "id": id, "identifier": [
            {"type": {"coding": [{"system": system, "code": code}]}, "system": "urn:x", "value": value},
            {"value": "other"}]})
    };
    let resources = [
        typed("a", "urn:types", "MR", "123"),
        typed("b", "urn:types", "SS", "123"),
        typed("c", "urn:types", "MR", "124"),
        typed("d", "urn:else", "MR", "123"),
    ];
    put(&node, 1, resources.iter().map(real).collect()).await;
    let value = |system: &str, code: &str, value: &str| TypedValue {
        system: system.into(),
        code: code.into(),
        value: value.into(),
    };
    let cases: [(Vec<TypedValue>, &[&str]); 4] = [
        (vec![value("urn:types", "mr", "123")], &["a"]),
        (vec![value("urn:types", "MR", "123"), value("urn:types", "SS", "123")], &["a", "b"]),
        (vec![value("urn:types", "MR", "other")], &[]),
        (vec![value("urn:none", "MR", "123")], &[]),
    ];
    for (values, expected) in cases {
        let clause = Clause::OfType { parameter: "identifier".into(), values };
        assert_eq!(found(&*node.resources, "Patient", vec![clause]).await, expected);
    }
}

pub async fn parts_of_a_composite_hold_of_one_element(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let pressure = |id: &str, systolic: u32, diastolic: u32| {
        let part = |code: &str, value: u32| {
            json!({"code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {"value": value, "system": UCUM, "code": "mm[Hg]"}})
        };
        json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"code": "85354-9"}]},
            "effectiveDateTime": "2020-05-11", "component": [part("8480-6", systolic), part("8462-4", diastolic)]})
    };
    let resources = [pressure("a", 150, 80), pressure("b", 120, 145), pressure("c", 141, 141)];
    put(&node, 1, resources.iter().map(real).collect()).await;
    let code = |code: &str| {
        PartValue::Token(TokenValue { system: Some("http://loinc.org".into()), code: Some(code.into()) })
    };
    let asked = |first: &str, value: Vec<QuantityValue>| Clause::Composite {
        parameter: "component-code-value-quantity".into(),
        values: vec![vec![code(first), PartValue::Number(value)]],
    };
    let cases: [(Clause, &[&str]); 5] = [
        (asked("8480-6", vec![plain("gt140")]), &["a", "c"]),
        (asked("8462-4", vec![plain("gt140")]), &["b", "c"]),
        (asked("8480-6", quantities("gt18.7", "kPa")), &["a", "c"]),
        (asked("8480-6", quantities("gt140", "mg")), &[]),
        (asked("85354-9", vec![plain("gt140")]), &[]),
    ];
    for (number, (clause, expected)) in cases.into_iter().enumerate() {
        assert_eq!(found(&*node.resources, "Observation", vec![clause]).await, expected, "case {number}");
    }
    let either = Clause::Composite {
        parameter: "combo-code-value-quantity".into(),
        values: vec![
            vec![code("8480-6"), PartValue::Number(vec![plain("150")])],
            vec![code("8462-4"), PartValue::Number(vec![plain("145")])],
        ],
    };
    assert_eq!(found(&*node.resources, "Observation", vec![either]).await, ["a", "b"]);
}

pub async fn canonicals_are_found_with_and_without_version(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let response = |id: &str, of: &str| json!({"resourceType": "QuestionnaireResponse", "id": id, "status": "completed", "questionnaire": of});
    let resources = [
        response("one", "http://example.org/fhir/Questionnaire/q|1"),
        response("two", "http://example.org/fhir/Questionnaire/q|2"),
        response("any", "http://example.org/fhir/Questionnaire/q"),
    ];
    put(&node, 1, resources.iter().map(real).collect()).await;
    let cases: [(&str, &[&str]); 3] = [
        ("http://example.org/fhir/Questionnaire/q", &["any", "one", "two"]),
        ("http://example.org/fhir/Questionnaire/q|2", &["two"]),
        ("http://example.org/fhir/Questionnaire/q|3", &[]),
    ];
    for (asked, expected) in cases {
        let clause = references("questionnaire", &[(None, asked)]);
        assert_eq!(found(&*node.resources, "QuestionnaireResponse", vec![clause]).await, expected, "{asked}");
    }
}

pub async fn logical_references_are_found_by_identifier(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let seen = |id: &str, subject: &Value| json!({"resourceType": "Observation", "id": id, "status": "final", "code": {}, "subject": subject});
    let resources = [
        seen("logical", &json!({"identifier": {"system": "urn:mrn", "value": "M1"}})),
        seen("both", &json!({"reference": "Patient/p", "identifier": {"value": "M1"}})),
        seen("literal", &json!({"reference": "Patient/M1"})),
    ];
    put(&node, 1, resources.iter().map(real).collect()).await;
    /// System and code, ids.
    type Case<'a> = (Option<&'a str>, &'a str, &'a [&'a str]);
    let cases: [Case<'_>; 4] = [
        (None, "m1", &["both", "logical"]),
        (Some("urn:mrn"), "M1", &["logical"]),
        (Some(""), "M1", &["both"]),
        (None, "p", &[]),
    ];
    for (system, code, expected) in cases {
        let clause = tokens(&fhir::identifier_name("subject"), &[(system, Some(code))]);
        assert_eq!(found(&*node.resources, "Observation", vec![clause]).await, expected, "{code}");
    }
}

pub async fn missing_is_about_all_that_is_indexed(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut logical = measured("logical", &json!({"value": 5, "comparator": "<"}));
    logical["subject"] = json!({"identifier": {"value": "M1"}});
    let mut plain = measured("plain", &json!({"value": 5}));
    plain["subject"] = json!({"reference": "Patient/p"});
    plain["effectiveDateTime"] = json!("2020");
    let none = json!({"resourceType": "Observation", "id": "none", "status": "final", "code": {}});
    put(&node, 1, [logical, plain, none].iter().map(real).collect()).await;
    for (parameter, without) in [
        ("value-quantity", vec!["none"]),
        ("subject", vec!["none"]),
        ("date", vec!["logical", "none"]),
        ("device", vec!["logical", "none", "plain"]),
    ] {
        let clause = |missing| Clause::Missing { parameter: parameter.into(), missing };
        assert_eq!(found(&*node.resources, "Observation", vec![clause(true)]).await, without, "{parameter}");
        let with = found(&*node.resources, "Observation", vec![clause(false)]).await;
        assert_eq!(with.len() + without.len(), 3, "{parameter}");
    }
    let dated = Clause::Date {
        parameter: "date".into(),
        values: vec![DateMatch::parse("2020", NOW_US).expect("a date")],
    };
    let either = Clause::Any(vec![dated, Clause::Missing { parameter: "subject".into(), missing: true }]);
    assert_eq!(found(&*node.resources, "Observation", vec![either]).await, ["none", "plain"]);
    assert!(found(&*node.resources, "Observation", vec![Clause::Any(Vec::new())]).await.is_empty());
}
