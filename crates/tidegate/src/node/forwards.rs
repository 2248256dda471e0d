//! Wiring of forwards: a worker for each destination that takes messages as they are.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use delivery::{Backoff, Class, Classifier, Forwarder, Patience, ResponseRule};
use mllp::{ClientConfig, ClientTls};
use residency::{Form, Policy};
use store::sqlite::Sqlite;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{Config, Dial, DialTls, Exchange, Meaning, Response};
use crate::{Exit, Failure, clock};

/// Starts the workers.
pub fn start(
    config: &Config,
    store: &Arc<Sqlite>,
    policy: &Arc<Policy>,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) -> Result<(), Failure> {
    for (id, dial) in &config.destinations {
        if let Some(address) = &dial.mllp {
            let forwarder = forwarder(config, store, policy, id, address, dial)?;
            tasks.spawn(forwarder.run(stopped.clone()));
        }
    }
    Ok(())
}

/// Every destination of the policy is reached in the way of its form; one that no rule lets anything to may be left out.
pub fn check(config: &Config, policy: &Policy) -> Result<(), Failure> {
    let wrong = |words: String| Err(Failure::new(Exit::Configuration, words));
    for destination in policy.message_destinations() {
        let dial = config.destinations.get(&destination.id);
        if dial.is_none_or(|dial| dial.mllp.is_none()) {
            return wrong(format!(
                "destinations: the policy's destination `{0}` has no address\n  fix: add `{0}: {{mllp: host:port}}`",
                destination.id
            ));
        }
    }
    for (id, dial) in &config.destinations {
        let Some(destination) = policy.destination(id) else { continue };
        let takes_messages = destination.form == Form::Hl7v2 && !destination.cloud;
        if takes_messages != dial.mllp.is_some() {
            let way = if takes_messages { "mllp" } else { "address" };
            return wrong(format!(
                "destinations.{id}: is not reached in the way of its form\n  fix: use `{way}`, or another `form` in \
                 the policy's destinations.yaml"
            ));
        }
    }
    Ok(())
}

fn forwarder(
    config: &Config,
    store: &Arc<Sqlite>,
    policy: &Arc<Policy>,
    id: &str,
    address: &str,
    dial: &Dial,
) -> Result<Forwarder, Failure> {
    let Exchange { application_timeout_ms, gap_ms, attempts_max, unknown_attempts_max, .. } = dial.exchange;
    Ok(Forwarder {
        destination: id.to_owned(),
        client: client(address, dial)?,
        application_timeout: Duration::from_millis(application_timeout_ms),
        gap: Duration::from_millis(gap_ms),
        classifier: Classifier::new(dial.responses.iter().map(rule).collect()),
        patience: Patience {
            attempts_max,
            give_up_after: Duration::from_secs(dial.exchange.give_up_after_s),
            unknown_attempts_max,
        },
        backoff: Backoff {
            first: Duration::from_millis(dial.exchange.backoff_first_ms),
            max: Duration::from_millis(dial.exchange.backoff_max_ms),
        },
        journal: store.clone(),
        forwards: store.clone(),
        policy: Arc::clone(policy),
        node: config.node.clone(),
        now_us: clock::now_us,
        fill_random: clock::fill_random,
    })
}

/// How a partner is dialled; also what `doctor` tries.
pub(crate) fn client(address: &str, dial: &Dial) -> Result<ClientConfig, Failure> {
    Ok(ClientConfig {
        tls: dial.tls.as_ref().map(|tls| client_tls(address, tls)).transpose()?,
        connect_timeout: Duration::from_millis(dial.exchange.connect_timeout_ms),
        reply_timeout: Duration::from_millis(dial.exchange.reply_timeout_ms),
        ..ClientConfig::new(address)
    })
}

/// The client side of a partner's TLS, from files.
pub(super) fn client_tls(address: &str, tls: &DialTls) -> Result<ClientTls, Failure> {
    let ca = text(&tls.ca)?;
    let identity = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => Some((text(certificate)?, text(key)?)),
        _ => None,
    };
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = tls.server_name.as_deref().unwrap_or(host);
    let identity = identity.as_ref().map(|(chain, key)| (chain.as_str(), key.as_str()));
    ClientTls::from_pem(&ca, identity, name).map_err(|error| Failure::because(Exit::Configuration, &error))
}

fn text(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Configuration, format!("{}: {error}", file.display())))
}

fn rule(response: &Response) -> ResponseRule {
    let Response { codes, errors, text, then } = response.clone();
    let then = match then {
        Meaning::Delivered => Class::Delivered,
        Meaning::Transient => Class::Transient,
        Meaning::Data => Class::Data,
        Meaning::Unknown => Class::Unknown,
    };
    ResponseRule { codes, errors, text, then }
}
