//! Gauges of what leaves, and of what is taken back: deliveries that were given up, withdrawals, sweeps, requests about
//! consent. Labels are configured names and codes.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;

use crate::gauges::{Destination, QueueSample, whole};

/// A gauge of seconds.
type Seconds = Gauge<f64, AtomicU64>;

/// The gauges.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outgoing {
    dead: Family<Dead, Gauge>,
    waiting: Family<Destination, Gauge>,
    waiting_age: Family<Destination, Seconds>,
    withdrawn: Family<Reason, Gauge>,
    sweep: Family<Swept, Gauge>,
    sweep_running: Seconds,
    consent: Gauge,
    consent_age: Seconds,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Dead {
    destination: String,
    effect: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Swept {
    outcome: &'static str,
}

/// What is sampled of them. What is not named is gone from the page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OutgoingSample {
    /// Deliveries that were given up: destination, `content`, `withdrawal` or `message`, number.
    pub dead: Vec<(String, &'static str, u64)>,
    /// Withdrawals that are to be sent, with the age of the oldest that was not confirmed.
    pub withdrawals: Vec<QueueSample>,
    /// Withdrawals of the last day by reason.
    pub withdrawn: Vec<(&'static str, u64)>,
    /// Resources of the newest sweep by what came of them.
    pub swept: Vec<(&'static str, u64)>,
    /// Since when a sweep runs, seconds; 0 when none does.
    pub sweep_running_s: f64,
    /// Requests about consent that no decision has answered, and the age of the oldest, seconds.
    pub consent: (u64, f64),
}

impl Outgoing {
    pub(crate) fn register(&self, to: &mut Registry) {
        to.register("deliveries_dead", "Deliveries that were given up", self.dead.clone());
        to.register("withdrawals_waiting", "Withdrawals that are to be sent", self.waiting.clone());
        to.register_with_unit(
            "withdrawals_oldest_age",
            "Age of the oldest withdrawal that is not confirmed, given up or not",
            Unit::Seconds,
            self.waiting_age.clone(),
        );
        to.register("withdrawals_last_day", "Withdrawals queued in the last day", self.withdrawn.clone());
        to.register(
            "sweep_resources",
            "Resources of the newest sweep by what came of them",
            self.sweep.clone(),
        );
        to.register_with_unit(
            "sweep_running",
            "Time since the running sweep began; 0 when none runs",
            Unit::Seconds,
            self.sweep_running.clone(),
        );
        to.register(
            "consent_requests_waiting",
            "Requests about consent that are not answered",
            self.consent.clone(),
        );
        to.register_with_unit(
            "consent_requests_oldest_age",
            "Age of the oldest request about consent that is not answered",
            Unit::Seconds,
            self.consent_age.clone(),
        );
    }

    pub(crate) fn show(&self, sample: &OutgoingSample) {
        self.dead.clear();
        for (destination, effect, number) in &sample.dead {
            let label = Dead { destination: destination.clone(), effect };
            self.dead.get_or_create(&label).set(whole(*number));
        }
        self.waiting.clear();
        self.waiting_age.clear();
        for queue in &sample.withdrawals {
            let label = Destination { destination: queue.name.clone() };
            self.waiting.get_or_create(&label).set(whole(queue.count));
            self.waiting_age.get_or_create(&label).set(queue.oldest_age_s);
        }
        self.withdrawn.clear();
        for (reason, number) in &sample.withdrawn {
            self.withdrawn.get_or_create(&Reason { reason }).set(whole(*number));
        }
        self.sweep.clear();
        for (outcome, number) in &sample.swept {
            self.sweep.get_or_create(&Swept { outcome }).set(whole(*number));
        }
        self.sweep_running.set(sample.sweep_running_s);
        self.consent.set(whole(sample.consent.0));
        self.consent_age.set(sample.consent.1);
    }
}
