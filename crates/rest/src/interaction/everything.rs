//! `GET [base]/Patient/[id]/$everything` and `GET [base]/Encounter/[id]/$everything` (R4, OperationDefinition
//! Patient-everything and Encounter-everything): the resource, what is in its compartment, and what that refers to among
//! types that are in nobody's compartment. Another patient never comes along.

use std::collections::HashMap;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fhir::{IssueCode, ResourceType, SearchKind, r4};
use store::{Clause, Include, ResourceKey, Search, Way};

use super::bundle::{bundle, found};
use super::by_audience::ByAudience;
use super::compartment::{membership, named, parameters};
use super::controls::page_size;
use super::read::key;
use super::refusal::{choice, invalid, not_supported};
use super::registry::{includes, own_parameters, registered};
use super::search::{continued, sealed_link};
use super::small_cells;
use super::subset::Subset;
use super::values::Reader;
use super::{Shared, ok};
use crate::audit::Access;
use crate::auth::Client;
use crate::edge::Id;
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::paging::Cursor;
use crate::query::Parameters;
use crate::server::{Role, Server, every_type};

const PARAMETERS: [&str; 5] = ["start", "end", "_since", "_type", "_count"];
/// Parameters that say when care was given, the first that a type has counts.
const CARE_DATES: [&str; 9] = [
    "date",
    "authoredon",
    "authored",
    "period",
    "issued",
    "onset-date",
    "recorded-date",
    "whenhandedover",
    "effective-time",
];
/// Parameters whose types belong to somebody and are no supporting resources.
const OWNERS: [&str; 2] = ["patient", "subject"];

pub(crate) async fn everything(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let of = named(&name, &server)?;
    let mut asked = Parameters::default();
    asked.decode(query.as_deref().unwrap_or_default())?;
    let presentation = asked.take_presentation()?;
    let format = Format::negotiate(&headers, presentation.format.as_deref())?;
    let access = Access { client: &client, request, resource_type: of };
    let Some(of) = key(of, id) else {
        access.read(&server, "not-found", None).await?;
        return Err(Failure::not_found("there is no such resource or version"));
    };
    let path = format!("{}/{}/$everything", of.resource_type, of.id);
    let cursor = continued(&server, &path, asked)?;
    let search = asked_for(&of, &cursor, &server)?;
    let sight = server.sight(&client);
    match sight.read(&of).await? {
        None => {
            access.read(&server, "not-found", None).await?;
            return Err(Failure::not_found("there is no such resource or version"));
        }
        Some(stored) if stored.deleted => {
            access.read(&server, "deleted", Some(&stored)).await?;
            return Err(Failure::new(StatusCode::GONE, IssueCode::Deleted, "the resource is deleted"));
        }
        Some(_) => {}
    }
    let mut page = sight.search(&sight.bind_belongings(search)).await?;
    let mut links = vec![("self", sealed_link(&server, &path, &cursor)?)];
    if let Some(next) = page.next.clone() {
        let after = Cursor { parameters: cursor.parameters.clone(), after: Some(next) };
        links.push(("next", sealed_link(&server, &path, &after)?));
    }
    let entries = found(&page, &Subset::Whole, Vec::new(), &server)?;
    let (total, _) = small_cells::told(page.total, &server, &client);
    let answer = bundle("searchset", &links, total, &entries);
    page.matches.append(&mut page.included);
    access.listed(&server, true, &["everything"], &page.matches).await?;
    Ok(ok(answer, (format, presentation.pretty), None))
}

/// What the parameters ask.
struct Asked<'a> {
    reader: Reader<'a>,
    start: Option<String>,
    end: Option<String>,
    since: Option<String>,
    types: Option<Vec<ResourceType>>,
}

impl Asked<'_> {
    fn wants(&self, of: ResourceType) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&of))
    }

    /// Clauses beside membership. What has no date of care is told whatever dates are asked for.
    fn further(&self, of: ResourceType, server: &Server) -> Result<Vec<Clause>, Failure> {
        let mut clauses = Vec::new();
        if let Some(since) = &self.since {
            clauses.push(Clause::Updated(vec![self.reader.date("_since", &format!("ge{since}"))?]));
        }
        let registered = registered(of, server.role);
        let dated = CARE_DATES.into_iter().find(|code| {
            registered.iter().any(|parameter| parameter.code == *code && parameter.kind == SearchKind::Date)
        });
        for (name, prefix, bound) in [("start", "ge", &self.start), ("end", "le", &self.end)] {
            let Some(bound) = bound else { continue };
            let value = self.reader.date(name, &format!("{prefix}{bound}"))?;
            let Some(dated) = dated else { continue };
            let parameter = dated.to_owned();
            clauses.push(Clause::Any(vec![
                Clause::Missing { parameter: parameter.clone(), missing: true },
                Clause::Date { parameter, values: vec![value] },
            ]));
        }
        Ok(clauses)
    }
}

fn asked_for(of: &ResourceKey, cursor: &Cursor, server: &Server) -> Result<Search, Failure> {
    let mut given = Parameters(cursor.parameters.clone());
    let mut once = |name: &'static str| given.take_one(name);
    let (start, end, since) = (once("start")?, once("end")?, once("_since")?);
    let (types, count) = (once("_type")?, once("_count")?);
    if let Some((name, _)) = given.0.first() {
        return Err(choice("$everything", name, &PARAMETERS));
    }
    let instants = own_parameters(server.role).iter().any(|(own, _)| *own == "_lastUpdated");
    if since.is_some() && !instants {
        return Err(not_supported("`_since` is not supported here: instants are told to the year"));
    }
    let reader =
        Reader { base_url: &server.fhir.base_url, now_us: (server.fhir.now_us)(), role: server.role };
    let types = match types {
        None => None,
        Some(list) => Some(list.split(',').map(|name| of_r4(name, server)).collect::<Result<Vec<_>, _>>()?),
    };
    let asked = Asked { reader, start, end, since, types };
    let mut kinds = Vec::new();
    let own = (of.resource_type, vec![Clause::Id(vec![of.id.clone()])]);
    if asked.wants(of.resource_type) {
        kinds.push(own);
    }
    for member in server.fhir.types.iter().copied().filter(|member| *member != of.resource_type) {
        if asked.wants(member) && !parameters(member, of.resource_type, server.role).is_empty() {
            let mut clauses = vec![membership(member, of, server)?];
            clauses.extend(asked.further(member, server)?);
            kinds.push((member, clauses));
        }
    }
    // The dates are read even where no type has one.
    asked.further(of.resource_type, server)?;
    let Some((resource_type, clauses)) = kinds.first().cloned() else {
        return Err(invalid("`_type` names no type that belongs to this resource"));
    };
    let count = page_size(count.as_deref(), None)?.max(1);
    let mut search = Search { clauses, after: cursor.after.clone(), ..Search::of(resource_type, count) };
    search.beside = kinds.split_off(1);
    search.includes = supporting(of.resource_type, &search, &asked, server);
    Ok(search)
}

fn of_r4(name: &str, server: &Server) -> Result<ResourceType, Failure> {
    server.resource_type(name).map_err(|_| {
        let served: Vec<&str> = server.fhir.types.iter().map(|of| of.as_str()).collect();
        choice("_type", name, &served)
    })
}

/// What a role's types in nobody's compartment are, and by which parameters each type refers to others. Looked for once.
struct Supporting {
    types: Vec<ResourceType>,
    references: HashMap<ResourceType, Vec<&'static str>>,
}

impl Supporting {
    fn of(role: &Role) -> &'static Self {
        static KNOWN: ByAudience<Supporting> = ByAudience::new();
        KNOWN.of(role, || {
            let belongs = |target: &ResourceType| {
                let owned =
                    registered(*target, role).iter().any(|parameter| OWNERS.contains(&parameter.code));
                owned || target.as_str() == "Patient" || !r4().patient_compartment(target.as_str()).is_empty()
            };
            Self {
                types: every_type().into_iter().filter(|target| !belongs(target)).collect(),
                references: every_type()
                    .into_iter()
                    .map(|of| (of, includes(of, &registered(of, role))))
                    .collect(),
            }
        })
    }
}

/// References of what is found to types that are in nobody's compartment; of an encounter, to its patient as well.
fn supporting(of: ResourceType, search: &Search, asked: &Asked<'_>, server: &Server) -> Vec<Include> {
    let Supporting { types, references } = Supporting::of(server.role);
    let served = types.iter().copied().filter(|target| server.fhir.types.binary_search(target).is_ok());
    let targets: Vec<ResourceType> = served.filter(|target| asked.wants(*target)).collect();
    let sources = std::iter::once(search.resource_type).chain(search.beside.iter().map(|(of, _)| *of));
    let forward = |source: ResourceType, parameters: &[&str], targets: Vec<ResourceType>| Include {
        way: Way::Forward,
        source,
        parameters: parameters.iter().map(|parameter| (*parameter).to_owned()).collect(),
        targets,
        iterate: false,
    };
    let mut found = Vec::new();
    if !targets.is_empty() {
        let of = |source: &ResourceType| references.get(source).map(Vec::as_slice).unwrap_or_default();
        found.extend(sources.map(|source| forward(source, of(&source), targets.clone())));
    }
    let patient = ResourceType::parse("Patient").filter(|patient| asked.wants(*patient));
    if let Some(patient) = patient.filter(|_| of.as_str() == "Encounter") {
        found.push(forward(of, &OWNERS, vec![patient]));
    }
    found
}
