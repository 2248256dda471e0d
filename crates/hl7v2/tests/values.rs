//! Values: escapes, times, paths, files of messages.

use hl7v2::batch::{BatchSummary, messages};
use hl7v2::path::{Path, PathError};
use hl7v2::timestamp::{Precision, TimestampError};
use hl7v2::{Charset, Delimiters, Message, Offset, Timestamp, escape};

#[test]
fn escapes_are_undone_and_unknown_ones_kept() {
    let delimiters = Delimiters { truncation: Some(b'#'), ..Delimiters::STANDARD };
    for (raw, text, unknown) in [
        (r"\F\\S\\T\\R\\E\\P\", r"|^&~\#", false),
        (r"M\XFC\ller", "M\u{FFFD}ller", false),
        (r"\X41\\XC3BC\\xc3\", "Aü\\xc3\\", true),
        (r"\XC3\\XBC\", "ü", false),
        (r"a\X0D\b\X0D0A\c\X000d\d", "a\rb\r\nc\rd", false),
        (r"\H\bold\N\", "bold", false),
        (r"a\.br\b\.sp2\c\.sp\d\.in+4\e\.ti-2\f\.sk3\g\.fi\\.nf\h\.ce\i", "a\nb\n\nc\ndef   gh\ni", false),
        (r"a\.sp+2\b\.BR\c", "a\n\nb\nc", false),
        (r"\Zx\\C2842\\M1234\", r"\Zx\\C2842\\M1234\", true),
        (r"C:\dir\x", r"C:\dir\x", true),
        (r"\\server\share", r"\\server\share", true),
        (r"C:\dir\T\x", r"C:\dir&x", true),
        (r"half\", r"half\", true),
        (r"\X4\\XGG\\.zz\\.br2\", r"\X4\\XGG\\.zz\\.br2\", true),
        (r"Müller\T\Co", "Müller&Co", false),
    ] {
        let decoded = escape::decode(raw.as_bytes(), &delimiters, Charset::UTF_8);
        assert_eq!((&*decoded.text, decoded.has_unknown_escape), (text, unknown), "{raw}");
    }
    let without = Delimiters { escape: None, ..Delimiters::STANDARD };
    assert_eq!(escape::decode(br"\T\", &without, Charset::UTF_8).text, r"\T\");
    assert_eq!(escape::encode("a|b", &without), "a b");
}

#[test]
fn times_become_fhir_with_the_precision_sent() {
    let site = Offset::from_minutes(-300);
    for (sent, with_site, without, is_lossy) in [
        ("2026", "2026", "2026", (false, false)),
        ("202601", "2026-01", "2026-01", (false, false)),
        ("20260102", "2026-01-02", "2026-01-02", (false, false)),
        ("19700101-0500", "1970-01-01", "1970-01-01", (false, false)),
        ("2026010203", "2026-01-02T03:00:00-05:00", "2026-01-02", (true, true)),
        ("202601020304", "2026-01-02T03:04:00-05:00", "2026-01-02", (false, true)),
        (
            "20260102030405.1200+0530",
            "2026-01-02T03:04:05.1200+05:30",
            "2026-01-02T03:04:05.1200+05:30",
            (false, false),
        ),
        ("20260102030405-0000", "2026-01-02T03:04:05-00:00", "2026-01-02T03:04:05-00:00", (false, false)),
        (" 20240229 ", "2024-02-29", "2024-02-29", (false, false)),
    ] {
        let timestamp: Timestamp = sent.parse().expect("possible");
        let (a, b) = (timestamp.to_fhir_date_time(site), timestamp.to_fhir_date_time(None));
        assert_eq!((&*a.text, &*b.text, (a.is_lossy, b.is_lossy)), (with_site, without, is_lossy), "{sent}");
    }
    let instant = |text: &str| text.parse::<Timestamp>().expect("possible").to_fhir_instant(site);
    assert_eq!(instant("20260102030405").as_deref(), Some("2026-01-02T03:04:05-05:00"));
    assert_eq!(instant("202601020304"), None);
}

#[test]
fn impossible_times_are_refused() {
    use Precision::{Day, Hour, Minute, Month, Second, Year};
    use TimestampError::{Empty, Impossible, ImpossibleOffset, Malformed};
    for (sent, error) in [
        ("", Empty),
        ("  ", Empty),
        ("0000", Impossible(Year)),
        ("00000000", Impossible(Year)),
        ("20261301", Impossible(Month)),
        ("20230229", Impossible(Day)),
        ("19000229", Impossible(Day)),
        ("20260100", Impossible(Day)),
        ("2026010224", Impossible(Hour)),
        ("202601020360", Impossible(Minute)),
        ("20260102030460", Impossible(Second)),
        ("20260102030405+1500", ImpossibleOffset),
        ("20260102030405+0560", ImpossibleOffset),
        ("202", Malformed),
        ("2026010", Malformed),
        ("2026-01-02", Malformed),
        ("20260102.5", Malformed),
        ("20260102030405.", Malformed),
        ("20260102030405+05", Malformed),
        ("2026O102", Malformed),
        ("二〇二六", Malformed),
    ] {
        assert_eq!(sent.parse::<Timestamp>(), Err(error), "{sent}");
    }
}

#[test]
fn header_time_gives_the_offset() {
    let message = Message::read(b"MSH|^~\\&|A|||||20260102030405-0430")
        .map(|m| m.header().offset().map(Offset::minutes_east));
    // MSH-8 holds it here, so MSH-7 gives none.
    assert_eq!(message, Ok(None));
    let message = Message::read(b"MSH|^~\\&|A||||20260102030405-0430")
        .map(|m| m.header().offset().map(Offset::minutes_east));
    assert_eq!(message, Ok(Some(-270)));
}

#[test]
fn paths_lead_to_their_parts() {
    let message = Message::read(b"MSH|^~\\&|A\rOBX|1||a\rOBX|2||b^c&d~e\nstray").expect("readable");
    for (path, text) in [
        ("OBX-3", "a"),
        ("OBX(2)-3~1.2.2", "d"),
        ("OBX(2)-3.2.1", "c"),
        ("OBX(2)-3~2", "e"),
        ("OBX(3)-3", ""),
        ("???-1", "stray"),
    ] {
        assert_eq!(path.parse::<Path>().expect("path").resolve(&message).text(), text, "{path}");
    }
    let shown: Vec<String> = message.leaves().map(|leaf| leaf.path.describe(&message).to_string()).collect();
    assert_eq!(
        shown,
        [
            "MSH-3",
            "OBX-1",
            "OBX-3",
            "OBX(2)-1",
            "OBX(2)-3.1",
            "OBX(2)-3.2.1",
            "OBX(2)-3.2.2",
            "OBX(2)-3~2",
            "???-1"
        ]
    );
    for (path, error) in [
        ("PI", PathError::Segment),
        ("P|D-1", PathError::Segment),
        ("PID", PathError::Field),
        ("PID3", PathError::Field),
        ("PID-", PathError::Number),
        ("PID-0", PathError::Number),
        ("PID(0)-1", PathError::Number),
        ("PID(1-1", PathError::Number),
        ("PID-70000", PathError::Number),
        ("PID-3.1.1.1", PathError::Trailing),
        ("PID-3x", PathError::Trailing),
        ("Äa-3", PathError::Segment),
    ] {
        assert_eq!(path.parse::<Path>(), Err(error), "{path}");
    }
}

#[test]
fn files_are_split_into_their_messages() {
    let a = "MSH|^~\\&|A\rPID|1\r";
    let b = "MSH|^~\\&|B\r\nNTE|1||text\r\nmore text\r\n";
    for (file, count) in [
        (a.to_owned(), 1),
        (format!("{a}{b}"), 2),
        (format!("\u{FEFF}{a}\n\n{b}"), 2),
        (format!("FHS|^~\\&|X\rBHS|^~\\&|X\r{a}{b}BTS|2\rFTS|1\r"), 2),
        (format!("\x0B{a}\x1C\r\x0B{b}\x1C\r"), 2),
        (format!("\x0B{a}\x1C\x0B{b}\x1C"), 2),
        (format!("\x0BMSH|^~\\&|A\rPID|1||12\x0B{b}\x1C\r"), 2),
        ("no message\r".to_owned(), 0),
        (String::new(), 0),
    ] {
        let found: Vec<&[u8]> = messages(file.as_bytes()).collect();
        assert_eq!(found.len(), count, "{}", file.escape_debug());
        assert!(found.iter().all(|message| message.starts_with(b"MSH")
            && !message.contains(&0x1C)
            && !message.contains(&0x0B)));
    }
    let inside = "MSH|^~\\&|A\rOBX|1||x\x1Cy\r";
    assert_eq!(messages(inside.as_bytes()).collect::<Vec<_>>(), [inside.as_bytes()]);
}

#[test]
fn trailers_are_compared_with_what_is_there() {
    let a = "MSH|^~\\&|A\rPID|1\r";
    let whole = BatchSummary::of(format!("FHS|^~\\&\rBHS|^~\\&\r{a}{a}BTS|2\rFTS|1\r").as_bytes());
    assert_eq!((whole.messages, whole.declared_messages, whole.is_consistent()), (2, Some(2), true));
    let short = BatchSummary::of(format!("BHS|^~\\&\r{a}BTS|2\r").as_bytes());
    assert!(!short.is_consistent());
    let open = BatchSummary::of(format!("FHS|^~\\&\r{a}").as_bytes());
    assert!(!open.is_consistent());
    let stray = BatchSummary::of(format!("text\r{a}").as_bytes());
    assert_eq!((stray.strays, stray.is_consistent()), (1, false));
}
