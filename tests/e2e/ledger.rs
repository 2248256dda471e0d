//! The ledger: whole and witnessed, shortened behind the engine's back, searched, and verified by a second program.

use std::path::{Path, PathBuf};

use harness::folder::copy;
use harness::{Pair, Person, Ran, python, stored, tidegate};

fn audit(pair: &Pair, arguments: &[&str]) -> Ran {
    let mut all = vec!["audit".to_owned(), arguments[0].to_owned(), "-c".to_owned()];
    all.push(pair.folder.join("onprem.yaml").display().to_string());
    all.extend(arguments[1..].iter().map(|argument| (*argument).to_owned()));
    tidegate(&all)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_is_whole_or_the_break_is_found() {
    if !python::is_there() {
        eprintln!("skipped: python3 is absent");
        return;
    }
    let mut pair = Pair::start("ledger").await;
    let person = Person::new(101);
    let mut sender = pair.sender().await;
    sender.accepted(&person.a01("A-1")).await;
    sender.accepted(&person.oru("A-2", &[("2823-3", "4.1", "F")])).await;
    pair.there().counted("Observation", 1).await;
    drop(sender);
    pair.stop_onprem().await;
    let witness = format!("http://{}", pair.addresses.cloud_http);

    let whole = audit(&pair, &["verify", "--witness", &witness]);
    assert_eq!(whole.code, 0, "{whole:?}");
    let number_after = |word: &str| {
        let rest = whole.stdout.split(word).nth(1).expect("the verdict says so");
        rest.split_whitespace().next().expect("a number").to_owned()
    };
    assert_eq!(
        number_after("records "),
        number_after("witnessed to "),
        "a node that stops is witnessed to its end"
    );
    let alone = audit(&pair, &["verify"]);
    assert_eq!(alone.code, 0);
    assert!(alone.stdout.contains("not witnessed"));

    searched(&pair).await;
    let shortened = shorten(&pair);
    let unseen = audit(&pair, &["verify", "--data", &text(&shortened)]);
    assert_eq!(unseen.code, 0, "a ledger cut at a checkpoint looks whole by itself: {unseen:?}");
    let seen = audit(&pair, &["verify", "--data", &text(&shortened), "--witness", &witness]);
    assert_eq!(seen.code, 10, "{seen:?}");
    changed(&pair);
    exported(&pair).await;
}

/// `audit search` by message and by kind.
async fn searched(pair: &Pair) {
    let store = stored::clinical(&pair.onprem_config.data).await;
    let message = stored::messages(&store).await[0].id.0.to_string();
    stored::close(store).await;
    let of_message = audit(pair, &["search", "--message", &message]);
    assert_eq!(of_message.code, 0);
    assert_eq!(of_message.stdout.lines().count(), 1, "{}", of_message.stdout);
    assert!(of_message.stdout.contains("message.applied") && of_message.stdout.contains(&message));
    let of_kind = audit(pair, &["search", "--kind", "message.applied"]);
    assert_eq!(of_kind.stdout.lines().count(), 2);
    let unknown = audit(pair, &["search", "--kind", "no-such-kind"]);
    assert_eq!(
        (unknown.code, unknown.stdout.as_str()),
        (2, ""),
        "a kind that does not exist is a usage error"
    );
}

/// A copy of the store that ends at an earlier checkpoint: later records, leaves and checkpoints are gone.
fn shorten(pair: &Pair) -> PathBuf {
    let data = pair.folder.join("shortened");
    copy(&pair.onprem_config.data, &data).expect("a store can be copied");
    let statements = "DELETE FROM checkpoints WHERE checkpoint > (SELECT min(checkpoint) FROM checkpoints);\
                      DELETE FROM records WHERE record IN (SELECT record FROM leaves WHERE file = 0 AND leaf >= (SELECT max(size) FROM checkpoints));\
                      DELETE FROM leaves WHERE leaf >= (SELECT max(size) FROM checkpoints)";
    assert!(python::sql(&data.join("node.db"), statements) > 0, "something was cut off");
    let access = "DELETE FROM records";
    python::sql(&data.join("access.db"), access);
    data
}

/// A changed record is found without any witness, and named.
fn changed(pair: &Pair) {
    let data = pair.folder.join("changed");
    copy(&pair.onprem_config.data, &data).expect("a store can be copied");
    let statement = "UPDATE records SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"applied\"', '\"skipped\"') AS BLOB) \
                     WHERE CAST(bytes AS TEXT) LIKE '%\"applied\"%'";
    assert_eq!(python::sql(&data.join("node.db"), statement), 2);
    let found = audit(pair, &["verify", "--data", &text(&data)]);
    assert_eq!(found.code, 10, "{found:?}");
    assert!(found.stderr.contains("record "), "{found:?}");
}

/// The export, read by the second verifier, gives the same size and root.
async fn exported(pair: &Pair) {
    let export = audit(pair, &["export"]);
    assert_eq!(export.code, 0);
    let ledger = pair.folder.join("ledger.ndjson");
    std::fs::write(&ledger, &export.stdout).expect("the export can be written");
    let key = pair.onprem_config.keys.join("ledger.pub");
    let verifier = harness::root().join("tests/audit/verify_ledger.py");
    let (code, verdict) = python::run(&[&verifier, &key, &ledger, Path::new("-")]);
    assert_eq!(code, 0, "{verdict}");
    let verdict: serde_json::Value = serde_json::from_str(&verdict).expect("a verdict is JSON");
    let ours = audit(pair, &["verify"]).stdout;
    let root = ours.split("root ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a root");
    assert!(verdict.to_string().contains(root), "{verdict} and {ours}");
    assert!(ours.contains(&format!(
        "records {}",
        export.stdout.lines().filter(|line| line.contains("\"leaf\"")).count()
    )));

    let broken = export.stdout.replacen("\"hash\":\"", "\"hash\":\"00", 1);
    std::fs::write(&ledger, broken).expect("the export can be written");
    let (code, _) = python::run(&[&verifier, &key, &ledger, Path::new("-")]);
    assert_eq!(code, 10);
}
