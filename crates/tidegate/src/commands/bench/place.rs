//! A pair of nodes to measure: new folder, new keys, free ports, processes of their own.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::demo::{Http, Node, Share};
use crate::init::{Addresses, Purpose, Shown, init};
use crate::{Exit, Failure, clock, keys};

/// How long a node may take to come up.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks at a node that comes up.
const START_LOOK: Duration = Duration::from_millis(2);

/// The pair; its folder is removed when it is dropped.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// Folder of the journal that is measured alone.
    pub(super) limits: PathBuf,
    pub(super) addresses: Addresses,
    shown: Shown,
    nodes: Vec<Node>,
}

impl Place {
    /// In a new folder in `data`, with this mapping package and these profiles.
    pub(super) fn new(data: &Path, mappings: &Path, profiles: &Path) -> Result<Self, Failure> {
        let absolute = |path: &Path| {
            std::path::absolute(path)
                .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", path.display())))
        };
        let folder = absolute(data)?.join(format!("tidegate-bench-{}", clock::random_hex(6)));
        keys::make_folder(&folder).map_err(|error| Failure::because(Exit::Io, &error))?;
        let addresses = addresses()?;
        let (mappings, profiles) = (absolute(mappings)?, absolute(profiles)?);
        let made = init(&folder, &addresses, &mappings, &profiles, Purpose::Site);
        let shown = made.map_err(|error| Failure::because(Exit::Configuration, &error))?;
        Ok(Self { limits: folder.join("limits"), folder, addresses, shown, nodes: Vec::new() })
    }

    /// Starts both nodes. The cloud node stands for one on another machine and gets what the others leave of the cores.
    pub(super) async fn start(&mut self) -> Result<(), Failure> {
        let mut cloud = Node::start(&self.folder, "cloud", Share::Left)?;
        cloud.ready(&Http::new(self.addresses.cloud_http, &self.shown.cloud_token)).await?;
        let mut onprem = Node::start(&self.folder, "onprem", Share::Even)?;
        onprem.ready(&self.onprem()).await?;
        self.nodes = vec![onprem, cloud];
        Ok(())
    }

    /// Starts the on-prem node alone; how long it took until it was ready.
    pub(super) async fn start_onprem(&mut self) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let onprem = Node::start(&self.folder, "onprem", Share::Even)?;
        let deadline = begun + START_TIMEOUT;
        while !self.onprem().read("/readyz").await.is_ok_and(|answer| answer.status == 200) {
            if Instant::now() > deadline {
                return Err(Failure::new(Exit::Unavailable, "the node did not come up"));
            }
            tokio::time::sleep(START_LOOK).await;
        }
        let took = begun.elapsed();
        self.nodes = vec![onprem];
        Ok(took)
    }

    /// Process id of the on-prem node.
    pub(super) fn pid(&self) -> Option<u32> {
        self.nodes.first().and_then(Node::pid)
    }

    /// Address and token of the on-prem node's FHIR surface.
    pub(super) fn fhir(&self) -> (SocketAddr, &str) {
        (self.addresses.http, &self.shown.onprem_token)
    }

    /// The on-prem node's HTTP surface.
    pub(super) fn onprem(&self) -> Http {
        Http::new(self.addresses.http, &self.shown.onprem_token)
    }

    /// The listener of connection `number`; they take turns.
    pub(super) fn listener(&self, number: u16) -> SocketAddr {
        let Addresses { mllp, pharmacy_mllp, payer_mllp, .. } = self.addresses;
        match number % 3 {
            0 => mllp,
            1 => pharmacy_mllp,
            _ => payer_mllp,
        }
    }

    /// Ends both nodes, the on-prem node first.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        for node in self.nodes.drain(..) {
            node.stop().await?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Nodes that were not stopped are killed with their handles; what they write then is nobody's.
        self.nodes.clear();
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            crate::commands::words(&format!("{} stays: {error}", self.folder.display()));
        }
    }
}

/// Addresses that are free now, all held at once so that no two are the same.
fn addresses() -> Result<Addresses, Failure> {
    let failed = |error: std::io::Error| Failure::because(Exit::Unavailable, &error);
    let mut held = Vec::new();
    let mut free = || -> Result<SocketAddr, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        held.push(listener);
        Ok(address)
    };
    Ok(Addresses {
        http: free()?,
        cloud_http: free()?,
        mllp: free()?,
        pharmacy_mllp: free()?,
        payer_mllp: free()?,
        link: free()?,
    })
}
