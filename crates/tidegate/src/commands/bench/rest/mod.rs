//! `tidegate bench rest`: FHIR REST of a whole on-prem node as clients see it, and beside each figure what the database does
//! alone in the same run.

mod client;
mod figures;
mod made;
mod traffic;

use std::path::Path;
use std::time::Duration;

use store::sqlite::limits;

use self::figures::{Report, Run};
use self::made::OF_PATIENT;
use self::traffic::{Beside, Loaded, Reading, TRANSACTION, Target};
use super::output;
use super::place::Place;
use crate::cli::{BenchOutput, RestArgs};
use crate::{Exit, Failure, keys};

/// Readers of the raw figures: as many as the node has.
const RAW_READERS: u32 = 4;
/// Bytes of a raw inserted row: about a stored resource with its index rows.
const RAW_ROW_BYTES: usize = 600;
/// Rows of a raw commit: what a batch of transactions comes to.
const RAW_ROWS: usize = 256;
/// One patient in so many has results with another version.
const CORRECTED_SHARE: u32 = 10;
/// Time for a node that has come up to come to rest.
const REST: Duration = Duration::from_secs(2);

/// Runs the command.
pub(super) async fn run(args: RestArgs) -> Result<(), Failure> {
    let mut place = Place::new(&args.data, &args.mappings, &args.profiles)?;
    nothing_leaves(&mut place, &args.profiles)?;
    let measured = measure(&args, &mut place).await;
    place.stop().await?;
    let report = measured?;
    match args.output {
        BenchOutput::Table => output::data(report.table().as_bytes()),
        BenchOutput::Json => output::line(&report.json().to_string()),
    }
}

/// The limits of clients are in force, and no load of this bench meets them.
const LIMITS: &str = "http:\n  limits: {client: {per_second: 1000000, burst: 1000000, per_day: 1000000000}}";

/// A policy that releases nothing: what is measured is REST and storage, and no cloud node is beside it.
fn nothing_leaves(place: &mut Place, profiles: &Path) -> Result<(), Failure> {
    const POLICY: &str = "unlabelled: deny\nrules:\n  - id: all-stays\n    effect: deny\n    zones: [cloud]\n    \
        reason: what is measured does not leave\n";
    let io = |error: std::io::Error| Failure::because(Exit::Io, &error);
    let copy = place.folder.join("profiles");
    for (path, text) in crate::package::read_folder(profiles).map_err(io)? {
        let file = copy.join(&path);
        file.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(io)?;
        let text = if path == "residency/policy.yaml" { POLICY } else { &text };
        std::fs::write(file, text).map_err(io)?;
    }
    let config = place.folder.join("onprem.yaml");
    let written = std::fs::read_to_string(&config).map_err(io)?;
    let lines = written.lines().map(|line| match line {
        "http:" => LIMITS,
        line if line.starts_with("profiles:") => "profiles: profiles",
        line => line,
    });
    let changed: Vec<&str> = lines.collect();
    std::fs::remove_file(&config).map_err(io)?;
    keys::write_new(&place.folder, "onprem.yaml", format!("{}\n", changed.join("\n")).as_bytes())
        .map_err(|error| Failure::because(Exit::Io, &error))
}

async fn measure(args: &RestArgs, place: &mut Place) -> Result<Report, Failure> {
    let slice = Duration::from_secs(args.seconds);
    let patients = args.resources / OF_PATIENT;
    let empty_ready = place.start_onprem().await?;
    let empty_rss = at_rest(place).await?;
    let target = target(place);
    output::words(&format!("loading {} resources", patients * OF_PATIENT));
    let bulk = traffic::bulk(&target, args.connections, 0, patients).await?;
    let corrected = traffic::correct(&target, patients / CORRECTED_SHARE).await?;
    place.stop().await?;
    let stored = bytes(&place.folder.join("onprem/data/node.db"))?;
    let full_ready = place.start_onprem().await?;
    let full_rss = at_rest(place).await?;
    let mut runs = Vec::new();
    for number in 1..=args.runs {
        output::words(&format!("run {number} of {}", args.runs));
        let reads = |reading| traffic::read(&target, reading, patients, args.connections, slice);
        let (read, search) = (reads(Reading::Read).await?, reads(Reading::Search).await?);
        let everything = reads(Reading::Everything).await?;
        let transactions = traffic::transactions(&target, args.connections, number, slice).await?;
        let beside = traffic::beside(&target, patients, args.connections, number, slice).await?;
        let io = |error: store::Error| Failure::because(Exit::Io, &error);
        let data = place.folder.join("onprem/data");
        let raw = limits::reads(&data, "Observation", RAW_READERS, slice).await.map_err(io)?;
        let inserts = limits::inserts(&place.limits, RAW_ROWS, RAW_ROW_BYTES, slice).await.map_err(io)?;
        runs.push(Run { read, search, everything, transactions, beside, raw, inserts });
    }
    Ok(Report {
        resources: patients * OF_PATIENT,
        versions: corrected,
        connections: args.connections,
        seconds: args.seconds,
        transaction: TRANSACTION,
        runs,
        bulk_per_s: bulk.per_s,
        bytes_each: per_resource(stored, patients * OF_PATIENT),
        ready: [empty_ready, full_ready],
        rss_bytes: [empty_rss, full_rss],
    })
}

fn target(place: &Place) -> Target {
    let (address, token) = place.fhir();
    Target { address, token: token.to_owned() }
}

fn per_resource(bytes: u64, resources: u32) -> f64 {
    u32::try_from(bytes >> 10).map_or(f64::INFINITY, f64::from) * 1024.0 / f64::from(resources.max(1))
}

fn bytes(file: &Path) -> Result<u64, Failure> {
    Ok(std::fs::metadata(file).map_err(|error| Failure::because(Exit::Io, &error))?.len())
}

/// Resident memory of the node, in bytes, when nothing is asked of it.
async fn at_rest(place: &Place) -> Result<u64, Failure> {
    tokio::time::sleep(REST).await;
    let failed = || Failure::new(Exit::Io, "the system does not tell how much memory the node has");
    let pid = place.pid().ok_or_else(failed)?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| failed())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or_else(failed)?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().map_err(|_| failed())?;
    Ok(kilobytes << 10)
}
