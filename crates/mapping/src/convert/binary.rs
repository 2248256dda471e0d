//! ED data (v2.9 §2A.3.24) as base64.

use super::Refused;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Data in the encoding ED.4 names (table 0299) as base64 text.
pub(crate) fn to_base64(data: &str, encoding: &str) -> Result<String, Refused> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => {
            let mut packed = String::with_capacity(data.len());
            packed.extend(data.split_whitespace());
            check(packed.as_bytes())?;
            if packed.is_empty() { Err("empty data") } else { Ok(packed) }
        }
        "a" | "" => Ok(STANDARD.encode(data)),
        "hex" => hex(data).map(|bytes| STANDARD.encode(bytes)),
        _ => Err("unknown data encoding"),
    }
}

/// What is decoded at once, in characters: a multiple of the four that make three bytes.
const CHUNK: usize = 4_096;

/// Whether it is base64. It is decoded piece by piece, for a document is large.
fn check(packed: &[u8]) -> Result<(), Refused> {
    let mut bytes = [0; CHUNK];
    let mut chunks = packed.chunks(CHUNK).peekable();
    while let Some(chunk) = chunks.next() {
        // Padding ends the data.
        let ends_early = chunks.peek().is_some() && chunk.contains(&b'=');
        if ends_early || STANDARD.decode_slice(chunk, &mut bytes).is_err() {
            return Err("not base64");
        }
    }
    Ok(())
}

fn hex(data: &str) -> Result<Vec<u8>, Refused> {
    let digits: Option<Vec<u32>> =
        data.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect();
    let digits = digits.ok_or("not hexadecimal")?;
    if digits.is_empty() || digits.len() % 2 != 0 {
        return Err("not hexadecimal");
    }
    let byte = |pair: &[u32]| pair.iter().fold(0_u32, |sum, digit| sum * 16 + digit);
    Ok(digits.chunks(2).filter_map(|pair| u8::try_from(byte(pair)).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_is_decoded_and_checked() {
        assert_eq!(to_base64("SGk=", "Base64").as_deref(), Ok("SGk="));
        assert_eq!(to_base64("Hi", "A").as_deref(), Ok("SGk="));
        assert_eq!(to_base64("4869", "Hex").as_deref(), Ok("SGk="));
        assert_eq!(to_base64("SG k=\n", "Base64").as_deref(), Ok("SGk="));
        assert!(to_base64("SG?", "Base64").is_err());
        assert_eq!(to_base64(" ", "Base64"), Err("empty data"));
        assert!(to_base64("486", "Hex").is_err());
    }

    #[test]
    fn a_long_document_is_checked_to_its_end() {
        for length in [CHUNK - 4, CHUNK, CHUNK + 4, 3 * CHUNK] {
            let whole = "QUJD".repeat(length / 4);
            assert_eq!(to_base64(&whole, "Base64").as_ref(), Ok(&whole));
            assert!(to_base64(&format!("{whole}QQ=="), "Base64").is_ok(), "{length}");
            assert!(to_base64(&format!("{whole}Q"), "Base64").is_err(), "{length}");
            assert!(to_base64(&format!("QQ=={whole}"), "Base64").is_err(), "{length}");
            assert!(to_base64(&format!("{whole}QQ=={whole}"), "Base64").is_err(), "{length}");
            assert!(to_base64(&format!("{whole}?QQQ{whole}"), "Base64").is_err(), "{length}");
        }
    }
}
