//! Audit records of reads and searches, committed before the answer.

use audit::{Actor, Kind, Record};
use fhir::ResourceType;
use store::Stored;

use crate::auth::Client;
use crate::edge::RequestId;
use crate::outcome::Failure;
use crate::server::Server;

/// Most matches named in one record; a page has no more.
const MATCHES_NAMED_MAX: usize = crate::interaction::search::PAGE_MAX;

/// One interaction that is about to be answered.
pub(crate) struct Access<'a> {
    pub(crate) client: &'a Client,
    pub(crate) request: RequestId,
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
        commit(server, record).await
    }

    /// Commits the record of a search: parameter names, how many matched, and which.
    ///
    /// # Errors
    /// 503 as above.
    pub(crate) async fn searched(
        &self,
        server: &Server,
        parameters: &[&str],
        matches: &[Stored],
    ) -> Result<(), Failure> {
        let record = self.begin(server, Kind::ResourceSearched, "ok").and_then(|record| {
            let record = with_patients(record, server, matches)
                .object("parameters", &parameters.join("|"))?
                .object("matches", &matches.len().to_string())?;
            matches.iter().take(MATCHES_NAMED_MAX).try_fold(record, name)
        });
        commit(server, record).await
    }

    fn begin(&self, server: &Server, kind: Kind, outcome: &'static str) -> Result<Record, audit::Error> {
        Record::new(kind, self.request.0, &server.fhir.node, (server.fhir.now_us)())
            .outcome(outcome)
            .actor(Actor::Client(self.client.0.clone()))
            .object("type", self.resource_type.as_str())
    }
}

async fn commit(server: &Server, record: Result<Record, audit::Error>) -> Result<(), Failure> {
    let refused = || Failure::unavailable("the access cannot be recorded, so nothing is answered");
    let record = record.map_err(|error| {
        tracing::error!(error = %error, "an access record cannot be built");
        refused()
    })?;
    server.fhir.access.record(record).await.map_err(|error| {
        tracing::error!(error = %error, "an access record is not committed");
        refused()
    })
}

fn name(record: Record, stored: &Stored) -> Result<Record, audit::Error> {
    let Stored { key, version, .. } = stored;
    record.object("resource", &format!("{}/{}|{version}", key.resource_type, key.id))
}

/// Adds the tokens of every patient shown.
fn with_patients<'a>(record: Record, server: &Server, shown: impl IntoIterator<Item = &'a Stored>) -> Record {
    let patients = shown.into_iter().filter_map(|stored| stored.patient.as_deref());
    patients.fold(record, |record, patient| record.patient_token(&(server.fhir.patient_token)(patient)))
}
