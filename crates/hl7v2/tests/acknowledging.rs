//! Acknowledgments: what is built, what is read, what is refused.

use hl7v2::acknowledgment::{
    AckCode, AckError, AckMode, Acknowledgment, ErrorCode, HeaderRules, Location, NoAcknowledgment, Reply,
    Severity, acknowledge, acknowledge_unreadable, check_header, check_header_by,
};
use hl7v2::{AckCondition, Message};

fn accept() -> Reply<'static> {
    Reply { code: AckCode::ApplicationAccept, control_id: "N1", time: "20260102030405+0000", error: None }
}

fn refuse(location: Option<Location>) -> Reply<'static> {
    let error = AckError {
        code: ErrorCode::RequiredFieldMissing,
        location,
        severity: Severity::Error,
        text: "no a|b",
    };
    Reply { code: AckCode::ApplicationError, error: Some(error), ..accept() }
}

fn answer(message: &[u8], reply: &Reply<'_>) -> String {
    acknowledge(&Message::read(message).expect("readable"), reply).escape_ascii().to_string()
}

#[test]
fn sender_and_receiver_change_places_with_all_their_components() {
    let message =
        b"MSH|^~\\&|APP^1.2^ISO|FAC^3.4^ISO|RAPP|RFAC|20260101||ADT^A01|id|T|2.5.1|||AL|NE||8859/1\rPID|1";
    assert_eq!(
        answer(message, &accept()),
        "MSH|^~\\\\&|RAPP|RFAC|APP^1.2^ISO|FAC^3.4^ISO|20260102030405+0000||ACK^A01^ACK|N1|T|2.5.1||||||8859/1\\rMSA|AA|id\\r"
    );
}

#[test]
fn control_id_is_repeated_with_spaces_components_and_high_bytes() {
    for id in [&b" a b "[..], b"a^b", b"\\T\\", b"\xFCx", b""] {
        let message = [b"MSH|^~\\&|A|B|C|D|1||ADT^A01|", id, b"|P|2.5.1\r"].concat();
        let bytes = acknowledge(&Message::read(&message).expect("readable"), &accept());
        assert!(bytes.ends_with(&[b"\rMSA|AA|", id, b"\r"].concat()), "{}", bytes.escape_ascii());
    }
}

#[test]
fn form_follows_the_version() {
    let location = Some(Location::of_segment(*b"PID", 1).with_field(5));
    for (version, kind, msa, err) in [
        ("2.2", "ACK", "MSA|AE|id|no a\\F\\b", "ERR|PID^1^5^101&Required field missing&HL70357"),
        ("2.3.1", "ACK^A01", "MSA|AE|id|no a\\F\\b", "ERR|PID^1^5^101&Required field missing&HL70357"),
        ("2.4", "ACK^A01^ACK", "MSA|AE|id|no a\\F\\b", "ERR|PID^1^5^101&Required field missing&HL70357"),
        (
            "2.5",
            "ACK^A01^ACK",
            "MSA|AE|id|no a\\F\\b",
            "ERR||PID^1^5^1|101^Required field missing^HL70357|E||||no a\\F\\b",
        ),
        (
            "2.8",
            "ACK^A01^ACK",
            "MSA|AE|id",
            "ERR||PID^1^5^1|101^Required field missing^HL70357|E||||no a\\F\\b",
        ),
    ] {
        let message = format!("MSH|^~\\&|A|B|C|D|1||ADT^A01|id|P|{version}\rPID|1");
        let bytes = acknowledge(&Message::read(message.as_bytes()).expect("readable"), &refuse(location));
        let text = String::from_utf8(bytes).expect("ascii");
        let lines: Vec<&str> = text.split('\r').collect();
        assert_eq!(lines[0].split('|').nth(8), Some(kind));
        assert_eq!((lines[1], lines[2], lines[3]), (msa, err, ""));
    }
}

#[test]
fn delimiters_of_the_sender_are_used() {
    let message = b"MSH#*+!@#A#B#C#D#1##ADT*A01#id#P#2.5\rPID#1";
    let text = answer(message, &refuse(Some(Location::of_header(9))));
    assert_eq!(
        text,
        "MSH#*+!@#C#D#A#B#20260102030405!R!0000##ACK*A01*ACK#N1#P#2.5\\rMSA#AE#id#no a|b\\rERR##MSH*1*9*1#101*Required field missing*HL70357#E####no a|b\\r"
    );
}

#[test]
fn location_of_a_leaf_names_the_nth_segment_of_its_name() {
    let bytes = b"MSH|^~\\&|A|B|C|D|1||ADT^A01|id|P|2.5\rOBX|1\rOBX|2||x^y&z";
    let message = Message::read(bytes).expect("readable");
    let leaf = message.leaves().last().expect("leaf");
    let text = answer(bytes, &refuse(Location::of_leaf(leaf.path, &message)));
    assert!(text.contains("ERR||OBX^2^3^1^2^2|"), "{text}");
}

#[test]
fn bytes_without_header_are_answered() {
    let bytes = acknowledge_unreadable(&Reply { code: AckCode::ApplicationReject, ..refuse(None) });
    let read = Acknowledgment::read(&bytes).expect("an acknowledgment");
    assert_eq!(
        (read.code, read.error, read.control_id.len()),
        (AckCode::ApplicationReject, Some(ErrorCode::RequiredFieldMissing), 0)
    );
    assert_eq!(read.text, "no a|b");
}

#[test]
fn what_is_built_is_read_back_in_every_version() {
    for version in ["2.1", "2.3", "2.4", "2.5.1", "2.7", "2.9"] {
        let message = format!("MSH|^~\\&|A|B|C|D|1||ADT^A01|id|P|{version}\r");
        let bytes = acknowledge(
            &Message::read(message.as_bytes()).expect("readable"),
            &refuse(Some(Location::of_header(9))),
        );
        let read = Acknowledgment::read(&bytes).expect("an acknowledgment");
        assert_eq!(
            (read.code, read.error),
            (AckCode::ApplicationError, Some(ErrorCode::RequiredFieldMissing)),
            "{version}"
        );
        assert!(read.answers(b"id") && !read.answers(b"ID"));
    }
}

#[test]
fn transient_errors_are_told_from_final_ones() {
    let read = |err: &str| {
        Acknowledgment::read(format!("MSH|^~\\&|A\rMSA|AE|1\rERR|||{err}\r").as_bytes())
            .expect("an acknowledgment")
    };
    assert!(read("206").is_transient() && read("207^x").is_transient());
    assert!(!read("101").is_transient() && !read("999").is_transient());
    assert_eq!(ErrorCode::ALL.into_iter().filter(|code| code.is_transient()).count(), 2);
    assert!(ErrorCode::ALL.into_iter().all(|code| ErrorCode::from_code(code.code()) == Some(code)));
}

#[test]
fn unclear_answers_are_no_success() {
    assert_eq!(Acknowledgment::read(b"MSH|^~\\&|A\rMSA|AAX|1\r"), Err(NoAcknowledgment::UnknownCode));
    assert_eq!(Acknowledgment::read(b"MSH|^~\\&|A\rPID|1\r"), Err(NoAcknowledgment::NoMsa));
    assert!(matches!(Acknowledgment::read(b"hello"), Err(NoAcknowledgment::Unreadable(_))));
}

#[test]
fn headers_are_refused_with_code_and_place() {
    use AckCode::{ApplicationError as AE, ApplicationReject as AR};
    let cases = [
        ("ADT^A01|1|P|2.5.1", None),
        ("ADT^A01|1|P|2.3", None),
        ("|1|P|2.5.1", Some((AR, "101", 9))),
        ("ADT^A01||P|2.5.1", Some((AR, "101", 10))),
        ("ADT^A01|\"\"|P|2.5.1", Some((AR, "101", 10))),
        ("ADT^A01|1||2.5.1", Some((AR, "101", 11))),
        ("ADT^A01|1|X|2.5.1", Some((AR, "202", 11))),
        ("ADT^A01|1|P|", Some((AR, "101", 12))),
        ("ADT^A01|1|P|3.0", Some((AR, "203", 12))),
        ("ADT^A01|1|P|2.5.1.9", Some((AR, "203", 12))),
        ("ADT^A01|1|P|2.5.1||||||EBCDIC", Some((AE, "103", 18))),
        ("ADT^A01|1|P|2.5.1||||||UNICODE UTF-8", None),
    ];
    for (tail, expected) in cases {
        let bytes = format!("MSH|^~\\&|A|B|C|D|1||{tail}\rPID|1");
        let message = Message::read(bytes.as_bytes()).expect("readable");
        let refusal = check_header(&message).err();
        let seen = refusal.map(|refusal| (refusal.code, refusal.error.code(), refusal.location));
        assert_eq!(
            seen,
            expected.map(|(code, error, field)| (code, error, Some(Location::of_header(field)))),
            "{tail}"
        );
    }
    let two = Message::read(b"MSH|^~\\&|A|B|C|D|1||ADT^A01|1|P|2.5\rMSH|^~\\&|A|B|C|D|1||ADT^A01|2|P|2.5")
        .expect("readable");
    assert_eq!(
        check_header(&two).err().map(|refusal| (refusal.code, refusal.error.code())),
        Some((AE, "100"))
    );
    // A line that is in no segment was cut from the field before it; before the header it is no part of the message.
    for (bytes, place) in [
        (&b"MSH|^~\\&|A|B|C|D|1||ADT^A01|1|P|2.5\rNTE|1||a\rNTE|2||b\rc d|e\rPV1|1"[..], Some((*b"NTE", 2))),
        (b"MSH|^~\\&|A|B|C|D|1||ADT^A01|1|P|2.5\r \r\rPV1|1\r", None),
        (b"hello\rMSH|^~\\&|A|B|C|D|1||ADT^A01|1|P|2.5\rPV1|1\r", None),
    ] {
        let message = Message::read(bytes).expect("readable");
        let refusal = check_header(&message).err();
        let seen = refusal.map(|refusal| (refusal.code, refusal.error.code(), refusal.location));
        let place = place.map(|(name, n)| (AE, "100", Some(Location::of_segment(name, n))));
        assert_eq!(seen, place, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_node_may_demand_less_or_more_of_a_header() {
    let read = |tail: &str| format!("MSH|^~\\&|A|B|C|D|1||ADT^A01|1|{tail}\rPID|1");
    let lenient =
        HeaderRules { requires_processing_id: false, requires_version: false, ..HeaderRules::STANDARD };
    let production = HeaderRules { processing_ids: &["P"], ..HeaderRules::STANDARD };
    for (tail, rules, expected) in [
        ("|", lenient, None),
        ("|9", lenient, Some("203")),
        ("T|2.5", HeaderRules::STANDARD, None),
        ("T|2.5", production, Some("202")),
    ] {
        let bytes = read(tail);
        let message = Message::read(bytes.as_bytes()).expect("readable");
        assert_eq!(
            check_header_by(&message, &rules).err().map(|refusal| refusal.error.code()),
            expected,
            "{tail}"
        );
    }
}

/// MSH-15, MSH-16, and what is owed: at the commit of an accepted, a failed and a refused message, and after the
/// application of one that succeeded and one that failed.
const OWED: [(&str, &str, [&str; 5]); 25] = [
    ("", "", ["AA", "AE", "AR", "-", "-"]),
    ("", "AL", ["-", "AE", "AR", "AA", "AE"]),
    ("", "NE", ["-", "-", "-", "-", "-"]),
    ("", "ER", ["-", "AE", "AR", "-", "AE"]),
    ("", "SU", ["-", "-", "-", "AA", "-"]),
    ("AL", "", ["CA", "CE", "CR", "-", "-"]),
    ("AL", "AL", ["CA", "CE", "CR", "AA", "AE"]),
    ("AL", "NE", ["CA", "CE", "CR", "-", "-"]),
    ("AL", "ER", ["CA", "CE", "CR", "-", "AE"]),
    ("AL", "SU", ["CA", "CE", "CR", "AA", "-"]),
    ("NE", "", ["-", "-", "-", "-", "-"]),
    ("NE", "AL", ["-", "AE", "AR", "AA", "AE"]),
    ("NE", "NE", ["-", "-", "-", "-", "-"]),
    ("NE", "ER", ["-", "AE", "AR", "-", "AE"]),
    ("NE", "SU", ["-", "-", "-", "AA", "-"]),
    ("ER", "", ["-", "CE", "CR", "-", "-"]),
    ("ER", "AL", ["-", "CE", "CR", "AA", "AE"]),
    ("ER", "NE", ["-", "CE", "CR", "-", "-"]),
    ("ER", "ER", ["-", "CE", "CR", "-", "AE"]),
    ("ER", "SU", ["-", "CE", "CR", "AA", "-"]),
    ("SU", "", ["CA", "-", "-", "-", "-"]),
    ("SU", "AL", ["CA", "AE", "AR", "AA", "AE"]),
    ("SU", "NE", ["CA", "-", "-", "-", "-"]),
    ("SU", "ER", ["CA", "AE", "AR", "-", "AE"]),
    ("SU", "SU", ["CA", "-", "-", "AA", "-"]),
];

#[test]
fn what_is_owed_is_one_table() {
    use AckCode::{ApplicationAccept as AA, ApplicationError as AE, ApplicationReject as AR};
    let said = |code: Option<AckCode>| code.map_or("-", AckCode::code);
    for (accept, application, expected) in OWED {
        let message = format!("MSH|^~\\&|A|B|C|D|1||ADT^A01|id|P|2.5.1|||{accept}|{application}\rPID|1");
        let message = Message::read(message.as_bytes()).expect("readable");
        let mode = AckMode::of(&message.header());
        let owed = [
            said(mode.at_commit(AA)),
            said(mode.at_commit(AE)),
            said(mode.at_commit(AR)),
            said(mode.at_application(AA)),
            said(mode.at_application(AE)),
        ];
        assert_eq!(owed, expected, "MSH-15 `{accept}`, MSH-16 `{application}`");
        assert_eq!(mode.awaits_application(), matches!(application, "AL" | "ER" | "SU"));
        assert!(!AckMode::has_unknown_value(&message.header()));
        assert_eq!(mode == AckMode::Original, !message.header().is_enhanced_mode());
    }
    let pairs: std::collections::BTreeSet<_> = OWED.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(pairs.len(), OWED.len(), "each pair stands once");
}

#[test]
fn an_unknown_condition_is_told_and_counts_as_empty() {
    for (accept, application, expected, unknown) in [
        ("XX", "", AckMode::Original, true),
        ("al", "AA", AckMode::Original, true),
        ("\"\"", "\"\"", AckMode::Original, false),
        (" AL ", "XX", AckMode::of_conditions(Some(AckCondition::Always), None), true),
        ("XX", "ER", AckMode::of_conditions(None, Some(AckCondition::ErrorOnly)), true),
    ] {
        let message = format!("MSH|^~\\&|A|B|C|D|1||ADT^A01|id|P|2.5.1|||{accept}|{application}\rPID|1");
        let message = Message::read(message.as_bytes()).expect("readable");
        assert_eq!(AckMode::of(&message.header()), expected, "{accept} {application}");
        assert_eq!(AckMode::has_unknown_value(&message.header()), unknown, "{accept} {application}");
    }
}

#[test]
fn an_acknowledgment_asks_for_none() {
    let message = b"MSH|^~\\&|A|B|C|D|1||ADT^A01|id|P|2.5.1|||AL|AL\rPID|1\r";
    let bytes = acknowledge(&Message::read(message).expect("readable"), &accept());
    let answer = Message::read(&bytes).expect("readable");
    assert!(answer.header().is_acknowledgment());
    assert_eq!(AckMode::of(&answer.header()), AckMode::Original);
    assert!(answer.header().segment().field(15).raw().is_empty());
}
