//! `_explain=plan`: how a search was driven, in an outcome beside its matches. It tells how much was looked at, and so only
//! clients hear it that see every identified resource.

use fhir::{Audience, Issue, IssueCode, Severity};
use store::{Clause, Drive, Page};

use super::refusal::{invalid, not_supported};
use crate::outcome::Failure;
use crate::query::Parameters;
use crate::server::Role;

/// The parameter.
pub(super) const EXPLAIN: &str = "_explain";

/// Takes the parameter out; whether the plan is asked for. `is_whole`: the client sees every resource.
///
/// # Errors
/// 400 when it is repeated, asks for something else, or is not for this client.
pub(super) fn asked(parameters: &mut Parameters, role: &Role, is_whole: bool) -> Result<bool, Failure> {
    match parameters.take_one(EXPLAIN)?.as_deref() {
        None => Ok(false),
        Some(_) if !is_offered(role) || !is_whole => {
            Err(not_supported("`_explain` is for clients that see every identified resource"))
        }
        Some("plan") => Ok(true),
        Some(_) => Err(invalid("`_explain` is plan")),
    }
}

/// Whether anybody may ask in this role.
pub(super) fn is_offered(role: &Role) -> bool {
    role.audience == Audience::Identified
}

/// How the matches of a page were found. `clauses`: those of the search.
pub(super) fn told(page: &Page, clauses: &[Clause]) -> Issue {
    let code = |place: usize| clauses.get(place).map_or("a clause", Clause::code);
    let drive = match page.drive {
        Drive::Nothing => "nothing, for what is asked for is nowhere".to_owned(),
        Drive::Clause(place) => format!("all that `{}` selects, put in order", code(place)),
        Drive::Merged(place) => format!("what `{}` selects, in the order of the index", code(place)),
        Drive::Newest => format!("the newest of `{}`, in their order", code(0)),
        Drive::Order => "along the index of the first sort key".to_owned(),
        Drive::Type => "all resources of the type".to_owned(),
        Drive::Several => "what the first conditions of several types select".to_owned(),
    };
    let beside = match page.drive {
        Drive::Clause(_) | Drive::Merged(_) | Drive::Newest => clauses.len().saturating_sub(1),
        Drive::Nothing | Drive::Order | Drive::Type | Drive::Several => clauses.len(),
    };
    let text = format!(
        "driven by {drive}; {} resources looked at, each tested by {beside} other conditions",
        page.looked_at
    );
    Issue { severity: Severity::Information, code: IssueCode::Informational, location: String::new(), text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::PORTAL;

    fn parameters(value: &str) -> Parameters {
        Parameters(vec![("_count".into(), "3".into()), (EXPLAIN.into(), value.into())])
    }

    #[test]
    fn nobody_hears_a_plan_who_does_not_see_everything() {
        assert!(asked(&mut parameters("plan"), &PORTAL, true).is_err());
        assert!(!asked(&mut Parameters::default(), &PORTAL, false).expect("is not asked"));
        #[cfg(feature = "clinical")]
        {
            use crate::server::CLINICAL;
            assert!(asked(&mut parameters("plan"), &CLINICAL, false).is_err());
            let mut given = parameters("plan");
            assert!(asked(&mut given, &CLINICAL, true).expect("is offered"));
            assert_eq!(given.0.len(), 1, "what is left is the search");
        }
    }
}
