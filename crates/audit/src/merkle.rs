//! RFC 6962 §2.1: leaf and node hashes, and the tree as its frontier.

use aws_lc_rs::digest::{Context, SHA256};

use crate::Error;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// Bytes of a digest.
const HASH_LENGTH: usize = 32;
/// Domain separation of leaves and nodes, RFC 6962 §2.1.
const LEAF_PREFIX: &[u8] = &[0];
const NODE_PREFIX: &[u8] = &[1];

/// SHA-256 over the parts, one after the other.
pub(crate) fn digest(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; HASH_LENGTH];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// Lowercase hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads 64 lowercase hexadecimal digits.
pub(crate) fn hash_from_hex(text: &str) -> Option<Hash> {
    if text.len() != 2 * HASH_LENGTH || text.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut hash = [0; HASH_LENGTH];
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// The hash of a leaf: SHA-256(0x00 ‖ leaf), RFC 6962 §2.1.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    digest(&[LEAF_PREFIX, leaf])
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right), RFC 6962 §2.1.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    digest(&[NODE_PREFIX, left, right])
}

/// An append-only tree kept as its frontier: the roots of its perfect subtrees, largest first. O(log n) bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// Adds one leaf by its [`leaf_hash`].
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each one-bit at the end of the size is a perfect subtree that the new leaf completes into the next larger.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root: SHA-256 of nothing for an empty tree.
    pub fn root(&self) -> Hash {
        let mut from_smallest = self.roots.iter().rev();
        match from_smallest.next() {
            None => digest(&[]),
            Some(smallest) => from_smallest.fold(*smallest, |right, left| node_hash(left, &right)),
        }
    }

    /// The stored form: the size as 8 bytes big-endian, then the subtree roots, largest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend(self.roots.iter().flatten());
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when the number of hashes does not fit the size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or(Error::Unreadable)?;
        let size = u64::from_be_bytes(*size);
        let (roots, tail) = rest.as_chunks::<HASH_LENGTH>();
        let subtrees = usize::try_from(size.count_ones()).map_err(|_| Error::Unreadable)?;
        if !tail.is_empty() || roots.len() != subtrees {
            return Err(Error::Unreadable);
        }
        Ok(Self { size, roots: roots.to_vec() })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The eight leaves of the reference implementation of Certificate Transparency and the roots of their prefixes.
    pub(crate) const REFERENCE_LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const REFERENCE_ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    pub(crate) fn reference_leaf_hashes() -> Vec<Hash> {
        REFERENCE_LEAVES
            .iter()
            .map(|hex| {
                let bytes: Vec<u8> = hex
                    .as_bytes()
                    .chunks(2)
                    .map(|pair| {
                        u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex")
                    })
                    .collect();
                leaf_hash(&bytes)
            })
            .collect()
    }

    #[test]
    fn roots_are_those_of_the_reference_implementation() {
        let mut tree = Frontier::default();
        assert_eq!(to_hex(&tree.root()), REFERENCE_ROOTS[0]);
        for (leaf, root) in reference_leaf_hashes().into_iter().zip(&REFERENCE_ROOTS[1..]) {
            tree.append(leaf);
            assert_eq!(to_hex(&tree.root()), *root, "size {}", tree.size());
        }
    }

    #[test]
    fn a_frontier_survives_its_bytes_at_every_size() {
        let mut tree = Frontier::default();
        for number in 0u8..70 {
            assert_eq!(Frontier::from_bytes(&tree.to_bytes()).expect("reads"), tree);
            tree.append(leaf_hash(&[number]));
        }
        let mut bytes = tree.to_bytes();
        bytes.pop();
        assert!(Frontier::from_bytes(&bytes).is_err());
        assert!(Frontier::from_bytes(&[0; 7]).is_err());
        assert!(Frontier::from_bytes(&[0, 0, 0, 0, 0, 0, 0, 1]).is_err());
    }

    #[test]
    fn hex_reads_only_what_it_writes() {
        let hash = leaf_hash(b"x");
        assert_eq!(hash_from_hex(&to_hex(&hash)), Some(hash));
        assert_eq!(hash_from_hex(&to_hex(&hash).to_uppercase()), None);
        assert_eq!(hash_from_hex("+1"), None);
    }
}
