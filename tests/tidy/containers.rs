//! The container files: known keys only, nothing given away, commands and sources that exist.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser as _;
use serde::Deserialize;
use tidegate::config::{self, Role};

use crate::workspace::read;

const DOCKERFILE: &str = "deploy/Dockerfile";
const COMPOSE: &str = "deploy/compose.yaml";
/// The user of the images; no distribution gives it a meaning.
const USER: &str = "65532:65532";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Compose {
    name: String,
    services: BTreeMap<String, Service>,
    networks: BTreeMap<String, Network>,
    volumes: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    build: Build,
    user: String,
    read_only: bool,
    cap_drop: Vec<String>,
    security_opt: Vec<String>,
    pids_limit: u32,
    ulimits: BTreeMap<String, u32>,
    restart: String,
    stop_grace_period: String,
    tmpfs: Vec<String>,
    networks: BTreeMap<String, Attachment>,
    ports: Vec<String>,
    volumes: Vec<Mount>,
    healthcheck: Healthcheck,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    context: String,
    dockerfile: String,
    target: String,
    args: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attachment {
    #[serde(default)]
    ipv4_address: Option<std::net::Ipv4Addr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mount {
    r#type: MountKind,
    source: String,
    target: String,
    #[serde(default)]
    read_only: bool,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum MountKind {
    Bind,
    Volume,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Healthcheck {
    test: Vec<String>,
    interval: String,
    timeout: String,
    retries: u32,
    start_period: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    #[serde(default)]
    ipam: Option<Ipam>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ipam {
    config: Vec<Subnet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subnet {
    subnet: String,
}

fn compose() -> Compose {
    serde_saphyr::from_str(&read(COMPOSE)).unwrap_or_else(|error| panic!("{COMPOSE}: {error}"))
}

#[test]
fn a_key_that_compose_does_not_know_is_refused() {
    let text = read(COMPOSE).replacen("    read_only: true\n", "    readonly: true\n", 1);
    let error = serde_saphyr::from_str::<Compose>(&text).err().expect("a misspelt key is an error");
    assert!(error.to_string().contains("readonly"), "{error}");
}

#[test]
fn services_give_nothing_away() {
    let compose = compose();
    assert_eq!(compose.name, "tidegate");
    assert_eq!(compose.services.keys().collect::<Vec<_>>(), ["cloud", "onprem"]);
    for (name, service) in &compose.services {
        assert_eq!(service.user, USER, "{name}");
        assert!(service.read_only, "{name}: the root file system can be written");
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        assert_eq!(service.security_opt, ["no-new-privileges:true"], "{name}");
        assert!(service.pids_limit > 0 && service.ulimits["nofile"] >= 65_536, "{name}");
        assert_eq!(service.ulimits["core"], 0, "{name}: what is in memory would reach a disk");
        assert_eq!((service.restart.as_str(), service.stop_grace_period.as_str()), ("on-failure", "90s"));
        assert!(service.tmpfs.iter().all(|tmpfs| tmpfs.contains("noexec") && tmpfs.contains("size=")));
        assert!(
            service.ports.iter().all(|port| port.starts_with("127.0.0.1:")),
            "{name}: {:?}",
            service.ports
        );
        let check = &service.healthcheck;
        assert!(check.retries > 0, "{name}");
        for text in [&check.interval, &check.timeout, &check.start_period] {
            assert!(text.strip_suffix('s').is_some_and(|s| s.parse::<u32>().is_ok()), "{name}: {text}");
        }
        is_command(check.test.strip_prefix(&["CMD".to_owned()]).expect("no shell between"));
        assert!(check.test.contains(&"--ready".to_owned()), "{name} does not ask /readyz");
        for mount in &service.volumes {
            let is_named = mount.r#type == MountKind::Volume && compose.volumes.contains_key(&mount.source);
            assert!(is_named || mount.read_only, "{name}: {} can be written from outside", mount.target);
            let file = harness::root().join("deploy").join(&mount.source);
            assert!(is_named || mount.source.contains("/tls/") || file.is_file(), "no {}", mount.source);
        }
    }
}

#[test]
fn the_two_sides_share_a_network_and_nothing_else() {
    let compose = compose();
    let (onprem, cloud) = (&compose.services["onprem"], &compose.services["cloud"]);
    let sources = |service: &Service| -> BTreeSet<String> {
        service.volumes.iter().map(|mount| mount.source.clone()).collect()
    };
    assert!(sources(onprem).is_disjoint(&sources(cloud)), "the two share a volume");
    assert_eq!(onprem.networks.keys().collect::<Vec<_>>(), ["boundary", "site"]);
    assert_eq!(cloud.networks.keys().collect::<Vec<_>>(), ["boundary"]);
    assert_eq!(compose.networks.keys().collect::<Vec<_>>(), ["boundary", "site"]);
    let subnet = &compose.networks["boundary"].ipam.as_ref().expect("a fixed network").config[0].subnet;
    let prefix = subnet.rsplit_once('.').expect("an IPv4 network").0;
    let load = |name: &str| {
        let file = harness::root().join(format!("deploy/compose/{name}.yaml"));
        config::load(&file).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"))
    };
    let (here, there) = (load("onprem"), load("cloud"));
    assert_eq!((here.role, there.role), (Role::Clinical, Role::Portal));
    let link = there.link.expect("the cloud listens for the link");
    let address = cloud.networks["boundary"].ipv4_address.expect("the certificate is for a fixed address");
    assert!(address.to_string().starts_with(prefix), "{address} is not in {subnet}");
    let dialled = format!("{address}:{}", link.listen.port());
    assert_eq!(here.destinations[&link.destination].address, Some(dialled), "the two do not meet");
    for (service, ports) in [
        (onprem, here.mllp.iter().map(|mllp| mllp.listen.port()).chain([here.http.listen.port()]).collect()),
        (cloud, BTreeSet::from([there.http.listen.port()])),
    ] {
        let published: BTreeSet<u16> =
            service.ports.iter().filter_map(|port| port.rsplit(':').next()?.parse().ok()).collect();
        assert_eq!(published, ports, "what is published is not what the node listens on");
    }
}

/// One instruction of a Dockerfile: its word and its arguments, lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = read(DOCKERFILE).replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').expect("an instruction has arguments"))
        .map(|(word, arguments)| (word.to_owned(), arguments.trim().to_owned()))
        .collect()
}

/// A stage: what it is made from, and its instructions.
struct Stage {
    name: String,
    base: String,
    instructions: Vec<(String, String)>,
}

fn stages() -> Vec<Stage> {
    let known = ["FROM", "ARG", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "HEALTHCHECK"];
    let mut stages: Vec<Stage> = Vec::new();
    for (word, arguments) in instructions() {
        assert!(known.contains(&word.as_str()), "{DOCKERFILE}: {word}");
        if word == "FROM" {
            let (base, name) = arguments.split_once(" AS ").expect("a stage has a name");
            stages.push(Stage { name: name.to_owned(), base: base.to_owned(), instructions: Vec::new() });
        } else {
            stages.last_mut().expect("FROM comes first").instructions.push((word, arguments));
        }
    }
    stages
}

/// What the image of `stage` has of an instruction, its own or its base's.
fn inherited<'s>(stages: &'s [Stage], stage: &'s Stage, word: &str) -> Option<&'s str> {
    let own = stage.instructions.iter().rev().find(|(other, _)| other == word);
    own.map(|(_, arguments)| arguments.as_str()).or_else(|| {
        let base = stages.iter().find(|other| other.name == stage.base)?;
        inherited(stages, base, word)
    })
}

/// `["/usr/bin/tidegate", …]` is a command that the program knows.
fn is_command(words: &[String]) {
    assert_eq!(words[0], "/usr/bin/tidegate");
    tidegate::cli::Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
}

#[test]
fn images_are_built_from_what_is_there_and_run_as_nobody() {
    let stages = stages();
    let pinned = regex::Regex::new(r"^[a-z/]+:\d+\.\d+[a-z0-9.-]*$").expect("a constant expression compiles");
    for stage in &stages {
        let is_ours = stages.iter().any(|other| other.name == stage.base);
        assert!(is_ours || pinned.is_match(&stage.base), "{} is not pinned", stage.base);
        for (_, arguments) in stage.instructions.iter().filter(|(word, _)| word == "COPY") {
            if arguments.starts_with("--from=build ") {
                continue;
            }
            let sources: Vec<&str> = arguments.split_whitespace().collect();
            for source in &sources[..sources.len() - 1] {
                assert!(harness::root().join(source).exists(), "{DOCKERFILE}: no {source}");
                let ignored = read("deploy/Dockerfile.dockerignore");
                assert!(ignored.contains(&format!("!{source}\n")), "the builder does not get {source}");
            }
        }
        if stage.name != "build" {
            let installs = |(_, arguments): &&(String, String)| {
                ["apt", "dpkg", "pip", "curl", "wget"].iter().any(|tool| arguments.contains(tool))
            };
            assert!(!stage.instructions.iter().any(|i| installs(&i)), "{} installs something", stage.name);
        }
    }
    for service in compose().services.values() {
        let Build { context, dockerfile, target, args } = &service.build;
        assert_eq!((context.as_str(), dockerfile.as_str()), ("..", DOCKERFILE));
        let stage = stages.iter().find(|stage| stage.name == *target).expect("the target is a stage");
        assert_eq!(inherited(&stages, stage, "USER"), Some(USER));
        let entry = inherited(&stages, stage, "ENTRYPOINT").expect("an entry point");
        let words: Vec<String> = serde_json::from_str(entry).expect("the entry point is a list");
        is_command(&words);
        assert_eq!(words[1], "run");
        let health = inherited(&stages, stage, "HEALTHCHECK").expect("a health check");
        let words = serde_json::from_str::<Vec<String>>(health.trim_start_matches("CMD "));
        is_command(&words.expect("the check is a list"));
        let manifest = read("crates/tidegate/Cargo.toml");
        for feature in args["FEATURES"].split(',') {
            assert!(manifest.contains(&format!("\n{feature} = [")), "tidegate has no feature {feature}");
        }
    }
    let features = |service: &str| compose().services[service].build.args["FEATURES"].clone();
    let built = (features("cloud"), features("onprem"));
    assert_eq!((built.0.as_str(), built.1.as_str()), ("portal", "clinical,portal,postgres"));
}
