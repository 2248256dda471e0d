//! What clients changed, written after its guards held: both inside the writer's transaction.

use async_trait::async_trait;
use sqlx::{Row, SqliteConnection};

use super::node::job::Job;
use super::node::names::Names;
use super::node::state::State;
use super::search;
use super::withdrawal::CommitDecided;
use crate::{Error, Guard, GuardedSet, ResourceKey, Result, Search, Total};

/// Matches that are looked for: one, and whether there is another.
const MATCHES: usize = 2;

/// Sets that are written together or not at all.
pub(super) struct CommitGuarded(Vec<(Vec<Guard>, CommitDecided)>);

impl CommitGuarded {
    /// Packs the sets; their records are written after all of them.
    pub fn new(sets: Vec<GuardedSet>) -> Result<(Self, Vec<audit::Record>)> {
        let (mut packed, mut records) = (Vec::with_capacity(sets.len()), Vec::new());
        for GuardedSet { guards, set } in sets {
            let (set, own) = CommitDecided::new(set)?;
            packed.push((guards, set));
            records.extend(own);
        }
        Ok((Self(packed), records))
    }
}

#[async_trait]
impl Job for CommitGuarded {
    type Done = ();

    async fn run(&self, state: &mut State, connection: &mut SqliteConnection) -> Result<()> {
        for (position, (guards, set)) in self.0.iter().enumerate() {
            for (guard, expected) in guards.iter().enumerate() {
                if !holds(expected, &state.names, connection).await? {
                    return Err(Error::Guard { set: position, guard });
                }
            }
            set.run(state, connection).await?;
        }
        Ok(())
    }

    fn weight(&self) -> (usize, usize) {
        self.0.iter().map(|(_, set)| set.weight()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }
}

async fn holds(guard: &Guard, names: &Names, connection: &mut SqliteConnection) -> Result<bool> {
    Ok(match guard {
        Guard::Version { key, version } => {
            last(key, names, connection).await?.map_or(0, |(last, _)| last) == i64::from(*version)
        }
        Guard::Live(key) => last(key, names, connection).await?.is_some_and(|(_, deleted)| !deleted),
        Guard::Absent(key) => last(key, names, connection).await?.is_none_or(|(_, deleted)| deleted),
        Guard::NoMatch(search) => matching(search, names, connection).await?.as_deref() == Some(&[]),
        Guard::OnlyMatch { search, key } => {
            matching(search, names, connection).await?.as_deref() == Some(std::slice::from_ref(key))
        }
    })
}

/// The last version of a resource, and whether it is the deletion.
async fn last(
    key: &ResourceKey,
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<Option<(i64, bool)>> {
    let Some(tid) = names.type_number(key.resource_type.as_str()) else { return Ok(None) };
    let found =
        sqlx::query("SELECT version, deleted FROM resources WHERE id = ? AND tid = ? AND version > 0")
            .bind(&key.id)
            .bind(tid)
            .fetch_optional(connection)
            .await?;
    found.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// What matches, two at most; `None` when that could not be found out within the limits of a search.
async fn matching(
    asked: &Search,
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<Option<Vec<ResourceKey>>> {
    let Some(tid) = names.type_number(asked.resource_type.as_str()) else { return Ok(Some(Vec::new())) };
    let asked = Search { count: MATCHES, after: None, total: Total::None, ..asked.clone() };
    match search::read(&asked, tid, names, connection).await {
        Ok(page) if page.examined_cut => Ok(None),
        Ok(page) => Ok(Some(page.matches.into_iter().map(|stored| stored.key).collect())),
        Err(Error::TooCostly(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
