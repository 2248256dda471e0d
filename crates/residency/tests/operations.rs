//! What each operation does to a value.

mod support;

use residency::{Deidentified, Profile, Pseudonym, Pseudonyms, Refusal, Subject};
use serde_json::{Value, json};
use support::{YEAR, profile, pseudonyms};

const OWNER: &str = "p1";

fn made(profile: &Profile, resource: &Value) -> Result<Deidentified, Refusal> {
    let map = pseudonyms(profile, resource, Some(OWNER));
    profile.deidentify(resource, Some(OWNER), &map, YEAR)
}

fn output(resource: Value) -> Value {
    made(&profile(), &resource).unwrap().resource
}

fn patient(more: Value) -> Value {
    let mut resource = json!({"resourceType": "Patient", "id": OWNER});
    resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    resource
}

fn observation(more: Value) -> Value {
    let code = json!({"coding": [{"system": "http://loinc.org", "code": "8302-2"}]});
    let mut resource = json!({"resourceType": "Observation", "id": "b1", "status": "final", "code": code});
    resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    resource
}

fn masked() -> Value {
    json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]})
}

#[test]
fn ages_over_89_become_a_band() {
    let band = json!({"extension": [{"url": "urn:tidegate:age-band", "valueCode": "90+"}]});
    for (born, year, beside) in [
        ("1937-12-31", Some("1937"), None),
        ("1936-12-31", None, Some(&band)),
        ("1911", None, Some(&band)),
        ("2026-01-01", Some("2026"), None),
    ] {
        let made = output(patient(json!({"birthDate": born})));
        assert_eq!((made["birthDate"].as_str(), made.get("_birthDate")), (year, beside), "{born}");
    }
    let condition = |onset: Value| {
        let mut resource =
            json!({"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}});
        resource.as_object_mut().unwrap().extend(onset.as_object().unwrap().clone());
        output(resource)
    };
    let age = |value: Value, code: &str| json!({"value": value, "unit": "as sent", "system": "http://unitsofmeasure.org", "code": code});
    let over = json!({"value": 90, "comparator": ">=", "system": "http://unitsofmeasure.org", "code": "a"});
    for (value, code, expected) in [
        (json!(89), "a", json!({"value": 89, "system": "http://unitsofmeasure.org", "code": "a"})),
        (json!(92), "a", over.clone()),
        (json!(1100), "mo", over.clone()),
        (json!(40_000), "d", over.clone()),
    ] {
        assert_eq!(condition(json!({"onsetAge": age(value, code)}))["onsetAge"], expected);
    }
    assert!(condition(json!({"onsetAge": {"value": 95, "unit": "years old"}})).get("onsetAge").is_none());
    let range = json!({"onsetRange": {"low": age(json!(85), "a"), "high": age(json!(95), "a")}});
    assert_eq!(condition(range)["onsetRange"], json!({"low": over}));
    let aged = |value: Value| {
        observation(
            json!({"code": {"coding": [{"system": "http://loinc.org", "code": "30525-0"}]}, "valueQuantity": value}),
        )
    };
    assert_eq!(output(aged(age(json!(34_000), "d")))["valueQuantity"], over);
    assert_eq!(
        output(observation(json!({"valueQuantity": age(json!(34_000), "d")})))["valueQuantity"]["value"],
        34_000
    );
}

#[test]
fn dates_become_years_and_old_ones_go() {
    let made = output(observation(
        json!({"effectiveDateTime": "2024-05-06T07:08:09+01:00", "issued": "2024-05-06T07:08:09Z"}),
    ));
    assert_eq!((made["effectiveDateTime"].as_str(), made.get("issued")), (Some("2024"), None));
    assert!(output(observation(json!({"effectiveDateTime": "1936-05"}))).get("effectiveDateTime").is_none());
    let period =
        output(observation(json!({"effectivePeriod": {"start": "2024-05-06", "end": "2025-01-02"}})));
    assert_eq!(period["effectivePeriod"], json!({"start": "2024", "end": "2025"}));
    let died =
        output(patient(json!({"deceasedDateTime": "2025-02-03T04:05:06Z", "multipleBirthInteger": 2})));
    assert_eq!((&died["deceasedBoolean"], &died["multipleBirthBoolean"]), (&json!(true), &json!(true)));
}

#[test]
fn addresses_keep_state_prefix_and_country() {
    let address = |more: Value| {
        let mut address = json!({"line": ["1 Elm"], "city": "Springfield", "district": "Sangamon"});
        address.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        output(patient(json!({"address": [address]}))).get("address").map(|address| address[0].clone())
    };
    let cases = [
        (
            json!({"state": "il", "postalCode": "62704-1234", "country": "USA"}),
            Some(json!({"state": "IL", "postalCode": "627", "country": "USA"})),
        ),
        (json!({"postalCode": "03601"}), Some(json!({"postalCode": "000"}))),
        (json!({"postalCode": "20501"}), Some(json!({"postalCode": "000"}))),
        (
            json!({"state": "Ontario", "postalCode": "K1A 0B1", "country": "CA"}),
            Some(json!({"country": "CA"})),
        ),
        (json!({"state": "IL", "postalCode": "10115", "country": "DE"}), Some(json!({"country": "DE"}))),
        (json!({"state": "Little Village", "postalCode": "6270", "country": "Freedonia"}), None),
    ];
    for (given, expected) in cases {
        assert_eq!(address(given.clone()), expected, "{given}");
    }
    let place = output(
        json!({"resourceType": "Location", "id": "l1", "name": "Ward 4", "address": {"state": "IL", "postalCode": "62704", "country": "US"}}),
    );
    assert_eq!((&place["address"], place.get("name")), (&json!({"state": "IL"}), None));
}

#[test]
fn codes_and_units_are_vetted() {
    let ssn =
        json!({"coding": [{"system": "http://hl7.org/fhir/sid/us-ssn", "code": "900123456"}], "text": "x"});
    let local = json!({"coding": [{"system": "urn:oid:1.2.3", "code": "GLUC"}]});
    for dropped in [
        ssn,
        local,
        json!({"text": "Glucose of Mrs Smith"}),
        json!({"coding": [{"system": "http://loinc.org", "code": "Smith"}]}),
        json!({"coding": [{"code": "8302-2"}]}),
    ] {
        let made = output(observation(json!({"code": dropped, "method": dropped})));
        assert_eq!((&made["code"], made.get("method")), (&masked(), None));
    }
    let ucum = "http://unitsofmeasure.org";
    for (given, expected) in [
        (json!({"value": 5, "unit": "mg/dL"}), Some(json!({"value": 5, "system": ucum, "code": "mg/dL"}))),
        (json!({"value": 5}), Some(json!({"value": 5}))),
        (json!({"value": 5, "unit": "as told by Smith"}), Some(masked())),
        (json!({"value": 5, "system": "urn:oid:1", "code": "mg"}), Some(masked())),
        (json!({"value": 5, "system": ucum, "code": "{Smith}"}), Some(masked())),
        (
            json!({"value": 5, "system": ucum, "code": "10*3/uL", "unit": "x"}),
            Some(json!({"value": 5, "system": ucum, "code": "10*3/uL"})),
        ),
    ] {
        assert_eq!(
            output(observation(json!({"valueQuantity": given}))).get("valueQuantity").cloned(),
            expected,
            "{given}"
        );
    }
    let text = |text: &str| output(observation(json!({"valueString": text}))).get("valueString").cloned();
    assert_eq!(
        (text("POSITIVE "), text("positive, Mrs Smith"), text("1+")),
        (Some(json!("Positive")), None, Some(json!("1+")))
    );
}

#[test]
fn common_units_have_the_shape() {
    let units = "% 10*3/uL 10*6/uL 10*9/L 10*12/L mg/dL g/dL g/L mmol/L umol/L nmol/L pmol/L ug/L ng/mL pg/mL ug/mL meq/L U/L IU/L [IU]/L m[IU]/L u[IU]/mL k[IU]/L fL pg mm[Hg] kPa /min {beats}/min {breaths}/min Cel [degF] kg g [lb_av] cm m [in_i] kg/m2 mL mL/min mL/min/{1.73_m2} s min h d wk mo a L L/min {INR} {ratio} {score} mg mg/d mg/kg ug/kg/min osm/kg mosm/kg [pH] 1 {cells}/uL /uL /[HPF] {titer} mm/h mL/h dB Hz mV".split(' ');
    let profile = profile();
    let refused: Vec<&str> = units
        .filter(|unit| {
            let quantity = json!({"value": 1, "system": "http://unitsofmeasure.org", "code": unit});
            made(&profile, &observation(json!({"valueQuantity": quantity})))
                .unwrap()
                .resource["valueQuantity"]
                .get("value")
                .is_none()
        })
        .collect();
    assert_eq!(refused, [""; 0]);
}

#[test]
fn references_are_released_or_dropped() {
    let profile = profile();
    let resource = observation(json!({
        "subject": {"reference": "Patient/p1", "display": "Mrs Smith", "identifier": {"value": "4471"}},
        "encounter": {"reference": "Encounter/e1/_history/3"},
        "performer": [
            {"reference": "Practitioner/d1"}, {"reference": "urn:uuid:0b7c9a52-0000-5000-8000-000000000001"}, {"reference": "https://ehr.example.org/Practitioner/d1"},
            {"reference": "Practitioner?identifier=4471"}, {"reference": "CareTeam/t1"}, {"display": "Dr Smith"}, {"reference": "#none"},
        ],
    }));
    let map = pseudonyms(&profile, &resource, Some(OWNER));
    let made = profile.deidentify(&resource, Some(OWNER), &map, YEAR).unwrap();
    let released = |name: &str, id: &str| {
        let subject =
            Subject { resource_type: fhir::ResourceType::parse(name).unwrap(), clinical_id: id.to_owned() };
        format!("{name}/{}", map.0[&subject].released_id)
    };
    assert_eq!(made.resource["subject"], json!({"reference": released("Patient", OWNER)}));
    assert_eq!(made.resource["performer"], json!([{"reference": released("Practitioner", "d1")}]));
    // The same encounter has the same id wherever it is named, and another one for another patient.
    let encounter = json!({"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}});
    let same = profile.deidentify(&encounter, Some(OWNER), &map, YEAR).unwrap();
    assert_eq!(made.resource["encounter"]["reference"], format!("Encounter/{}", same.released_id));
    assert_ne!(same.released_id, made.released_id);
    let mut other = Pseudonyms::default();
    for subject in map.0.keys() {
        other.0.insert(subject.clone(), Pseudonym::from_random(&[9; 48]));
    }
    assert_ne!(
        profile.deidentify(&encounter, Some(OWNER), &other, YEAR).unwrap().released_id,
        same.released_id
    );
}

#[test]
fn a_merge_keeps_its_link() {
    let made = output(patient(
        json!({"active": false, "link": [{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}]}),
    ));
    assert!(made["link"][0]["other"]["reference"].as_str().unwrap().starts_with("Patient/"));
    assert_eq!(made["link"][0]["type"], "replaced-by");
}

#[test]
fn contained_resources_follow_their_own_rows() {
    let made = output(observation(json!({
        "contained": [
            {"resourceType": "Practitioner", "id": "smith", "name": [{"family": "Smith"}], "qualification": [{"code": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0360", "code": "MD"}]}}]},
            {"resourceType": "Device", "id": "unused"},
            {"resourceType": "CareTeam", "id": "team", "name": "Team Smith"},
        ],
        "performer": [{"reference": "#smith"}, {"reference": "#team"}],
    })));
    let contained = json!([{"resourceType": "Practitioner", "id": "c0", "qualification": [{"code": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0360", "code": "MD"}]}}]}]);
    assert_eq!((&made["contained"], &made["performer"]), (&contained, &json!([{"reference": "#c0"}])));
    let bytes = fhir::canonical_json(&made);
    verifier::verify_arrival(&bytes, &support::grammar()).unwrap();
}

#[test]
fn provenance_says_who_deidentified_and_not_when() {
    let made = output(json!({
        "resourceType": "Provenance", "id": "v1", "target": [{"reference": "Patient/p1"}], "recorded": "2026-03-04T05:06:07Z",
        "agent": [{"who": {"reference": "Practitioner/d1", "display": "Dr Smith"}}], "entity": [{"role": "source", "what": {"display": "A01 of 4 March"}}],
    }));
    assert_eq!(made["_recorded"], masked());
    assert_eq!(made["agent"][0]["who"], masked());
    assert_eq!(made["activity"]["coding"][0]["code"], "deidentify");
    assert_eq!((made.get("recorded"), made.get("entity")), (None, None));
    assert_eq!(fhir::validate(&made), []);
}

#[test]
fn what_cannot_be_decided_is_refused() {
    let profile = profile();
    let code = |resource: Value, owner: Option<&str>| {
        let map = pseudonyms(&profile, &resource, owner);
        profile.deidentify(&resource, owner, &map, YEAR).unwrap_err()
    };
    let cases = [
        (json!([]), "not-a-resource"),
        (json!({"resourceType": "Smith", "id": "x"}), "not-a-resource"),
        (json!({"resourceType": "MessageHeader", "id": "x"}), "type-without-rows"),
        (json!({"resourceType": "Bundle", "id": "x", "type": "collection"}), "type-without-rows"),
        (json!({"resourceType": "Patient"}), "missing-id"),
        (patient(json!({"implicitRules": "http://example.org"})), "rejected-element"),
        (
            patient(json!({"modifierExtension": [{"url": "http://example.org/not", "valueBoolean": true}]})),
            "unknown-modifier-extension",
        ),
        (patient(json!({"ssn_900123456": true})), "unknown-element"),
        (patient(json!({"active": "Smith"})), "unexpected-type"),
        (patient(json!({"address": "Smith"})), "unexpected-type"),
        (observation(json!({"status": "Smith"})), "required-modifier"),
    ];
    for (resource, expected) in cases {
        let refusal = code(resource, Some(OWNER));
        assert_eq!(refusal.code, expected);
        assert!(!refusal.to_string().contains("mith") && !refusal.to_string().contains("900"));
    }
    assert_eq!(code(observation(json!({})), None).code, "owner-missing");
    let missing =
        profile.deidentify(&patient(json!({})), Some(OWNER), &Pseudonyms::default(), YEAR).unwrap_err();
    assert_eq!(missing.code, "pseudonym-missing");
}

#[test]
fn labels_come_from_codes() {
    let policy = residency::Policy::compile(&support::files("residency"), &[support::PROFILE]).unwrap();
    let labels = |system: &str, code: &str| {
        let resource =
            json!({"resourceType": "Condition", "code": {"coding": [{"system": system, "code": code}]}});
        residency::label(&policy, &resource).0
    };
    assert_eq!(labels("http://hl7.org/fhir/sid/icd-10-cm", "F11.20"), ["SUD"]);
    assert_eq!(labels("http://www.nlm.nih.gov/research/umls/rxnorm", "1819"), ["SUD"]);
    assert_eq!(labels("http://hl7.org/fhir/sid/icd-10-cm", "B20"), ["HIV"]);
    assert_eq!(labels("http://hl7.org/fhir/sid/icd-10-cm", "F20.0"), ["N"]);
    assert_eq!(labels("urn:oid:1.2.3", "F11.20"), ["N"]);
}

/// What vaccinations, documents and a sender's own marks show, and their neighbours that show nothing.
#[test]
fn labels_come_from_vaccines_documents_and_marks() {
    let policy = residency::Policy::compile(&support::files("residency"), &[support::PROFILE]).unwrap();
    const THO: &str = "http://terminology.hl7.org/CodeSystem";
    let cases = [
        ("Immunization", "/vaccineCode", "http://hl7.org/fhir/sid/cvx".to_owned(), "61", "HIV"),
        ("Immunization", "/vaccineCode", "http://hl7.org/fhir/sid/cvx".to_owned(), "08", "N"),
        (
            "MedicationAdministration",
            "/medicationCodeableConcept",
            "http://www.nlm.nih.gov/research/umls/rxnorm".to_owned(),
            "1433873",
            "HIV",
        ),
        (
            "MedicationAdministration",
            "/medicationCodeableConcept",
            "http://www.nlm.nih.gov/research/umls/rxnorm".to_owned(),
            "197361",
            "N",
        ),
        ("DocumentReference", "/type", format!("{THO}/v2-0270"), "PC", "PSY"),
        ("DocumentReference", "/type", format!("{THO}/v2-0270"), "PH", "PSY"),
        ("DocumentReference", "/type", format!("{THO}/v2-0270"), "DS", "N"),
        ("DocumentReference", "/type", "http://loinc.org".to_owned(), "28627-8", "PSY"),
        ("DocumentReference", "/type", "http://loinc.org".to_owned(), "18842-5", "N"),
        ("DocumentReference", "/securityLabel", format!("{THO}/v3-Confidentiality"), "R", "R"),
        ("Condition", "/meta/security", format!("{THO}/v3-ActCode"), "PSY", "PSY"),
        ("Condition", "/meta/security", format!("{THO}/v3-ActCode"), "SDV", "R"),
        ("Condition", "/meta/security", format!("{THO}/v3-ActCode"), "ETH", "SUD"),
        ("Encounter", "/class", format!("{THO}/v3-ActCode"), "IMP", "N"),
        ("Immunization", "/meta/security", format!("{THO}/v2-0177"), "AID", "HIV"),
        ("Immunization", "/meta/security", format!("{THO}/v2-0177"), "UWM", "R"),
        ("Immunization", "/meta/security", format!("{THO}/v2-0177"), "V", "V"),
        ("Immunization", "/meta/security", format!("{THO}/v2-0177"), "U", "N"),
    ];
    for (name, place, system, code, label) in cases {
        let mut resource = json!({"resourceType": name});
        let mut at = &mut resource;
        for part in place.split('/').skip(1) {
            at = &mut at[part];
        }
        *at = json!([{"coding": [{"system": system, "code": code}]}]);
        let labels = residency::label(&policy, &resource);
        assert_eq!(labels.0, [label], "{name} {system} {code}");
        let decision = policy.decide("cloud", fhir::ResourceType::parse(name).unwrap(), &labels);
        assert_eq!(matches!(decision, residency::Decision::Permit { .. }), label == "N", "{name} {code}");
    }
}
