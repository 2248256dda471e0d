//! Looking for a delimiter. Parts are short: what lies near is found in place, which costs less than the call that is
//! quicker over long text.

/// Bytes that are looked at in place.
const NEAR: usize = 16;

/// The first place of a byte.
pub(crate) fn first(byte: u8, bytes: &[u8]) -> Option<usize> {
    nearest(bytes, |found| found == byte, |far| memchr::memchr(byte, far))
}

/// The first place of one of two bytes.
pub(crate) fn first_of_two(one: u8, two: u8, bytes: &[u8]) -> Option<usize> {
    nearest(bytes, |found| found == one || found == two, |far| memchr::memchr2(one, two, far))
}

/// The first place of one of three bytes.
pub(crate) fn first_of_three(one: u8, two: u8, three: u8, bytes: &[u8]) -> Option<usize> {
    let is_one = |found| found == one || found == two || found == three;
    nearest(bytes, is_one, |far| memchr::memchr3(one, two, three, far))
}

fn nearest(
    bytes: &[u8],
    is_it: impl Fn(u8) -> bool,
    far: impl FnOnce(&[u8]) -> Option<usize>,
) -> Option<usize> {
    let (near, rest) = bytes.split_at(bytes.len().min(NEAR));
    if let Some(at) = near.iter().position(|byte| is_it(*byte)) {
        return Some(at);
    }
    if rest.is_empty() { None } else { far(rest).map(|at| near.len() + at) }
}

#[cfg(test)]
mod tests {
    use super::{NEAR, first, first_of_three, first_of_two};

    #[test]
    fn near_and_far_are_found_alike() {
        for at in [0, 1, NEAR - 1, NEAR, NEAR + 1, 3 * NEAR] {
            let mut bytes = vec![b'x'; at];
            assert_eq!(first(b'^', &bytes), None);
            bytes.extend(b"^x~x^&");
            assert_eq!(first(b'^', &bytes), Some(at));
            assert_eq!(first(b'&', &bytes), Some(at + 5));
            assert_eq!(first_of_two(b'&', b'~', &bytes), Some(at + 2));
            assert_eq!(first_of_three(b'&', b'~', b'^', &bytes), Some(at));
        }
    }
}
