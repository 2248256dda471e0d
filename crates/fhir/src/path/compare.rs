//! Equality and order of items. `None` is FHIRPath's empty: not known.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::item::{Item, Typed};
use crate::date::{DateInterval, date_interval};
use crate::primitive::Primitive;

/// `=`.
pub(crate) fn equal(left: &Item<'_>, right: &Item<'_>) -> Option<bool> {
    if let (Some(left), Some(right)) = (date(left), date(right)) {
        return order_of_dates(left, right).map(|order| order == Ordering::Equal);
    }
    match (text(left), text(right)) {
        (Some(left), Some(right)) => Some(left == right),
        _ => Some(key(left) == key(right)),
    }
}

/// Order of two items; `None` when they cannot be compared.
pub(crate) fn order(left: &Item<'_>, right: &Item<'_>) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (date(left), date(right)) {
        return order_of_dates(left, right);
    }
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return order_of_numbers(&left, &right);
    }
    if let (Item::Element(left), Item::Element(right)) = (left, right)
        && is_quantity(left)
        && is_quantity(right)
    {
        return order_of_quantities(left, right);
    }
    text(left)?.partial_cmp(text(right)?)
}

/// A text that two equal items share, and no others do.
pub(crate) fn key(item: &Item<'_>) -> String {
    if let Some(number) = number(item).as_deref().and_then(Decimal::parse) {
        return format!("n{number:?}");
    }
    match (text(item), item) {
        (Some(text), _) => format!("t{text}"),
        (None, Item::Truth(is)) => format!("b{is}"),
        (None, Item::Target(name)) => format!("r{name}"),
        (None, Item::Element(found)) => match found.value {
            Some(Value::Bool(is)) => format!("b{is}"),
            Some(value) => format!("j{value}"),
            None => format!("x{}", found.sidecar.unwrap_or(&Value::Null)),
        },
        (None, Item::Text(_) | Item::Integer(_)) => String::new(),
    }
}

/// The text of a string-like item.
pub(crate) fn text<'s>(item: &'s Item<'_>) -> Option<&'s str> {
    match item {
        Item::Text(text) => Some(text),
        Item::Element(found) => found.primitive_value()?.as_str(),
        Item::Integer(_) | Item::Truth(_) | Item::Target(_) => None,
    }
}

/// One item as a truth value: of a boolean its own, otherwise that it is there.
pub(crate) fn truth(items: &[Item<'_>]) -> Option<bool> {
    match items {
        [] => None,
        [Item::Truth(is)] => Some(*is),
        [Item::Element(found)] => Some(found.value.and_then(Value::as_bool).unwrap_or(true)),
        _ => Some(true),
    }
}

/// An item as text, for `toString` and `&`.
pub(crate) fn as_text<'a>(item: &Item<'a>) -> Option<Cow<'a, str>> {
    match item {
        Item::Text(text) => Some(text.clone()),
        Item::Integer(number) => Some(number.to_string().into()),
        Item::Truth(is) => Some(is.to_string().into()),
        Item::Target(_) => None,
        Item::Element(found) => match found.primitive_value()? {
            Value::String(text) => Some(text.as_str().into()),
            Value::Number(number) => Some(number.as_str().to_owned().into()),
            Value::Bool(is) => Some(is.to_string().into()),
            _ => None,
        },
    }
}

/// An item as an integer: a number or text of digits.
pub(crate) fn integer(item: &Item<'_>) -> Option<i64> {
    match item {
        Item::Integer(number) => Some(*number),
        Item::Truth(is) => Some(i64::from(*is)),
        _ => as_text(item)?.parse().ok(),
    }
}

fn number<'s>(item: &'s Item<'_>) -> Option<Cow<'s, str>> {
    match item {
        Item::Integer(number) => Some(number.to_string().into()),
        Item::Element(found) => match found.primitive_value()? {
            Value::Number(number) => Some(number.as_str().into()),
            _ => None,
        },
        Item::Text(_) | Item::Truth(_) | Item::Target(_) => None,
    }
}

fn date(item: &Item<'_>) -> Option<DateInterval> {
    let Item::Element(found) = item else { return None };
    match found.primitive? {
        Primitive::Date | Primitive::DateTime | Primitive::Instant => date_interval(found.value?.as_str()?),
        _ => None,
    }
}

/// Dates of another precision are compared as far as both are known.
fn order_of_dates(left: DateInterval, right: DateInterval) -> Option<Ordering> {
    if left.precision == right.precision {
        return Some(left.low_us.cmp(&right.low_us));
    }
    if left.high_us <= right.low_us {
        return Some(Ordering::Less);
    }
    (left.low_us >= right.high_us).then_some(Ordering::Greater)
}

fn is_quantity(found: &Typed<'_>) -> bool {
    super::item::is_of(found.type_code, "Quantity")
}

/// Quantities of the same unit; others would need a conversion of units.
fn order_of_quantities(left: &Typed<'_>, right: &Typed<'_>) -> Option<Ordering> {
    let unit = |of: &Typed<'_>| match (of.text("system"), of.text("code")) {
        (_, None) => (None, of.text("unit").map(str::to_owned)),
        (system, code) => (system.map(str::to_owned), code.map(str::to_owned)),
    };
    let value = |of: &Typed<'_>| match of.object()?.get("value")? {
        Value::Number(number) => Some(number.as_str().to_owned()),
        _ => None,
    };
    if unit(left) != unit(right) {
        return None;
    }
    order_of_numbers(&value(left)?, &value(right)?)
}

fn order_of_numbers(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (Decimal::parse(left)?, Decimal::parse(right)?);
    let size = |of: &Decimal| (i64::from(!of.digits.is_empty()), of.point);
    let order = size(&left).cmp(&size(&right)).then_with(|| left.digits.cmp(&right.digits));
    Some(match (left.is_negative, right.is_negative) {
        (false, false) => order,
        (true, true) => order.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

/// A number of any length: `0.digits × 10^point`. Without zeros at either end of the digits; zero has none.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (text, is_negative) = match text.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let all = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        let leading = i64::try_from(all.len() - significant.len()).ok()?;
        let digits = significant.trim_end_matches('0').as_bytes().to_vec();
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits, point: 0 });
        }
        let point = i64::try_from(whole.len()).ok()? - leading + i64::from(exponent);
        Some(Self { is_negative, digits, point })
    }
}

#[cfg(test)]
mod tests {
    use super::{Ordering, order_of_numbers};

    #[test]
    fn numbers_of_any_length_have_an_order() {
        for (left, right, order) in [
            ("0", "-0.00", Ordering::Equal),
            ("1", "1.000", Ordering::Equal),
            ("10", "1e1", Ordering::Equal),
            ("0.010", "1E-2", Ordering::Equal),
            ("9", "10", Ordering::Less),
            ("0.5", "0.45", Ordering::Greater),
            ("-2", "-1", Ordering::Less),
            ("-1", "0", Ordering::Less),
            ("0", "0.1", Ordering::Less),
            ("123456789012345678901", "123456789012345678900", Ordering::Greater),
        ] {
            assert_eq!(order_of_numbers(left, right), Some(order), "{left} {right}");
        }
        assert_eq!(order_of_numbers("x", "1"), None);
    }
}
