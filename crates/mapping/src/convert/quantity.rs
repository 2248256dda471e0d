//! NM and SN (v2.9 §2A.3.49, §2A.3.69) to Quantity, Range and Ratio.

use super::number::lexical;
use super::{Converted, Refused};
use crate::json::object;
use serde_json::{Map, Value};

/// The unit of a quantity: display, system, code.
#[derive(Default, Clone)]
pub(crate) struct Unit {
    pub display: Option<String>,
    pub system: Option<String>,
    pub code: Option<String>,
}

/// The four components of an SN.
pub(crate) struct Structured<'t> {
    pub comparator: &'t str,
    pub low: &'t str,
    pub separator: &'t str,
    pub high: &'t str,
}

/// `12.0`, or with a comparator in front, as senders write it: `>90`.
pub(crate) fn of_number(text: &str, unit: &Unit) -> Result<Converted, Refused> {
    let text = text.trim();
    for comparator in ["<=", ">=", "<", ">"] {
        if let Some(rest) = text.strip_prefix(comparator) {
            let value = quantity(lexical(rest)?, Some(comparator), unit);
            return Ok(Converted { value, lossy: Some("comparator taken out of the number") });
        }
    }
    Ok(Converted::exact(quantity(lexical(text)?, None, unit)))
}

impl Structured<'_> {
    fn is_single(&self) -> bool {
        self.high.is_empty() && self.separator.is_empty()
    }

    /// A single number, with or without comparator.
    pub fn quantity(&self, unit: &Unit) -> Result<Converted, Refused> {
        let comparator = match self.comparator.trim() {
            "" | "=" => None,
            known @ ("<" | "<=" | ">" | ">=") => Some(known),
            _ => return Err("no FHIR comparator"),
        };
        if !self.is_single() {
            return Err("not a single number");
        }
        Ok(Converted::exact(quantity(lexical(self.low)?, comparator, unit)))
    }

    /// `10-20`.
    pub fn range(&self, unit: &Unit) -> Result<Converted, Refused> {
        if self.separator.trim() != "-" || !matches!(self.comparator.trim(), "" | "=") {
            return Err("not a range");
        }
        let low = quantity(lexical(self.low)?, None, unit);
        let high = quantity(lexical(self.high)?, None, unit);
        Ok(Converted::exact(object([("low", low), ("high", high)])))
    }

    /// `1:128`, `3/4`; a unit is that of both numbers.
    pub fn ratio(&self, unit: &Unit) -> Result<Converted, Refused> {
        let comparator = match self.comparator.trim() {
            "" | "=" => None,
            known @ ("<" | "<=" | ">" | ">=") => Some(known),
            _ => return Err("no FHIR comparator"),
        };
        if !matches!(self.separator.trim(), ":" | "/") {
            return Err("not a ratio");
        }
        let numerator = quantity(lexical(self.low)?, comparator, unit);
        let denominator = quantity(lexical(self.high)?, None, unit);
        Ok(Converted::exact(object([("numerator", numerator), ("denominator", denominator)])))
    }

    /// All four, as one text.
    pub fn text(&self) -> Result<Converted, Refused> {
        let text = [self.comparator, self.low, self.separator, self.high].concat();
        super::text(text.into())
    }
}

fn quantity(value: Value, comparator: Option<&str>, unit: &Unit) -> Value {
    let mut made = Map::new();
    made.insert("value".into(), value);
    let texts = [
        ("comparator", comparator),
        ("unit", unit.display.as_deref()),
        ("system", unit.system.as_deref()),
        ("code", unit.code.as_deref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            made.insert(name.into(), text.into());
        }
    }
    Value::Object(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn structured_numerics_take_their_shape() {
        let range = Structured { comparator: "", low: "10", separator: "-", high: "20" };
        assert!(range.quantity(&Unit::default()).is_err());
        assert_eq!(
            range.range(&Unit::default()).map(|c| c.value["high"]["value"].to_string()),
            Ok("20".into())
        );
        let ratio = Structured { comparator: "", low: "1", separator: ":", high: "128" };
        let titer = Unit { display: Some("titer".into()), ..Unit::default() };
        assert_eq!(
            ratio.ratio(&titer).map(|c| c.value),
            Ok(
                json!({"numerator": {"value": 1, "unit": "titer"}, "denominator": {"value": 128, "unit": "titer"}})
            )
        );
        let bare = ratio.ratio(&Unit::default()).map(|c| c.value["denominator"].to_string());
        assert_eq!(bare, Ok(r#"{"value":128}"#.into()));
        let single = Structured { comparator: ">", low: "90", separator: "", high: "" };
        assert_eq!(single.quantity(&Unit::default()).map(|c| c.value["comparator"].clone()), Ok(json!(">")));
        let odd = Structured { comparator: "<>", low: "4", separator: "", high: "" };
        assert!(odd.quantity(&Unit::default()).is_err());
        assert_eq!(odd.text().map(|c| c.value), Ok(json!("<>4")));
    }

    #[test]
    fn a_number_with_a_comparator_is_marked() {
        let found =
            of_number(">90", &Unit::default()).map(|c| (c.value["comparator"].clone(), c.lossy.is_some()));
        assert_eq!(found, Ok((json!(">"), true)));
        assert!(of_number("60~120", &Unit::default()).is_err());
    }
}
