//! Changes to an input: bytes, words of the syntax, stretches doubled, dropped, moved, or taken from another seed.

use crate::random::Random;

/// No input grows beyond this.
const BYTES_MAX: usize = 16 * 1024;
/// Changes made to one input at most.
const CHANGES_MAX: usize = 8;
/// A stretch that is doubled or dropped is at most this long.
const STRETCH_MAX: usize = 48;

/// A seed after some changes.
pub fn mutated(random: &mut Random, seeds: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
    for _ in 0..=random.below(CHANGES_MAX) {
        change(random, &mut bytes, seeds, words);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&[u8]]) {
    let at = random.below(bytes.len() + 1);
    let stretch = at..(at + 1 + random.below(STRETCH_MAX)).min(bytes.len());
    match random.below(8) {
        0 => {
            let new = random.byte();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = new;
            }
        }
        1 => {
            let bit = 1 << random.below(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bit;
            }
        }
        2 => bytes.insert(at, random.byte()),
        3 if at < stretch.end => drop(bytes.drain(stretch)),
        4 if at < stretch.end => {
            let doubled = bytes[stretch].to_vec();
            let to = random.below(bytes.len() + 1);
            bytes.splice(to..to, doubled);
        }
        5 => {
            let other = seeds.get(random.below(seeds.len())).map_or(&[][..], Vec::as_slice);
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        6 => bytes.truncate(at),
        // Words of the syntax reach further than bytes do, so they also stand in for what was not possible above.
        _ => {
            let word = random.one_of(words).unwrap_or_default();
            bytes.splice(at..at, word.iter().copied());
        }
    }
}

/// The least input that is still broken: stretches are left out, from halves down to single bytes, as long as `is_broken`.
pub fn shrunk(mut bytes: Vec<u8>, is_broken: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut length = bytes.len().div_ceil(2);
    while length > 0 {
        let mut at = 0;
        while at < bytes.len() {
            let end = (at + length).min(bytes.len());
            let without = [&bytes[..at], &bytes[end..]].concat();
            if is_broken(&without) {
                bytes = without;
            } else {
                at = end;
            }
        }
        length /= 2;
    }
    bytes
}
