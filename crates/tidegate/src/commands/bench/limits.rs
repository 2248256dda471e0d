//! What the journal's writer can do without anything around it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use store::sqlite::{Options, Role, Sqlite};
use store::{Arrival, Disposition, Journal, JournalId, NewAcknowledgment, SenderKey};
use tokio::task::JoinSet;

use super::per_second;
use crate::generate::{Feed, Generated};
use crate::{Exit, Failure, clock};

/// Messages that are appended, over and over under new ids.
const SAMPLE: usize = 64;
/// Bytes of an acknowledgment.
const ACKNOWLEDGMENT_BYTES: usize = 150;

/// Appends a second, when so many wait for their commits at a time. Same files, settings and code as a node's journal.
pub(super) async fn appends_per_s(folder: &Path, waiters: u16, slice: Duration) -> Result<f64, Failure> {
    let failed = |error: store::Error| Failure::because(Exit::Io, &error);
    let options = Options { synchronous_full: true, read_connections: 1, now_us: clock::now_us };
    let store = Sqlite::open(folder, Role::Clinical, options).await.map_err(failed)?;
    let sample: Arc<Vec<Generated>> = Arc::new(Feed::new(1).take(SAMPLE).collect());
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..waiters {
        let (store, sample) = (Arc::clone(&store), Arc::clone(&sample));
        tasks.spawn(async move {
            let mut written = 0;
            for message in sample.iter().cycle() {
                if begun.elapsed() >= slice {
                    break;
                }
                store.append(arrival(message)).await?;
                written += 1;
            }
            Ok::<usize, store::Error>(written)
        });
    }
    let mut written = 0;
    for outcome in tasks.join_all().await {
        written += outcome.map_err(failed)?;
    }
    let rate = per_second(written, begun);
    store.close().await.map_err(failed)?;
    Ok(rate)
}

fn arrival(message: &Generated) -> Arrival {
    let id = clock::new_id();
    let (application, facility) = message.system.sender();
    Arrival {
        id: JournalId(id),
        channel: "emr".to_owned(),
        peer: "127.0.0.1:1".to_owned(),
        received_us: clock::now_us(),
        bytes: Bytes::from(message.er7.clone()),
        sender: Some(SenderKey {
            application: application.into(),
            facility: facility.into(),
            control_id: id.to_string().into_bytes(),
        }),
        disposition: Disposition::Accepted,
        acknowledgment: Some(NewAcknowledgment {
            code: "AA".to_owned(),
            bytes: Bytes::from(vec![b'a'; ACKNOWLEDGMENT_BYTES]),
            is_owed: true,
        }),
        promise: None,
        parent: None,
        charset: None,
    }
}
