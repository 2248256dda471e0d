//! Who asks a connection to end: its listener that drains, or a newer connection of the same peer.

use std::collections::HashMap;
use std::net::IpAddr;

use tokio::sync::watch;

/// Why a connection is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The listener stops.
    Drain,
    /// The same peer has connected anew.
    Replaced,
}

/// A connection's ear for that.
pub(crate) struct Ending {
    listener: watch::Receiver<bool>,
    /// `None`: connections of one peer stand beside each other.
    peer: Option<watch::Receiver<u64>>,
    connection: u64,
}

impl Ending {
    /// Waits until the connection is asked to end. May be dropped and called again.
    pub(crate) async fn asked(&mut self) -> Ask {
        let Self { listener, peer, connection } = self;
        let replaced = async {
            let has_newer = match peer {
                Some(peer) => peer.wait_for(|newest| newest != connection).await.is_ok(),
                None => false,
            };
            if !has_newer {
                // Nobody replaces it any more.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            // A listener that is gone drains too.
            _ = listener.wait_for(|drains| *drains) => Ask::Drain,
            () = replaced => Ask::Replaced,
        }
    }
}

/// The newest connection of each peer, where only one may stand.
#[derive(Default)]
pub(crate) struct Newest {
    peers: HashMap<IpAddr, watch::Sender<u64>>,
}

impl Newest {
    /// Enters a connection, and asks the older one of its peer to end. True when there was one that still stands.
    pub(crate) fn enter(
        &mut self,
        peer: IpAddr,
        connection: u64,
        listener: watch::Receiver<bool>,
    ) -> (Ending, bool) {
        self.peers.retain(|_, newest| newest.receiver_count() > 0);
        let newest = self.peers.entry(peer).or_insert_with(|| watch::Sender::new(connection));
        let replaces = newest.receiver_count() > 0;
        newest.send_replace(connection);
        (Ending { listener, peer: Some(newest.subscribe()), connection }, replaces)
    }
}

/// The ear of a connection that none replaces.
pub(crate) fn by_listener(listener: watch::Receiver<bool>) -> Ending {
    Ending { listener, peer: None, connection: 0 }
}
