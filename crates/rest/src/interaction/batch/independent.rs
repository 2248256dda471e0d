//! A batch: each entry by itself, in their order.

use std::sync::Arc;

use serde_json::Value;

use super::entry::{Asked, Change};
use super::get::{get, refused};
use crate::audit::Access;
use crate::interaction::write::{Caller, Prefer};
use crate::outcome::Failure;
use crate::server::Server;

/// Does the entries; the answer has one for each.
///
/// # Errors
/// 503 when an access cannot be recorded.
pub(super) async fn run(
    caller: Caller<'_>,
    server: &Arc<Server>,
    entries: Vec<Result<Asked, Failure>>,
    prefer: Prefer,
) -> Result<Vec<Value>, Failure> {
    let mut answered = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let done = match entry {
            Err(failure) => Err(("Bundle", failure)),
            Ok(Asked::Get(asked)) => {
                let got = get(server, caller.client, caller.request, &asked).await;
                got.map_err(|failure| ("Bundle", failure))
            }
            Ok(Asked::Change(asked)) => {
                let of = asked.wanted.of.as_str();
                change(caller, &asked, prefer).await.map_err(|failure| (of, failure))
            }
        };
        answered.push(match done {
            Ok(entry) => entry,
            Err((of, failure)) => {
                let failure = failure.within(&format!("Bundle.entry[{index}]"));
                caller.record_refused(of, failure.status()).await?;
                refused(&failure)
            }
        });
    }
    Ok(answered)
}

async fn change(caller: Caller<'_>, asked: &Change, prefer: Prefer) -> Result<Value, Failure> {
    let done = caller.run(&asked.wanted).await?;
    if let Some(found) = done.found() {
        let resource_type = asked.wanted.of;
        let access = Access { client: caller.client, request: caller.request, resource_type };
        access.read(caller.server, "ok", Some(found)).await?;
    }
    done.reply().entry(caller.server, prefer)
}
