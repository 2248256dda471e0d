//! What the pharmacy and the payer write, resource by resource: what is left of it in the cloud.

mod support;

use residency::{Decision, Labels, Policy};
use serde_json::{Value, json};
use support::{PROFILE, YEAR};

const OWNER: &str = "3f1c0c52-0000-5000-8000-000000000001";
const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
const NDC: &str = "http://hl7.org/fhir/sid/ndc";
const CPT: &str = "http://www.ama-assn.org/go/cpt";
const CLASS: &str = "http://terminology.hl7.org/CodeSystem/coverage-class";

/// The released form of a resource, without what every one has.
fn released(mut resource: Value) -> Value {
    resource["id"] = json!("5b7c9a52-0000-5000-8000-000000000002");
    let profile = support::profile();
    let map = support::pseudonyms(&profile, &resource, Some(OWNER));
    let made = profile.deidentify(&resource, Some(OWNER), &map, YEAR).expect("it may leave");
    let mut output = made.resource;
    assert_eq!(fhir::validate(&output), [], "{output}");
    let text = output.to_string();
    for secret in ["RX77800001", "MB63600001", "PN44000001", "AC47100001", "GRP55017", "Bostrovan", "-05-"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let object = output.as_object_mut().expect("a resource is an object");
    object.retain(|name, _| !["resourceType", "id", "meta"].contains(&name.as_str()));
    output
}

fn coded(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}], "text": display})
}

fn bare(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}]})
}

fn patient() -> Value {
    json!({"reference": format!("Patient/{OWNER}"), "display": "Leopolda Bostrovan"})
}

/// A reference that was re-keyed: its type, and that its id is none of the clinical ones.
fn take_reference(resource: &mut Value, name: &str) -> String {
    let reference = resource[name].take();
    let (kind, id) =
        reference["reference"].as_str().and_then(|text| text.split_once('/')).expect("a reference");
    assert!(id.len() == 32 && reference.as_object().is_some_and(|object| object.len() == 1), "{reference}");
    resource.as_object_mut().expect("a resource is an object").remove(name);
    kind.to_owned()
}

#[test]
fn a_prescription_keeps_drug_and_dose() {
    let mut output = released(json!({
        "resourceType": "MedicationRequest",
        "identifier": [{"value": "RX77800001"}],
        "status": "active", "intent": "order",
        "medicationCodeableConcept": coded(RXNORM, "314076", "lisinopril 10 MG Oral Tablet"),
        "subject": patient(),
        "authoredOn": "2019-05-03T09:29:00-05:00",
        "note": [{"text": "Leopolda Bostrovan calls for it"}],
        "dosageInstruction": [{
            "text": "Leopolda takes it with water", "patientInstruction": "RX77800001",
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "boundsPeriod": {"start": "2019-05-03"}}},
            "doseAndRate": [{"doseQuantity": {"value": 10, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}}],
        }],
        "dispenseRequest": {"numberOfRepeatsAllowed": 2, "quantity": {"value": 30}},
    }));
    assert_eq!(take_reference(&mut output, "subject"), "Patient");
    let expected = json!({
        "status": "active", "intent": "order",
        "medicationCodeableConcept": bare(RXNORM, "314076"),
        "authoredOn": "2019",
        "dosageInstruction": [{
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 10, "system": "http://unitsofmeasure.org", "code": "mg"}}],
        }],
        "dispenseRequest": {"numberOfRepeatsAllowed": 2, "quantity": {"value": 30}},
    });
    assert_eq!(output, expected);
}

#[test]
fn a_dispense_keeps_package_quantity_and_year() {
    let mut output = released(json!({
        "resourceType": "MedicationDispense",
        "identifier": [{"value": "RX77800001"}],
        "status": "completed",
        "medicationCodeableConcept": coded(NDC, "99991-0101-30", "lisinopril 10 MG Oral Tablet"),
        "subject": patient(),
        "quantity": {"value": 30}, "daysSupply": {"value": 30, "system": "http://unitsofmeasure.org", "code": "d"},
        "whenHandedOver": "2019-05-03T10:29:00-05:00",
        "note": [{"text": "handed to Leopolda Bostrovan"}],
    }));
    assert_eq!(take_reference(&mut output, "subject"), "Patient");
    let expected = json!({
        "status": "completed",
        "medicationCodeableConcept": bare(NDC, "99991-0101-30"),
        "quantity": {"value": 30}, "daysSupply": {"value": 30, "system": "http://unitsofmeasure.org", "code": "d"},
        "whenHandedOver": "2019",
    });
    assert_eq!(output, expected);
}

#[test]
fn a_coverage_keeps_no_number_of_member_policy_group_or_plan() {
    let mut output = released(json!({
        "resourceType": "Coverage",
        "identifier": [{"value": "PN44000001"}],
        "status": "active",
        "subscriberId": "MB63600001", "dependent": "PN44000001",
        "beneficiary": patient(),
        "relationship": coded("http://terminology.hl7.org/CodeSystem/subscriber-relationship", "spouse", "Spouse"),
        "period": {"start": "2015-05-01"},
        "payor": [{"reference": "Organization/meridian", "display": "Bostrovan Health"}],
        "class": [{"type": bare(CLASS, "group"), "value": "GRP55017", "name": "Bostrovan and sons"}],
        "network": "GRP55017", "order": 1,
    }));
    assert_eq!(take_reference(&mut output, "beneficiary"), "Patient");
    let payor = &mut output["payor"][0];
    assert!(payor["reference"].as_str().is_some_and(|text| text.starts_with("Organization/")));
    *payor = Value::Null;
    let expected = json!({
        "status": "active",
        "relationship": bare("http://terminology.hl7.org/CodeSystem/subscriber-relationship", "spouse"),
        "period": {"start": "2015"},
        "payor": [null],
        "order": 1,
    });
    assert_eq!(output, expected);
}

#[test]
fn an_account_keeps_only_that_it_is_there() {
    let mut output = released(json!({
        "resourceType": "Account",
        "identifier": [{"value": "AC47100001"}],
        "status": "active", "name": "Bostrovan", "description": "AC47100001",
        "subject": [patient()],
        "servicePeriod": {"start": "2019-05-03", "end": "2019-05-09"},
    }));
    let subject = output["subject"][0]["reference"].as_str().map(ToOwned::to_owned);
    assert!(subject.is_some_and(|subject| subject.starts_with("Patient/") && !subject.contains(OWNER)));
    output["subject"] = Value::Null;
    assert_eq!(
        output,
        json!({"status": "active", "subject": null, "servicePeriod": {"start": "2019", "end": "2019"}})
    );
}

#[test]
fn a_charge_keeps_service_price_and_year() {
    let mut output = released(json!({
        "resourceType": "ChargeItem",
        "identifier": [{"value": "AC47100001"}],
        "status": "billable",
        "code": coded(CPT, "71046", "Chest X-ray, two views"),
        "subject": patient(),
        "occurrenceDateTime": "2019-05-03T07:09:00-05:00", "enteredDate": "2019-05-09",
        "quantity": {"value": 1},
        "priceOverride": {"value": 96.20, "currency": "USD"}, "overrideReason": "Bostrovan asked",
        "reason": [coded("http://hl7.org/fhir/sid/icd-10", "N39.0", "Urinary tract infection")],
        "account": [{"identifier": {"value": "AC47100001"}}],
    }));
    assert_eq!(take_reference(&mut output, "subject"), "Patient");
    let expected = json!({
        "status": "billable",
        "code": bare(CPT, "71046"),
        "occurrenceDateTime": "2019", "enteredDate": "2019",
        "quantity": {"value": 1},
        "priceOverride": {"value": 96.20, "currency": "USD"},
        "reason": [bare("http://hl7.org/fhir/sid/icd-10", "N39.0")],
    });
    assert_eq!(output, expected);
}

#[test]
fn what_shows_a_substance_or_hiv_in_drugs_and_charges_stays() {
    let policy = policy();
    let concept =
        |system: &str, code: &str| json!({"resourceType": "ChargeItem", "code": bare(system, code)});
    for (system, code, label) in [
        (RXNORM, "1010604", "SUD"),
        (NDC, "12496-1208-03", "SUD"),
        (NDC, "65757030001", "SUD"),
        ("urn:oid:2.16.840.1.113883.6.285", "H0020", "SUD"),
        (CPT, "99408", "SUD"),
        (CPT, "87389", "HIV"),
        (RXNORM, "314076", "N"),
        (NDC, "99991-0101-30", "N"),
        (CPT, "71046", "N"),
    ] {
        let labels = residency::label(&policy, &concept(system, code));
        assert_eq!(labels.0, [label], "{system} {code}");
        let decision = policy.decide("cloud", kind("ChargeItem"), &labels);
        assert_eq!(matches!(decision, Decision::Permit { .. }), label == "N", "{system} {code}");
    }
}

/// Neither by the policy, whatever its labels, nor by the profile, which has no row for it.
#[test]
fn a_consent_never_leaves() {
    let (policy, profile) = (policy(), support::profile());
    let labels = Labels(vec![residency::LABEL_NORMAL.to_owned()]);
    let decision = policy.decide("cloud", kind("Consent"), &labels);
    assert!(matches!(&decision, Decision::Deny { rules, .. } if rules == &["consent-stays"]), "{decision:?}");
    assert!(!profile.covers(kind("Consent")));
    let consent = json!({"resourceType": "Consent", "id": "c", "status": "active", "patient": patient()});
    let refused = profile.deidentify(&consent, Some(OWNER), &residency::Pseudonyms::default(), YEAR);
    assert_eq!(refused.expect_err("it stays").code, "type-without-rows");
}

fn policy() -> Policy {
    Policy::compile(&support::files("residency"), &[PROFILE]).expect("the policy loads")
}

fn kind(name: &str) -> fhir::ResourceType {
    fhir::ResourceType::parse(name).expect("a type of R4")
}
