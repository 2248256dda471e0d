//! The one alphabet of every string in a record.

use crate::merkle::{digest, to_hex};

/// Longest code, in bytes.
pub const CODE_LENGTH_MAX: usize = 128;

/// True when `text` matches `[A-Za-z0-9._:/|-]{0,128}`: no space, no accent, nothing a name or a note needs.
pub fn is_code(text: &str) -> bool {
    text.len() <= CODE_LENGTH_MAX && text.bytes().all(is_code_byte)
}

fn is_code_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._:/|-".contains(&byte)
}

/// `text` itself when it is a code; otherwise `sha256:` and its digest, so that the same text gives the same code and
/// the text itself stays out.
pub(crate) fn code_or_digest(text: &str) -> String {
    if is_code(text) { text.to_owned() } else { format!("sha256:{}", to_hex(&digest(&[text.as_bytes()]))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabet_refuses_spaces_accents_and_length() {
        for good in ["", "Observation/1.2_".trim_end_matches('_'), "a|b:c-d", &"x".repeat(128)] {
            assert!(is_code(good), "{good}");
        }
        for bad in ["Jane Doe", "Zoë", "a\nb", "a\"b", "a@b", &"x".repeat(129)] {
            assert!(!is_code(bad), "{bad}");
        }
    }

    #[test]
    fn a_text_that_is_no_code_becomes_a_stable_digest() {
        let one = code_or_digest("alice@example.org");
        assert_eq!(one, code_or_digest("alice@example.org"));
        assert_ne!(one, code_or_digest("bob@example.org"));
        assert!(is_code(&one) && !one.contains("alice"));
    }
}
