//! The sending side: what an answer of a partner means. Each row has a partner of its own, to which one node forwards
//! what the row's sender sends.

use std::sync::Arc;
use std::time::Duration;

use harness::{Person, binary, eventually};
use store::DeliveryState;

use super::forwarding::{Case, End, Outward, adt, delivered, hold_all, of_person};
use super::partner::{Do, Got, Script, ack, answer, newest, times};
use super::row::{Elsewhere, Group, Message, Row, framed, person};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'O',
    channels: &[],
    rows,
    elsewhere: &[
        case("O1", "an acknowledgment in two pieces"),
        case("O2", "a late acknowledgment of another message"),
        case("O3", "an acknowledgment of nothing that was sent"),
        case("O4", "refusals, unknown codes, no MSA"),
        case("O5", "codes of table 0357"),
        case("O6", "a partner that takes one connection"),
        case("O7", "a whole answer instead of an acknowledgment"),
        case("O8", "a commit, then the application's outcome"),
        case("O9", "the least time between two messages"),
    ],
    pending: &[],
};

pub const fn case(id: &'static str, what: &'static str) -> Elsewhere {
    let file = "tests/conformance/mllp/outbound.rs";
    Elsewhere { id, what, file, function: "every_partner_is_understood" }
}

fn rows() -> Vec<Row> {
    Vec::new()
}

/// What cannot be sent yet waits long enough that others come first.
const PATIENT: &[&str] = &["reply_timeout_ms: 1500", "backoff_first_ms: 4000"];
const QUICK: &[&str] = &["backoff_first_ms: 50", "backoff_max_ms: 200"];
const TWO_TRIES: &[&str] = &["backoff_first_ms: 50", "unknown_attempts_max: 2"];

fn script(does: impl Fn(&[Got]) -> Vec<Do> + Send + Sync + 'static) -> Script {
    Arc::new(does)
}

/// Says these codes one after the other, then AA.
fn says(codes: &'static [(&'static str, &'static str)]) -> Script {
    script(move |frames| {
        let (code, error) = codes.get(frames.len() - 1).copied().unwrap_or(("AA", ""));
        answer(frames, code, error)
    })
}

fn dead(error: &'static str, ack: Option<&'static str>, code: Option<&'static str>, attempts: u32) -> End {
    End { state: DeliveryState::Dead, error: Some(error), ack, code, attempts }
}

fn cases() -> Vec<Case> {
    [waiting(), refusing(), table_0357(), transport(), enhanced(), order(), bytes()]
        .into_iter()
        .flatten()
        .collect()
}

/// O1, O2, O3, O7: to which message an answer belongs.
fn waiting() -> Vec<Case> {
    let split = script(|frames| {
        let whole = ack("AA", "", &newest(frames));
        let (one, two) = whole.split_at(60);
        vec![Do::Write(one.to_vec()), Do::Pause(Duration::from_millis(150)), Do::Write(two.to_vec())]
    });
    // The first message is not answered until the second is there; then its answer comes first.
    let late = script(|frames| match (newest(frames).as_slice(), times(frames)) {
        (b"O2-1", 1) => Vec::new(),
        (b"O2-2", _) => {
            vec![Do::Write(ack("AE", "101", b"O2-1")), Do::Write(ack("AA", "", b"O2-2"))]
        }
        _ => answer(frames, "AA", ""),
    });
    let stranger = script(|frames| match frames.len() {
        1 => ["O3-", "O3-12", "o3-1", " O3-1"]
            .map(|other| Do::Write(ack("AA", "", other.as_bytes())))
            .into_iter()
            .collect(),
        _ => answer(frames, "AA", ""),
    });
    let whole = script(|frames| {
        let id = String::from_utf8(newest(frames)).expect("ASCII");
        let er7 = format!("MSH|^~\\&|P|H|T|O|2019||ORR^O02|1|P|2.5.1\rMSA|AA|{id}\rPID|1||9\rORC|OK|1\r");
        vec![Do::Write(framed(er7.as_bytes()))]
    });
    let retried = End { attempts: 2, ..delivered("AA") };
    vec![
        Case::new("O1", split).sends(adt("O1-1")).ends(delivered("AA")),
        Case::new("O2", late)
            .options(PATIENT)
            .sends(adt("O2-1"))
            .sends(adt("O2-2"))
            .ends(retried)
            .ends(delivered("AA"))
            .gets(&["O2-1", "O2-2", "O2-1"]),
        Case::new("O3", stranger)
            .options(&["reply_timeout_ms: 700", "backoff_first_ms: 50"])
            .sends(adt("O3-1"))
            .ends(retried)
            .gets(&["O3-1", "O3-1"]),
        Case::new("O7", whole).sends(adt("O7-1")).ends(delivered("AA")),
    ]
}

/// O4: what is no accept, and what cannot be told.
fn refusing() -> Vec<Case> {
    let mut cases = Vec::new();
    for code in ["AE", "AR", "CE", "CR", "AAX", "aa"] {
        let same = script(move |frames| answer(frames, code, ""));
        cases.push(Case::new("O4", same).options(TWO_TRIES).sends(adt(&format!("O4-{code}"))).ends(dead(
            "unknown-answer",
            Some(code),
            None,
            2,
        )));
    }
    let no_msa = script(|_| vec![Do::Write(framed(b"MSH|^~\\&|P|H|T|O|2019||ACK|1|P|2.5.1\r"))]);
    let junk = script(|_| vec![Do::Write(framed(b"thank you"))]);
    for (id, partner) in [("O4-NOMSA", no_msa), ("O4-JUNK", junk)] {
        let unreadable = dead("unreadable-answer", None, None, 2);
        cases.push(Case::new("O4", partner).options(TWO_TRIES).sends(adt(id)).ends(unreadable));
    }
    let locked = script(|frames| match frames.len() {
        1 => {
            let id = String::from_utf8(newest(frames)).expect("ASCII");
            let er7 =
                format!("MSH|^~\\&|P|H|T|O|2019||ACK|1|P|2.5.1\rMSA|AE|{id}|chart of Quill is LOCKED\r");
            vec![Do::Write(framed(er7.as_bytes()))]
        }
        _ => answer(frames, "AA", ""),
    });
    let rule = "{codes: [AE], text: is locked, then: transient}";
    let retried = End { attempts: 2, ..delivered("AA") };
    cases.push(Case::new("O4", locked).options(TWO_TRIES).rule(rule).sends(adt("O4-RULE")).ends(retried));
    cases
}

/// O5: ERR-3 says whether the same bytes may be taken later.
fn table_0357() -> Vec<Case> {
    let retried = End { attempts: 2, ..delivered("AA") };
    let mut cases = vec![
        Case::new("O5", says(&[("AE", "206")])).options(QUICK).sends(adt("O5-206")).ends(retried),
        Case::new("O5", says(&[("AR", "207")])).options(QUICK).sends(adt("O5-207")).ends(retried),
    ];
    let old = script(|frames| {
        let id = String::from_utf8(newest(frames)).expect("ASCII");
        let er7 =
            format!("MSH|^~\\&|P|H|T|O|2019||ACK|1|P|2.3\rMSA|AE|{id}\rERR|PID^1^3^101&missing&HL70357\r");
        vec![Do::Write(framed(er7.as_bytes()))]
    });
    cases.push(Case::new("O5", old).sends(adt("O5-OLD")).ends(dead("refused", Some("AE"), Some("101"), 1)));
    for error in ["101", "102", "103", "200", "201", "202", "203"] {
        let refuses = script(move |frames| answer(frames, "AR", error));
        let end = dead("refused", Some("AR"), Some(error), 1);
        cases.push(Case::new("O5", refuses).sends(adt(&format!("O5-{error}"))).ends(end));
    }
    cases
}

/// O6, O9: how messages go out.
fn transport() -> Vec<Case> {
    let accepts = || says(&[]);
    let three = |case: Case, id: &str| {
        (1..=3).fold(case, |case, number| case.sends(adt(&format!("{id}-{number}"))).ends(delivered("AA")))
    };
    vec![
        three(Case::new("O6", accepts()), "O6").seen(|seen| {
            let found = (seen.connections, seen.at_once);
            if found == (1, 1) { Ok(()) } else { Err(format!("connections, at once: {found:?}")) }
        }),
        three(Case::new("O9", accepts()).options(&["gap_ms: 400"]), "O9").seen(|seen| {
            let gaps: Vec<_> = seen.frames.windows(2).map(|two| two[1].at - two[0].at).collect();
            // The node measures from start to start; the partner sees the ends of both.
            let is_kept = gaps.iter().all(|gap| *gap >= Duration::from_millis(300));
            if is_kept { Ok(()) } else { Err(format!("gaps of {gaps:?}")) }
        }),
    ]
}

/// O8: CA settles resending, the application's answer the outcome, each with its own time.
fn enhanced() -> Vec<Case> {
    // The outcome of the first comes when the second is on its way, before the second's commit.
    let outcome_later = script(|frames| match newest(frames).as_slice() {
        b"O8-1" => answer(frames, "CA", ""),
        _ => vec![
            Do::Write(ack("AA", "", b"O8-1")),
            Do::Write(ack("CA", "", &newest(frames))),
            Do::Write(ack("AA", "", &newest(frames))),
        ],
    });
    let commits = script(|frames| answer(frames, "CA", ""));
    let refuses_later = script(|frames| {
        vec![Do::Write(ack("CA", "", &newest(frames))), Do::Write(ack("AE", "207", &newest(frames)))]
    });
    let asked = |id: &str, conditions: &str| {
        let er7 = of_person(id, None);
        // MSH-12, then MSH-15 and MSH-16.
        String::from_utf8(er7).expect("ASCII").replacen(
            "|P|2.5.1||||||",
            &format!("|P|2.5.1|||{conditions}||"),
            1,
        )
    };
    let noted = |error| End { error: Some(error), ..delivered("CA") };
    let silent = script(|_| Vec::new());
    vec![
        Case::new("O8", outcome_later)
            .sends(asked("O8-1", "AL|AL"))
            .sends(asked("O8-2", "AL|AL"))
            .ends(delivered("AA"))
            .ends(delivered("AA"))
            .gets(&["O8-1", "O8-2"]),
        Case::new("O8", commits)
            .options(&["application_timeout_ms: 300"])
            .sends(asked("O8-3", "AL|AL"))
            .ends(noted("no-application-acknowledgment"))
            .gets(&["O8-3"]),
        Case::new("O8", refuses_later)
            .sends(asked("O8-4", "AL|AL"))
            .ends(dead("application-refused", Some("AE"), Some("207"), 1))
            .gets(&["O8-4"]),
        Case::new("O8", says(&[("CA", "")])).sends(asked("O8-5", "AL|NE")).ends(delivered("CA")),
        Case::new("O8", silent)
            .sends(asked("O8-6", "NE|NE"))
            .ends(End { ack: None, error: Some("no-acknowledgment-asked"), ..delivered("") })
            .gets(&["O8-6"]),
    ]
}

/// D5, D6: what waits holds back its patients, a merge both of them, and nothing for ever.
fn order() -> Vec<Case> {
    let people: Vec<_> = (0..3).map(|_| person()).collect();
    let merge = people[1].a40(&people[0].number, "D5-3");
    let locked_twice = script(|frames| match newest(frames).as_slice() {
        b"D5-1" if times(frames) < 3 => answer(frames, "AE", "206"),
        _ => answer(frames, "AA", ""),
    });
    let after_three = End { attempts: 3, ..delivered("AA") };
    let order = Case::new("D5", locked_twice)
        .options(&["backoff_first_ms: 800", "backoff_max_ms: 800"])
        .sends(of_person("D5-1", Some(&people[0])))
        .sends(of_person("D5-2", Some(&people[2])))
        .sends(merge)
        .sends(people[0].a08("D5-4", &[]))
        .sends(people[1].a08("D5-5", &[]))
        .ends(after_three)
        .ends(delivered("AA"))
        .ends(delivered("AA"))
        .ends(delivered("AA"))
        .ends(delivered("AA"))
        .gets(&["D5-1", "D5-2", "D5-1", "D5-1", "D5-3", "D5-4", "D5-5"]);
    let poisoned = person();
    let drops = script(|frames| match newest(frames).as_slice() {
        b"D6-1" => vec![Do::Close],
        _ => answer(frames, "AA", ""),
    });
    let poison = Case::new("D6", drops)
        .options(&["attempts_max: 3", "give_up_after_s: 0", "backoff_first_ms: 50"])
        .sends(of_person("D6-1", Some(&poisoned)))
        .sends(poisoned.a08("D6-2", &[]))
        .ends(dead("connection-lost", None, None, 3))
        .ends(delivered("AA"))
        .gets(&["D6-1", "D6-1", "D6-1", "D6-2"]);
    vec![order, poison]
}

/// P17, F20: bytes go on as they came, or not at all.
fn bytes() -> Vec<Case> {
    let odd = |id: &str, from: &str, to: &[u8]| Message::new(id).with(from, to).er7;
    let lines = String::from_utf8(adt("P17-1")).expect("ASCII").replace('\r', "\r\n");
    let no_end = String::from_utf8(adt("P17-2")).expect("ASCII").trim_end().to_owned();
    let accepts = says(&[]);
    let same = [
        lines.into_bytes(),
        no_end.into_bytes(),
        odd("P17-3", "AL1|1|", b"ZZZ|\\X0D\\~a^b&c||\rAL1|1|"),
        odd("P17-4", "Hives", b"Hives\\.br\\ and \\E\\ \\T\\   "),
        Message::new("P17-5").with("UNICODE UTF-8", "8859/1").with("Quill", b"Qu\xefll").er7,
        odd("P17-6", "^ADT_A01", b"^ADT_Z99"),
    ];
    let untouched = same
        .into_iter()
        .fold(Case::new("P17", accepts.clone()), |case, er7| case.sends(er7).ends(delivered("AA")));
    let ids = ["P17-1", "P17-2", "P17-3", "P17-4", "P17-5", "P17-6"];
    let framing = person();
    let whole = of_person("F20-1", Some(&framing));
    let at = whole.len() - 2;
    let broken = [&whole[..at], b"\x1c", &whole[at..]].concat();
    let never = End { attempts: 0, ..dead("not-encodable", None, None, 0) };
    let refused = Case::new("F20", accepts)
        .sends(broken)
        .sends(framing.a08("F20-2", &[]))
        .ends(never)
        .ends(delivered("AA"))
        .gets(&["F20-2"]);
    vec![untouched.gets(&ids), refused]
}

/// A node that is killed between sending and settling sends the same bytes again, and what is behind them afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_sends_again_in_order() {
    let mute_at_first = script(|frames| match frames.len() {
        1 => Vec::new(),
        _ => answer(frames, "AA", ""),
    });
    let patients = [person(), person()];
    let two = |case: Case, id: &str, of: &Person| {
        case.sends(of_person(&format!("{id}-1"), Some(of))).sends(of.a08(&format!("{id}-2"), &[]))
    };
    let cases = vec![
        two(Case::new("D5", mute_at_first), "KILL", &patients[0]),
        two(Case::new("D5", says(&[])), "DEAD", &patients[1]),
    ];
    let mut outward = Outward::start("killed", cases).await;
    let writer = outward.send_all().await;
    eventually("the first message at both partners", || async {
        let got: Vec<_> =
            outward.partners.iter().map(|partner| partner.look(|seen| seen.frames.len())).collect();
        if got.iter().all(|got| *got > 0) { Ok(()) } else { Err(format!("{got:?}")) }
    })
    .await;
    outward.site.kill();
    drop(writer);
    outward.site.run().await;
    // Of what was sent and not acknowledged nothing is known; the sender sends it again.
    let writer = outward.send_all().await;
    for (number, expected) in [&["KILL-1", "KILL-1", "KILL-2"][..], &["DEAD-1", "DEAD-2"]].iter().enumerate()
    {
        let rows = eventually("what is settled", || async {
            let rows = outward.forwards(&format!("to-{number}")).await?;
            let is_done = rows.len() == 2 && rows.iter().all(|row| row.state == DeliveryState::Delivered);
            if is_done { Ok(rows) } else { Err(format!("{rows:?}")) }
        })
        .await;
        assert_eq!(rows.len(), 2);
        let partner = &outward.partners[number];
        let mut got = partner.control_ids();
        if number == 1 {
            // Whether its acknowledgment was settled before the end, nobody knows.
            got.dedup();
        }
        assert_eq!(got, *expected);
        let first = partner.look(|seen| seen.frames[0].bytes.clone());
        let again = partner.look(|seen| {
            seen.frames
                .iter()
                .filter(|frame| frame.control_id() == seen.frames[0].control_id())
                .all(|frame| frame.bytes == first)
        });
        assert!(again, "other bytes under the same control id");
    }
    drop(writer);
    outward.site.stop();
}

/// A stored window goes to one destination once more, in its order, and to no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_is_sent_again_to_one_destination() {
    let again = ["D7-1", "D7-2", "D7-3"];
    let three = again.into_iter().fold(Case::new("D7", says(&[])), |case, id| case.sends(adt(id)));
    let other = Case::new("D7", says(&[])).sends(adt("D7-OTHER"));
    let mut outward = Outward::start("window", vec![three, other]).await;
    let writer = outward.send_all().await;
    let counts = |outward: &Outward| -> Vec<usize> {
        outward.partners.iter().map(|partner| partner.look(|seen| seen.frames.len())).collect()
    };
    let counted = async |outward: &Outward, expected: [usize; 2]| {
        eventually("frames at both partners", || async {
            let found = counts(outward);
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    };
    counted(&outward, [3, 1]).await;
    let ran = replayed(&outward, "to-0").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "to-0 3 1\n"), "{}", ran.stderr);
    counted(&outward, [6, 1]).await;
    assert_eq!(outward.partners[0].control_ids(), [again, again].concat());
    let nowhere = replayed(&outward, "cloud").await;
    assert!(nowhere.code != 0 && nowhere.stderr.contains("lets no message go"), "{}", nowhere.stderr);
    drop(writer);
    outward.site.stop();
}

async fn replayed(outward: &Outward, to: &str) -> binary::Ran {
    let pair = &outward.site.pair;
    let (node, token) = (format!("http://{}", pair.addresses.http), pair.folder.join("admin.token"));
    std::fs::write(&token, &pair.shown.admin_token).expect("a token can be written");
    let token = token.display().to_string();
    let all = ["replay", "--where", "since:1h", "--to", to, "--yes", "--node", &node, "--token-file", &token];
    let all = all.map(str::to_owned);
    tokio::task::spawn_blocking(move || binary::tidegate(&all)).await.expect("does not panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_partner_is_understood() {
    let outward = Outward::start("outbound", cases()).await;
    hold_all(outward).await;
}
