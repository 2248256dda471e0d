//! The work list of codes: counted with the messages, and asked for again when the code is mapped.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use super::Sqlite;
use super::codes::{limit as bounded, unsigned, uuid};
use super::coverage::day_of;
use super::node::job::Job;
use super::node::state::State;
use crate::code_items::{CODE_EXAMPLES_MAX, CODES_TOLD_APART_MAX};
use crate::coverage::Day;
use crate::sql::{Connection, Row, Rows, query, query_as, query_scalar};
use crate::{
    CodeItem, CodeItems, CodeState, Error, JournalId, MessageRow, Micros, MissedCode, Redriven, Result,
};

const ITEMS: &str = "SELECT item, code_table, sender, code, system, messages, first_day, last_day, state
    FROM code_items";

#[async_trait]
impl CodeItems for Sqlite {
    async fn code_items(&self, is_open: bool, limit: usize) -> Result<Vec<CodeItem>> {
        let which = match is_open {
            true => "state = ?1 ORDER BY messages DESC, item",
            false => "state <> ?1 ORDER BY last_day DESC, item DESC",
        };
        let sql = format!("{ITEMS} WHERE {which} LIMIT ?2");
        let query = query(AssertSqlSafe(sql)).bind(state_number(CodeState::Open)).bind(bounded(limit));
        let mut connection = self.node.begin().await?;
        let rows = query.fetch_all(&mut *connection).await?;
        let items = items(&rows, &mut connection).await?;
        connection.rollback().await?;
        Ok(items)
    }

    async fn unchecked(&self, package_hash: &str, limit: usize) -> Result<Vec<CodeItem>> {
        let sql = format!("{ITEMS} WHERE state = ? AND package_hash <> ? ORDER BY item LIMIT ?");
        let query = query(AssertSqlSafe(sql))
            .bind(state_number(CodeState::Open))
            .bind(package_hash)
            .bind(bounded(limit));
        let mut connection = self.node.begin().await?;
        let rows = query.fetch_all(&mut *connection).await?;
        let items = items(&rows, &mut connection).await?;
        connection.rollback().await?;
        Ok(items)
    }

    async fn checked(
        &self,
        package_hash: &str,
        items: &[(i64, bool)],
        records: Vec<audit::Record>,
    ) -> Result<()> {
        self.clinical()?;
        let (package_hash, items) = (package_hash.to_owned(), items.to_vec());
        self.job(Checked { package_hash, items }, records).await
    }

    async fn redrive(&self, limit: usize, requested_by: &str, at_us: Micros) -> Result<Option<Redriven>> {
        self.clinical()?;
        let (limit, requested_by) = (bounded(limit), requested_by.to_owned());
        self.job(Redrive { limit, requested_by, at_us }, None).await
    }
}

/// The stored form of a state.
fn state_number(state: CodeState) -> i64 {
    match state {
        CodeState::Open => 0,
        CodeState::Redriving => 1,
        CodeState::Mapped => 2,
    }
}

async fn items(rows: &[Row], connection: &mut Connection) -> Result<Vec<CodeItem>> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let item: i64 = row.try_get(0)?;
        let ids: Vec<Vec<u8>> = query_scalar(
            "SELECT m.id FROM code_examples e JOIN messages m ON m.seq = e.seq WHERE e.item = ? ORDER BY e.seq",
        )
        .bind(item)
        .fetch_all(&mut *connection)
        .await?;
        let code: String = row.try_get(3)?;
        let state: i64 = row.try_get(8)?;
        let states = [CodeState::Open, CodeState::Redriving, CodeState::Mapped];
        found.push(CodeItem {
            item,
            code: MissedCode {
                table: row.try_get(1)?,
                code: Some(code).filter(|code| !code.is_empty()),
                system: row.try_get(4)?,
            },
            sender: row.try_get(2)?,
            messages: unsigned(row.try_get(5)?)?,
            days: (row.try_get(6)?, row.try_get(7)?),
            state: states
                .into_iter()
                .find(|one| state_number(*one) == state)
                .ok_or(Error::Corrupt("the state of a code"))?,
            examples: ids.iter().map(|id| Ok(JournalId(uuid(id)?))).collect::<Result<_>>()?,
        });
    }
    Ok(found)
}

struct Checked {
    package_hash: String,
    items: Vec<(i64, bool)>,
}

#[async_trait]
impl Job for Checked {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        for (item, is_known) in &self.items {
            let next = if *is_known { CodeState::Redriving } else { CodeState::Open };
            query(
                "UPDATE code_items SET package_hash = ?, state = ?, asked_through = '' WHERE item = ? AND state = ?",
            )
            .bind(&self.package_hash)
            .bind(state_number(next))
            .bind(item)
            .bind(state_number(CodeState::Open))
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }

    fn weight(&self) -> (usize, usize) {
        (self.items.len(), 0)
    }
}

struct Redrive {
    limit: i64,
    requested_by: String,
    at_us: Micros,
}

#[async_trait]
impl Job for Redrive {
    type Done = Option<Redriven>;

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<Option<Redriven>> {
        let next: Option<(i64, String)> =
            query_as("SELECT item, asked_through FROM code_items WHERE state = ? ORDER BY item LIMIT 1")
                .bind(state_number(CodeState::Redriving))
                .fetch_optional(&mut *connection)
                .await?;
        let Some((item, through)) = next else { return Ok(None) };
        let subjects: Vec<(String, Vec<u8>)> = query_as(
            "SELECT subject, message FROM code_subjects WHERE item = ? AND subject > ? ORDER BY subject LIMIT ?",
        )
        .bind(item)
        .bind(&through)
        .bind(self.limit)
        .fetch_all(&mut *connection)
        .await?;
        // One message may stand for several patients.
        let messages: BTreeSet<&[u8]> = subjects.iter().map(|(_, message)| message.as_slice()).collect();
        let mut requested = 0;
        for message in messages {
            let made = query(
                "INSERT INTO reprocess_requests (message, requested_by, requested_us) VALUES (?, ?, ?)
                 ON CONFLICT (message) WHERE outcome IS NULL DO NOTHING",
            )
            .bind(message)
            .bind(&self.requested_by)
            .bind(self.at_us)
            .execute(&mut *connection)
            .await?;
            requested += made.rows_affected();
        }
        let is_last = i64::try_from(subjects.len()).unwrap_or(i64::MAX) < self.limit;
        let next = if is_last { CodeState::Mapped } else { CodeState::Redriving };
        query("UPDATE code_items SET state = ?, asked_through = ? WHERE item = ?")
            .bind(state_number(next))
            .bind(subjects.last().map(|(subject, _)| subject.as_str()).unwrap_or(&through))
            .bind(item)
            .execute(&mut *connection)
            .await?;
        if is_last {
            let all = query("DELETE FROM code_subjects WHERE item = ?");
            all.bind(item).execute(&mut *connection).await?;
        }
        Ok(Some(Redriven { item, requested, is_last }))
    }

    fn weight(&self) -> (usize, usize) {
        (usize::try_from(self.limit).unwrap_or(usize::MAX), 0)
    }
}

/// Table, sender, code; an empty code is what is no code.
type ItemKey = (String, String, String);

/// What a run of messages adds to one item.
struct Missed {
    system: Option<String>,
    messages: i64,
    first_day: Day,
    last_day: Day,
    package_hash: String,
    /// The newest messages.
    examples: Vec<i64>,
    /// Whom to derive again, and by which message.
    subjects: BTreeMap<String, Vec<u8>>,
}

/// What a run of messages adds.
#[derive(Default)]
pub(super) struct CodeCounts(BTreeMap<ItemKey, Missed>);

impl CodeCounts {
    /// Counts one code of a message.
    pub fn count(&mut self, message: &MessageRow, code: &MissedCode, subject: String) {
        let key = (code.table.clone(), message.sender.clone(), code.code.clone().unwrap_or_default());
        let day = day_of(message);
        let missed = self.0.entry(key).or_insert_with(|| Missed {
            system: code.system.clone(),
            messages: 0,
            first_day: day,
            last_day: day,
            package_hash: String::new(),
            examples: Vec::new(),
            subjects: BTreeMap::new(),
        });
        missed.messages += 1;
        (missed.first_day, missed.last_day) = (missed.first_day.min(day), missed.last_day.max(day));
        missed.package_hash.clone_from(&message.package_hash);
        missed.examples.push(message.seq.0);
        missed.subjects.insert(subject, message.id.0.as_bytes().to_vec());
    }

    /// Writes them.
    pub async fn write(self, connection: &mut Connection) -> Result<()> {
        for (key, missed) in self.0 {
            write_item(key, missed, connection).await?;
        }
        Ok(())
    }
}

async fn write_item(key: ItemKey, missed: Missed, connection: &mut Connection) -> Result<()> {
    let (table, sender, code) = told_apart(key, connection).await?;
    let item: i64 = query_scalar(
        "INSERT INTO code_items (code_table, sender, code, system, messages, first_day, last_day, state, package_hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (code_table, sender, code) DO UPDATE SET messages = code_items.messages + excluded.messages,
            first_day = CASE WHEN excluded.first_day < code_items.first_day THEN excluded.first_day ELSE code_items.first_day END,
            last_day = CASE WHEN excluded.last_day > code_items.last_day THEN excluded.last_day ELSE code_items.last_day END,
            state = excluded.state, package_hash = excluded.package_hash, asked_through = ''
         RETURNING item",
    )
    .bind(table)
    .bind(sender)
    .bind(code)
    .bind(missed.system)
    .bind(missed.messages)
    .bind(missed.first_day)
    .bind(missed.last_day)
    .bind(state_number(CodeState::Open))
    .bind(missed.package_hash)
    .fetch_one(&mut *connection)
    .await?;
    let ignore = "ON CONFLICT DO NOTHING";
    let mut examples = Rows::statement("INSERT INTO code_examples (item, seq)", ignore, 2);
    let newest = missed.examples.iter().rev().take(CODE_EXAMPLES_MAX);
    newest.for_each(|seq| examples.push([item.into(), (*seq).into()]));
    examples.execute(connection).await?;
    query(
        "DELETE FROM code_examples WHERE item = ?1 AND seq NOT IN (
            SELECT seq FROM code_examples WHERE item = ?1 ORDER BY seq DESC LIMIT ?2)",
    )
    .bind(item)
    .bind(bounded(CODE_EXAMPLES_MAX))
    .execute(&mut *connection)
    .await?;
    let mut subjects = Rows::statement(
        "INSERT INTO code_subjects (item, subject, message)",
        "ON CONFLICT (item, subject) DO UPDATE SET message = excluded.message",
        3,
    );
    for (subject, message) in missed.subjects {
        subjects.push([item.into(), subject.into(), message.into()]);
    }
    subjects.execute(connection).await
}

/// The key of the item that a code counts for: its own, or that of what is no code when there are too many.
async fn told_apart(key: ItemKey, connection: &mut Connection) -> Result<ItemKey> {
    let (table, sender, code) = key;
    let (is_there, others): (bool, i64) = query_as(
        "SELECT count(*) FILTER (WHERE code = ?3) > 0, count(*) FROM code_items WHERE code_table = ?1 AND sender = ?2",
    )
    .bind(&table)
    .bind(&sender)
    .bind(&code)
    .fetch_one(connection)
    .await?;
    let has_room = others < bounded(CODES_TOLD_APART_MAX);
    Ok(if is_there || has_room { (table, sender, code) } else { (table, sender, String::new()) })
}
