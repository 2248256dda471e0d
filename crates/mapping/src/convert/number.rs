//! Numbers, kept digit by digit: `1.0` stays `1.0`.

use super::{Converted, Refused};
use serde_json::{Number, Value};

/// Longest number accepted, in characters.
const DIGITS_MAX: usize = 40;

/// An integer (SI, NM without fraction) of at least `least`, within 32 bits.
pub(crate) fn integer(text: &str, least: i64) -> Result<Converted, Refused> {
    let text = text.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let number: i64 = digits.parse().map_err(|_| "not an integer")?;
    if number < least || i32::try_from(number).is_err() {
        return Err("integer out of range");
    }
    Ok(Converted::exact(number))
}

/// A decimal with its precision as sent (R4 datatypes, decimal). NM allows a plus sign and a bare point; both are tidied.
pub(crate) fn decimal(text: &str) -> Result<Converted, Refused> {
    lexical(text).map(Converted::exact)
}

/// The JSON number with the digits of the text.
pub(crate) fn lexical(text: &str) -> Result<Value, Refused> {
    let text = text.trim();
    if text.len() > DIGITS_MAX {
        return Err("number too long");
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !numeric(whole)
        || !fraction.is_none_or(numeric)
        || (whole.is_empty() && fraction.is_none_or(str::is_empty))
    {
        return Err("not a number");
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    let tidy = match fraction {
        Some(fraction) if !fraction.is_empty() => [sign, whole, ".", fraction].concat(),
        Some(_) | None => [sign, whole].concat(),
    };
    tidy.parse::<Number>().map(Value::Number).map_err(|_| "not a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_kept() {
        for (sent, kept) in [
            ("1.0", "1.0"),
            ("+5", "5"),
            (".5", "0.5"),
            ("-0.50", "-0.50"),
            ("007", "7"),
            ("12345678901234567890.12", "12345678901234567890.12"),
            ("5.", "5"),
        ] {
            assert_eq!(lexical(sent).map(|v| v.to_string()), Ok(kept.to_owned()), "{sent}");
        }
        for bad in ["", ".", "-", "1e5", "1,0", "NEG", "1.2.3"] {
            assert!(lexical(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn integers_have_bounds() {
        assert!(integer("-1", 0).is_err());
        assert!(integer("4294967296", 0).is_err());
        assert_eq!(integer("003", 0).map(|c| c.value.to_string()), Ok("3".into()));
    }
}
