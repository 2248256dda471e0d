//! `_summary` and `_elements`: part of a resource, marked as such (R4, search §3.1.1.5.8 and 5.9).

use fhir::{IssueCode, ResourceType, r4};
use serde_json::{Value, json};

use super::refusal::{choice, not_supported};
use crate::outcome::Failure;
use crate::query::Parameters;

/// Elements of one `_elements`.
const ELEMENTS_MAX: usize = 64;
/// Marks a resource that is not whole.
const TAG_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const TAG_CODE: &str = "SUBSETTED";
const SUMMARIES: [&str; 5] = ["true", "text", "data", "count", "false"];

/// Which elements of a resource are told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Subset {
    /// All.
    #[default]
    Whole,
    /// `_summary=true`: those of the summary view, and those that must be there.
    Summary,
    /// `_summary=text`: the narrative, and those that must be there.
    Text,
    /// `_summary=data`: all but the narrative.
    Data,
    /// `_elements`: these of a type, those that must be there and those that change the meaning of others.
    Elements(ResourceType, Vec<&'static str>),
}

impl Subset {
    /// Takes `_summary` and `_elements` out. `counts`: whether `_summary=count` is asked, which only searches have.
    ///
    /// # Errors
    /// 400 when one is not supported, or both are given.
    pub(crate) fn take(parameters: &mut Parameters, of: ResourceType) -> Result<(Self, bool), Failure> {
        let summary = parameters.take_one("_summary")?;
        let elements = parameters.take_one("_elements")?;
        Self::parse(summary.as_deref(), elements.as_deref(), of)
    }

    /// As [`Subset::take`].
    pub(super) fn parse(
        summary: Option<&str>,
        elements: Option<&str>,
        of: ResourceType,
    ) -> Result<(Self, bool), Failure> {
        let (subset, counts) = match summary {
            None | Some("false") => (Self::Whole, false),
            Some("count") => (Self::Whole, true),
            Some("true") => (Self::Summary, false),
            Some("text") => (Self::Text, false),
            Some("data") => (Self::Data, false),
            Some(other) => return Err(choice("_summary", other, &SUMMARIES)),
        };
        let Some(elements) = elements else { return Ok((subset, counts)) };
        if subset != Self::Whole {
            return Err(not_supported("`_elements` and `_summary` do not go together"));
        }
        Ok((Self::Elements(of, named(elements, of)?), counts))
    }

    /// Whether includes can come along: a narrative alone tells nothing of what it refers to.
    pub(super) fn allows_includes(&self) -> bool {
        *self != Self::Text
    }

    /// Leaves out what is not told, and says so in the resource. `_elements` is about the type it was asked of; of the
    /// others all is told.
    pub(crate) fn apply(&self, resource: &mut Value) {
        let Some(of) = ResourceType::of(resource) else { return };
        let whole = match self {
            Self::Whole => true,
            Self::Elements(asked, _) => *asked != of,
            _ => false,
        };
        let Some(members) = resource.as_object_mut().filter(|_| !whole) else { return };
        members.retain(|name, _| self.tells(of, name));
        let meta = members.entry("meta").or_insert_with(|| json!({}));
        if let Some(meta) = meta.as_object_mut() {
            let tags = meta.entry("tag").or_insert_with(|| json!([]));
            if let Some(tags) = tags.as_array_mut()
                && !tags.iter().any(|tag| tag["code"] == TAG_CODE && tag["system"] == TAG_SYSTEM)
            {
                tags.push(json!({"system": TAG_SYSTEM, "code": TAG_CODE}));
            }
        }
    }

    fn tells(&self, of: ResourceType, name: &str) -> bool {
        let json_name = name.strip_prefix('_').unwrap_or(name);
        if matches!(json_name, "resourceType" | "id" | "meta") {
            return true;
        }
        let Some(property) = r4().property(of.as_str(), json_name) else { return false };
        let element = property.element;
        match self {
            Self::Whole => true,
            Self::Data => json_name != "text",
            Self::Summary => element.is_summary || element.min > 0,
            Self::Text => json_name == "text" || element.min > 0,
            Self::Elements(_, names) => {
                names.contains(&element.base_name()) || element.min > 0 || element.is_modifier
            }
        }
    }
}

/// `name` or `Type.name` by comma: elements of the resource itself.
fn named(list: &str, of: ResourceType) -> Result<Vec<&'static str>, Failure> {
    let all: Vec<&'static str> =
        r4().children(of.as_str()).iter().map(|element| element.base_name()).collect();
    let names: Vec<&str> = list.split(',').map(str::trim).collect();
    if names.len() > ELEMENTS_MAX {
        let text = format!("`_elements` takes at most {ELEMENTS_MAX} names");
        return Err(Failure::bad_request(IssueCode::TooCostly, text));
    }
    let prefix = format!("{of}.");
    let one = |name: &&str| {
        let own = name.strip_prefix(&prefix).unwrap_or(name);
        all.iter().copied().find(|known| *known == own).ok_or_else(|| choice("_elements", own, &all))
    };
    names.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use fhir::{ResourceType, validate};
    use serde_json::{Value, json};

    use super::Subset;

    fn observation() -> Value {
        json!({"resourceType": "Observation", "id": "o", "meta": {"versionId": "1"}, "status": "final",
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
            "code": {"text": "c"}, "valueString": "low", "_valueString": {"id": "v"}, "note": [{"text": "n"}],
            "interpretation": [{"text": "i"}], "effectiveDateTime": "2020"})
    }

    fn told(summary: Option<&str>, elements: Option<&str>) -> Vec<String> {
        let of = ResourceType::parse("Observation").unwrap();
        let (subset, _) = Subset::parse(summary, elements, of).unwrap();
        let mut resource = observation();
        subset.apply(&mut resource);
        assert_eq!(validate(&resource), []);
        let marked = resource.pointer("/meta/tag/0/code") == Some(&json!("SUBSETTED"));
        assert_eq!(marked, subset != Subset::Whole);
        let mut names: Vec<String> = resource.as_object().unwrap().keys().cloned().collect();
        names.retain(|name| !["resourceType", "id", "meta"].contains(&name.as_str()));
        names
    }

    #[test]
    fn what_must_be_there_stays() {
        let all = observation().as_object().unwrap().len() - 3;
        assert_eq!(told(None, None).len(), all);
        assert_eq!(told(Some("false"), None).len(), all);
        assert_eq!(told(Some("text"), None), ["code", "status", "text"]);
        assert_eq!(told(Some("data"), None).len(), all - 1);
        assert_eq!(
            told(Some("true"), None),
            ["_valueString", "code", "effectiveDateTime", "status", "valueString"]
        );
        assert_eq!(told(None, Some("note")), ["code", "note", "status"]);
        assert_eq!(
            told(None, Some("Observation.value,id")),
            ["_valueString", "code", "status", "valueString"]
        );
    }

    #[test]
    fn what_is_not_an_element_is_refused() {
        let of = ResourceType::parse("Observation").unwrap();
        for (summary, elements) in [
            (Some("bogus"), None),
            (None, Some("nosuch")),
            (None, Some("")),
            (Some("true"), Some("note")),
            (None, Some("code.text")),
        ] {
            assert!(Subset::parse(summary, elements, of).is_err(), "{summary:?} {elements:?}");
        }
        assert_eq!(Subset::parse(Some("count"), None, of).unwrap(), (Subset::Whole, true));
        let (only, _) = Subset::parse(None, Some("note"), of).unwrap();
        let mut other = json!({"resourceType": "Patient", "id": "p", "gender": "male"});
        only.apply(&mut other);
        assert_eq!(other, json!({"resourceType": "Patient", "id": "p", "gender": "male"}));
    }
}
