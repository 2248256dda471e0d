//! `GET [base]/[compartment]/[id]/[type]`: a type in the compartment of a patient or an encounter (R4, search
//! §3.1.1.1; CompartmentDefinition). Membership is by the parameters of the definition that the role has.

use std::collections::HashMap;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use fhir::{ResourceType, r4};
use store::{Clause, ResourceKey};

use super::Shared;
use super::by_audience::ByAudience;
use super::read::key;
use super::refusal::not_supported;
use super::registry::{points_at, registered};
use super::search::{self, Searched};
use super::unsupported;
use crate::auth::Client;
use crate::edge::Id;
use crate::outcome::Failure;
use crate::query::Parameters;
use crate::server::{Role, Server, every_type};

/// Compartments that are served.
pub(super) const COMPARTMENTS: [&str; 2] = ["Patient", "Encounter"];
/// Parameters by which types are in the compartment of an encounter.
const ENCOUNTER: [&str; 2] = ["context", "encounter"];

pub(crate) async fn search(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((name, id, of)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if of.starts_with('$') {
        return Err(unsupported::operation(&of));
    }
    let compartment = named(&name, &server)?;
    let resource_type = server.resource_type(&of)?;
    let Some(compartment) = key(compartment, id) else {
        return Err(Failure::not_found("there is no such resource or version"));
    };
    let mut parameters = Parameters::default();
    parameters.decode(query.as_deref().unwrap_or_default())?;
    let searched = Searched { resource_type, compartment: Some(compartment) };
    search::search(&server, (&client, request), &searched, parameters, &headers).await
}

/// The type of a compartment that is served.
pub(super) fn named(name: &str, server: &Server) -> Result<ResourceType, Failure> {
    let of = server.resource_type(name)?;
    if COMPARTMENTS.contains(&of.as_str()) {
        return Ok(of);
    }
    Err(not_supported(format!("{of} has no compartment here; valid: {}", COMPARTMENTS.join(", "))))
}

/// The parameters by which a type is in a compartment, of those that the role has. Those of all types are looked for once:
/// a page of `$everything` asks for each.
pub(crate) fn parameters(
    of: ResourceType,
    compartment: ResourceType,
    role: &Role,
) -> &'static [&'static str] {
    static KNOWN: ByAudience<Memberships> = ByAudience::new();
    let known = KNOWN.of(role, || memberships(role));
    known.get(&(of, compartment)).map(Vec::as_slice).unwrap_or_default()
}

/// By type and compartment.
type Memberships = HashMap<(ResourceType, ResourceType), Vec<&'static str>>;

fn memberships(role: &Role) -> Memberships {
    let compartments = COMPARTMENTS.into_iter().filter_map(ResourceType::parse);
    let of_one = |compartment: ResourceType| {
        every_type().into_iter().map(move |of| ((of, compartment), looked_for(of, compartment, role)))
    };
    compartments.flat_map(of_one).collect()
}

fn looked_for(of: ResourceType, compartment: ResourceType, role: &Role) -> Vec<&'static str> {
    let codes = match compartment.as_str() {
        "Patient" => r4().patient_compartment(of.as_str()),
        _ => &ENCOUNTER,
    };
    registered(of, role)
        .into_iter()
        .filter(|parameter| codes.contains(&parameter.code) && points_at(of, parameter, compartment))
        .map(|parameter| parameter.code)
        .collect()
}

/// What holds of the resources of a type in a compartment.
///
/// # Errors
/// 400 when the type is in no such compartment.
pub(super) fn membership(
    of: ResourceType,
    compartment: &ResourceKey,
    server: &Server,
) -> Result<Clause, Failure> {
    let ResourceKey { resource_type, id } = compartment;
    let reference = |code: &str| Clause::Reference {
        parameter: code.to_owned(),
        values: vec![(Some(resource_type.to_string()), id.clone())],
    };
    let mut clauses: Vec<Clause> =
        parameters(of, *resource_type, server.role).iter().copied().map(reference).collect();
    if of == *resource_type {
        clauses.push(Clause::Id(vec![id.clone()]));
    }
    if clauses.is_empty() {
        return Err(not_supported(format!("{of} is not in the compartment of {resource_type}")));
    }
    Ok(Clause::Any(clauses))
}
