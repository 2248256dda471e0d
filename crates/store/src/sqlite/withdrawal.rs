//! What stands where, sweeps, and what people say about consent.

use std::collections::BTreeMap;

use async_trait::async_trait;
use fhir::ResourceType;

use super::Sqlite;
use super::codes::{bytes32, delivery_state, limit as bounded, small, unsigned};
use super::node::deliveries::DeliveryRows;
use super::node::job::Job;
use super::node::plan::Plan;
use super::node::prepare::{Defined, PreparedVersion};
use super::node::state::State;
use super::resources::stored;
use crate::sql::{Connection, Row, Rows, query, query_as, query_scalar};
use crate::{
    Answers, ConsentRequest, DecidedSet, DeliveryState, Error, Micros, NewDelivery, NewPseudonym,
    ResourceKey, Result, Standing, Stored, Sweep, SweepCounts, SweepUnit, Unsettled, WithdrawalReason,
    Withdrawals,
};

#[async_trait]
impl Withdrawals for Sqlite {
    async fn standings(
        &self,
        destination: &str,
        basis: &str,
        resources: &[ResourceKey],
    ) -> Result<Vec<Standing>> {
        let mut asked = Rows::statement(
            "SELECT s.resource_type, s.resource_id, s.released_id, s.patient, s.lane, s.revision, s.stands,
                CASE WHEN EXISTS (SELECT 1 FROM deliveries d WHERE d.destination = s.destination
                    AND d.released_id = s.released_id AND d.state = 0 AND d.withdrawal IS NULL
                    AND d.basis <> asked.column4) THEN NULL ELSE s.content END
             FROM (",
            ") AS asked CROSS JOIN standings s ON s.destination = asked.column1
             AND s.resource_type = asked.column2 AND s.resource_id = asked.column3",
            4,
        );
        for key in resources {
            let (name, id) = (key.resource_type.as_str(), key.id.as_str());
            asked.push([destination.into(), name.into(), id.into(), basis.into()]);
        }
        let mut connection = self.node.acquire().await?;
        asked.fetch(&mut connection).await?.iter().map(standing).collect()
    }

    async fn standings_of(&self, destination: &str, patient: &str) -> Result<Vec<Standing>> {
        let rows = query(
            "SELECT resource_type, resource_id, released_id, patient, lane, revision, stands, content FROM standings
             WHERE patient = ? AND destination = ? AND stands = 1",
        )
        .bind(patient)
        .bind(destination)
        .fetch_all(&self.node)
        .await?;
        rows.iter().map(standing).collect()
    }

    async fn compartment_of(&self, patient: &str, types: &[ResourceType]) -> Result<Vec<Stored>> {
        let names = self.published.names();
        let Some(of_patient) = names.type_number("Patient") else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for tid in types.iter().filter_map(|of| names.type_number(of.as_str())) {
            let rows = query(
                "SELECT r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body,
                    (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg)
                 FROM resources p CROSS JOIN comp c ON c.patient = p.rid AND c.tid = ?3
                 CROSS JOIN resources r ON r.rid = c.rid AND r.patient = p.id WHERE p.id = ?1 AND p.tid = ?2",
            )
            .bind(patient)
            .bind(of_patient)
            .bind(tid)
            .fetch_all(&self.node)
            .await?;
            for row in &rows {
                found.push(stored(row, &names)?);
            }
        }
        Ok(found)
    }

    async fn compartments_of(
        &self,
        patients: &[String],
        types: &[ResourceType],
    ) -> Result<Vec<(String, Stored)>> {
        let names = self.published.names();
        let Some(of_patient) = names.type_number("Patient") else { return Ok(Vec::new()) };
        let mut asked = Rows::statement(
            "SELECT r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body,
                (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg), asked.column1 FROM (",
            ") AS asked CROSS JOIN resources p ON p.id = asked.column1 AND p.tid = asked.column2
             CROSS JOIN comp c ON c.patient = p.rid AND c.tid = asked.column3
             CROSS JOIN resources r ON r.rid = c.rid AND r.patient = p.id",
            3,
        );
        let tids: Vec<i64> = types.iter().filter_map(|of| names.type_number(of.as_str())).collect();
        for (patient, tid) in patients.iter().flat_map(|patient| tids.iter().map(move |tid| (patient, *tid)))
        {
            asked.push([patient.as_str().into(), of_patient.into(), tid.into()]);
        }
        let mut connection = self.node.acquire().await?;
        let rows = asked.fetch(&mut connection).await?;
        rows.iter().map(|row| Ok((row.try_get(8)?, stored(row, &names)?))).collect()
    }

    async fn commit_decided(&self, set: DecidedSet) -> Result<()> {
        self.clinical()?;
        let (set, records) = CommitDecided::new(set, &self.defined())?;
        self.job(set, records).await
    }

    async fn begin_sweep(
        &self,
        basis: &str,
        requested_by: Option<&str>,
        at_us: Micros,
        record: audit::Record,
    ) -> Result<i64> {
        self.clinical()?;
        let (basis, requested_by) = (basis.to_owned(), requested_by.map(str::to_owned));
        self.job(BeginSweep { basis, requested_by, at_us }, [record]).await
    }

    async fn sweeps(&self, limit: usize) -> Result<Vec<Sweep>> {
        let rows = query(
            "SELECT sweep, basis, requested_by, begun_us, through, units, released, withdrawn, refused, ended_us, outcome
             FROM sweeps ORDER BY sweep DESC LIMIT ?",
        )
        .bind(bounded(limit))
        .fetch_all(&self.node)
        .await?;
        rows.iter().map(sweep).collect()
    }

    async fn sweep_units(&self, after: i64, limit: usize) -> Result<Vec<SweepUnit>> {
        let names = self.published.names();
        let rows = query(
            "SELECT rid, tid, id FROM resources
             WHERE rid > ?1 AND tid > 0 AND (tid = ?2 OR (patient IS NULL AND version > 0)) ORDER BY rid LIMIT ?3",
        )
        .bind(after)
        .bind(names.type_number("Patient").unwrap_or(-1))
        .bind(bounded(limit))
        .fetch_all(&self.node)
        .await?;
        let unit = |row: &Row| {
            let resource_type = names.resource_type(row.try_get(1)?)?;
            let resource = ResourceKey { resource_type, id: row.try_get(2)? };
            Ok(SweepUnit { position: row.try_get(0)?, resource })
        };
        rows.iter().map(unit).collect()
    }

    async fn request_consent(&self, request: ConsentRequest, record: audit::Record) -> Result<i64> {
        self.clinical()?;
        self.job(RequestConsent { request }, [record]).await
    }

    async fn consent_requests(&self, limit: usize) -> Result<Vec<(i64, ConsentRequest)>> {
        let rows = query(
            "SELECT request, patient, denies, destination, requested_by, requested_us FROM consent_requests
             WHERE outcome IS NULL ORDER BY request LIMIT ?",
        )
        .bind(bounded(limit))
        .fetch_all(&self.node)
        .await?;
        let request = |row: &Row| {
            let request = ConsentRequest {
                patient: row.try_get(1)?,
                denies: row.try_get(2)?,
                destination: row.try_get(3)?,
                requested_by: row.try_get(4)?,
                requested_us: row.try_get(5)?,
            };
            Ok((row.try_get(0)?, request))
        };
        rows.iter().map(request).collect()
    }

    async fn unsettled(&self) -> Result<Vec<Unsettled>> {
        let rows: Vec<(String, i64, bool, i64, i64)> = query_as(
            "SELECT destination, 2, withdrawal IS NOT NULL, count(*), min(queued_us) FROM deliveries WHERE state = 2
             GROUP BY 1, 3 UNION ALL
             SELECT destination, 0, TRUE, count(*), min(queued_us) FROM deliveries
             WHERE state = 0 AND withdrawal IS NOT NULL GROUP BY 1",
        )
        .fetch_all(&self.node)
        .await?;
        let mut found: BTreeMap<String, Unsettled> = BTreeMap::new();
        for (destination, state, is_withdrawal, count, oldest_us) in rows {
            let of = found.entry(destination.clone()).or_default();
            of.destination = destination;
            let number = match (delivery_state(state)?, is_withdrawal) {
                (DeliveryState::Dead, false) => &mut of.dead_content,
                (DeliveryState::Dead, true) => &mut of.dead_withdrawals,
                _ => &mut of.withdrawals,
            };
            *number = unsigned(count)?;
            if is_withdrawal {
                of.oldest_us = Some(of.oldest_us.map_or(oldest_us, |known| known.min(oldest_us)));
            }
        }
        Ok(found.into_values().collect())
    }

    async fn withdrawn_since(&self, since_us: Micros) -> Result<Vec<(WithdrawalReason, u64)>> {
        let rows: Vec<(String, i64)> = query_as(
            "SELECT withdrawal, count(*) FROM deliveries WHERE withdrawal IS NOT NULL AND queued_us >= ?
             GROUP BY withdrawal ORDER BY withdrawal",
        )
        .bind(since_us)
        .fetch_all(&self.node)
        .await?;
        let reason =
            |code: &str| WithdrawalReason::parse(code).ok_or(Error::Corrupt("the reason of a withdrawal"));
        rows.into_iter().map(|(code, count)| Ok((reason(&code)?, unsigned(count)?))).collect()
    }
}

fn standing(row: &Row) -> Result<Standing> {
    let resource_type: String = row.try_get(0)?;
    let resource_type =
        ResourceType::parse(&resource_type).ok_or(Error::Corrupt("the type of what stands"))?;
    Ok(Standing {
        resource: ResourceKey { resource_type, id: row.try_get(1)? },
        released_id: row.try_get(2)?,
        patient: row.try_get(3)?,
        lane: row.try_get(4)?,
        revision: small(row.try_get(5)?)?,
        stands: row.try_get(6)?,
        content: row.try_get::<Option<Vec<u8>>, _>(7)?.map(bytes32).transpose()?,
    })
}

fn sweep(row: &Row) -> Result<Sweep> {
    let ended: (Option<i64>, Option<String>) = (row.try_get(9)?, row.try_get(10)?);
    Ok(Sweep {
        number: row.try_get(0)?,
        basis: row.try_get(1)?,
        requested_by: row.try_get(2)?,
        begun_us: row.try_get(3)?,
        through: row.try_get(4)?,
        counts: SweepCounts {
            units: unsigned(row.try_get(5)?)?,
            released: unsigned(row.try_get(6)?)?,
            withdrawn: unsigned(row.try_get(7)?)?,
            refused: unsigned(row.try_get(8)?)?,
        },
        ended: ended.0.zip(ended.1),
    })
}

pub(super) struct CommitDecided {
    at_us: Micros,
    versions: Vec<PreparedVersion>,
    deliveries: Vec<NewDelivery>,
    pseudonyms: Vec<NewPseudonym>,
    answers: Answers,
}

impl CommitDecided {
    /// Packs a set; its records are written after it.
    pub fn new(set: DecidedSet, parameters: &Defined<'_>) -> Result<(Self, Vec<audit::Record>)> {
        let DecidedSet { at_us, versions, deliveries, pseudonyms, records, answers } = set;
        let versions = versions.into_iter().map(|version| PreparedVersion::new(version, parameters));
        let versions = versions.collect::<Result<_>>()?;
        Ok((Self { at_us, versions, deliveries, pseudonyms, answers }, records))
    }
}

#[async_trait]
impl Job for CommitDecided {
    type Done = ();

    async fn run(&self, state: &mut State, connection: &mut Connection) -> Result<()> {
        write_all([self].into_iter(), state, connection).await
    }

    fn weight(&self) -> (usize, usize) {
        let versions: usize = self.versions.iter().map(|version| version.weight().1).sum();
        let deliveries: usize = self.deliveries.iter().map(|one| one.sealed.bytes.len()).sum();
        (1 + self.versions.len() + self.deliveries.len(), versions + deliveries)
    }
}

impl CommitDecided {
    /// What each resource is after it: type, id, version and whether that is the deletion.
    pub fn leaves(&self) -> impl Iterator<Item = (&'static str, &str, u32, bool)> {
        let versions = self.versions.iter();
        versions.map(|version| (version.resource_type, version.id.as_str(), version.version, version.deleted))
    }
}

/// Writes sets that follow one another, merged into one plan: many requests for the statements of one.
pub(super) async fn write_all<'s>(
    sets: impl Iterator<Item = &'s CommitDecided> + Clone + Send,
    state: &mut State,
    connection: &mut Connection,
) -> Result<()> {
    for set in sets.clone() {
        answered(&set.answers, set.at_us, connection).await?;
    }
    let versions = sets.clone().flat_map(|set| &set.versions);
    let mut plan = Plan::load(versions, &mut state.names, connection).await?;
    let mut rows = DeliveryRows::default();
    for set in sets {
        plan.check(&mut state.names, &set.versions)?;
        for version in &set.versions {
            let (body, number) = (version.body.clone(), version.version);
            plan.put(version, body, number, 0, &mut state.names, &mut state.counters)?;
        }
        for delivery in &set.deliveries {
            rows.delivery(delivery, OF_NO_MESSAGE, set.at_us, &mut state.counters);
        }
        set.pseudonyms.iter().for_each(|pseudonym| rows.pseudonym(pseudonym));
    }
    plan.write(&mut state.counters, connection).await?;
    rows.write(connection).await
}

/// The journal position of a delivery that no message caused.
const OF_NO_MESSAGE: i64 = 0;

async fn answered(answers: &Answers, at_us: Micros, connection: &mut Connection) -> Result<()> {
    let done = match answers {
        Answers::Sweep { sweep, through, counts, is_last } => {
            let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            query(
                "UPDATE sweeps SET through = ?2, units = units + ?3, released = released + ?4,
                    withdrawn = withdrawn + ?5, refused = refused + ?6, ended_us = CASE WHEN ?7 = 1 THEN ?8 END,
                    outcome = CASE WHEN ?7 = 1 THEN 'done' END WHERE sweep = ?1 AND outcome IS NULL",
            )
            .bind(sweep)
            .bind(through)
            .bind(number(counts.units))
            .bind(number(counts.released))
            .bind(number(counts.withdrawn))
            .bind(number(counts.refused))
            .bind(is_last)
            .bind(at_us)
        }
        Answers::Consent { request, outcome } => {
            query("UPDATE consent_requests SET outcome = ?2 WHERE request = ?1 AND outcome IS NULL")
                .bind(request)
                .bind(outcome)
        }
        Answers::Client => return Ok(()),
    };
    let done = done.execute(connection).await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

struct BeginSweep {
    basis: String,
    requested_by: Option<String>,
    at_us: Micros,
}

#[async_trait]
impl Job for BeginSweep {
    type Done = i64;

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<i64> {
        query("UPDATE sweeps SET ended_us = ?, outcome = 'abandoned' WHERE outcome IS NULL")
            .bind(self.at_us)
            .execute(&mut *connection)
            .await?;
        query_scalar(
            "INSERT INTO sweeps (basis, requested_by, begun_us, through, units, released, withdrawn, refused)
             VALUES (?, ?, ?, 0, 0, 0, 0, 0) RETURNING sweep",
        )
        .bind(&self.basis)
        .bind(&self.requested_by)
        .bind(self.at_us)
        .fetch_one(&mut *connection)
        .await
    }
}

struct RequestConsent {
    request: ConsentRequest,
}

#[async_trait]
impl Job for RequestConsent {
    type Done = i64;

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<i64> {
        query_scalar(
            "INSERT INTO consent_requests (patient, denies, destination, requested_by, requested_us)
             VALUES (?, ?, ?, ?, ?) RETURNING request",
        )
        .bind(&self.request.patient)
        .bind(self.request.denies)
        .bind(&self.request.destination)
        .bind(&self.request.requested_by)
        .bind(self.request.requested_us)
        .fetch_one(&mut *connection)
        .await
    }
}
