//! The stores: readable by this program, and not from the future.

use store::sqlite::Sqlite;
use store::{KeptIndex, Ledger};

use super::Finding;
use crate::config::{Config, Role};
use crate::{clock, database};

/// How far clocks of one machine may seem apart.
const SKEW_US: i64 = 2_000_000;

/// What there is to say of the stores and the clock.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    if is_to_be_made(config).await {
        return vec![Finding::ok("stores", "none yet; they are made when the node starts")];
    }
    let store = match database::open_reading(config, 1).await {
        Ok(store) => store,
        Err(error) => return vec![unreadable(&error)],
    };
    let newest = newest_us(&store).await;
    let outgoing = outgoing(&store, config.role).await;
    let index = store.kept_index().await;
    let closed = store.close().await;
    match (newest, outgoing, index, closed) {
        (Err(error), ..) | (_, Err(error), ..) | (_, _, Err(error), _) | (.., Err(error)) => {
            vec![unreadable(&error)]
        }
        (Ok(newest), Ok(outgoing), Ok(index), Ok(())) => {
            let mut findings = vec![Finding::ok("stores", "this program can read them"), clock(newest)];
            findings.extend(outgoing);
            findings.extend(search_parameters(&index));
            findings
        }
    }
}

/// Nothing was ever kept. What cannot be found out is not taken for that.
async fn is_to_be_made(config: &Config) -> bool {
    #[cfg(feature = "postgres")]
    if let Some(store) = &config.store {
        let Ok(address) = database::address(&store.postgres) else { return false };
        let found = store::postgres::inspect(&address, database::role(config.role)).await;
        return found.is_ok_and(|found| found.schema == store::postgres::SchemaFound::None);
    }
    !config.data.join("node.db").exists()
}

#[cfg(feature = "clinical")]
async fn outgoing(store: &Sqlite, role: Role) -> store::Result<Vec<Finding>> {
    match role {
        Role::Clinical => super::outgoing::findings(store, clock::now_us()).await,
        Role::Portal => Ok(Vec::new()),
    }
}

/// A cloud node delivers nothing.
#[cfg(not(feature = "clinical"))]
async fn outgoing(_: &Sqlite, _: Role) -> store::Result<Vec<Finding>> {
    Ok(Vec::new())
}

/// How far the index is of search parameters that packages define; nothing where there are none.
fn search_parameters(index: &KeptIndex) -> Option<Finding> {
    let KeptIndex { ready, building, walks } = index;
    if walks.is_empty() {
        let words = format!("{ready} of packages, all of them indexed");
        return (*ready > 0).then(|| Finding::ok("search parameters", words));
    }
    let percent = |(of, done, total): &(String, u64, u64)| {
        format!("{of}: {} % of {total} resources", done.saturating_mul(100) / (*total).max(1))
    };
    let walked: Vec<String> = walks.iter().map(percent).collect();
    let waiting: Vec<String> = building.iter().map(|(of, code)| format!("{of}.{code}")).collect();
    let waiting = if waiting.is_empty() {
        "rows of parameters that went are removed".to_owned()
    } else {
        format!("not indexed yet: {}", waiting.join(", "))
    };
    let words = format!("{waiting} ({})", walked.join("; "));
    Some(Finding::warn(
        "search parameters",
        words,
        "let the node run; until then a search by them is refused",
    ))
}

fn unreadable(error: &store::Error) -> Finding {
    let words = crate::Failure::because(crate::Exit::Io, error).words;
    let fix = match error {
        store::Error::NewerSchema => "a newer Tidegate wrote them: install that version",
        store::Error::Unavailable(_) => {
            "start the node once, which brings them up to date; run this as its user"
        }
        _ => "restore the folder from the backup, then run `tidegate audit verify`",
    };
    Finding::fail("stores", words, fix)
}

/// When the newest sealed record was made.
async fn newest_us(store: &Sqlite) -> store::Result<Option<i64>> {
    let Some((size, _)) = store.latest_checkpoint().await? else { return Ok(None) };
    let rows = store.leaves(size.saturating_sub(1), 1).await?;
    let record = rows.first().and_then(|row| audit::Record::from_bytes(&row.record).ok());
    Ok(record.map(|record| record.at_us()))
}

fn clock(newest_us: Option<i64>) -> Finding {
    match newest_us {
        Some(newest_us) if newest_us > clock::now_us().saturating_add(SKEW_US) => {
            let seconds = newest_us.saturating_sub(clock::now_us()) / 1_000_000;
            Finding::fail(
                "clock",
                format!("{seconds} s before the newest record of the ledger"),
                "set the clock (an NTP service) before the node starts",
            )
        }
        Some(_) => Finding::ok("clock", "after the newest record of the ledger"),
        None => Finding::ok("clock", "no sealed record to compare with"),
    }
}
