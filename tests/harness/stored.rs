//! What a stopped node left on disk, through the store's ports.

use std::path::Path;
use std::sync::Arc;

use audit::{Kind, Record};
use serde_json::Value;
use store::sqlite::{Options, Role, Sqlite};
use store::{DeliveryRow, Journal as _, Ledger as _, MessageFilter, MessageRow, Messages as _, Seq};

const ALL: usize = 10_000;

/// Opens a clinical node's store; the node must be stopped.
///
/// # Panics
/// When it cannot be opened.
pub async fn clinical(data: &Path) -> Arc<Sqlite> {
    open(data, Role::Clinical).await
}

/// Opens a portal node's store; the node must be stopped.
///
/// # Panics
/// When it cannot be opened.
pub async fn portal(data: &Path) -> Arc<Sqlite> {
    open(data, Role::Portal).await
}

async fn open(data: &Path, role: Role) -> Arc<Sqlite> {
    let options = Options { synchronous_full: true, read_connections: 2, now_us: tidegate::clock::now_us };
    Sqlite::open(data, role, options).await.expect("the store of a stopped node can be opened")
}

/// Closes a store, so that a node can open it again.
///
/// # Panics
/// When it cannot be closed.
pub async fn close(store: Arc<Sqlite>) {
    store.close().await.expect("the store can be closed");
}

/// Every message row, oldest first.
///
/// # Panics
/// When the store cannot be read.
pub async fn messages(store: &Sqlite) -> Vec<MessageRow> {
    let mut rows = store.list(&MessageFilter::default(), None, ALL).await.expect("messages can be listed");
    rows.reverse();
    rows
}

/// Every journal entry, oldest first.
///
/// # Panics
/// When the store cannot be read.
pub async fn journal(store: &Sqlite) -> Vec<store::Entry> {
    store.after(Seq(0), ALL).await.expect("the journal can be read")
}

/// Every delivery, message by message.
///
/// # Panics
/// When the store cannot be read.
pub async fn deliveries(store: &Sqlite) -> Vec<DeliveryRow> {
    let mut all = Vec::new();
    for row in messages(store).await {
        let detail =
            store.detail(row.id).await.expect("a message can be read").expect("a listed message exists");
        all.extend(detail.deliveries);
    }
    all
}

/// Every sealed record: its kind and its JSON, in ledger order.
///
/// # Panics
/// When the ledger cannot be read.
pub async fn records(store: &Sqlite) -> Vec<(Kind, Value)> {
    let rows = store.leaves(0, ALL).await.expect("the ledger can be read");
    let read = |row: store::LedgerRow| {
        let kind = Record::from_bytes(&row.record).expect("a record can be read").kind();
        (kind, serde_json::from_slice(&row.record).expect("a record is JSON"))
    };
    rows.into_iter().map(read).collect()
}

/// How many records are of this kind.
pub async fn count_records(store: &Sqlite, kind: Kind) -> usize {
    records(store).await.iter().filter(|(other, _)| *other == kind).count()
}

/// The object of a name in a record's JSON; empty when it has none.
pub fn object(record: &Value, name: &str) -> String {
    objects(record, name).into_iter().next().unwrap_or_default()
}

/// Every object of a name in a record's JSON.
pub fn objects(record: &Value, name: &str) -> Vec<String> {
    let pairs = record["objects"].as_array().into_iter().flatten();
    pairs.filter(|pair| pair[0] == name).filter_map(|pair| pair[1].as_str().map(ToOwned::to_owned)).collect()
}

/// The receipt that a portal keeps of a delivery.
///
/// # Panics
/// When it keeps none.
pub async fn receipt(store: &Sqlite, delivery: uuid::Uuid) -> String {
    store::Intake::receipt(store, delivery).await.expect("receipts can be read").expect("the receipt is kept")
}
