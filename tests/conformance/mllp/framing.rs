//! Frames in bytes: cut, joined, broken off, nested, too long, none.

use super::hold::hold;
use super::outbound;
use super::row::{Answer, Channel, Elsewhere, Group, Kept, Message, Row, framed};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'F',
    channels: &[
        // As many bytes as a row with a plain message stays below.
        Channel { name: "short", options: &["frame_bytes_max: 4096"] },
        Channel { name: "lenient", options: &["outside: keep"] },
        Channel { name: "own-bytes", options: &["framing: {start: \"02\", end: \"03\", after_end: \"0A\"}"] },
        Channel { name: "fs-only", options: &["framing: {after_end: \"\"}"] },
        Channel { name: "release-2", options: &["framing: {release: 2}"] },
    ],
    rows,
    elsewhere: &[
        Elsewhere {
            id: "F20",
            what: "a payload that holds VT or FS is not encoded",
            file: "crates/mllp/tests/codec.rs",
            function: "a_payload_with_a_frame_byte_is_not_encoded",
        },
        outbound::case("F20", "a message that holds FS is not sent, and given up"),
    ],
    pending: &[],
};

/// How much of an oversized payload is kept.
const HEAD_BYTES: usize = 4_096;

fn rows() -> Vec<Row> {
    let mut rows = cut();
    rows.extend(ends());
    rows.extend(outside());
    rows.extend(broken());
    rows.extend(large());
    rows.extend(unframed());
    rows.extend(other_bytes());
    rows
}

/// However a stream is cut into packets, its messages are the same.
fn cut() -> Vec<Row> {
    let one = Message::new("F1");
    let (first, second) = (Message::new("F2-1"), Message::new("F2-2"));
    let mut pipelined = Row::new("F3", "50 frames before any answer");
    let many: Vec<Message> = (1..=50).map(|n| Message::new(&format!("F3-{n}"))).collect();
    pipelined = pipelined.bytes(many.iter().flat_map(Message::framed).collect::<Vec<u8>>());
    for message in &many {
        pipelined = pipelined.accepted(message);
    }
    vec![
        Row::new("F1", "a frame byte by byte").pieces(one.framed(), 1).accepted(&one),
        Row::new("F2", "two frames in one write")
            .bytes([first.framed(), second.framed()].concat())
            .accepted(&first)
            .accepted(&second),
        pipelined,
    ]
}

/// What stands at the end of a frame.
fn ends() -> Vec<Row> {
    let message = |id| Message::new(id);
    let open = |message: &Message| [b"\x0b", message.er7.as_slice(), b"\x1c"].concat();
    let (four, five, next) = (message("F4"), message("F5-1"), message("F5-2"));
    let (six, after) = (message("F6-1"), message("F6-2"));
    let (seven, then) = (message("F7-1"), message("F7-2"));
    let (eight, ended) = (message("F8-1"), message("F8-2"));
    vec![
        Row::new("F4", "FS and CR in two packets").bytes(open(&four)).pause(100).bytes(b"\r").accepted(&four),
        Row::new("F5", "FS, then CR with the next frame")
            .bytes(open(&five))
            .pause(100)
            .bytes([b"\r".as_slice(), &next.framed()].concat())
            .accepted(&five)
            .accepted(&next),
        Row::new("F6", "LF after the frame")
            .bytes([six.framed().as_slice(), b"\n", &after.framed()].concat())
            .accepted(&six)
            .accepted(&after),
        Row::new("F7", "FS without CR before the next frame")
            .bytes([open(&seven), then.framed()].concat())
            .accepted(&seven)
            .accepted(&then),
        Row::new("F8", "FS without CR, then silence").bytes(open(&eight)).pause(700).accepted(&eight),
        Row::new("F8", "FS without CR, then the end of the input").bytes(open(&ended)).end().accepted(&ended),
    ]
}

/// What comes outside of frames.
fn outside() -> Vec<Row> {
    let (nine, ninth) = (Message::new("F9-1"), Message::new("F9-2"));
    let (between, last) = (Message::new("F9-3"), Message::new("F9-4"));
    let junk = |bytes: &[u8]| Kept::held(bytes, None, "junk");
    let hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03tls client hello, cut short";
    let http = b"GET / HTTP/1.1\r\nHost: example\r\n\r\n";
    vec![
        Row::new("F9", "line breaks before a frame")
            .bytes([b"\r\n\r\n".as_slice(), &nine.framed()].concat())
            .accepted(&nine),
        Row::new("F9", "junk before a frame")
            .bytes([b"junk".as_slice(), &ninth.framed()].concat())
            .keeps(junk(b"junk"))
            .accepted(&ninth),
        Row::new("F9", "junk between frames")
            .bytes([between.framed().as_slice(), b"junk", &last.framed()].concat())
            .accepted(&between)
            .keeps(junk(b"junk"))
            .accepted(&last),
        Row::new("F18", "HTTP on the port").bytes(http).closed().keeps(junk(http)),
        Row::new("F18", "a TLS client on a plain port").bytes(hello).closed().keeps(junk(hello)),
        Row::new("F18", "a port scan that says nothing").end(),
    ]
}

/// Frames that break off, nest or hold what they should not.
fn broken() -> Vec<Row> {
    let (eleven, restarted) = (Message::new("F11-1"), Message::new("F11-2"));
    let half = &eleven.er7[..eleven.er7.len() / 2];
    let (twelve, thirteen) = (Message::new("F12"), Message::new("F13"));
    let inside = Message::new("F14").then(b"NTE|1|L|before\x1cafter\r");
    let (first, second) = (Message::new("F15-1"), Message::new("F15-2"));
    let both = [first.er7.as_slice(), &second.er7].concat();
    vec![
        Row::new("F11", "a frame that begins again in its midst")
            .bytes([b"\x0b", half, &restarted.framed()].concat())
            .keeps(Kept::held(half, None, "truncated"))
            .accepted(&restarted),
        Row::new("F11", "a frame that breaks off with the connection")
            .bytes([b"\x0b", half].concat())
            .end()
            .keeps(Kept::held(half, None, "truncated")),
        Row::new("F12", "VT twice").bytes([b"\x0b".as_slice(), &twelve.framed()].concat()).accepted(&twelve),
        Row::new("F13", "an empty frame, then a message")
            .bytes([b"\x0b\x1c\r".as_slice(), &thirteen.framed()].concat())
            .answered(Answer::new("AR", b"", Some("100")))
            .keeps(Kept::held(b"", Some("AR"), "no-header"))
            .accepted(&thirteen),
        Row::new("F14", "FS inside of the payload").bytes(inside.framed()).accepted(&inside),
        Row::new("F15", "two MSH in one frame")
            .bytes(framed(&both))
            .answered(Answer::new("AE", b"F15-1", Some("100")))
            .keeps(Kept::held(&both, Some("AE"), "header")),
    ]
}

/// Frames at and over the limit.
fn large() -> Vec<Row> {
    let long = Message::new("F16").then(format!("NTE|1|L|{}\r", "x".repeat(HEAD_BYTES)));
    let document = "QUJD".repeat(5 << 18);
    let heavy =
        Message::new("F17").then(format!("OBX|1|ED|18842-5^Summary^LN||^AP^PDF^Base64^{document}||||||F\r"));
    vec![
        Row::new("F16", "a frame over the limit")
            .on("short")
            .bytes(long.framed())
            .answered(Answer::new("AR", b"F16", Some("100")))
            .closed()
            .keeps(Kept::held(&long.er7[..HEAD_BYTES], Some("AR"), "oversized")),
        Row::new("F17", "5 MB in pieces of 16 KiB").pieces(heavy.framed(), 16 << 10).accepted(&heavy),
    ]
}

/// Messages without a frame: kept, and refused so that the sender learns of it.
fn unframed() -> Vec<Row> {
    let (bare, ended, kept) = (Message::new("F10-1"), Message::new("F10-2"), Message::new("F10-3"));
    let without_start = [ended.er7.as_slice(), b"\x1c\r"].concat();
    let refused = |message: &Message| Answer::new("AR", &message.control_id, Some("100"));
    vec![
        Row::new("F10", "a message without a frame")
            .bytes(&bare.er7)
            .answered(refused(&bare))
            .closed()
            .keeps(Kept::held(&bare.er7, Some("AR"), "junk")),
        Row::new("F10", "a message without VT")
            .bytes(&without_start)
            .answered(refused(&ended))
            .closed()
            .keeps(Kept::held(&without_start, Some("AR"), "junk")),
        Row::new("F10", "a message without a frame where the channel keeps the connection")
            .on("lenient")
            .bytes(&kept.er7)
            .pause(1_000)
            .keeps(Kept::held(&kept.er7, None, "junk")),
    ]
}

/// Channels whose senders mark their messages in another way. Their rows end the input, for what follows a row is
/// framed as usual.
fn other_bytes() -> Vec<Row> {
    let (own, usual) =
        (Message::new("F19-1").then(b"NTE|1|L|VT \x0b and FS CR \x1c\r"), Message::new("F19-2"));
    let (first, second) = (Message::new("F19-3"), Message::new("F19-4"));
    let around = |message: &Message, start: &[u8], end: &[u8]| [start, message.er7.as_slice(), end].concat();
    let (one, nak) = (Message::new("F19-5"), Message::new("F19-6"));
    let half = &nak.er7[..nak.er7.len() / 2];
    vec![
        Row::new("F19", "STX and ETX LF")
            .on("own-bytes")
            .bytes(around(&own, b"\x02", b"\x03\n"))
            .end()
            .framed_by(0x02, b"\x03\n")
            .accepted(&own),
        Row::new("F19", "the usual bytes where others are agreed")
            .on("own-bytes")
            .bytes(usual.framed())
            .closed()
            .keeps(Kept::held(usual.framed(), None, "junk")),
        Row::new("F19", "FS alone ends a frame")
            .on("fs-only")
            .bytes(around(&first, b"\x0b", b"\x1c"))
            .bytes(around(&second, b"\x0b", b"\x1c\r\n"))
            .end()
            .framed_by(0x0b, b"\x1c")
            .accepted(&first)
            .accepted(&second),
        Row::new("F19", "release 2: a commit block, then the acknowledgment")
            .on("release-2")
            .bytes([one.framed().as_slice(), &framed(b"\x06"), b"\x0b", half].concat())
            .end()
            .commit(0x06)
            .accepted(&one)
            .keeps(Kept::held(half, None, "truncated")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
