//! From a clinical resource to bytes that may leave.

mod support;

use std::collections::HashMap;

use residency::{Decision, Labels, Policy, Released, SealingKey, label, release, reopen};
use serde_json::{Value, json};
use support::{PROFILE, YEAR};
use verifier::{KnownIdentifiers, verify, verify_arrival};

fn patient() -> Value {
    json!({
        "resourceType": "Patient",
        "id": "0b7c9a52-0000-5000-8000-000000000001",
        "meta": {"source": "urn:adt", "lastUpdated": "2026-03-04T05:06:07Z"},
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Marigold Featherstone</div>"},
        "extension": [{
            "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
            "extension": [
                {"url": "ombCategory", "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3", "display": "White"}},
                {"url": "text", "valueString": "White, of the Featherstones"},
            ],
        }],
        "identifier": [{"system": "urn:oid:1.2.3", "value": "MRN4471193"}],
        "name": [{"family": "Featherstone", "given": ["Marigold"]}],
        "telecom": [{"system": "phone", "value": "(312) 555-0147"}],
        "gender": "female",
        "birthDate": "1961-04-17",
        "address": [{"line": ["12 Larkspur Lane"], "city": "Chicago", "state": "IL", "postalCode": "60614", "country": "US"}],
        "maritalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M", "display": "Married"}], "text": "since 1988"},
        "contact": [{"name": {"family": "Featherstone", "given": ["Alaric"]}}],
        "managingOrganization": {"reference": "Organization/lakeside", "display": "Lakeside Clinic"},
    })
}

#[test]
fn a_patient_goes_from_clinical_to_released() {
    let (profile, grammar) = (support::profile(), support::grammar());
    let policy = Policy::compile(&support::files("residency"), &[PROFILE]).unwrap();
    let clinical = patient();
    let owner = clinical["id"].as_str();
    let decision =
        policy.decide("cloud", fhir::ResourceType::parse("Patient").unwrap(), &label(&policy, &clinical));
    assert!(matches!(&decision, Decision::Permit { profile, .. } if profile == PROFILE));

    let needs = profile.needs(&clinical, owner);
    assert_eq!(
        needs.iter().map(|subject| subject.resource_type.as_str()).collect::<Vec<_>>(),
        ["Organization", "Patient"]
    );
    let map = support::pseudonyms(&profile, &clinical, owner);
    let made = profile.deidentify(&clinical, owner, &map, YEAR).unwrap();
    let expected = json!({
        "resourceType": "Patient",
        "id": made.released_id,
        "meta": {
            "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "ANONYED"}],
            "tag": [{"system": "urn:tidegate:deidentification-profile", "code": &profile.hash()[..16]}],
        },
        "extension": [{
            "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
            "extension": [{"url": "ombCategory", "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3"}}],
        }],
        "gender": "female",
        "birthDate": "1961",
        "address": [{"state": "IL", "postalCode": "606", "country": "US"}],
        "maritalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]},
        "managingOrganization": {"reference": made.resource["managingOrganization"]["reference"]},
    });
    assert_eq!(made.resource, expected);
    assert_eq!(fhir::validate(&made.resource), []);

    let mut known = KnownIdentifiers::default();
    known.add_resource(&clinical);
    let bytes = fhir::canonical_json(&made.resource);
    let pass = verify(&bytes, &grammar, &known).unwrap();
    verify_arrival(&bytes, &grammar).unwrap();
    let destination = policy.destination("cloud").unwrap();
    let id = uuid::Uuid::from_u128(7);
    let released = release(bytes.clone(), &pass, &decision, id, destination).unwrap();
    assert_eq!(
        (released.bytes(), released.destination(), released.decision_id()),
        (bytes.as_slice(), "cloud", id)
    );

    let mut other = bytes.clone();
    other.push(b' ');
    assert_eq!(release(other, &pass, &decision, id, destination).unwrap_err().code, "pass-of-other-bytes");
    let denied = Decision::Deny { reason: "unlabelled", rules: vec![] };
    assert_eq!(release(bytes, &pass, &denied, id, destination).unwrap_err().code, "denied");
    stored_forms_open_with_their_seal_alone(&released);
}

fn stored_forms_open_with_their_seal_alone(released: &Released<residency::Cloud>) {
    let key = SealingKey::from_bytes(&[7; 32]);
    let sealed = released.seal(&key);
    assert_eq!(reopen(sealed.clone(), &key).unwrap().bytes(), released.bytes());
    let mut elsewhere = sealed.clone();
    elsewhere.destination.push('2');
    let mut changed = sealed.clone();
    changed.bytes[5] ^= 1;
    let mut undecided = sealed.clone();
    undecided.decision_id = uuid::Uuid::from_u128(8);
    let mut signed = sealed.clone();
    signed.mac[0] ^= 1;
    for broken in [elsewhere, changed, undecided, signed] {
        assert_eq!(reopen(broken, &key).unwrap_err().code, "seal");
    }
    assert!(reopen(sealed, &SealingKey::from_bytes(&[8; 32])).is_err());
}

#[test]
fn nothing_prints_what_it_holds() {
    let clinical = patient();
    let profile = support::profile();
    let owner = clinical["id"].as_str();
    let map = support::pseudonyms(&profile, &clinical, owner);
    let made = profile.deidentify(&clinical, owner, &map, YEAR).unwrap();
    let mut known = KnownIdentifiers::default();
    known.add_resource(&clinical);
    let printed = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        residency::Clinical::new(clinical.clone()),
        map,
        made,
        known,
        profile.needs(&clinical, owner)
    );
    for word in ["Featherstone", "featherstone", "4471193", "0b7c9a52", &"165, ".repeat(3)] {
        assert!(!printed.contains(word), "{printed}");
    }
}

#[test]
fn unknown_destinations_and_unlabelled_resources_stay() {
    let policy = Policy::compile(&support::files("residency"), &[PROFILE]).unwrap();
    let patient = fhir::ResourceType::parse("Patient").unwrap();
    let normal = Labels(vec!["N".to_owned()]);
    let reasons: HashMap<&str, Decision> = HashMap::from([
        ("unknown-destination", policy.decide("elsewhere", patient, &normal)),
        ("unlabelled", policy.decide("cloud", patient, &Labels::default())),
        ("no-rule-permits", policy.decide("cloud", fhir::ResourceType::parse("Bundle").unwrap(), &normal)),
        ("rule-denies", policy.decide("cloud", patient, &Labels(vec!["SUD".to_owned()]))),
    ]);
    for (expected, decision) in reasons {
        assert!(matches!(decision, Decision::Deny { reason, .. } if reason == expected), "{expected}");
    }
}
