//! Entries of the bundles that answer searches and histories (R4, search §3.1.1.6; http §3.1.0.10.2).

use fhir::{Issue, IssueCode, Severity};
use store::{EXAMINED_MAX, INCLUDED_MAX, Origin, Page, Stored, WriteMethod};

use super::outward::write_outward;
use super::subset::Subset;
use crate::outcome::Failure;
use crate::server::Server;
use crate::time::{Precision, fhir_instant, instant};

/// The entries of a bundle as canonical JSON, one after another: a page is written once.
pub(super) struct Entries {
    json: Vec<u8>,
    /// What the address of every resource begins with, as JSON.
    base: String,
}

impl Entries {
    /// Room for these resources.
    fn of<'s>(stored: impl Iterator<Item = &'s Stored>, server: &Server) -> Self {
        let mut base = quoted(&server.fhir.base_url);
        base.pop();
        let json = Vec::with_capacity(stored.map(|stored| stored.body.expose().len() + AROUND).sum());
        Self { json, base }
    }

    /// Where the next entry is written.
    fn next(&mut self) -> &mut Vec<u8> {
        if !self.json.is_empty() {
            self.json.push(b',');
        }
        &mut self.json
    }

    /// The next entry, begun with the address of its resource. Types and ids are written as they are.
    fn next_of(&mut self, stored: &Stored) -> &mut Vec<u8> {
        self.next();
        let of_type = stored.key.resource_type.as_str();
        let parts = ["{\"fullUrl\":", &self.base, "/", of_type, "/", &stored.key.id, "\""];
        parts.into_iter().for_each(|part| self.json.extend_from_slice(part.as_bytes()));
        &mut self.json
    }
}

/// About how long an entry is beside the resource that was stored.
const AROUND: usize = 320;

/// A bundle with its links, as canonical JSON; `entry` is absent when there is none.
pub(super) fn bundle(kind: &str, links: &[(&str, String)], total: Option<u64>, entries: &Entries) -> Vec<u8> {
    let mut head = format!("{{\"resourceType\":\"Bundle\",\"type\":\"{kind}\"");
    if let Some(total) = total {
        head.push_str(&format!(",\"total\":{total}"));
    }
    let link =
        |(relation, url): &(&str, String)| format!("{{\"relation\":\"{relation}\",\"url\":{}}}", quoted(url));
    let links: Vec<String> = links.iter().map(link).collect();
    head.push_str(&format!(",\"link\":[{}]", links.join(",")));
    match entries.json.as_slice() {
        [] => [head.as_bytes(), b"}"].concat(),
        entries => [head.as_bytes(), b",\"entry\":[", entries, b"]}"].concat(),
    }
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Matches, what comes along with them, and a word where either was cut or something that was asked is left out.
pub(super) fn found(
    page: &Page,
    subset: &Subset,
    left_out: Vec<Issue>,
    server: &Server,
) -> Result<Entries, Failure> {
    let matches = page.matches.iter().map(|stored| (stored, "match"));
    let all = matches.chain(page.included.iter().map(|stored| (stored, "include")));
    let mut entries = Entries::of(all.clone().map(|(stored, _)| stored), server);
    for (stored, mode) in all {
        let json = entries.next_of(stored);
        json.extend_from_slice(b",\"resource\":");
        write_outward(json, stored, server.role, subset)?;
        json.extend_from_slice(b",\"search\":{\"mode\":\"");
        json.extend_from_slice(mode.as_bytes());
        json.extend_from_slice(b"\"}}");
    }
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
        let json = entries.next();
        json.extend_from_slice(b"{\"resource\":");
        json.extend_from_slice(&outcome);
        json.extend_from_slice(b",\"search\":{\"mode\":\"outcome\"}}");
    }
    Ok(entries)
}

fn warning(code: IssueCode, text: String) -> Issue {
    Issue { severity: Severity::Warning, code, location: String::new(), text }
}

/// The versions of a history.
///
/// # Errors
/// 500 when one cannot be read.
pub(super) fn versions(stored: &[Stored], server: &Server) -> Result<Entries, Failure> {
    let mut entries = Entries::of(stored.iter(), server);
    stored.iter().try_for_each(|stored| version(entries.next_of(stored), stored, server))?;
    Ok(entries)
}

/// The rest of the entry of one version: what it holds and which request made it. The instant of the request is told where instants are.
fn version(json: &mut Vec<u8>, stored: &Stored, server: &Server) -> Result<(), Failure> {
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
    if !stored.deleted {
        json.extend_from_slice(b",\"resource\":");
        write_outward(json, stored, server.role, &Subset::Whole)?;
    }
    let etag = quoted(&format!("W/\"{}\"", stored.version));
    let mut rest = format!(",\"request\":{{\"method\":\"{method}\",\"url\":{}}}", quoted(&url));
    rest.push_str(&format!(",\"response\":{{\"status\":\"{status}\",\"etag\":{etag}"));
    if server.role.precision == Precision::Exact {
        let at = fhir_instant(instant(stored.updated_us, server.role.precision));
        rest.push_str(&format!(",\"lastModified\":\"{at}\""));
    }
    rest.push_str("}}");
    json.extend_from_slice(rest.as_bytes());
    Ok(())
}
