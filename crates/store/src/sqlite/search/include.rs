//! What comes along with a page.

use std::collections::HashSet;

use sqlx::SqliteConnection;

use super::bodies;
use super::clauses::Candidate;
use crate::sqlite::codes::limit;
use crate::sqlite::node::entries::IndexRow;
use crate::sqlite::node::names::Names;
use crate::{INCLUDED_MAX, Include, Result, Stored};

/// The resources one step away from the matches, and whether there were more than [`INCLUDED_MAX`].
pub(super) async fn included(
    includes: &[Include],
    tid: i64,
    matches: &[Candidate],
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<(Vec<Stored>, bool)> {
    let own: HashSet<i64> = matches.iter().map(|candidate| candidate.rid).collect();
    let mut found = Vec::new();
    let mut seen = own.clone();
    let mut cut = false;
    for include in includes {
        let wanted = INCLUDED_MAX + 1;
        let numbers = match include {
            Include::Forward { parameters, target } => {
                let targets = targets(parameters, tid, matches, names);
                let target = target.map(|target| names.type_number(target.as_str()));
                of_type(targets, target, connection).await?
            }
            Include::Reverse { source, parameters } => {
                let Some(source) = names.type_number(source.as_str()) else { continue };
                sources(parameters, source, matches, wanted, names, connection).await?
            }
        };
        for number in numbers {
            if seen.insert(number) {
                found.push(number);
            }
        }
        if found.len() > INCLUDED_MAX {
            cut = true;
            found.truncate(INCLUDED_MAX);
            break;
        }
    }
    // Targets that are deleted, or not stored yet, have no body to show.
    let mut stored = bodies(&found, names, connection).await?;
    stored.retain(|stored| !stored.deleted);
    Ok((stored, cut))
}

/// Numbers of what the matches refer to, in the order of the matches.
fn targets(parameters: &[String], tid: i64, matches: &[Candidate], names: &Names) -> Vec<i64> {
    let pids: HashSet<i64> =
        parameters.iter().filter_map(|parameter| names.parameter_number(tid, parameter)).collect();
    let of = |row: &IndexRow| match row {
        IndexRow::Reference { pid, target } if pids.contains(pid) => Some(*target),
        _ => None,
    };
    matches.iter().flat_map(|candidate| candidate.rows.iter().filter_map(of)).collect()
}

/// Those of a type, where one is asked for; of a type without a number there are none.
async fn of_type(
    numbers: Vec<i64>,
    target: Option<Option<i64>>,
    connection: &mut SqliteConnection,
) -> Result<Vec<i64>> {
    let Some(target) = target else { return Ok(numbers) };
    let Some(target) = target else { return Ok(Vec::new()) };
    let mut kept = Vec::new();
    let mut asked =
        crate::sqlite::rows::Rows::statement("SELECT r.rid, r.tid FROM resources r WHERE r.rid IN (", ")", 1);
    let distinct: HashSet<i64> = numbers.iter().copied().collect();
    distinct.into_iter().for_each(|number| asked.push([number.into()]));
    let mut of: HashSet<i64> = HashSet::new();
    for row in asked.fetch(connection).await? {
        use sqlx::Row;
        if row.try_get::<i64, _>(1)? == target {
            of.insert(row.try_get(0)?);
        }
    }
    kept.extend(numbers.into_iter().filter(|number| of.contains(number)));
    Ok(kept)
}

/// Numbers of what refers to the matches.
async fn sources(
    parameters: &[String],
    source: i64,
    matches: &[Candidate],
    wanted: usize,
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for pid in parameters.iter().filter_map(|parameter| names.parameter_number(source, parameter)) {
        for candidate in matches {
            let left = wanted.saturating_sub(found.len());
            if left == 0 {
                return Ok(found);
            }
            let rids: Vec<i64> =
                sqlx::query_scalar("SELECT rid FROM ref WHERE pid = ? AND target = ? ORDER BY rid LIMIT ?")
                    .bind(pid)
                    .bind(candidate.rid)
                    .bind(limit(left))
                    .fetch_all(&mut *connection)
                    .await?;
            found.extend(rids);
        }
    }
    Ok(found)
}
