//! Properties that hold for any bytes.

use hl7v2::acknowledgment::{
    AckCode, AckError, Acknowledgment, ErrorCode, Reply, Severity, acknowledge, check_header,
};
use hl7v2::path::Path;
use hl7v2::{Charset, Delimiters, LeafPath, Message, Peek, Timestamp, batch, dictionary, escape};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;

/// Bytes that look like messages: pieces of real syntax among arbitrary bytes.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let words = select(vec![
        &b"MSH|^~\\&|"[..],
        b"MSH|^~\\&#|a|b|c|d|e||ADT^A01|1|P|2.5||||||UTF-8",
        b"PID|1||",
        b"OBX|1|",
        b"\r",
        b"\n",
        b"\r\n",
        b"|",
        b"^",
        b"~",
        b"&",
        b"\\",
        b"\\X41\\",
        b"\\T\\",
        b"\"\"",
        b"\x0B",
        b"\x1C",
        b"\x1C\r",
        b"\xEF\xBB\xBF",
        b"NTE",
        b"ZZZ|",
        b"BHS|",
        b"BTS|2\r",
        b"FHS|^~\\&|",
        b"FTS|1",
        b"8859/1",
        b"GB 18030",
        b"ISO IR87",
        b"BIG-5",
        b"|||||||",
        b"\x1B$B",
        b"\x1B(B",
        b"\x81|",
        b"\xC3",
    ]);
    let piece = prop_oneof![4 => words.prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 0..6)];
    let tail = vec(piece, 0..40).prop_map(|pieces| pieces.concat());
    (any::<bool>(), tail).prop_map(|(with_header, tail)| {
        let head: &[u8] = if with_header { b"MSH|^~\\&|A|B|||||ADT^A01|7" } else { b"" };
        [head, &tail].concat()
    })
}

fn charset() -> impl Strategy<Value = Charset> {
    let labels =
        ["UTF-8", "ASCII", "8859/1", "8859/15", "GB 18030", "ISO IR87", "BIG-5", "KS X 1001", "SJIS"];
    select(labels.to_vec()).prop_map(|label| Charset::from_label(label).expect("known label"))
}

/// A file in chunks of these sizes, in turn.
fn split(file: &[u8], chunks: &[usize], limit: usize) -> Vec<batch::Stretch> {
    let mut splitter = batch::Splitter::new(limit, 0);
    let (mut found, mut at) = (Vec::new(), 0);
    for chunk in chunks.iter().cycle() {
        if at >= file.len() {
            break;
        }
        let end = file.len().min(at + chunk);
        splitter.push(&file[at..end]);
        found.extend(std::iter::from_fn(|| splitter.next_stretch()));
        at = end;
    }
    splitter.finish();
    found.extend(std::iter::from_fn(|| splitter.next_stretch()));
    found
}

proptest! {
    #[test]
    fn no_byte_of_a_message_is_lost(bytes in bytes(), charset in charset()) {
        let Ok(message) = Message::read_with(&bytes, charset) else { return Ok(()) };
        let pieces: Vec<u8> = message.pieces().flat_map(|piece| piece.span.of(&bytes).to_vec()).collect();
        prop_assert_eq!(&pieces, &bytes);
        for segment in message.segments() {
            let separator = message.delimiters().field;
            let mut again = segment.name().as_bytes().to_vec();
            let first = if segment.field(1).raw() == [separator] && segment.name() != "" && ["MSH", "BHS", "FHS"].contains(&segment.name()) { 2 } else { 1 };
            for n in first..=segment.field_count() {
                if !segment.is_stray() { again.push(separator); }
                again.extend_from_slice(segment.field(n).raw());
            }
            prop_assert_eq!(&again[..], segment.span().of(&bytes));
        }
    }

    #[test]
    fn every_leaf_is_found_again_by_its_path(bytes in bytes(), charset in charset()) {
        let Ok(message) = Message::read_with(&bytes, charset) else { return Ok(()) };
        let mut last: Option<LeafPath> = None;
        for leaf in message.leaves() {
            prop_assert!(last.is_none_or(|last| last < leaf.path), "leaves are in order");
            last = Some(leaf.path);
            prop_assert!(!leaf.span.is_empty());
            prop_assert_eq!(message.at(leaf.path).span(), leaf.span);
            let path = leaf.path.describe(&message);
            prop_assert_eq!(path.resolve(&message).span(), leaf.span);
            prop_assert_eq!(path.to_string().parse::<Path>(), Ok(path));
            prop_assert_eq!(message.at(leaf.path).text(), message.part_of(leaf).text());
        }
    }

    #[test]
    fn repetitions_are_the_same_by_walk_and_by_number(bytes in bytes(), charset in charset()) {
        let Ok(message) = Message::read_with(&bytes, charset) else { return Ok(()) };
        for segment in message.segments() {
            for field in (1..=segment.field_count()).map(|n| segment.field(n)) {
                let walked: Vec<_> = field.repetitions().map(|part| (part.span(), part.path(), part.component_count())).collect();
                let counted: Vec<_> = (0..field.repetition_count()).map(|i| field.repetition(i)).map(|part| (part.span(), part.path(), part.component_count())).collect();
                prop_assert_eq!(walked, counted);
            }
        }
    }

    #[test]
    fn arranging_keeps_every_segment_in_order(bytes in bytes(), id in select(vec!["ADT_A01", "ORU_R01", "RDE_O11", "VXU_V04"])) {
        let Ok(message) = Message::read(&bytes) else { return Ok(()) };
        let arranged = dictionary::arrange(&message, dictionary::structure(id).expect("known structure"));
        let mut indexes = Vec::new();
        flatten(&arranged, &mut indexes);
        prop_assert_eq!(indexes, (0..message.segment_count()).collect::<Vec<_>>());
    }

    #[test]
    fn any_chunking_of_a_file_gives_the_same_pieces(bytes in bytes(), chunks in vec(1_usize..40, 1..30)) {
        let whole: Vec<_> = batch::pieces(&bytes).map(|piece| (piece.kind, piece.of(&bytes).to_vec())).collect();
        let found = split(&bytes, &chunks, usize::MAX / 2);
        let kept: Vec<_> = found.iter().map(|one| (one.kind, one.bytes.clone())).collect();
        prop_assert_eq!(&kept, &whole);
        // One that begins at the end of a stretch goes on as if it had read all before.
        for one in &found {
            let from = usize::try_from(one.end()).expect("a short file");
            let rest: Vec<_> = split(&bytes[from..], &chunks, usize::MAX / 2).into_iter().map(|one| one.bytes).collect();
            let expected: Vec<_> = found.iter().filter(|after| after.start >= one.end()).map(|one| one.bytes.clone()).collect();
            prop_assert_eq!(rest, expected);
        }
    }

    #[test]
    fn any_chunking_cuts_what_is_too_long_alike(bytes in bytes(), chunks in vec(1_usize..40, 1..30), limit in 1_usize..60) {
        let (one, other) = (split(&bytes, &chunks, limit), split(&bytes, &[bytes.len().max(1)], limit));
        prop_assert_eq!(&one, &other);
        prop_assert!(one.iter().all(|one| one.bytes.len() <= limit));
        let mut at = 0;
        for one in &one {
            prop_assert_eq!(one.start, at);
            at = one.end();
        }
        prop_assert_eq!(at, u64::try_from(bytes.len()).expect("a short file"));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), charset in charset()) {
        let _ = Message::read_with(&bytes, charset).map(|message| message.leaves().map(|leaf| message.at(leaf.path).text().len()).sum::<usize>());
        let _ = Peek::read(&bytes, charset);
        let _ = Acknowledgment::read(&bytes);
        let _ = escape::decode(&bytes, &Delimiters::STANDARD, charset);
        let _ = charset.first_violation(&bytes);
        let _ = String::from_utf8_lossy(&bytes).parse::<Timestamp>();
        let _ = String::from_utf8_lossy(&bytes).parse::<Path>();
    }

    #[test]
    fn violation_is_found_exactly_when_decoding_replaces(bytes in vec(any::<u8>(), 0..40), charset in charset()) {
        let (_, replaced) = charset.decode(&bytes);
        let violation = charset.first_violation(&bytes);
        prop_assert_eq!(violation.is_some(), replaced);
        if let Some(range) = violation {
            prop_assert!(range.start <= range.end && range.end <= bytes.len());
        }
    }

    #[test]
    fn escaping_is_undone(text in "[ -~\\x00-\\x1F|^~\\\\&#äé患😀XFSTREP.br0-9]{0,40}", truncation in any::<bool>()) {
        let delimiters = Delimiters { truncation: truncation.then_some(b'#'), ..Delimiters::STANDARD };
        let encoded = escape::encode(&text, &delimiters);
        prop_assert!(!encoded.bytes().any(|b| b < b' ' || b"|^~&".contains(&b)));
        prop_assert_eq!(escape::decode(encoded.as_bytes(), &delimiters, Charset::UTF_8).text, &*text);
    }

    #[test]
    fn timestamps_are_written_as_they_were_read(
        year in 1_u16..=9999, month in 1_u8..=12, day in 1_u8..=28, hour in 0_u8..24, minute in 0_u8..60, second in 0_u8..60,
        fraction in "[0-9]{1,9}", length in 0_usize..=6, offset in select(vec!["", "-0500", "+0530", "-0000", "+1400"]),
    ) {
        let whole = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}");
        let value = match length { 6 => format!("{whole}.{fraction}"), n => whole[..4 + 2 * n].to_owned() };
        let text = format!("{value}{offset}");
        let timestamp: Timestamp = text.parse().expect("possible");
        prop_assert_eq!(timestamp.to_hl7(), text);
        let fhir = timestamp.to_fhir_date_time(None);
        prop_assert!(fhir.text.starts_with(&timestamp.to_fhir_date()));
    }

    #[test]
    fn paths_are_read_as_they_are_shown(
        segment in "[A-Z][A-Z0-9]{2}", nth in 1_u32..9, field in 1_u16..99, repetition in proptest::option::of(1_u16..9),
        component in proptest::option::of((1_u16..30, proptest::option::of(1_u16..9))),
    ) {
        let mut text = segment;
        if nth > 1 { text.push_str(&format!("({nth})")); }
        text.push_str(&format!("-{field}"));
        if let Some(n) = repetition { text.push_str(&format!("~{n}")); }
        if let Some((n, below)) = component {
            text.push_str(&format!(".{n}"));
            if let Some(n) = below { text.push_str(&format!(".{n}")); }
        }
        prop_assert_eq!(text.parse::<Path>().expect("path").to_string(), text);
    }

    #[test]
    fn no_byte_of_a_file_is_lost(bytes in bytes()) {
        let mut at = 0;
        for piece in batch::pieces(&bytes) {
            prop_assert_eq!(piece.start, at);
            prop_assert!(piece.end > piece.start);
            at = piece.end;
            if piece.kind == batch::PieceKind::Message {
                prop_assert!(Message::read(piece.of(&bytes)).is_ok_and(|message| message.issues().iter().all(|issue| issue.span.start != 0 || issue.kind != hl7v2::IssueKind::LeadingBytes)));
            }
        }
        prop_assert_eq!(at, bytes.len());
    }

    #[test]
    fn an_acknowledgment_repeats_the_control_id_byte_for_byte(id in vec(any::<u8>().prop_filter("stays in its field", |b| !b"|\r\n\0\x0B\x1C".contains(b)), 0..20), charset in charset()) {
        let bytes = [b"MSH|^~\\&|A^1&2^B|C|D|E|20260101||ADT^A01|", &id[..], b"|P|2.5.1\rPID|1"].concat();
        let Ok(message) = Message::read_with(&bytes, charset) else { return Ok(()) };
        let _ = check_header(&message);
        let error = AckError { code: ErrorCode::DataType, location: None, severity: Severity::Error, text: "" };
        let reply = Reply { code: AckCode::ApplicationError, control_id: "N1", time: "20260102", error: Some(error) };
        let answer = acknowledge(&message, &reply);
        if charset.name() != "ISO-2022-JP" && message.header().control_id().raw() == id {
            let mark = [b"\rMSA|AE|", &id[..], b"|"].concat();
            prop_assert!(answer.windows(mark.len()).any(|window| window == mark));
        }
    }
}

fn flatten(instance: &dictionary::GroupInstance, indexes: &mut Vec<usize>) {
    for child in &instance.children {
        match child {
            dictionary::Node::Segment(index) => indexes.push(*index),
            dictionary::Node::Group(group) => flatten(group, indexes),
        }
    }
}
