//! Signed statements about the tree: C2SP tlog-checkpoint.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::Hash;
use crate::{Error, SigningKey, VerifyingKey, note};

/// The state of a log at a moment. Its text is origin, size, root and an extension line `time <µs>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, one line.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// The RFC 6962 root of those leaves.
    pub root: Hash,
    /// When it was signed, µs since the epoch, UTC.
    pub at_us: i64,
}

impl Checkpoint {
    /// The signed note. A line break in the origin is replaced, because the note could not be read again.
    pub fn to_note(&self, key: &SigningKey) -> String {
        let origin = self.origin.replace(['\n', '\r'], "_");
        let root = STANDARD.encode(self.root);
        note::sign(&format!("{origin}\n{}\n{root}\ntime {}\n", self.size, self.at_us), key)
    }

    /// Reads a note that `key` signed.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it is no checkpoint of ours, [`Error::Signature`] when `key` did not sign it.
    pub fn from_note(text: &str, key: &VerifyingKey) -> Result<Self, Error> {
        let body = note::open(text, key, Error::Checkpoint)?;
        let mut lines = body.strip_suffix('\n').ok_or(Error::Checkpoint)?.split('\n');
        let (Some(origin), Some(size), Some(root), Some(time), None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(Error::Checkpoint);
        };
        let root =
            STANDARD.decode(root).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(Error::Checkpoint)?;
        let time = time.strip_prefix("time ").ok_or(Error::Checkpoint)?;
        if origin.is_empty() {
            return Err(Error::Checkpoint);
        }
        Ok(Self { origin: origin.to_owned(), size: number(size)?, root, at_us: number(time)? })
    }
}

/// A decimal number in its one form: no plus sign, no leading zero.
fn number<N: std::str::FromStr + ToString>(text: &str) -> Result<N, Error> {
    let value: N = text.parse().map_err(|_| Error::Checkpoint)?;
    if value.to_string() == text { Ok(value) } else { Err(Error::Checkpoint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (SigningKey, Checkpoint) {
        let key = SigningKey::generate("node-1/ledger").expect("key");
        (
            key,
            Checkpoint {
                origin: "node-1/ledger".into(),
                size: 3,
                root: [7; 32],
                at_us: 1_700_000_000_000_000,
            },
        )
    }

    #[test]
    fn the_note_has_the_standard_form() {
        let (key, checkpoint) = sample();
        let note = checkpoint.to_note(&key);
        let text = "node-1/ledger\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\ntime 1700000000000000\n\n\u{2014} node-1/ledger ";
        assert!(note.starts_with(text) && note.ends_with('\n'));
        assert_eq!(Checkpoint::from_note(&note, &key.public()).expect("reads"), checkpoint);
    }

    #[test]
    fn a_changed_byte_or_another_key_is_refused() {
        let (key, checkpoint) = sample();
        let note = checkpoint.to_note(&key);
        for place in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= 1;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            assert!(Checkpoint::from_note(&text, &key.public()).is_err(), "byte {place}");
        }
        let other = SigningKey::generate("node-1/ledger").expect("key");
        assert!(matches!(Checkpoint::from_note(&note, &other.public()), Err(Error::Signature)));
        assert!(matches!(Checkpoint::from_note("", &key.public()), Err(Error::Checkpoint)));
    }

    #[test]
    fn signatures_of_others_are_passed_over() {
        let (key, checkpoint) = sample();
        let note = checkpoint.to_note(&key);
        let (body, line) = note.split_once("\n\n").expect("note");
        let cosigned = format!("{body}\n\n\u{2014} witness.example AAAAAAAA\n{line}");
        assert_eq!(Checkpoint::from_note(&cosigned, &key.public()).expect("reads"), checkpoint);
    }
}
