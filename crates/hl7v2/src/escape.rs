//! Escape sequences (HL7 v2.5.1 section 2.7), undone after splitting and put back when writing.

use std::borrow::Cow;

use crate::limits::MAX_FORMAT_REPEAT;
use crate::{Charset, Delimiters, find};

/// Text of one part and what was odd about it.
pub struct Decoded<'a> {
    /// The text; borrowed when nothing had to change.
    pub text: Cow<'a, str>,
    /// A sequence without a known meaning (`\Zx\`, `\C2842\`, `C:\dir\x`) stands verbatim in the text.
    pub has_unknown_escape: bool,
    /// Some bytes had no meaning in the character set and became U+FFFD.
    pub has_replacement: bool,
}

impl std::fmt::Debug for Decoded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoded").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

/// Unescapes and decodes the bytes of one part.
#[must_use]
pub fn decode<'a>(raw: &'a [u8], delimiters: &Delimiters, charset: Charset) -> Decoded<'a> {
    decode_masked(raw, raw, delimiters, charset)
}

/// As [`decode`]; escape characters are looked for in `syntax`, a copy of `raw` of the same length in which the bytes
/// of multi-byte characters are masked.
pub(crate) fn decode_masked<'a>(
    raw: &'a [u8],
    syntax: &[u8],
    delimiters: &Delimiters,
    charset: Charset,
) -> Decoded<'a> {
    let first = delimiters.escape.and_then(|escape| find::first(escape, syntax).map(|at| (escape, at)));
    let Some((escape, first)) = first else {
        let (text, has_replacement) = charset.decode(raw);
        return Decoded { text, has_unknown_escape: false, has_replacement };
    };
    let mut bytes = Vec::with_capacity(raw.len());
    let mut has_unknown_escape = false;
    let mut copied = 0;
    let mut next = Some(first);
    while let Some(open) = next {
        let close = find_from(escape, syntax, open + 1);
        let sequence = close.and_then(|close| raw.get(open + 1..close));
        bytes.extend_from_slice(raw.get(copied..open).unwrap_or_default());
        copied = open;
        match (close, sequence) {
            (Some(close), Some(sequence)) if undo(sequence, delimiters, &mut bytes) => {
                copied = close + 1;
                next = find_from(escape, syntax, copied);
            }
            // The closing character of an unknown sequence may open a known one.
            _ => {
                has_unknown_escape = true;
                next = close;
            }
        }
    }
    bytes.extend_from_slice(raw.get(copied..).unwrap_or_default());
    let (text, has_replacement) = charset.decode(&bytes);
    Decoded { text: Cow::Owned(text.into_owned()), has_unknown_escape, has_replacement }
}

fn find_from(escape: u8, syntax: &[u8], from: usize) -> Option<usize> {
    find::first(escape, syntax.get(from..)?).map(|at| from + at)
}

/// Writes what a sequence stands for; false when it has no known meaning.
fn undo(sequence: &[u8], delimiters: &Delimiters, out: &mut Vec<u8>) -> bool {
    let character = match sequence {
        b"F" => Some(delimiters.field),
        b"S" => Some(delimiters.component),
        b"T" => Some(delimiters.subcomponent),
        b"R" => Some(delimiters.repetition),
        b"E" => delimiters.escape,
        b"P" => delimiters.truncation,
        // Start and end of highlighting: no place in plain text.
        b"H" | b"N" => return true,
        [b'X', hex @ ..] => return undo_hex(hex, out),
        [b'.', command @ ..] => return undo_format(command, out),
        _ => None,
    };
    out.extend(character);
    character.is_some()
}

fn undo_hex(hex: &[u8], out: &mut Vec<u8>) -> bool {
    let digits: Option<Vec<u8>> =
        hex.iter().map(|b| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let Some(digits) = digits.filter(|d| !d.is_empty() && d.len() % 2 == 0) else { return false };
    // `\X000D\`: a line end written as a 16-bit number.
    let digits = match digits.as_slice() {
        [0, 0, 0, 0xA] | [0, 0, 0, 0xD] => digits.get(2..).unwrap_or_default(),
        all => all,
    };
    out.extend(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)));
    true
}

/// Formatting commands of FT (section 2.7.6), as far as plain text can show them.
fn undo_format(command: &[u8], out: &mut Vec<u8>) -> bool {
    let Some((name, argument)) = command.split_at_checked(2) else { return false };
    let count = match argument {
        [] => Some(1),
        digits => std::str::from_utf8(digits).ok().and_then(|t| t.parse::<i32>().ok()),
    };
    let Some(count) = count else { return false };
    let times = usize::try_from(count).unwrap_or(0).min(MAX_FORMAT_REPEAT);
    match name.to_ascii_lowercase().as_slice() {
        b"br" | b"ce" if argument.is_empty() => out.push(b'\n'),
        b"sp" => out.extend(std::iter::repeat_n(b'\n', times)),
        b"sk" => out.extend(std::iter::repeat_n(b' ', times)),
        b"in" | b"ti" => {}
        b"fi" | b"nf" if argument.is_empty() => {}
        _ => return false,
    }
    true
}

/// Escapes text for one part: delimiters as `\F\ \S\ \T\ \R\ \E\ \P\`, control characters as `\Xdd\`.
/// Where MSH-2 declares no escape character a delimiter cannot be written and becomes a space.
#[must_use]
pub fn encode<'a>(text: &'a str, delimiters: &Delimiters) -> Cow<'a, str> {
    let special =
        |c: char| u8::try_from(c).is_ok_and(|b| b.is_ascii() && (b < b' ' || delimiters.contains(b)));
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match (special(c), u8::try_from(c), delimiters.escape) {
            (true, Ok(byte), Some(escape)) => encode_byte(byte, escape, delimiters, &mut out),
            (true, ..) => out.push(' '),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn encode_byte(byte: u8, escape: u8, delimiters: &Delimiters, out: &mut String) {
    let mark = char::from(escape);
    out.push(mark);
    match byte {
        b if b == escape => out.push('E'),
        b if b == delimiters.field => out.push('F'),
        b if b == delimiters.component => out.push('S'),
        b if b == delimiters.subcomponent => out.push('T'),
        b if b == delimiters.repetition => out.push('R'),
        b if Some(b) == delimiters.truncation => out.push('P'),
        b => out.push_str(&format!("X{b:02X}")),
    }
    out.push(mark);
}
