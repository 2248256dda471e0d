//! Limits of clients on a node that runs: what is one too many waits, a day is counted across a restart, and each refusal is in
//! the ledger.

use audit::Kind;
use harness::{Pair, stored};
use tidegate::config::ClientLimit;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_waits_and_its_day_outlasts_a_restart() {
    let limit = |per_day| ClientLimit { per_second: 100, burst: 100, per_day: Some(per_day) };
    let mut pair = Pair::start_with("limits", |config, _| {
        config.http.limits.client = Some(limit(6));
        config.http.origins = vec!["https://portal.example".to_owned()];
    })
    .await;
    let here = pair.here();
    let asked = async |headers: &[(&str, &str)]| {
        here.send("GET", "/fhir/Patient", headers, "").await.expect("an answer")
    };
    let first = asked(&[("Origin", "https://portal.example")]).await;
    assert_eq!(
        (first.status, first.header("ratelimit-policy")),
        (200, "\"rate\";q=100;w=1, \"day\";q=6;w=86400")
    );
    assert_eq!(first.header("access-control-allow-origin"), "https://portal.example");
    let mut statuses = Vec::new();
    let mut waiting = None;
    for _ in 0..12 {
        let page = asked(&[]).await;
        statuses.push(page.status);
        waiting = Some(page).filter(|page| page.status == 429).or(waiting);
    }
    assert_eq!(statuses, [[200].repeat(5), [429].repeat(7)].concat());
    let refused = waiting.expect("one too many");
    assert!(
        refused.text.contains("throttled") && !refused.header("retry-after").is_empty(),
        "{}",
        refused.text
    );
    let metrics = here.get("/metrics").await.expect("a page");
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(metrics.contains("tidegate_http_limited_total{limit=\"day\""), "{metrics}");

    pair.stop_onprem().await;
    pair.onprem_config.http.limits.client = Some(limit(8));
    pair.start_onprem().await;
    let left: Vec<u16> =
        [asked(&[]).await, asked(&[]).await, asked(&[]).await].map(|page| page.status).into();
    assert_eq!(left, [200, 200, 429], "six of the day were asked before");
    assert_eq!(here.with_token(None).answer("/fhir/Patient").await.expect("an answer").0, 401);
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let records = stored::records(&store).await;
    assert!(records.iter().any(|(kind, _)| *kind == Kind::AccessRefused), "refusals are recorded");
    let searched = records.iter().filter(|(kind, _)| *kind == Kind::ResourceSearched).count();
    assert_eq!(searched, 8, "and each answer");
}
