//! The mapping package exchanged in a running node: what is wrong changes nothing, what is right counts from the next
//! message on, and each message is of one package; by SIGHUP and by the admin API. And the difference of two packages over what the node has stored.

use std::path::PathBuf;

use audit::Kind;
use harness::folder::copy;
use harness::{NodeProcess, Pair, Person, Sender, binary, eventually, root, stored};

/// A file of the package that is edited, and a rule of it.
const PATIENT: &str = "segments/PID.Patient.yaml";
const RULE: &str = "map: PID -> Patient\n";
/// Between two messages that come while a package is exchanged.
const FEED_PAUSE: std::time::Duration = std::time::Duration::from_millis(150);

/// A clinical node in a process of its own, with a package of its own.
struct Site {
    pair: Pair,
    node: NodeProcess,
}

impl Site {
    async fn start(name: &str) -> Self {
        let pair = Pair::make(name).await;
        copy(&root().join("mappings"), &pair.folder.join("mappings")).expect("the package can be copied");
        let file = pair.folder.join("onprem.yaml");
        let text = std::fs::read_to_string(&file).expect("init made it");
        let (ours, its) = (root().join("mappings"), pair.folder.join("mappings"));
        let edited = text.replace(&ours.display().to_string(), &its.display().to_string());
        assert_ne!(edited, text, "the configuration names the package");
        std::fs::write(&file, edited).expect("it can be written");
        let node = NodeProcess::start(&file, &pair.folder.join("onprem.log"), &pair.here()).await;
        Self { pair, node }
    }

    fn words(&self) -> String {
        self.node.words()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.pair.folder.join("mappings").join(name)
    }

    /// Puts text in the place of other text, in a file of the package as it was delivered.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text =
            std::fs::read_to_string(root().join("mappings").join(name)).expect("a file of the package");
        assert!(text.contains(from), "{name} has {from}");
        std::fs::write(self.file(name), text.replacen(from, to, 1)).expect("it can be written");
    }

    /// Sends SIGHUP and waits for a word of the node; gives all that it said from then on.
    async fn reload(&self, says: &str) -> String {
        let before = self.words().len();
        self.node.hang_up();
        eventually("the word of the node", || async {
            let words = self.words().get(before..).unwrap_or_default().to_owned();
            if words.contains(says) { Ok(words) } else { Err(format!("no `{says}` in {words}")) }
        })
        .await
    }

    /// Sends the admission of a person and gives the Patient that comes of it.
    async fn admitted(&self, number: u32) -> serde_json::Value {
        let person = Person::new(number);
        let mut sender = Sender::connect(self.pair.mllp()).await;
        sender.accepted(&person.a01(&format!("RELOAD{number}"))).await;
        let (here, query) = (self.pair.here(), format!("Patient?identifier={}", person.number));
        eventually("the Patient", || async { here.only(&query).await }).await
    }

    /// Asks the node, as an operator with this token, to exchange its package.
    fn ask(&self, token: &str) -> binary::Ran {
        let (node, file) =
            (format!("http://{}", self.pair.addresses.http), self.pair.folder.join("admin.token"));
        std::fs::write(&file, token).expect("a token can be written");
        let file = file.display().to_string();
        let all = ["reload", "--node", &node, "--token-file", &file, "--output", "ndjson"];
        binary::run(&all, self.pair.folder.path(), b"")
    }

    /// What it answers when all is right.
    fn exchanged(&self) -> serde_json::Value {
        let ran = self.ask(&self.pair.shown.admin_token);
        assert_eq!(ran.code, 0, "{ran:?}");
        serde_json::from_str(ran.stdout.trim()).expect("one line of JSON")
    }

    /// What it says when something is wrong.
    fn not_exchanged(&self) -> String {
        let ran = self.ask(&self.pair.shown.admin_token);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        ran.stderr
    }

    fn diff(&self, arguments: &[&str]) -> harness::Ran {
        let config = self.pair.folder.join("onprem.yaml").display().to_string();
        let with = root().join("mappings").display().to_string();
        let all = [&["diff", "--with", &with, "-c", &config], arguments].concat();
        binary::run(&all, self.pair.folder.path(), b"")
    }
}

/// The hash that the node says is in force.
fn hash_in(words: &str) -> String {
    let line =
        words.lines().find(|line| line.contains("the mapping package is in force")).expect("it says so");
    let hash = line.split("id=").nth(1).expect("with the hash").trim_matches('"').trim();
    hash.trim_matches('"').to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_package_is_exchanged_whole_or_not_at_all() {
    let site = Site::start("exchanged").await;
    assert!(site.admitted(1).await.get("language").is_none());

    // It does not compile: file, line, column and code are named, and nothing of the file's text.
    site.edit(PATIENT, RULE, "map: PID -> Patient\nlanguag: =en # said by Ottoline\n");
    let words = site.reload("not taken over").await;
    let line = words.lines().find(|line| line.contains("not taken over")).expect("a line");
    assert!(line.contains("segments/PID.Patient.yaml:") && line.contains("E0301"), "{line}");
    let at = std::fs::read_to_string(site.file(PATIENT)).expect("the file");
    let number = 1 + at.lines().position(|line| line.starts_with("languag")).expect("the line");
    assert!(line.contains(&format!("PID.Patient.yaml:{number}:1")), "{line}");
    assert!(!words.contains("Ottoline"), "the log quotes the file: {words}");
    assert!(site.admitted(2).await.get("language").is_none());

    // It compiles, and a test of it fails.
    site.edit(PATIENT, "gender: PID-8 code administrative-gender", "gender: =other");
    let words = site.reload("not taken over").await;
    assert!(words.contains("a test fails"), "{words}");
    site.edit(PATIENT, RULE, "map: PID -> Patient\nlanguage: =en\n");
    site.edit("segments/PID.Patient.test.yaml", "tests:\n", "tests:\n  - name: never so\n    er7: |\n      MSH|^~\\&|A|B|||20240102030405-0500||ADT^A01|1|P|2.5\n      PID|1||42^^^H\n    expect: {language: fr}\n");
    let words = site.reload("not taken over").await;
    assert!(words.contains("a test fails") && words.contains("PID.Patient.test.yaml:"), "{words}");
    assert!(site.admitted(3).await.get("language").is_none());

    // It is right. Messages come meanwhile.
    site.edit("segments/PID.Patient.test.yaml", "", "");
    let address = site.pair.mllp();
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let feed = tokio::spawn(async move {
        let mut sender = Sender::connect(address).await;
        let mut number = 100;
        while stopped.try_recv().is_err() {
            sender.accepted(&Person::new(number).a01(&format!("RELOAD{number}"))).await;
            number += 1;
            tokio::time::sleep(FEED_PAUSE).await;
        }
        number
    });
    let hash = hash_in(&site.reload("the mapping package is in force").await);
    assert_eq!(site.admitted(4).await["language"], "en");
    // SIGHUP again: the same package, about which there is nothing to say.
    let words = site.reload("configuration read again").await;
    assert!(!words.contains("in force"), "{words}");
    stop.send(()).expect("the feed runs");
    let end = feed.await.expect("every message was accepted");
    assert_eq!(site.admitted(end).await["language"], "en");

    // What the node has stored, by the package in force and by the one before; it runs.
    let ran = site.diff(&[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stdout.lines().any(|line| line.starts_with("Patient ")
            && line.contains("language")
            && line.contains("removed")),
        "{ran:?}"
    );
    assert!(!ran.stdout.contains("\"en\"") && !ran.stdout.contains("Quillfeather"), "{ran:?}");
    assert_eq!(
        site.diff(&["--show-values"]).code,
        2,
        "values of stored messages are for `explain`, which is recorded"
    );
    let ran = site.diff(&["--since", "1d", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.code, &report["differing"]), (1, &report["messages"]), "{report}");
    assert_eq!(report["package"], hash.as_str());

    let Site { pair, node } = site;
    node.stop();
    each_message_is_of_one_package(&pair, &hash).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_exchanges_the_package_or_is_told_what_is_wrong() {
    let site = Site::start("operated").await;
    let same = site.exchanged();
    assert_eq!((&same["outcome"], &same["package"]), (&"unchanged".into(), &same["before"]), "{same}");
    let first = same["package"].as_str().expect("a hash").to_owned();
    assert!(site.admitted(1).await.get("language").is_none());

    // It does not compile: the place is named, and nothing of the file's text.
    site.edit(PATIENT, RULE, "map: PID -> Patient\nlanguag: =en # said by Ottoline\n");
    let text = std::fs::read_to_string(site.file(PATIENT)).expect("the file");
    let number = 1 + text.lines().position(|line| line.starts_with("languag")).expect("the line");
    let words = site.not_exchanged();
    assert!(words.contains(&format!("segments/PID.Patient.yaml:{number}:1  E0301")), "{words}");
    assert!(!words.contains("Ottoline") && !site.words().contains("Ottoline"), "{words}");
    // It compiles, and tests of it fail.
    site.edit(PATIENT, "gender: PID-8 code administrative-gender", "gender: =other");
    let words = site.not_exchanged();
    assert!(words.contains("PID.Patient.test.yaml:") && words.contains("a test fails"), "{words}");
    assert!(site.admitted(2).await.get("language").is_none());

    // Who is not known exchanges nothing.
    site.edit(PATIENT, RULE, "map: PID -> Patient\nlanguage: =en\n");
    let ran = site.ask("0123456789");
    assert!(ran.code == 1 && ran.stderr.contains("no client of this API has this token"), "{ran:?}");
    assert!(site.admitted(3).await.get("language").is_none());

    // It is right, and two ask at once: it is exchanged once.
    let (one, other) = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(|| site.exchanged()), scope.spawn(|| site.exchanged()));
        (one.join().expect("it answers"), other.join().expect("it answers"))
    });
    let mut outcomes = [&one, &other].map(|done| done["outcome"].as_str().expect("a word"));
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["in-force", "unchanged"]);
    assert_eq!(one["package"], other["package"]);
    let second = one["package"].as_str().expect("a hash").to_owned();
    assert_ne!(second, first);
    assert_eq!(site.admitted(4).await["language"], "en");
    // SIGHUP finds it in force.
    let words = site.reload("configuration read again").await;
    assert!(!words.contains("in force"), "{words}");
    // A FHIR package that lies within belongs to it.
    let within = site.file("packages/harbor/package.json");
    std::fs::create_dir_all(within.parent().expect("a folder")).expect("it can be made");
    std::fs::write(within, r#"{"name": "harbor.profiles", "version": "1.0.0", "fhirVersions": ["4.0.1"]}"#)
        .expect("it can be written");
    let third = site.exchanged();
    assert_eq!(
        (&third["outcome"], &third["before"]),
        (&"in-force".into(), &second.as_str().into()),
        "{third}"
    );
    let third = third["package"].as_str().expect("a hash").to_owned();

    let Site { pair, node } = site;
    node.stop();
    each_request_is_recorded(&pair, [&first, &second, &third]).await;
}

/// Who asked for an exchange, how it ended, and which package is in force then.
async fn each_request_is_recorded(pair: &Pair, [first, second, third]: [&String; 3]) {
    let store = stored::clinical(&pair.onprem_config.data).await;
    let changes: Vec<_> = stored::records(&store)
        .await
        .into_iter()
        .filter(|(kind, _)| *kind == Kind::ConfigurationChanged)
        .map(|(_, record)| {
            assert_eq!(record["client"], "operator");
            let hash = |name| stored::object(&record, name);
            (record["outcome"].as_str().unwrap_or_default().to_owned(), hash("before"), hash("package"))
        })
        .collect();
    let expected = [
        ("ok", first, first),
        ("refused", first, first),
        ("refused", first, first),
        ("ok", first, second),
        ("ok", second, second),
        ("ok", second, third),
    ];
    let owned = |(outcome, before, after): (&str, &String, &String)| {
        (outcome.to_owned(), before.clone(), after.clone())
    };
    assert_eq!(changes, expected.map(owned));
    stored::close(store).await;
}

/// By the rows, the ledger, the versions and the Provenances of a stopped node.
async fn each_message_is_of_one_package(pair: &Pair, hash: &str) {
    let store = stored::clinical(&pair.onprem_config.data).await;
    let records = stored::records(&store).await;
    let changes: Vec<_> = records.iter().filter(|(kind, _)| *kind == Kind::ConfigurationChanged).collect();
    assert_eq!(changes.len(), 1, "the ledger says once that the package changed");
    assert_eq!(stored::object(&changes[0].1, "package"), hash);
    let (mut before, mut after) = (0, 0);
    for row in stored::messages(&store).await {
        let detail = store::Messages::detail(&*store, row.id).await.expect("readable").expect("is listed");
        let is_new = row.package_hash == hash;
        assert!(is_new || after == 0, "an older package came back");
        *(if is_new { &mut after } else { &mut before }) += 1;
        let mut kinds = Vec::new();
        for (key, version) in &detail.resources {
            let stored = store::Resources::vread(&*store, key, *version).await;
            let stored = stored.expect("readable").expect("is there");
            let text = String::from_utf8_lossy(stored.body.expose()).into_owned();
            match key.resource_type.as_str() {
                "Patient" => assert_eq!(text.contains("\"language\":\"en\""), is_new, "a Patient of both"),
                "Provenance" => {
                    assert_eq!(text.contains(&format!("#{hash}")), is_new, "a Provenance of both")
                }
                _ => {}
            }
            kinds.push(key.resource_type.as_str());
        }
        assert!(kinds.contains(&"Patient") && kinds.contains(&"Provenance"), "{kinds:?}");
        let applied = records.iter().find(|(kind, record)| {
            *kind == Kind::MessageApplied && record.to_string().contains(&row.id.0.to_string())
        });
        let (_, applied) = applied.expect("the ledger has it");
        assert_eq!(stored::object(applied, "package"), row.package_hash);
    }
    assert!(before > 3 && after >= 2, "{before} before, {after} after");
    stored::close(store).await;
}
