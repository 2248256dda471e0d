//! What a text hides: entities, percent and HL7 escapes, base64, hexadecimal, gzip; three levels deep.

use std::io::Read;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LEVELS_MAX: usize = 3;
/// Most bytes that one level may unpack to.
const UNPACKED_BYTES_MAX: u64 = 1 << 20;
/// Shorter encodings hide less than an identifier.
const ENCODED_CHARS_MIN: usize = 8;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// Calls back for every text that is hidden in this one; stops when the callback finds what it looks for.
pub(crate) fn any(text: &str, found: &mut dyn FnMut(&str) -> bool) -> bool {
    level(text, LEVELS_MAX, found)
}

fn level(text: &str, levels: usize, found: &mut dyn FnMut(&str) -> bool) -> bool {
    if levels == 0 {
        return false;
    }
    if let Some(plain) = unescape(text)
        && (found(&plain) || level(&plain, levels - 1, found))
    {
        return true;
    }
    if text.len() < ENCODED_CHARS_MIN {
        return false;
    }
    for bytes in [base64_of(text), hex_of(text)].into_iter().flatten() {
        let bytes = gunzip(&bytes).unwrap_or(bytes);
        let plain = String::from_utf8_lossy(&bytes);
        if found(&plain) || level(&plain, levels - 1, found) {
            return true;
        }
    }
    false
}

fn base64_of(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    let alphabet = if compact.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    GeneralPurpose::new(alphabet, LENIENT).decode(&compact).ok()
}

fn hex_of(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|character| character.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| pair.iter().try_fold(0_u8, |byte, digit| Some((byte << 4) | u8::try_from(*digit).ok()?)))
        .collect()
}

fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let zlib = bytes.starts_with(&[0x78]);
    if !zlib && !bytes.starts_with(&[0x1f, 0x8b]) {
        return None;
    }
    let mut unpacked = Vec::new();
    let read = if zlib {
        flate2::read::ZlibDecoder::new(bytes).take(UNPACKED_BYTES_MAX).read_to_end(&mut unpacked)
    } else {
        flate2::read::GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX).read_to_end(&mut unpacked)
    };
    // What came before a broken end is looked at as well.
    if read.is_ok() || !unpacked.is_empty() { Some(unpacked) } else { None }
}

/// The text without `&#65;`, `%41` and `\X41\`; `None` when it has none.
fn unescape(text: &str) -> Option<String> {
    if !text.contains(['&', '%', '\\']) {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some(character) = rest.chars().next() {
        match escape(rest) {
            Some((decoded, length)) => {
                plain.push_str(&decoded);
                rest = rest.get(length..).unwrap_or_default();
                changed = true;
            }
            None => {
                plain.push(character);
                rest = rest.get(character.len_utf8()..).unwrap_or_default();
            }
        }
    }
    changed.then_some(plain)
}

/// An escape at the start of a text and its length in bytes.
fn escape(text: &str) -> Option<(String, usize)> {
    let hexadecimal = |digits: &str| -> Option<String> {
        let bytes: Vec<u8> = hex_of(digits)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    if let Some(digits) = text.strip_prefix('%').and_then(|rest| rest.get(..2)) {
        return Some((hexadecimal(digits)?, 3));
    }
    if let Some(rest) = text.strip_prefix("\\X").or_else(|| text.strip_prefix("\\x")) {
        let end = rest.find('\\')?;
        return Some((hexadecimal(rest.get(..end)?)?, end + 3));
    }
    let rest = text.strip_prefix("&#")?;
    let end = rest.find(';')?;
    let number = rest.get(..end)?;
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    Some((char::from_u32(code)?.to_string(), end + 3))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::any;

    fn hides(text: &str) -> bool {
        any(text, &mut |plain| plain.contains("Smithson"))
    }

    #[test]
    fn encodings_are_seen_through() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(b"Smithson").unwrap();
        let gzip = STANDARD.encode(packed.finish().unwrap());
        let twice = STANDARD.encode(STANDARD.encode("Smithson"));
        for text in [
            "U21pdGhzb24=",
            "536d697468736f6e",
            "%53mithson",
            "\\X53\\mithson",
            "&#83;mithson",
            "&#x53;mithson",
            &gzip,
            &twice,
        ] {
            assert!(hides(text));
        }
        assert!(!hides("Sm1thson and nothing else"));
    }
}
