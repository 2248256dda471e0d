//! What makes two arrivals the same: salted digests, so that the index tells nothing about a message.

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

use crate::sqlite::fault::unavailable;
use crate::{Arrival, Disposition, Error, Result, SenderKey};

/// The salt of a node's journal; every monthly file holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Salt([u8; SHA256_OUTPUT_LEN]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Salt")
    }
}

/// The digests of one arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// Of MSH-3, MSH-4 and MSH-10; `None` where nothing is looked up: refused, made by an edit, or without a
    /// sender.
    pub sender: Option<i64>,
    /// Of the bytes.
    pub digest: [u8; SHA256_OUTPUT_LEN],
}

impl Salt {
    /// A new salt.
    pub fn generate() -> Result<Self> {
        let mut salt = [0; SHA256_OUTPUT_LEN];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| unavailable("no randomness"))?;
        Ok(Self(salt))
    }

    /// The salt of a stored row.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| Error::Corrupt("the salt of the journal"))
    }

    /// For the stored row.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Both digests of an arrival.
    pub fn marks(&self, arrival: &Arrival) -> Marks {
        let accepted = arrival.disposition == Disposition::Accepted;
        let is_looked_up = accepted && arrival.parent.is_none();
        let sender = arrival.sender.as_ref().filter(|_| is_looked_up).map(|sender| self.sender(sender));
        Marks { sender, digest: self.digest(&arrival.bytes) }
    }

    /// SHA-256 of salt and bytes.
    pub fn digest(&self, bytes: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
        self.hash(&[bytes])
    }

    fn sender(&self, sender: &SenderKey) -> i64 {
        let SenderKey { application, facility, control_id } = sender;
        let length = |part: &[u8]| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
        let lengths = [length(application), length(facility)].concat();
        let hash = self.hash(&[&lengths, application, facility, control_id]);
        let [a, b, c, d, e, f, g, h, ..] = hash;
        i64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; SHA256_OUTPUT_LEN] {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }
}
