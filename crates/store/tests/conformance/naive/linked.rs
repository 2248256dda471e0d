//! References by id, type, address and identifier; chains and `_has` over one hop and several.

use serde_json::Value;
use store::{Clause, TokenValue};

use super::Asked;
use super::draw::{CODES, Draw, same};
use super::world::{ELSEWHERE, PATIENTS, World, address, references, text};
use crate::samples::resource_type;

/// `subject` of an observation.
pub fn by_reference(draw: &mut Draw) -> Asked {
    let asked: Vec<(Option<&str>, String)> = draw.some(|draw| {
        let id = format!("p{:02}", draw.below(PATIENTS));
        match draw.below(4) {
            0 => (None, id),
            1 => (None, format!("{ELSEWHERE}/Patient/{id}")),
            2 => (Some("Group"), id),
            _ => (Some("Patient"), id),
        }
    });
    let values = asked.iter().map(|(of, id)| (of.map(Into::into), id.clone())).collect();
    let covers = asked.iter().map(|(of, _)| of.map_or("reference", |_| "reference:[type]").to_owned());
    let covers = covers.collect();
    Asked::several(
        Clause::Reference { parameter: "subject".into(), values },
        covers,
        move |resource: &Value, _: &World| {
            let own = text(&resource["subject"], "reference");
            asked.iter().any(|(of, id)| match of {
                Some(of) => own == format!("{of}/{id}"),
                None if id.contains('/') => own == id,
                None => own == format!("Patient/{id}") || own == format!("Group/{id}"),
            })
        },
    )
}

/// `patient=X`, which a store has an order for.
pub fn by_patient(draw: &mut Draw) -> Asked {
    let id = format!("p{:02}", draw.below(PATIENTS));
    let named = format!("Patient/{id}");
    let of = draw.one(&[None, Some("Patient")]);
    Asked::several(
        Clause::Reference { parameter: "patient".into(), values: vec![(of.map(Into::into), id)] },
        vec![of.map_or("reference", |_| "reference:[type]").to_owned()],
        move |resource: &Value, _: &World| text(&resource["subject"], "reference") == named,
    )
}

/// `subject:identifier`: a reference to what is known by a number alone.
pub fn by_identifier(draw: &mut Draw) -> Asked {
    let asked = draw.some(|draw| (draw.one(&[None, Some("urn:mrn"), Some("")]), draw.one(&CODES)));
    let value = |(system, code): &(Option<&str>, &str)| TokenValue {
        system: system.map(Into::into),
        code: Some((*code).into()),
    };
    let parameter = fhir::identifier_name("subject");
    let clause = Clause::Token { parameter, values: asked.iter().map(value).collect(), not: false };
    Asked::new(clause, "reference:identifier", move |resource: &Value, _: &World| {
        let identifier = &resource["subject"]["identifier"];
        identifier["value"].as_str().is_some_and(|own| {
            asked.iter().any(|(system, code)| {
                same(own, code) && system.is_none_or(|system| system == text(identifier, "system"))
            })
        })
    })
}

/// Whether a reference of a resource leads to one of a type of which a question holds.
fn leads(resource: &Value, of: &str, inner: &Asked, world: &World) -> bool {
    let targets = references(resource).into_iter().filter_map(|target| world.at(target));
    targets.filter(|target| text(target, "resourceType") == of).any(|target| (inner.holds)(target, world))
}

/// Whether one of a type of which a question holds leads to a resource.
fn is_led(resource: &Value, of: &str, inner: &Asked, world: &World) -> bool {
    let here = address(resource);
    let sources = world.referring(&here);
    let mut of_type = sources.filter(|source| text(source, "resourceType") == of);
    of_type.any(|source| (inner.holds)(source, world))
}

/// A chain along a reference parameter to one type.
pub fn by_chain(parameter: &str, target: &'static str, inner: Asked) -> Asked {
    let targets = vec![(resource_type(target), inner.clause.clone())];
    let clause = Clause::Chain { parameter: parameter.into(), targets };
    let covers = if inner.is_linked { "chain of several" } else { "chain" };
    Asked::linked(clause, covers, inner, move |inner, resource, world| leads(resource, target, inner, world))
}

/// `_has`: what leads here along its reference parameter.
pub fn by_has(source: &'static str, parameter: &str, inner: Asked) -> Asked {
    let clause = Clause::Has {
        source: resource_type(source),
        parameter: parameter.into(),
        clause: Box::new(inner.clause.clone()),
    };
    let covers = if inner.is_linked { "_has nested" } else { "_has" };
    Asked::linked(clause, covers, inner, move |inner, resource, world| is_led(resource, source, inner, world))
}
