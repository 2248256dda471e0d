//! Explanations of a discharge, from a small package.

use std::collections::BTreeMap;

use hl7v2::Message;
use mapping::{Context, Package, Sources};

use super::choice::Choice;
use super::paint::Paint;
use super::text::View;
use super::{Explanation, json};

const MESSAGE: &[u8] =
    b"MSH|^~\\&|A|B|||20240102||ADT^A01|1|P|2.5\rPID|1||42^^^H||Doe^Jo||19700102|Q||||||||||||||||||||||Y\r";

fn sources() -> BTreeMap<String, String> {
    let patient = "map: PID -> Patient\nid: uuid(PID-3~1)\nbirthDate:\n  from: PID-7 as date\n  when: PID-8 = F\n\
                   deceased[x]:\n  - PID-30 as boolean\n  - PID-29 as dateTime\n\
                   gender: PID-8 code sex\nlanguage: PID-5~1.2 code tongue\n";
    let files = [
        ("package.yaml", "name: demo\nversion: 1.0.0\n"),
        ("messages/ADT_A01.yaml", "message: ADT_A01\nfor: [A01]\nmake: {patient: PID -> Patient}\n"),
        ("segments/PID.Patient.yaml", patient),
        (
            "codes/sex.yaml",
            "code: sex\nfrom: HL70001\nto: http://hl7.org/fhir/administrative-gender\nrows: {F: female}\nunmapped: {emit: unknown}\n",
        ),
        (
            "codes/tongue.yaml",
            "code: tongue\nto: http://hl7.org/fhir/languages\nrows: {Jo: en, Ann: none}\nunmapped: drop\n",
        ),
    ];
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn explained(field: Option<&str>, element: Option<&str>) -> (String, serde_json::Value) {
    let sources = sources();
    let package = Package::compile(&Sources(sources.clone())).expect("compiles");
    let message = Message::read(MESSAGE).expect("has a header");
    let context = Context { namespace: uuid::Uuid::nil(), site: None, trace: true };
    let translation = package.translate(&message, &context).expect("translates");
    let explanation = Explanation::of(&message, &translation);
    let choice = Choice::read(field, element).unwrap_or_else(|failure| panic!("{}", failure.words));
    let chosen = choice.of(&message, &explanation);
    let object = json::object(&explanation, &chosen);
    let view = View { explanation: &explanation, chosen: &chosen, sources: &sources };
    (view.render(&choice, Paint::off()), object)
}

#[test]
fn a_condition_that_does_not_hold_is_shown_with_what_it_saw() {
    let (text, object) = explained(None, Some("Patient.birthDate"));
    assert!(text.contains("no Patient.birthDate of PID-7: its condition does not hold: PID-8 = F"), "{text}");
    assert!(text.contains("PID-8 = Q"), "{text}");
    assert_eq!(object["misses"][0]["why"], "condition");
}

#[test]
fn an_element_that_was_made_names_its_source_and_what_came_too_late() {
    let (text, _) = explained(None, Some("Patient.deceased"));
    assert!(text.contains("Patient.deceasedBoolean = true"), "{text}");
    assert!(text.contains("from   PID-30 = Y"), "{text}");
    assert!(text.contains("| - PID-30 as boolean"), "{text}");
    assert!(text.contains("no Patient.deceasedDateTime of PID-29: an earlier rule gave"), "{text}");
}

#[test]
fn a_field_that_no_rule_reads_is_unmapped() {
    let (text, object) = explained(Some("PID-5.1"), None);
    assert!(text.contains("Doe") && text.contains("unmapped"), "{text}");
    assert_eq!(object["leaves"][0]["fate"], "unmapped");
    assert_eq!(object["leaves"].as_array().map(Vec::len), Some(1), "the given name was not asked for");
}

#[test]
fn a_field_that_is_not_there_names_the_rules_that_wait_for_it() {
    let (text, _) = explained(Some("PID-29"), None);
    assert!(text.contains("nothing was made") && text.contains("Patient.deceasedDateTime"), "{text}");
}

#[test]
fn a_code_table_says_whether_it_had_the_code_both_ways() {
    let (text, object) = explained(Some("PID-8"), None);
    assert!(text.contains("→ Patient.gender = unknown  segments/PID.Patient.yaml:9:9"), "{text}");
    assert!(
        text.contains("sex has no row for the code") && text.contains("| gender: PID-8 code sex"),
        "{text}"
    );
    let table = &object["leaves"][0]["elements"][0]["code_table"];
    assert_eq!((&table["name"], &table["hit"]), (&"sex".into(), &false.into()));
    let (text, object) = explained(None, Some("Patient.language"));
    assert!(text.contains("Patient.language = en") && text.contains("from   PID-5.2"), "{text}");
    assert!(
        text.contains("tongue has the code") && text.contains("rule   segments/PID.Patient.yaml:10:11"),
        "{text}"
    );
    assert_eq!(object["elements"][0]["code_table"]["hit"], true);
}

#[test]
fn what_no_rule_makes_says_what_does() {
    let package = Package::compile(&Sources(sources())).expect("compiles");
    let message = Message::read(MESSAGE).expect("has a header");
    let context = Context { namespace: uuid::Uuid::nil(), site: None, trace: true };
    let translation = package.translate(&message, &context).expect("translates");
    let words = |element: &str| {
        let choice = Choice::read(None, Some(element)).unwrap_or_else(|failure| panic!("{}", failure.words));
        choice.nothing(&translation)
    };
    assert!(words("Provenance.agent").contains("built in"));
    assert!(words("Patient.id").contains("`id`"));
    assert!(words("Encounter.status").contains("this message makes Patient, Provenance"));
}
