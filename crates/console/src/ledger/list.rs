//! The records, newest first, with filters. Pages are read backwards from a leaf, a bounded number of leaves at a time.

use std::sync::Arc;

use askama::Template;
use audit::{Actor, Kind, Record};
use axum::extract::{Extension, Form, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::Error;
use crate::frame::{Frame, html};
use crate::ledger::head::{Head, head};
use crate::login::header_value;
use crate::record::{act, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::{Kept, Session};
use crate::time::{Instant, instant};

/// Records on a page.
const PAGE_RECORDS: usize = 50;
/// Leaves read at a time.
const PAGE_LEAVES: u64 = 1_000;
/// Leaves that one page looks through.
const SCAN_LEAVES_MAX: u64 = 20_000;
/// Longest text that is asked for, in bytes.
const TERM_BYTES_MAX: usize = 200;
/// Messages of a business key whose patients are looked for.
#[cfg(feature = "clinical")]
const MESSAGES_MAX: usize = 20;

/// Which records to list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    before: String,
}

/// One record of the list.
pub(crate) struct Row {
    pub(crate) leaf: u64,
    pub(crate) kind: &'static str,
    pub(crate) at: Option<Instant>,
    pub(crate) outcome: String,
    pub(crate) by: String,
    pub(crate) message: String,
}

#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    frame: Frame,
    form_token: String,
    head: Head,
    witnesses: Vec<String>,
    rows: Vec<Row>,
    kinds: Vec<(&'static str, bool)>,
    user: String,
    is_patient: bool,
    /// `120 to 1119`; empty: none.
    looked: String,
    older: String,
    has_verifier: bool,
}

/// What must hold of a record.
struct Filter {
    kind: Option<Kind>,
    user: Option<String>,
    tokens: Option<Vec<String>>,
}

impl Filter {
    fn holds(&self, record: &Record) -> bool {
        let by =
            |user: &String| matches!(record.acted_by(), Actor::User(id) | Actor::Client(id) if id == user);
        self.kind.is_none_or(|kind| kind == record.kind())
            && self.user.as_ref().is_none_or(by)
            && self
                .tokens
                .as_ref()
                .is_none_or(|tokens| record.patient_tokens().iter().any(|t| tokens.contains(t)))
    }
}

/// `GET /ledger`.
pub(crate) async fn page(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Query(choice): Query<Choice>,
) -> Result<Response, Error> {
    let kind = match choice.kind.as_str() {
        "" => None,
        kind => Some(Kind::parse(kind).ok_or(Error::Invalid("kind"))?),
    };
    let user = match choice.user.trim() {
        "" => None,
        user if user.len() > TERM_BYTES_MAX || !audit::is_code(user) => return Err(Error::Invalid("user")),
        user => Some(user.to_owned()),
    };
    let query = format!("/ledger?kind={}&user={}&", choice.kind, user.as_deref().unwrap_or_default());
    show(&server, &session, &Filter { kind, user, tokens: None }, &choice.before, &query).await
}

/// `GET /ledger/found/{id}`: the records of a patient that was asked for.
pub(crate) async fn found(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    Query(choice): Query<Choice>,
) -> Result<Response, Error> {
    let kept = server.sessions.kept(&session, &id);
    let Some(Kept::Records(tokens)) = kept else { return Err(Error::NotFound("search")) };
    let filter = Filter { kind: None, user: None, tokens: Some(tokens) };
    show(&server, &session, &filter, &choice.before, &format!("/ledger/found/{id}?")).await
}

/// The form that asks for a patient. PHI.
#[derive(Deserialize)]
pub(crate) struct PatientForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    patient: String,
}

/// `POST /ledger/patient`: the records that name a patient, by the tokens of who is meant; recorded with those tokens.
pub(crate) async fn patient(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Form(PatientForm { token, patient }): Form<PatientForm>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let patient = patient.trim();
    if patient.is_empty() || patient.len() > TERM_BYTES_MAX {
        return Err(Error::Invalid("patient id"));
    }
    let tokens = tokens(&server, patient).await?;
    let console = &server.console;
    let record = act(console, Kind::ResourceSearched, &session, peer)?
        .outcome("ok")
        .object("parameters", "ledger-patient")
        .map_err(not_recorded)?;
    let record = tokens.iter().fold(record, |record, token| record.patient_token(token));
    console.access.record(record).await.map_err(not_recorded)?;
    let id = server.sessions.keep(&session, Kept::Records(tokens), console.fill_random);
    let location = header_value(&format!("/ledger/found/{}", id.ok_or(Error::SignedOut)?))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// Tokens of the patient with this clinical id, and of those whom messages with this number are about.
#[cfg(feature = "clinical")]
async fn tokens(server: &Server, patient: &str) -> Result<Vec<String>, Error> {
    let Some(clinical) = &server.console.clinical else { return Ok(vec![patient.to_owned()]) };
    let mut patients = vec![patient.to_owned()];
    let key = store::KeyTerm { kind: None, value: patient.to_owned() };
    let filter = store::MessageFilter { key: Some(key), ..store::MessageFilter::default() };
    for row in clinical.messages.list(&filter, None, MESSAGES_MAX).await? {
        let Some(detail) = clinical.messages.detail(row.id).await? else { continue };
        for (key, version) in &detail.resources {
            let stored = server.console.resources.vread(key, *version).await?;
            patients.extend(stored.and_then(|stored| stored.patient));
        }
    }
    patients.sort_unstable();
    patients.dedup();
    Ok(patients.iter().map(|patient| (clinical.patient_token)(patient)).collect())
}

/// Released ids are pseudonyms and stand in this node's ledger as they are.
#[cfg(not(feature = "clinical"))]
async fn tokens(_: &Server, patient: &str) -> Result<Vec<String>, Error> {
    Ok(vec![patient.to_owned()])
}

async fn show(
    server: &Server,
    session: &Session,
    filter: &Filter,
    before: &str,
    query: &str,
) -> Result<Response, Error> {
    let console = &server.console;
    let head = head(console).await?;
    let end = match before {
        "" => head.height,
        leaf => leaf.parse::<u64>().map_err(|_| Error::Invalid("page"))?.min(head.height),
    };
    let (rows, from) = scan(server, filter, end).await?;
    html(&LedgerPage {
        frame: Frame::of(server, session, "Ledger"),
        form_token: session.form_token.clone(),
        head,
        witnesses: console.witnesses.iter().map(|witness| witness.name().to_owned()).collect(),
        rows,
        kinds: Kind::ALL.iter().map(|kind| (kind.as_str(), filter.kind == Some(*kind))).collect(),
        user: filter.user.clone().unwrap_or_default(),
        is_patient: filter.tokens.is_some(),
        looked: if end > from { format!("{from} to {}", end - 1) } else { String::new() },
        older: if from > 0 { format!("{query}before={from}") } else { String::new() },
        has_verifier: console.ledger_key.is_some(),
    })
}

/// Records below leaf `end` for which the filter holds, newest first, and the leaf at which the looking ended.
async fn scan(server: &Server, filter: &Filter, end: u64) -> Result<(Vec<Row>, u64), Error> {
    let mut rows = Vec::new();
    let mut from = end;
    let last = end.saturating_sub(SCAN_LEAVES_MAX);
    while from > last && rows.len() < PAGE_RECORDS {
        let start = from.saturating_sub(PAGE_LEAVES);
        let wanted = usize::try_from(from - start).unwrap_or(usize::MAX);
        let leaves = server.console.ledger.leaves(start, wanted).await?;
        for row in leaves.iter().rev() {
            let Some(leaf) = row.leaf.filter(|leaf| *leaf < from) else { continue };
            from = leaf;
            // What cannot be read is found by a verification, not hidden by a filter.
            let Ok(record) = Record::from_bytes(&row.record) else { continue };
            if filter.holds(&record) {
                rows.push(to_row(server, leaf, &record));
            }
            if rows.len() >= PAGE_RECORDS {
                return Ok((rows, from));
            }
        }
        from = start;
    }
    Ok((rows, from))
}

fn to_row(server: &Server, leaf: u64, record: &Record) -> Row {
    let is_clinical = server.console.is_clinical();
    Row {
        leaf,
        kind: record.kind().as_str(),
        at: is_clinical.then(|| instant(record.at_us())),
        outcome: record.outcome_code().unwrap_or_default().to_owned(),
        by: by(record),
        message: record.message_id().filter(|_| is_clinical).map(|id| id.to_string()).unwrap_or_default(),
    }
}

/// Who acted, in words.
pub(crate) fn by(record: &Record) -> String {
    match record.acted_by() {
        Actor::Node => "node".to_owned(),
        Actor::Client(id) => format!("client {id}"),
        Actor::User(id) => format!("user {id}"),
    }
}
