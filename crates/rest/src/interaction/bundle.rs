//! Entries of the bundles that answer searches and histories (R4, search §3.1.1.6; http §3.1.0.10.2).

use fhir::{Issue, IssueCode, Severity};
use store::{EXAMINED_MAX, INCLUDED_MAX, Origin, Page, Stored, WriteMethod};

use super::outward::outward_json;
use super::subset::Subset;
use crate::outcome::Failure;
use crate::server::Server;
use crate::time::{Precision, fhir_instant, instant};

/// A bundle with its links, as canonical JSON; `entry` is absent when there is none. Entries are JSON already.
pub(super) fn bundle(
    kind: &str,
    links: &[(&str, String)],
    total: Option<u64>,
    entries: &[String],
) -> Vec<u8> {
    let length: usize = entries.iter().map(|entry| entry.len() + 1).sum();
    let mut json = String::with_capacity(length + 512);
    json.push_str(&format!("{{\"resourceType\":\"Bundle\",\"type\":\"{kind}\""));
    if let Some(total) = total {
        json.push_str(&format!(",\"total\":{total}"));
    }
    let link =
        |(relation, url): &(&str, String)| format!("{{\"relation\":\"{relation}\",\"url\":{}}}", quoted(url));
    let links: Vec<String> = links.iter().map(link).collect();
    json.push_str(&format!(",\"link\":[{}]", links.join(",")));
    if !entries.is_empty() {
        json.push_str(",\"entry\":[");
        for (at, entry) in entries.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json.push_str(entry);
        }
        json.push(']');
    }
    json.push('}');
    json.into_bytes()
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A resource's JSON as a part of an entry.
fn whole(stored: &Stored, subset: &Subset, server: &Server) -> Result<String, Failure> {
    String::from_utf8(outward_json(stored, server.role, subset)?).map_err(|_| {
        tracing::error!("a stored resource cannot be read");
        Failure::internal()
    })
}

/// Matches, what comes along with them, and a word where either was cut or something that was asked is left out.
pub(super) fn found(
    page: &Page,
    subset: &Subset,
    left_out: Vec<Issue>,
    server: &Server,
) -> Result<Vec<String>, Failure> {
    let entry = |stored: &Stored, mode: &str| {
        let (url, resource) = (full_url(stored, server), whole(stored, subset, server)?);
        Ok(format!("{{\"fullUrl\":{url},\"resource\":{resource},\"search\":{{\"mode\":\"{mode}\"}}}}"))
    };
    let matches = page.matches.iter().map(|stored| entry(stored, "match"));
    let included = page.included.iter().map(|stored| entry(stored, "include"));
    let mut entries = matches.chain(included).collect::<Result<Vec<_>, Failure>>()?;
    let mut issues = left_out;
    if page.included_cut {
        let text = format!("more than {INCLUDED_MAX} resources would come along; those beyond are left out");
        issues.push(warning(IssueCode::TooCostly, text));
    }
    if page.examined_cut {
        let text =
            format!("the page ends after {EXAMINED_MAX} resources were looked at; the next link goes on");
        issues.push(warning(IssueCode::Incomplete, text));
    }
    if !issues.is_empty() {
        let outcome = fhir::canonical_json(&fhir::operation_outcome(&issues));
        let outcome = String::from_utf8_lossy(&outcome);
        entries.push(format!("{{\"resource\":{outcome},\"search\":{{\"mode\":\"outcome\"}}}}"));
    }
    Ok(entries)
}

fn warning(code: IssueCode, text: String) -> Issue {
    Issue { severity: Severity::Warning, code, location: String::new(), text }
}

/// One version: what it holds and which request made it. The instant of the request is told where instants are.
pub(super) fn version(stored: &Stored, server: &Server) -> Result<String, Failure> {
    let method = match &stored.origin {
        _ if stored.deleted => WriteMethod::Delete,
        Origin::Client { method, .. } => *method,
        Origin::Package(_) => WriteMethod::Put,
    };
    let (method, status) = match (method, stored.version) {
        (WriteMethod::Delete, _) => ("DELETE", "204"),
        (WriteMethod::Post, _) => ("POST", "201"),
        (WriteMethod::Patch, _) => ("PATCH", "200"),
        (WriteMethod::Put, 1) => ("PUT", "201"),
        (WriteMethod::Put | WriteMethod::Moved, _) => ("PUT", "200"),
    };
    let url = match method {
        "POST" => stored.key.resource_type.to_string(),
        _ => format!("{}/{}", stored.key.resource_type, stored.key.id),
    };
    let mut entry = format!("{{\"fullUrl\":{}", full_url(stored, server));
    if !stored.deleted {
        entry.push_str(&format!(",\"resource\":{}", whole(stored, &Subset::Whole, server)?));
    }
    entry.push_str(&format!(",\"request\":{{\"method\":\"{method}\",\"url\":{}}}", quoted(&url)));
    let etag = quoted(&format!("W/\"{}\"", stored.version));
    entry.push_str(&format!(",\"response\":{{\"status\":\"{status}\",\"etag\":{etag}"));
    if server.role.precision == Precision::Exact {
        let at = fhir_instant(instant(stored.updated_us, server.role.precision));
        entry.push_str(&format!(",\"lastModified\":\"{at}\""));
    }
    entry.push_str("}}");
    Ok(entry)
}

/// The address of a resource as JSON.
fn full_url(stored: &Stored, server: &Server) -> String {
    quoted(&format!("{}/{}/{}", server.fhir.base_url, stored.key.resource_type, stored.key.id))
}
