//! The loads: so many connections, each asking again when it was answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;

use super::super::per_second;
use super::client::Client;
use super::made::{Made, OBSERVATIONS, OF_PATIENT};
use crate::{Exit, Failure};

/// Matches on a page of the search.
pub(super) const PAGE: usize = 20;
/// Resources of one transaction.
pub(super) const TRANSACTION: u32 = 20;
/// Resources of the transaction that reads are made beside, and patients that they are of.
pub(super) const LARGE: u32 = LARGE_PATIENTS * OF_PATIENT;
const LARGE_PATIENTS: u32 = 50;
/// Results of a patient that get another version.
pub(super) const CORRECTED: u32 = 10;

/// What a load came to.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) per_s: f64,
    /// From asked to answered, in order of length.
    pub(super) latencies: Vec<Duration>,
}

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// `GET /Observation/ID`.
    Read,
    /// `GET /Observation?patient=…&_sort=-date`.
    Search,
    /// `GET /Patient/ID/$everything`.
    Everything,
}

impl Reading {
    fn path(self, patient: Made, at: u32) -> String {
        let id = patient.id();
        match self {
            Self::Read => format!("/fhir/Observation/{id}-o{}", at % OBSERVATIONS),
            Self::Search => format!("/fhir/Observation?patient={id}&_sort=-date&_count={PAGE}"),
            Self::Everything => format!("/fhir/Patient/{id}/$everything?_count={OF_PATIENT}"),
        }
    }
}

/// Where the node is, and under which token it is asked.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) token: String,
}

impl Target {
    async fn connect(&self) -> Result<Client, Failure> {
        Client::connect(self.address, &self.token)
            .await
            .map_err(|words| Failure::new(Exit::Unavailable, words))
    }
}

fn failed(words: impl Into<String>) -> Failure {
    Failure::new(Exit::CheckFailed, words)
}

/// Asks for the time of `slice`.
pub(super) async fn read(
    target: &Target,
    reading: Reading,
    patients: u32,
    connections: u16,
    slice: Duration,
) -> Result<Loaded, Failure> {
    look(target, reading).await?;
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for number in 0..connections {
        let mut client = target.connect().await?;
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            let mut at = u32::from(number).wrapping_mul(2_654_435_769);
            while begun.elapsed() < slice {
                // Every patient in turn of no order, so that no cache of ours holds what comes next.
                at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let path = reading.path(Made { series: "p", number: (at >> 8) % patients }, at >> 4);
                let asked = Instant::now();
                let answer = client.get(&path).await?;
                if answer.status != 200 {
                    return Err(format!("status {} in place of 200", answer.status));
                }
                latencies.push(asked.elapsed());
            }
            Ok(latencies)
        });
    }
    collected(tasks, begun, 1).await
}

/// What reads came to while one large transaction after another was written.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    pub(super) reads: Loaded,
    /// From asked to answered of each transaction of [`LARGE`] resources, in order of length.
    pub(super) transactions: Vec<Duration>,
}

/// As [`read`], beside transactions of [`LARGE`] new resources, as many as begin in the time of `slice`. `run` makes patients
/// of its own.
pub(super) async fn beside(
    target: &Target,
    patients: u32,
    connections: u16,
    run: u32,
    slice: Duration,
) -> Result<Beside, Failure> {
    let mut client = target.connect().await?;
    let begun = Instant::now();
    let writes = tokio::spawn(async move {
        let mut latencies = Vec::new();
        while begun.elapsed() < slice {
            let first =
                run * 10_000_000 + u32::try_from(latencies.len()).unwrap_or(u32::MAX) * LARGE_PATIENTS;
            let each = (first..first + LARGE_PATIENTS).map(|number| Made { series: "w", number });
            let bundle = Made::together(each, OF_PATIENT);
            latencies.push(post(&mut client, &bundle).await?);
        }
        Ok::<_, String>(latencies)
    });
    let reads = read(target, Reading::Read, patients, connections, slice).await?;
    let written = writes.await.map_err(|error| failed(error.to_string()))?;
    let mut transactions = written.map_err(failed)?;
    transactions.sort();
    Ok(Beside { reads, transactions })
}

async fn collected(
    tasks: JoinSet<Result<Vec<Duration>, String>>,
    begun: Instant,
    each: u32,
) -> Result<Loaded, Failure> {
    let mut latencies = Vec::new();
    for ended in tasks.join_all().await {
        latencies.extend(ended.map_err(failed)?);
    }
    let per_s = per_second(latencies.len(), begun) * f64::from(each);
    latencies.sort();
    Ok(Loaded { per_s, latencies })
}

/// The answer is what it must be, once, before it is only counted.
async fn look(target: &Target, reading: Reading) -> Result<(), Failure> {
    let mut client = target.connect().await?;
    let path = reading.path(Made { series: "p", number: 1 }, 7);
    let answer = client.get(&path).await.map_err(failed)?;
    let body: Value = serde_json::from_slice(answer.body).map_err(|error| failed(error.to_string()))?;
    let entries = body["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    let dates = || entries.iter().map(|entry| entry["resource"]["effectiveDateTime"].as_str());
    let is_right = match reading {
        Reading::Read => body["id"] == "p1-o7",
        Reading::Search => entries.len() == PAGE && dates().is_sorted_by(|a, b| a >= b),
        Reading::Everything => u32::try_from(entries.len()) == Ok(OF_PATIENT),
    };
    if is_right { Ok(()) } else { Err(failed(format!("{path} does not answer what is stored"))) }
}

/// Puts patients `from..to` of the first series, each with everything in one transaction; resources a second.
pub(super) async fn bulk(target: &Target, connections: u16, from: u32, to: u32) -> Result<Loaded, Failure> {
    write(target, connections, OF_PATIENT, move |taken| {
        let number = from + taken;
        (number < to).then_some(Made { series: "p", number })
    })
    .await
}

/// Transactions of [`TRANSACTION`] new resources for the time of `slice`; resources a second. `run` makes patients of its own.
pub(super) async fn transactions(
    target: &Target,
    connections: u16,
    run: u32,
    slice: Duration,
) -> Result<Loaded, Failure> {
    let begun = Instant::now();
    write(target, connections, TRANSACTION, move |taken| {
        (begun.elapsed() < slice).then_some(Made { series: "t", number: run * 10_000_000 + taken })
    })
    .await
}

/// Posts a transaction; from asked to answered.
async fn post(client: &mut Client, bundle: &str) -> Result<Duration, String> {
    let asked = Instant::now();
    let answer = client.send("POST", "/fhir", bundle).await?;
    match answer.status {
        200 => Ok(asked.elapsed()),
        other => Err(format!("a transaction is answered with {other}")),
    }
}

async fn write(
    target: &Target,
    connections: u16,
    resources: u32,
    next: impl Fn(u32) -> Option<Made> + Send + Sync + 'static,
) -> Result<Loaded, Failure> {
    let (taken, next) = (Arc::new(AtomicU32::new(0)), Arc::new(next));
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..connections {
        let mut client = target.connect().await?;
        let (taken, next) = (Arc::clone(&taken), Arc::clone(&next));
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while let Some(made) = next(taken.fetch_add(1, Ordering::Relaxed)) {
                let bundle = made.transaction(resources);
                latencies.push(post(&mut client, &bundle).await?);
            }
            Ok(latencies)
        });
    }
    collected(tasks, begun, resources).await
}

/// Gives the first [`CORRECTED`] results of some patients another version each, so that there is history; how many.
pub(super) async fn correct(target: &Target, patients: u32) -> Result<u32, Failure> {
    let mut client = target.connect().await?;
    for number in 0..patients {
        let made = Made { series: "p", number };
        let corrected = (0..CORRECTED).map(|at| {
            let resource = made.corrected(at)?;
            let url = format!("Observation/{}", resource["id"].as_str().unwrap_or_default());
            Ok(serde_json::json!({"resource": resource, "request": {"method": "PUT", "url": url}}))
        });
        let entries: serde_json::Result<Vec<Value>> = corrected.collect();
        let entries = entries.map_err(|error| failed(error.to_string()))?;
        let bundle = serde_json::json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let answer = client.send("POST", "/fhir", &bundle.to_string()).await.map_err(failed)?;
        if answer.status != 200 {
            return Err(failed(format!("a correction is answered with {}", answer.status)));
        }
    }
    Ok(patients * CORRECTED)
}
