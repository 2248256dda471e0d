//! Wiring of the portal role: intake behind mutual TLS, FHIR REST for portals, its own ledger. No mapping, no
//! transform, no HL7 v2: a tidy rule reads the dependency tree of the cloud build.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::sqlite::Sqlite;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Overrides, Running, tls};
use crate::config::{Config, LinkListener};
use crate::{Exit, Failure, clock, keys, package};

/// Folder of the de-identification profiles below the profiles folder.
pub const PROFILES: &str = "deidentification";
/// Name under which an on-prem node's ledger is witnessed.
const PEER_ORIGIN: &str = "onprem";

/// Starts the node; every port is open when it returns.
pub async fn start(config: &Config, overrides: &Overrides) -> Result<Running, Failure> {
    let Some(link) = config.link.clone() else {
        return Err(Failure::new(Exit::Configuration, "a portal node needs `link`"));
    };
    let grammars = Arc::new(grammars(config)?);
    let smart = super::smart::load(config)?;
    let store = super::open_store(config, overrides).await?;
    let (sealer, sealer_stop) = super::start_ledger(config, &store).await?;
    let metrics = Arc::new(rest::Metrics::new("portal"));
    let intake = intake(config, &store, grammars, &link, metrics.clone())?;
    let readiness = rest::Readiness::default();
    let gate = readiness.gate("listeners");
    // Ids of this role are pseudonyms already, random ones; the ledger may hold them as they are.
    let mut fhir = super::fhir_surface(config, &store, Arc::new(str::to_owned), metrics.clone())?;
    let tokens = fhir.tokens.clone();
    let console = super::console(
        config,
        &store,
        Arc::new(Vec::new),
        #[cfg(feature = "clinical")]
        None,
    )?;
    let ((stop, stopped), mut tasks) = (watch::channel(false), JoinSet::new());
    super::watch_store(&store, &readiness, &stopped, &mut tasks);
    super::start_sampler(config, &store, &metrics, &stopped, &mut tasks);
    tasks.spawn(super::search_parameters::index(store.clone(), stopped.clone()));
    super::quotas::keep(config, &fhir.limiter, &stopped, &mut tasks)?;
    let wired = super::smart::wire(config, smart, &store, &mut fhir, (&stopped, &mut tasks));
    let router = rest::portal(fhir)
        .merge(console::router(console))
        .merge(rest::health(rest::Health { readiness, metrics, tokens }))
        .merge(rest::intake::witness_router(intake.clone()))
        .merge(wired.router.unwrap_or_default())
        .fallback(rest::unknown_route);
    let listener = super::bind(link.listen).await?;
    let (server, link_stopped) = (tls::link_server(config)?, stopped.clone());
    tasks.spawn(async move {
        let router = rest::intake::router(intake);
        if let Err(error) = rest::serve_tls(listener, server, router, super::until(link_stopped)).await {
            tracing::error!(%error, "link listener ended");
        }
    });
    super::serve_http(config, router, stopped, &mut tasks).await?;
    gate.set(true);
    // Nobody witnesses a cloud node's ledger yet.
    let (witnesses, (witnesses_stop, _)) = (JoinSet::new(), watch::channel(false));
    Ok(Running {
        tasks,
        stop,
        store,
        sealer,
        sealer_stop,
        witnesses,
        witnesses_stop,
        #[cfg(feature = "clinical")]
        listeners: None,
        #[cfg(feature = "clinical")]
        content: None,
        #[cfg(feature = "clinical")]
        background: None,
    })
}

/// What judges and keeps the deliveries of the on-prem node.
fn intake(
    config: &Config,
    store: &Arc<Sqlite>,
    grammars: Arc<BTreeMap<String, verifier::Grammar>>,
    link: &LinkListener,
    metrics: Arc<rest::Metrics>,
) -> Result<rest::intake::IntakeState, Failure> {
    let key_error = |error: &dyn std::error::Error| Failure::because(Exit::Configuration, error);
    let receipt = keys::read_text(&config.keys, keys::RECEIPT).map_err(|e| key_error(&e))?;
    let peer = keys::read_text(&config.keys, keys::PEER_LEDGER_PUBLIC).map_err(|e| key_error(&e))?;
    Ok(rest::intake::IntakeState {
        intake: store.clone(),
        ledger: store.clone(),
        grammars,
        receipt_key: Arc::new(audit::SigningKey::from_file_text(&receipt).map_err(|e| key_error(&e))?),
        node: config.node.clone(),
        region: link.region.clone(),
        destination: link.destination.clone(),
        peers: Arc::new(BTreeMap::from([(
            PEER_ORIGIN.to_owned(),
            audit::VerifyingKey::from_text(&peer).map_err(|e| key_error(&e))?,
        )])),
        now_us: clock::now_us,
        metrics,
    })
}

/// What this node accepts: the output grammar of every profile it has.
pub fn grammars(config: &Config) -> Result<BTreeMap<String, verifier::Grammar>, Failure> {
    let folder = config.profiles.join(PROFILES);
    let io =
        |error: std::io::Error| Failure::new(Exit::Configuration, format!("{}: {error}", folder.display()));
    let mut grammars = BTreeMap::new();
    for id in package::folder_names(&folder).map_err(io)? {
        let files = package::read_folder(&folder.join(&id)).map_err(io)?;
        let grammar = verifier::Grammar::compile(&id, &files)
            .map_err(|error| Failure::new(Exit::Configuration, format!("{PROFILES}/{id}/{error}")))?;
        grammars.insert(id, grammar);
    }
    Ok(grammars)
}
