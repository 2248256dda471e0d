//! Numbers and quantities: every prefix, units of one dimension, values that are bounds.

use fhir::NumberMatch;
use serde_json::Value;
use store::{Clause, QuantityValue};

use super::Asked;
use super::draw::{Draw, PREFIXES, UNITS};
use super::world::{World, list};
use crate::modifiers::quantities;

/// Where the values of a stored quantity lie: lowest and highest, whether each is one.
type Set = (Option<(i128, bool)>, Option<(i128, bool)>);

/// Thousandths of a number with at most three decimals.
fn thousandths(value: &str) -> i128 {
    let (sign, unsigned) = value.strip_prefix('-').map_or((1, value), |rest| (-1, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    sign * format!("{whole}{fraction:0<3}").parse::<i128>().expect("digits")
}

fn stored_set(value: &str, comparator: Option<&str>, factor: i128) -> Set {
    let number = thousandths(value) * factor;
    match comparator {
        None => (Some((number, true)), Some((number, true))),
        Some("<") => (None, Some((number, false))),
        Some("<=") => (None, Some((number, true))),
        Some(">") => (Some((number, false)), None),
        Some(_) => (Some((number, true)), None),
    }
}

/// What R4 says of a prefix, of all that a value can be.
fn number_holds(prefix: &str, value: i128, half: i128, set: Set) -> bool {
    let exact = set.0.is_some() && set.0 == set.1;
    let (low, high) = (value - half, value + half);
    let some_above = |bound: i128, itself: bool| {
        set.1.is_none_or(|(top, is)| top > bound || (top == bound && is && itself))
    };
    let some_below = |bound: i128, itself: bool| {
        set.0.is_none_or(|(end, is)| end < bound || (end == bound && is && itself))
    };
    let all_above = |bound: i128| set.0.is_some_and(|(end, is)| end > bound || (end == bound && !is));
    let all_below = |bound: i128| set.1.is_some_and(|(top, is)| top < bound || (top == bound && !is));
    let inside = exact && set.0.is_some_and(|(number, _)| low <= number && number < high);
    match prefix {
        "" | "eq" => inside,
        "ne" => !inside,
        "gt" => some_above(value, false),
        "lt" => some_below(value, false),
        "ge" => some_above(value, true),
        "le" => some_below(value, true),
        "sa" => all_above(value),
        "eb" => all_below(value),
        _ => {
            let near = value.abs() / 10;
            some_above(low.min(value - near), true) && some_below(high.max(value + near), true)
        }
    }
}

/// A number asked for, in thousandths.
#[derive(Clone)]
pub struct Number {
    pub prefix: &'static str,
    text: String,
    value: i128,
    half: i128,
}

impl Number {
    pub fn draw(draw: &mut Draw) -> Self {
        let (text, value, half) = draw.decimal();
        Self { prefix: draw.one(&PREFIXES), text, value, half }
    }

    /// As it is written in a query.
    pub fn written(&self) -> String {
        format!("{}{}", self.prefix, self.text)
    }

    /// Without a unit.
    pub fn plain(&self) -> QuantityValue {
        let number = NumberMatch::parse(&self.written()).expect("a number");
        QuantityValue { number, system: None, unit: None }
    }

    pub fn holds(&self, number: &Value) -> bool {
        let number = number.as_number().expect("a number");
        // Ten times finer, so that a tenth of a value is whole.
        number_holds(self.prefix, self.value * 10, self.half * 10, stored_set(number.as_str(), None, 10))
    }

    /// `unit`: milligrams of the unit that is asked in; `None` compares numbers alone.
    pub fn holds_of(&self, quantity: &Value, unit: Option<i128>) -> bool {
        let Some(number) = quantity["value"].as_number() else { return false };
        let own = UNITS.iter().find(|(code, _)| quantity["code"] == *code).expect("a unit").1;
        let (factor, asked) = match unit {
            Some(unit) => (own * 10, unit * 10),
            None => (10, 10),
        };
        let set = stored_set(number.as_str(), quantity["comparator"].as_str(), factor);
        number_holds(self.prefix, self.value * asked, self.half * asked, set)
    }
}

/// A number, in which unit, and whether the unit is asked for by its text.
type InUnit = (Number, Option<(&'static str, i128)>, bool);

/// `value-quantity`: without a unit, in a unit of UCUM, or in the text of a unit.
pub fn by_quantity(draw: &mut Draw) -> Asked {
    let asked: Vec<InUnit> = draw.some(|draw| {
        let unit = draw.often().then(|| draw.one(&UNITS));
        (Number::draw(draw), unit, draw.seldom(4))
    });
    let values = asked.iter().flat_map(|(number, unit, as_text)| match unit {
        None => vec![number.plain()],
        // `5||mg`: the same unit alone, in any system.
        Some((code, _)) if *as_text => {
            vec![QuantityValue { unit: Some((*code).to_owned()), ..number.plain() }]
        }
        Some((code, _)) => quantities(&number.written(), code),
    });
    let clause = Clause::Number { parameter: "value-quantity".into(), values: values.collect() };
    let covers = asked.iter().map(|(number, ..)| format!("quantity {}", number.prefix)).collect();
    Asked::several(clause, covers, move |resource: &Value, _: &World| {
        let quantity = &resource["valueQuantity"];
        asked.iter().any(|(number, unit, as_text)| match unit {
            None => number.holds_of(quantity, None),
            Some((code, _)) if *as_text => quantity["code"] == *code && number.holds_of(quantity, None),
            Some((_, size)) => number.holds_of(quantity, Some(*size)),
        })
    })
}

/// `probability` of a risk, or where a variant begins.
pub fn by_number(draw: &mut Draw, of: &str) -> Asked {
    let asked = draw.some(Number::draw);
    let parameter = if of == "RiskAssessment" { "probability" } else { "variant-start" };
    let values = asked.iter().map(Number::plain).collect();
    let covers = asked.iter().map(|number| format!("number {}", number.prefix)).collect();
    Asked::several(
        Clause::Number { parameter: parameter.into(), values },
        covers,
        move |resource: &Value, _: &World| {
            let risks = list(resource, "/prediction").into_iter().map(|one| &one["probabilityDecimal"]);
            let starts = list(resource, "/variant").into_iter().map(|one| &one["start"]);
            risks.chain(starts).any(|held| asked.iter().any(|number| number.holds(held)))
        },
    )
}
