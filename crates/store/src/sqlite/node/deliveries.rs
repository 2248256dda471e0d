//! Deliveries as they are queued: their rows, what they supersede, and what stands afterwards.

use super::state::Counters;
use crate::sql::{Connection, Rows, Value, query};
use crate::{Effect, NewDelivery, NewPseudonym, Result};

const INSERT_DELIVERIES: &str = "INSERT INTO deliveries (number, id, seq, destination, lane, state, attempts, next_us,
    queued_us, resource_type, resource_id, released_id, version, actions, sealed_for, decision_id, mac, body, revision,
    withdrawal, basis)";
const INSERT_STANDINGS: &str =
    "INSERT INTO standings (destination, resource_type, resource_id, released_id, lane,
    revision, stands, patient, content)";
const UPSERT_STANDING: &str =
    "ON CONFLICT (destination, resource_type, resource_id, released_id) DO UPDATE SET
    patient = excluded.patient, lane = excluded.lane, revision = excluded.revision, stands = excluded.stands,
    content = excluded.content WHERE excluded.revision > standings.revision";
/// Content that waits is overtaken by the withdrawal, and so is a withdrawal of the same id that died.
const SUPERSEDE: &str = "UPDATE deliveries SET state = 3, last_error = 'withdrawn' WHERE state = 0
    AND withdrawal IS NULL AND destination = ?1 AND released_id = ?2 AND number < ?3";
const REPLACE_DEAD: &str = "UPDATE deliveries SET state = 3 WHERE state = 2 AND withdrawal IS NOT NULL
    AND destination = ? AND released_id = ? AND number < ?";
/// What [`crate::DeliveryState::Pending`] is stored as; the partial indexes name it too.
const PENDING: i64 = 0;

/// Rows of deliveries, pseudonyms and standings.
pub(in crate::sqlite) struct DeliveryRows {
    pseudonyms: Rows,
    deliveries: Rows,
    standings: Rows,
    /// (destination, released id, number) of withdrawals.
    withdrawals: Vec<(String, String, i64)>,
}

impl Default for DeliveryRows {
    fn default() -> Self {
        let insert_pseudonyms =
            "INSERT INTO pseudonyms (destination, resource_type, clinical_id, released_id, secret)";
        Self {
            pseudonyms: Rows::insert(insert_pseudonyms, 5),
            deliveries: Rows::insert(INSERT_DELIVERIES, 21),
            standings: Rows::statement(INSERT_STANDINGS, UPSERT_STANDING, 9),
            withdrawals: Vec::new(),
        }
    }
}

impl DeliveryRows {
    /// Queues a delivery of the message at `seq`; 0: of none.
    pub fn delivery(&mut self, delivery: &NewDelivery, seq: i64, queued_us: i64, counters: &mut Counters) {
        counters.delivery += 1;
        let number = counters.delivery;
        let (stands, content, reason) = match delivery.effect {
            Effect::Stands(content) => (true, Some(content.to_vec()), None),
            Effect::Withdrawn(reason) => (false, None, Some(reason.as_str())),
        };
        if !stands {
            self.withdrawals.push((delivery.destination.clone(), delivery.released_id.clone(), number));
        }
        self.standings.push([
            delivery.destination.as_str().into(),
            delivery.resource.resource_type.as_str().into(),
            delivery.resource.id.as_str().into(),
            delivery.released_id.as_str().into(),
            delivery.lane.as_str().into(),
            delivery.revision.into(),
            stands.into(),
            delivery.patient.as_deref().into(),
            content.into(),
        ]);
        self.deliveries.push(row(delivery, number, seq, queued_us, reason));
    }

    /// Writes a pseudonym.
    pub fn pseudonym(&mut self, pseudonym: &NewPseudonym) {
        self.pseudonyms.push([
            pseudonym.destination.as_str().into(),
            pseudonym.resource_type.as_str().into(),
            pseudonym.clinical_id.as_str().into(),
            pseudonym.released_id.as_str().into(),
            pseudonym.secret.to_vec().into(),
        ]);
    }

    /// Writes all of it.
    pub async fn write(self, connection: &mut Connection) -> Result<()> {
        let Self { pseudonyms, deliveries, standings, withdrawals } = self;
        for rows in [pseudonyms, deliveries, standings] {
            rows.execute(connection).await?;
        }
        for (destination, released_id, number) in &withdrawals {
            for statement in [SUPERSEDE, REPLACE_DEAD] {
                query(statement)
                    .bind(destination)
                    .bind(released_id)
                    .bind(number)
                    .execute(&mut *connection)
                    .await?;
            }
        }
        Ok(())
    }
}

fn row(delivery: &NewDelivery, number: i64, seq: i64, queued_us: i64, reason: Option<&str>) -> [Value; 21] {
    [
        number.into(),
        delivery.id.as_bytes().to_vec().into(),
        seq.into(),
        delivery.destination.as_str().into(),
        delivery.lane.as_str().into(),
        PENDING.into(),
        0_i64.into(),
        0_i64.into(),
        queued_us.into(),
        delivery.resource.resource_type.as_str().into(),
        delivery.resource.id.as_str().into(),
        delivery.released_id.as_str().into(),
        delivery.version.into(),
        delivery.actions.as_str().into(),
        delivery.sealed.destination.as_str().into(),
        delivery.sealed.decision_id.as_bytes().to_vec().into(),
        delivery.sealed.mac.to_vec().into(),
        delivery.sealed.bytes.clone().into(),
        delivery.revision.into(),
        reason.into(),
        delivery.basis.as_str().into(),
    ]
}
