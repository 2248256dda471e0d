//! Wiring of the clinical role: listeners, journal, pipeline, deliveries, FHIR REST, console, ledger.

use std::sync::Arc;

use delivery::{Backoff, Judged, Link, Recheck, Witness, Worker};
use pipeline::{Environment, Packages, Pipeline, Ports, Rehearsal, Release};
use residency::{Decision, Destination, Labels, Policy, SealingKey};
use sources::Receiver;
use store::ResourceKey;
use store::sqlite::Sqlite;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::acknowledging::{self, Receivers};
use super::background::Background;
use super::content::{self, Profiles};
use super::exchange::{self, Content, Exchanges};
use super::listeners::{self, Bound, Listeners, ReceiverOf};
use super::refeed::Again;
use super::rehearsal::DryRuns;
use super::routes::Routes;
use super::witness::CloudWitness;
use super::{Overrides, Running, forwards, tls};
use crate::config::Config;
use crate::{Exit, Failure, clock, keys};

/// Key files of this node, read.
struct Keys {
    namespace: Uuid,
    sealing: Arc<SealingKey>,
    patient_token: Arc<dyn Fn(&str) -> String + Send + Sync>,
    receipt: audit::VerifyingKey,
}

/// Starts the node; every port is open when it returns.
pub async fn start(config: &Config, overrides: &Overrides) -> Result<Running, Failure> {
    let keys = read_keys(config)?;
    let smart = super::smart::load(config)?;
    let (package, profiles, policy) = load(config)?;
    let (packages, basis) = (Packages::from(package), basis(&policy, &profiles));
    let store = super::open_store(config, overrides).await?;
    let (sealer, sealer_stop) = super::start_ledger(config, &store).await?;
    let (stop, stopped) = watch::channel(false);
    let (mut tasks, mut witnesses) = (JoinSet::new(), JoinSet::new());
    let (witnesses_stop, witnesses_stopped) = watch::channel(false);
    start_witnesses(config, &store, &policy, &witnesses_stopped, &mut witnesses)?;
    let readiness = rest::Readiness::default();
    let gate = readiness.gate("node");
    let receivers = Arc::new(receivers(overrides, &store, &packages));
    let mut listeners = Listeners::new(receiver_of(&receivers), readiness.gate("listeners"));
    super::watch_store(&store, &readiness, &stopped, &mut tasks);
    let (mut pipeline, rehearsal) = pipelines(config, &keys, &store, &packages, &policy, &profiles);
    let desk = Arc::new(pipeline.desk());
    let background = Background::start()?;
    tasks.spawn_on(pipeline.run(stopped.clone()), background.handle());
    tasks.spawn_on(super::search_parameters::index(store.clone(), stopped.clone()), background.handle());
    start_deliveries(config, &keys, &store, &policy, &basis, &stopped, &mut tasks)?;
    if let Some(retention) = config.retention {
        tasks.spawn(super::retention::run(store.clone(), config.node.clone(), retention, stopped.clone()));
    }
    forwards::start(config, &store, &policy, &stopped, &mut tasks)?;
    listeners.apply(&config.mllp).await?;
    start_folders(config, &receivers, &stopped, &mut tasks)?;
    let metrics = Arc::new(rest::Metrics::new("clinical"));
    super::start_sampler(config, &store, &metrics, &stopped, &mut tasks);
    let mut fhir = super::fhir_surface(config, &store, keys.patient_token.clone(), metrics)?;
    fhir.writes = Some(desk);
    super::quotas::keep(config, &fhir.limiter, &stopped, &mut tasks)?;
    let wired = super::smart::wire(config, smart, &store, &mut fhir, (&stopped, &mut tasks));
    let bound = listeners.bound();
    let (exchanges, asked) = exchange::exchanges();
    let router =
        router(config, &keys, &store, &packages, &policy, rehearsal, readiness, fhir, bound, exchanges)?;
    let posted = over_http(config, &receivers, &stopped, &mut tasks)?;
    let router = router.merge(wired.router.unwrap_or_default()).merge(posted);
    super::serve_http(config, router, stopped, &mut tasks).await?;
    gate.set(true);
    let (listeners, background) = (Some(listeners), Some(background));
    let content = Some(Content { packages, basis, asked });
    Ok(Running {
        tasks,
        stop,
        store,
        sealer,
        sealer_stop,
        witnesses,
        witnesses_stop,
        listeners,
        content,
        background,
    })
}

/// Mapping package, profiles and policy of a configuration; also what `check` proves.
pub fn load(config: &Config) -> Result<(Arc<mapping::Package>, Profiles, Arc<Policy>), Failure> {
    let mappings = config.mappings.as_deref().unwrap_or(std::path::Path::new("mappings"));
    let package = Arc::new(content::mappings(mappings)?);
    let (profiles, policy) = load_around(config, &package)?;
    Ok((package, profiles, policy))
}

/// Everything of a configuration but its mapping package, which is given.
pub fn load_around(
    config: &Config,
    package: &Arc<mapping::Package>,
) -> Result<(Profiles, Arc<Policy>), Failure> {
    config.mllp.iter().try_for_each(|channel| listeners::options(channel).map(drop))?;
    let types = acknowledging::types(&Packages::from(Arc::clone(package)));
    config.mllp.iter().try_for_each(|channel| acknowledging::rules(channel, types.clone()).map(drop))?;
    let profiles = content::profiles(&config.profiles)?;
    let policy = content::policy(&config.profiles, &profiles)?;
    for destination in policy.destinations().into_iter().filter(|destination| destination.cloud) {
        if config.destinations.get(&destination.id).is_none_or(|dial| dial.address.is_none()) {
            let words = format!(
                "destinations: the policy's destination `{}` has no address\n  fix: add `{}: {{address: host:port}}`",
                destination.id, destination.id
            );
            return Err(Failure::new(Exit::Configuration, words));
        }
    }
    let known: Vec<String> = policy.destinations().iter().map(|destination| destination.id.clone()).collect();
    if let Some(unknown) = config.destinations.keys().find(|id| !known.contains(id)) {
        let words =
            format!("destinations: `{unknown}` is not in the policy\n  fix: use one of {}", known.join(", "));
        return Err(Failure::new(Exit::Configuration, words));
    }
    forwards::check(config, &policy)?;
    Ok((profiles, Arc::new(policy)))
}

fn read_keys(config: &Config) -> Result<Keys, Failure> {
    let wrong = |error: &dyn std::error::Error| Failure::because(Exit::Configuration, error);
    let namespace = keys::read_text(&config.keys, keys::NAMESPACE).map_err(|e| wrong(&e))?;
    let sealing = keys::read_32(&config.keys, keys::SEALING).map_err(|e| wrong(&e))?;
    let token = keys::read_text(&config.keys, keys::PATIENT_TOKEN).map_err(|e| wrong(&e))?;
    let token = audit::TokenKey::from_file_text(&token).map_err(|e| wrong(&e))?;
    let receipt = keys::read_text(&config.keys, keys::RECEIPT_PUBLIC).map_err(|e| wrong(&e))?;
    Ok(Keys {
        namespace: namespace.parse().map_err(|e: uuid::Error| wrong(&e))?,
        sealing: Arc::new(SealingKey::from_bytes(&sealing)),
        patient_token: Arc::new(move |patient| token.token("Patient", patient).as_str().to_owned()),
        receipt: audit::VerifyingKey::from_text(&receipt).map_err(|e| wrong(&e))?,
    })
}

/// The node's pipeline, not started yet, and its dry runs.
fn pipelines(
    config: &Config,
    keys: &Keys,
    store: &Arc<Sqlite>,
    packages: &Packages,
    policy: &Arc<Policy>,
    profiles: &Profiles,
) -> (Pipeline, Rehearsal) {
    let ports = Ports {
        journal: store.clone(),
        apply: store.clone(),
        resources: store.clone(),
        messages: store.clone(),
        index: store.clone(),
        withdrawals: store.clone(),
        coverage: store.clone(),
        codes: store.clone(),
    };
    let environment = environment(config, keys);
    let (policy, profiles, sealing) = (Arc::clone(policy), profiles.clone(), Arc::clone(&keys.sealing));
    let release = move || Release::new(Arc::clone(&policy), profiles.clone(), Arc::clone(&sealing));
    let pipeline = Pipeline::new(ports.clone(), environment.clone(), packages.clone(), release());
    (pipeline, Rehearsal::new(ports, environment, packages.clone(), release))
}

/// What the pipeline is lent.
fn environment(config: &Config, keys: &Keys) -> Environment {
    Environment {
        now_us: clock::now_us,
        fill_random: clock::fill_random,
        node: config.node.clone(),
        namespace: keys.namespace,
        patient_token: keys.patient_token.clone(),
    }
}

fn start_deliveries(
    config: &Config,
    keys: &Keys,
    store: &Arc<Sqlite>,
    policy: &Arc<Policy>,
    basis: &str,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) -> Result<(), Failure> {
    for (destination, link) in links(config, policy)? {
        tasks.spawn(worker(config, keys, store, policy, basis, destination, link).run(stopped.clone()));
    }
    Ok(())
}

fn start_witnesses(
    config: &Config,
    store: &Arc<Sqlite>,
    policy: &Policy,
    stopped: &watch::Receiver<bool>,
    witnesses: &mut JoinSet<()>,
) -> Result<(), Failure> {
    for (destination, link) in links(config, policy)? {
        let witness = Witness { destination: destination.id.clone(), link, ledger: store.clone() };
        witnesses.spawn(witness.run(stopped.clone()));
    }
    Ok(())
}

/// The cloud destinations of the policy, and how each is dialled.
fn links<'p>(config: &Config, policy: &'p Policy) -> Result<Vec<(&'p Destination, Link)>, Failure> {
    let client = Arc::new(tls::link_client(config)?);
    let clouds = policy.destinations().into_iter().filter(|destination| destination.cloud);
    let dialled = clouds.filter_map(|destination| {
        let address = config.destinations.get(&destination.id)?.address.as_ref()?;
        let link = Link::new(address, Arc::clone(&client));
        Some(link.map(|link| (destination, link)).map_err(|e| Failure::because(Exit::Configuration, &e)))
    });
    dialled.collect()
}

fn worker(
    config: &Config,
    keys: &Keys,
    store: &Arc<Sqlite>,
    policy: &Arc<Policy>,
    basis: &str,
    destination: &Destination,
    link: Link,
) -> Worker {
    Worker {
        destination: destination.id.clone(),
        region: destination.region.clone(),
        profile: destination.profile.clone().unwrap_or_default(),
        policy_hash: policy.hash().to_owned(),
        basis: basis.to_owned(),
        link,
        outbox: store.clone(),
        sealing_key: Arc::clone(&keys.sealing),
        receipt_key: keys.receipt.clone(),
        recheck: recheck(Arc::clone(policy), store.clone(), destination.id.clone()),
        backoff: Backoff::default(),
        node: config.node.clone(),
        now_us: clock::now_us,
        fill_random: clock::fill_random,
    }
}

/// Today's policy, asked again at the moment of sending, with the labels that its rules give the clinical content now.
fn recheck(policy: Arc<Policy>, resources: Arc<dyn store::Resources>, destination: String) -> Recheck {
    Arc::new(move |key: ResourceKey, judged: Judged| {
        let (policy, resources) = (Arc::clone(&policy), Arc::clone(&resources));
        let destination = destination.clone();
        Box::pin(async move {
            let labels = match judged {
                // A notice has no content: what may not stand any more may always be withdrawn.
                Judged::Withdrawal => return Ok(true),
                Judged::Version(version) => labels_of(&policy, resources.vread(&key, version).await?),
            };
            Ok(matches!(policy.decide(&destination, key.resource_type, &labels), Decision::Permit { .. }))
        })
    })
}

/// What is gone or cannot be read has no label, and what has none stays.
fn labels_of(policy: &Policy, stored: Option<store::Stored>) -> Labels {
    let body = stored.and_then(|stored| serde_json::from_slice(stored.body.expose()).ok());
    body.map(|body| residency::label(policy, &body)).unwrap_or_default()
}

/// What makes the receiver of each channel.
fn receivers(overrides: &Overrides, store: &Arc<Sqlite>, packages: &Packages) -> Receivers {
    let journal: Arc<dyn store::Journal> = store.clone();
    let journal = overrides.journal.map_or(Arc::clone(&journal), |wrap| wrap(Arc::clone(&journal)));
    Receivers { store: Arc::clone(store), journal, types: acknowledging::types(packages) }
}

fn receiver_of(receivers: &Arc<Receivers>) -> ReceiverOf {
    let receivers = Arc::clone(receivers);
    Box::new(move |channel| receivers.of(channel))
}

/// `POST /hl7v2`; closed to everybody where `init` made no tokens for it.
fn over_http(
    config: &Config,
    receivers: &Receivers,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) -> Result<axum::Router, Failure> {
    let has_tokens = config.keys.join(keys::HL7V2_TOKENS).exists();
    let tokens = if has_tokens { super::token_hashes(config, keys::HL7V2_TOKENS)? } else { Vec::new() };
    let outgoing = config.http.application_acknowledgments.as_ref();
    let receiver = receivers.posted(super::over_http::CHANNEL, outgoing)?;
    keep_promises(&receiver, stopped, tasks);
    Ok(super::over_http::router(receiver, rest::TokenSet::new(tokens)))
}

/// Application acknowledgments of a channel without a listener of its own; what is open at the end is kept at the next
/// start.
fn keep_promises(receiver: &Receiver, stopped: &watch::Receiver<bool>, tasks: &mut JoinSet<()>) {
    if let Some(later) = receiver.later.clone() {
        let stopped = stopped.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = later.run() => {}
                () = super::until(stopped) => {}
            }
        });
    }
}

fn start_folders(
    config: &Config,
    receivers: &Receivers,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) -> Result<(), Failure> {
    for folder in &config.folders {
        let receiver = receivers.dropped(folder);
        keep_promises(&receiver, stopped, tasks);
        let source = super::folder::Source::open(folder, receiver, stopped.clone())?;
        tasks.spawn_blocking(|| source.run());
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "wiring: each part is named once, here")]
fn router(
    config: &Config,
    keys: &Keys,
    store: &Arc<Sqlite>,
    packages: &Packages,
    policy: &Arc<Policy>,
    rehearsal: Rehearsal,
    readiness: rest::Readiness,
    fhir: rest::Fhir,
    bound: Bound,
    exchanges: Exchanges,
) -> Result<axum::Router, Failure> {
    let (tokens, metrics) = (fhir.tokens.clone(), fhir.metrics.clone());
    let clinical = console::Clinical {
        admin: console::AdminTokens::new(super::token_hashes(config, keys::ADMIN_TOKENS)?),
        dry_run: Arc::new(DryRuns(rehearsal)),
        messages: store.clone(),
        statistics: store.clone(),
        reviews: store.clone(),
        coverage: store.clone(),
        codes: store.clone(),
        journal: store.clone(),
        acknowledgments: store.clone(),
        retention: store.clone(),
        journal_months: config.retention.map(|retention| retention.journal_months),
        package: in_force(packages),
        route: Arc::new(Routes(Arc::clone(policy))),
        accesses: store.clone(),
        outbox: store.clone(),
        forwards: store.clone(),
        refeed: Arc::new(Again {
            policy: Arc::clone(policy),
            environment: environment(config, keys),
            store: store.clone(),
        }),
        exchange: Arc::new(exchanges),
        namespace: keys.namespace,
        patient_token: keys.patient_token.clone(),
    };
    let lasting = warnings(config);
    let warnings = Arc::new(move || [lasting.clone(), bound.warnings()].concat());
    let mut console = super::console(config, store, warnings, Some(clinical))?;
    console.guide = super::guide::of(config);
    let witness = |(destination, link): (&Destination, Link)| -> Arc<dyn console::Witness> {
        Arc::new(CloudWitness { name: destination.id.clone(), link, origin: config.node.clone() })
    };
    console.witnesses = links(config, policy)?.into_iter().map(witness).collect();
    Ok(rest::clinical(fhir)
        .merge(rest::health(rest::Health { readiness, metrics, tokens }))
        .merge(console::router(console))
        .fallback(rest::unknown_route))
}

/// The package in force, for the console.
fn in_force(packages: &Packages) -> console::InForce {
    let packages = packages.clone();
    Arc::new(move || packages.current())
}

/// Says which profiles and which policy there are.
pub fn basis(policy: &Policy, profiles: &Profiles) -> String {
    policy.basis(profiles.values().map(|(profile, _)| &**profile))
}

/// What stands in the console for as long as it is so.
fn warnings(config: &Config) -> Vec<String> {
    let in_clear =
        config.mllp.iter().filter_map(|mllp| mllp.plaintext.as_ref().map(|plaintext| (mllp, plaintext)));
    in_clear
        .map(|(mllp, plaintext)| format!("{} listens without TLS: {}", mllp.name, plaintext.reason))
        .collect()
}
