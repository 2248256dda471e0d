//! The message as received: a line for each segment, an element for each leaf; or a row for each leaf; or its bytes.

use std::collections::HashMap;

use hl7v2::{Charset, Leaf, Message};
use mapping::{Coverage, LeafFate};

use crate::clinical::MASK;
use crate::clinical::describe::{Description, describe};

/// Leaves shown.
const LEAVES_SHOWN_MAX: usize = 5_000;
/// Bytes of a dump that are shown.
const BYTES_SHOWN_MAX: usize = 16 * 1_024;
/// Bytes of a line of the dump.
const DUMP_LINE_BYTES: usize = 16;
/// Fields of MSH that say what kind of message it is, and nothing of a person.
const OPEN_HEADER_FIELDS: [u16; 5] = [3, 4, 9, 11, 12];

/// How the message is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Layout {
    /// Segments as sent.
    #[default]
    Raw,
    /// A row for each value, described.
    Tree,
    /// Bytes.
    Hex,
}

impl Layout {
    /// Every layout with the word of its link.
    pub(crate) const ALL: [(Self, &'static str); 3] =
        [(Self::Raw, "raw"), (Self::Tree, "tree"), (Self::Hex, "hex")];

    /// The layout of a word; raw for any other.
    pub(crate) fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|(_, name)| *name == word).map_or(Self::Raw, |(layout, _)| layout)
    }

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(layout, _)| *layout == self).map_or("raw", |(_, word)| word)
    }
}

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
    pub(crate) description: Description,
    /// The value with its escapes decoded, where that differs; only when values are shown.
    pub(crate) decoded: String,
    /// What became of it: a word, also a style.
    pub(crate) fate: &'static str,
    pub(crate) reason: String,
}

impl LeafToken {
    /// In one line, for the bar over the panels.
    pub(crate) fn line(&self) -> String {
        let fate = if self.reason.is_empty() {
            self.fate.to_owned()
        } else {
            format!("{}: {}", self.fate, self.reason)
        };
        let decoded = if self.decoded.is_empty() { String::new() } else { format!("means {}", self.decoded) };
        let told = [self.path.clone(), self.description.line(), decoded, fate];
        told.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" \u{b7} ")
    }
}

/// The lines of a message.
pub(crate) struct Raw {
    pub(crate) lines: Vec<Line>,
    pub(crate) leaves: usize,
    pub(crate) is_cut: bool,
    /// Leaves that reached nothing.
    pub(crate) lost: Vec<LostLeaf>,
}

/// A populated leaf that no element came of.
pub(crate) struct LostLeaf {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) fate: &'static str,
    pub(crate) reason: String,
}

impl Raw {
    /// Every leaf with its text.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&LeafToken, &str)> {
        let tokens = self.lines.iter().flat_map(|line| &line.tokens);
        tokens.filter_map(|token| Some((token.leaf.as_ref()?, token.text.as_str())))
    }
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
        let is_open = segment.name() == "MSH" && OPEN_HEADER_FIELDS.contains(&leaf.path.field);
        let is_null = leaf.span.of(message.bytes()) == b"\"\"";
        let is_shown = reveal || is_open || is_null;
        let text = if is_shown { shown(leaf.span.start, at) } else { MASK.to_owned() };
        let (fate, reason) = fates.get(&leaf.span.start).copied().unzip();
        let decoded = if is_shown { decoded(message, leaf, &text) } else { String::new() };
        let token = LeafToken {
            number: raw.leaves,
            path: leaf.path.describe(message).to_string(),
            description: describe(message, leaf.path),
            decoded,
            fate: fate.map_or("untold", fate_word),
            reason: reason.unwrap_or_default().to_owned(),
        };
        raw.note(&token);
        tokens.push(Token { text, leaf: Some(token) });
        raw.leaves += 1;
    }
    if segment.span().end > at {
        tokens.push(Token { text: shown(at, segment.span().end), leaf: None });
    }
    Line { tokens }
}

impl Raw {
    fn note(&mut self, token: &LeafToken) {
        if matches!(token.fate, "unmapped" | "rejected") {
            self.lost.push(LostLeaf {
                path: token.path.clone(),
                name: token.description.name.clone(),
                fate: token.fate,
                reason: token.reason.clone(),
            });
        }
    }
}

/// The text of a leaf without its escapes; empty when there are none.
fn decoded(message: &Message<'_>, leaf: Leaf, shown: &str) -> String {
    let text = visible(&message.part_of(leaf).text());
    if text == shown || leaf.span.of(message.bytes()) == b"\"\"" { String::new() } else { text }
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

/// Bytes: offset, hexadecimal, printable characters.
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
