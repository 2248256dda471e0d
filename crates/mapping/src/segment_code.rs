//! The name of a segment as a number, for comparing.

/// The three characters of the name; 0 for what is no name of a segment.
pub(crate) const fn of(name: &str) -> u32 {
    match *name.as_bytes() {
        [first, second, third] => u32::from_be_bytes([0, first, second, third]),
        _ => 0,
    }
}
