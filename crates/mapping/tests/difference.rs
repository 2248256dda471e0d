//! What another package does otherwise, told by element path.

mod support;

use mapping::{Context, Difference, Differences, Package};

const MESSAGE: &str =
    "PID|1||42^^^H^MR~43^^^H^PI||Doe^Jo||19700102|M||||||||S^Single\rPV1|1|I|||||||||||||||||7\r";

fn package(edits: &[(&str, &str, &str)]) -> Package {
    let mut sources = support::sources();
    for (file, from, to) in edits {
        let text = sources.0.get_mut(*file).expect("the file is there");
        assert!(text.contains(from), "{file} has no {from}");
        *text = text.replace(from, to);
    }
    Package::compile(&sources).unwrap_or_else(|found| panic!("{found:?}"))
}

/// `Patient birthDate removed 1`, of each message after the other.
fn told(edits: &[(&str, &str, &str)], messages: &[&str]) -> (Vec<String>, Differences) {
    let (before, after) = (package(&[]), package(edits));
    let context = Context { namespace: uuid::Uuid::nil(), site: None, trace: false };
    let mut all = Differences::default();
    for (number, rest) in (1..).zip(messages) {
        let text = format!("{}{rest}", support::HEADER);
        let message = hl7v2::Message::read(text.as_bytes()).expect("has a header");
        let made = |package: &Package| package.translate(&message, &context);
        all.add(&format!("m{number}"), &made(&before), &made(&after));
    }
    let lines = all
        .groups()
        .map(|(kind, element, what, group)| format!("{kind} {element} {} {}", what.word(), group.count))
        .collect();
    (lines, all)
}

const PATIENT: &str = "segments/PID.Patient.yaml";

#[test]
fn the_same_package_differs_in_nothing_not_even_its_own_name() {
    let (lines, all) = told(&[], &[MESSAGE, "PID|1\r"]);
    assert_eq!(lines, Vec::<String>::new());
    assert_eq!((all.messages, all.differing, all.is_empty()), (2, 0, true));
    // A comment changes the hash and no more.
    let (lines, _) = told(&[(PATIENT, "map: PID", "# a word\nmap: PID")], &[MESSAGE]);
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn elements_come_go_and_change_and_lists_have_no_index() {
    let edits = [
        (PATIENT, "birthDate: PID-7 as date\n", "active: =true\n"),
        ("codes/administrative-gender.yaml", "M: male", "M: other"),
        ("types/CX.Identifier.yaml", "value: CX.1", "value: lower(concat(CX.1, =x))"),
    ];
    let (lines, all) = told(&edits, &[MESSAGE]);
    let patient: Vec<&String> = lines.iter().filter(|line| line.starts_with("Patient")).collect();
    assert_eq!(
        patient,
        [
            "Patient active added 1",
            "Patient birthDate removed 1",
            "Patient gender changed 1",
            "Patient identifier.value changed 2"
        ]
    );
    let (.., group) = all.groups().find(|(_, element, ..)| *element == "gender").expect("it differs");
    assert_eq!(group.examples, ["m1"]);
    assert_eq!(group.values, [(Some("\"male\"".to_owned()), Some("\"other\"".to_owned()))]);
    assert!(!format!("{all:?}").contains("male"), "Debug tells no value");
}

#[test]
fn a_null_that_removes_no_more_and_a_mode_are_differences() {
    let (lines, _) = told(&[(PATIENT, "birthDate: PID-7 as date\n", "")], &["PID|1||42^^^H||||\"\"\r"]);
    assert_eq!(lines, ["Patient birthDate (removed where it stands) removed 1"]);
    let message = "messages/ADT_A01.yaml";
    let (lines, _) = told(
        &[(message, "patient: PID -> Patient", "patient: {map: PID -> Patient, mode: replace}")],
        &["PID|1||42^^^H\r"],
    );
    assert_eq!(lines, ["Patient (mode) changed 1"]);
}

#[test]
fn an_inserted_item_is_one_addition_and_an_order_is_told() {
    let edit = "identifier: [PID-3~1 as CX.Identifier, PID-3* as CX.Identifier]";
    let (lines, _) = told(&[(PATIENT, "identifier: PID-3* as CX.Identifier", edit)], &["PID|1||42^^^H\r"]);
    assert!(lines.contains(&"Patient identifier.value added 1".to_owned()), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("moved")), "{lines:?}");
    let edit = "identifier: [PID-3~2 as CX.Identifier, PID-3~1 as CX.Identifier]";
    let (lines, all) =
        told(&[(PATIENT, "identifier: PID-3* as CX.Identifier", edit)], &["PID|1||42^^^H~43^^^H\r"]);
    assert_eq!(lines, ["Patient identifier.value moved 2"]);
    assert!(all.groups().all(|(.., what, _)| what == Difference::Moved));
}

#[test]
fn a_resource_more_and_a_message_refused_are_told_whole() {
    let make = ("messages/ADT_A01.yaml", "when: PV1-2 != N", "when: PV1-2 = N");
    let (lines, _) = told(&[make], &[MESSAGE]);
    assert!(lines.contains(&"Encounter  removed 1".to_owned()), "{lines:?}");
    assert!(lines.iter().all(|line| !line.starts_with("Encounter c")), "not each of its elements: {lines:?}");
    let (lines, all) =
        told(&[("messages/ADT_A01.yaml", "[PID-3]", "[PID-3, PID-11]")], &[MESSAGE, "PID|1\r"]);
    assert_eq!(lines, ["message rejected added 1"], "the second is rejected by both");
    assert_eq!((all.messages, all.differing), (2, 1));
}

#[test]
fn three_examples_are_kept_and_all_are_counted() {
    let (_, all) = told(&[(PATIENT, "gender: PID-8", "active: =true\ngender: PID-8")], &[MESSAGE; 5]);
    let (.., group) = all.groups().next().expect("it differs");
    assert_eq!((group.count, group.messages, group.examples.len(), group.values.len()), (5, 5, 3, 3));
}
