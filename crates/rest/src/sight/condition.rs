//! What must hold of a resource for a client to see it: as a clause of a search, and as a test of one resource. Both say
//! the same, for both are made of this.

use fhir::{IndexValue, ResourceType, SearchParameter, extract};
use serde_json::Value;
use smart::{Grant, Granted, Permissions, Reach};
use store::{Clause, Ids, TokenValue};

#[cfg(feature = "clinical")]
use super::binary;
use super::consent::Denied;
use super::labels::hiding;
use crate::interaction::{Reader, compartment, is_binary, registered};
use crate::server::Server;

/// Types that belong to no patient and that what belongs to a patient refers to. A patient's scope reads them by id and
/// takes them along, and does not search them.
const SHARED: [&str; 7] = [
    "Endpoint",
    "HealthcareService",
    "Location",
    "Medication",
    "Organization",
    "Practitioner",
    "PractitionerRole",
];
const LABELS: &str = "_security";

/// A condition that a store finds by and that one resource can be held against.
#[derive(Debug)]
pub(super) enum Condition {
    /// It has this id.
    Id(String),
    /// A token parameter has one of these values; `not`: has none of them.
    Token { parameter: &'static SearchParameter, values: Vec<Code>, not: bool },
    /// A reference parameter leads to one of these.
    Reference { parameter: &'static SearchParameter, values: Vec<Target> },
    /// It is none of these patients, and none of its references of these parameters leads to one.
    Apart { patient: ResourceType, own: bool, parameters: Vec<&'static SearchParameter>, ids: Ids },
    /// Any of these; of none, nothing.
    Any(Vec<Self>),
    /// All of these; of none, everything.
    All(Vec<Self>),
}

/// System and code, as a search has them.
pub(super) type Code = (Option<String>, Option<String>);
/// Type and id, as a search has them.
pub(super) type Target = (Option<String>, String);

impl Condition {
    const NOTHING: Self = Self::Any(Vec::new());
    const EVERYTHING: Self = Self::All(Vec::new());

    /// What holds of the resources of a type for which one of these permissions is granted.
    pub(super) fn of(
        server: &Server,
        (granted, denied): (&Granted, &Denied),
        of: ResourceType,
        any: Permissions,
    ) -> Self {
        match granted {
            Granted::Everything(permissions) if permissions.meets(any) => Self::EVERYTHING,
            Granted::Everything(_) => Self::NOTHING,
            Granted::Scoped(_) => {
                let grants = granted.grants(of, any);
                Self::Any(grants.map(|grant| Self::of_grant(server, (grant, denied), of, any)).collect())
            }
        }
    }

    fn of_grant(
        server: &Server,
        (grant, denied): (&Grant, &Denied),
        of: ResourceType,
        any: Permissions,
    ) -> Self {
        if is_binary(of) {
            // What it belongs to is no search parameter: it is read by id, where another resource decides, and not searched.
            return Self::NOTHING;
        }
        let mut all = Vec::with_capacity(2);
        if let Reach::Patient(patient) = &grant.reach {
            let is_read = grant.permissions.both(any).has(smart::Permission::Read);
            if !(is_read && SHARED.contains(&of.as_str())) {
                all.push(Self::of_patient(server, patient.as_str(), of));
            }
        }
        all.push(Self::of_content(server, grant, of));
        all.extend(denied.to(grant).filter_map(|ids| Self::of_others(server, ids, of)));
        Self::All(all)
    }

    /// That it belongs to none of these patients; `None` of a type that belongs to nobody.
    fn of_others(server: &Server, ids: &Ids, of: ResourceType) -> Option<Self> {
        let patient = ResourceType::parse("Patient")?;
        let codes = compartment::parameters(of, patient, server.role);
        let parameters: Vec<&'static SearchParameter> =
            registered(of, server.role).into_iter().filter(|own| codes.contains(&own.code)).collect();
        let own = of == patient;
        (own || !parameters.is_empty()).then(|| Self::Apart { patient, own, parameters, ids: ids.clone() })
    }

    /// What a grant asks of a resource, whomever it belongs to: its filters, and that no label hides it.
    pub(super) fn of_content(server: &Server, grant: &Grant, of: ResourceType) -> Self {
        let mut all = Vec::with_capacity(grant.filters.len() + 1);
        let mut named = Vec::new();
        for filter in &grant.filters {
            let parameter =
                registered(of, server.role).into_iter().find(|own| own.code == filter.parameter.code);
            let read = parameter.and_then(|parameter| Self::of_filter(server, parameter, &filter.values));
            // What this role cannot test grants nothing here.
            let Some(condition) = read else { return Self::NOTHING };
            if let Self::Token { parameter, values, .. } = &condition
                && parameter.code == LABELS
            {
                named.extend(
                    values
                        .iter()
                        .map(|(system, code)| TokenValue { system: system.clone(), code: code.clone() }),
                );
            }
            all.push(condition);
        }
        let labels = registered(of, server.role).into_iter().find(|own| own.code == LABELS);
        let Some(labels) = labels else { return Self::NOTHING };
        let hiding = hiding(&named).into_iter().map(|TokenValue { system, code }| (system, code)).collect();
        all.push(Self::Token { parameter: labels, values: hiding, not: true });
        Self::All(all)
    }

    /// Membership in the compartment of a patient; nothing of a type that is in none.
    fn of_patient(server: &Server, id: &str, of: ResourceType) -> Self {
        let Some(patient) = ResourceType::parse("Patient") else { return Self::NOTHING };
        if of == patient {
            return Self::Id(id.to_owned());
        }
        let codes = compartment::parameters(of, patient, server.role);
        let parameters = registered(of, server.role).into_iter().filter(|own| codes.contains(&own.code));
        let values = || vec![(Some(patient.to_string()), id.to_owned())];
        Self::Any(parameters.map(|parameter| Self::Reference { parameter, values: values() }).collect())
    }

    /// Whether a grant covers a content that is to be written: it fulfils the condition and belongs to no other patient too.
    #[cfg(feature = "clinical")]
    pub(super) fn covers(
        server: &Server,
        (grant, denied): (&Grant, &Denied),
        of: ResourceType,
        any: Permissions,
        content: &Value,
    ) -> bool {
        if is_binary(of) {
            return binary::covers(server, grant, of, content);
        }
        if !Self::of_grant(server, (grant, denied), of, any).holds(content) {
            return false;
        }
        let (Reach::Patient(own), Some(patient)) = (&grant.reach, ResourceType::parse("Patient")) else {
            return grant.reach == Reach::Node;
        };
        let codes = compartment::parameters(of, patient, server.role);
        let parameters = registered(of, server.role).into_iter().filter(|one| codes.contains(&one.code));
        parameters.flat_map(|parameter| extract(content, parameter)).all(|held| match held {
            IndexValue::Reference { resource_type, id } => {
                resource_type.as_deref() != Some(patient.as_str()) || id == own.as_str()
            }
            _ => true,
        })
    }

    fn of_filter(server: &Server, parameter: &'static SearchParameter, values: &str) -> Option<Self> {
        let (base_url, now_us) = (&server.fhir.base_url, (server.fhir.now_us)());
        let reader = Reader { base_url, now_us, role: server.role };
        match reader.clause(parameter, None, values).ok()? {
            Clause::Token { values, not, .. } => {
                let values = values.into_iter().map(|value| (value.system, value.code)).collect();
                Some(Self::Token { parameter, values, not })
            }
            Clause::Reference { values, .. } => Some(Self::Reference { parameter, values }),
            _ => None,
        }
    }

    /// The condition as a clause.
    pub(super) fn clause(&self) -> Clause {
        match self {
            Self::Id(id) => Clause::Id(vec![id.clone()]),
            Self::Token { parameter, values, not } => {
                let value = |(system, code): &Code| TokenValue { system: system.clone(), code: code.clone() };
                let values = values.iter().map(value).collect();
                Clause::Token { parameter: parameter.code.to_owned(), values, not: *not }
            }
            Self::Reference { parameter, values } => {
                Clause::Reference { parameter: parameter.code.to_owned(), values: values.clone() }
            }
            Self::Apart { patient, own, parameters, ids } => {
                let among =
                    |parameter: Option<String>| Clause::Among { parameter, of: *patient, ids: ids.clone() };
                let itself = own.then(|| among(None));
                let others = parameters.iter().map(|parameter| among(Some(parameter.code.to_owned())));
                Clause::None(itself.into_iter().chain(others).collect())
            }
            Self::Any(conditions) => Clause::Any(conditions.iter().map(Self::clause).collect()),
            Self::All(conditions) => Clause::All(conditions.iter().map(Self::clause).collect()),
        }
    }

    /// Whether a resource fulfils it.
    pub(super) fn holds(&self, resource: &Value) -> bool {
        match self {
            Self::Id(id) => resource.get("id").and_then(Value::as_str) == Some(id),
            Self::Token { parameter, values, not } => {
                let has = extract(resource, parameter).iter().any(|held| match held {
                    IndexValue::Token { system, code } => {
                        values.iter().any(|asked| is_code(asked, system.as_deref(), code))
                    }
                    _ => false,
                });
                has != *not
            }
            Self::Reference { parameter, values } => {
                extract(resource, parameter).iter().any(|held| match held {
                    IndexValue::Reference { resource_type, id } => {
                        values.iter().any(|(of, asked)| asked == id && (of.is_none() || of == resource_type))
                    }
                    _ => false,
                })
            }
            Self::Apart { patient, own, parameters, ids } => {
                let is_one =
                    *own && resource.get("id").and_then(Value::as_str).is_some_and(|id| ids.0.contains(id));
                let leads = |held| match held {
                    IndexValue::Reference { resource_type, id } => {
                        resource_type.is_none_or(|of| of == patient.as_str()) && ids.0.contains(&id)
                    }
                    _ => false,
                };
                !is_one
                    && !parameters.iter().any(|parameter| extract(resource, parameter).into_iter().any(leads))
            }
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(resource)),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(resource)),
        }
    }
}

/// As the index compares: codes without case and the spaces around them, systems exactly.
fn is_code((asked_system, asked): &Code, system: Option<&str>, code: &str) -> bool {
    let folded = |text: &str| text.trim().to_lowercase();
    let same_system = match asked_system.as_deref() {
        None => true,
        Some("") => system.is_none_or(str::is_empty),
        asked => asked == system,
    };
    same_system && asked.as_deref().is_none_or(|asked| folded(asked) == folded(code))
}
