//! The stores: readable by this program, and not from the future.

use store::Ledger;
use store::sqlite::Sqlite;

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
    let closed = store.close().await;
    match (newest, outgoing, closed) {
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => vec![unreadable(&error)],
        (Ok(newest), Ok(outgoing), Ok(())) => {
            let mut findings = vec![Finding::ok("stores", "this program can read them"), clock(newest)];
            findings.extend(outgoing);
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
