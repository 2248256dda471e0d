//! The resources of one type in an order that stays: by the number under which each was first stored.

use fhir::{IndexValue, ResourceType, SearchParameter, extract};
use serde_json::Value;
use store::{Clause, History, HistoryOf, Position, ResourceKey, Search, Stored, Total};

use super::Level;
use super::asked::Order;
use crate::auth::Client;
use crate::capacity::EXPORT_PAGE_ROWS;
use crate::interaction::compartment;
use crate::interaction::registered;
use crate::outcome::Failure;
use crate::server::{Role, Server};

/// A place between resources of a type: in which part of the members, and after which number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) part: usize,
    pub(super) number: i64,
}

impl Place {
    /// Before all.
    pub(super) const START: Self = Self { part: 0, number: 0 };
    /// After all.
    pub(super) const END: Self = Self { part: usize::MAX, number: i64::MAX };
}

/// One resource, and the place after it.
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) stored: Stored,
}

/// One type of an export, as a client sees it.
#[derive(Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) server: &'a Server,
    pub(super) client: &'a Client,
    pub(super) order: &'a Order,
    pub(super) of: ResourceType,
}

impl Walk<'_> {
    /// The rows after a place, some or none, and where to go on; `None` when these were the last.
    ///
    /// # Errors
    /// As of a search; 403 when the client may not read the type.
    pub(super) async fn page(self, from: Place) -> Result<(Vec<Row>, Option<Place>), Failure> {
        let Some(membership) = self.membership(from.part) else { return Ok((Vec::new(), None)) };
        let since = self.order.since.map(|(since, _)| Clause::Updated(vec![since]));
        let filter = self.order.filters.get(&self.of).cloned();
        let after = (from.number > 0).then_some(Position { keys: Vec::new(), number: from.number });
        let search = Search {
            clauses: membership.into_iter().chain(since).chain(filter).collect(),
            after,
            total: Total::None,
            ..Search::of(self.of, EXPORT_PAGE_ROWS)
        };
        let sight = self.server.sight(self.client);
        let page = sight.search(&sight.bind(search)?).await?;
        if page.matches.len() != page.numbers.len() {
            tracing::error!("a page of an export has matches without a place");
            return Err(Failure::internal());
        }
        let mut rows = Vec::with_capacity(page.matches.len());
        for (stored, number) in page.matches.into_iter().zip(page.numbers) {
            if let Some(stored) = self.told(stored, from.part).await? {
                rows.push(Row { place: Place { part: from.part, number }, stored });
            }
        }
        let next = match (page.next, &self.order.level) {
            (Some(next), _) => Some(Place { number: next.number, ..from }),
            (None, Level::Members(parts)) if from.part + 1 < parts.len() => {
                Some(Place { part: from.part + 1, number: 0 })
            }
            (None, _) => None,
        };
        Ok((rows, next))
    }

    /// What a part of the members asks of the store; `None` when there is no such part.
    fn membership(self, part: usize) -> Option<Option<Clause>> {
        let Level::Members(parts) = &self.order.level else { return Some(None) };
        let ids = parts.get(part)?;
        if self.of.as_str() == PATIENT {
            return Some(Some(Clause::Id(ids.clone())));
        }
        let values: Vec<(Option<String>, String)> =
            ids.iter().map(|id| (Some(PATIENT.to_owned()), id.clone())).collect();
        let reference = |parameter: &'static SearchParameter| Clause::Reference {
            parameter: parameter.code.to_owned(),
            values: values.clone(),
        };
        Some(Some(Clause::Any(memberships(self.of, self.server.role).into_iter().map(reference).collect())))
    }

    /// A resource as it stood when the export began, if it belongs there.
    async fn told(self, stored: Stored, part: usize) -> Result<Option<Stored>, Failure> {
        let at_us = self.order.at_us;
        let stored = if stored.updated_us > at_us {
            let ResourceKey { resource_type, id } = stored.key;
            let of = HistoryOf::Resource(ResourceKey { resource_type, id });
            let then = History { at: Some((at_us, at_us.saturating_add(1))), ..History::of(of, 1) };
            let page = self.server.sight(self.client).history(&then).await?;
            let since_us = self.order.since.map_or(i64::MIN, |(_, since_us)| since_us);
            let version = page.and_then(|page| page.versions.into_iter().next());
            match version.filter(|version| !version.deleted && version.updated_us >= since_us) {
                Some(version) => version,
                None => return Ok(None),
            }
        } else {
            stored
        };
        Ok(self.belongs(&stored, Some(part))?.then_some(stored))
    }

    /// Whether a resource is of those whose are exported; `part`: in the part of the members that tells it.
    pub(super) fn belongs(self, stored: &Stored, part: Option<usize>) -> Result<bool, Failure> {
        Ok(match &self.order.level {
            Level::System => true,
            Level::Patients => !self.patients(stored)?.is_empty(),
            Level::Members(parts) => {
                // Of several members that it names the first tells it, so that it is told once.
                let patients = self.patients(stored)?;
                let has = |ids: &Vec<String>| patients.iter().any(|id| ids.binary_search(id).is_ok());
                let found = parts.iter().position(has);
                found.is_some() && (part.is_none() || found == part)
            }
        })
    }

    /// The patients in whose compartments a resource is.
    fn patients(self, stored: &Stored) -> Result<Vec<String>, Failure> {
        if self.of.as_str() == PATIENT {
            return Ok(vec![stored.key.id.clone()]);
        }
        let content: Value = serde_json::from_slice(stored.body.expose()).map_err(|_| {
            tracing::error!("a stored resource cannot be read");
            Failure::internal()
        })?;
        let values =
            memberships(self.of, self.server.role).into_iter().flat_map(|own| extract(&content, own));
        let patient = |value| match value {
            IndexValue::Reference { resource_type, id } if resource_type.as_deref() == Some(PATIENT) => {
                Some(id)
            }
            _ => None,
        };
        Ok(values.filter_map(patient).collect())
    }
}

const PATIENT: &str = "Patient";

/// Whether resources of a type belong to patients.
pub(super) fn in_patients(of: ResourceType, role: &Role) -> bool {
    of.as_str() == PATIENT || !memberships(of, role).is_empty()
}

/// The parameters by which a type is in the compartment of a patient.
fn memberships(of: ResourceType, role: &Role) -> Vec<&'static SearchParameter> {
    let Some(patient) = ResourceType::parse(PATIENT) else { return Vec::new() };
    let codes = compartment::parameters(of, patient, role);
    registered(of, role).into_iter().filter(|parameter| codes.contains(&parameter.code)).collect()
}
