//! The index of an earlier program, made again at the start of this one.

use std::path::Path;

use sqlx::{AssertSqlSafe, ConnectOptions};
use store::sqlite::{Role, Sqlite};
use store::{Apply, Clause, Error, QuantityValue, ResourceVersion, Resources, Search, TokenValue, WriteSet};

use crate::samples::{real, set};
use crate::sqlite::{Folder, options};

/// Runs a statement on a closed store's file as another program would.
async fn tamper(path: &Path, sql: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.expect("opens");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("changes");
    sqlx::Connection::close(connection).await.expect("closes");
}

/// A set of one observation that a laboratory could only bound.
fn bounded(seq: i64) -> WriteSet {
    let resource = serde_json::json!({"resourceType": "Observation", "id": format!("o{seq}"), "status": "final",
        "code": {"coding": [{"code": "x"}]}, "subject": {"identifier": {"value": "M1"}},
        "valueQuantity": {"value": 5, "comparator": "<", "unit": "mg"}});
    let version: ResourceVersion = real(&resource);
    WriteSet { versions: vec![version], ..set(seq) }
}

async fn found(store: &Sqlite, clause: Clause) -> usize {
    let of = fhir::ResourceType::parse("Observation").expect("a type");
    let asked = Search { clauses: vec![clause], ..Search::of(of, 100) };
    Resources::search(store, &asked).await.expect("searches").matches.len()
}

#[tokio::test]
async fn an_index_of_an_earlier_program_is_made_again_at_the_start() {
    let folder = Folder::new();
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    for seq in 1..=3 {
        Apply::commit(&*store, bounded(seq)).await.expect("commits");
    }
    store.close().await.expect("closes");
    let token = |parameter: &str, code: &str| Clause::Token {
        parameter: parameter.into(),
        values: vec![TokenValue { system: None, code: Some(code.into()) }],
        not: false,
    };
    let below = || Clause::Number {
        parameter: "value-quantity".into(),
        values: vec![QuantityValue {
            number: fhir::NumberMatch::parse("lt6").expect("a number"),
            system: None,
            unit: None,
        }],
    };
    let file = folder.0.join("node.db");
    // As far as it got: the first resource is done, the others have the rows of a program that knew less.
    for (state, again) in [
        ("epoch = 0, through = 0", 3),
        ("epoch = 0, through = (SELECT min(rid) FROM resources WHERE id = 'o1')", 2),
        ("epoch = 1, through = 0", 3),
        ("epoch = 2, through = 0", 0),
    ] {
        tamper(&file, &format!("UPDATE index_state SET {state}; DELETE FROM tok; DELETE FROM num; UPDATE resources SET entries = x''")).await;
        let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
        for clause in [token("code", "x"), token("subject:identifier", "m1"), below()] {
            assert_eq!(found(&store, clause).await, again, "{state}");
        }
        store.close().await.expect("closes");
    }
    tamper(&file, "UPDATE index_state SET epoch = 99").await;
    let newer = Sqlite::open(&folder.0, Role::Clinical, options()).await;
    assert!(matches!(newer, Err(Error::NewerSchema)));
}
