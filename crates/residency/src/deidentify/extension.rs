//! Extensions: those of the allow-list, by value.

use serde_json::{Map, Value, json};

use super::Refusal;
use super::value;
use super::walk::{Frame, Outcome, Walk};
use crate::profile::{ExtensionRule, Operation};

impl Walk<'_> {
    /// One extension; an unlisted one is dropped, or refuses the resource when it is a modifier.
    pub(super) fn extension(
        &mut self,
        extension: &Value,
        frame: &Frame<'_>,
        modifier: bool,
    ) -> Result<Outcome, Refusal> {
        let Value::Object(map) = extension else { return Err(self.refusal("unexpected-type")) };
        let url = map.get("url").and_then(Value::as_str).unwrap_or_default();
        let rules: Vec<&ExtensionRule> = self
            .profile
            .extensions
            .iter()
            .filter(|rule| rule.url == url && rule.resource == frame.resource)
            .collect();
        if rules.is_empty() {
            return if modifier {
                Err(self.refusal("unknown-modifier-extension"))
            } else {
                Ok(Outcome::Drop)
            };
        }
        let mut output = Map::new();
        let mut parts = Vec::new();
        for rule in rules {
            match &rule.part {
                None => {
                    output.extend(self.extension_value(rule, map).map(|value| (rule.value.clone(), value)))
                }
                Some(part) => {
                    let nested =
                        map.get("extension").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                    for item in nested.iter().filter_map(Value::as_object) {
                        if item.get("url").and_then(Value::as_str) == Some(part)
                            && let Some(value) = self.extension_value(rule, item)
                        {
                            parts.push(json!({"url": part, rule.value.as_str(): value}));
                        }
                    }
                }
            }
        }
        if !parts.is_empty() {
            output.insert("extension".to_owned(), Value::Array(parts));
        }
        if output.is_empty() {
            return if modifier {
                Err(self.refusal("unknown-modifier-extension"))
            } else {
                Ok(Outcome::Drop)
            };
        }
        output.insert("url".to_owned(), Value::String(url.to_owned()));
        Ok(Outcome::Keep(Value::Object(output)))
    }

    fn extension_value(&self, rule: &ExtensionRule, map: &Map<String, Value>) -> Option<Value> {
        let value = map.get(&rule.value)?;
        match &rule.operation {
            Operation::Code(vocabulary) if rule.value == "valueCoding" => {
                value::bare_coding(self.profile, value, vocabulary.as_deref())
            }
            Operation::Code(vocabulary) => {
                let codings = value.get("coding")?.as_array()?;
                let kept: Vec<Value> = codings
                    .iter()
                    .filter_map(|coding| value::bare_coding(self.profile, coding, vocabulary.as_deref()))
                    .collect();
                (!kept.is_empty()).then(|| json!({"coding": kept}))
            }
            Operation::Vocab(vocabulary) => {
                vocabulary.find(value.as_str()?).map(|word| Value::String(word.to_owned()))
            }
            Operation::Keep => (value.is_boolean() || value.is_number()).then(|| value.clone()),
            _ => None,
        }
    }
}
