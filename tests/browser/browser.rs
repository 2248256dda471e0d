//! The console as a person meets it: Chromium goes through it by keyboard alone in both themes, and without scripts.
//!
//! The stories themselves are Node programs beside this file; here they get a pair of nodes that is fed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use harness::{Pair, Person, Sender, eventually};
use serde_json::json;
use tidegate::generate::{Feed, Generated, System, sent};

/// Seed of the feed, as the demo has it.
const SEED: u64 = 7;
/// Messages that are there before somebody looks.
const BEFORE: usize = 60;
/// Messages that may come while somebody looks.
const MEANWHILE: usize = 400;
const PAUSE: Duration = Duration::from_millis(500);
/// The longest story, on a busy machine.
const STORY_MAX: Duration = Duration::from_secs(600);
/// Words shorter than this are no identifier by themselves.
const WORD_MIN: usize = 4;
/// What the suite needs besides the product, as the gate names it.
const TOOLS: [&str; 3] = ["node", "chromium", "browser-packages"];

/// A connection for each system that writes.
struct Systems {
    emr: Sender,
    pharmacy: Sender,
    payer: Sender,
}

impl Systems {
    async fn connect(pair: &Pair) -> Self {
        Self { emr: pair.sender().await, pharmacy: pair.pharmacy().await, payer: pair.payer().await }
    }

    async fn send(&mut self, message: &Generated) {
        let sender = match message.system {
            System::Emr | System::Laboratory => &mut self.emr,
            System::Pharmacy => &mut self.pharmacy,
            System::Payer => &mut self.payer,
        };
        sender.accepted(&message.er7).await;
    }
}

/// Are all tools there? A run that names one as absent skips the suite, and says so.
fn tools_are_there() -> bool {
    let absent = std::env::var("TIDEGATE_ABSENT_TOOLS").unwrap_or_default();
    !absent.split(',').any(|tool| TOOLS.contains(&tool))
}

/// The build folder, in which `npm ci` put the packages and this run puts its pictures.
fn build_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its executable");
    let profile = test.ancestors().find(|folder| folder.join("deps").is_dir());
    profile.and_then(Path::parent).expect("tests lie below a build folder").to_owned()
}

/// Everything about people that a feed and the broken scene say, as words of addresses and titles would hold it.
fn identifiers(messages: &[Generated]) -> Vec<String> {
    let said = sent(messages);
    let mut words: Vec<String> = [said.names, said.ids, said.phones, said.addresses].concat();
    words.retain(|word| word.len() >= WORD_MIN && word.chars().all(char::is_alphanumeric));
    words
}

/// The pharmacy's number of one person with the hospital's of another: a question for a person. What is said of them.
async fn two_under_one_number(systems: &mut Systems) -> Vec<String> {
    let (one, other) = (Person::new(31), Person { birth: "19620901".into(), ..Person::new(32) });
    systems.emr.accepted(&one.a01("R-1")).await;
    systems.emr.accepted(&other.a01("R-2")).await;
    systems.pharmacy.accepted(&one.rde("R-3", "CX31")).await;
    systems.pharmacy.accepted(&other.rde("R-4", "CX31")).await;
    let mut words = [one.identifiers(), other.identifiers()].concat();
    words.retain(|word| word.len() >= WORD_MIN && word.chars().all(char::is_alphanumeric));
    words
}

/// Tells one story over a pair of its own.
async fn tell(story: &str, theme: &str) {
    if !tools_are_there() {
        eprintln!("skipped: a tool of the browser suite is absent");
        return;
    }
    let pair = Pair::start_with(&format!("browser-{story}-{theme}"), |config, _| config.demo = true).await;
    let messages: Vec<Generated> = Feed::new(SEED).take(BEFORE + MEANWHILE).collect();
    let mut systems = Systems::connect(&pair).await;
    for message in messages.iter().take(BEFORE) {
        systems.send(message).await;
    }
    let people = two_under_one_number(&mut systems).await;
    // A pair without an audience has nothing to show: some twins are there.
    eventually("twins in the cloud", || async {
        match pair.there().count("Patient").await? {
            0 => Err("none".to_owned()),
            count => Ok(count),
        }
    })
    .await;
    let description = describe(&pair, story, theme, &[identifiers(&messages), people].concat());
    let feed = tokio::spawn(async move {
        for message in messages.iter().skip(BEFORE) {
            systems.send(message).await;
            tokio::time::sleep(PAUSE).await;
        }
    });
    let (is_well, words) = node(&description).await;
    assert!(!feed.is_finished() || feed.await.is_ok(), "the feed was interrupted");
    assert!(is_well, "{story}, {theme}: {words}");
}

/// Writes what the story must know; where.
fn describe(pair: &Pair, story: &str, theme: &str, identifiers: &[String]) -> PathBuf {
    let (onprem, cloud) =
        (format!("http://{}", pair.addresses.http), format!("http://{}", pair.addresses.cloud_http));
    let build = build_folder();
    let description = json!({
        "story": story, "theme": theme, "origins": [onprem, cloud],
        "login": format!("{onprem}/login?code={}", pair.shown.login_code),
        "cloudLogin": format!("{cloud}/login?code={}", pair.shown.cloud_login_code),
        "packages": build.join("browser"), "pictures": build.join("browser/pictures"),
        "identifiers": identifiers,
    });
    let file = pair.folder.join("browser.json");
    std::fs::write(&file, description.to_string()).expect("a description can be written");
    file
}

/// Runs the story; whether it ended well, and what it said.
async fn node(description: &Path) -> (bool, String) {
    let mut command = tokio::process::Command::new("node");
    command.arg("tests/browser/run.mjs").arg(description).current_dir(harness::root());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(STORY_MAX, command.output()).await;
    let output = output.expect("the story ends in time").expect("node can be started");
    let words = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&words).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tour_by_keyboard_in_the_light_theme() {
    tell("keyboard", "light").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tour_by_keyboard_in_the_dark_theme() {
    tell("keyboard", "dark").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_work_without_scripts() {
    tell("plain", "light").await;
}
