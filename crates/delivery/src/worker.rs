//! The worker of one destination.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use audit::{Kind, Record, VerifyingKey};
use residency::SealingKey;
use store::{Delivery, Outbox, ResourceKey, Settlement};
use tokio::sync::watch;
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::events;
use crate::link::{Connection, Link, LinkError};
use crate::receipt::{Expected, text_hash};
use crate::wire::{self, Answer, Outcome, OutgoingDelivery};

/// Pause after the store failed, and between looks when no bell rings.
const IDLE_PAUSE: Duration = Duration::from_millis(500);
/// Times the cloud node may refuse one delivery as transient before it is stopped.
const TRANSIENT_REFUSALS_MAX: u32 = 10;

/// Asks today's policy whether a version of a resource may still go to this destination.
pub type Recheck = Arc<dyn Fn(ResourceKey, Judged) -> Verdict + Send + Sync>;
/// The answer of a [`Recheck`], once what it looks at is read.
pub type Verdict = Pin<Box<dyn Future<Output = store::Result<bool>> + Send>>;

/// What a [`Recheck`] is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// The content of this version.
    Version(u32),
    /// The notice that a resource is gone, which has no content.
    Withdrawal,
}

/// Claims, sends and settles the deliveries of one destination.
pub struct Worker {
    /// Destination id of the policy.
    pub destination: String,
    /// Region in which it may store.
    pub region: String,
    /// De-identification profile of the destination.
    pub profile: String,
    /// Content hash of the policy in force.
    pub policy_hash: String,
    /// Content hash of policy and profiles in force: content that was decided under another is not sent.
    pub basis: String,
    /// How to dial it.
    pub link: Link,
    /// What is to be sent.
    pub outbox: Arc<dyn Outbox>,
    /// Opens what the outbox holds.
    pub sealing_key: Arc<SealingKey>,
    /// Whose receipts count.
    pub receipt_key: VerifyingKey,
    /// Policy and consent, again, at the moment of sending.
    pub recheck: Recheck,
    /// Waits after failures.
    pub backoff: Backoff,
    /// This node's name in the ledger.
    pub node: String,
    /// Microseconds since the epoch, UTC.
    pub now_us: fn() -> i64,
    /// Fills the buffer from the system's random source.
    pub fill_random: fn(&mut [u8]),
}

/// What became of one delivery: how it is settled, and its ledger record.
struct Settled {
    id: Uuid,
    settlement: Settlement,
    record: Option<Record>,
}

/// A delivery that was opened and may be sent.
struct Opened {
    delivery: Delivery,
    body: String,
    is_deletion: bool,
}

impl Worker {
    /// Runs until `stop` turns true. What was sent and not settled is sent again after a restart, under the same key.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut queued = self.outbox.queued();
        let mut connection = None;
        while !*stop.borrow() {
            queued.borrow_and_update();
            let moved = match self.step(&mut connection).await {
                Ok(moved) => moved,
                Err(error) => {
                    events::store_failed(&self.destination, &error);
                    false
                }
            };
            if !moved {
                tokio::select! {
                    _ = queued.changed() => {}
                    _ = stop.changed() => {}
                    () = tokio::time::sleep(IDLE_PAUSE) => {}
                }
            }
        }
    }

    /// One batch; `false` when nothing was due.
    async fn step(&self, connection: &mut Option<Connection>) -> store::Result<bool> {
        let claimed =
            self.outbox.claim(&self.destination, (self.now_us)(), wire::BATCH_DELIVERIES_MAX).await?;
        if claimed.is_empty() {
            return Ok(false);
        }
        let mut settled = Vec::new();
        let mut opened = Vec::new();
        let mut bytes = 0;
        for delivery in claimed {
            bytes += delivery.sealed.bytes.len();
            if bytes > wire::BATCH_BYTES_MAX && !opened.is_empty() {
                break;
            }
            match self.open(delivery).await? {
                Ok(one) => opened.push(one),
                Err(dead) => settled.push(*dead),
            }
        }
        if !opened.is_empty() {
            settled.extend(self.send(connection, &opened).await);
        }
        let records = settled.iter_mut().filter_map(|settled| settled.record.take()).collect();
        let settlements = settled.into_iter().map(|settled| (settled.id, settled.settlement)).collect();
        self.outbox.settle(settlements, records).await?;
        Ok(true)
    }

    /// Opens the seal and asks the policy again; a delivery that fails either is stopped and never sent.
    async fn open(&self, delivery: Delivery) -> store::Result<Result<Opened, Box<Settled>>> {
        let opened = match self.unseal(delivery) {
            Ok(opened) => opened,
            Err(dead) => return Ok(Err(dead)),
        };
        let Opened { delivery, is_deletion, .. } = &opened;
        if *is_deletion != delivery.withdrawal.is_some() {
            return Ok(Err(Box::new(self.stop(delivery, "effect"))));
        }
        if !is_deletion && delivery.basis != self.basis {
            return Ok(Err(Box::new(self.supersede(delivery))));
        }
        let judged = if *is_deletion { Judged::Withdrawal } else { Judged::Version(delivery.version) };
        let may_go = (self.recheck)(delivery.resource.clone(), judged).await?;
        Ok(if may_go { Ok(opened) } else { Err(Box::new(self.stop(&opened.delivery, "policy"))) })
    }

    fn unseal(&self, delivery: Delivery) -> Result<Opened, Box<Settled>> {
        let sealed = residency::Sealed {
            destination: delivery.sealed.destination.clone(),
            decision_id: delivery.sealed.decision_id,
            bytes: delivery.sealed.bytes.clone(),
            mac: delivery.sealed.mac,
        };
        let released = residency::reopen(sealed, &self.sealing_key)
            .map_err(|_| Box::new(self.stop(&delivery, "seal")))?;
        if released.destination() != self.destination {
            return Err(Box::new(self.stop(&delivery, "destination")));
        }
        let body = String::from_utf8(released.bytes().to_vec())
            .map_err(|_| Box::new(self.stop(&delivery, "encoding")))?;
        let deletion = residency::deletion(delivery.resource.resource_type, &delivery.released_id);
        let is_deletion = body.as_bytes() == deletion;
        Ok(Opened { delivery, body: if is_deletion { String::new() } else { body }, is_deletion })
    }

    /// Decided under rules that are not in force any more; the sweep decides it again.
    fn supersede(&self, delivery: &Delivery) -> Settled {
        let reason = "rules-changed";
        events::superseded(&self.destination, delivery.id);
        Settled {
            id: delivery.id,
            settlement: Settlement::Superseded { error: reason.to_owned() },
            record: self.record(Kind::DeliveryRefused, delivery, &[("reason", reason)]),
        }
    }

    fn stop(&self, delivery: &Delivery, reason: &str) -> Settled {
        events::dead(&self.destination, delivery.id, reason);
        Settled {
            id: delivery.id,
            settlement: Settlement::Dead { error: reason.to_owned() },
            record: self.record(Kind::DeliveryRefused, delivery, &[("reason", reason)]),
        }
    }

    async fn send(&self, connection: &mut Option<Connection>, opened: &[Opened]) -> Vec<Settled> {
        match self.exchange(connection, opened).await {
            Ok(answer) => self.settle_answered(opened, &answer),
            Err(error) => {
                *connection = None;
                events::link_failed(&self.destination, opened.len(), &error);
                opened.iter().map(|opened| self.retry(&opened.delivery, &error.to_string())).collect()
            }
        }
    }

    async fn exchange(
        &self,
        connection: &mut Option<Connection>,
        opened: &[Opened],
    ) -> Result<Answer, LinkError> {
        let deliveries: Vec<_> = opened.iter().map(|opened| self.outgoing(opened)).collect();
        let body = serde_json::to_vec(&deliveries).map_err(|_| LinkError::Answer)?;
        if connection.is_none() {
            *connection = Some(self.link.open().await?);
        }
        let Some(open) = connection else { return Err(LinkError::Timeout) };
        let answer = open.post(wire::DELIVERIES, "application/json", body).await?;
        serde_json::from_slice(&answer).map_err(|_| LinkError::Answer)
    }

    fn outgoing<'a>(&'a self, opened: &'a Opened) -> OutgoingDelivery<'a> {
        let delivery = &opened.delivery;
        OutgoingDelivery {
            idempotency_key: delivery.id,
            decision_id: delivery.sealed.decision_id,
            destination: &self.destination,
            profile: &self.profile,
            policy_hash: &self.policy_hash,
            resource_type: delivery.resource.resource_type.as_str(),
            released_id: &delivery.released_id,
            version: delivery.revision,
            deleted: opened.is_deletion,
            body: &opened.body,
        }
    }

    /// Each delivery by its own key; one that the answer forgot waits like one that was never sent.
    fn settle_answered(&self, opened: &[Opened], answer: &Answer) -> Vec<Settled> {
        let outcome_of = |id: Uuid| answer.results.iter().find(|outcome| outcome.idempotency_key == id);
        let settle_one = |opened: &Opened| match outcome_of(opened.delivery.id) {
            Some(Outcome { receipt: Some(receipt), .. }) => self.settle_receipt(opened, receipt),
            Some(Outcome { refused: Some(refusal), .. }) => {
                let is_transient = refusal.transient && opened.delivery.attempts < TRANSIENT_REFUSALS_MAX;
                let reason = format!("refused:{}", refusal.code);
                if is_transient {
                    self.retry(&opened.delivery, &reason)
                } else {
                    self.stop(&opened.delivery, &reason)
                }
            }
            _ => self.retry(&opened.delivery, "not answered"),
        };
        opened.iter().map(settle_one).collect()
    }

    fn settle_receipt(&self, opened: &Opened, receipt: &str) -> Settled {
        let delivery = &opened.delivery;
        let expected = Expected {
            destination: &self.destination,
            region: &self.region,
            resource: format!("{}/{}", delivery.resource.resource_type.as_str(), delivery.released_id),
            body: opened.body.as_bytes(),
            key: delivery.id,
            decision: delivery.sealed.decision_id,
        };
        if let Err(error) = expected.check(receipt, &self.receipt_key) {
            events::receipt_refused(&self.destination, delivery.id, &error.to_string());
            return self.retry(delivery, &error.to_string());
        }
        let receipt_hash = text_hash(receipt);
        let reason = delivery.withdrawal.map(|reason| ("withdrawal", reason.as_str()));
        let objects: Vec<_> = [("receipt", receipt_hash.as_str())].into_iter().chain(reason).collect();
        Settled {
            id: delivery.id,
            settlement: Settlement::Delivered { receipt: receipt.to_owned(), at_us: (self.now_us)() },
            record: self.record(Kind::ReceiptEntered, delivery, &objects),
        }
    }

    fn retry(&self, delivery: &Delivery, error: &str) -> Settled {
        let mut random = [0; 8];
        (self.fill_random)(&mut random);
        let wait = self.backoff.wait(delivery.attempts + 1, u64::from_le_bytes(random));
        let wait_us = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        let settlement =
            Settlement::Retry { next_us: (self.now_us)().saturating_add(wait_us), error: error.to_owned() };
        Settled { id: delivery.id, settlement, record: None }
    }

    /// `None` only for values that are no audit codes, which ids, hashes and our own reasons never are.
    fn record(&self, kind: Kind, delivery: &Delivery, objects: &[(&'static str, &str)]) -> Option<Record> {
        let mut random = [0; 10];
        (self.fill_random)(&mut random);
        let now_us = (self.now_us)();
        let id =
            uuid::Builder::from_unix_timestamp_millis(u64::try_from(now_us / 1000).unwrap_or(0), &random);
        let mut record = Record::new(kind, id.into_uuid(), &self.node, now_us)
            .object("delivery", &delivery.id.to_string())
            .and_then(|record| record.object("decision", &delivery.sealed.decision_id.to_string()))
            .and_then(|record| record.object("destination", &self.destination));
        for (name, value) in objects {
            record = record.and_then(|record| record.object(name, value));
        }
        record.ok()
    }
}
