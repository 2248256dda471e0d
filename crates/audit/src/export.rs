//! The export of a ledger: NDJSON, records first, then checkpoints. Two verifiers read it, one in another language.
//!
//! ```text
//! {"leaf":0,"record":"<base64>","hash":"<hex>"}
//! {"checkpoint":"<signed note>"}
//! ```
//!
//! The public key is not part of it: who verifies has it from elsewhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::merkle::{Hash, hash_from_hex, to_hex};
use crate::{Error, Verification};

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A record.
    Leaf {
        /// Leaf number, from 0.
        leaf: u64,
        /// The record's bytes.
        record: Vec<u8>,
        /// The leaf hash stored with it.
        hash: Hash,
    },
    /// A signed note.
    Checkpoint(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeafText {
    leaf: u64,
    record: String,
    hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointText {
    checkpoint: String,
}

impl Line {
    /// The line without its newline.
    pub fn to_text(&self) -> String {
        let text = match self {
            Self::Leaf { leaf, record, hash } => {
                let record = STANDARD.encode(record);
                serde_json::to_string(&LeafText { leaf: *leaf, record, hash: to_hex(hash) })
            }
            Self::Checkpoint(note) => serde_json::to_string(&CheckpointText { checkpoint: note.clone() }),
        };
        // Structs of strings and integers have no value that serde_json refuses.
        text.unwrap_or_default()
    }

    /// Reads one line.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is neither form.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        if let Ok(CheckpointText { checkpoint }) = serde_json::from_str(text) {
            return Ok(Self::Checkpoint(checkpoint));
        }
        let LeafText { leaf, record, hash } = serde_json::from_str(text).map_err(|_| Error::Unreadable)?;
        let record = STANDARD.decode(record).map_err(|_| Error::Unreadable)?;
        Ok(Self::Leaf { leaf, record, hash: hash_from_hex(&hash).ok_or(Error::Unreadable)? })
    }

    /// Feeds the line to a verification of the ledger it was exported from.
    pub fn enter(&self, verification: &mut Verification) {
        match self {
            Self::Leaf { leaf, record, hash } => verification.record_with_hash(*leaf, record, *hash),
            Self::Checkpoint(note) => verification.checkpoint(note),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_their_text_and_nothing_else_reads() {
        for line in [
            Line::Leaf { leaf: 3, record: b"{}".to_vec(), hash: [1; 32] },
            Line::Checkpoint("a\n1\n\n\u{2014} a b\n".into()),
        ] {
            assert_eq!(Line::from_text(&line.to_text()).expect("reads"), line);
        }
        for bad in ["", "{}", "{\"leaf\":1}", "{\"leaf\":1,\"record\":\"e30=\",\"hash\":\"00\"}", "[1]"] {
            assert!(matches!(Line::from_text(bad), Err(Error::Unreadable)), "{bad}");
        }
    }
}
