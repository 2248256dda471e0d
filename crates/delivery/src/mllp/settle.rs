//! What becomes of a forward, written down: its row, and its record in the ledger.

use audit::{Kind, Record};
use store::{ForwardOutcome, ForwardSettlement, Micros};
use uuid::Uuid;

use super::answer::Answer;
use super::judge::Verdict;
use super::worker::Forwarder;
use crate::events;

/// Whose settlement it is.
#[derive(Clone, Copy)]
pub(super) struct Of {
    pub(super) forward: Uuid,
    pub(super) message: Uuid,
    pub(super) decision_id: Uuid,
    /// Attempts before this one.
    pub(super) attempts: u32,
    /// Its bytes were on the wire.
    pub(super) is_attempt: bool,
}

impl Forwarder {
    /// Writes a verdict down. `rules`: those of today's policy that let it go.
    pub(super) async fn settle(
        &self,
        of: Of,
        verdict: Verdict,
        answer: Option<&Answer>,
        rules: &[String],
    ) -> store::Result<()> {
        let at_us = (self.now_us)();
        let code = answer.map(|answer| answer.code.as_str());
        let (outcome, error) = match verdict {
            Verdict::Delivered(note) => (ForwardOutcome::Delivered, note),
            Verdict::Accepted => (ForwardOutcome::Accepted, None),
            Verdict::Retry(error) => (
                ForwardOutcome::Retry { next_us: at_us.saturating_add(self.wait_us(of.attempts)) },
                Some(error),
            ),
            Verdict::Dead(error) => (ForwardOutcome::Dead, Some(error)),
        };
        let record = match verdict {
            Verdict::Delivered(note) => {
                self.record(Kind::Delivered, of, at_us, note.unwrap_or("delivered"), answer, rules)
            }
            Verdict::Accepted => self.record(Kind::Delivered, of, at_us, "accepted", answer, rules),
            Verdict::Retry(error) => {
                events::forward_waits(&self.destination, of.forward, error);
                None
            }
            Verdict::Dead(error) => {
                events::forward_dead(&self.destination, of.forward, error);
                self.record(Kind::DeliveryRefused, of, at_us, error, answer, rules)
            }
        };
        let settlement = ForwardSettlement {
            id: of.forward,
            outcome,
            is_attempt: of.is_attempt,
            at_us,
            error: error.map(str::to_owned),
            ack_code: code.map(str::to_owned),
            error_code: answer.and_then(|answer| answer.errors.first().cloned()),
        };
        self.forwards.settle_forward(settlement, record.into_iter().collect()).await
    }

    /// Notes why a message waits that was not sent; it stays due.
    pub(super) async fn note(&self, forward: Uuid, reason: &'static str) -> store::Result<()> {
        let at_us = (self.now_us)();
        let settlement = ForwardSettlement {
            id: forward,
            outcome: ForwardOutcome::Retry { next_us: at_us },
            is_attempt: false,
            at_us,
            error: Some(reason.to_owned()),
            ack_code: None,
            error_code: None,
        };
        self.forwards.settle_forward(settlement, Vec::new()).await
    }

    /// How long a message waits after so many attempts and one more.
    fn wait_us(&self, attempts: u32) -> Micros {
        let wait = self.backoff.wait(attempts.saturating_add(1), self.random());
        i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)
    }

    pub(super) fn random(&self) -> u64 {
        let mut random = [0; 8];
        (self.fill_random)(&mut random);
        u64::from_le_bytes(random)
    }

    /// `None` only for values that are no audit codes, which ids, names of a policy and our own codes never are.
    fn record(
        &self,
        kind: Kind,
        of: Of,
        at_us: Micros,
        outcome: &'static str,
        answer: Option<&Answer>,
        rules: &[String],
    ) -> Option<Record> {
        let mut random = [0; 10];
        (self.fill_random)(&mut random);
        let millis = u64::try_from(at_us / 1000).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let mut record = Record::new(kind, id, &self.node, at_us)
            .message(of.message)
            .outcome(outcome)
            .object("delivery", &of.forward.to_string())
            .and_then(|record| record.object("decision", &of.decision_id.to_string()))
            .and_then(|record| record.object("destination", &self.destination));
        let code = answer.map(|answer| ("acknowledgment", &answer.code));
        let error = answer.and_then(|answer| Some(("error", answer.errors.first()?)));
        // A partner's code that is none is `?`, which the ledger does not take.
        let codes = code.into_iter().chain(error).filter(|(_, code)| audit::is_code(code));
        let rules = rules.iter().map(|rule| ("rule", rule));
        for (name, value) in codes.chain(rules) {
            record = record.and_then(|record| record.object(name, value));
        }
        record.ok()
    }
}
