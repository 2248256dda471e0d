//! Verifying the whole ledger: beside the pages, one at a time, with its progress on a page that renews itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use askama::Template;
use audit::Verdict;
use axum::extract::{Extension, Form, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::Error;
use crate::frame::{Frame, html};
use crate::hex::hex;
use crate::server::{Console, Server, check_form};
use crate::session::Session;
use crate::time::{Instant, instant};

/// How long a witness may take.
const WITNESS_TIMEOUT: Duration = Duration::from_secs(5);
/// Findings that a page names.
const FINDINGS_SHOWN: usize = 50;
/// Asks a browser to load the page again after so many seconds, without a script.
const REFRESH: HeaderName = HeaderName::from_static("refresh");
const REFRESH_S: HeaderValue = HeaderValue::from_static("1");

/// The verification that runs or ran last.
#[derive(Clone, Default)]
enum Last {
    #[default]
    None,
    Running {
        done: u64,
        total: u64,
    },
    Done(Arc<Outcome>),
}

/// What came of a verification.
struct Outcome {
    ended: Instant,
    /// `None`: the ledger could not be read to its end.
    verdict: Option<Verdict>,
    witnesses: Vec<Heard>,
}

/// What a witness said.
#[derive(Clone)]
struct Heard {
    name: String,
    words: &'static str,
    note: Option<String>,
}

/// Runs verifications.
#[derive(Clone, Default)]
pub(crate) struct Verifier(Arc<Mutex<Last>>);

impl Verifier {
    /// The state is whole after a panic elsewhere: every change to it is one assignment.
    fn lock(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks one as running; false when one runs already.
    fn begin(&self, total: u64) -> bool {
        let mut last = self.lock();
        let is_idle = !matches!(*last, Last::Running { .. });
        if is_idle {
            *last = Last::Running { done: 0, total };
        }
        is_idle
    }

    async fn run(&self, console: &Console, key: audit::VerifyingKey) {
        let mut witnesses = Vec::new();
        for witness in &console.witnesses {
            let asked = tokio::time::timeout(WITNESS_TIMEOUT, witness.note()).await;
            let (words, note) = match asked {
                Ok(Ok(Some(note))) => ("its copy was compared", Some(note)),
                Ok(Ok(None)) => ("keeps no checkpoint yet", None),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a witness does not answer");
                    ("does not answer", None)
                }
                Err(_) => ("does not answer in time", None),
            };
            witnesses.push(Heard { name: witness.name().to_owned(), words, note });
        }
        let notes: Vec<String> = witnesses.iter().filter_map(|heard| heard.note.clone()).collect();
        let progress = |read: u64| {
            if let Last::Running { done, .. } = &mut *self.lock() {
                *done = read;
            }
        };
        let now_us = (console.now_us)();
        let verified = store::verify_ledger(&*console.ledger, key, &notes, now_us, progress).await;
        if let Err(error) = &verified {
            tracing::error!(%error, "the ledger cannot be read to its end");
        }
        let ended = instant((console.now_us)());
        *self.lock() = Last::Done(Arc::new(Outcome { ended, verdict: verified.ok(), witnesses }));
    }
}

/// Ends a verification that did not come to its end, so that another can begin.
struct Unfinished(Verifier);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut last = self.0.lock();
        if matches!(*last, Last::Running { .. }) {
            *last = Last::None;
        }
    }
}

/// The form of the button.
#[derive(Deserialize)]
pub(crate) struct Start {
    #[serde(default)]
    token: String,
}

/// `POST /ledger/verify`: begins one, unless one runs.
pub(crate) async fn start(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Form(Start { token }): Form<Start>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let key = server.console.ledger_key.clone().ok_or(Error::NotFound("page"))?;
    let total = server.console.ledger.latest_checkpoint().await?.map_or(0, |(size, _)| size);
    if server.verifier.begin(total) {
        let (verifier, console) = (server.verifier.clone(), server.console.clone());
        tokio::spawn(async move {
            let unfinished = Unfinished(verifier.clone());
            verifier.run(&console, key).await;
            drop(unfinished);
        });
    }
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/ledger/verify")]).into_response())
}

/// One finding on the page.
struct FindingRow {
    /// The record it concerns, or a dash.
    leaf: String,
    text: String,
}

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage {
    frame: Frame,
    form_token: String,
    running: Option<(u64, u64)>,
    done: Option<DoneView>,
}

/// A verification that ended.
struct DoneView {
    ended: Instant,
    is_whole: bool,
    is_readable: bool,
    first_bad: String,
    size: u64,
    root: String,
    witnessed: String,
    findings: Vec<FindingRow>,
    findings_cut: usize,
    remarks: Vec<FindingRow>,
    witnesses: Vec<Heard>,
}

/// `GET /ledger/verify`.
pub(crate) async fn page(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Error> {
    let last = server.verifier.lock().clone();
    let (running, done) = match last {
        Last::None => (None, None),
        Last::Running { done, total } => (Some((done, total.max(1))), None),
        Last::Done(outcome) => (None, Some(done_view(&outcome))),
    };
    let is_running = running.is_some();
    let mut response = html(&VerifyPage {
        frame: Frame::of(&server, &session, "Verification"),
        form_token: session.form_token,
        running,
        done,
    })?;
    if is_running {
        response.headers_mut().insert(REFRESH, REFRESH_S);
    }
    Ok(response)
}

fn done_view(outcome: &Outcome) -> DoneView {
    let row = |finding: &audit::Finding| FindingRow {
        leaf: finding.leaf.map_or("-".to_owned(), |leaf| leaf.to_string()),
        text: finding.text.clone(),
    };
    let verdict = outcome.verdict.as_ref();
    let findings = verdict.map_or(&[][..], |verdict| &verdict.findings);
    let first = findings.iter().find_map(|finding| finding.leaf);
    DoneView {
        ended: outcome.ended.clone(),
        is_whole: verdict.is_some_and(Verdict::is_intact),
        is_readable: verdict.is_some(),
        first_bad: first.map(|leaf| leaf.to_string()).unwrap_or_default(),
        size: verdict.map_or(0, |verdict| verdict.size),
        root: verdict.map(|verdict| hex(&verdict.root)).unwrap_or_default(),
        witnessed: verdict
            .and_then(|verdict| verdict.witnessed_size)
            .map(|size| size.to_string())
            .unwrap_or_default(),
        findings: findings.iter().take(FINDINGS_SHOWN).map(row).collect(),
        findings_cut: findings.len().saturating_sub(FINDINGS_SHOWN),
        remarks: verdict
            .map_or(&[][..], |verdict| &verdict.remarks)
            .iter()
            .take(FINDINGS_SHOWN)
            .map(row)
            .collect(),
        witnesses: outcome.witnesses.clone(),
    }
}
