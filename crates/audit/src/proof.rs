//! Inclusion and consistency proofs, RFC 6962 §2.1.1 and §2.1.2, verified as in RFC 9162 §2.1.3.2 and §2.1.4.2.

use crate::merkle::{Frontier, Hash, node_hash};

/// The audit path of leaf `index` (from 0) in the tree of `leaves`, given as leaf hashes; empty when there is no such leaf.
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Vec<Hash> {
    let Some(mut index) = usize::try_from(index).ok().filter(|index| *index < leaves.len()) else {
        return Vec::new();
    };
    let mut proof = Vec::new();
    let mut tree = leaves;
    while tree.len() > 1 {
        let (left, right) = tree.split_at(split(tree.len()));
        if index < left.len() {
            proof.push(root(right));
            tree = left;
        } else {
            proof.push(root(left));
            index -= left.len();
            tree = right;
        }
    }
    proof.reverse();
    proof
}

/// The audit path of one leaf, from leaf hashes that are given one after the other; holds O(log n) hashes.
#[derive(Debug)]
pub struct InclusionProver {
    /// First leaf, end, and tree of each subtree beside the path, largest first.
    beside: Vec<(u64, u64, Frontier)>,
    next: u64,
}

impl InclusionProver {
    /// A prover of leaf `index` (from 0) in the tree of `size` leaves; `None` when there is no such leaf.
    pub fn new(index: u64, size: u64) -> Option<Self> {
        if index >= size {
            return None;
        }
        let (mut low, mut high) = (0, size);
        let mut beside = Vec::new();
        while high - low > 1 {
            // The largest power of two below the number of leaves.
            let middle = low + (high - low).next_power_of_two() / 2;
            if index < middle {
                beside.push((middle, high, Frontier::default()));
                high = middle;
            } else {
                beside.push((low, middle, Frontier::default()));
                low = middle;
            }
        }
        Some(Self { beside, next: 0 })
    }

    /// The hash of the next leaf; those beyond the tree change nothing.
    pub fn leaf(&mut self, hash: Hash) {
        let number = self.next;
        self.next += 1;
        let place = self.beside.iter_mut().find(|(low, high, _)| (*low..*high).contains(&number));
        if let Some((_, _, tree)) = place {
            tree.append(hash);
        }
    }

    /// The path, as [`inclusion_proof`] gives it.
    pub fn finish(self) -> Vec<Hash> {
        self.beside.iter().rev().map(|(_, _, tree)| tree.root()).collect()
    }
}

/// True when `proof` shows that `leaf` is leaf `index` (from 0) of the tree of `size` leaves with this `root`.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// The proof that the tree of the first `old` leaves is a prefix of the tree of `leaves`; empty when `old` is 0, all of
/// them, or more.
pub fn consistency_proof(leaves: &[Hash], old: u64) -> Vec<Hash> {
    let Some(mut old) = usize::try_from(old).ok().filter(|old| (1..leaves.len()).contains(old)) else {
        return Vec::new();
    };
    let mut proof = Vec::new();
    let mut tree = leaves;
    // While the old tree is a whole left edge, its root is known to the verifier and left out of the proof.
    let mut left_edge = true;
    while old < tree.len() {
        let (left, right) = tree.split_at(split(tree.len()));
        if old <= left.len() {
            proof.push(root(right));
            tree = left;
        } else {
            proof.push(root(left));
            old -= left.len();
            tree = right;
            left_edge = false;
        }
    }
    if !left_edge {
        proof.push(root(tree));
    }
    proof.reverse();
    proof
}

/// True when `proof` shows that the tree of `old` leaves with `old_root` is a prefix of that of `new` leaves with
/// `new_root`. An empty old tree proves nothing and is refused.
pub fn verify_consistency(old: u64, new: u64, old_root: Hash, new_root: Hash, proof: &[Hash]) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let mut path = proof.iter();
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let first = if old.is_power_of_two() { Some(&old_root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == old_root && new_hash == new_root
}

/// Leaves of the left subtree of a tree of `size` > 1: the largest power of two below it.
fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Frontier::default();
    for leaf in leaves {
        tree.append(*leaf);
    }
    tree.root()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|number| leaf_hash(&[number])).collect()
    }

    #[test]
    fn every_inclusion_proof_verifies_and_no_changed_one_does() {
        for size in 1u8..=33 {
            let leaves = leaves(size);
            let tree_root = root(&leaves);
            for (index, leaf) in (0u64..).zip(&leaves) {
                let proof = inclusion_proof(&leaves, index);
                let mut prover = InclusionProver::new(index, size.into()).expect("is a leaf");
                leaves.iter().for_each(|leaf| prover.leaf(*leaf));
                assert_eq!(prover.finish(), proof, "{index} of {size}");
                assert!(verify_inclusion(*leaf, index, size.into(), &proof, tree_root));
                assert!(!verify_inclusion(*leaf, index + 1, size.into(), &proof, tree_root));
                assert!(!verify_inclusion(leaf_hash(b"other"), index, size.into(), &proof, tree_root));
                let mut longer = proof.clone();
                longer.push(*leaf);
                assert!(!verify_inclusion(*leaf, index, size.into(), &longer, tree_root));
                for place in 0..proof.len() {
                    let mut changed = proof.clone();
                    changed[place][0] ^= 1;
                    assert!(!verify_inclusion(*leaf, index, size.into(), &changed, tree_root));
                }
            }
        }
        assert!(inclusion_proof(&leaves(3), 3).is_empty() && InclusionProver::new(3, 3).is_none());
    }

    #[test]
    fn every_consistency_proof_verifies_and_no_changed_one_does() {
        for new in 1u8..=33 {
            let all = leaves(new);
            for old in 1..=new {
                let old_root = root(&all[..usize::from(old)]);
                let proof = consistency_proof(&all, old.into());
                assert!(
                    verify_consistency(old.into(), new.into(), old_root, root(&all), &proof),
                    "{old} {new}"
                );
                assert!(!verify_consistency(old.into(), new.into(), leaf_hash(b"fork"), root(&all), &proof));
                assert!(!verify_consistency(old.into(), new.into(), old_root, leaf_hash(b"fork"), &proof));
                for place in 0..proof.len() {
                    let mut changed = proof.clone();
                    changed[place][31] ^= 0x80;
                    assert!(!verify_consistency(old.into(), new.into(), old_root, root(&all), &changed));
                }
            }
        }
    }

    /// The proofs printed in RFC 6962 §2.1.3: a tree of seven leaves.
    #[test]
    fn the_examples_of_the_standard_have_their_shape() {
        let all = leaves(7);
        let node = |low: usize, high: usize| root(&all[low..high]);
        assert_eq!(inclusion_proof(&all, 0), [all[1], node(2, 4), node(4, 7)]);
        assert_eq!(inclusion_proof(&all, 3), [all[2], node(0, 2), node(4, 7)]);
        assert_eq!(inclusion_proof(&all, 4), [all[5], all[6], node(0, 4)]);
        assert_eq!(inclusion_proof(&all, 6), [node(4, 6), node(0, 4)]);
        assert_eq!(consistency_proof(&all, 3), [all[2], all[3], node(0, 2), node(4, 7)]);
        assert_eq!(consistency_proof(&all, 4), [node(4, 7)]);
        assert_eq!(consistency_proof(&all, 6), [node(4, 6), all[6], node(0, 4)]);
    }
}
