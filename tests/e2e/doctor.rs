//! `tidegate doctor`: a node that is right, one that runs, and what is wrong with others.

use std::os::unix::fs::PermissionsExt as _;

use harness::{Pair, tidegate};

/// Exit code, and the report's lines with the fixes behind them.
fn doctor(pair: &Pair, node: &str, more: &[&str]) -> (i32, String) {
    let file = pair.folder.join(&format!("{node}.yaml")).display().to_string();
    let mut arguments = vec!["doctor", "-c", &file];
    arguments.extend(more);
    let ran = tidegate(&arguments);
    (ran.code, format!("{}{}", ran.stdout, ran.stderr))
}

fn says(report: &str, words: &[&str]) {
    for words in words {
        assert!(report.contains(words), "no `{words}` in\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_looked_at_before_and_while_it_runs() {
    let mut pair = Pair::make("doctor").await;
    let (code, report) = doctor(&pair, "onprem", &[]);
    says(
        &report,
        &[
            "ok    configuration: ",
            "ok    mappings, profiles and policy: compile",
            "ok    key files: 11 there, for this user alone",
            "ok    http: ",
            "is free",
            "ok    certificate of the link: valid for ",
            "warn  destination cloud: ",
            "fix: start the cloud node",
            "ok    stores: none yet",
        ],
    );
    assert_eq!(code, 0, "what is not up yet is no fault\n{report}");
    assert_eq!(doctor(&pair, "onprem", &["--ready"]).0, 69);

    pair.start_cloud().await;
    pair.start_onprem().await;
    let (code, report) = doctor(&pair, "onprem", &[]);
    says(
        &report,
        &[
            "is held, and the node is ready",
            "ok    destination cloud: ",
            "answers over mutual TLS",
            "ok    stores: this program can read them",
            "ok    deliveries: none was given up, and no withdrawal waits",
        ],
    );
    assert_eq!(code, 0, "{report}");
    let (code, report) = doctor(&pair, "cloud", &[]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(doctor(&pair, "cloud", &["--ready"]).0, 0);
    pair.stop_onprem().await;
    pair.stop_cloud().await;
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_fix() {
    let pair = Pair::make("doctor-wrong").await;
    let keys = pair.folder.join("onprem/keys");
    let open = |name: &str, mode: u32| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(keys.join(name), mode).expect("a mode can be set");
    };
    open("sealing.key", 0o644);
    std::fs::remove_file(keys.join("cursor.key")).expect("the key is there");
    std::fs::write(pair.folder.join("cloud/keys/namespace"), "x").expect("a file");
    let taken = std::net::TcpListener::bind(pair.addresses.mllp).expect("the port is free");
    let (code, report) = doctor(&pair, "onprem", &[]);
    says(
        &report,
        &[
            "fail  key files: sealing.key is open to other users (644)",
            "chmod 600 ",
            "fail  key files: cursor.key: ",
            "fail  mllp.emr: ",
            "is held by a process that does not answer as a node",
        ],
    );
    assert_eq!(code, 1, "{report}");
    drop(taken);
    let (code, report) = doctor(&pair, "cloud", &[]);
    says(&report, &["fail  key files: namespace belongs to the on-prem node"]);
    assert_eq!(code, 1, "{report}");

    let broken = pair.folder.join("broken.yaml");
    let text = std::fs::read_to_string(pair.folder.join("onprem.yaml")).expect("a configuration");
    std::fs::write(&broken, text.replace("role: clinical", "role: clinical\nrolle: 1")).expect("a file");
    let (code, report) = doctor(&pair, "broken", &[]);
    says(&report, &["fail  configuration: ", "rolle", "fix: "]);
    assert_eq!(code, 78, "{report}");
}
