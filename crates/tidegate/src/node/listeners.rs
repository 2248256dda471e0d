//! The MLLP listeners of a clinical node, each for itself: one whose address cannot be had is bound again later, one whose
//! settings change is drained and started anew, and none of the others notices.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mllp::{Listener, ServerTls};
use rest::Gate;
use sources::Receiver;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{tls, until};
use crate::config::{self, Mllp};
use crate::{Exit, Failure};

/// Pauses before an address is tried again: the first, and the longest, to which they double.
const RETRY_PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// How often, and after which pause, the address of a channel is tried that its older listener is about to give up.
const RESTART_TRIES: (u32, Duration) = (100, Duration::from_millis(5));

/// Makes the receiver of a channel.
pub type ReceiverOf = Box<dyn Fn(&Mllp) -> Result<Receiver, Failure> + Send + Sync>;

/// The listeners that run.
pub struct Listeners {
    receiver: ReceiverOf,
    bound: Bound,
    channels: BTreeMap<String, Running>,
    /// Tasks of all channels, drained ones too until they end.
    tasks: JoinSet<()>,
}

/// One channel that runs.
struct Running {
    settings: Mllp,
    tls: Option<ServerTls>,
    stop: watch::Sender<bool>,
}

/// A channel that is proven and not started.
struct Prepared {
    settings: Mllp,
    tls: Option<Arc<rustls::ServerConfig>>,
    config: mllp::Config,
    receiver: Receiver,
}

/// What a change of the configuration did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Channels that were not there.
    pub started: Vec<String>,
    /// Channels with other settings: drained and started anew.
    pub restarted: Vec<String>,
    /// Channels that are gone: drained.
    pub removed: Vec<String>,
    /// Channels that stayed and took their certificate files anew.
    pub certificates: Vec<String>,
}

impl Listeners {
    /// Listeners with none yet. `gate` is open as long as each has its address.
    pub fn new(receiver: ReceiverOf, gate: Gate) -> Self {
        let bound = Bound { gate, states: Arc::default() };
        Self { receiver, bound, channels: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Why which channels do not listen; asked anew by every page of the console.
    pub fn bound(&self) -> Bound {
        self.bound.clone()
    }

    /// Makes the listeners be those of `wanted`; each that can have its address has it when this returns. Those whose
    /// settings stay keep their connections, and present the certificates that their files hold now to connections to
    /// come.
    ///
    /// # Errors
    /// When a setting or a file of any of them cannot be used; then nothing has changed.
    pub async fn apply(&mut self, wanted: &[Mllp]) -> Result<Changes, Failure> {
        let prepared: Vec<Prepared> =
            wanted.iter().map(|channel| self.prepare(channel)).collect::<Result<_, _>>()?;
        while self.tasks.try_join_next().is_some() {}
        let mut changes = Changes::default();
        let is_wanted = |name: &String| wanted.iter().any(|channel| channel.name == *name);
        let gone: Vec<String> = self.channels.keys().filter(|name| !is_wanted(name)).cloned().collect();
        for name in gone {
            self.drain(&name);
            changes.removed.push(name);
        }
        for channel in prepared {
            let name = channel.settings.name.clone();
            match self.channels.get(&name) {
                Some(running) if running.settings == channel.settings => {
                    if let (Some(tls), Some(files)) = (&running.tls, channel.tls) {
                        tls.reload(files);
                        changes.certificates.push(name);
                    }
                    continue;
                }
                Some(_) => {
                    self.drain(&name);
                    given_up(channel.config.address).await;
                    changes.restarted.push(name);
                }
                None => changes.started.push(name),
            }
            self.start(channel).await;
        }
        Ok(changes)
    }

    /// Drains all and waits for their end.
    pub async fn stop(mut self) {
        for running in self.channels.values() {
            running.stop.send_replace(true);
        }
        while let Some(ended) = self.tasks.join_next().await {
            if ended.is_err() {
                tracing::error!("a listener's task had died");
            }
        }
    }

    fn drain(&mut self, name: &str) {
        if let Some(running) = self.channels.remove(name) {
            running.stop.send_replace(true);
            self.bound.forget(name);
        }
    }

    /// Everything of a channel that can be wrong, before anything is changed.
    fn prepare(&self, channel: &Mllp) -> Result<Prepared, Failure> {
        let tls = match &channel.tls {
            Some(files) => Some(Arc::new(tls::server(files).map_err(|failure| at(channel, &failure.words))?)),
            None => None,
        };
        let (config, receiver) = (options(channel)?, (self.receiver)(channel)?);
        Ok(Prepared { settings: channel.clone(), tls, config, receiver })
    }

    async fn start(&mut self, channel: Prepared) {
        let Prepared { settings, tls, mut config, receiver } = channel;
        let tls = tls.map(ServerTls::new);
        config.tls.clone_from(&tls);
        let (stop, stopped) = watch::channel(false);
        let name = settings.name.clone();
        self.bound.enter(&name);
        let first = self.bound.bind(&name, &config).await;
        self.tasks.spawn(keep(name.clone(), config, first, receiver, self.bound.clone(), stopped));
        self.channels.insert(name, Running { settings, tls, stop });
    }
}

/// Waits until nobody holds the address, or for a moment only when somebody keeps it.
async fn given_up(address: std::net::SocketAddr) {
    let (tries, pause) = RESTART_TRIES;
    for _ in 0..tries {
        if tokio::net::TcpListener::bind(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}

/// Binds until it succeeds, then serves until it is told to stop.
async fn keep(
    name: String,
    config: mllp::Config,
    first: Option<Listener>,
    receiver: Receiver,
    bound: Bound,
    stopped: watch::Receiver<bool>,
) {
    let (mut pause, longest) = RETRY_PAUSES;
    let mut listener = first;
    while listener.is_none() {
        tokio::select! {
            () = until(stopped.clone()) => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = longest.min(pause * 2);
        if *stopped.borrow() {
            return;
        }
        listener = bound.bind(&name, &config).await;
    }
    if let Some(listener) = listener {
        sources::serve(listener, receiver, until(stopped)).await;
    }
}

/// Which channels have their address.
#[derive(Clone)]
pub struct Bound {
    gate: Gate,
    /// By name: why it has none.
    states: Arc<Mutex<BTreeMap<String, Option<String>>>>,
}

impl Bound {
    /// One sentence for each channel that does not listen.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.values().flatten().cloned().collect()
    }

    async fn bind(&self, name: &str, config: &mllp::Config) -> Option<Listener> {
        match Listener::bind(config.clone()).await {
            Ok(listener) => {
                tracing::info!(channel = name, "listens");
                self.note(name, None);
                Some(listener)
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(channel = name, %error, cause, "does not listen, tries again");
                let words =
                    format!("{name} does not listen on {}: {cause}; it is tried again", config.address);
                self.note(name, Some(words));
                None
            }
        }
    }

    fn enter(&self, name: &str) {
        self.change(|states| {
            drop(states.insert(name.to_owned(), Some(format!("{name} does not listen yet"))))
        });
    }

    /// A channel that was removed meanwhile is not entered again.
    fn note(&self, name: &str, state: Option<String>) {
        self.change(|states| {
            if let Some(known) = states.get_mut(name) {
                *known = state;
            }
        });
    }

    fn forget(&self, name: &str) {
        self.change(|states| drop(states.remove(name)));
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Option<String>>)) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut states);
        self.gate.set(states.values().all(Option::is_none));
    }
}

/// What a channel's settings say of its listener, TLS apart.
pub fn options(channel: &Mllp) -> Result<mllp::Config, Failure> {
    let mut allow = Vec::new();
    for network in channel.plaintext.iter().flat_map(|plaintext| &plaintext.allow) {
        allow.push(network.parse().map_err(|_| at(channel, &format!("`{network}` is no network")))?);
    }
    let defaults = mllp::Config::default();
    Ok(mllp::Config {
        address: channel.listen,
        limits: mllp::Limits { frame_bytes_max: channel.frame_bytes_max, ..defaults.limits },
        framing: framing(channel)?,
        outside: match channel.outside {
            config::Outside::Close => mllp::Outside::Close,
            config::Outside::Keep => mllp::Outside::Keep,
        },
        same_peer: match channel.same_peer {
            config::SamePeer::Parallel => mllp::SamePeer::Parallel,
            config::SamePeer::Replace => mllp::SamePeer::Replace,
        },
        end_timeout: Duration::from_millis(channel.end_silence_ms),
        frame_timeout: Duration::from_secs(channel.frame_seconds_max),
        write_timeout: Duration::from_secs(channel.write_seconds_max),
        idle_timeout: channel.idle_seconds_max.map(Duration::from_secs),
        keepalive: Duration::from_secs(channel.keepalive_seconds),
        connections_max: channel.connections_max,
        in_flight_max: channel.in_flight_max,
        allow,
        ..defaults
    })
}

fn framing(channel: &Mllp) -> Result<mllp::Framing, Failure> {
    let words = "framing: these bytes cannot frame a message\n  fix: use control bytes that are no line end or tab, each \
                 once; release 2 needs the three bytes of the standard or others than 06 and 15";
    let wrong = || at(channel, words);
    let (start, end, after_end) = channel.framing.bytes().ok_or_else(wrong)?;
    let framing = mllp::Framing::new(start, end, after_end).map_err(|_| wrong())?;
    if channel.framing.release == 2 { framing.committed().map_err(|_| wrong()) } else { Ok(framing) }
}

fn at(channel: &Mllp, words: &str) -> Failure {
    Failure::new(Exit::Configuration, format!("mllp.{}: {words}", channel.name))
}
