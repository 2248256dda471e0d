//! Audit records of what clients ask, committed before the answer: each interaction has one, whatever becomes of it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::Future;

use audit::{Actor, Kind, Record};
use axum::http::StatusCode;
use fhir::ResourceType;
use futures_util::future::try_join_all;
use store::Stored;

use crate::auth::Client;
use crate::edge::RequestId;
use crate::outcome::Failure;
use crate::server::Server;

tokio::task_local! {
    /// Whether a record of the request that this task answers is committed.
    static COMMITTED: Cell<bool>;
}

/// Resources that one record names: as many as it can name patients.
const SHOWN_MAX: usize = audit::PATIENTS_MAX;

/// One interaction that is about to be answered.
pub(crate) struct Access<'a> {
    pub(crate) client: &'a Client,
    pub(crate) request: RequestId,
    /// The type that is asked for, or `Bundle` for what concerns several.
    pub(crate) resource_type: ResourceType,
}

impl Access<'_> {
    /// Commits the record of a read or vread. `stored`: what is answered with; none for 404, whose asked id is not
    /// recorded, for it is the client's text.
    ///
    /// # Errors
    /// 503 when the record is not committed: then nothing may be answered.
    pub(crate) async fn read(
        &self,
        server: &Server,
        outcome: &'static str,
        stored: Option<&Stored>,
    ) -> Result<(), Failure> {
        let record = self.begin(server, Kind::ResourceRead, outcome).and_then(|record| match stored {
            Some(stored) => name(with_patients(record, server, [stored]), stored),
            None => Ok(record),
        });
        commit(&*server.fhir.access, record).await
    }

    /// Commits the records of a search or a history: parameter names, how many resources are shown, and which. One record
    /// names no more than [`SHOWN_MAX`] of them, and so every patient shown; more are several records.
    ///
    /// # Errors
    /// 503 as above.
    pub(crate) async fn listed(
        &self,
        server: &Server,
        of_one: bool,
        parameters: &[&str],
        shown: &[Stored],
    ) -> Result<(), Failure> {
        let kind = if of_one { Kind::ResourceRead } else { Kind::ResourceSearched };
        let count = shown.len().to_string();
        let mut pages: Vec<&[Stored]> = shown.chunks(SHOWN_MAX).collect();
        if pages.is_empty() {
            pages.push(&[]);
        }
        let records = pages.into_iter().map(|page| {
            let record = self.begin(server, kind, "ok").and_then(|record| {
                let record = with_patients(record, server, page).object("matches", &count)?;
                let record = joined(parameters)
                    .iter()
                    .try_fold(record, |record, names| record.object("parameters", names))?;
                page.iter().try_fold(record, name)
            });
            commit(&*server.fhir.access, record)
        });
        // They wait for one commit together.
        try_join_all(records).await.map(|_| ())
    }

    /// Commits the record of a change that was refused, or that changed nothing.
    ///
    /// # Errors
    /// 503 as above.
    #[cfg(feature = "clinical")]
    pub(crate) async fn refused(&self, server: &Server, outcome: &'static str) -> Result<(), Failure> {
        self.unanswered(server, Kind::ChangeRefused, outcome).await
    }

    /// Commits the record of what was asked for and not done.
    ///
    /// # Errors
    /// 503 as above.
    pub(crate) async fn unanswered(
        &self,
        server: &Server,
        kind: Kind,
        outcome: &'static str,
    ) -> Result<(), Failure> {
        commit(&*server.fhir.access, self.begin(server, kind, outcome)).await
    }

    fn begin(&self, server: &Server, kind: Kind, outcome: &'static str) -> Result<Record, audit::Error> {
        Record::new(kind, self.request.0, &server.fhir.node, (server.fhir.now_us)())
            .outcome(outcome)
            .actor(Actor::Client(self.client.name.clone()))
            .object("type", self.resource_type.as_str())
    }
}

/// Runs what answers a request; whether a record of it was committed meanwhile.
pub(crate) async fn noted<T>(work: impl Future<Output = T>) -> (T, bool) {
    let watched = async {
        let done = work.await;
        (done, COMMITTED.with(Cell::get))
    };
    COMMITTED.scope(Cell::new(false), watched).await
}

/// The code under which a refusal is recorded.
pub(crate) fn outcome_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthenticated",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not-found",
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_ACCEPTABLE | StatusCode::NOT_IMPLEMENTED => {
            "not-supported"
        }
        StatusCode::CONFLICT => "conflict",
        StatusCode::GONE => "deleted",
        StatusCode::PRECONDITION_FAILED => "precondition-failed",
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::URI_TOO_LONG
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "too-long",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported-media-type",
        StatusCode::UNPROCESSABLE_ENTITY => "unprocessable",
        StatusCode::TOO_MANY_REQUESTS => "throttled",
        status if status.is_server_error() => "failed",
        _ => "invalid",
    }
}

/// Commits a record.
///
/// # Errors
/// 503 when it is not committed: then nothing may be answered.
pub(crate) async fn commit(
    access: &dyn store::Access,
    record: Result<Record, audit::Error>,
) -> Result<(), Failure> {
    let refused = || Failure::unavailable("the access cannot be recorded, so nothing is answered");
    let record = record.map_err(|error| {
        tracing::error!(error = %error, "an access record cannot be built");
        refused()
    })?;
    access.record(record).await.map_err(|error| {
        tracing::error!(error = %error, "an access record is not committed");
        refused()
    })?;
    // Outside of a request that is watched, nobody asks.
    COMMITTED.try_with(|committed| committed.set(true)).unwrap_or_default();
    Ok(())
}

/// Names with bars between them, in texts that a record takes; without names, one empty text.
fn joined(names: &[&str]) -> Vec<String> {
    let mut texts = vec![String::new()];
    for name in names {
        match texts.last_mut() {
            Some(text) if text.is_empty() => text.push_str(name),
            Some(text) if text.len() + 1 + name.len() <= audit::CODE_LENGTH_MAX => {
                text.push('|');
                text.push_str(name);
            }
            _ => texts.push((*name).to_owned()),
        }
    }
    texts
}

fn name(record: Record, stored: &Stored) -> Result<Record, audit::Error> {
    let Stored { key, version, .. } = stored;
    record.object("resource", &format!("{}/{}|{version}", key.resource_type, key.id))
}

/// Adds the tokens of every patient shown.
fn with_patients<'a>(record: Record, server: &Server, shown: impl IntoIterator<Item = &'a Stored>) -> Record {
    // A page is most often of one patient, and a token costs a digest.
    let mut seen = BTreeSet::new();
    let patients = shown.into_iter().filter_map(|stored| stored.patient.as_deref());
    patients
        .filter(|patient| seen.insert(*patient))
        .fold(record, |record, patient| record.patient_token(&(server.fhir.patient_token)(patient)))
}
