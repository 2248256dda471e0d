//! The message as received: a line for each segment, an element for each leaf.

use std::collections::HashMap;

use hl7v2::{Charset, Message};
use mapping::{Coverage, LeafFate};

use crate::clinical::MASK;

/// Leaves shown.
const LEAVES_SHOWN_MAX: usize = 5_000;
/// Bytes of what is no message that are shown.
const BYTES_SHOWN_MAX: usize = 16 * 1_024;
/// Bytes of a line of the dump.
const DUMP_LINE_BYTES: usize = 16;
/// Fields of MSH that say what kind of message it is, and nothing of a person.
const OPEN_HEADER_FIELDS: [u16; 5] = [3, 4, 9, 11, 12];

/// One segment.
pub(crate) struct Line {
    pub(crate) tokens: Vec<Token>,
}

/// A piece of a line.
pub(crate) struct Token {
    pub(crate) text: String,
    /// `None`: a name or delimiters.
    pub(crate) leaf: Option<LeafToken>,
}

/// What a leaf is.
pub(crate) struct LeafToken {
    pub(crate) number: usize,
    pub(crate) path: String,
    /// What became of it: a word, also a style.
    pub(crate) fate: &'static str,
    pub(crate) reason: String,
}

/// The lines of a message; empty when it is shown as a dump.
pub(crate) struct Raw {
    pub(crate) lines: Vec<Line>,
    pub(crate) leaves: usize,
    pub(crate) is_cut: bool,
    /// Leaves that reached nothing: path and fate.
    pub(crate) lost: Vec<(String, &'static str)>,
}

/// Shows a message. `reveal`: with its values.
pub(crate) fn raw(message: &Message<'_>, coverage: Option<&Coverage>, reveal: bool) -> Raw {
    let fates: HashMap<u32, (LeafFate, &str)> = coverage
        .map(|coverage| coverage.leaves.iter())
        .into_iter()
        .flatten()
        .map(|leaf| (leaf.span.start, (leaf.fate, leaf.reason.as_deref().unwrap_or_default())))
        .collect();
    let mut raw = Raw { lines: Vec::new(), leaves: 0, is_cut: false, lost: Vec::new() };
    for segment in message.segments() {
        if raw.leaves >= LEAVES_SHOWN_MAX {
            raw.is_cut = true;
            break;
        }
        let line = line(message, segment, &fates, reveal, &mut raw);
        raw.lines.push(line);
    }
    raw
}

fn line(
    message: &Message<'_>,
    segment: hl7v2::SegmentRef<'_>,
    fates: &HashMap<u32, (LeafFate, &str)>,
    reveal: bool,
    raw: &mut Raw,
) -> Line {
    let shown = |from: u32, to: u32| {
        let span = hl7v2::Span { start: from, end: to };
        visible(&message.charset().decode(span.of(message.bytes())).0)
    };
    let mut tokens = Vec::new();
    let mut at = segment.span().start;
    for leaf in segment.leaves() {
        if leaf.span.start > at {
            tokens.push(Token { text: shown(at, leaf.span.start), leaf: None });
        }
        at = leaf.span.end;
        let (fate, reason) = fates.get(&leaf.span.start).copied().unzip();
        let path = leaf.path.describe(message).to_string();
        let fate = fate.map_or("untold", fate_word);
        if matches!(fate, "unmapped" | "rejected") {
            raw.lost.push((path.clone(), fate));
        }
        let is_open = segment.name() == "MSH" && OPEN_HEADER_FIELDS.contains(&leaf.path.field);
        let is_null = leaf.span.of(message.bytes()) == b"\"\"";
        let text = if reveal || is_open || is_null { shown(leaf.span.start, at) } else { MASK.to_owned() };
        let leaf =
            LeafToken { number: raw.leaves, path, fate, reason: reason.unwrap_or_default().to_owned() };
        tokens.push(Token { text, leaf: Some(leaf) });
        raw.leaves += 1;
    }
    if segment.span().end > at {
        tokens.push(Token { text: shown(at, segment.span().end), leaf: None });
    }
    Line { tokens }
}

pub(crate) fn fate_word(fate: LeafFate) -> &'static str {
    match fate {
        LeafFate::Mapped => "mapped",
        LeafFate::Lossy => "lossy",
        LeafFate::Ignored => "ignored",
        LeafFate::Unmapped => "unmapped",
        LeafFate::Rejected => "rejected",
    }
}

/// Bytes that are no message: offset, hexadecimal, printable characters.
pub(crate) fn dump(bytes: &[u8]) -> (Vec<String>, bool) {
    let shown = bytes.get(..BYTES_SHOWN_MAX).unwrap_or(bytes);
    let lines = shown.chunks(DUMP_LINE_BYTES).enumerate().map(|(number, chunk)| {
        let hex: String = chunk.iter().map(|byte| format!("{byte:02x} ")).collect();
        let printable = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
        let text: String = chunk.iter().map(printable).collect();
        format!("{:06x}  {hex:<48} {text}", number * DUMP_LINE_BYTES)
    });
    (lines.collect(), shown.len() < bytes.len())
}

/// Text with control characters made visible, so that nothing hides.
pub(crate) fn visible(text: &str) -> String {
    let picture = |character: char| match u32::from(character) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or('\u{fffd}'),
        0x7f => '\u{2421}',
        // Marks that turn the direction of text could make a line read as another.
        0x202a..=0x202e | 0x2066..=0x2069 | 0x200e | 0x200f => '\u{fffd}',
        _ => character,
    };
    text.chars().map(picture).collect()
}

/// Lines of an acknowledgment or any other text of segments.
pub(crate) fn segment_lines(bytes: &[u8]) -> Vec<String> {
    let charset = Message::read(bytes).map(|message| message.charset()).ok();
    let text = match charset.or_else(|| Charset::from_label("UNICODE UTF-8")) {
        Some(charset) => charset.decode(bytes).0.into_owned(),
        None => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.split(['\r', '\n']).filter(|line| !line.is_empty()).map(visible).collect()
}
