//! HL7 v2: no byte is lost, what is shown is read again, and what is answered can be read by the other side.

use hl7v2::acknowledgment::{AckCode, Acknowledgment, Reply, acknowledge, check_header};
use hl7v2::{Charset, Delimiters, Message, Peek, Timestamp, batch, continuation, escape};

use super::{Target, Verdict, holds, texts};

const SYNTAX: &[&[u8]] = &[
    b"MSH|^~\\&|",
    b"\r",
    b"\n",
    b"\r\n",
    b"|",
    b"^",
    b"~",
    b"&",
    b"\\",
    b"\"\"",
    b"\\X41\\",
    b"\\T\\",
    b"\\.br\\",
    b"PID|1||",
    b"OBX|1|",
    b"NTE|",
    b"DSC|7|F",
    b"ADD|",
    b"BHS|^~\\&|",
    b"BTS|2",
    b"FHS|^~\\&|",
    b"FTS|1",
    b"\xEF\xBB\xBF",
    b"\x1B$B",
    b"\x81",
    b"UNICODE UTF-8",
    b"8859/1",
];

/// A message, by every way of looking at it.
pub const MESSAGE: Target = Target {
    name: "message",
    covers: &["hl7v2/src/message.rs", "hl7v2/src/part.rs", "hl7v2/src/acknowledgment/read.rs"],
    seeds: crate::seeds::messages,
    words: SYNTAX,
    short: 3_000,
    prepare: || Box::new(message),
};

/// Escapes of all delimiters.
pub const ESCAPES: Target = Target {
    name: "escapes",
    covers: &["hl7v2/src/escape.rs"],
    seeds: || {
        texts(&[
            "a\\F\\b\\S\\c",
            "\\H\\bold\\N\\",
            "\\X0D0A\\",
            "\\.sp3\\\\.br\\\\.in-2\\",
            "\\C2842\\",
            "\\Zloc\\",
            "\\\\",
        ])
    },
    words: &[b"\\", b"\\E\\", b"\\P\\", b"\\X", b"\\M", b"\\.ti+", b"\xC3\xA4", b"\x00"],
    short: 6_000,
    prepare: || Box::new(escapes),
};

/// Dates and times.
pub const DATES: Target = Target {
    name: "dates",
    covers: &["hl7v2/src/timestamp.rs"],
    seeds: || {
        texts(&[
            "2026",
            "202602",
            "20260228",
            "2026022823",
            "202602282359",
            "20260228235960.1234-0500",
            "2026+1400",
            "00000000",
        ])
    },
    words: &[b"+0530", b"-0000", b"0229", b"24", b"60", b".", b"99", b"000000"],
    short: 6_000,
    prepare: || Box::new(dates),
};

/// Character sets of table 0211: the first byte chooses one.
pub const CHARSETS: Target = Target {
    name: "charsets",
    covers: &["hl7v2/src/charset.rs"],
    seeds: || {
        texts(&[
            "0ascii",
            "1\u{e4}\u{20ac}",
            "2plain",
            "3\u{1b}$B%F%9%H\u{1b}(B",
            "4abc",
            "5abc",
            "6abc",
            "7abc",
        ])
    },
    words: &[b"\xC3\xA4", b"\xE2\x82", b"\x1B$B", b"\x1B(B", b"\x81\x30", b"\xA4\xA4", b"\xFF"],
    short: 6_000,
    prepare: || Box::new(charsets),
};

/// Paths that people write.
pub const PATHS: Target = Target {
    name: "paths",
    covers: &["hl7v2/src/path.rs"],
    seeds: || texts(&["PID-3", "PID-3.4.2", "OBX(2)-5~3.1", "ZPD-1", "MSH-1"]),
    words: &[b"-", b".", b"~", b"(", b")", b"0", b"99999999999", b"PID"],
    short: 6_000,
    prepare: || Box::new(paths),
};

/// Files of messages.
pub const BATCHES: Target = Target {
    name: "batches",
    covers: &["hl7v2/src/batch.rs", "hl7v2/src/batch/splitter.rs"],
    seeds: || {
        let messages = crate::seeds::messages();
        let joined = messages.iter().take(3).map(Vec::as_slice).collect::<Vec<_>>().join(&b'\r');
        let wrapped = [&b"FHS|^~\\&|A\rBHS|^~\\&|A\r"[..], &joined, b"\rBTS|3\rFTS|1\r"].concat();
        vec![joined, wrapped, b"BTS|1\r".to_vec()]
    },
    words: SYNTAX,
    short: 2_000,
    prepare: || Box::new(batches),
};

/// Messages in parts.
pub const PARTS: Target = Target {
    name: "parts",
    covers: &["hl7v2/src/continuation.rs"],
    seeds: || {
        texts(&[
            "MSH|^~\\&|A||||||ADT^A01|1|P|2.5\rPID|1||1\rADD|rest\rDSC|7|F\r",
            "MSH|^~\\&|A||||||ADT^A01|2|P|2.5|||7\rADD|of it\r",
        ])
    },
    words: SYNTAX,
    short: 4_000,
    prepare: || Box::new(parts),
};

fn message(input: &[u8]) -> Verdict {
    drop(Peek::read(input, Charset::UTF_8));
    drop(Acknowledgment::read(input));
    let Ok(message) = Message::read(input) else { return Ok(()) };
    let pieces: Vec<u8> = message.pieces().flat_map(|piece| piece.span.of(input).to_vec()).collect();
    holds(pieces == input, "the pieces of a message are not the message")?;
    for leaf in message.leaves() {
        let part = message.at(leaf.path);
        holds(part.span() == leaf.span, "a leaf lies elsewhere than its path")?;
        drop(part.decoded());
        let path = leaf.path.describe(&message);
        holds(path.resolve(&message).span() == leaf.span, "a path for people leads to another leaf")?;
    }
    let _judged = check_header(&message);
    answered(&message)
}

/// The acknowledgment of a message is one that we would take ourselves.
fn answered(message: &Message<'_>) -> Verdict {
    let reply =
        Reply { code: AckCode::ApplicationAccept, control_id: "N1", time: "20260102030405", error: None };
    let answer = acknowledge(message, &reply);
    match Acknowledgment::read(&answer) {
        Ok(_) => Ok(()),
        Err(_) => Err("an acknowledgment of ours cannot be read".to_owned()),
    }
}

fn escapes(input: &[u8]) -> Verdict {
    let delimiters = Delimiters::STANDARD;
    let decoded = escape::decode(input, &delimiters, Charset::UTF_8);
    let encoded = escape::encode(&decoded.text, &delimiters).into_owned();
    let again = escape::decode(encoded.as_bytes(), &delimiters, Charset::UTF_8);
    holds(again.text == decoded.text, "a text that was escaped reads differently")
}

fn dates(input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    let Ok(timestamp) = text.parse::<Timestamp>() else { return Ok(()) };
    holds(timestamp.to_hl7().parse() == Ok(timestamp), "a time that is written reads as another")?;
    let date_time = timestamp.to_fhir_date_time(None);
    holds(fhir::date_interval(&date_time.text).is_some(), "a dateTime is none")?;
    holds(fhir::date_interval(&timestamp.to_fhir_date()).is_some(), "a date is none")?;
    let instant = timestamp.to_fhir_instant(None);
    holds(instant.is_none_or(|instant| fhir::date_interval(&instant).is_some()), "an instant is none")
}

fn charsets(input: &[u8]) -> Verdict {
    const LABELS: [&str; 8] =
        ["ASCII", "UNICODE UTF-8", "8859/1", "ISO IR87", "GB 18030", "BIG-5", "KS X 1001", "8859/15"];
    let Some((first, bytes)) = input.split_first() else { return Ok(()) };
    let Some(charset) = Charset::from_label(LABELS[usize::from(*first) % LABELS.len()]) else {
        return Err("a label of the table is not known".to_owned());
    };
    let (_, replaced) = charset.decode(bytes);
    let violation = charset.first_violation(bytes);
    holds(violation.is_some() == replaced, "decoding and the search for violations disagree")?;
    holds(violation.is_none_or(|range| range.end <= bytes.len()), "a violation lies outside")
}

fn paths(input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    let Ok(path) = text.parse::<hl7v2::path::Path>() else { return Ok(()) };
    holds(path.to_string().parse() == Ok(path), "a path that is shown reads as another")
}

fn batches(input: &[u8]) -> Verdict {
    let mut at = 0;
    for piece in batch::pieces(input) {
        holds(piece.start == at && piece.end > at, "pieces of a file overlap or leave a gap")?;
        at = piece.end;
    }
    holds(at == input.len(), "the end of a file is in no piece")?;
    let _summary = batch::BatchSummary::of(input);
    holds(
        stretches(input, 7) == stretches(input, input.len().max(1)),
        "another cutting of a file gives other stretches",
    )
}

fn stretches(input: &[u8], size: usize) -> Vec<batch::Stretch> {
    let mut splitter = batch::Splitter::new(512, 0);
    let mut found = Vec::new();
    for chunk in input.chunks(size) {
        splitter.push(chunk);
        found.extend(std::iter::from_fn(|| splitter.next_stretch()));
    }
    splitter.finish();
    found.extend(std::iter::from_fn(|| splitter.next_stretch()));
    found
}

/// A file of one part or several is joined, and what is joined has a header and no end mark of a part.
fn parts(input: &[u8]) -> Verdict {
    let parts: Vec<Message<'_>> = batch::messages(input).filter_map(|one| Message::read(one).ok()).collect();
    if parts.is_empty() {
        return Ok(());
    }
    let whole = continuation::assemble(&parts);
    holds(Message::read(&whole).is_ok() || parts[0].segment_count() == 0, "joined parts are no message")
}
