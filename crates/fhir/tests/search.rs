//! What search parameters extract.

use fhir::{
    Audience, Comparator, IndexValue, Reference, begins_a_word, extract, extract_composite, extract_texts,
    extract_typed, for_each_reference, index_entries, r4, searchable,
};
use serde_json::{Value, json};

fn token(system: Option<&str>, code: &str) -> IndexValue {
    IndexValue::Token { system: system.map(Into::into), code: code.into() }
}

fn string(text: &str) -> IndexValue {
    IndexValue::String(text.into())
}

fn reference(resource_type: Option<&str>, id: &str) -> IndexValue {
    IndexValue::Reference { resource_type: resource_type.map(Into::into), id: id.into() }
}

fn quantity(value: &str, system: Option<&str>, code: Option<&str>) -> IndexValue {
    let (system, code) = (system.map(Into::into), code.map(Into::into));
    IndexValue::Quantity { value: value.into(), system, code, comparator: None }
}

fn values(resource: &Value, code: &str) -> Vec<IndexValue> {
    let name = resource["resourceType"].as_str().unwrap();
    extract(resource, r4().search_parameter(name, code).unwrap_or_else(|| panic!("{name} has no {code}")))
}

fn patient() -> Value {
    json!({
        "resourceType": "Patient", "id": "p1", "active": true, "gender": "female", "birthDate": "1980-05-11",
        "meta": {"lastUpdated": "2020-01-01T00:00:00Z", "profile": ["http://example.org/p"], "tag": [{"code": "t"}]},
        "identifier": [{"system": "s", "value": "A1"}, {"value": "B2"}, {"system": "no value"}],
        "name": [{"family": "Example", "given": ["Ada", "B"], "prefix": ["Dr"]}, {"text": "Ada"}],
        "telecom": [{"system": "phone", "value": "555"}, {"system": "email", "value": "a@example.org"}],
        "address": [{"line": ["1 Main St"], "city": "Town", "use": "home"}],
        "generalPractitioner": [{"reference": "Practitioner/7/_history/2"}, {"reference": "https://x.org/fhir/Organization/9"}, {"display": "none"}],
        "link": [{"other": {"reference": "Patient/2"}, "type": "seealso"}],
    })
}

fn observation() -> Value {
    json!({
        "resourceType": "Observation", "id": "o1", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}, {"code": "bp"}], "text": "BP"},
        "subject": {"reference": "Patient/p1"},
        "effectivePeriod": {"start": "2020-01-01"},
        "valueQuantity": {"value": 81.250, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
        "component": [
            {"code": {"coding": [{"code": "8480-6"}]}, "valueQuantity": {"value": 120, "unit": "mmHg"}},
            {"code": {"coding": [{"code": "8462-4"}]}, "valueString": "low"},
        ],
    })
}

#[test]
fn tokens() {
    let patient = patient();
    assert_eq!(values(&patient, "identifier"), [token(Some("s"), "A1"), token(None, "B2")]);
    assert_eq!(
        values(&patient, "gender"),
        [token(Some("http://hl7.org/fhir/administrative-gender"), "female")]
    );
    assert_eq!(values(&patient, "active"), [token(None, "true")]);
    assert_eq!(values(&patient, "phone"), [token(Some("phone"), "555")]);
    assert_eq!(values(&patient, "telecom").len(), 2);
    assert_eq!(values(&patient, "_id"), [token(None, "p1")]);
    assert_eq!(values(&patient, "_tag"), [token(None, "t")]);
    assert_eq!(
        values(&observation(), "code"),
        [token(Some("http://loinc.org"), "85354-9"), token(None, "bp")]
    );
    assert_eq!(values(&observation(), "combo-code").len(), 4);
}

#[test]
fn deceased_is_computed() {
    let mut patient = patient();
    assert_eq!(values(&patient, "deceased"), [token(None, "false")]);
    patient["deceasedBoolean"] = json!(false);
    assert_eq!(values(&patient, "deceased"), [token(None, "false")]);
    patient["deceasedBoolean"] = json!(true);
    assert_eq!(values(&patient, "deceased"), [token(None, "true")]);
    patient.as_object_mut().unwrap().remove("deceasedBoolean");
    patient["deceasedDateTime"] = json!("2020");
    assert_eq!(values(&patient, "deceased"), [token(None, "true")]);
    assert_eq!(values(&patient, "death-date").len(), 1);
}

#[test]
fn strings_and_uris() {
    let patient = patient();
    assert_eq!(values(&patient, "name"), ["Example", "Ada", "B", "Dr"].map(string));
    assert_eq!(values(&patient, "given"), ["Ada", "B"].map(string));
    assert_eq!(values(&patient, "address"), ["1 Main St", "Town"].map(string));
    assert_eq!(values(&patient, "address-use"), [token(Some("http://hl7.org/fhir/address-use"), "home")]);
    assert_eq!(values(&patient, "_profile"), [IndexValue::Uri("http://example.org/p".into())]);
}

#[test]
fn references() {
    let patient = patient();
    let practitioners = [
        reference(Some("Practitioner"), "7"),
        reference(Some("Organization"), "https://x.org/fhir/Organization/9"),
    ];
    assert_eq!(values(&patient, "general-practitioner"), practitioners);
    assert_eq!(values(&patient, "link"), [reference(Some("Patient"), "2")]);
    assert_eq!(values(&observation(), "patient"), [reference(Some("Patient"), "p1")]);
    let mut of_group = observation();
    of_group["subject"]["reference"] = json!("Group/1");
    assert_eq!(values(&of_group, "patient"), []);
    assert_eq!(values(&of_group, "subject"), [reference(Some("Group"), "1")]);
    of_group["subject"] = json!({"reference": "urn:uuid:1", "type": "Patient"});
    assert_eq!(values(&of_group, "patient"), [reference(None, "urn:uuid:1")]);
    of_group["subject"] = json!({"reference": "#c"});
    assert_eq!(values(&of_group, "subject"), []);
    let bundle = json!({"resourceType": "Bundle", "type": "message", "entry": [{"resource": {"resourceType": "MessageHeader", "id": "m"}}, {"resource": patient}]});
    assert_eq!(values(&bundle, "message"), [reference(Some("MessageHeader"), "m")]);
}

#[test]
fn dates() {
    const DAY: i64 = 86_400_000_000;
    assert_eq!(
        values(&patient(), "birthdate"),
        [IndexValue::Date { low_us: 3783 * DAY, high_us: 3784 * DAY }]
    );
    assert_eq!(values(&observation(), "date"), [IndexValue::Date { low_us: 18262 * DAY, high_us: i64::MAX }]);
    let updated = IndexValue::Date { low_us: 18262 * DAY, high_us: 18262 * DAY + 1_000_000 };
    assert_eq!(values(&patient(), "_lastUpdated"), [updated]);
    let mut timed = observation();
    timed.as_object_mut().unwrap().remove("effectivePeriod");
    timed["effectiveTiming"] =
        json!({"event": ["2020", "nonsense"], "repeat": {"boundsPeriod": {"end": "1970-01-01"}}});
    let year = IndexValue::Date { low_us: 18262 * DAY, high_us: 18628 * DAY };
    assert_eq!(values(&timed, "date"), [year, IndexValue::Date { low_us: i64::MIN, high_us: DAY }]);
}

#[test]
fn quantities_and_numbers() {
    let observation: Value =
        serde_json::from_str(&observation().to_string().replace("81.25", "81.250")).unwrap();
    assert_eq!(
        values(&observation, "value-quantity"),
        [quantity("81.250", Some("http://unitsofmeasure.org"), Some("kg"))]
    );
    assert_eq!(values(&observation, "component-value-quantity"), [quantity("120", None, Some("mmHg"))]);
    let invoice =
        json!({"resourceType": "Invoice", "status": "issued", "totalNet": {"value": 5, "currency": "EUR"}});
    assert_eq!(values(&invoice, "totalnet"), [quantity("5", Some("urn:iso:std:iso:4217"), Some("EUR"))]);
    let risk = json!({"resourceType": "RiskAssessment", "prediction": [{"probabilityDecimal": 0.5}]});
    assert_eq!(values(&risk, "probability"), [IndexValue::Number("0.5".into())]);
    let condition =
        json!({"resourceType": "Condition", "subject": {}, "onsetAge": {"value": 3, "unit": "a"}});
    assert_eq!(values(&condition, "onset-age"), [quantity("3", None, Some("a"))]);
}

#[test]
fn a_canonical_is_found_with_and_without_its_version() {
    let response = json!({"resourceType": "QuestionnaireResponse", "status": "completed",
        "questionnaire": "http://example.org/fhir/Questionnaire/q|2.0"});
    let found = [
        reference(None, "http://example.org/fhir/Questionnaire/q|2.0"),
        reference(Some("Questionnaire"), "http://example.org/fhir/Questionnaire/q"),
    ];
    assert_eq!(values(&response, "questionnaire"), found);
}

#[test]
fn what_a_code_cannot_say_is_kept_under_the_code_with_a_mark() {
    let mut observation = observation();
    observation["valueQuantity"] = json!({"comparator": "<", "value": 5, "unit": "mg"});
    observation["performer"] =
        json!([{"identifier": {"system": "s", "value": "N1"}}, {"identifier": {"system": "s"}}]);
    let entries = index_entries(&observation, Audience::Identified);
    let of = |name: &str| {
        entries.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("value-quantity"), []);
    let bound = IndexValue::Quantity {
        value: "5".into(),
        system: None,
        code: Some("mg".into()),
        comparator: Some(Comparator::Less),
    };
    assert_eq!(of("value-quantity:<"), [bound]);
    assert_eq!(of("performer:identifier"), [token(Some("s"), "N1")]);
    assert_eq!(of("performer"), []);
    assert_eq!(of("subject"), [reference(Some("Patient"), "p1")]);
    let deidentified = index_entries(&observation, Audience::Deidentified);
    assert!(deidentified.iter().all(|(name, _)| !name.contains("identifier")));
    assert!(deidentified.iter().any(|(name, _)| name == "value-quantity:<"));
    assert_eq!(index_entries(&json!({"resourceType": "Nonsense"}), Audience::Identified), []);
}

#[test]
fn texts_and_types_of_coded_values() {
    let patient = json!({"resourceType": "Patient", "identifier": [
        {"type": {"text": "Record", "coding": [{"system": "t", "code": "MR", "display": "Medical record"}, {"code": "X"}]}, "value": "1"},
        {"type": {"coding": [{"code": "MR"}]}}, {"value": "2"}]});
    let identifier = r4().search_parameter("Patient", "identifier").unwrap();
    assert_eq!(extract_texts(&patient, identifier), ["Record", "Medical record"]);
    let typed: Vec<_> =
        extract_typed(&patient, identifier).into_iter().map(|it| (it.system, it.code, it.value)).collect();
    assert_eq!(typed, [("t", "MR", "1"), ("", "X", "1")]);
    let code = r4().search_parameter("Observation", "code").unwrap();
    assert_eq!(extract_texts(&observation(), code), ["BP"]);
    assert!(extract_typed(&observation(), code).is_empty());
}

#[test]
fn words_begin_after_what_is_no_letter() {
    for (text, asked, begins) in [
        ("glucose [mass/volume]", "mass", true),
        ("glucose [mass/volume]", "volume", true),
        ("glucose [mass/volume]", "ass", false),
        ("glucose in blood", "in bl", true),
        ("xa a a", "a a", true),
        ("aab ab", "ab", true),
        ("aab", "ab", false),
        ("", "a", false),
    ] {
        assert_eq!(begins_a_word(text, asked), begins, "{text} {asked}");
    }
}

#[test]
fn parts_of_composites_are_parameters_of_their_type() {
    for name in r4().resource_names() {
        for parameter in
            searchable(name, Audience::Identified).filter(|parameter| !parameter.components.is_empty())
        {
            for component in parameter.components {
                let part = r4().search_parameter(name, component.code);
                assert!(
                    part.is_some_and(|part| part.kind == component.kind),
                    "{name} {} {}",
                    parameter.code,
                    component.code
                );
            }
        }
        assert!(searchable(name, Audience::Deidentified).all(|parameter| parameter.components.is_empty()));
    }
}

#[test]
fn composites_hold_within_one_element() {
    let parameter = r4().search_parameter("Observation", "component-code-value-quantity").unwrap();
    let rows = extract_composite(&observation(), parameter);
    assert_eq!(rows, [vec![vec![token(None, "8480-6")], vec![quantity("120", None, Some("mmHg"))]]]);
}

#[test]
fn every_parameter_with_an_expression_runs_on_its_resource() {
    let mut without = std::collections::BTreeSet::new();
    for name in r4().resource_names() {
        let resource = json!({"resourceType": name, "id": "x"});
        for parameter in r4().search_parameters(name) {
            if parameter.expression.is_empty() {
                without.insert(parameter.code);
            }
            extract(&resource, parameter);
            extract_composite(&resource, parameter);
        }
    }
    // Parsing happens when the pack is decoded and fails there; these have nothing to parse.
    assert_eq!(without.into_iter().collect::<Vec<_>>(), ["_content", "_filter", "_query", "_text"]);
}

#[test]
fn a_path_of_each_parameter_exists_in_the_table() {
    for name in r4().resource_names() {
        for parameter in r4().search_parameters(name) {
            for part in parameter.expression.split('|') {
                let path = part.trim().trim_start_matches('(');
                let Some(rest) = path.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')) else {
                    continue;
                };
                let mut at = name;
                let word_end = |c: char| !(c.is_ascii_alphanumeric() || c == '.');
                for step in rest
                    .split(word_end)
                    .next()
                    .unwrap()
                    .split('.')
                    .take_while(|step| !["as", "where", "exists", "resource"].contains(step))
                {
                    let choice = || {
                        r4().children(at)
                            .iter()
                            .find(|element| element.base_name() == step)
                            .map(|element| (element.path, ""))
                    };
                    match r4().property(at, step) {
                        Some(property) => at = property.child_path,
                        None => {
                            assert!(choice().is_some(), "{name} {}: {step} is not under {at}", parameter.code)
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn reference_text_is_read() {
    let form = |text: &str| format!("{:?}", Reference::parse(text));
    for (text, expected) in [
        ("Patient/1", "Reference(relative, Patient)"),
        ("Patient/1/_history/2", "Reference(relative, Patient)"),
        ("http://x/fhir/Patient/1", "Reference(absolute, Patient)"),
        ("urn:uuid:1", "Reference(urn)"),
        ("#a", "Reference(contained)"),
        ("Patient?identifier=a|b", "Reference(conditional, Patient)"),
        ("Patient/a_b", "Reference(other)"),
        ("Humbug/1", "Reference(other)"),
        ("x/Patient/1", "Reference(other)"),
        ("Patient/1/_history/a b", "Reference(other)"),
        ("", "Reference(other)"),
    ] {
        assert_eq!(form(text), expected, "{text}");
    }
}

#[test]
fn references_are_visited_and_rewritten() {
    let mut bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": {
        "resourceType": "Observation",
        "contained": [{"resourceType": "Patient", "managingOrganization": {"reference": "Organization/1"}}],
        "extension": [{"url": "x", "valueReference": {"reference": "Device/1"}}],
        "subject": {"reference": "Patient/1", "display": "reference"},
        "_status": {"extension": [{"url": "x", "valueReference": {"reference": "Device/2"}}]},
        "later": {"reference": "Patient/3"},
        "performer": [{"display": "x"}, {"reference": "Practitioner/1"}],
    }}]});
    let (mut read, mut seen) = (Vec::new(), Vec::new());
    fhir::references(&bundle, &mut |location, text| read.push(format!("{location}={text}")));
    for_each_reference(&mut bundle, &mut |location, text| {
        seen.push(format!("{location}={text}"));
        *text = "Patient/new".into();
    });
    assert_eq!(read, seen, "who reads visits what who rewrites does");
    seen.sort();
    assert_eq!(
        seen,
        [
            "Bundle.entry[0].resource.contained[0].managingOrganization=Organization/1",
            "Bundle.entry[0].resource.extension[0].value=Device/1",
            "Bundle.entry[0].resource.later=Patient/3",
            "Bundle.entry[0].resource.performer[1]=Practitioner/1",
            "Bundle.entry[0].resource.status.extension[0].value=Device/2",
            "Bundle.entry[0].resource.subject=Patient/1",
        ]
    );
    assert_eq!(bundle["entry"][0]["resource"]["subject"]["reference"], "Patient/new");
}
