//! Index rows made again at a start, when this program extracts from a resource what the one before did not. Nothing is
//! read before it ends, so that no search gives part of what there is; when it is interrupted it goes on where it was.

use fhir::Audience;
use serde_json::Value;

use super::custom::audience;
use super::plan::{Indexed, Plan, number};
use super::state::State;
use crate::sql::{Connection, query, query_as};
use crate::sqlite::Role;
use crate::sqlite::body::unpack;
use crate::{Error, IndexEntry, Result, SearchIndex};

/// Raised whenever [`fhir::index_entries`] gives something else for the same resource, or its rows are made otherwise.
const EPOCH: i64 = 2;
/// Resources of one transaction.
const CHUNK: i64 = 500;

/// Brings the index to this program's extraction.
///
/// # Errors
/// When a body or a row cannot be read, or the database not written.
pub(in crate::sqlite) async fn reindex(
    role: Role,
    index: &SearchIndex,
    connection: &mut Connection,
) -> Result<()> {
    let (epoch, mut through): (i64, i64) =
        query_as("SELECT epoch, through FROM index_state").fetch_one(&mut *connection).await?;
    if epoch > EPOCH {
        return Err(Error::NewerSchema);
    }
    if epoch == EPOCH {
        return Ok(());
    }
    let mut state = State::load(connection, role == Role::Clinical, index.clone()).await?;
    if state.counters.rid > 0 {
        tracing::info!("the search index is made again; the start waits for it");
    }
    loop {
        let begin = connection.begin();
        query(begin).execute(&mut *connection).await?;
        let done = chunk(audience(role), through, &mut state, connection).await;
        let (epoch_now, next) = match done {
            Ok(Some(last)) => (epoch, last),
            Ok(None) => (EPOCH, 0),
            Err(error) => {
                let rolled_back = query("ROLLBACK").execute(&mut *connection).await;
                tracing::debug!(was_open = rolled_back.is_ok(), "a transaction of node.db failed");
                return Err(error);
            }
        };
        query("UPDATE index_state SET epoch = ?, through = ?")
            .bind(epoch_now)
            .bind(next)
            .execute(&mut *connection)
            .await?;
        query("COMMIT").execute(&mut *connection).await?;
        state.names.committed();
        if epoch_now == EPOCH {
            return Ok(());
        }
        through = next;
    }
}

/// The next live resources; the number of the last one, or `None` when there were none.
async fn chunk(
    audience: Audience,
    after: i64,
    state: &mut State,
    connection: &mut Connection,
) -> Result<Option<i64>> {
    let rows = query(
        "SELECT rid, tid, id, version, patient, body FROM resources
         WHERE rid > ? AND version > 0 AND deleted = 0 ORDER BY rid LIMIT ?",
    )
    .bind(after)
    .bind(CHUNK)
    .fetch_all(&mut *connection)
    .await?;
    let mut last = None;
    let mut read = Vec::with_capacity(rows.len());
    for row in &rows {
        last = Some(row.try_get::<i64, _>(0)?);
        let body = unpack(row.try_get(5)?)?;
        let resource: Value = serde_json::from_slice(&body).map_err(|_| Error::Corrupt("a body"))?;
        let mut index = IndexEntry::all_of(&resource, audience);
        index.extend(state.names.index.entries(&resource, audience));
        read.push(Indexed {
            resource_type: state.names.resource_type(row.try_get(1)?)?.as_str(),
            id: row.try_get(2)?,
            version: number(row.try_get(3)?)?,
            patient: row.try_get(4)?,
            index,
        });
    }
    let mut plan = Plan::load(read.iter().map(Indexed::of), &mut state.names, connection).await?;
    for indexed in &read {
        plan.reindex(indexed, &mut state.names, &mut state.counters)?;
    }
    plan.write(&mut state.counters, connection).await?;
    state.names.save(connection).await?;
    Ok(last)
}
