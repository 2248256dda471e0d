//! How PostgreSQL runs each statement of a search over tables of some size: by an index and a condition on it, never over a
//! whole table.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use super::{statements, walked};
use crate::postgres::Address;
use crate::sql::{Connection, Value, query_with};
use crate::sqlite::{Role, Sqlite};

#[path = "../../../../tests/conformance/server.rs"]
#[expect(dead_code, reason = "the conformance suite asks more of it")]
mod server;

/// Tables that grow with what is stored.
const TABLES: [&str; 10] =
    ["tok", "ref", "dat", "str", "uri", "num", "comp", "resources", "resource_versions", "changes"];

/// Rows of each kind, of several parameters, types and values, so that the statistics tell of large tables.
const ROWS: &[&str] = &[
    "INSERT INTO resources (rid, tid, id, version, updated_us, deleted, source_version, patient, pkg, entries, body)
        SELECT g, 1 + g % 5, 'r' || g, 1, g, 0, 0, NULL, 1, '', 'b' FROM generate_series(1, 20000) g",
    "INSERT INTO resource_versions (rid, version, updated_us, deleted, source_version, patient, pkg, body)
        SELECT g, 1, g, 0, 0, NULL, 1, 'b' FROM generate_series(1, 20000) g",
    "INSERT INTO changes (change, tid, rid, version) SELECT g, 1 + g % 5, g, 1 FROM generate_series(1, 20000) g",
    "INSERT INTO tok (pid, code, sys, rid) SELECT 1 + g % 5, 'c' || g % 90, g % 3, g FROM generate_series(1, 20000) g",
    "INSERT INTO ref (pid, target, rid) SELECT 1 + g % 5, g % 200, g FROM generate_series(1, 20000) g",
    "INSERT INTO dat (pid, low_us, high_us, rid) SELECT 1 + g % 5, g, g + 9, g FROM generate_series(1, 20000) g",
    "INSERT INTO str (pid, folded, text, rid) SELECT 1 + g % 5, 'x' || g, '', g FROM generate_series(1, 20000) g",
    "INSERT INTO uri (pid, uri, rid) SELECT 1 + g % 5, 'http://x/' || g, g FROM generate_series(1, 20000) g",
    "INSERT INTO num (pid, value, sys, unit, rid) SELECT 1 + g % 5, g, 0, 'mg', g FROM generate_series(1, 20000) g",
    "INSERT INTO comp (patient, tid, newness, rid) SELECT g % 200, 1 + g % 5, -g, g FROM generate_series(1, 20000) g",
    "ANALYZE resources, resource_versions, changes, tok, ref, dat, str, uri, num, comp",
];

/// The lines of a plan.
async fn plan(sql: &str, values: Vec<Value>, connection: &mut Connection) -> Vec<String> {
    let explained = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {sql}"));
    let rows = query_with(explained, values).fetch_all(connection).await.expect(sql);
    rows.iter().map(|row| row.try_get::<String, _>(0).expect("a line")).collect()
}

/// The ways into tables that a plan takes, as `table by index (columns)`.
///
/// # Panics
/// When it walks over a table, or over an index without a condition on it.
fn ways(sql: &str, plan: &[String]) -> BTreeSet<String> {
    let whole = plan.join("\n");
    let mut ways = BTreeSet::new();
    for (at, line) in plan.iter().enumerate() {
        let node = line.trim_start().trim_start_matches("->").trim_start();
        let table_of = |rest: &str| rest.split(' ').next().unwrap_or_default().to_owned();
        if let Some(rest) = node.strip_prefix("Seq Scan on ") {
            assert!(!TABLES.contains(&table_of(rest).as_str()), "{sql}\n{whole}");
        }
        let (index, table) = if let Some(rest) = node.strip_prefix("Bitmap Index Scan on ") {
            (table_of(rest), String::new())
        } else if let Some((index, table)) = ["Index Only Scan", "Index Scan"]
            .iter()
            .find_map(|kind| node.strip_prefix(kind))
            .and_then(|rest| rest.split_once(" using "))
            .and_then(|(_, rest)| rest.split_once(" on "))
        {
            (index.to_owned(), table_of(table))
        } else {
            continue;
        };
        let condition = plan.get(at + 1..).unwrap_or_default().iter();
        let condition = condition
            .take_while(|line| !line.contains("->"))
            .find_map(|line| line.trim().strip_prefix("Index Cond: "));
        let condition = condition.unwrap_or_else(|| panic!("no condition on {index}: {sql}\n{whole}"));
        let table = if table.is_empty() { index.split('_').next().unwrap_or_default() } else { &table };
        ways.insert(format!("{table} by {index} ({})", columns(condition)));
    }
    ways
}

/// The columns and comparisons of a condition, without its values.
fn columns(condition: &str) -> String {
    let parts = condition.split(" AND ").map(|part| {
        let part = part.trim_start_matches('(');
        match part.split_once(')').filter(|_| part.starts_with("ROW(")) {
            Some((row, rest)) => format!("{row}) {}", rest.split_whitespace().next().unwrap_or_default()),
            None => part.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn postgresql_takes_an_index_for_each_statement_too() {
    if server::is_absent() {
        return;
    }
    let name = format!("plans{}", uuid::Uuid::new_v4().simple());
    let address = Address::parse(&server::Server::running().url(), Some(&name)).expect("an address");
    let store = Sqlite::open_postgres(&address, Role::Portal, 1).await.expect("opens");
    let mut connection = store.node.acquire().await.expect("connects");
    let mut used = BTreeSet::new();
    for sql in ROWS {
        query_with(*sql, Vec::new()).execute(&mut *connection).await.expect(sql);
    }
    for (sql, values) in statements(&mut connection).await {
        let lines = plan(&sql, values, &mut connection).await;
        used.extend(ways(&sql, &lines));
    }
    // A page of a type in an order is read in that order, not sorted.
    for (sql, values) in walked() {
        let lines = plan(&sql, values, &mut connection).await;
        assert!(!lines.iter().any(|line| line.contains("Sort")), "{sql}\n{}", lines.join("\n"));
    }
    drop(connection);
    store.close().await.expect("closes");
    let used: Vec<&str> = used.iter().map(String::as_str).collect();
    assert_eq!(used, USED, "{used:#?}");
}

#[test]
fn a_walk_over_a_table_is_noticed() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let right = "Limit\n  ->  Index Only Scan using tok_pkey on tok\n        Index Cond: ((pid = '1'::bigint) AND (code > 'c'::text))";
    assert_eq!(ways("", &lines(right)), BTreeSet::from(["tok by tok_pkey (pid =, code >)".to_owned()]));
    for wrong in [
        "Limit\n  ->  Seq Scan on tok\n        Filter: (pid = 1)",
        "Limit\n  ->  Index Only Scan using tok_pkey on tok\n        Filter: (rid > 1)",
        "Index Scan using tok_pkey on tok v\n  ->  X\n        Index Cond: (pid = 1)",
    ] {
        assert!(std::panic::catch_unwind(|| ways("", &lines(wrong))).is_err(), "{wrong}");
    }
}

/// Every way into a table that a search takes.
const USED: &[&str] = &[
    "changes by changes_by_type (tid =, change <, change >)",
    "changes by changes_pkey (change <, change >)",
    "comp by comp_pkey (patient =, tid =, ROW(newness, rid) >)",
    "dat by dat_by_high (pid =)",
    "dat by dat_by_high (pid =, high_us <=)",
    "dat by dat_by_high (pid =, high_us >)",
    "dat by dat_pkey (pid =)",
    "dat by dat_pkey (pid =, ROW(low_us, high_us, rid) <)",
    "dat by dat_pkey (pid =, ROW(low_us, high_us, rid) >)",
    "dat by dat_pkey (pid =, low_us <)",
    "num by num_pkey (pid =, unit =)",
    "num by num_pkey (pid =, value <, unit =)",
    "num by num_pkey (pid =, value <=, unit =)",
    "num by num_pkey (pid =, value >, unit =)",
    "num by num_pkey (pid =, value >=, unit =)",
    "num by num_pkey (pid =, value >=, value <, unit =)",
    "num by num_pkey (pid =, value >=, value <=, unit =)",
    "packages by packages_pkey (pkg =)",
    "ref by ref_pkey (pid =)",
    "ref by ref_pkey (pid =, target =)",
    "ref by ref_pkey (pid =, target =, rid >)",
    "resource_versions by resource_versions_pkey (rid =, version <)",
    "resource_versions by resource_versions_pkey (rid =, version =)",
    "resource_versions by resource_versions_pkey (rid =, version >)",
    "resources by resources_by_id (id =, tid =)",
    "resources by resources_by_update (tid =)",
    "resources by resources_by_update (tid =, ROW(updated_us, rid) <)",
    "resources by resources_by_update (tid =, ROW(updated_us, rid) >)",
    "resources by resources_by_update (tid =, updated_us <)",
    "resources by resources_by_update (tid =, updated_us >=, updated_us <)",
    "resources by resources_live (tid =)",
    "resources by resources_live (tid =, rid =)",
    "resources by resources_pkey (rid =)",
    "resources by resources_pkey (rid >)",
    "str by str_pkey (pid =)",
    "str by str_pkey (pid =, ROW(folded, text, rid) <)",
    "str by str_pkey (pid =, ROW(folded, text, rid) >)",
    "str by str_pkey (pid =, folded =, text =)",
    "str by str_pkey (pid =, folded =, text =, rid >)",
    "str by str_pkey (pid =, folded >=, folded <)",
    "tok by tok_pkey (pid =)",
    "tok by tok_pkey (pid =, ROW(code, sys, rid) <)",
    "tok by tok_pkey (pid =, ROW(code, sys, rid) >)",
    "tok by tok_pkey (pid =, code =)",
    "tok by tok_pkey (pid =, code =, sys =)",
    "tok by tok_pkey (pid =, code =, sys =, rid >)",
    "uri by uri_pkey (pid =, uri =)",
    "uri by uri_pkey (pid =, uri =, rid >)",
    "uri by uri_pkey (pid =, uri >=, uri <)",
];
