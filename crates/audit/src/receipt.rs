//! What a receiving node signs for a release it stored.

use crate::code::is_code;
use crate::merkle::{Hash, digest, hash_from_hex, to_hex};
use crate::{Error, SigningKey, VerifyingKey, note};

/// First line of every receipt.
const HEADER: &str = "tidegate-receipt/v1";

/// One release, stored: the receiving node signs it, the sending node enters [`Receipt::text_hash`] into its ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Resource type of the release, or the kind of another payload.
    pub released_type: String,
    /// Its released (pseudonymous) id.
    pub released_id: String,
    /// SHA-256 of the bytes received.
    pub content_hash: Hash,
    /// The receiving destination's name.
    pub destination: String,
    /// The region the destination stores in.
    pub region: String,
    /// When it was stored, µs since the epoch, UTC.
    pub at_us: i64,
}

impl Receipt {
    /// The signed note.
    ///
    /// # Errors
    /// [`Error::NotACode`] when a text of the receipt is empty or outside [`is_code`](crate::is_code).
    pub fn to_text(&self, key: &SigningKey) -> Result<String, Error> {
        let codes = [&self.released_type, &self.released_id, &self.destination, &self.region];
        if !codes.into_iter().all(|code| !code.is_empty() && is_code(code)) {
            return Err(Error::NotACode);
        }
        Ok(note::sign(&self.body(), key))
    }

    /// Reads a receipt that `key` signed.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it is no receipt, [`Error::Signature`] when `key` did not sign it.
    pub fn from_text(text: &str, key: &VerifyingKey) -> Result<Self, Error> {
        let body = note::open(text, key, Error::Checkpoint)?;
        let lines: Vec<&str> = body.lines().collect();
        let [HEADER, released_type, released_id, hash, destination, region, time] = lines[..] else {
            return Err(Error::Checkpoint);
        };
        let hash = hash.strip_prefix("sha256 ").and_then(hash_from_hex).ok_or(Error::Checkpoint)?;
        let time = time.strip_prefix("time ").and_then(|time| time.parse().ok()).ok_or(Error::Checkpoint)?;
        let receipt = Self {
            released_type: released_type.to_owned(),
            released_id: released_id.to_owned(),
            content_hash: hash,
            destination: destination.to_owned(),
            region: region.to_owned(),
            at_us: time,
        };
        let codes = [released_type, released_id, destination, region];
        let coded = codes.into_iter().all(|code| !code.is_empty() && is_code(code));
        if coded && receipt.body() == body { Ok(receipt) } else { Err(Error::Checkpoint) }
    }

    /// The hash that the sending node enters into its ledger: SHA-256 of the receipt's text, in hexadecimal.
    pub fn text_hash(text: &str) -> String {
        to_hex(&digest(&[text.as_bytes()]))
    }

    fn body(&self) -> String {
        let Self { released_type, released_id, content_hash, destination, region, at_us } = self;
        let hash = to_hex(content_hash);
        format!(
            "{HEADER}\n{released_type}\n{released_id}\nsha256 {hash}\n{destination}\n{region}\ntime {at_us}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Receipt {
        Receipt {
            released_type: "Observation".into(),
            released_id: "0f".into(),
            content_hash: [9; 32],
            destination: "portal".into(),
            region: "eu-central".into(),
            at_us: 5,
        }
    }

    #[test]
    fn a_receipt_survives_its_text_and_no_other_key_made_it() {
        let key = SigningKey::generate("cloud-1/receipt").expect("key");
        let text = sample().to_text(&key).expect("codes");
        assert_eq!(Receipt::from_text(&text, &key.public()).expect("reads"), sample());
        let other = SigningKey::generate("cloud-1/receipt").expect("key");
        assert!(matches!(Receipt::from_text(&text, &other.public()), Err(Error::Signature)));
        let moved = text.replace("eu-central", "us-central");
        assert!(matches!(Receipt::from_text(&moved, &key.public()), Err(Error::Signature)));
    }

    #[test]
    fn a_receipt_is_not_a_checkpoint_and_takes_no_free_text() {
        let key = SigningKey::generate("cloud-1/receipt").expect("key");
        let text = sample().to_text(&key).expect("codes");
        assert!(crate::Checkpoint::from_note(&text, &key.public()).is_err());
        let free = Receipt { destination: "the portal\nof Jane".into(), ..sample() };
        assert!(matches!(free.to_text(&key), Err(Error::NotACode)));
    }
}
