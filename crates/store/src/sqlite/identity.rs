//! The cross-reference of patients' identifiers, its reviews, and what persons decided about them.

use async_trait::async_trait;
use uuid::Uuid;

use super::Sqlite;
use super::codes::{limit as bounded, uuid};
use super::node::job::Job;
use super::node::prepare::PreparedRecord;
use super::node::state::State;
use crate::sql::{Connection, Row, Rows, query, query_as, query_scalar};
use crate::{
    Error, IdentityDecision, JournalId, Micros, NewReview, PatientIdentifier, PatientIndex, Result, Review,
    ReviewAnswer,
};

const REVIEWS: &str = "SELECT id, message, at_us, patients, contradictions, answer, answered_by, answered_us
    FROM reviews";
const IDENTIFIERS_OF: &str = "WITH RECURSIVE same (id) AS (
        SELECT ?1 UNION SELECT a.alias FROM patient_aliases a JOIN same ON a.patient = same.id)
    SELECT i.system, i.value, ?1 FROM same CROSS JOIN patient_identifiers i ON i.patient = same.id
    ORDER BY i.system, i.value";

#[async_trait]
impl PatientIndex for Sqlite {
    async fn holders(&self, identifiers: &[(String, String)]) -> Result<Vec<PatientIdentifier>> {
        // UNION drops what was seen, so a circle of aliases ends; it stands for no patient then.
        let mut asked = Rows::statement(
            "WITH RECURSIVE asked (system, value) AS (",
            "), held (system, value, patient) AS (
                SELECT i.system, i.value, i.patient FROM asked CROSS JOIN patient_identifiers i
                    ON i.system = asked.system AND i.value = asked.value
                UNION SELECT held.system, held.value, a.patient
                    FROM held JOIN patient_aliases a ON a.alias = held.patient)
             SELECT system, value, patient FROM held WHERE patient NOT IN (SELECT alias FROM patient_aliases)",
            2,
        );
        for (system, value) in identifiers {
            asked.push([system.as_str().into(), value.as_str().into()]);
        }
        let mut connection = self.node.acquire().await?;
        asked.fetch(&mut connection).await?.iter().map(identifier).collect()
    }

    async fn identifiers_of(&self, patient: &str) -> Result<Vec<PatientIdentifier>> {
        let rows = query(IDENTIFIERS_OF).bind(patient).fetch_all(&self.node).await?;
        rows.iter().map(identifier).collect()
    }

    async fn identifiers_of_all(&self, patients: &[String]) -> Result<Vec<PatientIdentifier>> {
        let mut asked = Rows::statement(
            "WITH RECURSIVE asked (patient) AS (",
            "), same (patient, id) AS (
                SELECT patient, patient FROM asked
                UNION SELECT same.patient, a.alias FROM same CROSS JOIN patient_aliases a ON a.patient = same.id)
             SELECT i.system, i.value, same.patient FROM same CROSS JOIN patient_identifiers i
                ON i.patient = same.id",
            1,
        );
        patients.iter().for_each(|patient| asked.push([patient.as_str().into()]));
        let mut connection = self.node.acquire().await?;
        asked.fetch(&mut connection).await?.iter().map(identifier).collect()
    }

    async fn reviews(&self, is_open: bool, limit: usize) -> Result<Vec<Review>> {
        let condition = if is_open { "answer IS NULL" } else { "answer IS NOT NULL" };
        let sql = format!("{REVIEWS} WHERE {condition} ORDER BY review LIMIT ?");
        let rows = query(sqlx::AssertSqlSafe(sql)).bind(bounded(limit)).fetch_all(&self.node).await?;
        rows.iter().map(review).collect()
    }

    async fn review(&self, id: Uuid) -> Result<Option<Review>> {
        let sql = format!("{REVIEWS} WHERE id = ?");
        let row = query(sqlx::AssertSqlSafe(sql)).bind(id.as_bytes().to_vec());
        row.fetch_optional(&self.node).await?.as_ref().map(review).transpose()
    }

    async fn answer(
        &self,
        id: Uuid,
        answer: ReviewAnswer,
        instead_of: Option<ReviewAnswer>,
        by: &str,
        at_us: Micros,
        record: audit::Record,
    ) -> Result<()> {
        self.clinical()?;
        let (act, record) = (Act { answer, by: by.to_owned(), at_us }, PreparedRecord::new(&record));
        self.job(Answer { id, instead_of, act, record }, None).await
    }

    async fn answered(&self, one: &str, other: &str) -> Result<Option<ReviewAnswer>> {
        let sql = "WITH RECURSIVE ones (id) AS (
                SELECT ?1 UNION SELECT a.alias FROM patient_aliases a JOIN ones ON a.patient = ones.id),
            others (id) AS (
                SELECT ?2 UNION SELECT a.alias FROM patient_aliases a JOIN others ON a.patient = others.id)
            SELECT d.answer FROM ones CROSS JOIN others ON ones.id <> others.id JOIN identity_decisions d
                ON (d.one = ones.id AND d.other = others.id) OR (d.one = others.id AND d.other = ones.id)
            ORDER BY d.of_person DESC, d.decided_us DESC LIMIT 1";
        let number: Option<i64> = query_scalar(sql).bind(one).bind(other).fetch_optional(&self.node).await?;
        number.map(said).transpose()
    }

    async fn decide(
        &self,
        one: &str,
        other: &str,
        answer: ReviewAnswer,
        by: &str,
        at_us: Micros,
        record: audit::Record,
    ) -> Result<()> {
        self.clinical()?;
        if one == other {
            return Err(Error::Conflict("two patients of one id"));
        }
        let pair = ordered(one, other);
        let act = Act { answer, by: by.to_owned(), at_us };
        self.job(Decide { pair, act }, [record]).await
    }

    async fn decisions(&self, patients: &[String]) -> Result<Vec<IdentityDecision>> {
        let mut asked = Rows::statement(
            "WITH RECURSIVE same (id) AS (",
            "UNION SELECT a.alias FROM patient_aliases a JOIN same ON a.patient = same.id)
             SELECT d.one, d.other, d.answer, d.of_person FROM same JOIN identity_decisions d ON d.one = same.id
             UNION SELECT d.one, d.other, d.answer, d.of_person FROM same JOIN identity_decisions d
                ON d.other = same.id",
            1,
        );
        patients.iter().for_each(|patient| asked.push([patient.as_str().into()]));
        let mut connection = self.node.acquire().await?;
        let rows = asked.fetch(&mut connection).await?;
        let decision = |row: &Row| {
            Ok(IdentityDecision {
                one: row.try_get(0)?,
                other: row.try_get(1)?,
                answer: said(row.try_get(2)?)?,
                is_of_person: row.try_get(3)?,
            })
        };
        rows.iter().map(decision).collect()
    }
}

fn ordered(one: &str, other: &str) -> (String, String) {
    (one.min(other).to_owned(), one.max(other).to_owned())
}

/// Enters a question, or one more message that waits for the same.
pub(super) async fn raise(review: &NewReview, connection: &mut Connection) -> Result<()> {
    query(
        "INSERT INTO reviews (id, message, at_us, patients, contradictions) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(review.id.as_bytes().to_vec())
    .bind(review.message.0.as_bytes().to_vec())
    .bind(review.at_us)
    .bind(words(&review.patients)?)
    .bind(words(&review.contradictions)?)
    .execute(&mut *connection)
    .await?;
    query(
        "INSERT INTO review_messages (review, message) SELECT review, ?2 FROM reviews WHERE id = ?1
         ON CONFLICT DO NOTHING",
    )
    .bind(review.id.as_bytes().to_vec())
    .bind(review.message.0.as_bytes().to_vec())
    .execute(connection)
    .await?;
    Ok(())
}

/// Enters what a message says of two ids, unless a person said something.
pub(super) async fn say(
    decision: &IdentityDecision,
    message: &JournalId,
    at_us: Micros,
    connection: &mut Connection,
) -> Result<()> {
    let (one, other) = ordered(&decision.one, &decision.other);
    query(
        "INSERT INTO identity_decisions (one, other, answer, decided_by, decided_us, of_person) VALUES (?, ?, ?, ?, ?, 0)
         ON CONFLICT (one, other) DO UPDATE SET answer = excluded.answer, decided_by = excluded.decided_by,
            decided_us = excluded.decided_us WHERE identity_decisions.of_person = 0",
    )
    .bind(one)
    .bind(other)
    .bind(number_of(decision.answer))
    .bind(message.0.to_string())
    .bind(at_us)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ids and codes as one text; neither has a space.
fn words(list: &[String]) -> Result<String> {
    let is_word = |word: &String| !word.is_empty() && !word.contains(char::is_whitespace);
    if list.iter().all(is_word) { Ok(list.join(" ")) } else { Err(Error::Conflict("a list of a review")) }
}

fn list(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn identifier(row: &Row) -> Result<PatientIdentifier> {
    Ok(PatientIdentifier { system: row.try_get(0)?, value: row.try_get(1)?, patient: row.try_get(2)? })
}

fn review(row: &Row) -> Result<Review> {
    let answered = match row.try_get::<Option<i64>, _>(5)? {
        Some(number) => Some((said(number)?, row.try_get(6)?, row.try_get(7)?)),
        None => None,
    };
    Ok(Review {
        question: NewReview {
            id: uuid(row.try_get(0)?)?,
            message: JournalId(uuid(row.try_get(1)?)?),
            at_us: row.try_get(2)?,
            patients: list(row.try_get(3)?),
            contradictions: list(row.try_get(4)?),
        },
        answered,
    })
}

/// The stored form of an answer.
fn number_of(answer: ReviewAnswer) -> i64 {
    match answer {
        ReviewAnswer::Different => 0,
        ReviewAnswer::Same => 1,
    }
}

fn said(number: i64) -> Result<ReviewAnswer> {
    [ReviewAnswer::Different, ReviewAnswer::Same]
        .into_iter()
        .find(|answer| number_of(*answer) == number)
        .ok_or(Error::Corrupt("the answer of a review"))
}

/// What a person did.
struct Act {
    answer: ReviewAnswer,
    by: String,
    at_us: Micros,
}

impl Act {
    async fn enter(&self, (one, other): (String, String), connection: &mut Connection) -> Result<()> {
        query(
            "INSERT INTO identity_decisions (one, other, answer, decided_by, decided_us, of_person) VALUES (?, ?, ?, ?, ?, 1)
             ON CONFLICT (one, other) DO UPDATE SET answer = excluded.answer, decided_by = excluded.decided_by,
                decided_us = excluded.decided_us, of_person = 1",
        )
        .bind(one)
        .bind(other)
        .bind(number_of(self.answer))
        .bind(&self.by)
        .bind(self.at_us)
        .execute(connection)
        .await?;
        Ok(())
    }
}

struct Answer {
    id: Uuid,
    instead_of: Option<ReviewAnswer>,
    act: Act,
    /// Written unless the same was said before.
    record: PreparedRecord,
}

#[async_trait]
impl Job for Answer {
    type Done = ();

    async fn run(&self, state: &mut State, connection: &mut Connection) -> Result<()> {
        let id = self.id.as_bytes().to_vec();
        let found: Option<(String, Option<i64>)> =
            query_as("SELECT patients, answer FROM reviews WHERE id = ?")
                .bind(&id)
                .fetch_optional(&mut *connection)
                .await?;
        let (patients, before) = found.ok_or(Error::NotFound)?;
        match before.map(said).transpose()? {
            Some(answer) if answer == self.act.answer => return Ok(()),
            standing if standing == self.instead_of => {}
            _ => return Err(Error::Conflict("the review was answered otherwise")),
        }
        let patients = list(&patients);
        for (index, one) in patients.iter().enumerate() {
            for other in patients.iter().skip(index + 1).filter(|other| *other != one) {
                self.act.enter(ordered(one, other), connection).await?;
            }
        }
        query("UPDATE reviews SET answer = ?2, answered_by = ?3, answered_us = ?4 WHERE id = ?1")
            .bind(&id)
            .bind(number_of(self.act.answer))
            .bind(&self.act.by)
            .bind(self.act.at_us)
            .execute(&mut *connection)
            .await?;
        query(
            "INSERT INTO reprocess_requests (message, requested_by, requested_us)
             SELECT m.id, ?2, ?3 FROM reviews r JOIN review_messages w ON w.review = r.review
                JOIN messages m ON m.id = w.message WHERE r.id = ?1 ORDER BY m.seq
             ON CONFLICT (message) WHERE outcome IS NULL DO NOTHING",
        )
        .bind(&id)
        .bind(&self.act.by)
        .bind(self.act.at_us)
        .execute(&mut *connection)
        .await?;
        state.write_records(std::iter::once(self.record.clone()), connection).await
    }

    fn weight(&self) -> (usize, usize) {
        (3, self.record.bytes.len())
    }
}

struct Decide {
    pair: (String, String),
    act: Act,
}

#[async_trait]
impl Job for Decide {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        let last: Option<Vec<u8>> = query_scalar(
            "SELECT m.id FROM message_patients p JOIN messages m ON m.seq = p.seq WHERE p.patient IN (?1, ?2)
             ORDER BY m.seq DESC LIMIT 1",
        )
        .bind(&self.pair.0)
        .bind(&self.pair.1)
        .fetch_optional(&mut *connection)
        .await?;
        let last = last.ok_or(Error::NotFound)?;
        self.act.enter(self.pair.clone(), connection).await?;
        query(
            "INSERT INTO reprocess_requests (message, requested_by, requested_us) VALUES (?, ?, ?)
             ON CONFLICT (message) WHERE outcome IS NULL DO NOTHING",
        )
        .bind(last)
        .bind(&self.act.by)
        .bind(self.act.at_us)
        .execute(&mut *connection)
        .await?;
        Ok(())
    }
}
