//! What patients deny to clients of scopes (R4, Consent), as it stands at each request.
//!
//! A consent that denies hides all of its patient from systems (`system/` scopes), unless it names others: destinations of
//! releases alone, or clients, whatever their scopes. What cannot be understood denies. A patient who asks for what is their
//! own and the staff who care for them are not systems, and the node's own tokens see everything.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use fhir::{Reference, ResourceType};
use serde_json::Value;
use smart::{Context, Grant};
use store::{History, HistoryOf, Ids, Resources, Stored};
use tokio::sync::Mutex;

use crate::outcome::Failure;

/// System of the identifier by which a consent's actor names a destination of the node's policy.
const DESTINATION_SYSTEM: &str = "urn:tidegate:destination";
/// And a client of its REST API.
const CLIENT_SYSTEM: &str = "urn:tidegate:client";
/// Statuses under which a consent is not in force.
const NOT_IN_FORCE: [&str; 5] = ["draft", "proposed", "rejected", "inactive", "entered-in-error"];
/// Scopes that are not about disclosure: treatment, research, advance directives.
const OTHER_SCOPES: [&str; 3] = ["treatment", "research", "adr"];
/// Changes of consents that are read at once.
const CHANGES_READ: usize = 200;

/// Patients that deny, to one client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Denied {
    /// To every system, and so to this one.
    system: Ids,
    /// To this client by its name.
    client: Ids,
}

impl Denied {
    /// Patients whose resources a grant does not reach.
    pub(super) fn to(&self, grant: &Grant) -> impl Iterator<Item = &Ids> {
        let system = (grant.context == Context::System).then_some(&self.system);
        system.into_iter().chain([&self.client]).filter(|ids| !ids.0.is_empty())
    }

    /// Whether a patient denies to this client by its name.
    pub(super) fn denies(&self, patient: &str) -> bool {
        self.client.0.contains(patient)
    }
}

/// The consents that deny, read as they change.
#[derive(Default)]
pub(crate) struct Denials {
    known: RwLock<Arc<Known>>,
    /// One reads what is new at a time.
    reading: Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    /// The last change of a consent that was read.
    through: i64,
    /// By the id of the consent.
    denials: HashMap<String, Denial>,
    /// Patients that deny to every system.
    system: Ids,
}

/// What one consent denies.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Denial {
    patient: String,
    to: To,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum To {
    Systems,
    Clients(BTreeSet<String>),
}

impl Denials {
    /// What is denied to a client of scopes now.
    ///
    /// # Errors
    /// 503 when it cannot be read: then nothing is answered.
    pub(crate) async fn of(&self, port: &dyn Resources, client: &str) -> Result<Denied, Failure> {
        let known = self.current(port).await?;
        let named = known.denials.values().filter(|denial| match &denial.to {
            To::Systems => false,
            To::Clients(clients) => clients.contains(client),
        });
        let client: HashSet<String> = named.map(|denial| denial.patient.clone()).collect();
        Ok(Denied { system: known.system.clone(), client: Ids(Arc::new(client)) })
    }

    async fn current(&self, port: &dyn Resources) -> Result<Arc<Known>, Failure> {
        let consent = ResourceType::parse("Consent").ok_or_else(Failure::internal)?;
        let newest = port.newest_change(consent).await?;
        if self.known().through >= newest {
            return Ok(self.known());
        }
        let _reading = self.reading.lock().await;
        let mut known = Known::clone(&self.known());
        if known.through < newest {
            known.read(port).await?;
            if known.through < newest {
                tracing::error!("a change of a consent cannot be read");
                return Err(Failure::unavailable(
                    "what patients deny cannot be read, so nothing is answered",
                ));
            }
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        }
        Ok(self.known())
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    /// Reads what changed since.
    async fn read(&mut self, port: &dyn Resources) -> Result<(), Failure> {
        let read = self.through;
        let (mut before, mut through, mut seen) = (None, read, HashSet::new());
        loop {
            let (changes, next) = changes(port, before, CHANGES_READ).await?;
            let is_known = changes.last().is_some_and(|(place, _)| *place <= read);
            for (place, stored) in changes.into_iter().filter(|(place, _)| *place > read) {
                through = through.max(place);
                // The newest version comes first, and says what holds.
                if seen.insert(stored.key.id.clone()) {
                    self.take(stored)?;
                }
            }
            match next.filter(|_| !is_known) {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        self.through = through;
        let systems = self.denials.values().filter(|denial| denial.to == To::Systems);
        self.system = Ids(Arc::new(systems.map(|denial| denial.patient.clone()).collect()));
        Ok(())
    }

    fn take(&mut self, stored: Stored) -> Result<(), Failure> {
        let denial = if stored.deleted {
            None
        } else {
            let content: Value = serde_json::from_slice(stored.body.expose()).map_err(|_| {
                tracing::error!("a stored resource cannot be read");
                Failure::internal()
            })?;
            Denial::of(&content)
        };
        match denial {
            Some(denial) => self.denials.insert(stored.key.id, denial),
            None => self.denials.remove(&stored.key.id),
        };
        Ok(())
    }
}

/// Changes of consents with their places, the newest first, and where to go on.
async fn changes(
    port: &dyn Resources,
    before: Option<i64>,
    count: usize,
) -> Result<(Vec<(i64, Stored)>, Option<i64>), Failure> {
    let consent = ResourceType::parse("Consent").ok_or_else(Failure::internal)?;
    let asked = History { before, ..History::of(HistoryOf::Type(consent), count) };
    let page = port.history(&asked).await?.unwrap_or_default();
    if page.places.len() != page.versions.len() {
        tracing::error!("changes of consents have no place");
        return Err(Failure::internal());
    }
    Ok((page.places.into_iter().zip(page.versions).collect(), page.next))
}

impl Denial {
    /// Reads a Consent. In force and about privacy, it denies unless it permits and makes no exception.
    fn of(consent: &Value) -> Option<Self> {
        let text = |pointer: &str| consent.pointer(pointer).and_then(Value::as_str);
        if NOT_IN_FORCE.contains(&text("/status").unwrap_or_default()) || is_other_scope(consent) {
            return None;
        }
        let has_exceptions = consent.pointer("/provision/provision").is_some();
        let to = match text("/provision/type") {
            Some("permit") if !has_exceptions => return None,
            Some("deny") if !has_exceptions => To::of(consent.pointer("/provision/actor"))?,
            _ => To::Systems,
        };
        match Reference::parse(text("/patient/reference")?) {
            Reference::Relative { resource_type, id, .. } if resource_type.as_str() == "Patient" => {
                Some(Self { patient: id.to_owned(), to })
            }
            _ => None,
        }
    }
}

impl To {
    /// Whom the actors of a denial mean; `None`: destinations of releases alone.
    fn of(actors: Option<&Value>) -> Option<Self> {
        let named = |system: &str| -> Option<BTreeSet<String>> {
            let actors = actors?.as_array()?;
            let name = |actor: &Value| {
                let identifier = actor.pointer("/reference/identifier")?;
                let is_of = identifier.get("system").and_then(Value::as_str) == Some(system);
                identifier.get("value").and_then(Value::as_str).filter(|_| is_of).map(str::to_owned)
            };
            let all: Option<BTreeSet<String>> = actors.iter().map(name).collect();
            all.filter(|all| !all.is_empty())
        };
        if named(DESTINATION_SYSTEM).is_some() {
            return None;
        }
        Some(named(CLIENT_SYSTEM).map_or(Self::Systems, Self::Clients))
    }
}

fn is_other_scope(consent: &Value) -> bool {
    let codings = consent.pointer("/scope/coding").and_then(Value::as_array).into_iter().flatten();
    let mut codes = codings.filter_map(|coding| coding.get("code")?.as_str()).peekable();
    codes.peek().is_some() && codes.all(|code| OTHER_SCOPES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use store::{HistoryPage, Page, ResourceKey, Search};

    /// A store in which a consent changed and cannot be found.
    struct Unread;

    #[async_trait::async_trait]
    impl Resources for Unread {
        async fn read(&self, _: &ResourceKey) -> store::Result<Option<Stored>> {
            Ok(None)
        }
        async fn vread(&self, _: &ResourceKey, _: u32) -> store::Result<Option<Stored>> {
            Ok(None)
        }
        async fn search(&self, _: &Search) -> store::Result<Page> {
            Ok(Page::default())
        }
        async fn history(&self, _: &History) -> store::Result<Option<HistoryPage>> {
            Ok(Some(HistoryPage::default()))
        }
        async fn newest_change(&self, _: ResourceType) -> store::Result<i64> {
            Ok(7)
        }
        async fn counts(&self) -> store::Result<Vec<(ResourceType, u64)>> {
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn while_a_change_cannot_be_read_nothing_is_answered() {
        let denials = Denials::default();
        for _ in 0..2 {
            assert!(denials.of(&Unread, "app").await.is_err());
        }
    }

    fn consent(provision: Value) -> Value {
        json!({"resourceType": "Consent", "status": "active", "patient": {"reference": "Patient/p"},
            "scope": {"coding": [{"code": "patient-privacy"}]}, "provision": provision})
    }

    fn actor(system: &str) -> Value {
        json!({"reference": {"identifier": {"system": system, "value": "app"}}})
    }

    #[test]
    fn a_consent_denies_unless_it_is_understood_not_to() {
        let to = |consent: &Value| Denial::of(consent).map(|denial| denial.to);
        let deny = |actors: Value| consent(json!({"type": "deny", "actor": actors}));
        let clients = To::Clients(BTreeSet::from(["app".to_owned()]));
        for (told, expected) in [
            (consent(json!({"type": "deny"})), Some(To::Systems)),
            (consent(json!({})), Some(To::Systems)),
            (consent(json!({"type": "permit"})), None),
            (consent(json!({"type": "permit", "provision": [{"type": "deny"}]})), Some(To::Systems)),
            (deny(json!([actor(DESTINATION_SYSTEM)])), None),
            (deny(json!([actor(CLIENT_SYSTEM)])), Some(clients)),
            (deny(json!([actor(CLIENT_SYSTEM), actor("urn:other")])), Some(To::Systems)),
            (deny(json!([])), Some(To::Systems)),
        ] {
            assert_eq!(to(&told), expected, "{told}");
        }
        for (pointer, value) in [("/status", "inactive"), ("/scope/coding/0/code", "research")] {
            let mut other = consent(json!({"type": "deny"}));
            *other.pointer_mut(pointer).expect("is there") = json!(value);
            assert_eq!(Denial::of(&other), None, "{pointer}");
        }
        let mut unscoped = consent(json!({"type": "deny"}));
        unscoped["scope"] = json!({});
        assert_eq!(to(&unscoped), Some(To::Systems));
    }
}
