//! Bad input: each kind has its documented acknowledgment and a row that an auditor can open.
//!
//! | what comes | MSA-1 | ERR-3 | row: state, reason |
//! |---|---|---|---|
//! | frame without MSH | AR | 100 | quarantined, `no-header` |
//! | frame cut off | none: the sender broke off | | quarantined, `truncated` |
//! | junk outside of frames | none: nobody waits | | quarantined, `junk`, one a peer and minute |
//! | frame over the limit | AR, connection closed | 100 | quarantined, `oversized` |
//! | two MSH in one frame | AE | 100 | quarantined, `header` |
//! | no MSH-9 | AR | 101 | quarantined, `header` |
//! | no MSH-10 | AR | 101 | quarantined, `header` |
//! | unsupported MSH-12 | AR | 203 | quarantined, `header` |
//! | unknown MSH-18 | AE | 103 | quarantined, `header` |
//! | bytes that break MSH-18 | AE | 102 | quarantined, `charset` |
//! | unknown message type | AA: it is safe on disk | | quarantined, `unsupported-type` |
//! | no PID-3 | AA: it is safe on disk | | quarantined, `missing:PID-3` |
//! | same MSH-10, same bytes | AA, the stored one | | none of its own |
//! | same MSH-10, other bytes | AA | | routed, flagged |
//!
//! What is refused with AR or AE is kept for the auditor and never applied; what is accepted with AA and cannot be
//! applied waits in quarantine for a mapping that can.

use harness::sender::{raw, read};
use harness::{Pair, Person, Sender, eventually, stored};
use store::{MessageRow, MessageState};

/// Longest frame of the listener under test.
const FRAME_BYTES_MAX: usize = 32_768;

/// One kind of bad input in a frame.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    code: &'static str,
    error: Option<&'static str>,
    reason: &'static str,
}

fn cases() -> Vec<Case> {
    let person = Person::new(51);
    let good = person.a01("B-0");
    let with = |control_id: &str| good.replace("|B-0|", &format!("|{control_id}|"));
    let case = |name, bytes: String, code, error, reason| Case {
        name,
        bytes: bytes.into_bytes(),
        code,
        error,
        reason,
    };
    let mut broken = with("B-charset").into_bytes();
    let at = broken.windows(5).position(|bytes| bytes == b"Quill").expect("the family name is there");
    broken[at + 1] = 0xE9;
    vec![
        case("no MSH", "this is no message\r".into(), "AR", Some("100"), "no-header"),
        case("two MSH", format!("{}{}", with("B-two"), with("B-three")), "AE", Some("100"), "header"),
        case("no MSH-9", with("B-9").replacen("ADT^A01^ADT_A01", "", 1), "AR", Some("101"), "header"),
        case("no MSH-10", with(""), "AR", Some("101"), "header"),
        case("version", with("B-12").replacen("|2.5.1|", "|9.9|", 1), "AR", Some("203"), "header"),
        case(
            "unknown charset",
            with("B-18").replacen("UNICODE UTF-8", "KLINGON", 1),
            "AE",
            Some("103"),
            "header",
        ),
        Case { name: "charset", bytes: broken, code: "AE", error: Some("102"), reason: "charset" },
        case(
            "unknown type",
            with("B-type").replacen("ADT^A01^ADT_A01", "ADT^A99", 1),
            "AA",
            None,
            "unsupported-type",
        ),
        case("no PID-3", without_pid_3(&with("B-pid")), "AA", None, "missing:PID-3"),
    ]
}

fn without_pid_3(er7: &str) -> String {
    let segments = er7.split_terminator('\r').map(|segment| match segment.strip_prefix("PID|1||") {
        Some(rest) => format!("PID|1|||{}", rest.split_once('|').map_or("", |(_, rest)| rest)),
        None => segment.to_owned(),
    });
    harness::messages::lines(&segments.collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_has_its_answer_and_its_row() {
    let limit = |config: &mut tidegate::config::Config, _: &_| {
        config.mllp.iter_mut().for_each(|mllp| mllp.frame_bytes_max = FRAME_BYTES_MAX);
    };
    let mut pair = Pair::start_with("bad", limit).await;
    let mut sender = pair.sender().await;
    let mut expected = Vec::new();
    for Case { name, bytes, code, error, reason } in cases() {
        let acknowledgment = sender.send(&bytes).await;
        assert_eq!(acknowledgment.code.code(), code, "{name}");
        assert_eq!(acknowledgment.error.map(|error| error.code()), error, "{name}");
        expected.push((name, bytes, Some(code), reason));
    }
    expected.extend(outside_of_frames(&pair).await);
    repetitions(&pair, &mut sender).await;

    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let (rows, journal) = (stored::messages(&store).await, stored::journal(&store).await);
    for (name, bytes, code, reason) in expected {
        let entry = journal
            .iter()
            .find(|entry| is_of(&entry.bytes, &bytes))
            .unwrap_or_else(|| panic!("{name}: no entry"));
        assert_eq!(entry.acknowledgment.as_ref().map(|given| given.code.as_str()), code, "{name}");
        let row = rows.iter().find(|row| row.id == entry.id).unwrap_or_else(|| panic!("{name}: no row"));
        assert_eq!((row.state, row.reason.as_deref()), (MessageState::Quarantined, Some(reason)), "{name}");
        // The row can be opened, and the ledger knows of it.
        let detail =
            store::Messages::detail(&*store, entry.id).await.expect("a row opens").expect("it is there");
        assert_eq!(detail.records.len(), 1, "{name}: its record in the ledger");
        assert!(
            detail.resources.is_empty() && detail.deliveries.is_empty(),
            "{name}: nothing of it is stored or leaves"
        );
    }
    flags(&rows);
    stored::close(store).await;
}

/// Is this entry made of those bytes, whole or cut at what is kept of an oversized frame?
fn is_of(entry: &[u8], sent: &[u8]) -> bool {
    !entry.is_empty() && (entry == sent || (sent.len() > FRAME_BYTES_MAX && sent.starts_with(entry)))
}

type Expected = (&'static str, Vec<u8>, Option<&'static str>, &'static str);

/// What is no whole frame: over the limit, cut off, or HTTP on the port.
async fn outside_of_frames(pair: &Pair) -> Vec<Expected> {
    let person = Person::new(52);
    let long = format!("{}NTE|1|L|{}\r", person.a01("B-long"), "x".repeat(FRAME_BYTES_MAX));
    let answer = raw(pair.mllp(), &framed(long.as_bytes())).await;
    let acknowledgment =
        read(answer.strip_prefix(b"\x0b").and_then(|a| a.strip_suffix(b"\x1c\r")).expect("one frame"));
    assert_eq!(acknowledgment.code.code(), "AR");
    assert_eq!(acknowledgment.error.map(|error| error.code()), Some("100"));
    assert!(acknowledgment.answers(b"B-long"), "the head that was kept names the message");

    let whole = person.a01("B-cut");
    let part = whole.as_bytes()[..whole.len() / 2].to_vec();
    let answer = raw(pair.mllp(), &[b"\x0b", part.as_slice()].concat()).await;
    assert_eq!(answer, b"", "who broke off waits for no answer");

    let http = b"GET / HTTP/1.1\r\nHost: example\r\n\r\n".to_vec();
    let answer = raw(pair.mllp(), &http).await;
    assert_eq!(answer, b"", "junk is not answered");
    assert_eq!(raw(pair.mllp(), b"PUT /other HTTP/1.1\r\n\r\n").await, b"");
    vec![
        ("oversized", long.into_bytes(), Some("AR"), "oversized"),
        ("truncated", part, None, "truncated"),
        ("junk", http, None, "junk"),
    ]
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [b"\x0b", bytes, b"\x1c\r"].concat()
}

/// The same control id: with the same bytes a repetition, with others a message of its own.
async fn repetitions(pair: &Pair, sender: &mut Sender) {
    let person = Person::new(53);
    let message = person.a01("B-same");
    let first = sender.exchange(message.as_bytes()).await;
    let again = sender.exchange(message.as_bytes()).await;
    assert_eq!(first, again, "the stored acknowledgment");
    let other = message.replace(&person.given, "Philomena");
    let third = sender.exchange(other.as_bytes()).await;
    assert_ne!(first, third);
    assert_eq!(read(&third).code.code(), "AA");
    assert!(read(&third).answers(b"B-same"));
    let here = pair.here();
    eventually("the other bytes applied", || async {
        let found = here.only(&format!("Patient?identifier={}", person.number)).await?;
        if found["name"][0]["given"][0] == "Philomena" {
            Ok(())
        } else {
            Err("the first name stands".to_owned())
        }
    })
    .await;
}

/// Of the three with one control id, two have rows and the second of them the flag.
fn flags(rows: &[MessageRow]) {
    let applied: Vec<_> = rows.iter().filter(|row| row.state == MessageState::Routed).collect();
    let flags: Vec<u32> = applied.iter().map(|row| row.flags).collect();
    assert_eq!(flags, [0, 1], "the reused control id is flagged, the repetition has no row");
    let junk = rows.iter().filter(|row| row.reason.as_deref() == Some("junk")).count();
    assert_eq!(junk, 1, "junk is one row a peer and minute");
}
