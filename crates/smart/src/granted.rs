//! What a token grants: its scopes, each bound to those whose resources it reaches.
//!
//! A grant for a patient's resources holds the patient, so a scope that lacks one cannot be represented: it grants nothing.

use fhir::{ResourceId, ResourceType};

use crate::permissions::{Permission, Permissions};
use crate::scope::{Context, Filter, Scope, Types};

/// Scopes that are read of one token; more are not looked at.
pub const SCOPES_MAX: usize = 128;

/// All that a client may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted {
    /// With every resource of the node, whatever its label: a token of the node's own.
    Everything(Permissions),
    /// What one of these allows.
    Scoped(Vec<Grant>),
}

/// What one scope comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who the scope is for.
    pub context: Context,
    /// Whose resources.
    pub reach: Reach,
    /// Of which types.
    pub types: Types,
    /// What may be done with them.
    pub permissions: Permissions,
    /// What must hold of them.
    pub filters: Vec<Filter>,
}

/// Whose resources a grant is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All of the node.
    Node,
    /// Those in the compartment of this patient.
    Patient(ResourceId),
}

/// Who a token was given for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Launch {
    /// The patient of the launch.
    pub patient: Option<ResourceId>,
    /// The person who signed in.
    pub user: Option<User>,
}

/// A person who signed in (`fhirUser`), by what that lets them see here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// A patient of this server, who sees what is theirs.
    Patient(ResourceId),
    /// A practitioner, who sees what the node holds.
    Practitioner,
}

impl User {
    /// Reads `fhirUser`: `Type/id`, or the same under `base`, this server's address. `None` for whoever this server knows
    /// nothing about: a patient of another server, a related person.
    pub fn parse(text: &str, base: &str) -> Option<Self> {
        let own = text.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
        let (of, id) = own.rsplit_once('/')?;
        let id = ResourceId::parse(id).ok()?;
        let elsewhere = of.rsplit_once('/');
        match (elsewhere.map_or(of, |(_, of)| of), elsewhere) {
            ("Patient", None) => Some(Self::Patient(id)),
            ("Practitioner" | "PractitionerRole", _) => Some(Self::Practitioner),
            _ => None,
        }
    }
}

impl Granted {
    /// What scopes, with spaces between them, grant for a launch. A scope that is not understood, or is for a patient or
    /// user where there is none, grants nothing; the others stand.
    pub fn of(scopes: &str, launch: &Launch) -> Self {
        let read = scopes.split(' ').filter(|text| Scope::is_meant(text)).take(SCOPES_MAX);
        let grants =
            read.filter_map(|text| Scope::parse(text).ok()).filter_map(|scope| Grant::of(scope, launch));
        Self::Scoped(grants.collect())
    }

    /// Whether a permission is granted for a type at all.
    pub fn may(&self, permission: Permission, of: ResourceType) -> bool {
        match self {
            Self::Everything(permissions) => permissions.has(permission),
            Self::Scoped(_) => self.grants(of, Permissions::of(&[permission])).next().is_some(),
        }
    }

    /// Whether a permission is granted for any type.
    pub fn may_at_all(&self, permission: Permission) -> bool {
        match self {
            Self::Everything(permissions) => permissions.has(permission),
            Self::Scoped(grants) => grants.iter().any(|grant| grant.permissions.has(permission)),
        }
    }

    /// The grants for a type with one of these permissions; none where everything is granted.
    pub fn grants(&self, of: ResourceType, any: Permissions) -> impl Iterator<Item = &Grant> {
        let grants = match self {
            Self::Everything(_) => &[],
            Self::Scoped(grants) => grants.as_slice(),
        };
        grants.iter().filter(move |grant| grant.types.has(of) && grant.permissions.meets(any))
    }

    /// What an export may hold: what the system's own scopes grant that read and search. `None` where nothing is left.
    pub fn of_system(&self) -> Option<Self> {
        let reads = |permissions: Permissions| permissions.both(Permissions::READ) == Permissions::READ;
        match self {
            Self::Everything(permissions) => reads(*permissions).then(|| self.clone()),
            Self::Scoped(grants) => {
                let is_own = |grant: &&Grant| grant.context == Context::System && reads(grant.permissions);
                let grants: Vec<Grant> = grants.iter().filter(is_own).cloned().collect();
                (!grants.is_empty()).then_some(Self::Scoped(grants))
            }
        }
    }

    /// Whether it reaches nobody's resources but those of patients it was given for.
    pub fn is_of_patients(&self) -> bool {
        match self {
            Self::Everything(_) => false,
            Self::Scoped(grants) => grants.iter().all(|grant| matches!(grant.reach, Reach::Patient(_))),
        }
    }

    /// Whether a patient is one that the client was given the resources of, and so knows of.
    pub fn knows_patient(&self, id: &str) -> bool {
        match self {
            Self::Everything(_) => true,
            Self::Scoped(grants) => grants.iter().any(|grant| match &grant.reach {
                Reach::Patient(patient) => patient.as_str() == id,
                Reach::Node => false,
            }),
        }
    }
}

impl Grant {
    fn of(scope: Scope, launch: &Launch) -> Option<Self> {
        let reach = match (scope.context, &launch.patient, &launch.user) {
            (Context::System, ..) | (Context::User, _, Some(User::Practitioner)) => Reach::Node,
            (Context::Patient, Some(patient), _) | (Context::User, _, Some(User::Patient(patient))) => {
                Reach::Patient(patient.clone())
            }
            (Context::Patient, None, _) | (Context::User, _, None) => return None,
        };
        let Scope { context, types, permissions, filters } = scope;
        Some(Self { context, reach, types, permissions, filters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> ResourceType {
        ResourceType::parse(name).expect("a type")
    }

    fn id(text: &str) -> ResourceId {
        ResourceId::parse(text).expect("an id")
    }

    #[test]
    fn a_scope_without_its_patient_or_user_grants_nothing() {
        let scopes = "openid launch/patient patient/Observation.rs user/Encounter.rs patient/Nonsense.rs";
        assert_eq!(Granted::of(scopes, &Launch::default()), Granted::Scoped(Vec::new()));
        let launch = Launch { patient: Some(id("p1")), user: None };
        let granted = Granted::of(scopes, &launch);
        assert!(granted.may(Permission::Read, of("Observation")));
        assert!(!granted.may(Permission::Create, of("Observation")));
        assert!(!granted.may(Permission::Read, of("Encounter")));
        assert!(granted.knows_patient("p1") && !granted.knows_patient("p2"));
        assert!(granted.may_at_all(Permission::Search) && !granted.may_at_all(Permission::Delete));
    }

    #[test]
    fn a_user_sees_by_what_they_are() {
        let base = "https://node.example/fhir";
        assert_eq!(User::parse("Patient/p1", base), Some(User::Patient(id("p1"))));
        assert_eq!(User::parse("https://node.example/fhir/Patient/p1", base), Some(User::Patient(id("p1"))));
        assert_eq!(User::parse("https://other.example/fhir/Patient/p1", base), None);
        assert_eq!(User::parse("https://other.example/Practitioner/d1", base), Some(User::Practitioner));
        for nobody in ["RelatedPerson/r1", "Patient", "Patient/", "", "Patient/a b", "x/Patient/p1"] {
            assert_eq!(User::parse(nobody, base), None, "{nobody}");
        }
        let reach = |user| match Granted::of("user/*.rs", &Launch { patient: None, user }) {
            Granted::Scoped(grants) => grants.into_iter().map(|grant| grant.reach).collect(),
            Granted::Everything(_) => Vec::new(),
        };
        assert_eq!(reach(Some(User::Patient(id("p1")))), [Reach::Patient(id("p1"))]);
        assert_eq!(reach(Some(User::Practitioner)), [Reach::Node]);
        assert_eq!(reach(None), []);
    }

    #[test]
    fn an_export_holds_what_scopes_of_the_system_read_and_search() {
        let launch = Launch { patient: Some(id("p1")), user: Some(User::Practitioner) };
        for none in ["patient/*.rs", "user/*.rs", "system/*.r", "system/*.s system/*.cud", ""] {
            assert_eq!(Granted::of(none, &launch).of_system(), None, "{none}");
        }
        let left =
            Granted::of("user/*.rs system/Patient.rs patient/*.rs system/Encounter.r", &launch).of_system();
        let left = left.expect("one");
        assert!(left.may(Permission::Read, of("Patient")) && !left.may(Permission::Read, of("Encounter")));
        assert!(Granted::Everything(Permissions::READ).of_system().is_some());
        assert_eq!(Granted::Everything(Permissions::WRITE).of_system(), None);
        for (scopes, is) in
            [("patient/*.rs", true), ("patient/*.rs system/Patient.r", false), ("user/*.rs", false)]
        {
            assert_eq!(Granted::of(scopes, &launch).is_of_patients(), is, "{scopes}");
        }
        assert!(!Granted::Everything(Permissions::READ).is_of_patients());
    }
}
