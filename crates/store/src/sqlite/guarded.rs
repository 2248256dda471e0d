//! What clients changed, written after its guards held: both inside the writer's transaction.

use std::collections::HashMap;

use async_trait::async_trait;

use super::node::job::Job;
use super::node::names::Names;
use super::node::prepare::Defined;
use super::node::state::State;
use super::search;
use super::withdrawal::{CommitDecided, write_all};
use crate::sql::{Connection, Rows};
use crate::{Error, Guard, GuardedSet, ResourceKey, Result, Search, Total};

/// Matches that are looked for: one, and whether there is another.
const MATCHES: usize = 2;

/// Sets that are written together or not at all.
pub(super) struct CommitGuarded(Vec<(Vec<Guard>, CommitDecided)>);

impl CommitGuarded {
    /// Packs the sets; their records are written after all of them.
    pub fn new(sets: Vec<GuardedSet>, parameters: &Defined<'_>) -> Result<(Self, Vec<audit::Record>)> {
        let (mut packed, mut records) = (Vec::with_capacity(sets.len()), Vec::new());
        for GuardedSet { guards, set } in sets {
            let (set, own) = CommitDecided::new(set, parameters)?;
            packed.push((guards, set));
            records.extend(own);
        }
        Ok((Self(packed), records))
    }
}

#[async_trait]
impl Job for CommitGuarded {
    type Done = ();

    async fn run(&self, state: &mut State, connection: &mut Connection) -> Result<()> {
        let mut begun = 0;
        while let Some(rest) = self.0.get(begun..).filter(|rest| !rest.is_empty()) {
            // A search is of what is written, so the sets before it are.
            let together = rest.iter().skip(1).position(|(guards, _)| guards.iter().any(is_search));
            let run = rest.get(..together.map_or(rest.len(), |next| next + 1)).unwrap_or(rest);
            // What is read may be of this transaction, and is told by its names.
            state.names.save(connection).await?;
            let mut last = Last::read(run, &state.names, connection).await?;
            for (number, (guards, set)) in run.iter().enumerate() {
                for (guard, expected) in guards.iter().enumerate() {
                    if !holds(expected, &last, &state.names, connection).await? {
                        return Err(Error::Guard { set: begun + number, guard });
                    }
                }
                last.follow(set);
            }
            write_all(run.iter().map(|(_, set)| set), state, connection).await?;
            begun += run.len();
        }
        Ok(())
    }

    fn weight(&self) -> (usize, usize) {
        self.0.iter().map(|(_, set)| set.weight()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }
}

/// (version, whether it is the deletion) of resources that were ever written, by type and id: as they stand in the database, and
/// after the sets of a run that come before.
struct Last<'g>(HashMap<(&'static str, &'g str), (i64, bool)>);

impl<'g> Last<'g> {
    /// The last versions of all resources that the guards of a run name, in one statement.
    async fn read(
        run: &'g [(Vec<Guard>, CommitDecided)],
        names: &Names,
        connection: &mut Connection,
    ) -> Result<Self> {
        let mut asked = Rows::statement(
            "SELECT r.tid, r.id, r.version, r.deleted FROM (",
            ") AS asked CROSS JOIN resources r ON r.id = asked.column1 AND r.tid = asked.column2
             WHERE r.version > 0",
            2,
        );
        let mut keys: HashMap<(i64, &str), &ResourceKey> = HashMap::new();
        for guard in run.iter().flat_map(|(guards, _)| guards) {
            let key = match guard {
                Guard::Version { key, .. } | Guard::Live(key) | Guard::Absent(key) => key,
                Guard::NoMatch(_) | Guard::OnlyMatch { .. } => continue,
            };
            if let Some(tid) = names.type_number(key.resource_type.as_str())
                && keys.insert((tid, &key.id), key).is_none()
            {
                asked.push([key.id.as_str().into(), tid.into()]);
            }
        }
        let mut found = HashMap::new();
        for row in asked.fetch(connection).await? {
            let (tid, id): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
            if let Some(key) = keys.get(&(tid, id.as_str())) {
                let name = (key.resource_type.as_str(), key.id.as_str());
                found.insert(name, (row.try_get(2)?, row.try_get(3)?));
            }
        }
        Ok(Self(found))
    }

    /// From here on what a set writes is the last.
    fn follow(&mut self, set: &'g CommitDecided) {
        for (resource_type, id, version, deleted) in set.leaves() {
            self.0.insert((resource_type, id), (i64::from(version), deleted));
        }
    }

    fn of(&self, key: &ResourceKey) -> Option<(i64, bool)> {
        self.0.get(&(key.resource_type.as_str(), key.id.as_str())).copied()
    }
}

fn is_search(guard: &Guard) -> bool {
    match guard {
        Guard::NoMatch(_) | Guard::OnlyMatch { .. } => true,
        Guard::Version { .. } | Guard::Live(_) | Guard::Absent(_) => false,
    }
}

async fn holds(guard: &Guard, last: &Last<'_>, names: &Names, connection: &mut Connection) -> Result<bool> {
    Ok(match guard {
        Guard::Version { key, version } => last.of(key).map_or(0, |(last, _)| last) == i64::from(*version),
        Guard::Live(key) => last.of(key).is_some_and(|(_, deleted)| !deleted),
        Guard::Absent(key) => last.of(key).is_none_or(|(_, deleted)| deleted),
        Guard::NoMatch(search) => matching(search, names, connection).await?.as_deref() == Some(&[]),
        Guard::OnlyMatch { search, key } => {
            matching(search, names, connection).await?.as_deref() == Some(std::slice::from_ref(key))
        }
    })
}

/// What matches, two at most; `None` when that could not be found out within the limits of a search.
async fn matching(
    asked: &Search,
    names: &Names,
    connection: &mut Connection,
) -> Result<Option<Vec<ResourceKey>>> {
    let asked = Search { count: MATCHES, after: None, total: Total::None, ..asked.clone() };
    match search::read(&asked, names, connection).await {
        Ok(page) if page.examined_cut => Ok(None),
        Ok(page) => Ok(Some(page.matches.into_iter().map(|stored| stored.key).collect())),
        Err(Error::TooCostly(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
