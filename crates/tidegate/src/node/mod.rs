//! One node: everything its configuration names, opened, wired and started; and stopped again in order.

#[cfg(feature = "clinical")]
mod acknowledging;
#[cfg(feature = "clinical")]
mod background;
#[cfg(feature = "clinical")]
mod clinical;
#[cfg(feature = "clinical")]
pub mod content;
#[cfg(feature = "clinical")]
mod exchange;
#[cfg(feature = "clinical")]
mod folder;
#[cfg(feature = "clinical")]
mod forwards;
#[cfg(feature = "clinical")]
mod guide;
mod identity;
#[cfg(feature = "clinical")]
mod listeners;
pub mod log;
#[cfg(feature = "clinical")]
mod over_http;
mod portal;
mod quotas;
#[cfg(feature = "clinical")]
mod refeed;
#[cfg(feature = "clinical")]
mod rehearsal;
mod reload;
#[cfg(feature = "clinical")]
mod retention;
#[cfg(feature = "clinical")]
mod routes;
mod sampler;
mod sealer;
mod search_parameters;
mod settle;
mod smart;
mod tls;
#[cfg(feature = "clinical")]
mod witness;

#[cfg(feature = "clinical")]
pub(crate) use forwards::client as partner_client;
#[cfg(feature = "clinical")]
pub(crate) use tls::link_client;
pub(crate) use tls::own_client;

use std::sync::{Arc, Mutex, PoisonError};

use audit::{Kind, Record};
use store::sqlite::Sqlite;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::config::{Config, Problem, Role};
use crate::{Exit, Failure, clock, database, keys};

/// How long a node that stops waits for its witnesses.
const WITNESS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Puts something between the listeners and the journal.
#[cfg(feature = "clinical")]
pub type AroundJournal = fn(Arc<dyn store::Journal>) -> Arc<dyn store::Journal>;

/// What the power-loss test changes, to prove that it would notice; every node of a user runs with the default.
#[derive(Clone, Default)]
pub struct Overrides {
    /// Commits do not wait for the disk.
    pub synchronous_off: bool,
    /// Stands between the listeners and the journal.
    #[cfg(feature = "clinical")]
    pub journal: Option<AroundJournal>,
}

/// A node that is up: its tasks, and what stops them.
pub(crate) struct Running {
    pub(crate) tasks: JoinSet<()>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) store: Arc<Sqlite>,
    pub(crate) sealer: tokio::task::JoinHandle<()>,
    pub(crate) sealer_stop: watch::Sender<bool>,
    /// What gives the ledger's checkpoints to witnesses; stopped last, so that they see the end of the ledger too.
    pub(crate) witnesses: JoinSet<()>,
    pub(crate) witnesses_stop: watch::Sender<bool>,
    /// The MLLP listeners of a clinical node.
    #[cfg(feature = "clinical")]
    pub(crate) listeners: Option<listeners::Listeners>,
    /// The mapping package in force, and what else was loaded beside it.
    #[cfg(feature = "clinical")]
    pub(crate) content: Option<exchange::Content>,
    /// Threads of the work behind the journal; a node without a journal has none.
    #[cfg(feature = "clinical")]
    pub(crate) background: Option<background::Background>,
}

/// A configuration that was read again, or what is wrong with it.
pub type Reread = Result<Config, Vec<Problem>>;

/// Runs the node of `config` until `until` ends; then drains, seals the ledger and closes the store.
pub async fn run(
    config: Config,
    overrides: Overrides,
    until: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let (_, never) = mpsc::channel(1);
    run_changing(config, overrides, until, never).await
}

/// The same, taking over what `rereads` brings while it runs; see [`reload`].
pub async fn run_changing(
    mut config: Config,
    overrides: Overrides,
    until: impl Future<Output = ()>,
    mut rereads: mpsc::Receiver<Reread>,
) -> Result<(), Failure> {
    let mut until = std::pin::pin!(until);
    tokio::select! {
        () = &mut until => return Ok(()),
        there = database::wait(&config) => there?,
    }
    let mut running = match config.role {
        #[cfg(feature = "clinical")]
        Role::Clinical => clinical::start(&config, &overrides).await?,
        #[cfg(not(feature = "clinical"))]
        Role::Clinical => {
            return Err(Failure::new(
                Exit::Configuration,
                "this build is a cloud node's: it has no clinical role",
            ));
        }
        Role::Portal => portal::start(&config, &overrides).await?,
    };
    tracing::info!(node = config.node, "node is up");
    settle::begin();
    loop {
        tokio::select! {
            () = &mut until => break,
            Some(reread) = rereads.recv() => reload::take(&mut config, &mut running, reread).await,
            asked = asked(&mut running) => answer(&config, &running, asked).await,
        }
    }
    tracing::info!(node = config.node, "node stops");
    stop(&config, running).await
}

#[cfg(feature = "clinical")]
use exchange::{answer, asked};

/// A cloud node has no package that could be exchanged.
#[cfg(not(feature = "clinical"))]
async fn asked(_: &mut Running) -> std::convert::Infallible {
    std::future::pending().await
}

#[cfg(not(feature = "clinical"))]
async fn answer(_: &Config, _: &Running, asked: std::convert::Infallible) {
    match asked {}
}

async fn stop(config: &Config, mut running: Running) -> Result<(), Failure> {
    running.stop.send_replace(true);
    #[cfg(feature = "clinical")]
    if let Some(listeners) = running.listeners {
        listeners.stop().await;
    }
    while let Some(ended) = running.tasks.join_next().await {
        if ended.is_err() {
            tracing::error!(node = config.node, "a task of the node had died");
        }
    }
    #[cfg(feature = "clinical")]
    drop(running.background.take());
    append(&*running.store, config, Kind::NodeStopped).await?;
    running.sealer_stop.send_replace(true);
    if running.sealer.await.is_err() {
        tracing::error!(node = config.node, "the sealer had died");
    }
    running.witnesses_stop.send_replace(true);
    let witnessed = async { while running.witnesses.join_next().await.is_some() {} };
    if tokio::time::timeout(WITNESS_TIMEOUT, witnessed).await.is_err() {
        tracing::warn!(node = config.node, "the last checkpoint was not witnessed in time");
    }
    running.store.close().await.map_err(|error| Failure::because(Exit::Io, &error))
}

/// Opens the store of a role, with the search parameters of the node's packages.
pub(crate) async fn open_store(config: &Config, overrides: &Overrides) -> Result<Arc<Sqlite>, Failure> {
    let (parameters, lacked) = search_parameters::load(config)?;
    for (of, parameter) in &lacked {
        tracing::warn!(kind = *of, code = parameter.code, "a search parameter of a package is not had here");
    }
    database::open(config, !overrides.synchronous_off, &parameters).await
}

/// Starts the ledger: its first record says that the node is up, and the sealer follows.
pub(crate) async fn start_ledger(
    config: &Config,
    store: &Arc<Sqlite>,
) -> Result<(tokio::task::JoinHandle<()>, watch::Sender<bool>), Failure> {
    append(&**store, config, Kind::NodeStarted).await?;
    let text =
        keys::read_text(&config.keys, keys::LEDGER).map_err(|e| Failure::because(Exit::Configuration, &e))?;
    let key =
        audit::SigningKey::from_file_text(&text).map_err(|e| Failure::because(Exit::Configuration, &e))?;
    let (stop, stopped) = watch::channel(false);
    let ledger: Arc<dyn store::Ledger> = store.clone();
    let sealer = tokio::spawn(sealer::run(ledger, config.node.clone(), key, clock::now_us, stopped));
    Ok((sealer, stop))
}

/// Samples the node's numbers onto the page of `metrics`, until `stopped` turns true.
pub(crate) fn start_sampler(
    config: &Config,
    store: &Arc<Sqlite>,
    metrics: &rest::Metrics,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) {
    let gauges = rest::Gauges::on(metrics, env!("CARGO_PKG_VERSION"), &config.node);
    tasks.spawn(sampler::run(store.clone(), config.role, gauges, clock::now_us, stopped.clone()));
}

/// Gates of readiness that close for good when a file of the store failed, and for as long as its server is away. A full
/// disk does not close them: whoever sends is asked to send again, and only what is sent shows that there is space again.
pub(crate) fn watch_store(
    store: &Sqlite,
    readiness: &rest::Readiness,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) {
    let gates = ["journal-writes", "node-writes", "access-writes"].map(|name| readiness.gate(name));
    let (mut condition, stopped) = (store.condition(), stopped.clone());
    let show = move |condition: store::Condition| {
        for (gate, (_, state)) in gates.iter().zip(condition.each()) {
            gate.set(!matches!(state, store::FileCondition::Failed | store::FileCondition::Away));
        }
    };
    show(*condition.borrow_and_update());
    tasks.spawn(async move {
        let watched = async {
            while condition.changed().await.is_ok() {
                show(*condition.borrow_and_update());
            }
        };
        tokio::select! {
            () = watched => {}
            () = until(stopped) => {}
        }
    });
}

async fn append(ledger: &dyn store::Ledger, config: &Config, kind: Kind) -> Result<(), Failure> {
    let record = Record::new(kind, clock::new_id(), &config.node, clock::now_us()).outcome("ok");
    ledger.append(vec![record]).await.map_err(|error| Failure::because(Exit::Io, &error))
}

/// Binds, or says which address could not be had.
pub(crate) async fn bind(address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::new(Exit::Unavailable, format!("cannot listen on {address}: {error}")))
}

/// The bearer tokens of this role.
fn tokens(config: &Config) -> Result<rest::TokenSet, Failure> {
    let lines = token_lines(config, keys::TOKENS)?;
    Ok(rest::TokenSet::with(lines.into_iter().map(|(client, hash, may_write)| {
        let permission = if may_write { rest::Permission::Write } else { rest::Permission::Read };
        (client, hash, permission)
    })))
}

/// Client name and SHA-256 of each token of a key file.
#[cfg(feature = "clinical")]
pub(crate) fn token_hashes(config: &Config, name: &str) -> Result<Vec<(String, [u8; 32])>, Failure> {
    let lines = token_lines(config, name)?;
    Ok(lines.into_iter().map(|(client, hash, _)| (client, hash)).collect())
}

/// The word behind a token's hash that lets its client change resources.
const WRITES: &str = "write";

/// Client name and SHA-256 of each token of a key file, and whether it is for writing.
fn token_lines(config: &Config, name: &str) -> Result<Vec<(String, [u8; 32], bool)>, Failure> {
    let text = keys::read_text(&config.keys, name).map_err(|e| Failure::because(Exit::Configuration, &e))?;
    let mut tokens = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let parsed = line.split_once(' ').and_then(|(client, hex)| {
            let (hex, may_write) = match hex.trim().split_once(' ') {
                None => (hex.trim(), false),
                Some((hex, word)) if word.trim() == WRITES => (hex, true),
                Some(_) => return None,
            };
            let hash = keys::from_hex(hex).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())?;
            Some((client.to_owned(), hash, may_write))
        });
        let words = || {
            format!("{}: line {number} is no `<client> <sha256> [write]`", config.keys.join(name).display())
        };
        tokens.push(parsed.ok_or_else(|| Failure::new(Exit::Configuration, words()))?);
    }
    Ok(tokens)
}

/// The key that seals paging links.
fn cursor_key(config: &Config) -> Result<rest::CursorKey, Failure> {
    let key =
        keys::read_32(&config.keys, keys::CURSOR).map_err(|e| Failure::because(Exit::Configuration, &e))?;
    rest::CursorKey::from_bytes(&*key).map_err(|e| Failure::because(Exit::Configuration, &e))
}

/// Serves `router` on the configured HTTP address until `stopped` turns true.
pub(crate) async fn serve_http(
    config: &Config,
    router: axum::Router,
    stopped: watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) -> Result<(), Failure> {
    let listener = bind(config.http.listen).await?;
    let configuration = match &config.http.tls {
        Some(tls) => Some(tls::server(tls)?),
        None => None,
    };
    tasks.spawn(async move {
        let served = match configuration {
            Some(configuration) => rest::serve_tls(listener, configuration, router, until(stopped)).await,
            None => rest::serve_plain(listener, router, until(stopped)).await,
        };
        if let Err(error) = served {
            tracing::error!(%error, "HTTP ended");
        }
    });
    Ok(())
}

/// What the FHIR surface of a node stands on; the roles differ in their routers and in how the ledger names patients.
pub(crate) fn fhir_surface(
    config: &Config,
    store: &Arc<Sqlite>,
    patient_token: Arc<dyn Fn(&str) -> String + Send + Sync>,
    metrics: Arc<rest::Metrics>,
) -> Result<rest::Fhir, Failure> {
    Ok(rest::Fhir {
        resources: store.clone().into(),
        #[cfg(feature = "clinical")]
        writes: None,
        access: store.clone(),
        tokens: tokens(config)?,
        issued: rest::Issued::default(),
        issuers: rest::Issuers::default(),
        authorization: None,
        cursor_key: cursor_key(config)?,
        base_url: format!("{}/fhir", base_url(config)),
        node: config.node.clone(),
        types: rest::every_type(),
        now_us: clock::now_us,
        patient_token,
        metrics,
        limiter: rest::Limiter::new(config.http.limits.in_force()),
        origins: origins(config)?,
        index: store.search_index(),
    })
}

/// The origins from which browsers may ask.
fn origins(config: &Config) -> Result<rest::Origins, Failure> {
    let named = config.http.origins.iter().map(String::as_str);
    // `config::load` has told which is wrong.
    rest::Origins::new(named).ok_or_else(|| Failure::new(Exit::Configuration, "http.origins cannot be used"))
}

/// The console of a node; `clinical` is its on-prem side.
pub(crate) fn console(
    config: &Config,
    store: &Arc<Sqlite>,
    warnings: console::Warnings,
    #[cfg(feature = "clinical")] clinical: Option<console::Clinical>,
) -> Result<console::Console, Failure> {
    Ok(console::Console {
        resources: store.clone(),
        access: store.clone(),
        ledger: store.clone(),
        node: config.node.clone(),
        now_us: clock::now_us,
        fill_random: clock::fill_random,
        login: login(config)?,
        secure: config.http.tls.is_some(),
        warnings,
        condition: store.condition(),
        guide: None,
        ledger_key: Some(ledger_key(config)?),
        witnesses: Vec::new(),
        #[cfg(feature = "clinical")]
        clinical,
    })
}

/// Checks the signatures of this node's checkpoints.
fn ledger_key(config: &Config) -> Result<audit::VerifyingKey, Failure> {
    let wrong = |error: &dyn std::error::Error| Failure::because(Exit::Configuration, error);
    let text = keys::read_text(&config.keys, keys::LEDGER_PUBLIC).map_err(|error| wrong(&error))?;
    audit::VerifyingKey::from_text(&text).map_err(|error| wrong(&error))
}

/// The one-time link: its code's hash lies in a key file that is removed when the code is used.
fn login(config: &Config) -> Result<Arc<dyn console::LoginCodes>, Failure> {
    let file = config.keys.join(keys::LOGIN);
    let code = match std::fs::read_to_string(&file) {
        Ok(text) => Some(text.trim_end().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::new(Exit::Configuration, format!("{}: {error}", file.display()))),
    };
    let unused = Mutex::new(code);
    Ok(Arc::new(move |hash: &str| {
        let mut unused = unused.lock().unwrap_or_else(PoisonError::into_inner);
        let is_code = unused.as_deref() == Some(hash);
        // Used once: gone from memory and disk before anybody is signed in.
        is_code && std::fs::remove_file(&file).is_ok() && unused.take().is_some()
    }))
}

/// Ends when the flag turns true, or its sender is gone.
pub(crate) async fn until(mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if stopped.changed().await.is_err() {
            return;
        }
    }
}

/// `http://127.0.0.1:8080`, as clients see the HTTP listener, or what the configuration says they see.
fn base_url(config: &Config) -> String {
    if let Some(url) = &config.http.url {
        return url.clone();
    }
    let scheme = if config.http.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", config.http.listen)
}

/// Everything a clinical node loads, proven without opening a port.
#[cfg(feature = "clinical")]
pub(crate) fn prove_clinical(config: &Config) -> Result<(), Failure> {
    clinical::load(config).map(drop)
}

/// [`prove_clinical`], and what the FHIR packages ask that is not checked, in words.
#[cfg(feature = "clinical")]
pub(crate) fn unchecked(config: &Config) -> Result<Vec<String>, Failure> {
    let (package, _, _) = clinical::load(config)?;
    let words = |one: &fhir::profile::Unchecked| {
        format!("not checked: {} {}: {}", one.profile, one.element, one.what)
    };
    Ok(package.profiles().unchecked().iter().map(words).collect())
}

/// Everything a portal node loads, proven without opening a port.
pub(crate) fn prove_portal(config: &Config) -> Result<(), Failure> {
    portal::grammars(config).map(drop)
}

/// The search parameters that packages define can be compiled; in words, which of them the role cannot have.
pub(crate) fn prove_search_parameters(config: &Config) -> Result<Vec<String>, Failure> {
    let (_, lacked) = search_parameters::load(config)?;
    Ok(lacked.iter().map(search_parameters::lacked).collect())
}

/// The key sets and the file of users that the configuration names for SMART can be used.
pub(crate) fn prove_smart(config: &Config) -> Result<(), Failure> {
    smart::load(config).map(drop)
}
