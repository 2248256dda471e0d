//! Entries of the bundles that answer searches and histories (R4, search §3.1.1.6; http §3.1.0.10.2).

use fhir::{Issue, IssueCode, Severity};
use serde_json::{Map, Value, json};
use store::{EXAMINED_MAX, INCLUDED_MAX, Origin, Page, Stored, WriteMethod};

use super::outward;
use super::subset::Subset;
use crate::outcome::Failure;
use crate::server::Server;
use crate::time::{Precision, fhir_instant, instant};

/// A bundle with its links; `entry` is absent when there is none.
pub(super) fn bundle(kind: &str, links: &[(&str, String)], total: Option<u64>, entries: Vec<Value>) -> Value {
    let links: Vec<Value> =
        links.iter().map(|(relation, url)| json!({"relation": relation, "url": url})).collect();
    let mut bundle = json!({"resourceType": "Bundle", "type": kind, "link": links});
    if let Some(total) = total {
        bundle["total"] = json!(total);
    }
    if !entries.is_empty() {
        bundle["entry"] = Value::Array(entries);
    }
    bundle
}

/// Matches, what comes along with them, and a word where either was cut or something that was asked is left out.
pub(super) fn found(
    page: &Page,
    subset: &Subset,
    left_out: Vec<Issue>,
    server: &Server,
) -> Result<Vec<Value>, Failure> {
    let entry = |stored: &Stored, mode: &str| {
        let mut resource = outward(stored, server.role)?;
        subset.apply(&mut resource);
        Ok(json!({"fullUrl": full_url(stored, server), "resource": resource, "search": {"mode": mode}}))
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
        entries.push(json!({"resource": fhir::operation_outcome(&issues), "search": {"mode": "outcome"}}));
    }
    Ok(entries)
}

fn warning(code: IssueCode, text: String) -> Issue {
    Issue { severity: Severity::Warning, code, location: String::new(), text }
}

/// One version: what it holds and which request made it. The instant of the request is told where instants are.
pub(super) fn version(stored: &Stored, server: &Server) -> Result<Value, Failure> {
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
    let mut response = Map::new();
    response.insert("status".to_owned(), json!(status));
    response.insert("etag".to_owned(), json!(format!("W/\"{}\"", stored.version)));
    if server.role.precision == Precision::Exact {
        let at = fhir_instant(instant(stored.updated_us, server.role.precision));
        response.insert("lastModified".to_owned(), json!(at));
    }
    let url = match method {
        "POST" => stored.key.resource_type.to_string(),
        _ => format!("{}/{}", stored.key.resource_type, stored.key.id),
    };
    let mut entry = json!({
        "fullUrl": full_url(stored, server),
        "request": {"method": method, "url": url},
        "response": response,
    });
    if !stored.deleted {
        entry["resource"] = outward(stored, server.role)?;
    }
    Ok(entry)
}

fn full_url(stored: &Stored, server: &Server) -> String {
    format!("{}/{}/{}", server.fhir.base_url, stored.key.resource_type, stored.key.id)
}
