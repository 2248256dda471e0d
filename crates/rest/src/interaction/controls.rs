//! Result parameters of a search: page size, total, order, includes (R4, search §3.1.1.5).

use fhir::{IssueCode, ResourceType, SearchParameter};
use store::{Include, Sort, SortBy, Total, Way};

use super::refusal::{choice, invalid, not_supported};
use super::registry::{demand_indexed, includes, leads, own_parameters, points_at, sorts, usable};
use super::search::{PAGE_DEFAULT, PAGE_MAX};
use crate::outcome::Failure;
use crate::server::Server;

/// Sort keys of one search.
pub(crate) const SORT_KEYS_MAX: usize = 4;
/// Values of `_include` and `_revinclude` of one search, all together.
pub(crate) const INCLUDES_MAX: usize = 16;

/// Matches on a page; 0 asks for the total alone.
pub(super) fn page_size(count: Option<&str>, summary: Option<&str>) -> Result<usize, Failure> {
    let counted = match count {
        None => PAGE_DEFAULT,
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            // A number beyond usize is beyond the page limit as well.
            text.parse().unwrap_or(PAGE_MAX).min(PAGE_MAX)
        }
        Some(_) => return Err(invalid("_count is a whole number from 0")),
    };
    Ok(if summary == Some("count") { 0 } else { counted })
}

/// How much the total may cost. A search for the total alone asks for it.
pub(super) fn total(asked: Option<&str>, count: usize) -> Result<Total, Failure> {
    match asked {
        _ if count == 0 => Ok(Total::Accurate),
        None => Ok(Total::Cheap),
        Some("estimate") => Ok(Total::Estimate),
        Some("none") => Ok(Total::None),
        Some("accurate") => Ok(Total::Accurate),
        Some(_) => Err(not_supported("`_total` is none, estimate or accurate")),
    }
}

/// `_sort`: keys by comma, each with a minus where the greatest comes first.
pub(super) fn sort(asked: &str, of: ResourceType, server: &Server) -> Result<Vec<Sort>, Failure> {
    let (own, usable) = (own_parameters(server.role), usable(of, &server.fhir, server.role));
    let valid: Vec<&str> = own
        .iter()
        .map(|(code, _)| *code)
        .chain(usable.iter().filter(|parameter| sorts(parameter.kind)).map(|parameter| parameter.code))
        .collect();
    let keys: Vec<&str> = asked.split(',').collect();
    if keys.len() > SORT_KEYS_MAX {
        let text = format!("`_sort` takes at most {SORT_KEYS_MAX} keys");
        return Err(Failure::bad_request(IssueCode::TooCostly, text));
    }
    let key = |text: &&str| {
        let (code, descending) = text.strip_prefix('-').map_or((*text, false), |code| (code, true));
        demand_indexed(of, code, &server.fhir)?;
        let by = match valid.iter().find(|valid| **valid == code) {
            None => return Err(choice("_sort", code, &valid)),
            Some(&"_id") => SortBy::Id,
            Some(&"_lastUpdated") => SortBy::Updated,
            Some(code) => SortBy::Parameter((*code).to_owned()),
        };
        Ok(Sort { by, descending })
    };
    keys.iter().map(key).collect()
}

/// `_include`: `Type:parameter`, `Type:parameter:Target`, `Type:*` or `*`. One that repeats may begin at any served type.
pub(super) fn forward(
    asked: &str,
    of: ResourceType,
    iterate: bool,
    server: &Server,
) -> Result<Include, Failure> {
    let (source, parameter, target) = parts(asked);
    let known = server.resource_type(source).ok().filter(|source| iterate || *source == of);
    let from = known.unwrap_or(of);
    let usable = usable(from, &server.fhir, server.role);
    let all = includes(from, &usable);
    if known.is_some() {
        demand_indexed(from, parameter.unwrap_or_default(), &server.fhir)?;
    }
    let refused = || {
        let valid: Vec<String> = all.iter().map(|code| format!("{from}:{code}")).collect();
        let any = format!("{from}:*");
        let valid: Vec<&str> = valid.iter().map(String::as_str).chain([any.as_str(), "*"]).collect();
        choice(if iterate { "_include:iterate" } else { "_include" }, asked, &valid)
    };
    let target = match target {
        None => None,
        Some(name) => Some(ResourceType::parse(name).ok_or_else(refused)?),
    };
    let every = (asked == "*" && !iterate) || (known.is_some() && parameter == Some("*") && target.is_none());
    let parameters = if every {
        all.iter().map(|code| (*code).to_owned()).collect()
    } else {
        let found = all.iter().find(|code| parameter == Some(**code)).filter(|_| known.is_some());
        let found = found.ok_or_else(refused)?;
        let points = usable.iter().find(|known| known.code == *found);
        if !target.is_none_or(|target| points.is_some_and(|points| points_at(from, points, target))) {
            return Err(refused());
        }
        vec![(*found).to_owned()]
    };
    Ok(Include {
        way: Way::Forward,
        source: from,
        parameters,
        targets: target.into_iter().collect(),
        iterate,
    })
}

/// `_revinclude`: `Type:parameter` of a served type whose parameter can point at the one searched; of one that repeats,
/// at any.
pub(super) fn reverse(
    asked: &str,
    of: ResourceType,
    iterate: bool,
    server: &Server,
) -> Result<Include, Failure> {
    let (source, parameter, target) = parts(asked);
    let refused = || {
        let valid = super::registry::reverse_includes(of, &server.fhir, server.role);
        let valid: Vec<String> = valid.iter().map(|(source, code)| format!("{source}:{code}")).collect();
        let name = if iterate { "_revinclude:iterate" } else { "_revinclude" };
        choice(name, asked, &valid.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let source = server.resource_type(source).map_err(|_| refused())?;
    demand_indexed(source, parameter.unwrap_or_default(), &server.fhir)?;
    let target = match target {
        None => None,
        Some(name) => Some(ResourceType::parse(name).ok_or_else(refused)?),
    };
    let wanted = if iterate { target } else { target.or(Some(of)) };
    let points_here = |found: &&SearchParameter| {
        Some(found.code) == parameter
            && leads(source, found)
            && wanted.is_none_or(|wanted| points_at(source, found, wanted))
    };
    let parameters = usable(source, &server.fhir, server.role);
    let found = parameters.iter().find(|found| points_here(found)).ok_or_else(refused)?;
    if !iterate && target.is_some_and(|target| target != of) {
        return Err(refused());
    }
    let parameters = vec![found.code.to_owned()];
    Ok(Include { way: Way::Reverse, source, parameters, targets: target.into_iter().collect(), iterate })
}

fn parts(asked: &str) -> (&str, Option<&str>, Option<&str>) {
    let mut parts = asked.splitn(3, ':');
    (parts.next().unwrap_or_default(), parts.next(), parts.next())
}
