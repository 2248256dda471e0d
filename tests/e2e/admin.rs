//! The commands on a running node: find, show, what a replay would change, replay.

use harness::{Pair, Person, binary};
use serde_json::Value;

/// Runs the command on the pair's on-prem node, away from the runtime.
pub async fn command(pair: &Pair, arguments: &[&str]) -> binary::Ran {
    let (node, token) = (format!("http://{}", pair.addresses.http), pair.folder.join("admin.token"));
    std::fs::write(&token, &pair.shown.admin_token).expect("a token can be written");
    let mut all: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    all.extend(["--node".to_owned(), node, "--token-file".to_owned(), token.display().to_string()]);
    tokio::task::spawn_blocking(move || binary::tidegate(&all)).await.expect("does not panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_found_shown_and_replayed_by_commands() {
    let pair = Pair::start("admin").await;
    let person = Person::new(71);
    let mut sender = pair.sender().await;
    sender.accepted(&person.a01("ADM-1")).await;
    pair.here().counted("Patient", 1).await;

    let query = format!("mrn:{}", person.number);
    let ran = command(&pair, &["msg", "find", "--output", "ndjson", &query]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found: Value = serde_json::from_str(ran.stdout.trim()).expect("one line of JSON");
    let id = found["id"].as_str().expect("an id").to_owned();
    let none = command(&pair, &["msg", "find", "mrn:unknown"]).await;
    assert_eq!(none.code, 1, "{}", none.stderr);
    assert_eq!(command(&pair, &["msg", "find", "nrm:1"]).await.code, 2);

    let masked = command(&pair, &["msg", "show", &id]).await;
    assert_eq!(masked.code, 0, "{}", masked.stderr);
    assert!(masked.stdout.contains("routed") && !masked.stdout.contains(&person.number));
    let raw = command(&pair, &["msg", "show", &id, "--raw", "--reveal", "audit"]).await;
    assert!(raw.code == 0 && raw.stdout.contains(&person.number), "{}", raw.stderr);

    let explain = ["explain", &id, "--reveal", "mapping-problem", "--field", "PID-3"];
    let explained = command(&pair, &explain).await;
    assert!(explained.code == 0 && explained.stdout.contains("Patient.identifier"), "{}", explained.stderr);
    assert_eq!(command(&pair, &explain[..2]).await.code, 2, "an explanation shows values");

    let dry = command(&pair, &["replay", "--where", &query, "--dry-run"]).await;
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert!(dry.stdout.contains(&id) && dry.stderr.contains("nothing was written"));
    assert_eq!(command(&pair, &["replay", "--where", &query]).await.code, 2, "it must be said twice");
    let done = command(&pair, &["replay", "--where", &query, "--yes"]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains(&format!("{id} done")), "{}", done.stdout);

    // Neither kind of token opens the other's surface.
    let crossed = pair.here().with_token(Some(&pair.shown.admin_token));
    assert_eq!(crossed.get("/fhir/Patient").await.expect("answers").status, 401);
    let crossed = pair.here().get("/admin").await.expect("answers");
    assert_eq!(crossed.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_away_is_said_to_be() {
    let pair = Pair::make("away").await;
    let ran = command(&pair, &["msg", "find", "type:ADT"]).await;
    assert_eq!(ran.code, 69, "{}", ran.stderr);
    assert!(ran.stdout.is_empty() && !ran.stderr.contains(&pair.shown.admin_token));
}
