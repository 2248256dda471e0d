//! The figures of a measurement, for people and for programs.

use serde_json::{Value, json};

/// Median, lowest and highest of the runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    /// Of one value a run; zeros of none.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        Self { median: at(values.len() / 2), low: at(0), high: at(values.len().saturating_sub(1)) }
    }

    pub(super) fn json(self) -> Value {
        json!({"median": rounded(self.median), "low": rounded(self.low), "high": rounded(self.high)})
    }

    pub(super) fn text(self, digits: usize) -> String {
        let Self { median, low, high } = self;
        format!("{median:.digits$} ({low:.digits$}-{high:.digits$})")
    }
}

/// To a millionth; JSON is no place for noise.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// The product at so many connections.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) connections: u16,
    /// Messages of all runs.
    pub(super) messages: usize,
    pub(super) acknowledged_per_s: Spread,
    pub(super) searchable_per_s: Spread,
    pub(super) p50_ms: Spread,
    pub(super) p99_ms: Spread,
    pub(super) of_one: Spread,
    pub(super) of_group: Spread,
}

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) seconds: u64,
    pub(super) runs: u32,
    pub(super) group: u16,
    /// Messages that a connection may have unanswered.
    pub(super) window: u16,
    pub(super) sync_ms: Spread,
    pub(super) one_per_s: Spread,
    pub(super) group_per_s: Spread,
    pub(super) connected: Vec<Connected>,
}

/// How the figures came about; it stands below each of them.
const METHOD: &str = "Closed loop over MLLP on loopback: a connection sends a generated message (all four feeds) as long as no more \
    than the window are unanswered; each acknowledgment must name the oldest of them. The on-prem node is a process \
    of its own with the whole pipeline, and releases to a cloud node meanwhile, which stands for another machine and \
    steps back (nice 19); load, nodes and disk share this machine. An acknowledgment follows the commit of the \
    journal. Searchable: from the first message until the FHIR search finds a patient who was sent after all others; \
    messages are applied in order. The writer limits are the same journal, called without network, pipeline or node. \
    Compare ratios; absolute figures move with the machine's other work.";

impl Report {
    pub(super) fn json(&self) -> Value {
        let connected: Vec<Value> = self.connected.iter().map(Connected::json).collect();
        json!({
            "tidegate": env!("CARGO_PKG_VERSION"), "build": build(), "cores": cores(),
            "seconds": self.seconds, "runs": self.runs, "group": self.group, "window": self.window,
            "sync_ms": self.sync_ms.json(),
            "writer": {"one_row_per_s": self.one_per_s.json(), "group_per_s": self.group_per_s.json()},
            "product": connected, "method": METHOD,
        })
    }

    pub(super) fn table(&self) -> String {
        let mut lines = vec![
            format!(
                "tidegate {} ({} build), {} cores, {} runs of {} s: median (lowest-highest)",
                env!("CARGO_PKG_VERSION"),
                build(),
                cores(),
                self.runs,
                self.seconds
            ),
            String::new(),
            format!("one durable write of the disk    {} ms", self.sync_ms.text(2)),
            format!("writer, one row a commit         {} rows/s", self.one_per_s.text(0)),
            format!("writer, {:<3} waiting together     {} rows/s", self.group, self.group_per_s.text(0)),
            format!("window, messages unanswered      {}", self.window),
            String::new(),
            "connections  acknowledged/s         of one-row writer  of group writer    p50 ms               p99 ms               searchable/s"
                .to_owned(),
        ];
        lines.extend(self.connected.iter().map(Connected::text));
        format!("{}\n\n{METHOD}\n", lines.join("\n"))
    }
}

impl Connected {
    fn json(&self) -> Value {
        json!({
            "connections": self.connections, "messages": self.messages,
            "acknowledged_per_s": self.acknowledged_per_s.json(), "searchable_per_s": self.searchable_per_s.json(),
            "p50_ms": self.p50_ms.json(), "p99_ms": self.p99_ms.json(),
            "of_one_row": self.of_one.json(), "of_group": self.of_group.json(),
        })
    }

    fn text(&self) -> String {
        format!(
            "{:<12} {:<22} {:<18} {:<18} {:<20} {:<20} {}",
            self.connections,
            self.acknowledged_per_s.text(0),
            self.of_one.text(2),
            self.of_group.text(2),
            self.p50_ms.text(2),
            self.p99_ms.text(2),
            self.searchable_per_s.text(0)
        )
    }
}

pub(super) fn build() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// Cores that this process may use; 0 when the system does not say.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_spread_is_the_middle_and_the_ends() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0]);
        assert_eq!(spread.text(1), "2.0 (1.0-3.0)");
        assert_eq!(Spread::of(Vec::new()).text(0), "0 (0-0)");
    }
}
