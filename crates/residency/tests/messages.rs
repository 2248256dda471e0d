//! Messages as they are go to on-prem destinations that a rule names, and nowhere else.

use std::collections::BTreeMap;

use residency::{Decision, Denial, Diagnostic, Form, Labels, MessageFacts, Policy};
use uuid::Uuid;

const DESTINATIONS: &str = "destinations:
  - {id: portal, zone: cloud, profile: p}
  - {id: warehouse, zone: on-prem}
  - {id: archive, zone: on-prem, form: hl7v2}
";
const RULES: &str = "unlabelled: normal
rules:
  - {id: sensitive, effect: deny, zones: [cloud], labels: [HIV]}
  - {id: resources, effect: permit, destinations: [portal, warehouse], types: [Patient]}
  - {id: movements, effect: permit, destinations: [archive], messages: [ADT, ORU^R01], senders: [EMR, LAB|MAIN]}
  - {id: not-from-tests, effect: deny, zones: [on-prem], channels: [test]}
";

fn compile(destinations: &str, rules: &str) -> Result<Policy, Vec<Diagnostic>> {
    let zones = "zones: [{id: on-prem, kind: on-prem, region: US}, {id: cloud, kind: cloud, region: US}]";
    let labels = "rules: [{id: hiv, label: HIV, system: 'urn:s', codes: [h]}]";
    let files = [
        ("zones.yaml", zones),
        ("destinations.yaml", destinations),
        ("policy.yaml", rules),
        ("labels.yaml", labels),
    ];
    let files: BTreeMap<String, String> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Policy::compile(&files, &["p"])
}

fn policy() -> Policy {
    compile(DESTINATIONS, RULES).expect("the policy is valid")
}

fn facts(message: &str, sender: &str, channel: &str) -> MessageFacts {
    let (message_type, event) = message.split_once('^').unwrap_or((message, ""));
    MessageFacts {
        message_type: message_type.to_owned(),
        event: event.to_owned(),
        sender: sender.to_owned(),
        channel: channel.to_owned(),
    }
}

fn rules(policy: &Policy, facts: &MessageFacts) -> Result<Vec<String>, Denial> {
    policy.permit_message("archive", facts).map(|permit| permit.rules().to_vec())
}

#[test]
fn a_message_goes_when_type_sender_and_channel_are_permitted() {
    let policy = policy();
    for (message, sender) in
        [("ADT^A01", "EMR|WARD"), ("ADT^A40", "EMR|"), ("ADT", "EMR|X"), ("ORU^R01", "LAB|MAIN")]
    {
        assert_eq!(rules(&policy, &facts(message, sender, "emr")), Ok(vec!["movements".to_owned()]));
    }
    for (message, sender) in
        [("ORU^R32", "EMR|WARD"), ("ADT^A01", "LAB|NIGHT"), ("adt^A01", "EMR|W"), ("", "")]
    {
        let denied = rules(&policy, &facts(message, sender, "emr"));
        assert_eq!(
            denied,
            Err(Denial { reason: "no-rule-permits", rules: Vec::new() }),
            "{message} {sender}"
        );
    }
}

#[test]
fn a_rule_that_denies_wins() {
    let denied = rules(&policy(), &facts("ADT^A01", "EMR|WARD", "test"));
    assert_eq!(denied, Err(Denial { reason: "rule-denies", rules: vec!["not-from-tests".to_owned()] }));
}

#[test]
fn only_a_destination_of_this_form_takes_messages_and_no_resources() {
    let policy = policy();
    let adt = facts("ADT^A01", "EMR|WARD", "emr");
    for (destination, reason) in
        [("portal", "not-hl7v2"), ("warehouse", "not-hl7v2"), ("nowhere", "unknown-destination")]
    {
        assert_eq!(
            policy.permit_message(destination, &adt).map_err(|denial| denial.reason).err(),
            Some(reason)
        );
    }
    let patient = fhir::ResourceType::parse("Patient").expect("a type of R4");
    let normal = Labels(vec!["N".to_owned()]);
    assert!(matches!(policy.decide("archive", patient, &normal), Decision::Deny { reason: "not-fhir", .. }));
    assert!(matches!(policy.decide("warehouse", patient, &normal), Decision::Permit { .. }));
    let ids: Vec<_> = policy.message_destinations().map(|one| (one.id.as_str(), one.form)).collect();
    assert_eq!(ids, [("archive", Form::Hl7v2)]);
}

#[test]
fn what_a_permit_releases_is_the_message_byte_for_byte() {
    let permit = policy().permit_message("archive", &facts("ADT^A01", "EMR|WARD", "emr")).expect("permits");
    let bytes = b"MSH|^~\\&|EMR\r\n\xff\xfe".to_vec();
    let released = permit.release(bytes.clone(), Uuid::from_u128(7));
    assert_eq!(released.bytes(), bytes);
    assert_eq!((released.destination(), released.decision_id()), ("archive", Uuid::from_u128(7)));
}

#[test]
fn a_policy_that_could_let_messages_out_does_not_load() {
    let cases = [
        ("archive, zone: on-prem", "archive, zone: cloud", "cloud-with-hl7v2"),
        ("form: hl7v2", "form: hl7v2, profile: p", "profile-with-hl7v2"),
        ("zones: [cloud], labels", "labels", "deny-passed-over"),
        ("messages: [ADT, ORU^R01]", "messages: [ADT, ORU^R01], types: [Patient]", "rule-of-both"),
        ("ORU^R01", "oru", "unknown-name"),
        ("id: movements", "id: all movements", "not-a-name"),
        ("destinations: [archive], messages", "messages", "permit-too-wide"),
        ("messages: [ADT, ORU^R01], ", "", "permit-too-wide"),
    ];
    for (from, to, code) in cases {
        assert!(DESTINATIONS.contains(from) || RULES.contains(from), "{from}");
        let found = compile(&DESTINATIONS.replacen(from, to, 1), &RULES.replacen(from, to, 1));
        let codes: Vec<_> =
            found.err().unwrap_or_default().iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [code], "{from} -> {to}");
    }
}
