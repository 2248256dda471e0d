//! Criteria of conditional interactions (R4, http §3.1.0.8.2): a search that says which resource is meant. Never "all".

use axum::http::{HeaderMap, HeaderName};
use fhir::{IssueCode, ResourceType};
use store::{Search, Stored, Total};

use super::Caller;
use super::headers::only;
use crate::interaction::parameters::Query;
use crate::interaction::registry::RESULT_PARAMETERS;
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::query::Parameters;
use crate::sight::{Bound, Sight};

/// Matches that are looked for: one, and whether there is another.
const MATCHES: usize = 2;

/// The search of a query, as the conditional interactions use it.
///
/// # Errors
/// 412 when there is no criterion; 400 for a parameter that is not supported, or that says how results are shown.
pub(in crate::interaction) fn criteria(
    caller: Caller<'_>,
    of: ResourceType,
    parameters: &Parameters,
) -> Result<Bound, Failure> {
    let is_result = |name: &str| {
        let stem = name.split(':').next().unwrap_or_default();
        RESULT_PARAMETERS.contains(&stem) || ["_elements", "_contained", "_cursor"].contains(&stem)
    };
    if parameters.0.iter().any(|(name, _)| is_result(name)) {
        let text = "criteria are search parameters; result parameters are not";
        return Err(Failure::bad_request(IssueCode::NotSupported, text));
    }
    let search = Query::parse(parameters, of, caller.server, false)?.search;
    if search.clauses.is_empty() {
        return Err(Failure::precondition("criteria are needed: without any, everything would be meant"));
    }
    caller.sight().bind(Search { count: MATCHES, total: Total::None, ..search })
}

/// The criteria of `If-None-Exist`: the query of a search, with or without its `?`.
///
/// # Errors
/// 400 when it is given twice or cannot be decoded.
pub(in crate::interaction) fn if_none_exist(headers: &HeaderMap) -> Result<Option<Parameters>, Failure> {
    let Some(text) = only(headers, &HeaderName::from_static("if-none-exist"))? else { return Ok(None) };
    let mut parameters = Parameters::default();
    parameters.decode(text.strip_prefix('?').unwrap_or(text))?;
    Ok(Some(parameters))
}

/// The criteria of a conditional address, and the form of the answer.
///
/// # Errors
/// As [`criteria`]; 406 for a form that is not written here.
pub(in crate::interaction) fn query_criteria(
    caller: Caller<'_>,
    of: ResourceType,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<(Bound, (Format, bool)), Failure> {
    let mut parameters = Parameters::default();
    parameters.decode(query.unwrap_or_default())?;
    let presentation = parameters.take_presentation()?;
    let format = Format::negotiate(headers, presentation.format.as_deref())?;
    Ok((criteria(caller, of, &parameters)?, (format, presentation.pretty)))
}

/// The only match; `None` where nothing matches.
///
/// # Errors
/// 412 when several match, or that cannot be found out.
pub(in crate::interaction) async fn only_match(
    sight: Sight<'_>,
    search: &Bound,
) -> Result<Option<Stored>, Failure> {
    let page = sight.search(search).await?;
    let is_cut = page.examined_cut;
    let mut matches = page.matches.into_iter();
    match (matches.next(), matches.next()) {
        (_, Some(_)) => Err(Failure::precondition("more than one resource matches the criteria")),
        (_, None) if is_cut => Err(Failure::precondition("the criteria match too much to be looked through")),
        (found, None) => Ok(found),
    }
}

/// The resource that a conditional reference means, with its search.
///
/// # Errors
/// 412 unless exactly one matches; as [`criteria`].
pub(in crate::interaction) async fn conditional_reference(
    caller: Caller<'_>,
    of: ResourceType,
    query: &str,
) -> Result<(Bound, Stored), Failure> {
    let mut parameters = Parameters::default();
    parameters.decode(query)?;
    let search = criteria(caller, of, &parameters)?;
    match only_match(caller.sight(), &search).await? {
        Some(stored) => Ok((search, stored)),
        None => Err(Failure::precondition("nothing matches a conditional reference")),
    }
}
