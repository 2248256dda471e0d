//! `tidegate bench`: what a disk, a database and a whole node can do, measured in one run so that their ratios mean
//! something. Absolute figures move with whatever else the machine does.

mod figures;
mod limits;
mod load;
mod place;
mod rest;

use std::time::{Duration, Instant};

use self::figures::{Connected, Report, Spread};
use self::load::Load;
use self::place::Place;
use super::output;
use crate::cli::{BenchArgs, BenchCommand, BenchOutput, IngestArgs};
use crate::{Exit, Failure, disk};

/// Durable writes whose price is measured in each run.
const SYNCS: u32 = 100;
/// Senders that share commits when the group limit is measured.
const GROUP: u16 = 64;

/// Runs the command.
pub async fn run(args: BenchArgs) -> Result<(), Failure> {
    match args.command {
        BenchCommand::Ingest(args) => ingest(args).await,
        BenchCommand::Rest(args) => rest::run(args).await,
    }
}

/// `tidegate bench ingest`.
async fn ingest(args: IngestArgs) -> Result<(), Failure> {
    let mut place = Place::new(&args.data, &args.mappings, &args.profiles)?;
    let measured = measure(&args, &mut place).await;
    place.stop().await?;
    let report = measured?;
    match args.output {
        BenchOutput::Table => output::data(report.table().as_bytes()),
        BenchOutput::Json => output::line(&report.json().to_string()),
    }
}

/// What one run found.
struct Run {
    syncs: Vec<Duration>,
    one_per_s: f64,
    group_per_s: f64,
    products: Vec<load::Loaded>,
}

async fn measure(args: &IngestArgs, place: &mut Place) -> Result<Report, Failure> {
    let slice = Duration::from_secs(args.seconds);
    let mut runs = Vec::new();
    place.start().await?;
    // Neither the first connection nor an empty store is measured.
    load::run(place, Load { connections: 1, window: 1 }, Duration::from_millis(500), 0).await?;
    for number in 1..=args.runs {
        output::words(&format!("run {number} of {}", args.runs));
        let syncs =
            disk::sync_prices(&place.folder, SYNCS).map_err(|error| Failure::because(Exit::Io, &error))?;
        let one_per_s = limits::appends_per_s(&place.limits, 1, slice).await?;
        let group_per_s = limits::appends_per_s(&place.limits, GROUP, slice).await?;
        let mut products = Vec::new();
        for connections in &args.connections {
            let load = Load { connections: *connections, window: args.window };
            products.push(load::run(place, load, slice, u64::from(number)).await?);
        }
        runs.push(Run { syncs, one_per_s, group_per_s, products });
    }
    Ok(report(args, &runs))
}

fn report(args: &IngestArgs, runs: &[Run]) -> Report {
    let spread = |value: &dyn Fn(&Run) -> f64| Spread::of(runs.iter().map(value).collect());
    let sync_ms = |run: &Run| millis(disk::percentile(&run.syncs, 50).unwrap_or_default());
    let connected = args.connections.iter().enumerate().map(|(at, connections)| {
        let of = |value: &dyn Fn(&Run, &load::Loaded) -> f64| {
            Spread::of(runs.iter().filter_map(|run| Some(value(run, run.products.get(at)?))).collect())
        };
        let latency = |percent| {
            of(&move |_: &Run, load: &load::Loaded| {
                millis(disk::percentile(&load.latencies, percent).unwrap_or_default())
            })
        };
        Connected {
            connections: *connections,
            messages: runs.iter().filter_map(|run| run.products.get(at)).map(|load| load.messages()).sum(),
            acknowledged_per_s: of(&|_, load| load.acknowledged_per_s()),
            searchable_per_s: of(&|_, load| load.searchable_per_s()),
            p50_ms: latency(50),
            p99_ms: latency(99),
            of_one: of(&|run, load| load.acknowledged_per_s() / run.one_per_s),
            of_group: of(&|run, load| load.acknowledged_per_s() / run.group_per_s),
        }
    });
    Report {
        seconds: args.seconds,
        runs: args.runs,
        group: GROUP,
        window: args.window,
        sync_ms: spread(&sync_ms),
        one_per_s: spread(&|run| run.one_per_s),
        group_per_s: spread(&|run| run.group_per_s),
        connected: connected.collect(),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// So many in the time since `begun`, a second.
fn per_second(count: usize, begun: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / begun.elapsed().as_secs_f64()
}
