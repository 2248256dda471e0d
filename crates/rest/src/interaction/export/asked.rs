//! What an export is asked for.

use fhir::{DateMatch, ResourceType};
use smart::Permission;
use store::Micros;

use super::Level;
use super::walk::in_patients;
use crate::auth::Client;
use crate::interaction::instants;
use crate::interaction::refusal::{choice, invalid, not_supported};
use crate::interaction::values::Reader;
use crate::outcome::Failure;
use crate::query::Parameters;
use crate::server::Server;

const PARAMETERS: [&str; 3] = ["_type", "_since", "_outputFormat"];
/// Names of the one format there is.
const FORMATS: [&str; 3] = ["application/fhir+ndjson", "application/ndjson", "ndjson"];

/// One export.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) level: Level,
    /// In the order in which they are told.
    pub(super) types: Vec<ResourceType>,
    /// What changed since: as the store asks, and its first µs.
    pub(super) since: Option<(DateMatch, Micros)>,
    /// When it began: nothing later is told.
    pub(super) at_us: Micros,
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
        (path, query): (&str, Option<&str>),
    ) -> Result<Self, Failure> {
        let mut asked = Parameters::default();
        asked.decode(query.unwrap_or_default())?;
        let since = asked.take_one("_since")?;
        if let Some(format) = asked.take_one("_outputFormat")?
            && !FORMATS.contains(&format.replace(' ', "+").as_str())
        {
            return Err(choice("_outputFormat", &format, &FORMATS));
        }
        let mut named = Vec::new();
        for (name, list) in asked.0 {
            if name != "_type" {
                return Err(choice("$export", &name, &PARAMETERS));
            }
            for of in list.split(',') {
                named.push(of_r4(of, server)?);
            }
        }
        let types = types(server, client, &level, named)?;
        let now_us = (server.fhir.now_us)();
        let since = match since {
            None => None,
            Some(text) => {
                let since_us = instants::since(&text, server.role)?;
                let reader = Reader { base_url: &server.fhir.base_url, now_us, role: server.role };
                Some((reader.date("_since", &format!("ge{text}"))?, since_us))
            }
        };
        let query =
            query.filter(|query| !query.is_empty()).map(|query| format!("?{query}")).unwrap_or_default();
        let request = format!("{}/{path}{query}", server.fhir.base_url);
        Ok(Self { level, types, since, at_us: now_us, request })
    }
}

fn of_r4(name: &str, server: &Server) -> Result<ResourceType, Failure> {
    server.resource_type(name).map_err(|_| {
        let served: Vec<&str> = server.fhir.types.iter().map(|of| of.as_str()).collect();
        choice("_type", name, &served)
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
