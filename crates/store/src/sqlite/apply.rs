//! Applying messages, and what the next one must know.

use async_trait::async_trait;
use fhir::ResourceType;

use super::Sqlite;
use super::codes::bytes32;
use super::guarded::CommitGuarded;
use super::node::write_set::PreparedSet;
use super::node::writer::Request;
use super::resources::stored;
use crate::sql::{Rows, query, query_scalar};
use crate::{Apply, Error, GuardedSet, NewPseudonym, Result, Seq, Stored, WriteSet};

#[async_trait]
impl Apply for Sqlite {
    async fn commit(&self, set: WriteSet) -> Result<()> {
        self.clinical()?;
        let set = Box::new(PreparedSet::new(set, &self.defined())?);
        self.writer.ask(|reply| Request::Commit { set, reply }).await
    }

    async fn commit_guarded(&self, sets: Vec<GuardedSet>) -> Result<()> {
        self.clinical()?;
        let (sets, records) = CommitGuarded::new(sets, &self.defined())?;
        self.job(sets, records).await
    }

    async fn applied_through(&self) -> Result<Seq> {
        let last: Option<i64> = query_scalar("SELECT max(seq) FROM messages").fetch_one(&self.node).await?;
        Ok(Seq(last.unwrap_or(0)))
    }

    async fn alias(&self, patient: &str) -> Result<Option<String>> {
        // UNION drops what was seen, so a circle of aliases ends; it stands for no patient then.
        let last = query_scalar(
            "WITH RECURSIVE chain (id) AS (
                SELECT patient FROM patient_aliases WHERE alias = ?1
                UNION SELECT a.patient FROM patient_aliases a JOIN chain ON a.alias = chain.id)
             SELECT id FROM chain WHERE id NOT IN (SELECT alias FROM patient_aliases)",
        )
        .bind(patient)
        .fetch_optional(&self.node)
        .await?;
        Ok(last)
    }

    async fn aliases(&self, patients: &[String]) -> Result<Vec<(String, String)>> {
        let mut asked = Rows::statement(
            "WITH RECURSIVE asked (alias) AS (",
            "), chain (alias, id) AS (
                SELECT asked.alias, a.patient FROM asked CROSS JOIN patient_aliases a ON a.alias = asked.alias
                UNION SELECT chain.alias, a.patient FROM chain CROSS JOIN patient_aliases a ON a.alias = chain.id)
             SELECT alias, id FROM chain WHERE id NOT IN (SELECT alias FROM patient_aliases)",
            1,
        );
        patients.iter().for_each(|patient| asked.push([patient.as_str().into()]));
        let mut connection = self.node.acquire().await?;
        let rows = asked.fetch(&mut connection).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    async fn pseudonyms(
        &self,
        destination: &str,
        subjects: &[(ResourceType, String)],
    ) -> Result<Vec<NewPseudonym>> {
        let mut asked = Rows::statement(
            "SELECT p.resource_type, p.clinical_id, p.released_id, p.secret FROM (",
            ") AS asked CROSS JOIN pseudonyms p ON p.destination = asked.column1
             AND p.resource_type = asked.column2 AND p.clinical_id = asked.column3",
            3,
        );
        for (resource_type, id) in subjects {
            asked.push([destination.into(), resource_type.as_str().into(), id.as_str().into()]);
        }
        let mut connection = self.node.acquire().await?;
        let mut found = Vec::new();
        for row in asked.fetch(&mut connection).await? {
            let resource_type: String = row.try_get(0)?;
            found.push(NewPseudonym {
                destination: destination.to_owned(),
                resource_type: ResourceType::parse(&resource_type)
                    .ok_or(Error::Corrupt("the type of a pseudonym"))?,
                clinical_id: row.try_get(1)?,
                released_id: row.try_get(2)?,
                secret: bytes32(row.try_get(3)?)?,
            });
        }
        Ok(found)
    }

    async fn compartment(&self, patient: &str) -> Result<Vec<Stored>> {
        let names = self.published.names();
        let Some(tid) = names.type_number("Patient") else { return Ok(Vec::new()) };
        let rows = query(
            "SELECT r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body,
                (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg)
             FROM resources p CROSS JOIN comp c ON c.patient = p.rid CROSS JOIN resources r ON r.rid = c.rid
             WHERE p.id = ? AND p.tid = ? AND r.patient = p.id ORDER BY c.tid, c.newness, c.rid",
        )
        .bind(patient)
        .bind(tid)
        .fetch_all(&self.node)
        .await?;
        rows.iter().map(|row| stored(row, &names)).collect()
    }

    async fn messages_of(&self, patient: &str) -> Result<Vec<Seq>> {
        let seqs: Vec<i64> = query_scalar(
            "WITH RECURSIVE same (id) AS (
                SELECT ?1 UNION SELECT a.alias FROM patient_aliases a JOIN same ON a.patient = same.id)
             SELECT DISTINCT m.seq FROM same CROSS JOIN message_patients m ON m.patient = same.id ORDER BY m.seq",
        )
        .bind(patient)
        .fetch_all(&self.node)
        .await?;
        Ok(seqs.into_iter().map(Seq).collect())
    }
}
