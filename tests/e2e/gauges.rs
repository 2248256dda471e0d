//! What `/metrics` says of a running node: its feeds, its boundary, its ledger; never a word of a message.

use harness::{Pair, Person, Surface, eventually};

/// The page of a node, when all of `lines` begin a line of it.
async fn page(surface: &Surface, lines: &[&str]) -> String {
    eventually("a sample on the page", || async {
        let answer = surface.get("/metrics").await?;
        let page = String::from_utf8(answer.body.to_vec()).map_err(|error| error.to_string())?;
        let begins = |line: &&&str| page.lines().any(|other| other.starts_with(**line));
        match lines.iter().find(|line| !begins(line)) {
            None => Ok(page),
            Some(line) => Err(format!("no `{line}` in\n{page}")),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_tells_its_numbers_and_nothing_of_a_message() {
    let mut pair = Pair::start("gauges").await;
    let person = Person::new(77);
    let mut sender = pair.sender().await;
    sender.accepted(&person.a01("G-1")).await;
    sender.accepted("MSH|^~\\&|HARBOR_EMR|HARBOR|||20190312081500||QQQ^Z99|G-2|P|2.5.1\r").await;
    drop(sender);
    pair.there().counted("Patient", 1).await;
    // A node samples when it starts: what was before is on its first page.
    pair.stop_onprem().await;
    pair.start_onprem().await;
    pair.stop_cloud().await;
    pair.start_cloud().await;
    let here = [
        "tidegate_build_info{version=",
        "tidegate_feed_received_last_hour{channel=\"emr\"} 2",
        "tidegate_feed_last_message_timestamp_seconds{channel=\"emr\"} 1",
        "tidegate_feed_latency_seconds{channel=\"emr\",quantile=\"0.95\"} ",
        "tidegate_messages_held{state=\"quarantined\"} 1",
        "tidegate_boundary_messages_last_day{fate=\"sent\"} 1",
        "tidegate_boundary_messages_last_day{fate=\"blocked\"} 0",
        "tidegate_resources{type=\"Patient\"} 1",
        "tidegate_withdrawals_last_day{reason=\"consent\"} 0",
        "tidegate_sweep_resources{outcome=\"withdrawn\"} 0",
        "tidegate_sweep_running_seconds 0",
        "tidegate_consent_requests_waiting 0",
        "tidegate_ledger_sealed_records ",
        "tidegate_sample_failures_total 0",
    ];
    let there = ["tidegate_build_info{version=", "tidegate_resources{type=\"Patient\"} 1"];
    let pages = [page(&pair.here(), &here).await, page(&pair.there(), &there).await];
    assert!(!pages[1].contains("tidegate_feed_received_last_hour{"), "a cloud node has no feeds");
    for page in pages {
        for identifier in person.identifiers() {
            assert!(!page.contains(&identifier), "{identifier} stands on the page");
        }
    }
}
