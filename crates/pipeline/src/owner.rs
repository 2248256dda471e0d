//! Whose a resource is that a client wrote: its patient, where it names exactly one.

use std::collections::BTreeSet;

use fhir::IndexValue;
use serde_json::Value;
use store::ResourceKey;

/// The patient whose compartment a resource belongs to, as its `patient` search parameter tells: a Patient is its own.
/// `None` where it names none, or several: it is nobody's then, and leaves only as what is shared does.
pub fn owner_of(key: &ResourceKey, body: &Value) -> Option<String> {
    let name = key.resource_type.as_str();
    if name == "Patient" {
        return Some(key.id.clone());
    }
    let parameter = fhir::r4().search_parameter(name, "patient")?;
    let values = fhir::extract(body, parameter).into_iter();
    let patients: BTreeSet<String> = values
        .filter_map(|value| match value {
            IndexValue::Reference { resource_type: Some(of), id } if of == "Patient" => Some(id),
            _ => None,
        })
        .collect();
    let mut patients = patients.into_iter();
    match (patients.next(), patients.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn owner(resource: Value) -> Option<String> {
        let resource_type = fhir::ResourceType::of(&resource).expect("a type");
        owner_of(&ResourceKey { resource_type, id: "x".into() }, &resource)
    }

    #[test]
    fn a_resource_is_owned_by_the_one_patient_it_names() {
        assert_eq!(owner(json!({"resourceType": "Patient"})).as_deref(), Some("x"));
        let of = |name: &str, element: &str, reference: &str| {
            let mut resource = json!({"resourceType": name});
            resource[element] = json!({"reference": reference});
            owner(resource)
        };
        for (name, element) in [
            ("Observation", "subject"),
            ("AllergyIntolerance", "patient"),
            ("Coverage", "beneficiary"),
            ("Encounter", "subject"),
            ("Task", "for"),
            ("RelatedPerson", "patient"),
        ] {
            assert_eq!(of(name, element, "Patient/p").as_deref(), Some("p"), "{name}");
            assert_eq!(of(name, element, "Group/p"), None, "{name}");
        }
        assert_eq!(of("Observation", "subject", "#p"), None);
        assert_eq!(owner(json!({"resourceType": "Organization", "name": "HARBOR"})), None);
        let two = json!({"resourceType": "Appointment", "participant": [
            {"actor": {"reference": "Patient/p"}}, {"actor": {"reference": "Patient/q"}}]});
        assert_eq!(owner(two), None);
    }
}
