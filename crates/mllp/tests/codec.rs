//! Framing: the cases of the field, and every cutting of every stream.

use bytes::BytesMut;
use mllp::{Decoder, Ending, Event, Limits, Pending, encode};
use proptest::prelude::*;

const SMALL: Limits = Limits { frame_bytes_max: 32, head_bytes_max: 8, junk_bytes_max: 16 };

/// All events of a stream cut into these pieces, its end included.
fn events(pieces: &[&[u8]], limits: Limits) -> Vec<Event> {
    let mut decoder = Decoder::new(limits);
    let mut found = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        found.extend(std::iter::from_fn(|| decoder.next_event()));
    }
    found.extend(decoder.finish());
    found
}

/// Short words for events: `=payload`, `~payload` without CR, `!fragment`, `?junk*count`, `>head`.
fn told(events: &[Event]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    events
        .iter()
        .map(|event| match event {
            Event::Frame(frame) if frame.ending == Ending::Complete => format!("={}", text(&frame.payload)),
            Event::Frame(frame) => format!("~{}", text(&frame.payload)),
            Event::Truncated(payload) => format!("!{}", text(payload)),
            Event::Junk { head, count } => format!("?{}*{count}", text(head)),
            Event::Oversized { head, length_seen } => format!(">{}*{length_seen}", text(head)),
        })
        .collect()
}

/// (case, stream, what it holds)
const CASES: &[(&str, &[u8], &[&str])] = &[
    ("two frames in one read", b"\x0BA\x1C\r\x0BB\x1C\r", &["=A", "=B"]),
    ("line feed after a frame", b"\x0BA\x1C\r\n\x0BB\x1C\r\n\r\n", &["=A", "=B"]),
    ("no CR, next frame", b"\x0BA\x1C\x0BB\x1C\r", &["~A", "=B"]),
    ("no CR, end of stream", b"\x0BA\x1C", &["~A"]),
    ("line breaks before a frame", b"\r\n\r\n\x0BA\x1C\r", &["=A"]),
    ("junk before a frame", b"\nabc\r\n\x0BA\x1C\r", &["?abc\r\n*5", "=A"]),
    ("no frame at all", b"MSH|x\rPID|1\r", &["?MSH|x\rPID|1\r*12"]),
    ("much junk", b"0123456789abcdefXYZ\x0BA\x1C\r", &["?0123456789abcdef*19", "=A"]),
    ("a frame begun again is not spliced", b"\x0BA1 header\r\x0BA2\x1C\r", &["!A1 header\r", "=A2"]),
    ("VT VT", b"\x0B\x0BA\x1C\r", &["=A"]),
    ("empty frame", b"\x0B\x1C\r\x0BA\x1C\r", &["=", "=A"]),
    ("empty frame without CR", b"\x0B\x1C\x0BA\x1C\r", &["~", "=A"]),
    ("FS in the payload", b"\x0BA\x1CB\x1C\x1C\r\x0BC\x1C\r", &["=A\x1CB\x1C", "=C"]),
    ("FS LF in the payload", b"\x0BA\x1C\nB\x1C\r", &["=A\x1C\nB"]),
    ("end of stream in a frame", b"\x0BA\x1C\r\x0BMSH|", &["=A", "!MSH|"]),
    ("end of stream after VT", b"\x0B", &["!"]),
    (
        "as long as allowed",
        b"\x0B01234567890123456789012345678901\x1C\r",
        &["=01234567890123456789012345678901"],
    ),
    ("one byte longer", b"\x0B012345678901234567890123456789012\x1C\r\x0BA\x1C\r", &[">01234567*33", "=A"]),
    (
        "much longer, no end, next frame",
        b"\x0B0123456789012345678901234567890123456789\x1C7890123456789\x0BA\x1C\r",
        &[">01234567*33", "=A"],
    ),
    ("FS at the limit is payload", b"\x0B01234567890123456789012345678901\x1Cx\x1C\r", &[">01234567*33"]),
    ("the bytes that end a dependency", b"\x1C\r\x0B", &["?\x1C\r*2", "!"]),
];

#[test]
fn every_case_in_one_piece_byte_by_byte_and_cut_in_two() {
    for (case, stream, expected) in CASES {
        assert_eq!(told(&events(&[stream], SMALL)), *expected, "{case}");
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(told(&events(&bytes, SMALL)), *expected, "{case}, byte by byte");
        for cut in 0..=stream.len() {
            let (left, right) = stream.split_at(cut);
            assert_eq!(told(&events(&[left, right], SMALL)), *expected, "{case}, cut at {cut}");
        }
    }
}

#[test]
fn silence_delivers_a_frame_without_cr_and_reports_junk() {
    let mut decoder = Decoder::new(SMALL);
    decoder.push(b"\x0BA\x1C");
    assert_eq!(decoder.next_event(), None);
    assert_eq!(decoder.pending(), Pending::FrameEnd);
    assert_eq!(told(&Vec::from_iter(decoder.idle())), ["~A"]);
    assert_eq!(decoder.pending(), Pending::Nothing);
    decoder.push(b"\rGET");
    assert_eq!(decoder.next_event(), None);
    assert_eq!(decoder.pending(), Pending::Junk(3));
    assert_eq!(told(&Vec::from_iter(decoder.idle())), ["?GET*3"]);
    decoder.push(b"\x0BB");
    assert_eq!((decoder.next_event(), decoder.idle()), (None, None));
    assert_eq!((decoder.pending(), decoder.frames_begun()), (Pending::Frame, 2));
}

#[test]
fn a_payload_with_a_frame_byte_is_not_encoded() {
    let mut wire = BytesMut::from(&b"before"[..]);
    for payload in [&b"A\x0BB"[..], b"A\x1C\rB", b"\x1C", b"A\x1C"] {
        assert!(encode(payload, &mut wire).is_err());
    }
    assert_eq!(&wire[..], b"before");
}

#[test]
fn debug_shows_no_content() {
    let shown = format!("{:?}", events(&[b"secret\x0Bsecret\x1C\r\x0Bsecret\x0Bsecret"], SMALL));
    assert!(!shown.contains("secret") && shown.contains("Junk(6 bytes"), "{shown}");
}

#[test]
fn a_large_frame_costs_linear_work() {
    let payload = vec![b'A'; 5 * 1024 * 1024];
    let mut wire = BytesMut::new();
    encode(&payload, &mut wire).expect("no frame byte");
    let begin = std::time::Instant::now();
    let mut decoder = Decoder::new(Limits::default());
    let mut frames = 0;
    for chunk in wire.chunks(1_460) {
        decoder.push(chunk);
        frames += usize::from(decoder.next_event().is_some());
    }
    assert_eq!(frames, 1);
    // Scanning from the start at each read would be 9 GB.
    assert!(begin.elapsed().as_secs() < 2, "{:?}", begin.elapsed());
}

/// A payload for which the buffer grows more than once.
fn long(length: u32) -> Vec<u8> {
    (0..length).map(|n| b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(n / 7 % 36) as usize]).collect()
}

#[test]
fn a_large_payload_is_whole_however_it_ends() {
    let limits = Limits { frame_bytes_max: 4 << 20, ..Limits::default() };
    let (payload, over) = (long(3_500_001), long((4 << 20) + 1));
    let framed = |payload: &[u8], end: &[u8]| [b"\x0B", payload, end].concat();
    let cases: [(&[u8], Vec<u8>); 4] = [
        (b"\x1C\r\x0BB\x1C\r", [b"=", payload.as_slice(), b"|=B"].concat()),
        (b"\x1C\x0BB\x1C\r", [b"~", payload.as_slice(), b"|=B"].concat()),
        (b"\x0BB\x1C\r", [b"!", payload.as_slice(), b"|=B"].concat()),
        (b"", [b"!", payload.as_slice()].concat()),
    ];
    for (end, expected) in cases {
        for size in [1_460, 64 << 10, 8 << 20] {
            let stream = framed(&payload, end);
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            let found = told(&events(&pieces, limits)).join("|");
            assert!(found.as_bytes() == expected, "cut at {size}, ended by {end:?}");
        }
    }
    let stream = framed(&over, b"\x1C\r\x0BB\x1C\r");
    let pieces: Vec<&[u8]> = stream.chunks(1_460).collect();
    let head = String::from_utf8(over[..limits.head_bytes_max].to_vec()).expect("text");
    assert_eq!(told(&events(&pieces, limits)), [format!(">{head}*{}", over.len()), "=B".to_owned()]);
}

/// Streams rich in frame bytes.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0x0B), Just(0x1C), Just(b'\r'), Just(b'\n'), Just(b'A'), any::<u8>()];
    prop::collection::vec(byte, 0..300)
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_events(stream in stream(), cuts in prop::collection::vec(1usize..20, 0..60)) {
        let mut pieces = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts {
            let (piece, later) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        pieces.push(rest);
        prop_assert_eq!(events(&pieces, SMALL), events(&[&stream], SMALL));
    }

    /// Every byte of a stream is in an event, or is a frame byte or a line break between frames.
    #[test]
    fn no_byte_is_lost(stream in stream()) {
        let wide = Limits { frame_bytes_max: 1_000, head_bytes_max: 1_000, junk_bytes_max: 1_000 };
        let mut rest = stream.as_slice();
        for event in events(&[&stream], wide) {
            let payload = match &event {
                Event::Frame(frame) => &frame.payload,
                Event::Junk { head, .. } => head,
                Event::Truncated(payload) => payload,
                Event::Oversized { .. } => unreachable!("no stream is as long"),
            };
            // What is passed over before an event's bytes.
            let skipped = (0..=rest.len()).find(|at| rest[*at..].starts_with(payload));
            let skipped = skipped.expect("an event's bytes are the stream's, in order");
            prop_assert!(rest[..skipped].iter().all(|byte| b"\x0B\x1C\r\n".contains(byte)));
            rest = &rest[skipped + payload.len()..];
        }
        prop_assert!(rest.iter().all(|byte| b"\x0B\x1C\r\n".contains(byte)), "{rest:?}");
    }

    #[test]
    fn memory_stays_within_the_limits(stream in stream()) {
        let mut decoder = Decoder::new(SMALL);
        for byte in stream {
            decoder.push(&[byte]);
            while let Some(event) = decoder.next_event() {
                match event {
                    Event::Frame(frame) => prop_assert!(frame.payload.len() <= SMALL.frame_bytes_max),
                    Event::Truncated(payload) => prop_assert!(payload.len() <= SMALL.frame_bytes_max),
                    Event::Junk { head, .. } => prop_assert!(head.len() <= SMALL.junk_bytes_max),
                    Event::Oversized { head, .. } => prop_assert!(head.len() <= SMALL.head_bytes_max),
                }
            }
            prop_assert!(decoder.buffer().len() <= SMALL.frame_bytes_max + 1);
        }
    }

    #[test]
    fn what_is_encoded_comes_back(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..33), 0..6)) {
        let mut wire = BytesMut::new();
        let sent: Vec<_> = payloads.into_iter().filter(|payload| encode(payload, &mut wire).is_ok()).collect();
        let found: Vec<_> = events(&[&wire], SMALL).into_iter().map(|event| match event {
            Event::Frame(frame) if frame.ending == Ending::Complete => frame.payload.to_vec(),
            other => panic!("{other:?}"),
        }).collect();
        prop_assert_eq!(found, sent);
    }
}
