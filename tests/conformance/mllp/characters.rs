//! Character sets, line ends, bytes that are no text.

use super::hold::hold;
use super::row::{Answer, Channel, Group, Kept, Message, Row, framed};

/// The cases.
pub const GROUP: Group = Group { letter: 'C', channels: CHANNELS, rows, elsewhere: &[], pending: &[] };

/// Listeners whose senders leave MSH-18 empty and do not send UTF-8.
const CHANNELS: &[Channel] = &[
    Channel { name: "latin", options: &["default_charset: 8859/1"] },
    Channel { name: "polish", options: &["default_charset: 8859/2"] },
    Channel { name: "shifted", options: &["default_charset: Shift_JIS"] },
    Channel { name: "seven-bit", options: &["default_charset: ASCII"] },
];

const FAMILY: &str = "/name/0/family";

fn rows() -> Vec<Row> {
    let mut rows = declared();
    rows.extend(undeclared());
    rows.extend(by_channel());
    rows.extend(unreadable());
    rows.extend(line_ends());
    rows.extend(round_trip());
    rows
}

/// A message with this MSH-18 whose family name is these bytes.
fn declaring(control_id: &str, charset: &str, family: &[u8]) -> Message {
    Message::named(control_id, family).with("UNICODE UTF-8", charset)
}

/// Accepted, and read as this text.
fn reads(id: &'static str, what: &'static str, message: Message, family: &str) -> Row {
    Row::new(id, what).bytes(message.framed()).accepted(&message).patient(&message, FAMILY, Some(family))
}

/// The character set that MSH-18 declares is the one that is read.
fn declared() -> Vec<Row> {
    let utf8 = "Müller".as_bytes();
    vec![
        reads("C1", "UNICODE UTF-8", declaring("C1-1", "UNICODE UTF-8", utf8), "Müller"),
        reads("C1", "UTF-8", declaring("C1-2", "UTF-8", utf8), "Müller"),
        reads("C1", "utf8", declaring("C1-3", "utf8", utf8), "Müller"),
        reads("C1", "8859/1", declaring("C1-4", "8859/1", b"M\xfcller"), "Müller"),
        reads("C1", "ISO-8859-1", declaring("C1-5", "ISO-8859-1", b"M\xfcller"), "Müller"),
        reads("C1", "WINDOWS-1252", declaring("C1-6", "WINDOWS-1252", b"M\xfcller\x92s"), "Müller’s"),
        reads("C1", "GB 18030-2000", declaring("C1-7", "GB 18030-2000", b"\xcd\xf5"), "王"),
        reads("C1", "KS X 1001", declaring("C1-8", "KS X 1001", b"\xb1\xe8"), "김"),
        reads("C1", "BIG-5", declaring("C1-9", "BIG-5", b"\xa4\xfd"), "王"),
        reads("C1", "ISO IR87", declaring("C1-10", "ISO IR87", b"\x1b$B;3ED\x1b(B"), "山田"),
        reads("C1", "ISO IR6~ISO IR87", declaring("C1-11", "ISO IR6~ISO IR87", b"\x1b$B;3ED\x1b(B"), "山田"),
        reads("C3", "Latin-1 that says so", declaring("C3", "8859/1", b"J\xf6rg"), "Jörg"),
    ]
}

/// What contradicts MSH-18, or what it does not name, is refused, never read as something else.
fn undeclared() -> Vec<Row> {
    let ascii = declaring("C1-12", "ASCII", "Müller".as_bytes());
    let unknown = declaring("C1-13", "KLINGON", b"Quill");
    let latin = declaring("C2", "UNICODE UTF-8", b"M\xfcller");
    let refused = |id, what, message: &Message, error, reason| {
        Row::new(id, what)
            .bytes(message.framed())
            .answered(Answer::new("AE", &message.control_id, Some(error)).holding(b"MSH^1^18"))
            .keeps(Kept::held(&message.er7, Some("AE"), reason))
    };
    vec![
        refused("C1", "ASCII with high bytes", &ascii, "102", "charset"),
        refused("C1", "a character set that nobody knows", &unknown, "103", "header"),
        refused("C2", "UTF-8 declared, Latin-1 sent", &latin, "102", "charset"),
        reads("C1", "no MSH-18, UTF-8 sent", declaring("C1-14", "", "Müller".as_bytes()), "Müller"),
        refused("C2", "no MSH-18, Latin-1 sent", &declaring("C2-2", "", b"M\xfcller"), "102", "charset"),
    ]
}

/// What the channel says where MSH-18 says nothing.
fn by_channel() -> Vec<Row> {
    let utf8 = "Müller".as_bytes();
    let empty = |id: &str, family: &[u8]| declaring(id, "", family);
    let refused = |what, channel, message: &Message| {
        Row::new("C1", what)
            .on(channel)
            .bytes(message.framed())
            .answered(Answer::new("AE", &message.control_id, Some("102")).holding(b"MSH^1^18"))
            .keeps(Kept::held(&message.er7, Some("AE"), "charset"))
    };
    // The second byte of this character is a backslash.
    let shifted = empty("C1-24", b"\x83\x5c");
    let cut = empty("C1-26", b"Quill").then(b"NTE|1|L|\x83\r");
    vec![
        reads("C1", "no MSH-18, Latin-1 by the channel", empty("C1-20", b"M\xfcller"), "Müller").on("latin"),
        reads("C1", "MSH-18 before the channel", declaring("C1-21", "UNICODE UTF-8", utf8), "Müller")
            .on("latin"),
        reads("C1", "no MSH-18, ASCII alone", empty("C1-22", b"Muller"), "Muller").on("latin"),
        reads("C1", "no MSH-18, Latin-2 by the channel", empty("C1-23", b"\xa3ukasz"), "Łukasz").on("polish"),
        reads("C1", "no MSH-18, Shift JIS by the channel", shifted, "ソ").on("shifted"),
        refused(
            "MSH-18 says UTF-8 on a Latin-1 channel",
            "latin",
            &declaring("C1-25", "UTF-8", b"M\xfcller"),
        ),
        refused("half a character on a Shift JIS channel", "shifted", &cut),
        refused("high bytes on an ASCII channel", "seven-bit", &empty("C1-27", utf8)),
    ]
}

/// Byte order marks.
fn unreadable() -> Vec<Row> {
    let mut marked = Message::named("C4", "Markwell");
    marked.er7.splice(0..0, *b"\xef\xbb\xbf");
    let wide = String::from_utf8(Message::new("C5").er7).expect("ASCII");
    let wide: Vec<u8> = [0xfeff].into_iter().chain(wide.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    vec![
        reads("C4", "a UTF-8 byte order mark before MSH", marked, "Markwell"),
        Row::new("C5", "UTF-16")
            .bytes(framed(&wide))
            .answered(Answer::new("AR", b"", Some("100")).holding(b"UTF-16"))
            .keeps(Kept::held(&wide, Some("AR"), "no-header")),
    ]
}

/// However segments end, they are read; what is kept is what was sent.
fn line_ends() -> Vec<Row> {
    let ended = |control_id: &str, end: &str| {
        let message = Message::named(control_id, "Lineweaver");
        let er7 = String::from_utf8(message.er7.clone()).expect("ASCII").replace('\r', end).into_bytes();
        Message { er7, ..message }
    };
    let mut open = Message::named("C6-5", "Lineweaver");
    open.er7.pop();
    let mixed = Message::named("C6-4", "Lineweaver").with("\rPV1", "\n\r\n\rPV1").with("\rAL1", "\r\nAL1");
    let noisy = Message::named("C7", "Lineweaver").then(b"NTE|1|L|tab \x09 and NUL \x00 and bell \x07\r");
    vec![
        reads("C6", "LF", ended("C6-1", "\n"), "Lineweaver"),
        reads("C6", "CRLF", ended("C6-2", "\r\n"), "Lineweaver"),
        reads("C6", "blank lines", ended("C6-3", "\r\r"), "Lineweaver"),
        reads("C6", "mixed", mixed, "Lineweaver"),
        reads("C6", "no end of the last segment", open, "Lineweaver"),
        reads("C7", "tab, NUL and bell in a note", noisy, "Lineweaver"),
    ]
}

/// What was sent stands in FHIR, character by character, also where one takes four bytes.
fn round_trip() -> Vec<Row> {
    let names = ["Müller-Jörg", "山田", "Łukasiewicz", "😀 Grinning", "e\u{301}tude"];
    let row = |(n, name): (usize, &&'static str)| {
        let message = Message::named(&format!("C8-{n}"), name.as_bytes());
        reads("C8", name, message, name)
    };
    (1..).zip(&names).map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
