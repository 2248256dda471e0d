//! A hash of numbers and words that the program itself gives out. No sender chooses them, so there is nothing to guard against.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by such a number.
pub(crate) type NumberMap<V> = HashMap<u64, V, BuildHasherDefault<NumberHasher>>;
/// A map by a word of the package.
pub(crate) type WordMap<'p, V> = HashMap<&'p str, V, BuildHasherDefault<NumberHasher>>;

/// 2^64 divided by the golden ratio, odd: neighbours land far apart (Knuth, volume 3, 6.4).
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// See the module.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (whole, rest) = bytes.as_chunks::<8>();
        whole.iter().for_each(|eight| self.write_u64(u64::from_le_bytes(*eight)));
        let tail = rest.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        self.write_u64(tail);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(FACTOR);
    }

    fn finish(&self) -> u64 {
        // A table takes its place from the low bits, which a product leaves to the low bits of its factors.
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::{NumberMap, WordMap};

    #[test]
    fn numbers_that_differ_in_their_upper_half_alone_are_told_apart() {
        let numbers = (0..1_000_u64).flat_map(|upper| [upper << 32, upper << 32 | 7]);
        let map: NumberMap<u64> = numbers.clone().map(|number| (number, number)).collect();
        assert_eq!(map.len(), 2_000);
        assert!(numbers.clone().all(|number| map.get(&number) == Some(&number)));
    }

    #[test]
    fn words_are_told_apart() {
        let words: Vec<String> = (0..1_000).map(|n| format!("PID-{n}.{}", n % 7)).collect();
        let map: WordMap<'_, usize> = words.iter().enumerate().map(|(n, word)| (word.as_str(), n)).collect();
        assert!(words.iter().enumerate().all(|(n, word)| map.get(word.as_str()) == Some(&n)));
        assert_eq!(map.len(), 1_000);
    }
}
