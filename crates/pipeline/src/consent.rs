//! What a person says about a patient's consent becomes a Consent of that patient, and decides like any other.

use std::sync::Arc;

use audit::{Kind, Record};
use fhir::ResourceType;
use residency::DESTINATION_SYSTEM;
use serde_json::{Value, json};
use store::{Answers, ConsentRequest, DecidedSet, ResourceKey};
use uuid::Uuid;
use verifier::KnownIdentifiers;

use crate::derive::{self, Write};
use crate::follow::Pipeline;
use crate::id::new_id;
use crate::release::Outcome;
use crate::state::permit;
use crate::{Error, row};

/// Requests taken at once.
const REQUESTS_MAX: usize = 16;
/// System of the identifier that a person's Consent carries; the messages of a patient neither make nor unmake it.
const SAID_BY_A_PERSON: &str = "urn:tidegate:consent";

impl Pipeline {
    /// Serves open requests about consent; `true` when there were any. Nothing may be uncommitted when this is called.
    pub(crate) async fn consent_requests(&mut self) -> Result<bool, Error> {
        let requests = self.ports.withdrawals.consent_requests(REQUESTS_MAX).await?;
        let any = !requests.is_empty();
        for (request, said) in requests {
            self.consent(request, &said).await?;
        }
        Ok(any)
    }

    async fn consent(&mut self, request: i64, said: &ConsentRequest) -> Result<(), Error> {
        let patient = self.state.survivor(&self.ports, &said.patient).await?;
        let writes = self.consent_write(&patient, said).await?;
        let mut known = KnownIdentifiers::default();
        writes.iter().filter_map(|write| write.body.as_ref()).for_each(|body| known.add_resource(body));
        let outcome = self
            .release
            .release(&self.ports, &self.environment, &mut self.state, &writes, &mut known)
            .await?;
        derive::note(&mut self.state, &writes);
        let now_us = (self.environment.now_us)();
        let code = if outcome.refused.is_some() { "release-refused" } else { "done" };
        let mut records = vec![self.consent_record(&patient, said, code)?];
        records.extend(row::withdrawn_records(&self.environment, None, &outcome.deliveries)?);
        records.extend(row::released_records(&self.environment, &outcome.deliveries)?);
        let Outcome { deliveries, pseudonyms, .. } = outcome;
        let package = self.package.hash();
        let set = DecidedSet {
            at_us: now_us,
            versions: writes.iter().map(|write| row::resource_version(write, package, now_us)).collect(),
            deliveries,
            pseudonyms,
            records,
            answers: Answers::Consent { request, outcome: code.to_owned() },
        };
        Ok(self.ports.withdrawals.commit_decided(set).await?)
    }

    /// The new version of the person's Consent; none when it says the same already.
    async fn consent_write(&mut self, patient: &str, said: &ConsentRequest) -> Result<Vec<Write>, Error> {
        let Some(resource_type) = ResourceType::parse("Consent") else { return Ok(Vec::new()) };
        let name = format!("consent|{patient}|{}", said.destination.as_deref().unwrap_or_default());
        let id = Uuid::new_v5(&self.environment.namespace, name.as_bytes()).to_string();
        let key = ResourceKey { resource_type, id };
        self.state.load(&self.ports, &key).await?;
        let body = consent_of(&key.id, patient, said);
        let (version, is_said) = match self.state.peek(&key) {
            Some(current) => (current.version, current.exposed(&permit()) == Some(&body)),
            None => (0, false),
        };
        let owner = Some(patient.to_owned());
        let write = Write {
            key,
            version: version + 1,
            patient: owner,
            moved_from: None,
            client: None,
            body: Some(Arc::new(body)),
            is_stored: false,
        };
        Ok(if is_said { Vec::new() } else { vec![write] })
    }

    fn consent_record(
        &self,
        patient: &str,
        said: &ConsentRequest,
        outcome: &'static str,
    ) -> Result<Record, Error> {
        let environment = &self.environment;
        let record = Record::new(
            Kind::ConsentRecorded,
            new_id(environment),
            &environment.node,
            (environment.now_us)(),
        )
        .outcome(outcome)
        .actor(audit::Actor::User(said.requested_by.clone()))
        .patient_token(&(environment.patient_token)(patient));
        let kind = if said.denies { "deny" } else { "permit" };
        Ok(record.object("provision", kind)?)
    }
}

/// Was this Consent said by a person here, rather than by a message?
pub fn is_said_by_a_person(body: &Value) -> bool {
    let identifiers = body.get("identifier").and_then(Value::as_array);
    let mut systems =
        identifiers.into_iter().flatten().filter_map(|identifier| identifier.get("system")?.as_str());
    body.get("resourceType").and_then(Value::as_str) == Some("Consent")
        && systems.any(|system| system == SAID_BY_A_PERSON)
}

/// FHIR R4 Consent, scope patient-privacy. One that is taken back is inactive.
fn consent_of(id: &str, patient: &str, said: &ConsentRequest) -> Value {
    let mut provision = json!({"type": "deny"});
    if let Some(destination) = &said.destination {
        let reference = json!({"identifier": {"system": DESTINATION_SYSTEM, "value": destination}});
        let role = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]});
        provision["actor"] = json!([{"role": role, "reference": reference}]);
    }
    json!({
        "resourceType": "Consent",
        "id": id,
        "identifier": [{"system": SAID_BY_A_PERSON, "value": id}],
        "status": if said.denies { "active" } else { "inactive" },
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA"}]}],
        "patient": {"reference": format!("Patient/{patient}")},
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]},
        "provision": provision,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use residency::Consent;

    fn said(denies: bool, destination: Option<&str>) -> ConsentRequest {
        ConsentRequest {
            patient: "p".into(),
            denies,
            destination: destination.map(str::to_owned),
            requested_by: "operator".into(),
            requested_us: 0,
        }
    }

    #[test]
    fn what_a_person_says_is_a_valid_consent_and_decides() {
        for destination in [None, Some("cloud")] {
            let body = consent_of("c1", "p", &said(true, destination));
            let errors: Vec<_> = fhir::validate(&body)
                .into_iter()
                .filter(|issue| issue.severity <= fhir::Severity::Error)
                .collect();
            assert!(errors.is_empty(), "{errors:?}");
            assert!(Consent::of(&body).denies("cloud") && is_said_by_a_person(&body));
            assert_eq!(Consent::of(&body).denies("research"), destination.is_none());
            assert_eq!(Consent::of(&consent_of("c1", "p", &said(false, destination))), Consent::Silent);
        }
    }
}
