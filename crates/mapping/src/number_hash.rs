//! A hash of numbers that the program itself gives out. No sender chooses them, so there is nothing to guard against.

use std::hash::{BuildHasherDefault, Hasher};

/// A map by such a number.
pub(crate) type NumberMap<V> = std::collections::HashMap<u64, V, BuildHasherDefault<NumberHasher>>;

/// 2^64 divided by the golden ratio, odd: neighbours land far apart (Knuth, volume 3, 6.4).
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// See the module.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
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
    use super::NumberMap;

    #[test]
    fn numbers_that_differ_in_their_upper_half_alone_are_told_apart() {
        let numbers = (0..1_000_u64).flat_map(|upper| [upper << 32, upper << 32 | 7]);
        let map: NumberMap<u64> = numbers.clone().map(|number| (number, number)).collect();
        assert_eq!(map.len(), 2_000);
        assert!(numbers.clone().all(|number| map.get(&number) == Some(&number)));
    }
}
