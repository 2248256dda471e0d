//! ED data (v2.9 §2A.3.24) as base64.

use super::Refused;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Data in the encoding ED.4 names (table 0299) as base64 text.
pub(crate) fn to_base64(data: &str, encoding: &str) -> Result<String, Refused> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => {
            let packed: String = data.split_whitespace().collect();
            let bytes = STANDARD.decode(&packed).map_err(|_| "not base64")?;
            if bytes.is_empty() { Err("empty data") } else { Ok(packed) }
        }
        "a" | "" => Ok(STANDARD.encode(data)),
        "hex" => hex(data).map(|bytes| STANDARD.encode(bytes)),
        _ => Err("unknown data encoding"),
    }
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
        assert!(to_base64("SG?", "Base64").is_err());
        assert!(to_base64("486", "Hex").is_err());
    }
}
