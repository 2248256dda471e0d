//! What is answered to a change (R4, http §3.1.0.1.10, §3.1.0.4 and following).

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use fhir::{Issue, IssueCode, Severity};
use serde_json::{Map, Value, json};
use store::{Origin, ResourceKey, Stored, WriteMethod, Written};

use super::headers::Prefer;
use crate::interaction::{ok, outward, validators};
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::server::Server;
use crate::time::{fhir_instant, instant};

/// What became of a change.
pub(in crate::interaction) struct Done {
    /// Whether something was created.
    created: bool,
    /// The resource as it stands, deletions included; `None` where there is none.
    stored: Option<Stored>,
    /// It stood before, and nothing was done.
    pub(in crate::interaction) is_found: bool,
}

/// An answer before it has the form of HTTP or of an entry.
pub(in crate::interaction) struct Reply {
    status: StatusCode,
    stored: Option<Stored>,
}

impl Done {
    /// What was written.
    pub(in crate::interaction) fn written(key: ResourceKey, method: WriteMethod, written: Written) -> Self {
        let Written { version, updated_us, created, body } = written;
        let deleted = body.is_none();
        let stored = (version > 0).then(|| Stored {
            key,
            version,
            updated_us,
            patient: None,
            deleted,
            origin: Origin::Client { client: String::new(), method },
            body: body.unwrap_or_else(|| store::ResourceBody::new(Vec::new())),
        });
        Self { created, stored, is_found: false }
    }

    /// Nothing was written, because of what was found.
    pub(in crate::interaction) fn unwritten(found: Option<Stored>) -> Self {
        Self { created: false, is_found: found.is_some(), stored: found }
    }

    /// The resource that stood before.
    pub(in crate::interaction) fn found(&self) -> Option<&Stored> {
        self.stored.as_ref().filter(|_| self.is_found)
    }

    /// Nothing was there, and nothing is.
    pub(in crate::interaction) fn is_nothing(&self) -> bool {
        self.stored.is_none()
    }

    pub(in crate::interaction) fn reply(self) -> Reply {
        let is_there = self.stored.as_ref().is_some_and(|stored| !stored.deleted);
        let status = match (self.created, is_there) {
            (true, _) => StatusCode::CREATED,
            (false, true) => StatusCode::OK,
            (false, false) => StatusCode::NO_CONTENT,
        };
        Reply { status, stored: self.stored }
    }
}

impl Reply {
    /// As the answer to a request of its own.
    pub(in crate::interaction) fn response(
        &self,
        server: &Server,
        prefer: Prefer,
        form: (Format, bool),
    ) -> Result<Response, Failure> {
        let content = self.content(server, prefer)?;
        let mut response = match &content {
            Some(content) => ok(fhir::canonical_json(content), form, None),
            None => Response::new(Body::empty()),
        };
        *response.status_mut() = self.status;
        if let Some(stored) = &self.stored {
            validators(stored, server.role).write(response.headers_mut());
            if !stored.deleted
                && let Ok(location) = HeaderValue::try_from(location(stored, server))
            {
                let name = if self.status == StatusCode::CREATED {
                    header::LOCATION
                } else {
                    header::CONTENT_LOCATION
                };
                response.headers_mut().insert(name, location);
            }
        }
        Ok(response)
    }

    /// [`Reply::response`] of a conditional create that found something: its address stands in `Location`.
    pub(in crate::interaction) fn response_found(
        &self,
        server: &Server,
        prefer: Prefer,
        form: (Format, bool),
    ) -> Result<Response, Failure> {
        let mut response = self.response(server, prefer, form)?;
        if let Some(found) = response.headers_mut().remove(header::CONTENT_LOCATION) {
            response.headers_mut().insert(header::LOCATION, found);
        }
        Ok(response)
    }

    /// As an entry of the answer to a batch or transaction.
    pub(in crate::interaction) fn entry(&self, server: &Server, prefer: Prefer) -> Result<Value, Failure> {
        let mut response = Map::new();
        response.insert("status".to_owned(), json!(status_text(self.status)));
        let mut entry = Map::new();
        if let Some(stored) = &self.stored {
            response.insert("etag".to_owned(), json!(format!("W/\"{}\"", stored.version)));
            let at = fhir_instant(instant(stored.updated_us, server.role.precision));
            response.insert("lastModified".to_owned(), json!(at));
            if !stored.deleted {
                response.insert("location".to_owned(), json!(location(stored, server)));
                let name = format!("{}/{}", stored.key.resource_type, stored.key.id);
                entry.insert("fullUrl".to_owned(), json!(format!("{}/{name}", server.fhir.base_url)));
            }
        }
        match (prefer, self.content(server, prefer)?) {
            (_, None) => {}
            (Prefer::Outcome, Some(outcome)) => drop(response.insert("outcome".to_owned(), outcome)),
            (_, Some(resource)) => drop(entry.insert("resource".to_owned(), resource)),
        }
        entry.insert("response".to_owned(), Value::Object(response));
        Ok(Value::Object(entry))
    }

    /// What the client prefers to see; after a deletion there is nothing but an outcome.
    fn content(&self, server: &Server, prefer: Prefer) -> Result<Option<Value>, Failure> {
        let is_there = self.stored.as_ref().filter(|stored| !stored.deleted);
        match (prefer, is_there) {
            (Prefer::Minimal, _) | (_, None) => Ok(None),
            (Prefer::Representation, Some(stored)) => outward(stored, server.role).map(Some),
            (Prefer::Outcome, Some(_)) => {
                let said = if self.status == StatusCode::CREATED { "created" } else { "it stands" };
                let severity = Severity::Information;
                let issue = Issue {
                    severity,
                    code: IssueCode::Informational,
                    location: String::new(),
                    text: said.to_owned(),
                };
                Ok(Some(fhir::operation_outcome(&[issue])))
            }
        }
    }
}

/// `201 Created`.
pub(in crate::interaction) fn status_text(status: StatusCode) -> String {
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default())
}

/// The address of a version.
fn location(stored: &Stored, server: &Server) -> String {
    let base = &server.fhir.base_url;
    format!("{base}/{}/{}/_history/{}", stored.key.resource_type, stored.key.id, stored.version)
}
