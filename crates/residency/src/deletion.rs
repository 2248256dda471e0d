//! Deletion notices: a resource that was released and is gone. A notice names a type and a released id and carries
//! nothing else, so there is nothing in it that a verifier could find.

use serde_json::json;
use uuid::Uuid;

use crate::clinical::Cloud;
use crate::deidentify::Refusal;
use crate::policy::Destination;
use crate::profile::Profile;
use crate::pseudonym::{Pseudonyms, Subject, is_released_id};
use crate::release::Released;

impl Profile {
    /// Pseudonyms needed to name one resource that has no content any more.
    pub fn needs_to_name(
        &self,
        resource_type: fhir::ResourceType,
        id: &str,
        owner: Option<&str>,
    ) -> Vec<Subject> {
        self.subject_of(resource_type, id, owner).into_iter().collect()
    }

    /// The released id of one resource.
    ///
    /// # Errors
    /// [`Refusal`] with code `owner-missing` or `pseudonym-missing`.
    pub fn released_id_of(
        &self,
        resource_type: fhir::ResourceType,
        id: &str,
        owner: Option<&str>,
        map: &Pseudonyms,
    ) -> Result<String, Refusal> {
        let refuse = |code| Refusal { code, location: resource_type.as_str().to_owned() };
        let subject = self.subject_of(resource_type, id, owner).ok_or_else(|| refuse("owner-missing"))?;
        let pseudonym = map.0.get(&subject).ok_or_else(|| refuse("pseudonym-missing"))?;
        if self.has_own_pseudonym(resource_type) {
            Ok(pseudonym.released_id.clone())
        } else {
            Ok(pseudonym.dependent_id(resource_type, id))
        }
    }

    /// Has this type random ids of its own, whoever owns a resource of it?
    pub fn has_own_pseudonym(&self, resource_type: fhir::ResourceType) -> bool {
        self.subjects.contains(&resource_type)
    }

    fn subject_of(
        &self,
        resource_type: fhir::ResourceType,
        id: &str,
        owner: Option<&str>,
    ) -> Option<Subject> {
        if self.has_own_pseudonym(resource_type) {
            return Some(Subject { resource_type, clinical_id: id.to_owned() });
        }
        let resource_type = fhir::ResourceType::parse("Patient")?;
        owner.map(|owner| Subject { resource_type, clinical_id: owner.to_owned() })
    }
}

/// The canonical bytes of a deletion notice: type and released id.
pub fn deletion(resource_type: fhir::ResourceType, released_id: &str) -> Vec<u8> {
    fhir::canonical_json(&json!({"resourceType": resource_type.as_str(), "id": released_id}))
}

/// A deletion notice. It needs no permit: what has no content may always go, and what may not stand must.
///
/// # Errors
/// [`Refusal`] with code `destination-profile` when the destination is in no cloud zone, `released-id` when the id has not
/// the form of a released one.
pub fn release_deletion(
    resource_type: fhir::ResourceType,
    released_id: &str,
    decision_id: Uuid,
    destination: &Destination,
) -> Result<Released<Cloud>, Refusal> {
    let refuse = |code| Refusal { code, location: resource_type.as_str().to_owned() };
    if !destination.cloud {
        return Err(refuse("destination-profile"));
    }
    if !is_released_id(released_id) {
        return Err(refuse("released-id"));
    }
    Ok(Released::of_deletion(destination, decision_id, deletion(resource_type, released_id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observation() -> fhir::ResourceType {
        fhir::ResourceType::parse("Observation").expect("a type of R4")
    }

    fn destination(cloud: bool) -> Destination {
        Destination {
            id: "cloud".into(),
            zone: "z".into(),
            region: "US".into(),
            cloud,
            form: crate::Form::Fhir,
            profile: Some("p".into()),
        }
    }

    #[test]
    fn a_notice_is_type_and_id_and_nothing_else() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(
            deletion(observation(), id),
            format!(r#"{{"resourceType":"Observation","id":"{id}"}}"#).into_bytes()
        );
    }

    #[test]
    fn a_notice_leaves_only_under_a_released_id_to_a_cloud_zone() {
        let id = "0123456789abcdef0123456789abcdef";
        let of = |id: &str, cloud: bool| {
            release_deletion(observation(), id, Uuid::nil(), &destination(cloud)).map_err(|r| r.code)
        };
        assert!(of(id, true).is_ok());
        assert_eq!(of("MRN-12345", true).err(), Some("released-id"));
        assert_eq!(of(id, false).err(), Some("destination-profile"));
    }
}
