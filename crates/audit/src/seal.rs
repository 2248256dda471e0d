//! Numbering the leaves and signing the tree.

use crate::merkle::{Frontier, Hash, leaf_hash};
use crate::{Checkpoint, Error, SigningKey};

/// Most records between two checkpoints.
pub const SEAL_RECORDS_MAX: usize = 1_000;
/// Longest time between a record and its checkpoint, in µs.
pub const SEAL_INTERVAL_US: i64 = 1_000_000;

/// The one numberer of a ledger: the tree as it is committed, and the time of the last checkpoint.
///
/// Sealing has two steps, so that nothing is advanced by a transaction that fails: [`Sealer::prepare`] computes,
/// the caller writes leaf numbers, hashes, note and frontier in one transaction, then [`Sealer::commit`]s.
#[derive(Debug, Clone)]
pub struct Sealer {
    origin: String,
    frontier: Frontier,
    last_at_us: i64,
}

/// What one sealing writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Leaf number of the first record, from 0.
    pub first_leaf: u64,
    /// Leaf hashes, in the order of the records.
    pub hashes: Vec<Hash>,
    /// The checkpoint over everything up to the last of them.
    pub checkpoint: Checkpoint,
    /// The signed note of that checkpoint.
    pub note: String,
    /// The tree after these records.
    pub frontier: Frontier,
}

impl Sealer {
    /// Continues a ledger from its stored frontier and the time of its last checkpoint (0 when there is none).
    pub fn new(origin: &str, frontier: Frontier, last_at_us: i64) -> Self {
        Self { origin: origin.to_owned(), frontier, last_at_us }
    }

    /// Number of leaves committed.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The tree as committed.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Seals these records, in this order, at `now_us`. The checkpoint's time never runs backwards, whatever the clock
    /// does. Without records it is a fresh checkpoint over the same tree.
    pub fn prepare<'a>(
        &self,
        records: impl IntoIterator<Item = &'a [u8]>,
        now_us: i64,
        key: &SigningKey,
    ) -> Seal {
        let mut frontier = self.frontier.clone();
        let hashes: Vec<Hash> = records.into_iter().map(leaf_hash).collect();
        for hash in &hashes {
            frontier.append(*hash);
        }
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: frontier.size(),
            root: frontier.root(),
            at_us: now_us.max(self.last_at_us),
        };
        let note = checkpoint.to_note(key);
        Seal { first_leaf: self.frontier.size(), hashes, checkpoint, note, frontier }
    }

    /// Takes a seal that is durably written.
    ///
    /// # Errors
    /// [`Error::Discontinuous`] when it was prepared from another state.
    pub fn commit(&mut self, seal: &Seal) -> Result<(), Error> {
        let mut expected = self.frontier.clone();
        for hash in &seal.hashes {
            expected.append(*hash);
        }
        if seal.first_leaf != self.frontier.size()
            || expected != seal.frontier
            || seal.checkpoint.at_us < self.last_at_us
        {
            return Err(Error::Discontinuous);
        }
        self.frontier = expected;
        self.last_at_us = seal.checkpoint.at_us;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_advances_before_commit_and_no_seal_commits_twice() {
        let key = SigningKey::generate("node-1").expect("key");
        let mut sealer = Sealer::new("node-1", Frontier::default(), 0);
        let first = sealer.prepare([b"a".as_slice(), b"b"], 10, &key);
        assert_eq!((sealer.size(), first.first_leaf, first.checkpoint.size), (0, 0, 2));
        sealer.commit(&first).expect("continues");
        assert_eq!(sealer.size(), 2);
        assert!(matches!(sealer.commit(&first), Err(Error::Discontinuous)));
        let second = sealer.prepare([b"c".as_slice()], 5, &key);
        assert_eq!((second.first_leaf, second.checkpoint.at_us), (2, 10));
    }
}
