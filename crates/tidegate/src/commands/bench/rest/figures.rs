//! The figures of REST, each beside the database's own.

use std::time::Duration;

use serde_json::{Value, json};
use store::sqlite::limits::ReadLimits;

use super::super::figures::{Spread, build, cores};
use super::super::millis;
use super::traffic::LARGE;
use super::{Beside, Loaded};
use crate::disk;

/// What one run found.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) read: Loaded,
    pub(super) search: Loaded,
    pub(super) everything: Loaded,
    pub(super) transactions: Loaded,
    pub(super) beside: Beside,
    pub(super) raw: ReadLimits,
    pub(super) inserts: f64,
}

/// Everything that was measured. Of pairs, the first is with an empty store.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) resources: u32,
    /// Versions beside the current ones.
    pub(super) versions: u32,
    pub(super) connections: u16,
    pub(super) seconds: u64,
    /// Resources of a transaction.
    pub(super) transaction: u32,
    pub(super) runs: Vec<Run>,
    pub(super) bulk_per_s: f64,
    pub(super) bytes_each: f64,
    pub(super) ready: [Duration; 2],
    pub(super) rss_bytes: [u64; 2],
}

/// One figure: how many a second, the database's own, and how they compare.
struct Figure {
    name: &'static str,
    words: &'static str,
    per_s: Spread,
    p50_ms: Spread,
    p99_ms: Spread,
    raw_per_s: Spread,
    of_raw: Spread,
}

/// How the figures came about; it stands below each of them.
const METHOD: &str = "Closed loop over HTTP/1.1 on loopback with kept connections; the on-prem node is a process of its own, its \
    access record of every answer is durable before the answer is given, and load, node and disk share this machine. Resources are \
    generated: patients with 9 encounters and 90 observations each. Read: one Observation by id. Large writes: one transaction \
    of 5,000 new resources after another, beside the reads. Search: the newest 20 Observations of one patient, sorted. \
    Everything: a patient with all 100 resources. Transactions: bundles of new resources, validated, each durable before it is \
    answered. Bulk: transactions of a whole patient over the same connections, into an empty store. The policy releases nothing. Raw: \
    the same file through the same driver without HTTP, JSON and records, by 4 readers: body by key; 20 bodies by the index of \
    the compartment; all bodies of a compartment. Raw inserts: rows of 600 bytes, 256 a durable commit. Disk: node.db after a \
    stop, with its indexes and with another version of 1 in 100. Compare ratios; absolute figures move with the machine's other \
    work.";

impl Report {
    fn figures(&self) -> Vec<Figure> {
        let of = |name, words, loaded: fn(&Run) -> &Loaded, raw: fn(&Run) -> f64| {
            let spread = |value: &dyn Fn(&Run) -> f64| Spread::of(self.runs.iter().map(value).collect());
            let latency = |percent| {
                spread(&move |run| {
                    millis(disk::percentile(&loaded(run).latencies, percent).unwrap_or_default())
                })
            };
            Figure {
                name,
                words,
                per_s: spread(&|run| loaded(run).per_s),
                p50_ms: latency(50),
                p99_ms: latency(99),
                raw_per_s: spread(&raw),
                of_raw: spread(&|run| loaded(run).per_s / raw(run)),
            }
        };
        vec![
            of("read", "read", |run| &run.read, |run| run.raw.points_per_s),
            of(
                "read_beside_large",
                "read beside large writes",
                |run| &run.beside.reads,
                |run| run.raw.points_per_s,
            ),
            of("search", "search of a patient, sorted", |run| &run.search, |run| run.raw.ranges_per_s),
            of("everything", "$everything of 100", |run| &run.everything, |run| run.raw.compartments_per_s),
            of("transaction", "transactions, resources", |run| &run.transactions, |run| run.inserts),
        ]
    }

    /// How long large transactions took, and the longest that a read beside them waited: ms.
    fn large(&self) -> [Spread; 2] {
        let spread = |longest: &dyn Fn(&Beside) -> Option<Duration>| {
            let longest = |run: &Run| millis(longest(&run.beside).unwrap_or_default());
            Spread::of(self.runs.iter().map(longest).collect())
        };
        [
            spread(&|beside| disk::percentile(&beside.transactions, 50)),
            spread(&|beside| beside.reads.latencies.last().copied()),
        ]
    }

    fn bulk_of_raw(&self) -> Spread {
        Spread::of(self.runs.iter().map(|run| self.bulk_per_s / run.inserts).collect())
    }

    pub(super) fn json(&self) -> Value {
        let mut made = json!({
            "tidegate": env!("CARGO_PKG_VERSION"), "build": build(), "cores": cores(), "resources": self.resources,
            "versions": self.versions, "connections": self.connections, "seconds": self.seconds, "runs": self.runs.len(),
            "resources_a_transaction": self.transaction,
            "bulk": {"per_s": self.bulk_per_s.round(), "of_raw": self.bulk_of_raw().json()},
            "bytes_a_resource": self.bytes_each.round(),
            "ready_ms": {"empty": millis(self.ready[0]), "full": millis(self.ready[1])},
            "rss_bytes": {"empty": self.rss_bytes[0], "full": self.rss_bytes[1]},
            "method": METHOD,
        });
        let [whole, longest] = self.large();
        made["large_transaction"] = json!({"ms": whole.json(), "longest_read_ms": longest.json()});
        for figure in self.figures() {
            let Figure { per_s, p50_ms, p99_ms, raw_per_s, of_raw, .. } = figure;
            made[figure.name] = json!({"per_s": per_s.json(), "p50_ms": p50_ms.json(), "p99_ms": p99_ms.json(),
                "raw_per_s": raw_per_s.json(), "of_raw": of_raw.json()});
        }
        made
    }

    pub(super) fn table(&self) -> String {
        let runs = self.runs.len();
        let mut lines = vec![
            format!(
                "tidegate {} ({} build), {} cores, {} resources, {} connections, {runs} runs of {} s: median (lowest-highest)",
                env!("CARGO_PKG_VERSION"),
                build(),
                cores(),
                self.resources,
                self.connections,
                self.seconds
            ),
            String::new(),
            format!(
                "{:<30} {:<22} {:<20} {:<20} {:<24} {}",
                "", "a second", "p50 ms", "p99 ms", "database alone, a second", "ratio"
            ),
        ];
        for Figure { words, per_s, p50_ms, p99_ms, raw_per_s, of_raw, .. } in self.figures() {
            lines.push(format!(
                "{words:<30} {:<22} {:<20} {:<20} {:<24} {}",
                per_s.text(0),
                p50_ms.text(2),
                p99_ms.text(2),
                raw_per_s.text(0),
                of_raw.text(2)
            ));
        }
        let [whole, longest] = self.large();
        let [empty_ms, full_ms] = self.ready.map(millis);
        let [empty_mb, full_mb] = self.rss_bytes.map(|bytes| bytes >> 20);
        lines.extend([
            format!(
                "{:<30} {:<22.0} {:<66} {}",
                "bulk load, resources",
                self.bulk_per_s,
                "",
                self.bulk_of_raw().text(2)
            ),
            format!(
                "large write of {LARGE}, ms        {}; the longest read beside it {}",
                whole.text(0),
                longest.text(1)
            ),
            String::new(),
            format!("disk, bytes a resource         {:.0}", self.bytes_each),
            format!("memory at rest, MiB            {empty_mb} empty, {full_mb} with the resources"),
            format!("start until ready, ms          {empty_ms:.0} empty, {full_ms:.0} with the resources"),
        ]);
        format!("{}\n\n{METHOD}\n", lines.join("\n"))
    }
}
