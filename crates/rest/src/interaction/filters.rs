//! What a search filters by: parameters, chains and `_has`, each resolved over the parameters of the role alone
//! (R4, search §3.1.1.3, §3.1.1.5.4).

use fhir::{ResourceType, SearchParameter, is_plain};
use store::Clause;

use super::refusal;
use super::registry::{
    demand_indexed, leads, own_parameters, points_at, registered, reverse_includes, usable,
};
use super::values::{Reader, ids, missing};
use crate::capacity::HOPS_MAX;
use crate::outcome::Failure;
use crate::server::Server;

/// `_list`.
const LIST: &str = "_list";
const HAS: &str = "_has";

/// One parameter of a search, read.
pub(super) struct Filter {
    pub(super) clause: Clause,
    /// Codes it tests, for the audit record.
    pub(super) codes: Vec<&'static str>,
    /// Whether its values can name a person or a date of care.
    pub(super) confidential: bool,
}

/// Where in a request a parameter stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Its number among the parameters, from 1.
    pub(super) number: usize,
    /// References followed so far.
    pub(super) hops: usize,
}

impl Place {
    fn further(self) -> Result<Self, Failure> {
        if self.hops == HOPS_MAX {
            return Err(refusal::hops());
        }
        Ok(Self { hops: self.hops + 1, ..self })
    }
}

/// Reads filters against a server.
pub(super) struct Filters<'a> {
    pub(super) server: &'a Server,
    pub(super) reader: Reader<'a>,
}

impl Filters<'_> {
    /// Reads a parameter as a filter of a type.
    ///
    /// # Errors
    /// 400 when the parameter, its modifier or a value is not supported.
    pub(super) fn read(
        &self,
        of: ResourceType,
        name: &str,
        value: &str,
        place: Place,
    ) -> Result<Filter, Failure> {
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(of, rest, value, place.further()?);
        }
        if name == LIST {
            return self.list(of, value, place);
        }
        if let Some((head, rest)) = name.split_once('.') {
            return self.chain(of, (head, rest), value, place.further()?);
        }
        let (stem, modifier) = match name.split_once(':') {
            Some((stem, modifier)) => (stem, Some(modifier)),
            None => (name, None),
        };
        if let Some((own, _)) = own_parameters(self.server.role).iter().find(|(own, _)| *own == stem) {
            return self.own(own, modifier, value);
        }
        let parameter = self.parameter(of, stem, place)?;
        Ok(Filter {
            clause: self.reader.clause(parameter, modifier, value)?,
            codes: vec![parameter.code],
            confidential: !is_plain(parameter),
        })
    }

    fn parameter(
        &self,
        of: ResourceType,
        code: &str,
        place: Place,
    ) -> Result<&'static SearchParameter, Failure> {
        let (fhir, role) = (&self.server.fhir, self.server.role);
        demand_indexed(of, code, fhir)?;
        let usable = usable(of, fhir, role);
        let found = usable.iter().find(|parameter| parameter.code == code);
        found.copied().ok_or_else(|| refusal::unknown(code, place.number, of, role, &usable))
    }

    /// `_id` and `_lastUpdated`, which every resource has.
    fn own(&self, own: &'static str, modifier: Option<&str>, value: &str) -> Result<Filter, Failure> {
        let clause = match modifier {
            None if own == "_id" => ids(value)?,
            None => self.reader.updated(value)?,
            Some("missing") => {
                let none = Clause::Any(Vec::new());
                let all = Clause::Missing { parameter: own.to_owned(), missing: true };
                // The index has no values of these, so nothing is missing of everything.
                if missing(own, value)? { none } else { all }
            }
            Some(modifier) => return Err(refusal::modifier(own, modifier, &["missing"])),
        };
        Ok(Filter { clause, codes: vec![own], confidential: own != "_id" })
    }

    /// `subject:Patient.name`, `patient.identifier`. Without a type, over every type that the reference can point at and
    /// that has the parameter.
    fn chain(
        &self,
        of: ResourceType,
        (head, rest): (&str, &str),
        value: &str,
        place: Place,
    ) -> Result<Filter, Failure> {
        let (code, named) = match head.split_once(':') {
            Some((code, named)) => (code, Some(named)),
            None => (head, None),
        };
        let parameter = self.parameter(of, code, place)?;
        if !leads(of, parameter) {
            return Err(refusal::chain(parameter.code));
        }
        let served = self.server.fhir.types.iter().copied();
        let types: Vec<ResourceType> = served.filter(|target| points_at(of, parameter, *target)).collect();
        let asked: Vec<ResourceType> = match named {
            None => types.iter().copied().filter(|target| self.knows(*target, rest)).collect(),
            Some(named) => types.iter().copied().filter(|target| target.as_str() == named).collect(),
        };
        if asked.is_empty() {
            // The refusal of the type that is meant most often.
            let likely = types.iter().find(|target| target.as_str() == "Patient").or(types.first());
            return Err(match (named, likely) {
                (None, Some(target)) => match self.read(*target, rest, value, place) {
                    Err(refused) => refused,
                    Ok(_) => Failure::internal(),
                },
                _ => refusal::chain_type(
                    parameter.code,
                    &types.iter().map(|target| target.as_str()).collect::<Vec<_>>(),
                ),
            });
        }
        let mut filter =
            Filter { clause: Clause::Any(Vec::new()), codes: vec![parameter.code], confidential: false };
        let mut targets = Vec::with_capacity(asked.len());
        for target in asked {
            let inner = self.read(target, rest, value, place)?;
            filter.confidential |= inner.confidential;
            filter.codes.extend(inner.codes);
            targets.push((target, inner.clause));
        }
        filter.clause = Clause::Chain { parameter: parameter.code.to_owned(), targets };
        Ok(filter)
    }

    /// Whether a type has the parameter that a name begins with, be its index made or not: a chain over some of its types
    /// would find part of what there is.
    fn knows(&self, of: ResourceType, name: &str) -> bool {
        let stem = name.split(['.', ':']).next().unwrap_or_default();
        let own = own_parameters(self.server.role).iter().any(|(own, _)| *own == stem);
        let custom = self.server.fhir.index.of(of.as_str()).map(|(parameter, _)| parameter);
        let mut all = registered(of, self.server.role).into_iter().chain(custom);
        own || stem == HAS || all.any(|parameter| parameter.code == stem)
    }

    /// `_has:Observation:patient:code`: resources that such a resource refers to.
    fn has(&self, of: ResourceType, rest: &str, value: &str, place: Place) -> Result<Filter, Failure> {
        let mut parts = rest.splitn(3, ':');
        let (source, code, inner) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let refused = || {
            let valid = reverse_includes(of, &self.server.fhir, self.server.role);
            let valid: Vec<String> =
                valid.iter().map(|(source, code)| format!("_has:{source}:{code}:…")).collect();
            refusal::choice(HAS, "", &valid.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let source = self.server.resource_type(source).map_err(|_| refused())?;
        demand_indexed(source, code.unwrap_or_default(), &self.server.fhir)?;
        let leads_here =
            |parameter: &&SearchParameter| Some(parameter.code) == code && points_at(source, parameter, of);
        let parameter = usable(source, &self.server.fhir, self.server.role).into_iter().find(leads_here);
        let parameter = parameter.ok_or_else(refused)?;
        let inner = self.read(source, inner.ok_or_else(refused)?, value, place)?;
        let mut codes = vec![HAS, parameter.code];
        codes.extend(inner.codes);
        let (parameter, clause) = (parameter.code.to_owned(), Box::new(inner.clause));
        Ok(Filter {
            clause: Clause::Has { source, parameter, clause },
            codes,
            confidential: inner.confidential,
        })
    }

    /// `_list`: the members of a List. Those that a server works out (`$current-problems`) are not supported.
    fn list(&self, of: ResourceType, value: &str, place: Place) -> Result<Filter, Failure> {
        let role = self.server.role;
        let list = self.server.resource_type("List").ok();
        let item = list
            .and_then(|list| registered(list, role).into_iter().find(|parameter| parameter.code == "item"));
        let (Some(source), Some(item)) = (list, item) else {
            return Err(refusal::unknown(LIST, place.number, of, role, &registered(of, role)));
        };
        if value.starts_with('$') {
            return Err(refusal::not_supported("`_list` takes ids of List resources, no functional list"));
        }
        let clause = Clause::Has { source, parameter: item.code.to_owned(), clause: Box::new(ids(value)?) };
        Ok(Filter { clause, codes: vec![LIST], confidential: false })
    }
}
