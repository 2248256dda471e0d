//! How stored resources would differ, told without values.

use serde_json::{Map, Value};
use store::{ResourceKey, ResourceVersion};

use crate::{Error, Ports};

/// A resource that would differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub key: ResourceKey,
    /// How.
    pub alteration: Alteration,
    /// Names of the top-level elements that come, go or change, in alphabetical order. No values.
    pub elements: Vec<String>,
}

/// How a resource would differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// It does not stand now.
    Added,
    /// It stands with other content.
    Changed,
    /// It would be deleted.
    Removed,
}

/// `None`: it would have a new version with the same content, as when it moves to another patient.
pub(crate) async fn difference(
    ports: &Ports,
    version: &ResourceVersion,
) -> Result<Option<Difference>, Error> {
    let read = |bytes: &[u8]| serde_json::from_slice::<Map<String, Value>>(bytes).map_err(Error::Body);
    let standing = ports.resources.read(&version.key).await?.filter(|stored| !stored.deleted);
    let before = standing.map(|stored| read(stored.body.expose())).transpose()?;
    let after = match version.deleted {
        true => None,
        false => Some(read(version.body.expose())?),
    };
    let alteration = match (&before, &after) {
        (None, Some(_)) => Alteration::Added,
        (Some(_), Some(_)) => Alteration::Changed,
        (Some(_), None) => Alteration::Removed,
        (None, None) => return Ok(None),
    };
    let elements = elements(&before.unwrap_or_default(), &after.unwrap_or_default());
    let key = version.key.clone();
    Ok((!elements.is_empty()).then_some(Difference { key, alteration, elements }))
}

/// Names of the elements in which two resources differ; what says which resource it is, is none.
fn elements(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let differs = |name: &&String| {
        !["resourceType", "id", "meta"].contains(&name.as_str()) && before.get(*name) != after.get(*name)
    };
    let mut names: Vec<String> = names.filter(differs).cloned().collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn elements_are_named_where_contents_differ() {
        let before = map(json!({"resourceType": "Patient", "id": "1", "gender": "female", "active": true}));
        let after = map(json!({"resourceType": "Patient", "id": "1", "gender": "male", "birthDate": "1962"}));
        assert_eq!(elements(&before, &after), ["active", "birthDate", "gender"]);
        assert!(elements(&before, &before.clone()).is_empty());
        assert_eq!(elements(&Map::new(), &after), ["birthDate", "gender"]);
    }
}
