//! One walk over a resource by the decisions of a profile.

mod contained;
mod extension;
mod identity;
mod value;
mod walk;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::profile::Profile;
use crate::pseudonym::{Pseudonym, Pseudonyms, Subject};
use identity::{Identities, Source};
use walk::{Frame, Walk};

/// The candidate for release and what was done to each element.
pub struct Deidentified {
    /// Id of the resource at the destination.
    pub released_id: String,
    /// The resource as it may leave once it is verified.
    pub resource: Value,
    /// What was done to each element, for the console's twin view.
    pub actions: Vec<ElementAction>,
}

impl std::fmt::Debug for Deidentified {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Deidentified({}, {} actions)", self.released_id, self.actions.len())
    }
}

/// What was done to one element; no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementAction {
    /// Where, in the clinical resource (`Patient.name[0]`).
    pub location: String,
    /// Operation of the profile (`drop`, `year`, `mask`).
    pub operation: String,
}

/// Why a resource stays: a code and an element, no value.
///
/// Codes: `not-a-resource`, `type-without-rows`, `missing-id`, `owner-missing`, `pseudonym-missing`, `unknown-element`,
/// `unexpected-type`, `rejected-element`, `unknown-modifier-extension`, `required-modifier`, `too-deep`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} at {location}")]
pub struct Refusal {
    /// Stable code.
    pub code: &'static str,
    /// Element path.
    pub location: String,
}

impl Profile {
    /// Pseudonyms this resource needs before [`Profile::deidentify`] can run: its own or its owner's, and those of what it
    /// refers to. `owner`: clinical id of the patient it belongs to, `None` for a shared entity.
    pub fn needs(&self, resource: &Value, owner: Option<&str>) -> Vec<Subject> {
        let mut wanted = BTreeSet::new();
        let nobody = Pseudonym { released_id: String::new(), secret: [0; 32] };
        // What refuses here refuses in `deidentify` as well, which tells the caller.
        let _refused_later =
            run(self, resource, owner, Source::Collect(&mut wanted, &nobody), YEAR_OF_NO_EFFECT).is_err();
        wanted.into_iter().collect()
    }

    /// De-identifies one resource. Pure. `owner` as in [`Profile::needs`]; `year_now`: the current year, for ages over 89.
    ///
    /// # Errors
    /// [`Refusal`] when the type has no rows, an element is unknown, a modifier cannot be kept, a pseudonym is missing.
    pub fn deidentify(
        &self,
        resource: &Value,
        owner: Option<&str>,
        map: &Pseudonyms,
        year_now: i32,
    ) -> Result<Deidentified, Refusal> {
        run(self, resource, owner, Source::Map(map), year_now)
    }
}

/// Ages do not bear on which pseudonyms are needed.
const YEAR_OF_NO_EFFECT: i32 = 2000;

fn run(
    profile: &Profile,
    resource: &Value,
    owner: Option<&str>,
    source: Source<'_>,
    year_now: i32,
) -> Result<Deidentified, Refusal> {
    let not_a_resource = || Refusal { code: "not-a-resource", location: String::new() };
    let map = resource.as_object().ok_or_else(not_a_resource)?;
    let resource_type = fhir::ResourceType::of(resource).ok_or_else(not_a_resource)?;
    let name = resource_type.as_str();
    let refuse = |code| Refusal { code, location: name.to_owned() };
    let root = *profile.roots.get(name).ok_or_else(|| refuse("type-without-rows"))?;
    let id = map.get("id").and_then(Value::as_str).ok_or_else(|| refuse("missing-id"))?;
    let mut identities = Identities::new(profile, owner, source);
    let released_id = identities.root_id(resource_type, id)?;
    identities.number_contained(map);
    let mut walk = Walk { profile, identities, year_now, at: name.to_owned(), actions: Vec::new(), depth: 0 };
    let frame = Frame { resource: name, id: &released_id, ..Frame::default() };
    let mut output = walk.resource(root, map, &frame)?;
    output.insert("meta".to_owned(), marks(profile));
    walk.drop_unreferenced(&mut output);
    Ok(Deidentified { released_id, resource: Value::Object(output), actions: walk.actions })
}

/// `meta` of an output: that it is anonymised, and by which profile.
fn marks(profile: &Profile) -> Value {
    json!({
        "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "ANONYED"}],
        "tag": [{"system": profile.policy_tag_system, "code": profile.policy_tag()}],
    })
}

/// What stands in place of an element that may not leave but must be there.
fn masked() -> Value {
    let mut map = Map::new();
    let reason =
        json!({"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"});
    map.insert("extension".to_owned(), Value::Array(vec![reason]));
    Value::Object(map)
}
