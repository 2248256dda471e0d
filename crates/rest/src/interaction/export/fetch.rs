//! `GET [base]/$export/[id]/[file]`: a file, one resource a line, page by page as it is read. Each page is recorded before its
//! first byte leaves; where that fails, or the export ends meanwhile, the answer breaks off.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use fhir::{IssueCode, ResourceType};
use futures_util::stream::try_unfold;
use store::Stored;
use tokio::sync::OwnedSemaphorePermit;

use super::super::Shared;
use super::super::outward::outward_json;
use super::super::subset::Subset;
use super::asked::Order;
use super::deleted;
use super::jobs::{Known, State as Progress};
use super::plan::{Content, File};
use super::walk::{Place, Walk};
use super::{RECORDED, exporting};
use crate::audit::Access;
use crate::auth::Client;
use crate::edge::{Id, RequestId};
use crate::negotiation::Range;
use crate::outcome::Failure;
use crate::server::Server;

const NDJSON: &str = "application/fhir+ndjson";
/// What else accepts it.
const ALSO: [&str; 2] = ["application/ndjson", "application/x-ndjson"];

/// Why a file breaks off. What it is stands in the log; the client sees an answer that is not whole.
#[derive(Debug, thiserror::Error)]
#[error("the file of an export breaks off")]
struct BrokenOff;

pub(crate) async fn fetch(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((id, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    accepted(&headers)?;
    let client = exporting(&server, &client)?;
    let found = find(&server, &client, &id, &number);
    let (order, file) = match found {
        Ok(found) => found,
        Err(failure) => {
            let resource_type = ResourceType::parse("Bundle").ok_or_else(Failure::internal)?;
            Access { client: &client, request, resource_type }.read(&server, "not-found", None).await?;
            return Err(failure);
        }
    };
    let place = server.exports.fetching()?;
    let mut fetching = Fetching { server, client, request, id, order, file, next: None, _place: place };
    // The first page is read before the answer begins, so that what fails then is told as a failure.
    let first = fetching.page(At::start(file)).await?;
    let rest = try_unfold(fetching, |mut fetching| async move {
        let Some(from) = fetching.next.take() else { return Ok(None) };
        match fetching.page(from).await {
            Ok(lines) => Ok(Some((lines, fetching))),
            Err(_) => {
                tracing::warn!("a file of an export breaks off");
                Err(BrokenOff)
            }
        }
    });
    let first = futures_util::stream::once(async { Ok::<_, BrokenOff>(first) });
    let mut response = Response::new(Body::from_stream(futures_util::StreamExt::chain(first, rest)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    Ok(response)
}

/// # Errors
/// 406 when lines of JSON are not accepted.
fn accepted(headers: &HeaderMap) -> Result<(), Failure> {
    let lists = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range> = lists.flat_map(Range::of_list).collect();
    let takes =
        |range: &Range| range.quality > 0 && (range.has(NDJSON) || ALSO.contains(&range.media.as_str()));
    if ranges.is_empty() || ranges.iter().any(takes) {
        return Ok(());
    }
    let text = "the files of an export are application/fhir+ndjson";
    Err(Failure::new(StatusCode::NOT_ACCEPTABLE, IssueCode::NotSupported, text))
}

fn find(server: &Server, client: &Client, id: &str, number: &str) -> Result<(Arc<Order>, File), Failure> {
    let Known { order, state } = server.exports.find(id, client, (server.fhir.now_us)())?;
    let Progress::Done { files, .. } = state else {
        return Err(Failure::not_found("the files of this export are not there; its status says why"));
    };
    let at = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let file = at.and_then(|at| files.get(at)).copied();
    Ok((order, file.ok_or_else(|| Failure::not_found("this export has no such file"))?))
}

/// Where the next page of a file begins.
#[derive(Debug, Clone, Copy)]
enum At {
    After {
        place: Place,
        through: Place,
    },
    /// Deletions below a change, or the newest.
    Deletions(Option<i64>),
}

impl At {
    fn start(file: File) -> Self {
        match file.content {
            Content::Standing { after, through } => Self::After { place: after, through },
            Content::Deleted => Self::Deletions(None),
        }
    }
}

/// A file that is being fetched.
struct Fetching {
    server: Arc<Server>,
    client: Client,
    request: RequestId,
    id: String,
    order: Arc<Order>,
    file: File,
    next: Option<At>,
    _place: OwnedSemaphorePermit,
}

impl Fetching {
    /// The lines of the next page, recorded; where to go on is noted.
    async fn page(&mut self, at: At) -> Result<Bytes, Failure> {
        let server = &self.server;
        // What was ended gives nothing more.
        server.exports.find(&self.id, &self.client, (server.fhir.now_us)())?;
        self.client.denied = server.denied(&self.client).await?;
        let walk = Walk { server, client: &self.client, order: &self.order, of: self.file.of };
        let mut lines = Vec::new();
        let (shown, next) = match at {
            At::After { place, through } => {
                let (rows, next) = walk.page(place).await?;
                let is_last = rows.last().is_some_and(|row| row.place >= through);
                let rows = rows.into_iter().filter(|row| row.place <= through);
                let shown: Vec<Stored> = rows.map(|row| row.stored).collect();
                for stored in &shown {
                    lines.extend(outward_json(stored, server.role, &Subset::Whole)?);
                    lines.push(b'\n');
                }
                let next = next.filter(|next| !is_last && *next < through);
                (shown, next.map(|place| At::After { place, through }))
            }
            At::Deletions(before) => {
                let (gone, next) = walk.deletions(before).await?;
                lines.extend(deleted::line(&gone));
                (gone, next.map(|next| At::Deletions(Some(next))))
            }
        };
        if !shown.is_empty() {
            let access = Access { client: &self.client, request: self.request, resource_type: self.file.of };
            access.listed(server, false, &[RECORDED], &shown).await?;
        }
        self.next = next;
        Ok(Bytes::from(lines))
    }
}
