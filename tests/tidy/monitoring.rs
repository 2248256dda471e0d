//! Alerts and dashboard speak of metrics that a node has, and of each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regex::Regex;
use rest::{FeedSample, Gauges, Metrics, OutgoingSample, QueueSample, Sample};
use serde::Deserialize;
use serde_json::Value;

use crate::workspace::read;

const RULES: &str = "deploy/prometheus/tidegate.rules.yaml";
const DASHBOARD: &str = "deploy/grafana/tidegate.json";
/// Labels that a scrape adds.
const SCRAPE_LABELS: [&str; 2] = ["instance", "job"];
const SEVERITIES: [&str; 2] = ["warning", "critical"];
/// What a dashboard's visitor wants to see, each as a row of it.
const ROWS: [&str; 8] =
    ["Feeds", "Queue", "Boundary", "Deliveries", "Withdrawals", "Ledger", "FHIR and console", "The node"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    interval: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    r#for: String,
    labels: Labels,
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    severity: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    runbook: String,
}

/// A node's page with something of everything: the labels of each name that a scrape would store.
fn page() -> BTreeMap<String, BTreeSet<String>> {
    let metrics = Metrics::new("clinical");
    let gauges = Gauges::on(&metrics, "0.0.0", "onprem");
    metrics.answered("/fhir/{type}", "GET", 200, Duration::from_millis(3));
    metrics.limited("rate");
    let queue = |name: &str| QueueSample { name: name.to_owned(), count: 1, oldest_age_s: 1.0 };
    gauges.show(&Sample {
        feeds: vec![FeedSample {
            channel: "emr".to_owned(),
            last_s: 1.0,
            received: 1,
            held: 1,
            latency_s: Some((0.1, 0.2)),
        }],
        waiting: vec![queue("emr")],
        backlogs: vec![queue("cloud")],
        held: vec![("quarantined", 1)],
        boundary: vec![("blocked", 1)],
        resources: vec![("Patient".to_owned(), 1)],
        outgoing: OutgoingSample {
            dead: vec![("cloud".to_owned(), "content", 1)],
            withdrawals: vec![queue("cloud")],
            withdrawn: vec![("consent", 1)],
            swept: vec![("refused", 1)],
            ..OutgoingSample::default()
        },
        ..Sample::default()
    });
    gauges.show_condition(store::Condition::default());
    let text = metrics.encode().expect("the page can be written");
    let label = Regex::new(r#"([a-z]+)=""#).expect("a constant expression compiles");
    let mut page: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name: String = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let labels =
            label.captures_iter(line).filter_map(|found| found.get(1)).map(|l| l.as_str().to_owned());
        page.entry(name).or_default().extend(labels);
    }
    assert!(page.len() > 20, "only {} metrics: the reader is broken", page.len());
    page
}

fn names(text: &str) -> BTreeSet<String> {
    let name = Regex::new("tidegate_[a-z_]+").expect("a constant expression compiles");
    name.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

fn rules() -> Vec<Rule> {
    let parsed: Rules =
        serde_saphyr::from_str(&read(RULES)).unwrap_or_else(|error| panic!("{RULES}: {error}"));
    for group in &parsed.groups {
        assert!(!group.name.is_empty() && is_duration(&group.interval), "{}", group.name);
    }
    parsed.groups.into_iter().flat_map(|group| group.rules).collect()
}

fn is_duration(text: &str) -> bool {
    text.strip_suffix(['s', 'm', 'h']).is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Every expression of the dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("expr").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| expressions(value, found));
        }
        Value::Array(array) => array.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).unwrap_or_else(|error| panic!("{DASHBOARD}: {error}"))
}

#[test]
fn each_metric_that_is_named_exists_and_each_that_exists_is_shown() {
    let page = page();
    let mut shown = Vec::new();
    expressions(&dashboard(), &mut shown);
    let (alerts, shown) = (names(&read(RULES)), names(&shown.join("\n")));
    for name in alerts.iter().chain(&shown) {
        assert!(page.contains_key(name), "no node has {name}; it has {:?}", page.keys());
    }
    let parts = |name: &str| name.trim_end_matches("_sum").trim_end_matches("_count").to_owned();
    for name in page.keys() {
        let bucket = format!("{}_bucket", parts(name));
        assert!(shown.contains(name) || shown.contains(&bucket), "the dashboard does not show {name}");
    }
}

#[test]
fn alerts_say_when_how_bad_and_what_to_do() {
    let (rules, page) = (rules(), page());
    assert!(rules.len() >= 8, "{} alerts", rules.len());
    let label = Regex::new(r"\$labels\.([a-z]+)").expect("a constant expression compiles");
    let mut seen = BTreeSet::new();
    for Rule { alert, expr, r#for, labels, annotations } in rules {
        assert!(seen.insert(alert.clone()), "{alert} is there twice");
        assert!(is_duration(&r#for), "{alert}: for `{}`", r#for);
        assert!(SEVERITIES.contains(&labels.severity.as_str()), "{alert}: severity {}", labels.severity);
        assert!(annotations.runbook.len() > 60, "{alert}: the runbook says nothing");
        let known: BTreeSet<&str> = names(&expr)
            .iter()
            .flat_map(|name| page.get(name).into_iter().flatten())
            .map(String::as_str)
            .chain(SCRAPE_LABELS)
            .collect();
        for used in label.captures_iter(&annotations.summary).filter_map(|found| found.get(1)) {
            assert!(known.contains(used.as_str()), "{alert}: no label {}", used.as_str());
        }
    }
}

#[test]
fn the_dashboard_has_its_rows_and_no_two_panels_in_one_place() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels");
    let rows: Vec<_> = panels
        .iter()
        .filter(|panel| panel["type"] == "row")
        .filter_map(|row| row["title"].as_str())
        .collect();
    assert_eq!(rows, ROWS);
    let number = |panel: &Value, key: &str| panel["gridPos"][key].as_u64().expect("a number");
    let (mut cells, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{}: its id is taken", panel["title"]);
        for x in number(panel, "x")..number(panel, "x") + number(panel, "w") {
            for y in number(panel, "y")..number(panel, "y") + number(panel, "h") {
                assert!(x < 24 && cells.insert((x, y)), "{} lies over another", panel["title"]);
            }
        }
        let shows = panel["targets"].as_array().is_some_and(|targets| !targets.is_empty());
        assert!(shows || panel["type"] == "row", "{} shows nothing", panel["title"]);
    }
}
