//! Composites: what they ask holds of one and the same element, whatever kinds their parts are of.

use serde_json::Value;
use store::{Clause, PartValue};

use super::Asked;
use super::coded::Token;
use super::dates::{Date, interval};
use super::draw::{CODES, Draw, SYSTEMS, UNITS, fold};
use super::numbers::Number;
use super::world::{World, list, text};
use crate::modifiers::quantities;

/// Parts of one value, and whether an element has them.
type Parts = (Vec<PartValue>, Box<dyn Fn(&Value) -> bool>);

/// Any of the parts of one or two values hold of one of the elements of a resource.
fn asked(
    draw: &mut Draw,
    parameter: &str,
    covers: &'static str,
    elements: fn(&Value) -> Vec<&Value>,
    one: impl Fn(&mut Draw) -> Parts,
) -> Asked {
    let (values, holds): (Vec<_>, Vec<_>) = draw.some(one).into_iter().unzip();
    let clause = Clause::Composite { parameter: parameter.into(), values };
    Asked::new(clause, covers, move |resource: &Value, _: &World| {
        elements(resource).into_iter().any(|element| holds.iter().any(|holds| holds(element)))
    })
}

fn itself(resource: &Value) -> Vec<&Value> {
    vec![resource]
}

fn components(resource: &Value) -> Vec<&Value> {
    list(resource, "/component")
}

fn either(resource: &Value) -> Vec<&Value> {
    [itself(resource), components(resource)].concat()
}

/// Which elements, and the beginning of the parameter's name.
type Place = (&'static str, fn(&Value) -> Vec<&Value>);
const PLACES: [Place; 3] = [("", itself), ("component-", components), ("combo-", either)];

/// A code with a value of an observation, of its components, or of either.
pub fn of_observation(draw: &mut Draw) -> Asked {
    let (begin, elements) = draw.one(&PLACES);
    let parameter = |end: &str| format!("{begin}{end}");
    match draw.below(if begin.is_empty() { 4 } else { 2 }) {
        0 => {
            let parameter = parameter("code-value-concept");
            asked(draw, &parameter, "composite token$token", elements, |draw| {
                let (code, value) = (coded(draw), coded(draw));
                let parts = vec![PartValue::Token(code.value()), PartValue::Token(value.value())];
                let holds = move |element: &Value| {
                    code.in_concept(&element["code"]) && value.in_concept(&element["valueCodeableConcept"])
                };
                (parts, Box::new(holds))
            })
        }
        1 => {
            let parameter = parameter("code-value-quantity");
            asked(draw, &parameter, "composite token$quantity", elements, |draw| {
                let (code, number, (unit, size)) = (coded(draw), Number::draw(draw), draw.one(&UNITS));
                let number_part = PartValue::Number(quantities(&number.written(), unit));
                let holds = move |element: &Value| {
                    code.in_concept(&element["code"])
                        && number.holds_of(&element["valueQuantity"], Some(size))
                };
                (vec![PartValue::Token(code.value()), number_part], Box::new(holds))
            })
        }
        2 => asked(draw, "code-value-string", "composite token$string", elements, |draw| {
            let (code, begin) = (coded(draw), draw.one(&["anna", "Bo", "zo"]));
            let holds = move |element: &Value| {
                let held = element["valueString"].as_str();
                code.in_concept(&element["code"])
                    && held.is_some_and(|held| fold(held).starts_with(&fold(begin)))
            };
            (vec![PartValue::Token(code.value()), PartValue::Text(begin.into())], Box::new(holds))
        }),
        _ => asked(draw, "code-value-date", "composite token$date", elements, |draw| {
            let (code, date) = (coded(draw), Date::draw(draw));
            let parts = vec![PartValue::Token(code.value()), PartValue::Date(date.value())];
            let holds = move |element: &Value| {
                let held = element["valueDateTime"].as_str().map(interval);
                code.in_concept(&element["code"]) && held.is_some_and(|held| date.holds(held))
            };
            (parts, Box::new(holds))
        }),
    }
}

fn coded(draw: &mut Draw) -> Token {
    Token::draw(draw, &SYSTEMS, &CODES)
}

/// A chromosome, where a variant of it begins, and where it ends.
pub fn of_sequence(draw: &mut Draw) -> Asked {
    let (parameter, covers) = ("chromosome-variant-coordinate", "composite token$number$number");
    asked(draw, parameter, covers, itself, |draw| {
        let (chromosome, start, end) = (coded(draw), Number::draw(draw), Number::draw(draw));
        let parts = vec![
            PartValue::Token(chromosome.value()),
            PartValue::Number(vec![start.plain()]),
            PartValue::Number(vec![end.plain()]),
        ];
        let holds = move |sequence: &Value| {
            let mut variants = list(sequence, "/variant").into_iter();
            chromosome.in_concept(&sequence["referenceSeq"]["chromosome"])
                && variants.any(|variant| start.holds(&variant["start"]) && end.holds(&variant["end"]))
        };
        (parts, Box::new(holds))
    })
}

/// What a document does to which other.
pub fn of_document(draw: &mut Draw) -> Asked {
    fn related(document: &Value) -> Vec<&Value> {
        list(document, "/relatesTo")
    }
    asked(draw, "relationship", "composite reference$token", related, |draw| {
        let id = format!("c{:02}", draw.below(20));
        let of = draw.one(&[None, Some("DocumentReference")]);
        let code = Token::draw(draw, &[""], &["replaces", "Appends", "signs"]);
        let code = code.of_any_system();
        let parts =
            vec![PartValue::Reference(of.map(Into::into), id.clone()), PartValue::Token(code.value())];
        let holds = move |element: &Value| {
            element["target"]["reference"] == format!("DocumentReference/{id}")
                && code.holds("", text(element, "code"))
        };
        (parts, Box::new(holds))
    })
}
