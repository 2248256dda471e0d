//! Plans, goals, diets, vaccinations, appointments and documents, resource by resource: what is left of them in the cloud.

mod support;

use serde_json::{Value, json};
use support::YEAR;

const OWNER: &str = "3f1c0c52-0000-5000-8000-000000000001";
const SNOMED: &str = "http://snomed.info/sct";
const LOINC: &str = "http://loinc.org";
const CVX: &str = "http://hl7.org/fhir/sid/cvx";
const UCUM: &str = "http://unitsofmeasure.org";

/// The released form of a resource, without what every one has; references by their type alone.
fn released(resource: Value) -> Value {
    let mut output = attempt(resource).expect("it may leave");
    assert_eq!(fhir::validate(&output), [], "{output}");
    let verdict = verifier::verify_arrival(&fhir::canonical_json(&output), &support::grammar());
    assert!(verdict.is_ok(), "{verdict:?} {output}");
    let text = output.to_string();
    for secret in ["Bostrovan", "PN44000001", "-05-", "PDF", "local"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    fhir::for_each_reference(&mut output, &mut |_, reference| {
        let (kind, id) = reference.split_once('/').expect("a reference of type and id");
        assert_eq!(id.len(), 32, "{reference}");
        *reference = kind.to_owned();
    });
    let object = output.as_object_mut().expect("a resource is an object");
    object.retain(|name, _| !["resourceType", "id", "meta"].contains(&name.as_str()));
    output
}

fn attempt(mut resource: Value) -> Result<Value, residency::Refusal> {
    resource["id"] = json!("5b7c9a52-0000-5000-8000-000000000002");
    let profile = support::profile();
    let map = support::pseudonyms(&profile, &resource, Some(OWNER));
    Ok(profile.deidentify(&resource, Some(OWNER), &map, YEAR)?.resource)
}

fn coded(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": "Bostrovan"}, {"system": "urn:oid:1.2.3", "code": "local"}], "text": "Bostrovan"})
}

fn bare(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}]})
}

fn masked() -> Value {
    json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]})
}

fn to(reference: &str) -> Value {
    json!({"reference": reference, "display": "Bostrovan", "identifier": {"value": "PN44000001"}})
}

fn patient() -> Value {
    to(&format!("Patient/{OWNER}"))
}

#[test]
fn a_goal_keeps_what_is_measured_and_the_year() {
    let output = released(json!({
        "resourceType": "Goal",
        "identifier": [{"value": "PN44000001"}],
        "lifecycleStatus": "active", "statusDate": "2019-05-03", "statusReason": "Bostrovan moved",
        "description": coded(SNOMED, "289169006"),
        "subject": patient(), "startDate": "2019-05-03", "expressedBy": to("Practitioner/d1"),
        "target": [{"measure": coded(LOINC, "29463-7"), "detailQuantity": {"value": 70, "unit": "kg", "system": UCUM, "code": "kg"}, "dueDate": "2019-05-30"},
            {"measure": coded(LOINC, "30525-0"), "detailQuantity": {"value": 95, "unit": "a", "system": UCUM, "code": "a"}},
            {"measure": coded(LOINC, "29463-7"), "detailString": "as Bostrovan wishes"}],
        "addresses": [to("Condition/c1"), to("RiskAssessment/r1")],
        "note": [{"text": "Bostrovan walks"}],
        "outcomeReference": [to("Observation/o1")],
    }));
    let expected = json!({
        "lifecycleStatus": "active", "statusDate": "2019",
        "description": bare(SNOMED, "289169006"),
        "subject": {"reference": "Patient"}, "startDate": "2019", "expressedBy": {"reference": "Practitioner"},
        "target": [{"measure": bare(LOINC, "29463-7"), "detailQuantity": {"value": 70, "system": UCUM, "code": "kg"}, "dueDate": "2019"},
            {"measure": bare(LOINC, "30525-0"), "detailQuantity": {"value": 90, "comparator": ">=", "system": UCUM, "code": "a"}},
            {"measure": bare(LOINC, "29463-7")}],
        "addresses": [{"reference": "Condition"}],
        "outcomeReference": [{"reference": "Observation"}],
    });
    assert_eq!(output, expected);
}

#[test]
fn a_plan_keeps_its_parts_and_no_word() {
    let output = released(json!({
        "resourceType": "CarePlan",
        "identifier": [{"value": "PN44000001"}], "instantiatesUri": ["https://example.org/Bostrovan"],
        "status": "active", "intent": "plan", "category": [coded(SNOMED, "734163000")],
        "title": "Bostrovan's pathway", "description": "for Bostrovan",
        "subject": patient(), "encounter": to("Encounter/e1"), "period": {"start": "2019-05-03T08:00:00Z"},
        "addresses": [to("Condition/c1")], "goal": [to("Goal/g1")], "careTeam": [to("CareTeam/t1")],
        "activity": [{"detail": {"kind": "MedicationRequest", "status": "scheduled", "doNotPerform": false,
            "code": coded(SNOMED, "182840001"), "scheduledString": "when Bostrovan comes", "description": "Bostrovan",
            "dailyAmount": {"value": 2, "unit": "mg", "system": UCUM, "code": "mg"}, "performer": [to("Practitioner/d1")]}}],
        "note": [{"text": "Bostrovan"}],
    }));
    let expected = json!({
        "status": "active", "intent": "plan", "category": [bare(SNOMED, "734163000")],
        "subject": {"reference": "Patient"}, "encounter": {"reference": "Encounter"}, "period": {"start": "2019"},
        "addresses": [{"reference": "Condition"}], "goal": [{"reference": "Goal"}],
        "activity": [{"detail": {"kind": "MedicationRequest", "status": "scheduled", "doNotPerform": false,
            "code": bare(SNOMED, "182840001"), "dailyAmount": {"value": 2, "system": UCUM, "code": "mg"},
            "performer": [{"reference": "Practitioner"}]}}],
    });
    assert_eq!(output, expected);
}

/// What somebody likes to eat tells their faith; what they must not eat is clinical.
#[test]
fn a_diet_keeps_no_preference_and_no_instruction() {
    let output = released(json!({
        "resourceType": "NutritionOrder",
        "status": "active", "intent": "order", "patient": patient(), "dateTime": "2019-05-03T08:00:00-04:00",
        "allergyIntolerance": [to("AllergyIntolerance/a1")],
        "foodPreferenceModifier": [bare("http://terminology.hl7.org/CodeSystem/diet", "halal")],
        "excludeFoodModifier": [coded(SNOMED, "256349002")],
        "oralDiet": {"type": [coded(SNOMED, "182954008")], "instruction": "no crusts for Bostrovan",
            "schedule": [{"event": ["2019-05-03"], "repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}}]},
        "supplement": [{"productName": "Bostrovan's shake", "quantity": {"value": 240, "unit": "mL", "system": UCUM, "code": "mL"}}],
        "note": [{"text": "Bostrovan"}],
    }));
    let expected = json!({
        "status": "active", "intent": "order", "patient": {"reference": "Patient"}, "dateTime": "2019",
        "allergyIntolerance": [{"reference": "AllergyIntolerance"}],
        "excludeFoodModifier": [bare(SNOMED, "256349002")],
        "oralDiet": {"type": [bare(SNOMED, "182954008")], "schedule": [{"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}}]},
        "supplement": [{"quantity": {"value": 240, "system": UCUM, "code": "mL"}}],
    });
    assert_eq!(output, expected);
}

#[test]
fn a_forecast_keeps_vaccine_dose_and_year() {
    let forecast = |status: Value| {
        json!({
            "resourceType": "ImmunizationRecommendation",
            "patient": patient(), "date": "2019-05-03", "authority": to("Organization/state"),
            "recommendation": [{
                "vaccineCode": [coded(CVX, "115")], "forecastStatus": status, "description": "Bostrovan is late",
                "dateCriterion": [{"code": coded(LOINC, "30980-7"), "value": "2019-05-30"}],
                "series": "Bostrovan's", "doseNumberString": "2", "seriesDosesString": "three",
            }],
        })
    };
    let due = "http://terminology.hl7.org/CodeSystem/immunization-recommendation-status";
    let expected = json!({
        "patient": {"reference": "Patient"}, "date": "2019", "authority": {"reference": "Organization"},
        "recommendation": [{
            "vaccineCode": [bare(CVX, "115")], "forecastStatus": bare(due, "due"),
            "dateCriterion": [{"code": bare(LOINC, "30980-7"), "value": "2019"}], "doseNumberString": "2",
            "_seriesDosesString": masked(),
        }],
    });
    assert_eq!(released(forecast(coded(due, "due"))), expected);
    // Whether a vaccine is due or contraindicated must be known, or nothing is said.
    let refusal = attempt(forecast(coded("urn:oid:1.2.4", "local"))).expect_err("it stays");
    assert_eq!(refusal.code, "required-modifier");
}

#[test]
fn a_service_keeps_its_kind_and_no_address() {
    let output = released(json!({
        "resourceType": "HealthcareService",
        "identifier": [{"value": "PN44000001"}], "active": true, "providedBy": to("Organization/o1"),
        "type": [coded("http://www.ama-assn.org/go/cpt", "93000")], "location": [to("Location/l1")],
        "name": "Bostrovan Heart Centre", "comment": "ask for Bostrovan", "extraDetails": "Bostrovan",
        "telecom": [{"system": "phone", "value": "+1 207 555 0131"}], "appointmentRequired": true,
        "availableTime": [{"daysOfWeek": ["mon"]}], "notAvailable": [{"description": "Bostrovan is away"}],
    }));
    let expected = json!({
        "active": true, "providedBy": {"reference": "Organization"},
        "type": [bare("http://www.ama-assn.org/go/cpt", "93000")], "location": [{"reference": "Location"}],
        "appointmentRequired": true,
    });
    assert_eq!(output, expected);
}

/// A service is shared: its id derives from no patient's secret, so an appointment of another patient names the same one.
#[test]
fn appointments_of_two_patients_name_one_service() {
    let profile = support::profile();
    let appointment = json!({"resourceType": "Appointment", "id": "a1", "status": "booked",
        "participant": [{"actor": {"reference": "HealthcareService/s1"}, "status": "accepted"}]});
    let service = |owner: &str| {
        let mut map = support::pseudonyms(&profile, &appointment, Some(owner));
        let shared = residency::Pseudonym::from_random(&[7; 48]);
        map.0.retain(|subject, _| subject.resource_type.as_str() == "Patient");
        let kind = fhir::ResourceType::parse("HealthcareService").expect("a type of R4");
        map.0.insert(residency::Subject { resource_type: kind, clinical_id: "s1".to_owned() }, shared);
        let made = profile.deidentify(&appointment, Some(owner), &map, YEAR).expect("it may leave");
        made.resource["participant"][0]["actor"]["reference"].as_str().expect("a reference").to_owned()
    };
    assert_eq!(service("p1"), service("p2"));
}

#[test]
fn an_appointment_keeps_what_it_is_for_and_not_when() {
    let output = released(json!({
        "resourceType": "Appointment",
        "identifier": [{"value": "PN44000001"}], "status": "booked",
        "serviceType": [coded("http://www.ama-assn.org/go/cpt", "93000")],
        "start": "2019-05-03T08:00:00Z", "end": "2019-05-03T08:30:00Z", "minutesDuration": 30, "comment": "Bostrovan",
        "slot": [to("Slot/s1")],
        "participant": [
            {"actor": patient(), "status": "accepted"},
            {"actor": to("HealthcareService/h1"), "status": "accepted", "period": {"start": "2019-05-03T08:00:00Z"}},
        ],
    }));
    let expected = json!({
        "status": "booked", "serviceType": [bare("http://www.ama-assn.org/go/cpt", "93000")],
        "_start": masked(), "_end": masked(), "minutesDuration": 30,
        "participant": [
            {"actor": {"reference": "Patient"}, "status": "accepted"},
            {"actor": {"reference": "HealthcareService"}, "status": "accepted", "period": {"start": "2019"}},
        ],
    });
    assert_eq!(output, expected);
}

#[test]
fn a_document_keeps_its_kind_and_no_content() {
    let output = released(json!({
        "resourceType": "DocumentReference",
        "masterIdentifier": {"value": "PN44000001"}, "status": "current", "docStatus": "final",
        "type": coded(LOINC, "18842-5"), "subject": patient(), "date": "2019-05-03T08:00:00Z",
        "author": [to("Practitioner/d1")], "description": "Bostrovan's discharge",
        "content": [
            {"attachment": {"contentType": "application/pdf", "data": "JVBERi0xLjQK", "title": "Bostrovan.PDF", "creation": "2019-05-03"},
             "format": {"system": "http://terminology.hl7.org/CodeSystem/v2-0191", "code": "TX", "display": "Bostrovan"}},
            {"attachment": {"url": "https://example.org/Bostrovan.PDF"}},
        ],
        "context": {"encounter": [to("Encounter/e1")], "period": {"start": "2019-05-03"}, "related": [to("ServiceRequest/s1")]},
    }));
    let expected = json!({
        "status": "current", "docStatus": "final", "type": bare(LOINC, "18842-5"), "subject": {"reference": "Patient"},
        "author": [{"reference": "Practitioner"}],
        "content": [{"attachment": {"contentType": "application/pdf"}, "format": {"system": "http://terminology.hl7.org/CodeSystem/v2-0191", "code": "TX"}}],
        "context": {"encounter": [{"reference": "Encounter"}], "period": {"start": "2019"}, "related": [{"reference": "ServiceRequest"}]},
    });
    assert_eq!(output, expected);
}

/// What R4 asks for is masked where it may not leave, so that what is left is valid: a dose in a unit of the ward, a range in words.
#[test]
fn a_dose_and_a_range_in_other_words_are_masked() {
    let output = released(json!({
        "resourceType": "MedicationAdministration", "status": "completed", "subject": patient(),
        "medicationCodeableConcept": coded("http://www.nlm.nih.gov/research/umls/rxnorm", "197361"),
        "effectiveDateTime": "2019-05-03T09:00:00Z",
        "dosage": {"text": "for Bostrovan", "route": coded(SNOMED, "26643006"), "dose": {"value": 1, "unit": "Bostrovan's spoon"}},
    }));
    assert_eq!(output["dosage"], json!({"route": bare(SNOMED, "26643006"), "dose": masked()}));
    let output = released(json!({
        "resourceType": "Observation", "status": "final", "subject": patient(), "code": coded(LOINC, "29463-7"),
        "referenceRange": [{"appliesTo": [coded(SNOMED, "248153007")], "text": "what Bostrovan weighed in May"}],
    }));
    assert_eq!(
        output["referenceRange"],
        json!([{"appliesTo": [bare(SNOMED, "248153007")], "_text": masked()}])
    );
}
