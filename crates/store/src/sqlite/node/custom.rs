//! The index of search parameters that packages define. At a start what is defined is compared with what is indexed; then the
//! resources of each type with a difference are walked over in parts, beside all other work. Writes keep up with it
//! from the start, so the walk looks at every resource that stood before; how far it has come is kept with each part.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use fhir::{Audience, CustomParameters, SearchParameter};
use serde_json::Value;

use super::job::Job;
use super::plan::{Indexed, Plan, number};
use super::state::State;
use crate::search_index::{Held, Pass};
use crate::sql::{Connection, query, query_as, query_scalar};
use crate::sqlite::body::unpack;
use crate::sqlite::{Role, Sqlite};
use crate::{Error, Indexing, KeptIndex, Result, SearchIndex};

/// Most resources of one part.
const PART_ROWS: i64 = 200;
/// Most bytes of the stored bodies of one part, unless one alone has more.
const PART_BYTES: i64 = 2 << 20;

const BUILDING: i64 = 0;
const LEAVING: i64 = 2;

/// A row of `custom_parameters`.
struct Known {
    generation: i64,
    definition: String,
    state: i64,
}

/// Each parameter that is defined, by resource type, with its generation.
type Generations = BTreeMap<&'static str, Vec<(&'static SearchParameter, i64)>>;
/// By resource type and code.
type Table = HashMap<(String, String), Vec<Known>>;

/// Compares what packages define with what is indexed, and notes what is to be made and what to be removed.
///
/// # Errors
/// When the database cannot be read or written.
pub(in crate::sqlite) async fn define(
    parameters: &CustomParameters,
    connection: &mut Connection,
) -> Result<SearchIndex> {
    let begin = connection.begin();
    query(begin).execute(&mut *connection).await?;
    match compared(parameters, connection).await {
        Ok(index) => {
            query("COMMIT").execute(&mut *connection).await?;
            Ok(index)
        }
        Err(error) => {
            let rolled_back = query("ROLLBACK").execute(&mut *connection).await;
            tracing::debug!(was_open = rolled_back.is_ok(), "a transaction of node.db failed");
            Err(error)
        }
    }
}

async fn compared(parameters: &CustomParameters, connection: &mut Connection) -> Result<SearchIndex> {
    let mut table = Table::new();
    let rows = query("SELECT resource_type, code, generation, definition, state FROM custom_parameters");
    for row in rows.fetch_all(&mut *connection).await? {
        let known =
            Known { generation: row.try_get(2)?, definition: row.try_get(3)?, state: row.try_get(4)? };
        table.entry((row.try_get(0)?, row.try_get(1)?)).or_default().push(known);
    }
    let (mut by_type, mut changed) = (Generations::new(), BTreeSet::<String>::new());
    for (of, defined) in parameters.types() {
        for parameter in defined {
            let known = table.remove(&(of.to_owned(), parameter.code.to_owned())).unwrap_or_default();
            let definition = parameter.custom.map_or("", |custom| custom.text.as_str());
            let generation =
                wanted((of, parameter.code), definition, known, &mut changed, connection).await?;
            by_type.entry(of).or_default().push((parameter, generation));
        }
    }
    for ((of, code), known) in table {
        for one in known.into_iter().filter(|one| one.state != LEAVING) {
            set_state((&of, &code), one.generation, LEAVING, connection).await?;
            changed.insert(of.clone());
        }
    }
    for of in changed {
        begin_pass(&of, connection).await?;
    }
    opened(by_type, connection).await
}

/// The generation of a definition; what stood under its code and says something else leaves.
async fn wanted(
    (of, code): (&'static str, &str),
    definition: &str,
    known: Vec<Known>,
    changed: &mut BTreeSet<String>,
    connection: &mut Connection,
) -> Result<i64> {
    let mut last = 0;
    let mut found = None;
    for one in known {
        last = last.max(one.generation);
        if one.definition != definition {
            if one.state != LEAVING {
                set_state((of, code), one.generation, LEAVING, connection).await?;
                changed.insert(of.to_owned());
            }
        } else if one.state == LEAVING {
            // Some of its rows may be gone, and what was written since has none.
            set_state((of, code), one.generation, BUILDING, connection).await?;
            changed.insert(of.to_owned());
            found = Some(one.generation);
        } else {
            found = Some(one.generation);
        }
    }
    if let Some(found) = found {
        return Ok(found);
    }
    query("INSERT INTO custom_parameters (resource_type, code, generation, definition, state) VALUES (?, ?, ?, ?, ?)")
        .bind(of)
        .bind(code)
        .bind(last + 1)
        .bind(definition)
        .bind(BUILDING)
        .execute(&mut *connection)
        .await?;
    changed.insert(of.to_owned());
    Ok(last + 1)
}

async fn set_state(
    (of, code): (&str, &str),
    generation: i64,
    state: i64,
    connection: &mut Connection,
) -> Result<()> {
    query("UPDATE custom_parameters SET state = ? WHERE resource_type = ? AND code = ? AND generation = ?")
        .bind(state)
        .bind(of)
        .bind(code)
        .bind(generation)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// A walk over all resources of a type, from the first; of none it is over at once.
async fn begin_pass(of: &str, connection: &mut Connection) -> Result<()> {
    query("DELETE FROM custom_passes WHERE resource_type = ?").bind(of).execute(&mut *connection).await?;
    let live: Option<i64> = query_scalar(
        "SELECT c.live FROM type_counts c JOIN resource_types t ON t.tid = c.tid WHERE t.name = ?",
    )
    .bind(of)
    .fetch_optional(&mut *connection)
    .await?;
    let live = live.unwrap_or(0);
    if live == 0 {
        return end_pass(of, connection).await;
    }
    query("INSERT INTO custom_passes (resource_type, through, done, total) VALUES (?, 0, 0, ?)")
        .bind(of)
        .bind(live)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

async fn end_pass(of: &str, connection: &mut Connection) -> Result<()> {
    for statement in [
        "UPDATE custom_parameters SET state = 1 WHERE resource_type = ? AND state = 0",
        "DELETE FROM custom_parameters WHERE resource_type = ? AND state = 2",
        "DELETE FROM custom_passes WHERE resource_type = ?",
    ] {
        query(statement).bind(of).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The index as it stands, with the walks that are not over.
async fn opened(by_type: Generations, connection: &mut Connection) -> Result<SearchIndex> {
    let ready: HashSet<(String, String, i64)> =
        query_as("SELECT resource_type, code, generation FROM custom_parameters WHERE state = 1")
            .fetch_all(&mut *connection)
            .await?
            .into_iter()
            .collect();
    let held = |of: &str, (parameter, generation): (&'static SearchParameter, i64)| {
        let is_ready = ready.contains(&(of.to_owned(), parameter.code.to_owned(), generation));
        Held::new(parameter, generation, is_ready)
    };
    let of_type =
        |(of, all): (&'static str, Vec<_>)| (of, all.into_iter().map(|one| held(of, one)).collect());
    let by_type = by_type.into_iter().map(of_type).collect();
    let mut passes = BTreeMap::new();
    for row in
        query("SELECT resource_type, done, total FROM custom_passes").fetch_all(&mut *connection).await?
    {
        let (of, done, total): (String, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let of = fhir::ResourceType::parse(&of).ok_or(Error::Corrupt("the name of a resource type"))?;
        passes.insert(of.as_str(), Pass::new(unsigned(done)?, unsigned(total)?));
    }
    Ok(SearchIndex::new(by_type, passes))
}

fn unsigned(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| Error::Corrupt("a count"))
}

/// Resources of one type whose rows are made again.
struct Part {
    of: &'static str,
    /// Where the walk stood when they were read.
    from: i64,
    /// The last of them.
    through: i64,
    resources: Vec<Indexed>,
    is_last: bool,
}

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It was written; so many were looked at so far.
    To(u64),
    /// It was the last.
    ToTheEnd,
    /// Another node had come further.
    Late,
}

#[async_trait]
impl Job for Part {
    type Done = Came;

    async fn run(&self, state: &mut State, connection: &mut Connection) -> Result<Came> {
        let stands: Option<(i64, i64)> =
            query_as("SELECT through, done FROM custom_passes WHERE resource_type = ?")
                .bind(self.of)
                .fetch_optional(&mut *connection)
                .await?;
        let Some((_, done)) = stands.filter(|(through, _)| *through == self.from) else {
            return Ok(Came::Late);
        };
        let mut plan =
            Plan::load(self.resources.iter().map(Indexed::of), &mut state.names, connection).await?;
        for resource in &self.resources {
            plan.reindex_custom(resource, &mut state.names, &mut state.counters)?;
        }
        plan.write(&mut state.counters, connection).await?;
        if self.is_last {
            end_pass(self.of, connection).await?;
            return Ok(Came::ToTheEnd);
        }
        let looked = i64::try_from(self.resources.len()).unwrap_or(i64::MAX);
        let done = done.saturating_add(looked);
        query("UPDATE custom_passes SET through = ?, done = ? WHERE resource_type = ?")
            .bind(self.through)
            .bind(done)
            .bind(self.of)
            .execute(&mut *connection)
            .await?;
        Ok(Came::To(unsigned(done)?))
    }

    fn weight(&self) -> (usize, usize) {
        (self.resources.len(), 0)
    }
}

#[async_trait]
impl Indexing for Sqlite {
    async fn index_more(&self) -> Result<bool> {
        let Some(pending) = self.index.pending().into_iter().next() else { return Ok(false) };
        let of = pending.resource_type;
        let from: Option<i64> = query_scalar("SELECT through FROM custom_passes WHERE resource_type = ?")
            .bind(of)
            .fetch_optional(&self.node)
            .await?;
        let came = match from {
            Some(from) => self.job(self.part(of, from).await?, None).await?,
            // Another node made the last part.
            None => Came::ToTheEnd,
        };
        match came {
            Came::To(done) => self.index.came_to(of, done),
            Came::ToTheEnd => self.index.over(of),
            Came::Late => {}
        }
        Ok(true)
    }
}

impl Sqlite {
    /// What the database says of search parameters that packages define; also of a store that is open for reading.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn kept_index(&self) -> Result<KeptIndex> {
        let ready: i64 = query_scalar("SELECT count(*) FROM custom_parameters WHERE state = 1")
            .fetch_one(&self.node)
            .await?;
        let building = query_as(
            "SELECT resource_type, code FROM custom_parameters WHERE state = 0 ORDER BY resource_type, code",
        );
        let mut kept = KeptIndex {
            ready: unsigned(ready)?,
            building: building.fetch_all(&self.node).await?,
            walks: Vec::new(),
        };
        let walks = query("SELECT resource_type, done, total FROM custom_passes ORDER BY resource_type");
        for row in walks.fetch_all(&self.node).await? {
            kept.walks.push((row.try_get(0)?, unsigned(row.try_get(1)?)?, unsigned(row.try_get(2)?)?));
        }
        Ok(kept)
    }

    /// The next resources of a walk, with their values: read and worked out before the writer is asked for anything.
    async fn part(&self, of: &'static str, from: i64) -> Result<Part> {
        let tid = self.published.names().type_number(of).ok_or(Error::Corrupt("a walk over no resources"))?;
        let sizes: Vec<(i64, i64)> = query_as(
            "SELECT rid, CAST(length(body) AS BIGINT) FROM resources
             WHERE tid = ? AND rid > ? AND version > 0 AND deleted = 0 ORDER BY rid LIMIT ?",
        )
        .bind(tid)
        .bind(from)
        .bind(PART_ROWS)
        .fetch_all(&self.node)
        .await?;
        let (mut bytes, mut through, mut taken) = (0_i64, from, 0);
        for (rid, size) in &sizes {
            bytes = bytes.saturating_add(*size);
            if taken > 0 && bytes > PART_BYTES {
                break;
            }
            (through, taken) = (*rid, taken + 1);
        }
        let is_last = taken == sizes.len() && i64::try_from(taken).unwrap_or(i64::MAX) < PART_ROWS;
        let rows = query(
            "SELECT id, version, body FROM resources
             WHERE tid = ? AND rid > ? AND rid <= ? AND version > 0 AND deleted = 0",
        )
        .bind(tid)
        .bind(from)
        .bind(through)
        .fetch_all(&self.node)
        .await?;
        let audience = audience(self.role);
        let mut resources = Vec::with_capacity(rows.len());
        for row in &rows {
            let body = unpack(row.try_get(2)?)?;
            let resource: Value = serde_json::from_slice(&body).map_err(|_| Error::Corrupt("a body"))?;
            resources.push(Indexed {
                resource_type: of,
                id: row.try_get(0)?,
                version: number(row.try_get(1)?)?,
                // The row of its compartment stays.
                patient: None,
                index: self.index.entries(&resource, audience),
            });
        }
        Ok(Part { of, from, through, resources, is_last })
    }
}

/// Who searches the resources of a role.
pub(in crate::sqlite) fn audience(role: Role) -> Audience {
    match role {
        Role::Clinical => Audience::Identified,
        Role::Portal => Audience::Deidentified,
    }
}
