//! What a query asks (R4, search §3.1.1). Strict: what is not supported is refused, whatever `Prefer: handling` says.

use fhir::{IssueCode, ResourceType, is_plain};
use store::{Search, Total};

use super::controls::{self, INCLUDES_MAX};
use super::refusal;
use super::registry::{own_parameters, registered};
use super::values::{Reader, ids, or_values};
use crate::outcome::Failure;
use crate::query::Parameters;
use crate::server::Server;

/// A search as it will run.
pub(super) struct Query {
    pub(super) search: Search,
    /// Names used, for the audit record.
    pub(super) names: Vec<&'static str>,
    /// Whether a value can name a person, so that links must be sealed.
    pub(super) confidential: bool,
}

impl Query {
    /// # Errors
    /// 400 when a parameter, modifier or value is not supported.
    pub(super) fn parse(parameters: &Parameters, of: ResourceType, server: &Server) -> Result<Self, Failure> {
        let mut controls = parameters.clone();
        let count = controls.take_one("_count")?;
        let summary = controls.take_one("_summary")?;
        let total = controls.take_one("_total")?;
        let sort = controls.take_one("_sort")?;
        let count = controls::page_size(count.as_deref(), summary.as_deref())?;
        let registered = registered(of, server.role);
        let mut query = Self { search: Search::of(of, count), names: Vec::new(), confidential: false };
        query.search.total = controls::total(total.as_deref(), count)?;
        if let Some(sort) = sort {
            query.search.sort = controls::sort(&sort, &registered, server)?;
            query.used("_sort");
        }
        let reader = Reader { base_url: &server.fhir.base_url, now_us: (server.fhir.now_us)() };
        for (name, value) in &controls.0 {
            let place = parameters.0.iter().position(|(at, _)| at == name).map_or(0, |at| at + 1);
            if query.include(name, value, of, server)? {
                continue;
            }
            let (stem, modifier) = match name.split_once(':') {
                Some((stem, modifier)) => (stem, Some(modifier)),
                None => (name.as_str(), None),
            };
            if let Some((own, _)) = own_parameters(server.role).iter().find(|(own, _)| *own == stem) {
                if let Some(modifier) = modifier {
                    return Err(refusal::modifier(own, modifier, &[]));
                }
                query.own(own, value, &reader)?;
                continue;
            }
            if let Some((stem, _)) = stem.split_once('.')
                && let Some(parameter) = registered.iter().find(|parameter| parameter.code == stem)
            {
                return Err(refusal::chain(parameter.code));
            }
            let Some(parameter) = registered.iter().find(|parameter| parameter.code == stem) else {
                return Err(refusal::unknown(stem, place, of, server.role, &registered));
            };
            if modifier.is_some_and(|modifier| modifier.contains('.')) {
                return Err(refusal::chain(parameter.code));
            }
            query.used(parameter.code);
            query.confidential |= !is_plain(parameter);
            query.search.clauses.push(reader.clause(parameter, modifier, value)?);
        }
        Ok(query)
    }

    /// Whether it asks for the total alone.
    pub(super) fn counts_only(&self) -> bool {
        self.search.count == 0
    }

    /// Whether the total must be told.
    pub(super) fn needs_total(&self) -> bool {
        self.search.total == Total::Accurate
    }

    fn used(&mut self, name: &'static str) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    fn own(&mut self, name: &'static str, value: &str, reader: &Reader<'_>) -> Result<(), Failure> {
        self.used(name);
        self.search.clauses.push(if name == "_id" {
            ids(value)?
        } else {
            self.confidential = true;
            reader.updated(value)?
        });
        Ok(())
    }

    /// Takes `_include` and `_revinclude`; whether it was one.
    fn include(
        &mut self,
        name: &str,
        value: &str,
        of: ResourceType,
        server: &Server,
    ) -> Result<bool, Failure> {
        let (stem, modifier) = match name.split_once(':') {
            Some((stem, modifier)) => (stem, Some(modifier)),
            None => (name, None),
        };
        let Some(known) = ["_include", "_revinclude"].into_iter().find(|known| *known == stem) else {
            return Ok(false);
        };
        if let Some(modifier) = modifier {
            return Err(refusal::modifier(known, modifier, &[]));
        }
        for asked in or_values(known, value)? {
            self.search.includes.push(match known {
                "_include" => controls::forward(asked, of, server)?,
                _ => controls::reverse(asked, of, server)?,
            });
        }
        if self.search.includes.len() > INCLUDES_MAX {
            let text = format!("at most {INCLUDES_MAX} includes are followed");
            return Err(Failure::bad_request(IssueCode::TooCostly, text));
        }
        self.used(known);
        Ok(true)
    }
}
