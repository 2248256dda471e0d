//! Every kind of record as an AuditEvent: valid R4, and within the cardinalities of the BALP profile it claims.

use audit::{Actor, Kind, Record, TokenKey};
use serde_json::Value;
use uuid::Uuid;

fn records() -> Vec<Record> {
    let key = TokenKey::generate().expect("key");
    let tokens = [key.token("urn:mrn", "1"), key.token("urn:mrn", "2")];
    let actors = [Actor::Node, Actor::Client("portal-app".into()), Actor::User("u-17".into())];
    let mut records = Vec::new();
    for kind in Kind::ALL {
        for actor in &actors {
            for patients in 0..=2 {
                for full in [false, true] {
                    let mut record = Record::new(kind, Uuid::from_u128(1), "node-1", 1_700_000_000_123_456)
                        .actor(actor.clone())
                        .outcome(if full { "ok" } else { "refused" });
                    for token in tokens.iter().take(patients) {
                        record = record.patient_token(token.as_str());
                    }
                    if full {
                        record = record.message(Uuid::from_u128(2)).network([10, 1, 2, 3].into());
                        for (name, id) in
                            [("destination", "portal"), ("resource", "Observation/a1"), ("request", "r-9")]
                        {
                            record = record.object(name, id).expect("code");
                        }
                    }
                    records.push(record);
                }
            }
        }
    }
    records
}

fn entities<'a>(event: &'a Value, code: &str) -> Vec<&'a Value> {
    let all = event["entity"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter(|entity| entity["type"]["code"] == code).collect()
}

fn agents<'a>(event: &'a Value, code: &str) -> Vec<&'a Value> {
    let all = event["agent"].as_array().expect("agents");
    all.iter().filter(|agent| agent["type"]["coding"][0]["code"] == code).collect()
}

/// One agent of this role, with who and network.
fn connected(event: &Value, code: &str) {
    let found = agents(event, code);
    assert_eq!(found.len(), 1, "{code}");
    assert!(
        found[0]["who"].is_object() && found[0]["network"].is_object() && found[0].get("media").is_none()
    );
}

fn patient_slice(event: &Value) {
    let patients = entities(event, "1");
    assert_eq!(patients.len(), 1);
    assert_eq!(patients[0]["role"]["code"], "1");
    assert_eq!(patients[0]["what"]["type"], "Patient");
}

fn check_profile(event: &Value, profile: &str) {
    assert!(event["agent"].as_array().expect("agents").len() >= 2);
    match profile {
        "Read" | "PatientRead" => {
            assert_eq!(event["type"]["code"], "rest");
            assert_eq!(event["subtype"][0]["code"], "read");
            assert_eq!((&event["action"], &event["outcome"]), (&Value::from("R"), &Value::from("0")));
            connected(event, "110152");
            connected(event, "110153");
            for user in agents(event, "IRCP") {
                assert!(user["requestor"] == true && user.get("network").is_none());
            }
            let data = entities(event, "2");
            assert_eq!(data.len(), 1);
            assert!(data[0]["what"].is_object() && data[0]["role"]["code"] == "4");
            assert!(entities(event, "XrequestId").len() <= 1);
            if profile == "PatientRead" {
                patient_slice(event);
            }
        }
        "PrivacyDisclosure.Source" | "PrivacyDisclosure.Recipient" => {
            let (code, action, own) = if profile.ends_with("Source") {
                ("110106", "R", "110153")
            } else {
                ("110107", "C", "110152")
            };
            assert_eq!(
                (&event["type"]["code"], &event["action"]),
                (&Value::from(code), &Value::from(action))
            );
            assert_eq!(event["subtype"][0]["code"], "disclose");
            connected(event, "110152");
            connected(event, "110153");
            assert_eq!(agents(event, own)[0]["who"], event["source"]["observer"], "val-audit-source");
            assert!(event["entity"].as_array().expect("entities").len() >= 2);
            patient_slice(event);
        }
        other => panic!("no check for {other}"),
    }
}

#[test]
fn a_claimed_profile_is_kept_and_every_profile_is_claimed_by_some_record() {
    let mut claimed = std::collections::BTreeSet::new();
    for record in records() {
        for event in record.to_audit_events() {
            if let Some(url) = event["meta"]["profile"][0].as_str() {
                let profile = url.rsplit("IHE.BasicAudit.").next().expect("profile").to_owned();
                check_profile(&event, &profile);
                claimed.insert(profile);
            }
        }
    }
    let expected = ["PatientRead", "PrivacyDisclosure.Recipient", "PrivacyDisclosure.Source", "Read"];
    assert!(claimed.iter().eq(expected), "{claimed:?}");
}

#[test]
fn every_event_is_valid_r4() {
    for record in records() {
        for event in record.to_audit_events().into_iter().chain([record.to_audit_event()]) {
            let issues = fhir::validate(&event);
            let errors: Vec<_> =
                issues.iter().filter(|issue| issue.severity <= fhir::Severity::Error).collect();
            assert!(errors.is_empty(), "{:?} {errors:?}", record.kind());
        }
    }
}

#[test]
fn one_event_for_each_patient_with_an_id_of_its_own() {
    let key = TokenKey::generate().expect("key");
    let record = Record::new(Kind::ResourceSearched, Uuid::from_u128(1), "node-1", 0)
        .patient_token(key.token("s", "1").as_str())
        .patient_token(key.token("s", "2").as_str());
    let events = record.to_audit_events();
    assert_eq!(events.len(), 2);
    assert_ne!(events[0]["id"], events[1]["id"]);
    assert!(events.iter().all(|event| entities(event, "1").len() == 1));
}
