//! Proof Key for Code Exchange by S256 (RFC 7636). `plain` is not there.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Characters of a challenge: 32 bytes in base64url.
const CHALLENGE_CHARS: usize = 43;
/// Characters of a verifier (RFC 7636 §4.1).
const VERIFIER_CHARS: std::ops::RangeInclusive<usize> = 43..=128;

/// A challenge that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// Reads a challenge of the method S256; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == CHALLENGE_CHARS && text.bytes().all(is_base64url);
        is_one.then(|| Self(text.to_owned()))
    }

    /// Whether a verifier is the one that the challenge was made of.
    pub fn is_met_by(&self, verifier: &str) -> bool {
        let is_one = VERIFIER_CHARS.contains(&verifier.len())
            && verifier.bytes().all(|byte| is_base64url(byte) || byte == b'.' || byte == b'~');
        let made = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        is_one && verify_slices_are_equal(made.as_bytes(), self.0.as_bytes()).is_ok()
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_holds_and_no_other() {
        let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").expect("RFC 7636 B");
        assert!(challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"));
        assert!(
            !challenge.is_met_by("") && !challenge.is_met_by("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        );
        for wrong in
            ["", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"]
        {
            assert_eq!(Challenge::parse(wrong), None);
        }
    }
}
