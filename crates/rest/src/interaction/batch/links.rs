//! References inside a transaction: those to other entries, and those by a search.

use std::collections::HashMap;

use fhir::{Reference, ResourceType, r4};
use serde_json::Value;
use store::{Guard, ResourceContent, ResourceKey};

use crate::interaction::write::{Caller, Failing, conditional_reference};
use crate::outcome::Failure;

/// What the links of a transaction stand for.
#[derive(Default)]
pub(super) struct Links {
    /// `fullUrl` of an entry, or a conditional reference, to `Type/id`.
    targets: HashMap<String, String>,
}

impl Links {
    /// Others call this resource by that url.
    pub(super) fn entry(&mut self, full_url: &str, key: &ResourceKey) {
        self.targets.insert(full_url.to_owned(), format!("{}/{}", key.resource_type, key.id));
    }

    /// Finds what the conditional references of a resource mean.
    ///
    /// # Errors
    /// 412 unless each means exactly one.
    pub(super) async fn find(
        &mut self,
        caller: Caller<'_>,
        resource: &Value,
        guards: &mut Vec<(Guard, Failing)>,
    ) -> Result<(), Failure> {
        if !any_text(resource, 0, &mut |text| text.contains('?')) {
            return Ok(());
        }
        let mut conditional = Vec::new();
        fhir::references(resource, &mut |_, text| {
            if matches!(Reference::parse(text), Reference::Conditional { .. }) {
                conditional.push(text.to_owned());
            }
        });
        for text in conditional {
            let Reference::Conditional { resource_type, query } = Reference::parse(&text) else { continue };
            if self.targets.contains_key(&text) {
                continue;
            }
            let of = caller.server.resource_type(resource_type.as_str())?;
            let (search, stored) = conditional_reference(caller, of, query).await?;
            self.entry(&text, &stored.key);
            guards.push((
                Guard::OnlyMatch { search: search.as_search().clone(), key: stored.key },
                Failing::Again,
            ));
        }
        Ok(())
    }

    /// Rewrites every link of a resource, narrative apart. `full_url`: what the resource itself is called, against which its
    /// relative references are resolved (R4, bundle §2.36.4.1).
    pub(super) fn rewrite(&self, resource: &mut ResourceContent, full_url: Option<&str>) {
        if self.targets.is_empty() {
            return;
        }
        let base = full_url.and_then(|url| match Reference::parse(url) {
            Reference::Absolute { base, .. } => Some(base),
            _ => None,
        });
        let target = |text: &str| {
            let absolute = || self.targets.get(&format!("{}/{text}", base?));
            self.targets.get(text).or_else(absolute)
        };
        // Most resources of most bundles call the others by their ids; those are neither copied nor looked through by element.
        if !any_text(resource.expose(), 0, &mut |text| target(text).is_some()) {
            return;
        }
        for_each_link(resource.expose_mut(), &mut |text| {
            if let Some(target) = target(text) {
                text.clone_from(target);
            }
        });
    }
}

/// Whether any text of a value is such a one; wherever it stands, and so a superset of the links.
fn any_text(value: &Value, depth: usize, is_such: &mut dyn FnMut(&str) -> bool) -> bool {
    if depth > DEPTH_MAX {
        return false;
    }
    match value {
        Value::String(text) => is_such(text),
        Value::Array(items) => items.iter().any(|item| any_text(item, depth + 1, is_such)),
        Value::Object(members) => members.values().any(|member| any_text(member, depth + 1, is_such)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Values nested deeper than this are not visited; the parser refuses them before.
const DEPTH_MAX: usize = crate::json::DEPTH_MAX;
/// Types whose values may name an entry, beside `Reference.reference` (R4, http §3.1.0.11.2).
const LINKS: [&str; 4] = ["uri", "url", "oid", "uuid"];

/// Visits what may point at an entry of a bundle, in contained resources too; narrative apart. The callback may rewrite it.
fn for_each_link(resource: &mut Value, f: &mut dyn FnMut(&mut String)) {
    visit(resource, "Resource", 0, f);
}

fn visit(value: &mut Value, path: &str, depth: usize, f: &mut dyn FnMut(&mut String)) {
    if depth > DEPTH_MAX {
        return;
    }
    let path = match ResourceType::of(value) {
        Some(resource_type) if path == "Resource" => resource_type.as_str(),
        _ => path,
    };
    let Value::Object(members) = value else { return };
    for (name, value) in members {
        let property = r4().property(path, name.strip_prefix('_').unwrap_or(name));
        let Some(property) = property else { continue };
        let is_link = LINKS.contains(&property.type_code) || (path == "Reference" && name == "reference");
        let items = match value {
            Value::Array(items) => items.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for item in items {
            match item {
                Value::String(text) if is_link => f(text),
                Value::Object(_) => visit(item, property.child_path, depth + 1, f),
                _ => {}
            }
        }
    }
}
