//! How SQLite runs each statement of a search: by an index, never over a whole table.

#[cfg(feature = "postgres")]
mod postgres;

use fhir::{Comparator, DateMatch, NumberMatch, PREFIXES, Prefix, ResourceType, SearchKind};
use sqlx::AssertSqlSafe;

use super::compile::{Driver, Of};
use super::newest::{Newest, Through};
use super::range::{LISTED_MAX, Range};
use super::reader::{
    COLUMNS, WHOLE, Walk, count_statement, distinct_statement, few_statement, load_statement,
    merged_statement, newest_statement, sources_statement,
};
use super::{Engine, TOO_MANY_LINKED, TOO_MANY_TO_COUNT, TOO_MANY_TO_SORT};
use crate::sql::{Connection, Value, query_with};
use crate::sqlite::history::{LOOKED_AT_OF_ALL, LOOKED_AT_OF_TYPE, OF_ALL, OF_ONE, OF_TYPE};
use crate::sqlite::node::names::Names;
use crate::sqlite::{Options, Role, Sqlite};
use crate::{
    COUNTED_MAX, Clause, LINKED_MAX, ORDERED_MAX, Position, QuantityValue, SORTED_MAX, SortValue, TextMatch,
    TokenValue, UriMatch,
};

/// What SQLite says of a statement; `SCAN d` walks over what a driver selected.
async fn plan(sql: String, values: Vec<Value>, connection: &mut Connection) -> Vec<String> {
    let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = query_with(explained, values).fetch_all(connection).await.expect(&sql);
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
    ];
    for how in [UriMatch::Whole, UriMatch::Below, UriMatch::Above] {
        clauses.push(Clause::Uri { parameter: parameter(), values: vec!["http://x/y".into()], how });
    }
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

fn walks() -> Vec<(Walk, SortValue)> {
    let text = || SortValue::Text("a".into(), "0".into());
    let mut walks = vec![(Walk::Numbers, SortValue::Missing)];
    for descending in [false, true] {
        walks.push((Walk::Updates { descending }, SortValue::Interval(0, 0)));
        walks.push((Walk::Values { kind: SearchKind::Date, pid: 1, descending }, SortValue::Interval(0, 0)));
        walks.push((Walk::Values { kind: SearchKind::Token, pid: 1, descending }, text()));
        walks.push((Walk::Values { kind: SearchKind::String, pid: 1, descending }, text()));
    }
    walks
}

/// The parts of the index that clauses are found by, and those that only stored rows bring about.
async fn drivers(connection: &mut Connection) -> Vec<Vec<Range>> {
    let mut names = Names::default();
    let tid = names.intern_type("Observation");
    let pid = names.intern_parameter(tid, "p");
    for comparator in Comparator::ALL {
        names.intern_parameter(tid, &fhir::bounded_name("p", comparator));
    }
    let resource_type = ResourceType::parse("Observation").expect("a type");
    let mut engine = Engine::new(&names, connection);
    let mut drivers = Vec::new();
    for clause in clauses() {
        let compiled = engine.compile(&clause, Of { resource_type, tid }).await.expect("compiles");
        let Driver { ranges, .. } = compiled.driver.expect("drives");
        drivers.push(ranges);
    }
    let pid = Some(pid);
    let (all, few): (Vec<i64>, Vec<i64>) = ((1..=1_000).collect(), vec![1, 2, 3]);
    assert_eq!(all.len(), LISTED_MAX);
    drivers.push(vec![Range::Target { pid, target: 1 }, Range::Target { pid, target: 2 }]);
    drivers.push(vec![Range::Targets { pid, targets: all.clone() }]);
    drivers.push(vec![Range::Numbers(all), Range::Numbers(few)]);
    drivers.push(vec![Range::Token { pid, code: "c".into(), sys: None }]);
    drivers.retain(|ranges| !ranges.is_empty());
    drivers
}

/// The statements that a search or a history can be made of.
async fn statements(connection: &mut Connection) -> Vec<(String, Vec<Value>)> {
    let tid = 1;
    let mut statements = vec![
        (OF_ONE.to_owned(), numbers(6)),
        (OF_TYPE.to_owned(), numbers(8)),
        (OF_ALL.to_owned(), numbers(8)),
        (LOOKED_AT_OF_TYPE.to_owned(), numbers(4)),
        (LOOKED_AT_OF_ALL.to_owned(), numbers(4)),
        load_statement(&[1, 2, 3]),
        sources_statement(1, &[1, 2, 3], 10),
        newest_statement(Newest { patient: 1, tid: 1 }, Through { newness: 0, rid: 0 }, 25),
    ];
    for ranges in drivers(connection).await {
        statements.push(count_statement(&ranges, SORTED_MAX));
        statements.push(distinct_statement(&ranges, SORTED_MAX));
        statements.push(few_statement(&ranges));
        if ranges.iter().all(Range::is_ordered) {
            statements.push(merged_statement(COLUMNS, &ranges, Some(tid), 0, 10));
            statements.push(merged_statement(WHOLE, &ranges, None, 7, 10));
        }
    }
    statements.extend(walked());
    statements
}

fn numbers(count: i64) -> Vec<Value> {
    (1..=count).map(Value::from).collect()
}

/// The statements that walk over a type in an order.
fn walked() -> Vec<(String, Vec<Value>)> {
    let tid = 1;
    let mut statements = Vec::new();
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
            let own = line == "SCAN u"
                || (line == "SCAN c" && sql.contains(") AS c"))
                || line.starts_with("SCAN d")
                || line.starts_with("SCAN (subquery");
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
        [(TOO_MANY_TO_SORT, ORDERED_MAX), (TOO_MANY_LINKED, LINKED_MAX), (TOO_MANY_TO_COUNT, COUNTED_MAX)];
    for (refusal, limit) in refusals {
        let text = refusal.to_string();
        assert!(text.split(' ').any(|word| word == limit.to_string()), "{text}");
    }
}

/// Every way into a table that a search takes.
const USED: &[&str] = &[
    "SEARCH c USING PRIMARY KEY (patient=? AND tid=? AND (newness,rid)>(?,?))",
    "SEARCH changes USING COVERING INDEX changes_by_type (tid=? AND rowid>? AND rowid<?)",
    "SEARCH changes USING INDEX changes_by_type (tid=? AND rowid>? AND rowid<?)",
    "SEARCH changes USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    "SEARCH dat USING COVERING INDEX dat_by_high (pid=? AND high_us<?)",
    "SEARCH dat USING COVERING INDEX dat_by_high (pid=? AND high_us>?)",
    "SEARCH dat USING PRIMARY KEY (pid=? AND low_us<?)",
    "SEARCH dat USING PRIMARY KEY (pid=? AND low_us>? AND low_us<?)",
    "SEARCH dat USING PRIMARY KEY (pid=? AND low_us>?)",
    "SEARCH n USING INDEX sqlite_autoindex_resource_versions_1 (rid=? AND version>?)",
    "SEARCH n USING INTEGER PRIMARY KEY (rowid=?)",
    "SEARCH num USING PRIMARY KEY (pid=? AND value<?)",
    "SEARCH num USING PRIMARY KEY (pid=? AND value>? AND value<?)",
    "SEARCH num USING PRIMARY KEY (pid=? AND value>?)",
    "SEARCH num USING PRIMARY KEY (pid=?)",
    "SEARCH o USING INTEGER PRIMARY KEY (rowid=?)",
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
    "SEARCH resources USING INTEGER PRIMARY KEY (rowid=?)",
    "SEARCH str USING PRIMARY KEY (pid=? AND folded=? AND text=? AND rid>?)",
    "SEARCH str USING PRIMARY KEY (pid=? AND folded=? AND text=?)",
    "SEARCH str USING PRIMARY KEY (pid=? AND folded>? AND folded<?)",
    "SEARCH tok USING PRIMARY KEY (pid=? AND code=? AND sys=? AND rid>?)",
    "SEARCH tok USING PRIMARY KEY (pid=? AND code=? AND sys=?)",
    "SEARCH tok USING PRIMARY KEY (pid=? AND code=?)",
    "SEARCH uri USING PRIMARY KEY (pid=? AND uri=? AND rid>?)",
    "SEARCH uri USING PRIMARY KEY (pid=? AND uri=?)",
    "SEARCH uri USING PRIMARY KEY (pid=? AND uri>? AND uri<?)",
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
