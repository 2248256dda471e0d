//! Whether all that a search asks by is indexed. A parameter whose index is being made would find part of what there is.

use fhir::ResourceType;

use crate::{Clause, Error, Result, Search, SearchIndex, SortBy};

/// # Errors
/// [`Error::NotIndexed`] when a parameter of a clause, a sort key or an include is not ready.
pub(super) fn demand(search: &Search, index: &SearchIndex) -> Result<()> {
    if index.is_empty() {
        return Ok(());
    }
    let own = std::iter::once((search.resource_type, &search.clauses));
    for (of, clauses) in own.chain(search.beside.iter().map(|(of, clauses)| (*of, clauses))) {
        clauses.iter().try_for_each(|clause| by(clause, of, index))?;
    }
    for key in &search.sort {
        if let SortBy::Parameter(code) = &key.by {
            ready(search.resource_type, code, index)?;
        }
    }
    for include in &search.includes {
        include.parameters.iter().try_for_each(|code| ready(include.source, code, index))?;
    }
    let along = search.along.iter().flat_map(|along| along.forward.iter().chain(&along.reverse));
    along.into_iter().try_for_each(|(of, clause)| by(clause, *of, index))
}

fn ready(of: ResourceType, name: &str, index: &SearchIndex) -> Result<()> {
    let code = name.split(':').next().unwrap_or(name);
    match index.find(of.as_str(), code) {
        Some(held) if !held.is_ready() => Err(Error::NotIndexed),
        _ => Ok(()),
    }
}

fn by(clause: &Clause, of: ResourceType, index: &SearchIndex) -> Result<()> {
    match clause {
        Clause::Chain { parameter, targets } => {
            ready(of, parameter, index)?;
            targets.iter().try_for_each(|(target, clause)| by(clause, *target, index))
        }
        Clause::Has { source, parameter, clause } => {
            ready(*source, parameter, index)?;
            by(clause, *source, index)
        }
        Clause::Any(all) | Clause::All(all) | Clause::None(all) => {
            all.iter().try_for_each(|clause| by(clause, of, index))
        }
        one => ready(of, one.code(), index),
    }
}
