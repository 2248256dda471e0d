//! Contained resources: by the rows of their own type, under new local ids.

use serde_json::{Map, Value};

use super::Refusal;
use super::walk::{Frame, Outcome, Walk};

impl Walk<'_> {
    /// A contained resource; dropped when its type is not listed, it has no id, or it is nested in another.
    pub(super) fn contained(&mut self, value: &Value, frame: &Frame<'_>) -> Result<Outcome, Refusal> {
        let Value::Object(map) = value else { return Err(self.refusal("unexpected-type")) };
        let Some(name) = fhir::ResourceType::of(value).map(fhir::ResourceType::as_str) else {
            return Ok(Outcome::Drop);
        };
        let id = map
            .get("id")
            .and_then(Value::as_str)
            .and_then(|id| self.identities.local_id(id))
            .map(str::to_owned);
        let (Some(root), Some(id), false) = (self.profile.roots.get(name), id, frame.contained) else {
            return Ok(Outcome::Drop);
        };
        let inner = Frame { resource: name, id: &id, contained: true, ..Frame::default() };
        Ok(Outcome::Keep(Value::Object(self.resource(*root, map, &inner)?)))
    }

    /// Removes contained resources that nothing refers to any more (R4, dom-3).
    pub(super) fn drop_unreferenced(&mut self, output: &mut Map<String, Value>) {
        let Some(Value::Array(contained)) = output.get_mut("contained") else { return };
        let referenced = &self.identities.referenced;
        contained.retain(|resource| {
            resource.get("id").and_then(Value::as_str).is_some_and(|id| referenced.contains(id))
        });
        if contained.is_empty() {
            output.remove("contained");
        }
    }
}
