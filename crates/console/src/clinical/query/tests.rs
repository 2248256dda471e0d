//! What a search line says, and what is said of one that says nothing.

use super::*;

/// 2026-09-21T13:33:20Z
const NOW_US: Micros = 1_789_997_600_000_000;
const DAY_US: Micros = 24 * 60 * MINUTE_US;

fn key(filter: &MessageFilter) -> (Option<&'static str>, &str) {
    filter.key.as_ref().map_or((None, ""), |key| (key.kind, &key.value))
}

fn problem(text: &str) -> (usize, Problem) {
    let QueryError { at, problem } = parse(text, NOW_US).map(|_| ()).expect_err(text);
    (at, problem)
}

#[test]
fn each_key_reaches_its_place() {
    for (text, kind) in [
        ("mrn:4711", "patient-id"),
        ("visit:4711", "visit-number"),
        ("acc:4711", "filler-order"),
        ("ord:4711", "placer-order"),
        ("CTL:4711", "control-id"),
    ] {
        assert_eq!(key(&parse(text, NOW_US).expect(text)), (Some(kind), "4711"));
    }
    let filter =
        parse("from:EMR|WARD type:adt_a01 status:Quarantined channel:adt reason:missing:PID-3", NOW_US)
            .expect("reads");
    assert_eq!(filter.sender.as_deref(), Some("EMR|WARD"));
    assert_eq!(filter.message_type.as_deref(), Some("ADT^A01"));
    assert_eq!(filter.state, Some(MessageState::Quarantined));
    assert_eq!((filter.channel.as_deref(), filter.reason.as_deref()), (Some("adt"), Some("missing:PID-3")));
    assert!(filter.key.is_none());
}

#[test]
fn a_word_alone_is_any_key() {
    for text in ["4711", "  4711  ", "\"4711\"", "type:ADT 4711"] {
        assert_eq!(key(&parse(text, NOW_US).expect(text)), (None, "4711"));
    }
    assert_eq!(key(&parse("12:30", NOW_US).expect("digits name nothing")), (None, "12:30"));
    assert_eq!(key(&parse("\"urn:x y\"", NOW_US).expect("quoted")), (None, "urn:x y"));
    assert_eq!(key(&parse("mrn:\"A 1\"", NOW_US).expect("quoted")), (Some("patient-id"), "A 1"));
    assert_eq!(key(&parse("mrn: 4711 type: ADT", NOW_US).expect("spaced")), (Some("patient-id"), "4711"));
}

#[test]
fn times_are_dates_instants_and_ages() {
    let midnight = NOW_US - NOW_US % DAY_US;
    let since = |text: &str| parse(&format!("since:{text}"), NOW_US).expect(text).since_us.expect("given");
    assert_eq!(since("2h"), NOW_US - 2 * 60 * MINUTE_US);
    assert_eq!(since("15m"), NOW_US - 15 * MINUTE_US);
    assert_eq!(since("1w"), NOW_US - 7 * DAY_US);
    assert_eq!((since("today"), since("yesterday")), (midnight, midnight - DAY_US));
    assert_eq!(since("2026-09-21"), midnight);
    assert_eq!(since("2026-09-21T13:00"), midnight + 13 * 60 * MINUTE_US);
    assert_eq!(since("2026-09-21T13:00:00Z"), midnight + 13 * 60 * MINUTE_US);
    let day = parse("since:2026-09-21 until:2026-09-21", NOW_US).expect("a whole day");
    assert_eq!((day.since_us, day.until_us), (Some(midnight), Some(midnight + DAY_US)));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    assert_eq!(problem("   "), (1, Problem::Empty));
    assert_eq!(problem("type:ADT mnr:4711"), (10, Problem::UnknownName(Some("mrn"))));
    assert_eq!(problem("patientname:x"), (1, Problem::UnknownName(None)));
    assert_eq!(problem("mrn:"), (1, Problem::NoValue("mrn")));
    assert_eq!(problem("mrn: type:ADT"), (1, Problem::NoValue("mrn")));
    assert_eq!(problem("mrn:1 visit:2"), (7, Problem::Twice("key")));
    assert_eq!(problem("4711 4712"), (6, Problem::Twice("key")));
    assert_eq!(problem("type:ADT type:ORU"), (10, Problem::Twice("type")));
    assert_eq!(problem("status:quarantine"), (1, Problem::UnknownState(Some("quarantined"))));
    assert_eq!(problem("x since:soon"), (3, Problem::NoInstant("since")));
    assert_eq!(problem("until:99999999999999999w"), (1, Problem::NoInstant("until")));
    assert_eq!(problem("since:1h until:2h"), (10, Problem::EmptyTime));
    assert_eq!(problem("mrn:\"4711"), (5, Problem::OpenQuote));
    assert_eq!(problem(&format!("mrn:{}", "x".repeat(VALUE_BYTES_MAX + 1))), (1, Problem::TooLong));
    assert_eq!(problem(&"x ".repeat(QUERY_BYTES_MAX)), (1, Problem::TooLong));
    let words = parse("mnr:Fairweather", NOW_US).map(|_| ()).expect_err("unknown").to_string();
    assert!(
        words.contains("at character 1") && words.contains("`mrn`") && words.contains("channel"),
        "{words}"
    );
    assert!(!words.contains("Fairweather") && !words.contains("mnr"), "{words}");
}

/// Lines made of the pieces that matter, in every order that a small generator reaches: none panics, every position is
/// inside the line, and quoting a value never changes it.
#[test]
fn any_line_is_read_or_refused_in_its_place() {
    const PIECES: [&str; 16] = [
        "mrn:",
        "type:",
        "since:",
        "until:",
        "status:",
        "4711",
        "\"",
        " ",
        ":",
        "\u{e9}",
        "routed",
        "2h",
        "2026-02-30",
        "T",
        "^",
        "\u{1f642}",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut line = String::new();
        for _ in 0..7 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            line.push_str(PIECES[usize::try_from(seed >> 60).expect("four bits")]);
        }
        match parse(&line, NOW_US) {
            Ok(filter) => assert!(filter.key.is_none_or(|key| !key.value.is_empty()), "{line}"),
            Err(error) => {
                assert!((1..=line.chars().count().max(1)).contains(&error.at), "{line}: {}", error.at)
            }
        }
    }
    for value in ["4711", "a b", "mrn:x", "\u{e9}^~&|", "12:30"] {
        let filter = parse(&format!("visit:\"{value}\" type:ADT"), NOW_US).expect(value);
        assert_eq!(key(&filter), (Some("visit-number"), value));
    }
}
