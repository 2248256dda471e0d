//! Tests of what the index does not hold: words beside codes, types of identifiers, parts of one element. The resource
//! itself is read, of those alone that pass every other test.

use std::collections::HashMap;

use fhir::{
    IndexValue, SearchParameter, begins_a_word, extract_composite, extract_texts, extract_typed, fold_string,
};
use serde_json::Value;

use crate::sqlite::node::entries::{cut, fold};
use crate::{Error, PartValue, QuantityValue, Result, TokenValue, TypedValue};

/// A test of a resource.
pub(super) struct BodyTest {
    /// The parameter for each type that is asked.
    pub parameter: &'static SearchParameter,
    pub asked: Asked,
}

/// What is asked of it.
pub(super) enum Asked {
    /// Folded beginnings of words.
    Words(Vec<String>),
    /// Systems, codes and values, the latter two folded.
    Types(Vec<TypedValue>),
    /// Parts for each component.
    Parts(Vec<Vec<PartValue>>),
}

impl std::fmt::Debug for BodyTest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "BodyTest({})", self.parameter.code)
    }
}

impl BodyTest {
    /// Numbers of the resources that pass.
    pub fn passing(&self, bodies: &HashMap<i64, Vec<u8>>) -> Result<Vec<i64>> {
        let mut passing = Vec::new();
        for (number, body) in bodies {
            let resource: Value = serde_json::from_slice(body).map_err(|_| Error::Corrupt("a body"))?;
            if self.holds(&resource) {
                passing.push(*number);
            }
        }
        Ok(passing)
    }

    fn holds(&self, resource: &Value) -> bool {
        match &self.asked {
            Asked::Words(words) => extract_texts(resource, self.parameter).into_iter().any(|text| {
                let folded = fold_string(text);
                words.iter().any(|word| begins_a_word(&folded, word))
            }),
            Asked::Types(types) => extract_typed(resource, self.parameter).into_iter().any(|held| {
                let (code, value) = (fold(held.code), fold(held.value));
                let holds =
                    |of: &TypedValue| of.system == held.system && of.code == code && of.value == value;
                types.iter().any(holds)
            }),
            Asked::Parts(values) => {
                let elements = extract_composite(resource, self.parameter);
                elements.iter().any(|element| {
                    values.iter().any(|parts| {
                        parts.len() == element.len()
                            && parts
                                .iter()
                                .zip(element)
                                .all(|(part, held)| held.iter().any(|held| part_holds(part, held)))
                    })
                })
            }
        }
    }
}

fn part_holds(part: &PartValue, held: &IndexValue) -> bool {
    match (part, held) {
        (PartValue::Token(asked), IndexValue::Token { system, code }) => {
            token_holds(asked, system.as_deref().unwrap_or_default(), &fold(code))
        }
        (PartValue::Number(asked), IndexValue::Quantity { value, system, code, comparator }) => {
            asked.iter().any(|asked| {
                unit_holds(asked, system.as_deref(), code.as_deref())
                    && value.parse().is_ok_and(|number| asked.number.holds(number, *comparator))
            })
        }
        (PartValue::Number(asked), IndexValue::Number(value)) => {
            asked.iter().any(|asked| value.parse().is_ok_and(|number| asked.number.holds(number, None)))
        }
        (PartValue::Date(asked), IndexValue::Date { low_us, high_us }) => asked.holds(*low_us, *high_us),
        (PartValue::Text(asked), IndexValue::String(text)) => {
            fold_string(text).starts_with(&fold_string(asked))
        }
        (PartValue::Uri(asked), IndexValue::Uri(uri)) => cut(asked) == cut(uri),
        (PartValue::Reference(of, asked), IndexValue::Reference { resource_type, id }) => {
            asked == id && (of.is_none() || resource_type.is_none() || of == resource_type)
        }
        _ => false,
    }
}

fn token_holds(asked: &TokenValue, system: &str, code: &str) -> bool {
    asked.system.as_ref().is_none_or(|asked| asked == system)
        && asked.code.as_ref().is_none_or(|asked| fold(asked) == code)
}

fn unit_holds(asked: &QuantityValue, system: Option<&str>, unit: Option<&str>) -> bool {
    asked.system.as_deref().is_none_or(|asked| asked == system.unwrap_or_default())
        && asked.unit.as_deref().is_none_or(|asked| asked == unit.unwrap_or_default())
}
