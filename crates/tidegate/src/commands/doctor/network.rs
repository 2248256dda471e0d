//! Ports that a node will need, and the way to the other node.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::Finding;
use super::ready::Readiness;
use crate::config::Config;

/// Can each configured address be had, or does the running node have it?
pub(super) async fn ports(config: &Config, running: Option<&Readiness>) -> Vec<Finding> {
    let mut listeners: Vec<(String, SocketAddr)> = vec![("http".to_owned(), config.http.listen)];
    listeners.extend(config.mllp.iter().map(|mllp| (format!("mllp.{}", mllp.name), mllp.listen)));
    listeners.extend(config.link.iter().map(|link| ("link".to_owned(), link.listen)));
    let mut found = Vec::new();
    for (name, address) in listeners {
        found.push(match TcpListener::bind(address).await {
            Ok(_) if running.is_some() => Finding::fail(
                name,
                format!("the node answers, and {address} is free"),
                "start the node again: it runs with another configuration",
            ),
            Ok(_) => Finding::ok(name, format!("{address} is free")),
            Err(error) if error.kind() == ErrorKind::AddrInUse && running.is_some() => {
                let not = if running == Some(&Readiness::Ready) { "" } else { "not " };
                Finding::ok(name, format!("{address} is held, and the node is {not}ready"))
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::fail(
                name,
                format!("{address} is held by a process that does not answer as a node that is ready"),
                "find it with `ss -ltnp`, or choose another port",
            ),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::fail(
                name,
                format!("{address}: {error}"),
                "use a port from 1024 on; the service has no privileges",
            ),
            Err(error) => Finding::fail(
                name,
                format!("{address}: {error}"),
                "name an address of this machine, or 0.0.0.0",
            ),
        });
    }
    found
}

/// Does each destination answer over mutual TLS?
#[cfg(feature = "clinical")]
pub(super) async fn links(config: &Config) -> Vec<Finding> {
    use std::sync::Arc;

    use delivery::{Link, LinkError};

    let mut found = Vec::new();
    if config.destinations.is_empty() {
        return found;
    }
    let client = match crate::node::link_client(config) {
        Ok(client) => Arc::new(client),
        Err(failure) => {
            let fix = "the link's certificate, key and CA come from `tidegate init`; restore them";
            return vec![Finding::fail("link", failure.words, fix)];
        }
    };
    for (id, dial) in &config.destinations {
        if let Some(address) = &dial.mllp {
            found.push(partner(id, address, dial).await);
        }
        let Some(address) = &dial.address else { continue };
        let name = format!("destination {id}");
        let asked = match Link::new(address, Arc::clone(&client)) {
            Ok(link) => asked(&link).await,
            Err(error) => Err(error),
        };
        found.push(match asked {
            // Any HTTP status is an answer of a peer that accepted our certificate.
            Ok(()) | Err(LinkError::Refused(_)) => {
                Finding::ok(name, format!("{address} answers over mutual TLS"))
            }
            Err(error) => {
                let words = crate::Failure::because(crate::Exit::Unavailable, &error).words;
                let fix = "start the cloud node; open the way to its link port; a certificate names the address \
                           that `init --link` was given. What is to be sent waits meanwhile";
                Finding::warn(name, format!("{address}: {words}"), fix)
            }
        });
    }
    found
}

/// Does a system of the hospital take a connection? Nothing is sent; the connection is closed again.
#[cfg(feature = "clinical")]
async fn partner(id: &str, address: &str, dial: &crate::config::Dial) -> Finding {
    let name = format!("destination {id}");
    let connected = match crate::node::partner_client(address, dial) {
        Ok(client) => mllp::Client::connect(client)
            .await
            .map_err(|error| crate::Failure::because(crate::Exit::Unavailable, &error).words),
        Err(failure) => Err(failure.words),
    };
    match connected {
        Ok(_) => Finding::ok(name, format!("{address} takes a connection")),
        Err(words) => {
            let fix = "start the partner's listener, or mend address and certificates; a partner that takes one \
                       connection refuses this one while the node holds it. What is to be sent waits meanwhile";
            Finding::warn(name, format!("{address}: {words}"), fix)
        }
    }
}

#[cfg(feature = "clinical")]
async fn asked(link: &delivery::Link) -> Result<(), delivery::LinkError> {
    link.open().await?.read("/").await.map(drop)
}

/// A cloud node dials nobody.
#[cfg(not(feature = "clinical"))]
pub(super) async fn links(_: &Config) -> Vec<Finding> {
    Vec::new()
}
