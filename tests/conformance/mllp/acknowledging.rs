//! What an acknowledgment says, and when none is due.

use super::hold::hold;
use super::row::{Answer, Channel, Elsewhere, Group, Kept, Message, Row, framed};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'A',
    channels: &[
        Channel { name: "applied", options: &["acknowledge: applied"] },
        Channel { name: "hurried", options: &["acknowledge: applied", "applied_seconds_max: 0"] },
        Channel { name: "strict", options: &["unknown_types: reject", "processing_ids: [P]"] },
        Channel {
            name: "bound",
            options: &[
                "senders:",
                "  - {application: HARBOR_EMR, facility: HARBOR, from: [127.9.0.0/16]}",
                "  - {application: ELSEWHERE, facility: HARBOR, from: [10.0.0.0/8]}",
            ],
        },
    ],
    rows,
    elsewhere: &[
        Elsewhere {
            id: "A8",
            what: "every pair of MSH-15 and MSH-16 with every outcome",
            file: "crates/hl7v2/tests/acknowledging.rs",
            function: "what_is_owed_is_one_table",
        },
        Elsewhere {
            id: "A13",
            what: "every state and reason with its code of table 0357",
            file: "crates/sources/src/outcome.rs",
            function: "every_state_and_reason_has_its_code",
        },
        Elsewhere {
            id: "A12",
            what: "a message that was filtered gets AA",
            file: "crates/sources/src/outcome.rs",
            function: "every_state_and_reason_has_its_code",
        },
    ],
    pending: &[],
};

/// MSH-11 and MSH-12 of a message.
const VERSION: &str = "|P|2.5.1|";

fn rows() -> Vec<Row> {
    let mut rows = control_ids();
    rows.extend(headers());
    rows.extend(versions());
    rows.extend(enhanced());
    rows.extend(applied());
    rows.extend(refused());
    rows
}

/// A message that asks for acknowledgments.
fn asking(id: &str, accept: &str, application: &str) -> Message {
    Message::new(id).with("|P|2.5.1||||", format!("|P|2.5.1|||{accept}|{application}"))
}

/// A message of a type that nothing maps.
fn unknown(message: Message) -> Message {
    message.with("ADT^A01^ADT_A01", "ZZZ^Z99")
}

/// Accepted, with this acknowledgment kept, and routed.
fn routed(message: &Message, code: Option<&'static str>) -> Kept {
    Kept { code, ..Kept::routed(message) }
}

fn control_ids() -> Vec<Row> {
    let ids: [(&str, &[u8]); 5] = [
        ("spaces", b"  a1 b "),
        ("components", b"a1^b&c"),
        ("escapes", b"a1\\T\\\\X0D\\"),
        ("a repetition", b"a1~b"),
        ("high bytes", "a1-\u{fc}\u{6771}".as_bytes()),
    ];
    let mut rows: Vec<Row> = ids
        .into_iter()
        .map(|(what, id)| {
            let message = Message::new("A1-HERE").with("A1-HERE", id);
            Row::new("A1", what)
                .bytes(message.framed())
                .answered(Answer::new("AA", id, None).holding([b"MSA|AA|", id, b"\r"].concat()))
                .keeps(Kept::routed(&message))
        })
        .collect();
    for (what, id) in [("missing", ""), ("blank", "   "), ("null", "\"\"")] {
        let message = Message::new("A2-HERE").with("A2-HERE", id);
        rows.push(
            Row::new("A2", what)
                .bytes(message.framed())
                .answered(Answer::new("AR", id, Some("101")).holding("MSH^1^10"))
                .keeps(Kept::held(&message.er7, Some("AR"), "header")),
        );
    }
    rows
}

/// The header of an acknowledgment.
fn headers() -> Vec<Row> {
    let swapped = Message::new("A3")
        .with("HARBOR_EMR|HARBOR|TIDEGATE|ONPREM", "APP^1.2.3^ISO|FAC^4.5^ISO|RAPP^6.7^ISO|RFAC^8.9^ISO");
    let latin = Message::new("A5").with("UNICODE UTF-8", "8859/1").with("|P|", "|T|");
    let custom = Message::new("A5S").separated(b"#*+!@");
    let acknowledgment = |id: &str, kind: &str| {
        let text = format!(
            "MSH|^~\\&|EMR|HARBOR|TIDEGATE|ONPREM|20260102||{kind}|{id}|P|2.5.1|||AL|AL\rMSA|AA|X1\r"
        );
        Message { number: String::new(), control_id: id.to_owned(), er7: text.into_bytes() }
    };
    let (ack, delayed) = (acknowledgment("A7", "ACK^A01^ACK"), acknowledgment("A7M", "MCF"));
    let own = Message::new("A4");
    let no_echo = asking("A7C", "AL", "NE");
    vec![
        Row::new("A3", "sender and receiver change places whole")
            .bytes(swapped.framed())
            .answered(
                Answer::accept(&swapped)
                    .holding("MSH|^~\\&|RAPP^6.7^ISO|RFAC^8.9^ISO|APP^1.2.3^ISO|FAC^4.5^ISO|"),
            )
            .keeps(Kept::routed(&swapped)),
        Row::new("A4", "an id of its own")
            .bytes(own.framed())
            .answered(Answer::accept(&own).holding("|ACK^A01^ACK|").lacking("|ACK^A01^ACK|A4|"))
            .keeps(Kept::routed(&own)),
        Row::new("A5", "processing id, version and character set come back")
            .bytes(latin.framed())
            .answered(Answer::accept(&latin).holding("|T|2.5.1||||||8859/1\r"))
            .keeps(Kept::routed(&latin)),
        Row::new("A5", "delimiters come back")
            .bytes(custom.framed())
            .answered(Answer::new("AA", "A5S", None).holding("MSH#*+!@#").lacking("|"))
            .keeps(Kept::routed(&custom)),
        Row::new("A7", "an acknowledgment is kept and not answered")
            .bytes([ack.framed(), delayed.framed()].concat())
            .keeps(Kept::held(&ack.er7, None, "acknowledgment"))
            .keeps(Kept::held(&delayed.er7, None, "acknowledgment")),
        Row::new("A7", "MSH-15 and MSH-16 do not come back")
            .bytes(no_echo.framed())
            .answered(Answer::new("CA", "A7C", None).lacking("|AL|"))
            .keeps(routed(&no_echo, Some("CA"))),
    ]
}

/// MSH-9, MSA and ERR in the form of the sender's version.
fn versions() -> Vec<Row> {
    const EARLY: &str = "ERR|MSH^1^11^202&Unsupported processing id&HL70357\r";
    const LATE: &str =
        "ERR||MSH^1^11^1|202^Unsupported processing id^HL70357|E||||processing id not accepted\r";
    let forms = [
        ("2.1", "ACK", true, EARLY),
        ("2.2", "ACK", true, EARLY),
        ("2.3", "ACK^A01", true, EARLY),
        ("2.3.1", "ACK^A01", true, EARLY),
        ("2.4", "ACK^A01^ACK", true, EARLY),
        ("2.5", "ACK^A01^ACK", true, LATE),
        ("2.5.1", "ACK^A01^ACK", true, LATE),
        ("2.6", "ACK^A01^ACK", true, LATE),
        ("2.7", "ACK^A01^ACK", false, LATE),
        ("2.7.1", "ACK^A01^ACK", false, LATE),
        ("2.8", "ACK^A01^ACK", false, LATE),
        ("2.8.2", "ACK^A01^ACK", false, LATE),
        ("2.9", "ACK^A01^ACK", false, LATE),
    ];
    let mut rows = Vec::new();
    for (version, kind, has_text, err) in forms {
        let id = format!("A6-{version}");
        let taken = Message::new(&id).with(VERSION, format!("|P|{version}|"));
        rows.push(
            Row::new("A6", version)
                .bytes(taken.framed())
                .answered(Answer::accept(&taken).holding(format!("|{kind}|")))
                .keeps(Kept::routed(&taken)),
        );
        let id = format!("A9-{version}");
        let refused = Message::new(&id).with(VERSION, format!("|X|{version}|"));
        let text = if has_text { "|processing id not accepted" } else { "" };
        let msa = format!("MSA|AR|{id}{text}\r");
        rows.push(
            Row::new("A9", version)
                .bytes(refused.framed())
                .answered(Answer::new("AR", &id, Some("202")).holding(msa).holding(err))
                .keeps(Kept::held(&refused.er7, Some("AR"), "header")),
        );
    }
    let future = Message::new("A5V").with(VERSION, "|P|3.0|");
    rows.push(
        Row::new("A5", "a version that is none")
            .bytes(future.framed())
            .answered(Answer::new("AR", "A5V", Some("203")).holding("|P|3.0"))
            .keeps(Kept::held(&future.er7, Some("AR"), "header")),
    );
    rows
}

/// MSH-15, MSH-16, and MSA-1 and ERR-3 of each acknowledgment that comes.
type Asked = (&'static str, &'static str, &'static [(&'static str, Option<&'static str>)]);

/// MSH-15 and MSH-16, each with its acknowledgment in its time.
fn enhanced() -> Vec<Row> {
    let mut rows = enhanced_applied();
    rows.extend(enhanced_not_applied());
    rows.extend(enhanced_refused());
    rows
}

fn enhanced_applied() -> Vec<Row> {
    let pairs: [(&str, &str, &str, &[&str]); 12] = [
        ("AL", "AL", "CA", &["CA", "AA"]),
        ("AL", "NE", "CA", &["CA"]),
        ("AL", "", "CA", &["CA"]),
        ("AL", "ER", "CA", &["CA"]),
        ("AL", "SU", "CA", &["CA", "AA"]),
        ("NE", "AL", "CA", &["AA"]),
        ("", "AL", "CA", &["AA"]),
        ("NE", "NE", "CA", &[]),
        ("ER", "ER", "CA", &[]),
        ("SU", "SU", "CA", &["CA", "AA"]),
        ("SU", "NE", "CA", &["CA"]),
        ("XX", "YY", "AA", &["AA"]),
    ];
    let mut rows = Vec::new();
    for (accept, application, kept, given) in pairs {
        let message = asking(&format!("A8-{accept}-{application}"), accept, application);
        let mut row = Row::new("A8", "accepted and applied").bytes(message.framed());
        for code in given.iter().copied() {
            row = row.answered(Answer::new(code, &message.control_id, None));
        }
        rows.push(row.keeps(routed(&message, Some(kept))));
    }
    rows
}

fn enhanced_not_applied() -> Vec<Row> {
    let mut rows = Vec::new();
    let failing: [Asked; 4] = [
        ("AL", "AL", &[("CA", None), ("AE", Some("200"))]),
        ("ER", "ER", &[("AE", Some("200"))]),
        ("SU", "SU", &[("CA", None)]),
        ("NE", "NE", &[]),
    ];
    for (accept, application, given) in failing {
        let message = unknown(asking(&format!("A8F-{accept}-{application}"), accept, application));
        let mut row = Row::new("A8", "accepted and not applied").bytes(message.framed());
        for (code, error) in given.iter().copied() {
            row = row.answered(Answer::new(code, &message.control_id, error));
        }
        rows.push(row.keeps(Kept::held(&message.er7, Some("CA"), "unsupported-type")));
    }
    rows
}

fn enhanced_refused() -> Vec<Row> {
    let mut rows = Vec::new();
    let refused: [(&str, &str, &str, Option<&str>); 6] = [
        ("AL", "AL", "CR", Some("CR")),
        ("NE", "AL", "AR", Some("AR")),
        ("ER", "NE", "CR", Some("CR")),
        ("SU", "ER", "AR", Some("AR")),
        ("SU", "NE", "CR", None),
        ("NE", "NE", "CR", None),
    ];
    for (accept, application, kept, given) in refused {
        let id = format!("A8R-{accept}-{application}");
        let message = asking(&id, accept, application).with("|P|2.5.1|", "|P|3.0|");
        let mut row = Row::new("A8", "refused").bytes(message.framed());
        if let Some(code) = given {
            row = row.answered(Answer::new(code, &id, Some("203")));
        }
        rows.push(row.keeps(Kept::held(&message.er7, Some(kept), "header")));
    }
    rows
}

/// Original mode that waits for the application.
fn applied() -> Vec<Row> {
    let (taken, held, missing) =
        (Message::new("A8-APPLIED"), unknown(Message::new("A13-TYPE")), Message::new("A10"));
    let event = Message::new("A13-EVENT").with("ADT^A01^ADT_A01", "ADT^A99");
    let text = String::from_utf8_lossy(&missing.er7).into_owned();
    let number = text.split("PID|1||").nth(1).and_then(|pid| pid.split('|').next()).expect("a PID-3");
    let missing = missing.with(&format!("PID|1||{number}|"), "PID|1|||");
    let hurried = Message::new("A13-LATE");
    vec![
        Row::new("A8", "`applied` answers AA once it was applied")
            .on("applied")
            .bytes(taken.framed())
            .end()
            .answered(Answer::accept(&taken))
            .keeps(routed(&taken, None)),
        Row::new("A13", "`applied` answers AE 200 for an unknown type")
            .on("applied")
            .bytes(held.framed())
            .end()
            .answered(Answer::new("AE", "A13-TYPE", Some("200")).holding("quarantined: unsupported-type"))
            .keeps(Kept::held(&held.er7, None, "unsupported-type")),
        Row::new("A13", "`applied` answers AE 201 for an unknown event")
            .on("applied")
            .bytes(event.framed())
            .end()
            .answered(Answer::new("AE", "A13-EVENT", Some("201")))
            .keeps(Kept::held(&event.er7, None, "unsupported-type")),
        Row::new("A10", "what is missing is told by its place, and nothing of the patient")
            .on("applied")
            .bytes(missing.framed())
            .end()
            .answered(Answer::new("AE", "A10", Some("101")).holding("|PID^1^3^1|").lacking("Quillfeather"))
            .keeps(Kept::held(&missing.er7, None, "missing:PID-3")),
        Row::new("A13", "`applied` says 207 when it takes too long")
            .on("hurried")
            .bytes(hurried.framed())
            .end()
            .answered(Answer::new("AE", "A13-LATE", Some("207")).holding("stored, not applied yet"))
            .keeps(routed(&hurried, None)),
    ]
}

/// What a channel refuses.
fn refused() -> Vec<Row> {
    let (kind, event, training) = (
        unknown(Message::new("A13-200")),
        Message::new("A13-201").with("ADT^A01^ADT_A01", "ADT^A99"),
        Message::new("A13-202").with("|P|", "|T|"),
    );
    let held = unknown(Message::new("A13-HELD"));
    let (bound, stranger, elsewhere) = (
        Message::new("A13-BOUND"),
        Message::new("A13-STRANGER").with("HARBOR_EMR|HARBOR", "UNKNOWN|HARBOR"),
        Message::new("A13-ELSEWHERE").with("HARBOR_EMR|HARBOR", "ELSEWHERE|HARBOR"),
    );
    let reject = |what, channel, message: &Message, code, reason| {
        Row::new("A13", what)
            .on(channel)
            .bytes(message.framed())
            .answered(Answer::new("AR", &message.control_id, Some(code)))
            .keeps(Kept::held(&message.er7, Some("AR"), reason))
    };
    vec![
        Row::new("A11", "bytes without a header, in a frame")
            .bytes(framed(b"PID|1||nothing"))
            .answered(Answer::new("AR", "", Some("100")).holding("MSA|AR|"))
            .keeps(Kept::held(b"PID|1||nothing", Some("AR"), "no-header")),
        Row::new("A13", "an unknown type is accepted and set aside unless told otherwise")
            .bytes(held.framed())
            .answered(Answer::accept(&held))
            .keeps(Kept::held(&held.er7, Some("AA"), "unsupported-type")),
        reject("an unknown type", "strict", &kind, "200", "unsupported-type"),
        reject("an unknown event", "strict", &event, "201", "unsupported-type"),
        reject("a processing id that is not accepted", "strict", &training, "202", "header"),
        Row::new("A13", "a sender from where it is bound to")
            .on("bound")
            .bytes(bound.framed())
            .accepted(&bound),
        reject("a sender that nobody knows", "bound", &stranger, "204", "sender"),
        reject("a sender from elsewhere", "bound", &elsewhere, "204", "sender"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
