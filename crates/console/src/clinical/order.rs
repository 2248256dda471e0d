//! Elements in the order of the specification, as people who know FHIR look for them.

use serde_json::{Map, Value};

/// One property of an object with the path under which its own properties are found.
pub(crate) struct Property<'v> {
    pub(crate) name: &'v str,
    pub(crate) value: &'v Value,
    /// `None`: R4 does not know it, so its properties stay in alphabetical order.
    pub(crate) child_path: Option<&'static str>,
}

/// The properties of an object at a type or backbone path, in specification order: `resourceType` first, `_x` right
/// after `x`, what R4 does not know last.
pub(crate) fn ordered<'v>(path: Option<&str>, object: &'v Map<String, Value>) -> Vec<Property<'v>> {
    let resource = object.get("resourceType").and_then(Value::as_str);
    let path = resource.filter(|name| fhir::r4().is_resource(name)).or(path);
    let children = path.map_or(&[][..], |path| fhir::r4().children(path));
    let mut ranked: Vec<((usize, bool), Property<'v>)> = object
        .iter()
        .map(|(name, value)| {
            let base = name.strip_prefix('_').unwrap_or(name);
            let known = path.and_then(|path| fhir::r4().property(path, base));
            let place = known
                .as_ref()
                .and_then(|known| children.iter().position(|child| child.path == known.element.path));
            let rank = match (name.as_str(), place) {
                ("resourceType", _) => 0,
                (_, Some(place)) => place + 1,
                (_, None) => usize::MAX,
            };
            let child_path = known.map(|known| known.child_path);
            ((rank, base.len() < name.len()), Property { name, value, child_path })
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, property)| property).collect()
}

/// Every value of a resource with its FHIRPath location, in specification order.
pub(crate) fn flattened(resource: &Value) -> Vec<(String, &Value)> {
    let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or("Resource");
    let mut found = Vec::new();
    flatten(name.to_owned(), None, resource, &mut found);
    found
}

fn flatten<'v>(
    location: String,
    path: Option<&'static str>,
    value: &'v Value,
    found: &mut Vec<(String, &'v Value)>,
) {
    match value {
        Value::Object(object) => {
            for Property { name, value, child_path } in ordered(path, object) {
                flatten(format!("{location}.{name}"), child_path, value, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(format!("{location}[{index}]"), path, item, found);
            }
        }
        leaf => found.push((location, leaf)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_stand_in_the_order_of_the_specification() {
        let patient = json!({"address": [{"state": "CT", "city": "A", "line": ["1"]}], "birthDate": "1970", "_birthDate": {"id": "b"},
            "name": [{"given": ["Jo"], "family": "Doe", "use": "official"}], "gender": "female", "identifier": [{"value": "1", "system": "s"}],
            "id": "x", "resourceType": "Patient", "zzz": 1, "active": true});
        let locations: Vec<String> = flattened(&patient).into_iter().map(|(location, _)| location).collect();
        assert_eq!(
            locations,
            [
                "Patient.resourceType",
                "Patient.id",
                "Patient.identifier[0].system",
                "Patient.identifier[0].value",
                "Patient.active",
                "Patient.name[0].use",
                "Patient.name[0].family",
                "Patient.name[0].given[0]",
                "Patient.gender",
                "Patient.birthDate",
                "Patient._birthDate.id",
                "Patient.address[0].line[0]",
                "Patient.address[0].city",
                "Patient.address[0].state",
                "Patient.zzz",
            ]
        );
    }

    #[test]
    fn a_choice_stands_where_its_element_does() {
        let observation = json!({"resourceType": "Observation", "valueQuantity": {"unit": "mmol/L", "value": 1}, "status": "final",
            "interpretation": [], "effectiveDateTime": "2026"});
        let locations: Vec<String> =
            flattened(&observation).into_iter().map(|(location, _)| location).collect();
        assert_eq!(
            locations,
            [
                "Observation.resourceType",
                "Observation.status",
                "Observation.effectiveDateTime",
                "Observation.valueQuantity.value",
                "Observation.valueQuantity.unit",
            ]
        );
    }
}
