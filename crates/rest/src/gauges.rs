//! What a node knows of itself, as gauges: feeds, queues, the boundary, the ledger. Sampled by the node, since a scrape must
//! not wait for a database. Labels are configured names and codes.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use store::{Condition, FileCondition, SearchIndex};

use crate::Metrics;
use crate::indexing::Indexing;
use crate::outgoing::{Outgoing, OutgoingSample};

/// A gauge of seconds.
type Seconds = Gauge<f64, AtomicU64>;

/// The gauges of one node.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    last_message: Family<Channel, Seconds>,
    received: Family<Channel, Gauge>,
    held_recently: Family<Channel, Gauge>,
    latency: Family<Quantile, Seconds>,
    waiting: Family<Channel, Gauge>,
    waiting_age: Family<Channel, Seconds>,
    held: Family<Held, Gauge>,
    boundary: Family<Fate, Gauge>,
    backlog: Family<Destination, Gauge>,
    backlog_age: Family<Destination, Seconds>,
    resources: Family<ResourceType, Gauge>,
    ledger_sealed: Gauge,
    ledger_unsealed: Gauge,
    ledger_unsealed_age: Seconds,
    sampled: Seconds,
    failures: Counter,
    new_fields: Counter,
    outgoing: Outgoing,
    indexing: Indexing,
    store_failed: Family<StoreFile, Gauge>,
    store_full: Family<StoreFile, Gauge>,
    store_away: Family<StoreFile, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Channel {
    channel: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Quantile {
    channel: String,
    quantile: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Held {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fate {
    fate: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Destination {
    pub(crate) destination: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreFile {
    file: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceType {
    r#type: String,
}

/// How one channel runs.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedSample {
    /// The channel.
    pub channel: String,
    /// When its last processed message was received, seconds since the epoch.
    pub last_s: f64,
    /// Messages received in the last hour.
    pub received: u64,
    /// Of these, held now.
    pub held: u64,
    /// Median and 95th percentile from received to processed, seconds.
    pub latency_s: Option<(f64, f64)>,
}

/// A queue: messages of a channel, or deliveries to a destination.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueSample {
    /// The channel or destination.
    pub name: String,
    /// How many wait.
    pub count: u64,
    /// Age of the oldest, seconds.
    pub oldest_age_s: f64,
}

/// Everything sampled at once. What is not named is gone from the page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// Seconds since the epoch.
    pub at_s: f64,
    /// Channels.
    pub feeds: Vec<FeedSample>,
    /// Messages received and not processed.
    pub waiting: Vec<QueueSample>,
    /// Messages held: state word and number.
    pub held: Vec<(&'static str, u64)>,
    /// Messages of the last day by what became of them at the boundary.
    pub boundary: Vec<(&'static str, u64)>,
    /// Deliveries not confirmed.
    pub backlogs: Vec<QueueSample>,
    /// Live resources by type.
    pub resources: Vec<(String, u64)>,
    /// Records in the ledger's last checkpoint.
    pub ledger_sealed: u64,
    /// Records that wait to be sealed.
    pub ledger_unsealed: u64,
    /// Age of the oldest of them, seconds.
    pub ledger_unsealed_age_s: f64,
    /// What is taken back, and what was given up.
    pub outgoing: OutgoingSample,
    /// Fields that some sender started to use though nobody maps them, ever.
    pub new_fields: u64,
}

impl Gauges {
    /// Gauges on the page of `metrics`; `version` and `node` stand in `tidegate_build_info`.
    pub fn on(metrics: &Metrics, version: &str, node: &str) -> Self {
        let gauges = Self::default();
        let build = Info::new(vec![
            ("version", version.to_owned()),
            ("node", node.to_owned()),
            ("role", metrics.role().to_owned()),
        ]);
        metrics.register(|registry| {
            registry.register("build", "Version, node and role", build);
            gauges.register_feeds(registry);
            gauges.register_rest(registry);
            gauges.outgoing.register(registry);
            gauges.indexing.register(registry);
        });
        gauges
    }

    fn register_feeds(&self, to: &mut Registry) {
        to.register_with_unit(
            "feed_last_message_timestamp",
            "When the last processed message of a channel was received",
            Unit::Seconds,
            self.last_message.clone(),
        );
        to.register("feed_received_last_hour", "Messages received in the last hour", self.received.clone());
        to.register(
            "feed_held_last_hour",
            "Of the messages received in the last hour, those held now",
            self.held_recently.clone(),
        );
        to.register_with_unit(
            "feed_latency",
            "Time from received to processed over the last hour",
            Unit::Seconds,
            self.latency.clone(),
        );
        to.register("queue_depth", "Messages received and not processed", self.waiting.clone());
        to.register_with_unit(
            "queue_oldest_age",
            "Age of the oldest message that is not processed",
            Unit::Seconds,
            self.waiting_age.clone(),
        );
    }

    fn register_rest(&self, to: &mut Registry) {
        to.register("messages_held", "Messages in quarantine or error", self.held.clone());
        to.register(
            "boundary_messages_last_day",
            "Messages of the last day by what became of them at the boundary",
            self.boundary.clone(),
        );
        to.register("delivery_backlog", "Deliveries that are not confirmed", self.backlog.clone());
        to.register_with_unit(
            "delivery_backlog_oldest_age",
            "Age of the oldest delivery that is not confirmed",
            Unit::Seconds,
            self.backlog_age.clone(),
        );
        to.register("resources", "Live resources", self.resources.clone());
        to.register(
            "ledger_sealed_records",
            "Records in the last checkpoint of the ledger",
            self.ledger_sealed.clone(),
        );
        to.register(
            "ledger_unsealed_records",
            "Records that wait to be sealed",
            self.ledger_unsealed.clone(),
        );
        to.register_with_unit(
            "ledger_unsealed_oldest_age",
            "Age of the oldest record that is not sealed",
            Unit::Seconds,
            self.ledger_unsealed_age.clone(),
        );
        to.register_with_unit(
            "sampled_timestamp",
            "When these gauges were sampled last",
            Unit::Seconds,
            self.sampled.clone(),
        );
        to.register("sample_failures", "Samples that could not be taken", self.failures.clone());
        to.register(
            "new_unmapped_fields",
            "Fields that a sender started to use though nobody maps them, or with values that cannot be used",
            self.new_fields.clone(),
        );
        to.register(
            "store_failed",
            "1 when a write or an fsync of the file failed and nothing more is acknowledged until a restart",
            self.store_failed.clone(),
        );
        to.register("store_full", "1 while the file finds no space", self.store_full.clone());
        to.register(
            "store_away",
            "1 while the server that keeps it cannot be reached",
            self.store_away.clone(),
        );
    }

    /// Shows whether the files of the store take what they are given.
    pub fn show_condition(&self, condition: Condition) {
        for (file, state) in condition.each() {
            let is = |other| i64::from(state == other);
            self.store_failed.get_or_create(&StoreFile { file }).set(is(FileCondition::Failed));
            self.store_full.get_or_create(&StoreFile { file }).set(is(FileCondition::Full));
            self.store_away.get_or_create(&StoreFile { file }).set(is(FileCondition::Away));
        }
    }

    /// Shows how far the index of search parameters is that packages define.
    pub fn show_index(&self, index: &SearchIndex) {
        self.indexing.show(index);
    }

    /// Shows a sample.
    pub fn show(&self, sample: &Sample) {
        self.show_feeds(sample);
        self.held.clear();
        for (state, number) in &sample.held {
            self.held.get_or_create(&Held { state }).set(whole(*number));
        }
        self.boundary.clear();
        for (fate, number) in &sample.boundary {
            self.boundary.get_or_create(&Fate { fate }).set(whole(*number));
        }
        self.backlog.clear();
        self.backlog_age.clear();
        for queue in &sample.backlogs {
            let label = Destination { destination: queue.name.clone() };
            self.backlog.get_or_create(&label).set(whole(queue.count));
            self.backlog_age.get_or_create(&label).set(queue.oldest_age_s);
        }
        self.resources.clear();
        for (name, number) in &sample.resources {
            self.resources.get_or_create(&ResourceType { r#type: name.clone() }).set(whole(*number));
        }
        self.ledger_sealed.set(whole(sample.ledger_sealed));
        self.ledger_unsealed.set(whole(sample.ledger_unsealed));
        self.ledger_unsealed_age.set(sample.ledger_unsealed_age_s);
        self.outgoing.show(&sample.outgoing);
        // The store counts across restarts; a sample that shows none takes nothing back.
        self.new_fields.inc_by(sample.new_fields.saturating_sub(self.new_fields.get()));
        self.sampled.set(sample.at_s);
    }

    fn show_feeds(&self, sample: &Sample) {
        self.last_message.clear();
        self.received.clear();
        self.held_recently.clear();
        self.latency.clear();
        for feed in &sample.feeds {
            let label = Channel { channel: feed.channel.clone() };
            self.last_message.get_or_create(&label).set(feed.last_s);
            self.received.get_or_create(&label).set(whole(feed.received));
            self.held_recently.get_or_create(&label).set(whole(feed.held));
            let Some((median, p95)) = feed.latency_s else { continue };
            for (quantile, seconds) in [("0.5", median), ("0.95", p95)] {
                let label = Quantile { channel: feed.channel.clone(), quantile };
                self.latency.get_or_create(&label).set(seconds);
            }
        }
        self.waiting.clear();
        self.waiting_age.clear();
        for queue in &sample.waiting {
            let label = Channel { channel: queue.name.clone() };
            self.waiting.get_or_create(&label).set(whole(queue.count));
            self.waiting_age.get_or_create(&label).set(queue.oldest_age_s);
        }
    }

    /// Counts a sample that could not be taken; the gauges keep what they showed, and their time tells its age.
    pub fn failed(&self) {
        self.failures.inc();
    }
}

pub(crate) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{FeedSample, Gauges, QueueSample, Sample};
    use crate::{Metrics, OutgoingSample};

    #[test]
    fn a_sample_stands_on_the_page_until_the_next() {
        let metrics = Metrics::new("clinical");
        let gauges = Gauges::on(&metrics, "1.2.3", "onprem");
        let feed = FeedSample {
            channel: "emr".into(),
            last_s: 1.5,
            received: 3,
            held: 1,
            latency_s: Some((0.25, 0.5)),
        };
        let queue = QueueSample { name: "cloud".into(), count: 4, oldest_age_s: 9.5 };
        let outgoing = OutgoingSample {
            dead: vec![("cloud".into(), "withdrawal", 2)],
            withdrawals: vec![queue.clone()],
            withdrawn: vec![("consent", 3)],
            swept: vec![("refused", 1)],
            sweep_running_s: 7.5,
            consent: (1, 0.5),
        };
        let backlogs = vec![queue];
        gauges.show(&Sample { feeds: vec![feed], backlogs, outgoing, new_fields: 3, ..Sample::default() });
        let page = metrics.encode().expect("encodes");
        for line in [
            "tidegate_build_info{version=\"1.2.3\",node=\"onprem\",role=\"clinical\"} 1",
            "tidegate_feed_last_message_timestamp_seconds{channel=\"emr\"} 1.5",
            "tidegate_feed_latency_seconds{channel=\"emr\",quantile=\"0.95\"} 0.5",
            "tidegate_delivery_backlog{destination=\"cloud\"} 4",
            "tidegate_deliveries_dead{destination=\"cloud\",effect=\"withdrawal\"} 2",
            "tidegate_withdrawals_waiting{destination=\"cloud\"} 4",
            "tidegate_withdrawals_oldest_age_seconds{destination=\"cloud\"} 9.5",
            "tidegate_withdrawals_last_day{reason=\"consent\"} 3",
            "tidegate_sweep_resources{outcome=\"refused\"} 1",
            "tidegate_sweep_running_seconds 7.5",
            "tidegate_consent_requests_waiting 1",
            "tidegate_consent_requests_oldest_age_seconds 0.5",
            "tidegate_new_unmapped_fields_total 3",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
        let journal = store::FileCondition::Failed;
        gauges.show_condition(store::Condition { journal, ..store::Condition::default() });
        let page = metrics.encode().expect("encodes");
        for line in ["tidegate_store_failed{file=\"journal\"} 1", "tidegate_store_full{file=\"journal\"} 0"] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
        gauges.show(&Sample::default());
        gauges.failed();
        let page = metrics.encode().expect("encodes");
        assert!(!page.contains("channel=\"emr\"") && !page.contains("\"cloud\""), "{page}");
        assert!(page.contains("tidegate_sweep_running_seconds 0"), "{page}");
        assert!(page.contains("tidegate_sample_failures_total 1"), "{page}");
        assert!(page.contains("tidegate_new_unmapped_fields_total 3"), "{page}");
    }
}
