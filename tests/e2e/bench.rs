//! `tidegate bench` with small numbers: the figures agree with each other. None is compared with a time.

use harness::{TempFolder, tidegate};
use serde_json::Value;

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer} in {value}"))
}

#[test]
fn figures_of_one_run_agree() {
    let folder = TempFolder::new("bench");
    let data = folder.path().display().to_string();
    let small = ["--seconds", "1", "--runs", "1", "--connections", "1,3", "--output", "json"];
    let ran = tidegate(&[&["bench", "ingest", "--data", &data], small.as_slice()].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).expect("one JSON object");
    assert!(number(&report, "/sync_ms/median") > 0.0 && number(&report, "/cores") >= 1.0);
    let (one, group) = ("/writer/one_row_per_s/median", "/writer/group_per_s/median");
    let products = report["product"].as_array().expect("a figure for each number of connections");
    assert_eq!(
        products.iter().map(|product| number(product, "/connections")).collect::<Vec<_>>(),
        [1.0, 3.0]
    );
    for product in products {
        let acknowledged = number(product, "/acknowledged_per_s/median");
        assert!(number(product, "/messages") >= 1.0 && acknowledged > 0.0, "{product}");
        assert!(number(product, "/p50_ms/median") <= number(product, "/p99_ms/median"), "{product}");
        assert!(number(product, "/searchable_per_s/median") <= acknowledged, "{product}");
        for (ratio, limit) in [("/of_one_row/median", one), ("/of_group/median", group)] {
            let expected = acknowledged / number(&report, limit);
            assert!(
                (number(product, ratio) - expected).abs() < 1e-4 * expected.max(1.0),
                "{ratio}: {report}"
            );
        }
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder").collect();
    assert!(left.is_empty(), "the nodes' folder stays: {left:?}");
}

#[test]
fn a_connection_that_sends_ahead_is_answered_in_order() {
    let folder = TempFolder::new("bench-window");
    let data = folder.path().display().to_string();
    let small = ["--seconds", "1", "--runs", "1", "--connections", "1", "--window", "64", "--output", "json"];
    let ran = tidegate(&[&["bench", "ingest", "--data", &data], small.as_slice()].concat());
    // An answer out of its turn, or not an AA, would be an error.
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).expect("one JSON object");
    assert!(number(&report, "/window") == 64.0 && number(&report, "/product/0/messages") > 64.0, "{report}");
}

#[test]
fn figures_of_rest_agree_with_each_other_and_with_the_database() {
    let folder = TempFolder::new("bench-rest");
    let data = folder.path().display().to_string();
    let small =
        ["--resources", "1000", "--seconds", "1", "--runs", "1", "--connections", "3", "--output", "json"];
    // Each kind of answer is looked at before it is counted; one that is wrong would be an error.
    let ran = tidegate(&[&["bench", "rest", "--data", &data], small.as_slice()].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).expect("one JSON object");
    assert!(number(&report, "/resources") == 1_000.0 && number(&report, "/versions") == 10.0, "{report}");
    for name in ["read", "search", "everything", "transaction"] {
        let figure = &report[name];
        let (per_s, raw) = (number(figure, "/per_s/median"), number(figure, "/raw_per_s/median"));
        assert!(per_s > 0.0 && raw > 0.0, "{name}: {report}");
        assert!((number(figure, "/of_raw/median") - per_s / raw).abs() < 1e-4, "{name}: {report}");
        assert!(number(figure, "/p50_ms/median") <= number(figure, "/p99_ms/median"), "{name}: {report}");
    }
    // A resource is more than its body, and the smallest file is shared by a thousand.
    assert!((300.0..20_000.0).contains(&number(&report, "/bytes_a_resource")), "{report}");
    assert!(number(&report, "/ready_ms/full") > 0.0 && number(&report, "/rss_bytes/full") > 0.0, "{report}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder").collect();
    assert!(left.is_empty(), "the node's folder stays: {left:?}");
}
