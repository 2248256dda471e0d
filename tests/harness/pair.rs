//! An on-prem node and a cloud node in this process, made by `init`, with a network between them.

use std::net::SocketAddr;

use tidegate::config::{self, Config};
use tidegate::init::{Addresses, DESTINATION, Purpose, Shown, init};
use tidegate::node::{Overrides, run};
use tidegate::{Exit, Failure};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{Proxy, Sender, Surface, TempFolder, Visitor, eventually, ports};

/// Tries with other ports when one was taken between choosing and binding it.
const TRIES_MAX: u32 = 5;

/// A node that runs in this process.
struct Node {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Failure>>,
}

/// The two nodes.
pub struct Pair {
    /// Configuration the on-prem node starts with.
    pub onprem_config: Config,
    /// Configuration the cloud node starts with.
    pub cloud_config: Config,
    /// Tokens of both.
    pub shown: Shown,
    /// Where they listen.
    pub addresses: Addresses,
    /// The network between them.
    pub proxy: Proxy,
    onprem: Option<Node>,
    cloud: Option<Node>,
    /// Everything the pair has on disk.
    pub folder: TempFolder,
}

impl Pair {
    /// A pair that runs.
    pub async fn start(name: &str) -> Self {
        Self::start_with(name, |_, _| {}).await
    }

    /// A pair that runs with changed configurations (on-prem, cloud).
    ///
    /// # Panics
    /// When a node does not come up.
    pub async fn start_with(name: &str, change: impl Fn(&mut Config, &TempFolder)) -> Self {
        for _ in 0..TRIES_MAX {
            let mut pair = Self::make(name).await;
            change(&mut pair.onprem_config, &pair.folder);
            match pair.try_start().await {
                Ok(()) => return pair,
                Err(failure) if failure.exit == Exit::Unavailable => {}
                Err(failure) => panic!("the pair does not start: {}", failure.words),
            }
        }
        panic!("no ports for a pair");
    }

    /// A pair that does not run yet.
    ///
    /// # Panics
    /// When its files cannot be made.
    pub async fn make(name: &str) -> Self {
        let folder = TempFolder::new(name);
        let addresses = Addresses {
            http: ports::free(),
            cloud_http: ports::free(),
            mllp: ports::free(),
            pharmacy_mllp: ports::free(),
            payer_mllp: ports::free(),
            link: ports::free(),
        };
        let root = crate::root();
        let (mappings, profiles) = (root.join("mappings"), root.join("profiles"));
        let shown = init(folder.path(), &addresses, &mappings, &profiles, Purpose::Site);
        let shown = shown.expect("init makes a pair");
        let load = |name: &str| config::load(&folder.join(name)).expect("init's configuration is right");
        let (mut onprem_config, cloud_config) = (load("onprem.yaml"), load("cloud.yaml"));
        let proxy = Proxy::start(addresses.link).await;
        let dial = onprem_config.destinations.get_mut(DESTINATION).expect("init names the cloud");
        dial.address = Some(proxy.address.to_string());
        Self { onprem_config, cloud_config, shown, addresses, proxy, onprem: None, cloud: None, folder }
    }

    async fn try_start(&mut self) -> Result<(), Failure> {
        self.cloud = Some(start(self.cloud_config.clone()).await?);
        self.onprem = Some(start(self.onprem_config.clone()).await?);
        Ok(())
    }

    /// Starts the on-prem node.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start_onprem(&mut self) {
        self.onprem = Some(start(self.onprem_config.clone()).await.unwrap_or_else(|f| panic!("{}", f.words)));
    }

    /// Starts the cloud node.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start_cloud(&mut self) {
        self.cloud = Some(start(self.cloud_config.clone()).await.unwrap_or_else(|f| panic!("{}", f.words)));
    }

    /// Drains and stops the on-prem node; its store is closed then.
    pub async fn stop_onprem(&mut self) {
        stop(self.onprem.take()).await;
    }

    /// Drains and stops the cloud node.
    pub async fn stop_cloud(&mut self) {
        stop(self.cloud.take()).await;
    }

    /// The on-prem node's HTTP surface.
    pub fn here(&self) -> Surface {
        Surface::new(self.addresses.http, &self.shown.onprem_token)
    }

    /// The cloud node's HTTP surface.
    pub fn there(&self) -> Surface {
        Surface::new(self.addresses.cloud_http, &self.shown.cloud_token)
    }

    /// A connection to the on-prem listener.
    pub async fn sender(&self) -> Sender {
        Sender::connect(self.addresses.mllp).await
    }

    /// Somebody at the on-prem console, signed in by the one-time link.
    pub async fn visitor(&self) -> Visitor {
        Visitor::signed_in(self.addresses.http, &self.shown.login_code).await
    }

    /// A connection to the pharmacy's listener.
    pub async fn pharmacy(&self) -> Sender {
        Sender::connect(self.addresses.pharmacy_mllp).await
    }

    /// A connection to the payer's listener.
    pub async fn payer(&self) -> Sender {
        Sender::connect(self.addresses.payer_mllp).await
    }

    /// Address of the on-prem listener.
    pub fn mllp(&self) -> SocketAddr {
        self.addresses.mllp
    }
}

async fn start(config: Config) -> Result<Node, Failure> {
    let surface = Surface::new(config.http.listen, "").with_token(None);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(run(config, Overrides::default(), async {
        // Stopped, or the pair is gone.
        drop(stopped.await);
    }));
    let is_up = eventually("the node's readiness", || async {
        if task.is_finished() {
            return Ok(false);
        }
        match surface.get("/readyz").await?.status {
            200 => Ok(true),
            status => Err(format!("status {status}")),
        }
    })
    .await;
    if is_up {
        return Ok(Node { stop, task });
    }
    let ended = task.await.expect("a node that cannot start does not panic");
    Err(ended.expect_err("a node that nobody stopped ends with a failure"))
}

async fn stop(node: Option<Node>) {
    let Node { stop, task } = node.expect("the node runs");
    stop.send(()).expect("the node still runs");
    let ended = task.await.expect("the node does not panic");
    ended.unwrap_or_else(|failure| panic!("the node stops in order: {}", failure.words));
}
