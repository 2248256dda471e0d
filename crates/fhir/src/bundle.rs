//! Bundles: what a search answers and what a transaction asks.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::reference::Reference;

/// Why an entry is in a searchset (`http://hl7.org/fhir/search-entry-mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchMode {
    /// It matches the search.
    Match,
    /// A match refers to it or is referred to by it.
    Include,
    /// An OperationOutcome about the search.
    Outcome,
}

impl SearchMode {
    /// Its code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Include => "include",
            Self::Outcome => "outcome",
        }
    }
}

/// A searchset bundle. `links` are relation and URL (`self`, `next`); `total` counts matches over all pages; entries are
/// full URL, resource and mode. Absent parts are left out, never written empty.
pub fn searchset(
    total: Option<u64>,
    links: &[(&str, &str)],
    entries: impl IntoIterator<Item = (Option<String>, Value, SearchMode)>,
) -> Value {
    let mut bundle = bundle_of("searchset");
    if let Some(total) = total {
        bundle.insert("total".into(), total.into());
    }
    let links: Vec<Value> =
        links.iter().map(|(relation, url)| json!({"relation": relation, "url": url})).collect();
    insert_list(&mut bundle, "link", links);
    let entries = entries.into_iter().map(|(full_url, resource, mode)| {
        let mut entry = Map::new();
        if let Some(url) = full_url {
            entry.insert("fullUrl".into(), url.into());
        }
        entry.insert("resource".into(), resource);
        entry.insert("search".into(), json!({"mode": mode.as_str()}));
        Value::Object(entry)
    });
    insert_list(&mut bundle, "entry", entries.collect());
    Value::Object(bundle)
}

/// What a transaction entry asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Create.
    Post,
    /// Update or create with this id.
    Put,
    /// Delete.
    Delete,
}

impl Method {
    /// The HTTP method.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// One entry of a transaction. It has no Debug, for it carries a resource.
pub struct TransactionEntry {
    /// `urn:uuid:…` or absolute URL by which other entries refer to it.
    pub full_url: Option<String>,
    /// The resource; none for a deletion.
    pub resource: Option<Value>,
    /// What to do.
    pub method: Method,
    /// URL relative to the service base (`Patient/123`).
    pub url: String,
    /// Condition under which a creation is skipped because the resource exists (`identifier=s|v`).
    pub if_none_exist: Option<String>,
}

/// A transaction bundle.
pub fn transaction(entries: impl IntoIterator<Item = TransactionEntry>) -> Value {
    let mut bundle = bundle_of("transaction");
    let entries = entries.into_iter().map(|entry| {
        let mut request = Map::new();
        request.insert("method".into(), entry.method.as_str().into());
        request.insert("url".into(), entry.url.into());
        if let Some(condition) = entry.if_none_exist {
            request.insert("ifNoneExist".into(), condition.into());
        }
        let mut object = Map::new();
        if let Some(url) = entry.full_url {
            object.insert("fullUrl".into(), url.into());
        }
        if let Some(resource) = entry.resource {
            object.insert("resource".into(), resource);
        }
        object.insert("request".into(), request.into());
        Value::Object(object)
    });
    insert_list(&mut bundle, "entry", entries.collect());
    Value::Object(bundle)
}

/// The resources of a bundle's entries, in order.
pub fn entries(bundle: &Value) -> impl Iterator<Item = &Value> {
    bundle
        .get("entry")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("resource"))
}

/// The resources of a bundle by what references say of them: full URL, and type with id.
pub(crate) struct Entries<'a> {
    by_url: HashMap<&'a str, &'a Value>,
    by_id: HashMap<(&'a str, &'a str), &'a Value>,
}

impl<'a> Entries<'a> {
    /// `None` when the value is no bundle.
    pub(crate) fn of(bundle: &'a Value) -> Option<Self> {
        if bundle.get("resourceType")?.as_str()? != "Bundle" {
            return None;
        }
        let (mut by_url, mut by_id) = (HashMap::new(), HashMap::new());
        for entry in bundle.get("entry").and_then(Value::as_array).into_iter().flatten() {
            let Some(resource) = entry.get("resource") else { continue };
            let text = |of: &'a Value, name: &str| of.get(name).and_then(Value::as_str);
            if let Some(url) = text(entry, "fullUrl") {
                by_url.insert(url, resource);
            }
            if let (Some(name), Some(id)) = (text(resource, "resourceType"), text(resource, "id")) {
                by_id.insert((name, id), resource);
            }
        }
        Some(Self { by_url, by_id })
    }

    /// The resource that a reference names: by its full URL, else by type and id where the reference is relative.
    pub(crate) fn find(&self, reference: &str) -> Option<&'a Value> {
        if let Some(found) = self.by_url.get(reference) {
            return Some(found);
        }
        match Reference::parse(reference) {
            Reference::Relative { resource_type, id, .. } => {
                self.by_id.get(&(resource_type.as_str(), id)).copied()
            }
            _ => None,
        }
    }
}

fn bundle_of(kind: &str) -> Map<String, Value> {
    let mut bundle = Map::new();
    bundle.insert("resourceType".into(), "Bundle".into());
    bundle.insert("type".into(), kind.into());
    bundle
}

fn insert_list(object: &mut Map<String, Value>, name: &str, items: Vec<Value>) {
    if !items.is_empty() {
        object.insert(name.into(), items.into());
    }
}
