//! What the engine itself adds: marks, masks, bands, its own agent; and extensions and contained resources.

use serde_json::{Map, Value, json};

use super::{Check, Role, Scope, datatype, resource_name};
use crate::grammar::Form;

const ABSENT_REASON: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const AGE_BAND: &str = "urn:tidegate:age-band";
const POLICY_TAG: &str = "urn:tidegate:deidentification-profile";

/// `{"extension": [data-absent-reason masked]}` and nothing else.
pub(super) fn is_mask(value: &Value) -> bool {
    is_single_extension(value, ABSENT_REASON, "masked")
}

fn is_single_extension(value: &Value, url: &str, code: &str) -> bool {
    let Some(map) = value.as_object().filter(|map| map.len() == 1) else { return false };
    let Some([extension]) = map.get("extension").and_then(Value::as_array).map(Vec::as_slice) else {
        return false;
    };
    extension.as_object().is_some_and(|extension| {
        extension.len() == 2
            && extension.get("url").and_then(Value::as_str) == Some(url)
            && extension.get("valueCode").and_then(Value::as_str) == Some(code)
    })
}

impl Check<'_> {
    /// `meta` says that the resource is anonymised and under which profile, and nothing else.
    pub(super) fn marks(&mut self, map: &Map<String, Value>) {
        let expected = json!({
            "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "ANONYED"}],
            "tag": [{"system": POLICY_TAG, "code": self.grammar.policy_tag()}],
        });
        if map.get("meta") != Some(&expected) {
            self.at.push_str(".meta");
            self.leak("meta");
            self.at.truncate(self.at.len() - ".meta".len());
        }
    }

    /// What stands beside a primitive: a mask, or the band of an age.
    pub(super) fn beside(&mut self, form: &Form, repeats: bool, value: &Value) {
        let explained = match (form, value) {
            (Form::Absent, _) => false,
            (Form::YearOrBand, value) if is_single_extension(value, AGE_BAND, "90+") => true,
            (_, Value::Array(items)) if repeats => items.len() == 1 && items.iter().all(is_mask),
            (_, value) => !repeats && is_mask(value),
        };
        if !explained {
            self.unexplained(value);
        }
    }

    /// A listed extension with listed parts.
    pub(super) fn extension(&mut self, map: &Map<String, Value>, scope: Scope<'_>) {
        let url = map.get("url").and_then(Value::as_str).unwrap_or_default();
        for (name, value) in map {
            match (name.as_str(), value) {
                ("url", _) => {}
                ("extension", Value::Array(parts)) => {
                    for part in parts {
                        self.extension_part(url, part, scope);
                    }
                }
                _ => self.extension_value(url, "", name, value, scope),
            }
        }
    }

    fn extension_part(&mut self, url: &str, part: &Value, scope: Scope<'_>) {
        let Some(map) = part.as_object().filter(|map| map.len() == 2) else { return self.unexplained(part) };
        let Some(name) = map.get("url").and_then(Value::as_str) else { return self.unexplained(part) };
        for (key, value) in map.iter().filter(|(key, _)| *key != "url") {
            self.extension_value(url, name, key, value, scope);
        }
    }

    fn extension_value(&mut self, url: &str, part: &str, key: &str, value: &Value, scope: Scope<'_>) {
        let grammar = self.grammar;
        let form = grammar.extensions.iter().find(|form| {
            form.url == url
                && form.resource == scope.resource
                && form.part == part
                && key_is(key, &form.value_type)
        });
        match (form.map(|form| &form.form), value) {
            (Some(Form::Coded(list)), Value::Object(coding)) if key == "valueCoding" => {
                self.bare_coding(coding, list.as_deref());
            }
            (Some(Form::Coded(list)), Value::Object(concept)) if concept.len() == 1 => {
                match concept.get("coding") {
                    Some(Value::Array(codings)) => {
                        for coding in codings {
                            match coding {
                                Value::Object(coding) => self.bare_coding(coding, list.as_deref()),
                                other => self.unexplained(other),
                            }
                        }
                    }
                    _ => self.unexplained(value),
                }
            }
            (Some(Form::Word(list)), Value::String(text)) if grammar.has_word(list, text) => {}
            (Some(Form::Plain), Value::Bool(_)) => {}
            (Some(Form::Plain), Value::Number(number)) => self.leaf(Some(Role::Number), number.as_str()),
            _ => self.unexplained(value),
        }
    }

    /// System and code, nothing else.
    fn bare_coding(&mut self, coding: &Map<String, Value>, list: Option<&str>) {
        if coding.len() != 2 || !self.coding_fits(coding, list) {
            return self.unexplained_map(coding);
        }
        if let Some(code) = coding.get("code").and_then(Value::as_str) {
            self.leaf(Some(Role::Code), code);
        }
    }

    /// A contained resource under a local id.
    pub(super) fn contained(&mut self, value: &Value, scope: Scope<'_>) {
        let Some((name, map)) = resource_name(value).zip(value.as_object()) else {
            return self.unexplained(value);
        };
        let local = map.get("id").and_then(Value::as_str).is_some_and(datatype::local_id);
        if scope.contained || !self.grammar.covers(name) || !local {
            return self.unexplained(value);
        }
        self.object(name, map, Scope { resource: name, contained: true, list: None }, true);
    }

    /// The agent and activity that every Provenance of ours has.
    pub(super) fn rebuilt(&mut self, path: &str, value: &Value) {
        let expected = match path {
            "Provenance.agent" => json!({
                "type": {"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "assembler",
                }]},
                "who": {"extension": [{"url": ABSENT_REASON, "valueCode": "masked"}]},
            }),
            "Provenance.activity" => json!({"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "code": "deidentify",
            }]}),
            _ => Value::Null,
        };
        if *value != expected {
            self.unexplained(value);
        }
    }
}

/// Whether a JSON name is `value` with this type.
fn key_is(key: &str, value_type: &str) -> bool {
    key.strip_prefix("value").is_some_and(|rest| rest.eq_ignore_ascii_case(value_type))
}
