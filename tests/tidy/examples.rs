//! What we ship as data works: example configurations, service units, mappings, profiles, policy.

use std::collections::BTreeMap;
use std::process::Command;

use clap::Parser as _;
use regex::Regex;
use tidegate::config::{self, Role};
use tidegate::package;

use crate::workspace::read;

/// Highest exposure of a service unit, in tenths.
const EXPOSURE_MAX_TENTHS: u32 = 20;

#[test]
fn example_configurations_load() {
    let deploy = harness::root().join("deploy");
    let load = |name: &str| {
        config::load(&deploy.join(name)).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"))
    };
    let (onprem, cloud, postgres) = (load("onprem.yaml"), load("cloud.yaml"), load("postgres.yaml"));
    assert_eq!((onprem.role, cloud.role), (Role::Clinical, Role::Portal));
    assert!(onprem.store.is_none() && cloud.store.is_none() && postgres.store.is_some());
    let link = cloud.link.expect("the cloud example listens for the link");
    assert!(onprem.destinations.contains_key(&link.destination), "the examples do not know each other");
    let channels: Vec<&str> = onprem.mllp.iter().map(|mllp| mllp.name.as_str()).collect();
    assert_eq!(channels, ["emr", "laboratory", "pharmacy", "payer"]);
    let clear: Vec<_> =
        onprem.mllp.iter().filter(|mllp| mllp.tls.is_none() && mllp.plaintext.is_none()).collect();
    assert!(clear.is_empty(), "an example listens in the clear without a reason: {clear:?}");
}

/// The examples are the reference of the configuration: every key stands in one of them, below a comment.
#[test]
fn examples_explain_every_key() {
    let field = Regex::new(r"(?m)^    pub ([a-z_]+): ").expect("a constant expression compiles");
    let examples = ["onprem", "cloud", "postgres"].map(|name| read(&format!("deploy/{name}.yaml")));
    let source = ["mod", "destinations", "search_parameters", "smart", "storage"]
        .map(|name| read(&format!("crates/tidegate/src/config/{name}.rs")))
        .concat();
    let keys: Vec<&str> =
        field.captures_iter(&source).filter_map(|found| found.get(1)).map(|key| key.as_str()).collect();
    assert!(keys.len() > 25, "only {keys:?}: the reader is broken");
    for key in keys {
        let is_explained = examples.iter().any(|example| {
            let lines: Vec<&str> = example.lines().map(str::trim).collect();
            let is_key = |line: &str| line.trim_start_matches("- ").starts_with(&format!("{key}:"));
            (1..lines.len()).any(|at| is_key(lines[at]) && lines[at - 1].starts_with('#'))
        });
        assert!(is_explained, "no example has `{key}` below a comment");
    }
}

#[test]
fn service_units_check_before_they_start_and_give_nothing_away() {
    let hardening = [
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "MemoryDenyWriteExecute=yes",
        "CapabilityBoundingSet=\n",
        "SystemCallFilter=@system-service",
        "LimitCORE=0",
        "MemorySwapMax=0",
        "UMask=0077",
        "RestartPreventExitStatus=78",
    ];
    for role in ["onprem", "cloud"] {
        let path = format!("deploy/systemd/tidegate-{role}.service");
        let unit = read(&path);
        for line in hardening {
            assert!(unit.contains(&format!("\n{line}")), "{path} has no `{line}`");
        }
        for (key, command) in [("ExecStartPre=", "check"), ("ExecStart=", "run")] {
            let line = unit
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap_or_else(|| panic!("{path}: no {key}"));
            assert_eq!(line, format!("/usr/bin/tidegate {command} -c /etc/tidegate/{role}.yaml"), "{path}");
            tidegate::cli::Cli::try_parse_from(line.split(' '))
                .unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
}

/// What cannot be taken over while a node runs needs no reload of its unit.
#[test]
fn the_unit_of_the_clinical_role_checks_before_it_reloads() {
    let unit = read("deploy/systemd/tidegate-onprem.service");
    let lines: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("ExecReload=")).collect();
    assert_eq!(lines, ["/usr/bin/tidegate check -c /etc/tidegate/onprem.yaml", "/bin/kill -HUP $MAINPID"]);
}

/// `systemd-analyze security` of both units: 0 gives nothing away, 10 everything.
#[test]
fn service_units_expose_little() {
    if !harness::tool_is_there("systemd-analyze") {
        return;
    }
    for role in ["onprem", "cloud"] {
        let unit = format!("deploy/systemd/tidegate-{role}.service");
        let threshold = format!("--threshold={EXPOSURE_MAX_TENTHS}");
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", &threshold, &unit])
            .current_dir(harness::root())
            .output()
            .expect("systemd-analyze can be started");
        let words = String::from_utf8_lossy(&output.stdout);
        assert!(words.contains("Overall exposure level"), "{unit} was not looked at: {words}");
        assert!(output.status.success(), "{unit}: {}", words.lines().last().unwrap_or_default());
    }
}

#[test]
fn mappings_compile_and_their_tests_pass() {
    let files = package::read_folder(&harness::root().join("mappings")).expect("mappings/ can be read");
    let package = mapping::Package::compile(&mapping::Sources(files.clone())).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    });
    let outcomes = package.run_tests();
    assert!(outcomes.len() >= 50, "{} tests", outcomes.len());
    let failed = outcomes.iter().filter(|outcome| !outcome.failures.is_empty());
    let failed: Vec<String> = failed
        .map(|outcome| format!("{}:{} {}: {:?}", outcome.file, outcome.line, outcome.name, outcome.failures))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let maps = files
        .keys()
        .filter(|path| ["messages/", "segments/", "types/"].iter().any(|top| path.starts_with(top)));
    for map in maps.filter(|path| path.ends_with(".yaml") && !path.ends_with(".test.yaml")) {
        let test = map.replace(".yaml", ".test.yaml");
        assert!(files.contains_key(&test), "{map} has no test beside it");
    }
}

#[test]
fn profiles_and_policy_load_on_both_sides() {
    let profiles = harness::root().join("profiles");
    let folder = profiles.join("deidentification");
    let ids = package::folder_names(&folder).expect("profiles can be listed");
    assert!(!ids.is_empty(), "there is no profile");
    for id in &ids {
        let files: BTreeMap<String, String> =
            package::read_folder(&folder.join(id)).expect("a profile can be read");
        verifier::Grammar::compile(id, &files).unwrap_or_else(|error| panic!("{id}: {error}"));
        residency::Profile::compile(id, &files).unwrap_or_else(|found| panic!("{id}: {found:#?}"));
    }
    let files = package::read_folder(&profiles.join("residency")).expect("the policy can be read");
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let policy = residency::Policy::compile(&files, &ids).unwrap_or_else(|found| panic!("{found:#?}"));
    assert!(
        policy.destinations().iter().any(|destination| destination.cloud),
        "no destination is in a cloud"
    );
}
