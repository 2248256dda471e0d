//! How SQLite runs each statement of a search: by an index, never over a whole table.

use fhir::{DateMatch, NumberMatch, PREFIXES, Prefix, SearchKind};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::clauses::compile;
use super::scan::{Scan, all_statement};
use super::{TOO_MANY_TO_COUNT, TOO_MANY_TO_SORT, TOO_MANY_TO_TEST, count_statement};
use crate::sqlite::history::{OF_ONE, OF_TYPE};
use crate::sqlite::node::names::Names;
use crate::sqlite::rows::{Value, arguments};
use crate::sqlite::{Options, Role, Sqlite};
use crate::{COUNTED_MAX, Clause, Position, QuantityValue, SORTED_MAX, SortValue, TextMatch, TokenValue};

/// What SQLite says of a statement; `SCAN d` walks over what a driver selected.
async fn plan(sql: String, values: Vec<Value>, connection: &mut SqliteConnection) -> Vec<String> {
    let values = arguments(values).expect("arguments");
    let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query_with(explained, values).fetch_all(connection).await.expect(&sql);
    rows.iter().map(|row| row.try_get::<String, _>(3).expect("a detail")).collect()
}

fn clauses() -> Vec<Clause> {
    let parameter = || "p".to_owned();
    let token = |system: Option<&str>| Clause::Token {
        parameter: parameter(),
        values: vec![TokenValue { system: system.map(str::to_owned), code: Some("c".into()) }],
        not: false,
    };
    let mut clauses = vec![
        Clause::Id(vec!["a".into(), "b".into()]),
        token(Some("")),
        Clause::Reference { parameter: parameter(), values: vec![(None, "x".into())] },
        Clause::Uri { parameter: parameter(), values: vec!["urn:x".into()] },
    ];
    for how in [TextMatch::Start, TextMatch::Exact] {
        clauses.push(Clause::Text { parameter: parameter(), values: vec!["x".into()], how });
    }
    for (_, prefix) in PREFIXES {
        let date = DateMatch { prefix, low_us: 0, high_us: 1 };
        clauses.push(Clause::Updated(vec![date]));
        if prefix != Prefix::Approximate {
            clauses.push(Clause::Date { parameter: parameter(), values: vec![date] });
        }
        let number = NumberMatch { prefix, value: 1.0, low: 0.5, high: 1.5 };
        let value = QuantityValue { number, system: None, unit: Some("mg".into()) };
        clauses.push(Clause::Number { parameter: parameter(), values: vec![value] });
    }
    clauses
}

fn walks() -> Vec<(Scan<'static>, SortValue)> {
    let text = || SortValue::Text("a".into(), "0".into());
    let mut walks = vec![(Scan::Numbers(None), SortValue::Missing), (Scan::Missing, SortValue::Missing)];
    for descending in [false, true] {
        walks.push((Scan::Updates { descending }, SortValue::Interval(0, 0)));
        walks.push((Scan::Values { kind: SearchKind::Date, pid: 1, descending }, SortValue::Interval(0, 0)));
        walks.push((Scan::Values { kind: SearchKind::Token, pid: 1, descending }, text()));
        walks.push((Scan::Values { kind: SearchKind::String, pid: 1, descending }, text()));
    }
    walks
}

/// The statements that a search or a history can be made of.
async fn statements(connection: &mut SqliteConnection) -> Vec<(String, Vec<Value>)> {
    let (names, tid) = (Names::default(), 1);
    let mut statements = vec![
        (OF_ONE.to_owned(), vec![1_i64.into(), 2_i64.into(), 3_i64.into()]),
        (OF_TYPE.to_owned(), vec![1_i64.into(), 2_i64.into(), 3_i64.into()]),
    ];
    for clause in clauses() {
        let mut driver =
            compile(&clause, tid, &names, connection).await.expect("compiles").driver.expect("drives");
        if driver.texts.is_empty() {
            // A target that is not stored: what would be asked of one that is.
            driver
                .texts
                .push(("SELECT rid FROM ref WHERE pid = ? AND target = ?".into(), vec![1_i64.into(); 2]));
        }
        statements.push(count_statement(&driver, SORTED_MAX));
        statements.push(all_statement(&driver, tid));
        if driver.ordered {
            statements.push(Scan::Numbers(Some(&driver)).statement(tid, None, 10).expect("a statement"));
        }
    }
    for (walk, key) in walks() {
        let after = Position { keys: vec![key], number: 7 };
        statements.push(walk.statement(tid, Some(&after), 10).expect("a statement"));
        statements.push(walk.statement(tid, None, 10).expect("a statement"));
    }
    statements
}

#[tokio::test]
async fn no_statement_walks_over_a_whole_table_or_sorts_a_type() {
    let folder = std::env::temp_dir().join(format!("store-plans-{}", uuid::Uuid::new_v4()));
    let options = Options { synchronous_full: false, read_connections: 1, now_us: || 0 };
    let store = Sqlite::open(&folder, Role::Portal, options).await.expect("opens");
    let mut connection = store.node.acquire().await.expect("connects");
    let mut used = std::collections::BTreeSet::new();
    for (sql, values) in statements(&mut connection).await {
        let lines = plan(sql.clone(), values, &mut connection).await;
        for line in &lines {
            let own = line.starts_with("SCAN d") || line.starts_with("SCAN (subquery");
            assert!(!line.starts_with("SCAN") || own, "{sql}\n{lines:#?}");
            let sorts = line.contains("USE TEMP B-TREE FOR ORDER BY") && !sql.contains("resource_versions v");
            assert!(!sorts, "{sql}\n{lines:#?}");
            if line.starts_with("SEARCH") {
                used.insert(line.clone());
            }
        }
        assert!(lines.iter().any(|line| line.starts_with("SEARCH")), "{sql}\n{lines:#?}");
    }
    drop(connection);
    store.close().await.expect("closes");
    std::fs::remove_dir_all(&folder).expect("removes");
    let used: Vec<&str> = used.iter().map(String::as_str).collect();
    assert_eq!(used, USED);
}

#[test]
fn a_refusal_names_its_limit() {
    let refusals =
        [(TOO_MANY_TO_SORT, SORTED_MAX), (TOO_MANY_TO_TEST, SORTED_MAX), (TOO_MANY_TO_COUNT, COUNTED_MAX)];
    for (refusal, limit) in refusals {
        let text = refusal.to_string();
        assert!(text.split(' ').any(|word| word == limit.to_string()), "{text}");
    }
}

/// Every way into a table that a search takes.
const USED: &[&str] = &[
    "SEARCH c USING INDEX changes_by_type (tid=? AND rowid<?)",
    "SEARCH dat USING COVERING INDEX dat_by_high (pid=? AND high_us<?)",
    "SEARCH dat USING COVERING INDEX dat_by_high (pid=? AND high_us>?)",
    "SEARCH dat USING PRIMARY KEY (pid=? AND low_us<?)",
    "SEARCH dat USING PRIMARY KEY (pid=? AND low_us>? AND low_us<?)",
    "SEARCH dat USING PRIMARY KEY (pid=? AND low_us>?)",
    "SEARCH num USING PRIMARY KEY (pid=? AND value<?)",
    "SEARCH num USING PRIMARY KEY (pid=? AND value>? AND value<?)",
    "SEARCH num USING PRIMARY KEY (pid=? AND value>?)",
    "SEARCH r USING INDEX resources_by_update (tid=? AND updated_us<?)",
    "SEARCH r USING INDEX resources_by_update (tid=? AND updated_us>?)",
    "SEARCH r USING INDEX resources_by_update (tid=?)",
    "SEARCH r USING INDEX resources_live (tid=? AND rowid>?)",
    "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)",
    "SEARCH ref USING PRIMARY KEY (pid=? AND target=? AND rid>?)",
    "SEARCH ref USING PRIMARY KEY (pid=? AND target=?)",
    "SEARCH resources USING COVERING INDEX resources_by_id (id=? AND tid=?)",
    "SEARCH resources USING INDEX resources_by_update (tid=? AND updated_us<?)",
    "SEARCH resources USING INDEX resources_by_update (tid=? AND updated_us>? AND updated_us<?)",
    "SEARCH resources USING INDEX resources_by_update (tid=? AND updated_us>?)",
    "SEARCH str USING PRIMARY KEY (pid=? AND folded=? AND text=? AND rid>?)",
    "SEARCH str USING PRIMARY KEY (pid=? AND folded=? AND text=?)",
    "SEARCH str USING PRIMARY KEY (pid=? AND folded>? AND folded<?)",
    "SEARCH tok USING PRIMARY KEY (pid=? AND code=? AND sys=? AND rid>?)",
    "SEARCH tok USING PRIMARY KEY (pid=? AND code=? AND sys=?)",
    "SEARCH uri USING PRIMARY KEY (pid=? AND uri=? AND rid>?)",
    "SEARCH uri USING PRIMARY KEY (pid=? AND uri=?)",
    "SEARCH v USING INDEX sqlite_autoindex_resource_versions_1 (rid=? AND version<?)",
    "SEARCH v USING INDEX sqlite_autoindex_resource_versions_1 (rid=? AND version=?) LEFT-JOIN",
    "SEARCH v USING PRIMARY KEY (pid=? AND (code,sys,rid)<(?,?,?))",
    "SEARCH v USING PRIMARY KEY (pid=? AND (code,sys,rid)>(?,?,?))",
    "SEARCH v USING PRIMARY KEY (pid=? AND (folded,text,rid)<(?,?,?))",
    "SEARCH v USING PRIMARY KEY (pid=? AND (folded,text,rid)>(?,?,?))",
    "SEARCH v USING PRIMARY KEY (pid=? AND (low_us,high_us,rid)<(?,?,?))",
    "SEARCH v USING PRIMARY KEY (pid=? AND (low_us,high_us,rid)>(?,?,?))",
    "SEARCH v USING PRIMARY KEY (pid=?)",
];
