//! Finds needles in short texts. It is built for every message, so that building must cost little: a bitmap over the
//! first four bytes of each needle, then a table, then a comparison.

use std::collections::HashMap;

use crate::known::IdentifierKind;

/// Shortest needle.
pub(crate) const NEEDLE_BYTES_MIN: usize = 4;
const WORDS: usize = 1024;

/// The first bytes of a needle.
type Head = [u8; NEEDLE_BYTES_MIN];

/// A needle and what it is.
type Needle = (Box<[u8]>, IdentifierKind);

/// Needles by their first bytes.
pub(crate) struct Search {
    bitmap: Vec<u64>,
    needles: HashMap<Head, Vec<Needle>>,
    count: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self { bitmap: vec![0; WORDS], needles: HashMap::new(), count: 0 }
    }
}

impl Search {
    /// Adds a needle; one that is too short is left out, one that is there keeps its first kind.
    pub(crate) fn add(&mut self, needle: &str, kind: IdentifierKind) {
        let Some(head) = needle.as_bytes().first_chunk::<NEEDLE_BYTES_MIN>() else { return };
        let same_head = self.needles.entry(*head).or_default();
        if same_head.iter().any(|(other, _)| **other == *needle.as_bytes()) {
            return;
        }
        same_head.push((needle.as_bytes().into(), kind));
        self.count += 1;
        let (word, bit) = slot(head);
        if let Some(word) = self.bitmap.get_mut(word) {
            *word |= bit;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether a needle stands in the text that counts, by its kind and length.
    pub(crate) fn any(&self, text: &[u8], counts: &dyn Fn(IdentifierKind, usize) -> bool) -> bool {
        let mut rest = text;
        while let Some(head) = rest.first_chunk::<NEEDLE_BYTES_MIN>() {
            if self.may_begin(head)
                && let Some(same_head) = self.needles.get(head)
                && same_head
                    .iter()
                    .any(|(needle, kind)| rest.starts_with(needle) && counts(*kind, needle.len()))
            {
                return true;
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        false
    }

    /// Whether a needle may begin so; most texts begin like none.
    fn may_begin(&self, head: &Head) -> bool {
        let (word, bit) = slot(head);
        self.bitmap.get(word).is_some_and(|word| word & bit != 0)
    }

    /// The kind of a needle that is the whole text.
    pub(crate) fn exact(&self, text: &str) -> Option<IdentifierKind> {
        let head = text.as_bytes().first_chunk::<NEEDLE_BYTES_MIN>()?;
        let same_head = if self.may_begin(head) { self.needles.get(head)? } else { return None };
        same_head.iter().find(|(needle, _)| **needle == *text.as_bytes()).map(|(_, kind)| *kind)
    }
}

/// Word and bit of the bitmap, by multiplicative hashing.
fn slot(head: &[u8; NEEDLE_BYTES_MIN]) -> (usize, u64) {
    let hash = u32::from_le_bytes(*head).wrapping_mul(0x9e37_79b1) >> 16;
    // The hash has sixteen bits: ten choose the word, six the bit.
    (usize::try_from(hash >> 6).unwrap_or(0), 1 << (hash & 63))
}
