//! Clients that others wrote go through a portal's story against a real node, and schemathesis through every address of its
//! OpenAPI document. They need packages from registries, so they run where `TIDEGATE_FULL=1` asks for all.

mod addresses;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use harness::{NodeProcess, Pair, Surface};
use serde_json::json;

/// The longest story, on a busy machine.
const STORY_MAX: Duration = Duration::from_secs(300);
/// As the gate names the packages.
const TOOL: &str = "client-packages";

fn is_asked() -> bool {
    let full = std::env::var_os("TIDEGATE_FULL").is_some_and(|full| full == "1");
    if !full {
        eprintln!("skipped: TIDEGATE_FULL is not 1");
    } else if !harness::tool_is_there(TOOL) {
        eprintln!("skipped: {TOOL} are absent");
    }
    full && harness::tool_is_there(TOOL)
}

/// The build folder, beside which `install` put the packages.
fn packages() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its executable");
    let profile = test.ancestors().find(|folder| folder.join("deps").is_dir());
    profile.and_then(Path::parent).expect("tests lie below a build folder").join("clients")
}

/// One of the two nodes of a pair, as a process.
struct Running {
    _node: NodeProcess,
    pair: Pair,
    description: PathBuf,
    address: SocketAddr,
    token: String,
}

async fn run(name: &str, config: &str) -> Running {
    let pair = Pair::make(&format!("clients-{name}")).await;
    let (address, token) = match config {
        "cloud" => (pair.addresses.cloud_http, pair.shown.cloud_token.clone()),
        _ => (pair.addresses.http, pair.shown.onprem_token.clone()),
    };
    let surface = Surface::new(address, &token);
    let (file, log) = (pair.folder.join(&format!("{config}.yaml")), pair.folder.join("node.log"));
    let node = NodeProcess::start_optimised(&file, &log, &surface).await;
    let description = pair.folder.join("client.json");
    let text = json!({"base": format!("http://{address}/fhir"), "token": token, "packages": packages()});
    std::fs::write(&description, text.to_string()).expect("a description can be written");
    Running { _node: node, pair, description, address, token }
}

/// Runs a program in a folder; whether it ended well, and what it said.
async fn told(program: &Path, arguments: &[&str], folder: &Path, longest: Duration) -> (bool, String) {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(longest, command.output()).await;
    let output = output.expect("it ends in time").expect("it can be started");
    let words = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&words).into_owned())
}

fn python() -> PathBuf {
    packages().join("venv/bin/python")
}

/// A portal's story by one client.
async fn story(program: &Path, script: &str) {
    if !is_asked() {
        return;
    }
    let name = Path::new(script).file_stem().and_then(|stem| stem.to_str()).expect("a name");
    let running = run(name, "onprem").await;
    let description = running.description.display().to_string();
    let (is_well, words) = told(program, &[script, &description], &harness::root(), STORY_MAX).await;
    assert!(is_well && words.contains("the story ended well"), "{script}: {words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fhir_kit_client() {
    story(Path::new("node"), "tests/clients/kit.mjs").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fhirclient_of_javascript() {
    story(Path::new("node"), "tests/clients/smart.mjs").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fhirpy() {
    story(&python(), "tests/clients/fhirpy_story.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fhirclient_of_python() {
    story(&python(), "tests/clients/smart_story.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_of_the_clinical_node() {
    addresses::each("onprem").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_of_the_portal() {
    addresses::each("cloud").await;
}
