//! Strings and uris, and `:missing` of every kind of parameter.

use serde_json::Value;
use store::{Clause, TextMatch, UriMatch};

use super::Asked;
use super::draw::{Draw, FAMILIES, PROFILES, fold};
use super::world::{World, list};

/// Texts of `value-string`: a string, or what stands beside codes.
fn held_values(resource: &Value) -> impl Iterator<Item = &str> {
    let beside = resource["valueCodeableConcept"]["text"].as_str();
    resource["valueString"].as_str().into_iter().chain(beside)
}

/// A family name, or the text of a value.
pub fn by_text(draw: &mut Draw, of: &str) -> Asked {
    let asked = draw.some(|draw| {
        if draw.seldom(3) {
            draw.one(&FAMILIES)
        } else {
            draw.one(&["anna", "án", "nn", "bo", "Zoe", "o a", "glucose", "count"])
        }
    });
    let (how, covers) = draw.one(&[
        (TextMatch::Start, "string"),
        (TextMatch::Exact, "string:exact"),
        (TextMatch::Contains, "string:contains"),
    ]);
    let parameter = if of == "Patient" { "family" } else { "value-string" };
    let values = asked.iter().map(|text| (*text).into()).collect();
    Asked::new(
        Clause::Text { parameter: parameter.into(), values, how },
        covers,
        move |resource: &Value, _: &World| {
            let names = list(resource, "/name").into_iter().filter_map(|name| name["family"].as_str());
            names.chain(held_values(resource)).any(|held| {
                asked.iter().any(|asked| match how {
                    TextMatch::Start => fold(held).starts_with(&fold(asked)),
                    TextMatch::Contains => fold(held).contains(&fold(asked)),
                    TextMatch::Exact => held == *asked,
                })
            })
        },
    )
}

/// `_profile`.
pub fn by_uri(draw: &mut Draw) -> Asked {
    let asked = draw.some(|draw| draw.one(&PROFILES));
    let (how, covers) =
        draw.one(&[(UriMatch::Whole, "uri"), (UriMatch::Below, "uri:below"), (UriMatch::Above, "uri:above")]);
    let along = |uri: &str, of: &str| {
        let (uri, of) = (uri.trim_end_matches('/'), of.trim_end_matches('/'));
        uri == of || uri.starts_with(&format!("{of}/"))
    };
    let values = asked.iter().map(|uri| (*uri).into()).collect();
    Asked::new(
        Clause::Uri { parameter: "_profile".into(), values, how },
        covers,
        move |resource: &Value, _: &World| {
            list(resource, "/meta/profile").into_iter().filter_map(Value::as_str).any(|own| {
                asked.iter().any(|asked| match how {
                    UriMatch::Whole => own == *asked,
                    UriMatch::Below => along(own, asked),
                    UriMatch::Above => along(asked, own),
                })
            })
        },
    )
}

/// Type, parameter, kind, and whether a resource has a value.
type Missing = (&'static str, &'static str, &'static str, fn(&Value) -> bool);

fn is_dated(resource: &Value) -> bool {
    let period = resource["effectivePeriod"].as_object().is_some_and(|period| !period.is_empty());
    resource.get("effectiveDateTime").is_some() || period
}

const MISSING: [Missing; 12] = [
    ("Observation", "code", "token:missing", |resource| !list(resource, "/code/coding").is_empty()),
    ("Observation", "value-string", "string:missing", |resource| held_values(resource).next().is_some()),
    ("Observation", "value-quantity", "quantity:missing", |resource| resource.get("valueQuantity").is_some()),
    ("Observation", "subject", "reference:missing", |resource| resource.get("subject").is_some()),
    ("Observation", "device", "reference:missing", |_| false),
    ("Observation", "date", "date:missing", is_dated),
    ("Patient", "identifier", "token:missing", |resource| !list(resource, "/identifier").is_empty()),
    ("Patient", "active", "token:missing", |resource| resource.get("active").is_some()),
    ("Patient", "family", "string:missing", |resource| !list(resource, "/name").is_empty()),
    ("Patient", "_profile", "uri:missing", |resource| resource.get("meta").is_some()),
    ("RiskAssessment", "probability", "number:missing", |resource| resource.get("prediction").is_some()),
    ("MolecularSequence", "variant-start", "number:missing", |resource| {
        !list(resource, "/variant").is_empty()
    }),
];

pub fn by_missing(draw: &mut Draw, of: &str) -> Asked {
    let of_type: Vec<&Missing> = MISSING.iter().filter(|one| one.0 == of).collect();
    let (_, parameter, covers, has) = *of_type[draw.below(of_type.len())];
    let missing = draw.seldom(2);
    let clause = Clause::Missing { parameter: parameter.into(), missing };
    Asked::new(clause, covers, move |resource: &Value, _: &World| has(resource) != missing)
}
