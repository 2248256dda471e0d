//! What an export is asked for.

use std::collections::HashMap;

use fhir::{DateMatch, ResourceType};
use smart::Permission;
use store::{Clause, Micros};

use super::Level;
use super::posted::PATIENT;
use super::type_filter;
use super::walk::in_patients;
use crate::auth::Client;
use crate::interaction::instants;
use crate::interaction::refusal::{choice, invalid, not_supported};
use crate::interaction::values::Reader;
use crate::outcome::Failure;
use crate::query::Parameters;
use crate::server::Server;

/// What a kick-off by GET takes, and by POST.
const PARAMETERS: [&str; 4] = ["_type", "_since", "_outputFormat", "_typeFilter"];
const POSTED: [&str; 5] = ["_type", "_since", "_outputFormat", "_typeFilter", PATIENT];
/// Names of the one format there is.
const FORMATS: [&str; 3] = ["application/fhir+ndjson", "application/ndjson", "ndjson"];

/// One export.
pub(super) struct Order {
    pub(super) level: Level,
    /// In the order in which they are told.
    pub(super) types: Vec<ResourceType>,
    /// What must hold of resources of a type, beside all else.
    pub(super) filters: HashMap<ResourceType, Clause>,
    /// Codes of search parameters that are tested, for records.
    pub(super) codes: Vec<&'static str>,
    /// What changed since: as the store asks, and its first µs.
    pub(super) since: Option<(DateMatch, Micros)>,
    /// When it began: nothing later is told.
    pub(super) at_us: Micros,
    /// The address that was asked.
    pub(super) request: String,
}

/// How an export was asked for.
pub(super) struct Asking {
    pub(super) parameters: Parameters,
    /// By POST, with parameters in a resource.
    pub(super) is_posted: bool,
    /// The address that was asked.
    pub(super) request: String,
}

impl Order {
    /// Reads the parameters.
    ///
    /// # Errors
    /// 400 for what is not supported or cannot be read; 403 for a type that the client may not export.
    pub(super) fn read(
        server: &Server,
        client: &Client,
        level: Level,
        Asking { mut parameters, is_posted, request }: Asking,
    ) -> Result<Self, Failure> {
        let since = parameters.take_one("_since")?;
        if let Some(format) = parameters.take_one("_outputFormat")?
            && !FORMATS.contains(&format.replace(' ', "+").as_str())
        {
            return Err(choice("_outputFormat", &format, &FORMATS));
        }
        let (mut named, mut asked, mut patients) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in parameters.0 {
            match name.as_str() {
                "_type" => {
                    for of in value.split(',') {
                        named.push(of_r4("_type", of, server)?);
                    }
                }
                "_typeFilter" => asked.push(value),
                PATIENT if is_posted => patients.push(value),
                _ if is_posted => return Err(choice("$export", &name, &POSTED)),
                _ => return Err(choice("$export", &name, &PARAMETERS)),
            }
        }
        let level = level.of(patients)?;
        let types = types(server, client, &level, named)?;
        let now_us = (server.fhir.now_us)();
        let reader = || Reader { base_url: &server.fhir.base_url, now_us, role: server.role };
        let since = match since {
            None => None,
            Some(text) => {
                let since_us = instants::since(&text, server.role)?;
                Some((reader().date("_since", &format!("ge{text}"))?, since_us))
            }
        };
        let (filters, codes) = type_filter::read(server, reader(), &types, &asked)?;
        Ok(Self { level, types, filters, codes, since, at_us: now_us, request })
    }
}

/// The type of this name, as the value of a parameter.
///
/// # Errors
/// 400 when there is none.
pub(super) fn of_r4(parameter: &str, name: &str, server: &Server) -> Result<ResourceType, Failure> {
    server.resource_type(name).map_err(|_| {
        let served: Vec<&str> = server.fhir.types.iter().map(|of| of.as_str()).collect();
        choice(parameter, name, &served)
    })
}

/// The types to export: those named, or all that can be.
fn types(
    server: &Server,
    client: &Client,
    level: &Level,
    mut named: Vec<ResourceType>,
) -> Result<Vec<ResourceType>, Failure> {
    let belongs = |of: &ResourceType| matches!(level, Level::System) || in_patients(*of, server.role);
    let may = |of: &ResourceType| {
        client.granted.may(Permission::Read, *of) && client.granted.may(Permission::Search, *of)
    };
    if named.is_empty() {
        return Ok(server.fhir.types.iter().copied().filter(|of| belongs(of) && may(of)).collect());
    }
    named.sort_unstable();
    named.dedup();
    if let Some(other) = named.iter().find(|of| !belongs(of)) {
        return Err(not_supported(format!(
            "{other} belongs to no patient; export it of the system: [base]/$export"
        )));
    }
    if !named.iter().all(may) {
        return Err(server.sight(client).forbidden());
    }
    if named.is_empty() { Err(invalid("`_type` names no type")) } else { Ok(named) }
}
