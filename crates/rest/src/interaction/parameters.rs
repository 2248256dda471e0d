//! What a query asks (R4, search §3.1.1). Strict: what is not supported is refused. A client of identified resources may
//! ask for `Prefer: handling=lenient`; then it is left out, and the answer says so.

use axum::http::HeaderMap;
use fhir::{Audience, Issue, IssueCode, ResourceType, Severity};
use store::{Search, Total};

use super::controls::{self, INCLUDES_MAX};
use super::filters::{Filters, Place};
use super::refusal::{self, not_supported};
use super::subset::Subset;
use super::values::{Reader, or_values};
use crate::outcome::Failure;
use crate::query::Parameters;
use crate::server::Server;

/// A search as it will run.
pub(super) struct Query {
    pub(super) search: Search,
    pub(super) subset: Subset,
    /// Names used, for the audit record.
    pub(super) names: Vec<&'static str>,
    /// Whether a value can name a person, so that links must be sealed.
    pub(super) confidential: bool,
    /// The parameters that were understood, as they were given.
    pub(super) executed: Vec<(String, String)>,
    /// What was left out, and why.
    pub(super) left_out: Vec<Issue>,
}

/// Whether what is not supported is left out rather than refused (`Prefer: handling=lenient`). Never of de-identified
/// resources: a search that forgets a parameter answers with everybody.
pub(super) fn is_lenient(headers: &HeaderMap, server: &Server) -> bool {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut wishes = values.flat_map(|value| value.split([',', ';'])).map(str::trim);
    let wish = wishes.find_map(|wish| wish.strip_prefix("handling=")).map(|how| how.trim_matches('"'));
    wish == Some("lenient") && server.role.audience == Audience::Identified
}

impl Query {
    /// # Errors
    /// 400 when a parameter, modifier or value is not supported.
    pub(super) fn parse(
        parameters: &Parameters,
        of: ResourceType,
        server: &Server,
        lenient: bool,
    ) -> Result<Self, Failure> {
        for once in ["_count", "_summary", "_elements", "_total", "_sort"] {
            parameters.clone().take_one(once)?;
        }
        let mut query = Self {
            search: Search::of(of, controls::page_size(None, None)?),
            subset: Subset::Whole,
            names: Vec::new(),
            confidential: false,
            executed: Vec::new(),
            left_out: Vec::new(),
        };
        let reader =
            Reader { base_url: &server.fhir.base_url, now_us: (server.fhir.now_us)(), role: server.role };
        let filters = Filters { server, reader };
        for (at, (name, value)) in parameters.0.iter().enumerate() {
            match query.take(name, value, at + 1, &filters) {
                Ok(()) => query.executed.push((name.clone(), value.clone())),
                Err(refused) => match refused.not_supported().filter(|_| lenient) {
                    Some(issue) => {
                        query.left_out.push(Issue { severity: Severity::Warning, ..issue.clone() })
                    }
                    None => return Err(refused),
                },
            }
        }
        query.control()?;
        Ok(query)
    }

    /// Takes one parameter. Those of the result are only checked: they are read together, by [`Query::control`].
    fn take(&mut self, name: &str, value: &str, number: usize, filters: &Filters<'_>) -> Result<(), Failure> {
        let (of, server) = (self.search.resource_type, filters.server);
        match name {
            "_count" => controls::page_size(Some(value), None).map(|_| ()),
            "_total" => controls::total(Some(value), 1).map(|_| ()),
            "_summary" => Subset::parse(Some(value), None, of).map(|_| ()),
            "_elements" => Subset::parse(None, Some(value), of).map(|_| ()),
            "_sort" => {
                self.search.sort = controls::sort(value, of, server)?;
                self.used("_sort");
                Ok(())
            }
            _ if name.split(':').next().is_some_and(|stem| matches!(stem, "_include" | "_revinclude")) => {
                self.include(name, value, server)
            }
            _ => {
                let filter = filters.read(of, name, value, Place { number, hops: 0 })?;
                filter.codes.into_iter().for_each(|code| self.used(code));
                self.confidential |= filter.confidential;
                self.search.clauses.push(filter.clause);
                Ok(())
            }
        }
    }

    /// Reads what decides the result together.
    fn control(&mut self) -> Result<(), Failure> {
        let given =
            |name: &str| self.executed.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let (count, total, summary) = (given("_count"), given("_total"), given("_summary"));
        let (subset, _) = Subset::parse(summary, given("_elements"), self.search.resource_type)?;
        let count = controls::page_size(count, summary)?;
        self.search.total = controls::total(total, count)?;
        self.search.count = count;
        self.subset = subset;
        if !self.subset.allows_includes() && !self.search.includes.is_empty() {
            return Err(not_supported("`_include` and `_revinclude` do not go with `_summary=text`"));
        }
        Ok(())
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

    /// Takes `_include` or `_revinclude`.
    fn include(&mut self, name: &str, value: &str, server: &Server) -> Result<(), Failure> {
        let of = self.search.resource_type;
        let (stem, modifier) = match name.split_once(':') {
            Some((stem, modifier)) => (stem, Some(modifier)),
            None => (name, None),
        };
        let known = if stem == "_include" { "_include" } else { "_revinclude" };
        let iterate = match modifier {
            None => false,
            Some("iterate") => true,
            Some(modifier) => return Err(refusal::modifier(known, modifier, &["iterate"])),
        };
        let mut includes = Vec::new();
        for asked in or_values(known, value)? {
            includes.push(match known {
                "_include" => controls::forward(asked, of, iterate, server)?,
                _ => controls::reverse(asked, of, iterate, server)?,
            });
        }
        if self.search.includes.len() + includes.len() > INCLUDES_MAX {
            let text = format!("at most {INCLUDES_MAX} includes are followed");
            return Err(Failure::bad_request(IssueCode::TooCostly, text));
        }
        self.search.includes.extend(includes);
        self.used(known);
        Ok(())
    }
}
