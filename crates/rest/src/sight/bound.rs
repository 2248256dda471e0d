//! A search with what its client may see as part of its conditions, at every place where it leads to a resource.

use fhir::ResourceType;
use smart::{Permission, Permissions};
use store::{Along, Clause, Include, Search, Total, Way};

use super::Sight;
use crate::interaction::usable;
use crate::outcome::Failure;

const SEARCHED: Permissions = Permissions::of(&[Permission::Search]);

/// A search that finds only what its client may see. There is no other way to run one.
#[derive(Debug, Clone)]
pub(crate) struct Bound(Search);

impl Bound {
    /// The search as it runs.
    pub(crate) fn as_search(&self) -> &Search {
        &self.0
    }
}

impl Sight<'_> {
    /// Binds a search of a type.
    ///
    /// # Errors
    /// 403 when the type may not be searched.
    pub(crate) fn bind(self, search: Search) -> Result<Bound, Failure> {
        self.require(Permission::Search, search.resource_type)?;
        Ok(Bound(self.narrowed(search, SEARCHED)))
    }

    /// Binds a search of what belongs to a resource that was read: what may be read or searched.
    pub(crate) fn bind_belongings(self, search: Search) -> Bound {
        Bound(self.narrowed(search, Permissions::READ))
    }

    fn narrowed(self, mut search: Search, any: Permissions) -> Search {
        if self.is_whole() {
            return search;
        }
        let narrow = |of: ResourceType, clauses: Vec<Clause>| -> Vec<Clause> {
            let own = clauses.into_iter().map(|clause| self.narrow(clause));
            own.chain([self.condition(of, any).clause()]).collect()
        };
        search.clauses = narrow(search.resource_type, search.clauses);
        search.beside = search
            .beside
            .into_iter()
            .filter(|(of, _)| self.granted.grants(*of, any).next().is_some())
            .map(|(of, clauses)| (of, narrow(of, clauses)))
            .collect();
        search.along = (!search.includes.is_empty()).then(|| self.along(&search.includes));
        if search.total == Total::Estimate {
            // An estimate is worked out of what the index holds of everybody.
            search.total = Total::Cheap;
        }
        search
    }

    /// A clause whose links lead only to what may be searched. Every kind of clause is named, so that a new one that leads
    /// further is decided here.
    fn narrow(self, clause: Clause) -> Clause {
        let within = |of: ResourceType, clause: Clause| {
            Clause::All(vec![self.narrow(clause), self.condition(of, SEARCHED).clause()])
        };
        let each = |clauses: Vec<Clause>| clauses.into_iter().map(|clause| self.narrow(clause)).collect();
        match clause {
            Clause::Chain { parameter, targets } => {
                let targets = targets.into_iter().map(|(of, clause)| (of, within(of, clause))).collect();
                Clause::Chain { parameter, targets }
            }
            Clause::Has { source, parameter, clause } => {
                Clause::Has { source, parameter, clause: Box::new(within(source, *clause)) }
            }
            Clause::Any(clauses) => Clause::Any(each(clauses)),
            Clause::All(clauses) => Clause::All(each(clauses)),
            // Of a sight's own conditions alone: nobody asks for it.
            own @ (Clause::None(_)
            | Clause::Among { .. }
            | Clause::Id(_)
            | Clause::Updated(_)
            | Clause::Token { .. }
            | Clause::Reference { .. }
            | Clause::Date { .. }
            | Clause::Text { .. }
            | Clause::Uri { .. }
            | Clause::Number { .. }
            | Clause::Missing { .. }
            | Clause::Words { .. }
            | Clause::OfType { .. }
            | Clause::Composite { .. }) => own,
        }
    }

    /// What may come along: forward what may be read or searched, for who sees a reference may follow it; backward what may
    /// be searched.
    fn along(self, includes: &[Include]) -> Along {
        let of = |types: Vec<ResourceType>, any: Permissions| {
            let granted = types.into_iter().filter(|of| self.granted.grants(*of, any).next().is_some());
            granted.map(|of| (of, self.condition(of, any).clause())).collect()
        };
        let (forward, reverse): (Vec<&Include>, Vec<&Include>) =
            includes.iter().partition(|include| include.way == Way::Forward);
        let targets = forward.into_iter().flat_map(|include| self.targets(include)).collect();
        let sources = reverse.into_iter().map(|include| include.source).collect();
        Along { forward: of(distinct(targets), Permissions::READ), reverse: of(distinct(sources), SEARCHED) }
    }

    /// Types that an include can lead to.
    fn targets(self, include: &Include) -> Vec<ResourceType> {
        if !include.targets.is_empty() {
            return include.targets.clone();
        }
        let mut targets = Vec::new();
        for parameter in usable(include.source, &self.server.fhir, self.server.role) {
            if include.parameters.iter().any(|code| code == parameter.code) {
                if parameter.targets.is_empty() {
                    return self.server.fhir.types.clone();
                }
                targets.extend(parameter.targets.iter().filter_map(|name| ResourceType::parse(name)));
            }
        }
        targets
    }
}

fn distinct(mut types: Vec<ResourceType>) -> Vec<ResourceType> {
    types.sort_unstable();
    types.dedup();
    types
}
