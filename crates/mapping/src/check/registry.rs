//! `systems.yaml` and `extensions.yaml`.

use super::{Checker, Trees};
use crate::diagnostic::Place;
use crate::yaml::{Entry, Node};
use std::collections::BTreeMap;

/// A registered extension.
#[derive(Debug, Clone)]
pub(crate) struct Extension {
    pub url: String,
    pub content: Content,
    pub contexts: Vec<String>,
    pub repeats: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// `value[x]` of this type.
    Value(String),
    /// Extensions of its own, by their relative URL.
    Parts(BTreeMap<String, String>),
}

impl Checker<'_> {
    pub(super) fn registries(&mut self, trees: &Trees) {
        for entry in trees.systems.iter().flat_map(|node| node.entries()) {
            self.system(entry);
        }
        for entry in trees.extensions.iter().flat_map(|node| node.entries()) {
            self.extension(entry);
        }
    }

    fn system(&mut self, entry: &Entry) {
        self.only_keys(&entry.value, &["uri", "names", "kind", "doc"]);
        let Some(uri) = entry.value.get("uri") else {
            self.findings.add(entry.place, "E0103", "a system needs its uri");
            return;
        };
        let Some(uri) = self.text(uri).map(str::to_owned) else { return };
        let kind = entry.value.get("kind").and_then(Node::scalar).unwrap_or("code");
        if !matches!(kind, "code" | "identifier" | "other") {
            let place = entry.value.get("kind").map_or(entry.place, |node| node.place);
            self.findings.add_help(
                place,
                "E0105",
                format!("{kind} is no kind of system"),
                "code, identifier or other",
            );
        }
        self.systems.declared.insert(uri.clone());
        let names = entry.value.get("names").map(Node::items).unwrap_or_default();
        for name in names.iter().filter_map(Node::scalar).chain([entry.key.as_str()]) {
            let registry =
                if kind == "identifier" { &mut self.systems.identifiers } else { &mut self.systems.codes };
            let earlier = registry.insert(name.to_ascii_uppercase(), uri.clone());
            if earlier.is_some_and(|earlier| earlier != uri) {
                self.findings.add(entry.place, "E0105", format!("the name {name} belongs to two systems"));
            }
        }
    }

    fn extension(&mut self, entry: &Entry) {
        self.only_keys(&entry.value, &["url", "type", "parts", "context", "repeats", "doc"]);
        let text = |key: &str| entry.value.get(key).and_then(Node::scalar).map(str::to_owned);
        let Some(url) = text("url") else {
            self.findings.add(entry.place, "E0103", "an extension needs its url");
            return;
        };
        self.systems.declared.insert(url.clone());
        let content = match (text("type"), entry.value.get("parts")) {
            (Some(code), None) => {
                self.check_type(&code, entry.value.get("type").map_or(entry.place, |node| node.place));
                Content::Value(code)
            }
            (None, Some(parts)) => Content::Parts(self.parts(parts)),
            (Some(_), Some(_)) | (None, None) => {
                self.findings.add(entry.place, "E0103", "an extension has either a type or parts");
                return;
            }
        };
        let context = entry.value.get("context").map(Node::items).unwrap_or_default();
        let contexts: Vec<String> = context.iter().filter_map(Node::scalar).map(str::to_owned).collect();
        for (node, context) in context.iter().zip(&contexts) {
            let known = context == "Element"
                || fhir::r4().element(context).is_some()
                || !fhir::r4().children(context).is_empty()
                || fhir::r4().is_primitive(context);
            if !known {
                self.findings.add(node.place, "E0309", format!("{context} is no R4 element"));
            }
        }
        let repeats = text("repeats").as_deref() == Some("true");
        self.extensions.insert(entry.key.clone(), Extension { url, content, contexts, repeats });
    }

    fn parts(&mut self, parts: &Node) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for part in parts.entries() {
            if let Some(code) = self.text(&part.value).map(str::to_owned) {
                self.check_type(&code, part.value.place);
                found.insert(part.key.clone(), code);
            }
        }
        found
    }

    /// Is this one of the types an extension value can have?
    fn check_type(&mut self, code: &str, place: Place) {
        let allowed: Vec<&str> = fhir::r4()
            .element("Extension.value[x]")
            .map(|element| element.types.iter().map(|t| t.code).collect())
            .unwrap_or_default();
        if !allowed.contains(&code) {
            self.findings.add_near(
                place,
                "E0309",
                format!("an extension cannot hold a {code}"),
                code,
                allowed,
            );
        }
    }
}
