//! The command line: what is wrong is refused with its place, its cause and the way out, and with the exit code that
//! scripts rely on.

use std::path::{Path, PathBuf};

use harness::binary::run;
use harness::folder::copy;
use harness::{Person, Ran, TempFolder, root, tidegate};

/// A folder with a pair of configurations made by `init`, and mappings and profiles of its own.
struct Site(TempFolder);

impl Site {
    fn new(name: &str) -> Self {
        let folder = TempFolder::new(name);
        for part in ["mappings", "profiles"] {
            copy(&root().join(part), &folder.join(part)).expect("a folder of the product can be copied");
        }
        let made = run(&["init", "site"], folder.path(), b"");
        assert_eq!(made.code, 0, "{made:?}");
        Self(folder)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.path(file);
        let text = std::fs::read_to_string(&path).expect("a file of the site");
        assert!(text.contains(from), "{file} has {from}");
        std::fs::write(&path, text.replacen(from, to, 1)).expect("the file can be written");
    }

    fn check(&self, file: &str) -> Ran {
        run(&["check", "-c", file], self.0.path(), b"")
    }

    /// `check` and `run` both refuse with 78 and these words.
    fn refuses(&self, file: &str, words: &[&str]) {
        for command in ["check", "run"] {
            let ran = run(&[command, "-c", file], self.0.path(), b"");
            assert_eq!(ran.code, 78, "{command}: {ran:?}");
            for word in words {
                assert!(ran.stderr.contains(word), "{command} does not say {word}: {}", ran.stderr);
            }
        }
    }
}

#[test]
fn what_init_makes_and_the_examples_are_right() {
    let site = Site::new("right");
    for file in ["site/onprem.yaml", "site/cloud.yaml"] {
        let ran = site.check(file);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let again = run(&["init", "site"], site.0.path(), b"");
    assert_eq!(again.code, 78, "init overwrites nothing: {again:?}");
    for file in ["deploy/onprem.yaml", "deploy/cloud.yaml"] {
        let ran = tidegate(&["check", "-c", file]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

#[test]
fn a_wrong_configuration_does_not_start() {
    let site = Site::new("wrong");
    let onprem = "site/onprem.yaml";
    let text = std::fs::read_to_string(site.path(onprem)).expect("init made it");
    let restore = || std::fs::write(site.path(onprem), &text).expect("it can be written");
    site.edit(onprem, "node: onprem", "nodde: onprem");
    site.refuses(onprem, &["onprem.yaml:", "nodde", "fix:"]);
    restore();
    site.edit(onprem, "http:\n  listen: \"127.0.0.1", "http:\n  listen: \"0.0.0.0");
    site.refuses(onprem, &["http.listen", "TLS", "fix:"]);
    restore();
    site.edit(onprem, "listen: \"127.0.0.1:2575\"", "listen: \"0.0.0.0:2575\"");
    site.refuses(onprem, &["mllp.emr", "plaintext", "fix:"]);
    restore();
    site.edit("profiles/residency/destinations.yaml", "    profile: safe-harbor-us\n", "");
    site.refuses(onprem, &["destinations.yaml:", "profile"]);
    let missing = run(&["check", "-c", "nowhere.yaml"], site.0.path(), b"");
    assert_eq!(missing.code, 78, "{missing:?}");
}

#[test]
fn what_smart_names_is_proven() {
    let site = Site::new("smart");
    let onprem = "site/onprem.yaml";
    let text = std::fs::read_to_string(site.path(onprem)).expect("init made it");
    let with = |scopes: &str| {
        let client = format!(
            "    clients: [{{id: app, name: App, redirects: [\"https://app.example/\"], scopes: \"{scopes}\"}}]\n"
        );
        let smart = format!("smart:\n  server:\n    users: smart-users\n{client}");
        std::fs::write(site.path(onprem), format!("{text}{smart}")).expect("it can be written");
    };
    with("patient/Observation.rs");
    assert_eq!(site.check(onprem).code, 0);
    let absent = run(&["run", "-c", onprem], site.0.path(), b"");
    assert_eq!(absent.code, 78, "{absent:?}");
    assert!(absent.stderr.contains("smart-users"), "{}", absent.stderr);
    with("patient/Observation.sr");
    site.refuses(onprem, &["smart.server.clients.app", "cruds", "fix:"]);
}

#[test]
fn a_wrong_mapping_names_its_place_and_the_way_out() {
    let site = Site::new("mapping");
    let file = "mappings/segments/PID.Patient.yaml";
    let text = std::fs::read_to_string(site.path(file)).expect("the map is there");
    site.edit(file, "gender: PID-8", "gendre: PID-8");
    site.refuses("site/onprem.yaml", &["PID.Patient.yaml:", "gendre", "gender"]);
    let line = 1 + text.lines().position(|line| line.starts_with("gender:")).expect("a line");
    site.refuses("site/onprem.yaml", &[&format!("PID.Patient.yaml:{line}:1")]);
    std::fs::write(site.path(file), &text).expect("it can be written");
    site.edit(file, "gender: PID-8", "gender: PID-88");
    site.refuses("site/onprem.yaml", &[&format!("PID.Patient.yaml:{line}:"), "PID-88"]);
    let map = run(&["map", &fixture()], site.0.path(), b"");
    assert_eq!(map.code, 78, "{map:?}");
    let test = run(&["test"], site.0.path(), b"");
    assert_eq!(test.code, 78, "{test:?}");
}

fn fixture() -> String {
    root().join("fixtures/ADT_A01/admit-inpatient.hl7").display().to_string()
}

#[test]
fn map_writes_every_format_and_its_exit_codes() {
    let file = fixture();
    let person = Person::new(111);
    let bundle = tidegate(&["map", &file]);
    assert_eq!(bundle.code, 0);
    let bundle: serde_json::Value = serde_json::from_str(&bundle.stdout).expect("one bundle");
    assert_eq!(bundle["type"], serde_json::json!("transaction"));
    let entries = bundle["entry"].as_array().map_or(0, Vec::len);
    for format in ["ndjson", "trace", "coverage"] {
        let ran = tidegate(&["map", "--format", format, &file]);
        assert_eq!(ran.code, 0, "{format}: {ran:?}");
        let lines: Vec<serde_json::Value> =
            ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        match format {
            "ndjson" => assert_eq!(lines.len(), entries),
            "trace" => assert!(lines.iter().any(|line| line["source"] == "PID-8")),
            _ => assert!(lines[0]["mapped"].as_u64() > Some(50) && !ran.stdout.contains("Fairweather")),
        }
    }
    assert_eq!(tidegate(&["map", "nowhere.hl7"]).code, 74);
    let folder = root();
    let rejected =
        run(&["map"], &folder, person.a01("X").replacen("ADT^A01^ADT_A01", "ADT^A99", 1).as_bytes());
    assert_eq!((rejected.code, rejected.stdout.as_str()), (1, ""), "{rejected:?}");
    assert_eq!(run(&["map"], &folder, b"").code, 1, "no message is a failure");
    let framed = [b"\x0b", person.a01("X").as_bytes(), b"\x1c\r"].concat();
    assert_eq!(run(&["map"], &folder, &framed).code, 0);
}

#[test]
fn usage_errors_exit_2_and_help_has_examples() {
    for arguments in [&["frobnicate"][..], &["map", "--format", "xml"], &["run"], &["deid"]] {
        assert_eq!(tidegate(arguments).code, 2, "{arguments:?}");
    }
    for command in ["demo", "init", "run", "check", "map", "test", "deid", "send", "gen", "audit"] {
        let ran = tidegate(&[command, "--help"]);
        assert_eq!(ran.code, 0, "{command}");
        assert!(ran.stdout.contains("Examples:"), "{command}");
    }
    assert_eq!(tidegate(&["deid", "--profile", "no-such-profile"]).code, 2);
    let beyond = tidegate(&["demo", "--http", "0.0.0.0:18099", "--no-feed"]);
    assert_eq!(beyond.code, 2, "{beyond:?}");
    let nobody = tidegate(&["send", &harness::ports::free().to_string(), &fixture()]);
    assert_eq!(nobody.code, 69, "{nobody:?}");
}

#[test]
fn the_tests_beside_the_mappings_pass() {
    let ran = tidegate(&["test"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
}

/// `gen | map | deid`, as a pipeline.
#[test]
fn a_generated_feed_maps_and_loses_its_identifiers() {
    let folder = root();
    let feed = tidegate(&["gen", "--seed", "11", "--count", "8"]);
    assert_eq!(feed.code, 0);
    assert_eq!(
        feed.stdout,
        tidegate(&["gen", "--seed", "11", "--count", "8"]).stdout,
        "a seed gives the same bytes"
    );
    let mapped = run(&["map", "--format", "ndjson"], &folder, feed.stdout.as_bytes());
    assert_eq!(mapped.code, 0, "{}", mapped.stderr);
    let resources = mapped.stdout.lines().count();
    assert!(resources > 8);
    let released = run(&["deid", "--profile", "safe-harbor-us"], &folder, mapped.stdout.as_bytes());
    assert_eq!(released.code, 0, "{}", released.stderr);
    assert_eq!(released.stdout.lines().count(), resources);
    let family = feed
        .stdout
        .split('\r')
        .find_map(|line| line.strip_prefix("PID|"))
        .and_then(|pid| pid.split('|').nth(4));
    let family = family.and_then(|name| name.split('^').next()).expect("a family name");
    assert!(mapped.stdout.contains(family) && !released.stdout.contains(family));
}

#[test]
fn deid_refuses_what_the_profile_does_not_cover() {
    let folder = root();
    let uncovered = br#"{"resourceType":"Basic","id":"b","code":{"text":"x"}}"#;
    let ran = run(&["deid", "--profile", "safe-harbor-us"], &folder, uncovered);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    let not_json = run(&["deid", "--profile", "safe-harbor-us"], &folder, b"{\"secretname\":");
    assert_eq!(not_json.code, 1);
    assert!(!not_json.stderr.contains("secretname"), "an error repeats nothing of its input");
    let patient = br#"{"resourceType":"Patient","id":"p","gender":"female","birthDate":"1960-04-17"}"#;
    let key = TempFolder::new("key");
    std::fs::write(key.join("pseudonym.key"), "5a".repeat(32)).expect("a key file");
    let with_key = |_: u8| {
        let file = key.join("pseudonym.key").display().to_string();
        run(&["deid", "--profile", "safe-harbor-us", "--key-file", &file], Path::new(&folder), patient).stdout
    };
    let first = with_key(1);
    assert!(first.contains("\"1960\"") && !first.contains("1960-04"), "{first}");
    assert_eq!(first, with_key(2), "the same key gives the same pseudonyms");
    let random = run(&["deid", "--profile", "safe-harbor-us"], &folder, patient);
    assert_ne!(random.stdout, first);
    assert!(random.stderr.contains("random"));
}
