//! Index rows of one version: made from extracted values, kept with the resource so that the next version can take out
//! exactly these.

use bytes::Bytes;

use crate::{Error, Result};

/// Longest key text of the index, in characters; longer values are found by their beginning.
pub(in crate::sqlite) const KEY_CHARS_MAX: usize = 256;

/// The parameter by whose values the resources of a patient lie newest first.
pub(in crate::sqlite) const DATE: &str = "date";
/// The parameter whose patients have a resource among theirs.
pub(in crate::sqlite) const OF_PATIENT: &str = "patient";
/// The newness of what has no date.
pub(in crate::sqlite) const UNDATED: i64 = i64::MAX;

/// One row of an index table, without the resource's own number. `T` is the text: its own, or that of a stored form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::sqlite) enum IndexRow<T = String> {
    /// `comp`: (patient, newness). One of the patient that a resource is kept with, and of each that its parameter `patient`
    /// names.
    Compartment { patient: i64, newness: i64 },
    /// `tok`
    Token { pid: i64, code: T, sys: i64 },
    /// `ref`
    Reference { pid: i64, target: i64 },
    /// `dat`
    Date { pid: i64, low_us: i64, high_us: i64 },
    /// `str`: the text is empty where folding changes nothing
    Text { pid: i64, folded: T, text: T },
    /// `uri`
    Uri { pid: i64, uri: T },
    /// `num`: the value's bits, so that rows can be compared
    Number { pid: i64, sys: i64, unit: T, bits: i64 },
}

impl<T> IndexRow<T> {
    /// The number of its parameter; none of a compartment's row.
    pub fn parameter(&self) -> Option<i64> {
        match self {
            Self::Compartment { .. } => None,
            Self::Token { pid, .. }
            | Self::Reference { pid, .. }
            | Self::Date { pid, .. }
            | Self::Text { pid, .. }
            | Self::Uri { pid, .. }
            | Self::Number { pid, .. } => Some(*pid),
        }
    }
}

impl IndexRow<&str> {
    fn owned(self) -> IndexRow {
        match self {
            Self::Compartment { patient, newness } => IndexRow::Compartment { patient, newness },
            Self::Token { pid, code, sys } => IndexRow::Token { pid, code: code.to_owned(), sys },
            Self::Reference { pid, target } => IndexRow::Reference { pid, target },
            Self::Date { pid, low_us, high_us } => IndexRow::Date { pid, low_us, high_us },
            Self::Text { pid, folded, text } => {
                IndexRow::Text { pid, folded: folded.to_owned(), text: text.to_owned() }
            }
            Self::Uri { pid, uri } => IndexRow::Uri { pid, uri: uri.to_owned() },
            Self::Number { pid, sys, unit, bits } => {
                IndexRow::Number { pid, sys, unit: unit.to_owned(), bits }
            }
        }
    }
}

/// The beginning of a text that is compared as it is.
pub(in crate::sqlite) fn cut(text: &str) -> String {
    text.chars().take(KEY_CHARS_MAX).collect()
}

/// The row of a text of a string parameter.
pub(in crate::sqlite) fn text_row(pid: i64, text: &str) -> IndexRow {
    let (folded, text) = (fhir::fold_string(text), cut(text));
    let text = if text == folded { String::new() } else { text };
    IndexRow::Text { pid, folded, text }
}

/// A code or key as it is compared: without case, and cut.
pub(in crate::sqlite) fn fold(text: &str) -> String {
    text.trim().chars().flat_map(char::to_lowercase).take(KEY_CHARS_MAX).collect()
}

/// The stored form: for each row a tag, then integers as LEB128 of their zigzag form and texts with their length.
pub(in crate::sqlite) fn encode(rows: &[IndexRow]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * 16);
    for row in rows {
        let (tag, integers, text): (u8, [i64; 3], Option<&str>) = match row {
            IndexRow::Compartment { patient, newness } => (COMPARTMENT, [*patient, *newness, 0], None),
            IndexRow::Token { pid, code, sys } => (2, [*pid, *sys, 0], Some(code)),
            IndexRow::Reference { pid, target } => (3, [*pid, *target, 0], None),
            IndexRow::Date { pid, low_us, high_us } => (4, [*pid, *low_us, *high_us], None),
            IndexRow::Text { pid, folded, .. } => (TEXT, [*pid, 0, 0], Some(folded)),
            IndexRow::Uri { pid, uri } => (6, [*pid, 0, 0], Some(uri)),
            IndexRow::Number { pid, sys, unit, bits } => (7, [*pid, *sys, *bits], Some(unit)),
        };
        bytes.push(tag);
        integers.iter().for_each(|integer| put(&mut bytes, zigzag(*integer)));
        put_text(&mut bytes, text.unwrap_or_default());
        if let IndexRow::Text { text, .. } = row {
            put_text(&mut bytes, text);
        }
    }
    bytes
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put(bytes, u64::try_from(text.len()).unwrap_or(u64::MAX));
    bytes.extend_from_slice(text.as_bytes());
}

fn take_text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
    let length = usize::try_from(take(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

/// The rows of a stored form.
pub(in crate::sqlite) fn decode(bytes: &[u8]) -> Result<Vec<IndexRow>> {
    let mut rest = bytes;
    let mut rows = Vec::new();
    while !rest.is_empty() {
        rows.push(row(&mut rest).ok_or(CORRUPT)?.owned());
    }
    Ok(rows)
}

/// A stored form that is whole, whose rows are looked at where they lie: of a hundred candidates a search asks each for one or
/// two of its rows.
#[derive(Debug, Clone)]
pub(in crate::sqlite) struct Entries(Bytes);

impl Entries {
    /// # Errors
    /// When it is damaged.
    pub fn new(bytes: Bytes) -> Result<Self> {
        let mut rest = &*bytes;
        while !rest.is_empty() {
            pass(&mut rest).ok_or(CORRUPT)?;
        }
        Ok(Self(bytes))
    }

    /// Its rows of a parameter.
    pub fn of(&self, parameter: i64) -> impl Iterator<Item = IndexRow<&str>> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            loop {
                let mut after = rest;
                if tag_and_first(&mut after)? == (false, parameter) {
                    return row(&mut rest);
                }
                pass(&mut rest)?;
            }
        })
    }
}

const CORRUPT: Error = Error::Corrupt("the index entries of a resource");
/// The tag of a compartment's row, which has no parameter.
const COMPARTMENT: u8 = 1;
/// That of a text's, which has a second text.
const TEXT: u8 = 5;

fn row<'b>(rest: &mut &'b [u8]) -> Option<IndexRow<&'b str>> {
    let (tag, after) = rest.split_first()?;
    *rest = after;
    let [a, b, c] = [take(rest)?, take(rest)?, take(rest)?].map(unzigzag);
    let text = take_text(rest)?;
    Some(match *tag {
        COMPARTMENT => IndexRow::Compartment { patient: a, newness: b },
        2 => IndexRow::Token { pid: a, code: text, sys: b },
        3 => IndexRow::Reference { pid: a, target: b },
        4 => IndexRow::Date { pid: a, low_us: b, high_us: c },
        TEXT => IndexRow::Text { pid: a, folded: text, text: take_text(rest)? },
        6 => IndexRow::Uri { pid: a, uri: text },
        7 => IndexRow::Number { pid: a, sys: b, unit: text, bits: c },
        _ => return None,
    })
}

/// Whether a row is of a compartment, and its first integer.
fn tag_and_first(rest: &mut &[u8]) -> Option<(bool, i64)> {
    let (tag, after) = rest.split_first()?;
    *rest = after;
    Some((*tag == COMPARTMENT, unzigzag(take(rest)?)))
}

/// Goes past a row that [`row`] would read, without reading it.
fn pass(rest: &mut &[u8]) -> Option<()> {
    let (tag, after) = rest.split_first()?;
    *rest = after;
    for _ in 0..3 {
        let length = rest.iter().take(VARINT_BYTES_MAX).position(|byte| byte & 0x80 == 0)?;
        *rest = rest.get(length + 1..)?;
    }
    take_text(rest)?;
    match *tag {
        TEXT => take_text(rest).map(|_| ()),
        COMPARTMENT..=7 => Some(()),
        _ => None,
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// Bytes of the longest integer.
const VARINT_BYTES_MAX: usize = 10;

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Entries, IndexRow, decode, encode, fold};

    fn rows() -> Vec<IndexRow> {
        vec![
            IndexRow::Compartment { patient: 7, newness: i64::MIN },
            IndexRow::Token { pid: 1, code: "é-1".into(), sys: 300 },
            IndexRow::Reference { pid: 2, target: i64::MAX },
            IndexRow::Date { pid: 3, low_us: -1, high_us: 1 },
            IndexRow::Text { pid: 4, folded: "ae".into(), text: "Æ".into() },
            IndexRow::Uri { pid: 5, uri: "urn:x".into() },
            IndexRow::Number { pid: 6, sys: 0, unit: "mg".into(), bits: 81.25_f64.to_bits().cast_signed() },
        ]
    }

    #[test]
    fn rows_come_back() {
        assert_eq!(decode(&encode(&rows())).unwrap(), rows());
        assert_eq!(decode(&[]).unwrap(), Vec::new());
        let entries = Entries::new(encode(&rows()).into()).unwrap();
        for row in rows() {
            let Some(parameter) = row.parameter() else { continue };
            assert!(entries.of(parameter).map(IndexRow::owned).eq([row]));
        }
        // The number of a patient is no parameter.
        assert_eq!(entries.of(7).count(), 0);
    }

    #[test]
    fn what_is_cut_short_is_reported() {
        let bytes = encode(&rows());
        assert!((0..bytes.len()).all(|length| {
            decode(&bytes[..length]).is_ok() == Entries::new(bytes[..length].to_vec().into()).is_ok()
        }));
        let whole = (0..bytes.len()).filter(|length| decode(&bytes[..*length]).is_ok()).count();
        assert_eq!(whole, rows().len(), "only prefixes that end with a row can be read");
        assert!(decode(&[9, 0, 0, 0, 0]).is_err());
        assert!(decode(&[2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn folding_ignores_case_and_edges() {
        assert_eq!(fold(" AbÉ "), "abé");
        assert_eq!(fold(&"x".repeat(400)).len(), 256);
    }
}
