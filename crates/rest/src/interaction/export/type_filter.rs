//! `_typeFilter` (FHIR Bulk Data Access 2.0): searches of one type each. Those of the same type are alternatives; types that
//! none names are exported whole. They are asked of resources as they stand: what changed since the export began is told as
//! it was then.

use std::collections::HashMap;

use fhir::ResourceType;
use store::Clause;

use super::asked::of_r4;
use crate::interaction::filters::{Filters, Place};
use crate::interaction::refusal::{invalid, not_supported};
use crate::interaction::registry::RESULT_PARAMETERS;
use crate::interaction::values::Reader;
use crate::outcome::Failure;
use crate::query::Parameters;
use crate::server::Server;

/// What must hold of resources of each type, and the codes of the parameters that say so.
type Read = (HashMap<ResourceType, Clause>, Vec<&'static str>);

/// Reads the values of `_typeFilter`, for an export of these types.
///
/// # Errors
/// 400 for a type that is not exported, and as of a search, for what is not supported or cannot be read.
pub(super) fn read(
    server: &Server,
    reader: Reader<'_>,
    types: &[ResourceType],
    asked: &[String],
) -> Result<Read, Failure> {
    let filters = Filters { server, reader };
    let (mut all, mut codes) = (HashMap::<ResourceType, Vec<Clause>>::new(), Vec::new());
    for search in asked.iter().flat_map(|list| searches(list)) {
        let Some((name, query)) = search.split_once('?').filter(|(_, query)| !query.is_empty()) else {
            return Err(invalid("`_typeFilter` takes searches: type?parameter=value"));
        };
        let of = of_r4("_typeFilter", name, server)?;
        if !types.contains(&of) {
            return Err(invalid(format!("`_typeFilter` names {of}, which is not exported here")));
        }
        let mut parameters = Parameters::default();
        parameters.decode(query)?;
        let mut clauses = Vec::new();
        for (number, (name, value)) in (1..).zip(&parameters.0) {
            let stem = name.split(':').next().unwrap_or_default();
            if let Some(result) = RESULT_PARAMETERS.iter().find(|known| **known == stem) {
                let text = format!("`_typeFilter` takes what finds resources alone, not `{result}`");
                return Err(not_supported(text));
            }
            let filter = filters.read(of, name, value, Place { number, hops: 0 })?;
            codes.extend(filter.codes);
            clauses.push(filter.clause);
        }
        all.entry(of).or_default().push(Clause::All(clauses));
    }
    codes.sort_unstable();
    codes.dedup();
    Ok((all.into_iter().map(|(of, any)| (of, Clause::Any(any))).collect(), codes))
}

/// The searches of a list. A comma begins the next where the name of a type and a question mark follow; others part the
/// alternatives of one parameter.
fn searches(list: &str) -> Vec<&str> {
    let (mut found, mut start) = (Vec::new(), 0);
    for (at, _) in list.match_indices(',') {
        let rest = list.get(at + 1..).unwrap_or_default();
        let name = rest.split_once('?').map(|(name, _)| name);
        if name.is_some_and(|name| ResourceType::parse(name).is_some()) {
            found.push(list.get(start..at).unwrap_or_default());
            start = at + 1;
        }
    }
    found.push(list.get(start..).unwrap_or_default());
    found
}

#[cfg(test)]
mod tests {
    use super::searches;

    #[test]
    fn a_comma_parts_searches_or_values() {
        for (list, expected) in [
            ("Patient?active=true", vec!["Patient?active=true"]),
            ("Observation?code=a,b,Patient?_id=1,2", vec!["Observation?code=a,b", "Patient?_id=1,2"]),
            ("Patient?name=a,Nobody?b", vec!["Patient?name=a,Nobody?b"]),
            ("", vec![""]),
        ] {
            assert_eq!(searches(list), expected, "{list}");
        }
    }
}
