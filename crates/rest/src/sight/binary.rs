//! A Binary as a client sees it: by what another resource decides, the one of its `securityContext` (R4, resource Binary). A
//! client of scopes that sees that one sees the Binary; where none is named, a scope for a patient's resources covers it not.

use fhir::{Reference, ResourceType};
use serde_json::Value;
#[cfg(feature = "clinical")]
use smart::Grant;
use smart::{Permissions, Reach};
use store::ResourceKey;

use super::Sight;
use super::condition::Condition;
use crate::interaction::is_binary;
use crate::outcome::Failure;
#[cfg(feature = "clinical")]
use crate::server::Server;

/// What decides who may see a Binary.
#[derive(Debug, PartialEq, Eq)]
enum Context {
    /// Its scope alone.
    Absent,
    /// Who sees this resource.
    Resource(ResourceKey),
    /// Nobody can be asked: it is not of this server, or is a Binary again.
    Unknown,
}

impl Context {
    fn of(binary: &Value) -> Self {
        let Some(context) = binary.get("securityContext") else { return Self::Absent };
        let text = context.get("reference").and_then(Value::as_str).unwrap_or_default();
        match Reference::parse(text) {
            Reference::Relative { resource_type, id, .. } if !is_binary(resource_type) => {
                Self::Resource(ResourceKey { resource_type, id: id.to_owned() })
            }
            _ => Self::Unknown,
        }
    }
}

impl Sight<'_> {
    /// Whether the client of scopes sees a Binary with this content.
    pub(super) async fn sees_binary(
        self,
        of: ResourceType,
        content: &Value,
        any: Permissions,
    ) -> Result<bool, Failure> {
        let context = Context::of(content);
        let mut is_granted = self.granted.grants(of, any).any(|grant| {
            let reaches = grant.reach == Reach::Node || matches!(context, Context::Resource(_));
            reaches && Condition::of_content(self.server, grant, of).holds(content)
        });
        if let Context::Resource(key) = &context {
            is_granted = is_granted && self.sees_context(key).await?;
        }
        Ok(is_granted && context != Context::Unknown)
    }

    /// Whether the client sees what decides, as it stands; a patient that it was given the resources of it knows.
    async fn sees_context(self, key: &ResourceKey) -> Result<bool, Failure> {
        if key.resource_type.as_str() == "Patient" && self.granted.knows_patient(&key.id) {
            return Ok(!self.denied.denies(&key.id));
        }
        let today = self.port().read(key).await?.filter(|stored| !stored.deleted);
        // What decides is no Binary, so this ends.
        Ok(Box::pin(self.seen(today, Permissions::READ)).await?.is_some())
    }
}

/// Whether a grant covers a Binary that is to be written: one for a patient's resources covers what that patient decides.
#[cfg(feature = "clinical")]
pub(super) fn covers(server: &Server, grant: &Grant, of: ResourceType, content: &Value) -> bool {
    let reaches = match (&grant.reach, Context::of(content)) {
        (_, Context::Unknown) | (Reach::Patient(_), Context::Absent) => false,
        (Reach::Node, _) => true,
        (Reach::Patient(own), Context::Resource(key)) => {
            key.resource_type.as_str() == "Patient" && key.id == own.as_str()
        }
    };
    reaches && Condition::of_content(server, grant, of).holds(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_decides_is_named_or_nobody_can_be_asked() {
        let of = |context: Value| Context::of(&json!({"securityContext": context}));
        let patient = ResourceType::parse("Patient").expect("a type");
        let key = ResourceKey { resource_type: patient, id: "a".to_owned() };
        assert_eq!(of(json!({"reference": "Patient/a"})), Context::Resource(key));
        assert_eq!(Context::of(&json!({})), Context::Absent);
        for unknown in [
            json!({"reference": "Binary/a"}),
            json!({"reference": "https://other.example/fhir/Patient/a"}),
            json!({"identifier": {"value": "A"}}),
            json!({}),
            json!("Patient/a"),
        ] {
            assert_eq!(of(unknown.clone()), Context::Unknown, "{unknown}");
        }
    }
}
