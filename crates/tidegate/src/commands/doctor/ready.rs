//! Asks the node of a configuration whether it is ready, over the address and the certificate that the configuration names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::Config;
use crate::{Exit, Failure, http};

/// What a node that runs says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    /// All is open.
    Ready,
    /// These gates are closed.
    NotReady(Vec<String>),
}

/// Asks `/readyz`; a node that is not ready is a failure.
///
/// # Errors
/// [`Exit::Unavailable`] when the node does not answer, or is not ready.
pub(super) async fn demand(config: &Config) -> Result<(), Failure> {
    match ask(config).await? {
        Readiness::Ready => Ok(()),
        Readiness::NotReady(gates) => {
            Err(Failure::new(Exit::Unavailable, format!("not ready: {}", gates.join(", "))))
        }
    }
}

/// Asks `/readyz`.
///
/// # Errors
/// [`Exit::Unavailable`] when the node does not answer.
pub(super) async fn ask(config: &Config) -> Result<Readiness, Failure> {
    let address = reachable(config.http.listen).to_string();
    let answer = match &config.http.tls {
        Some(tls) => http::get_pinned(&address, "/readyz", crate::node::own_client(tls)?).await,
        None => http::get(&address, "/readyz", None).await,
    };
    match answer {
        Ok(answer) if answer.status == 200 => Ok(Readiness::Ready),
        Ok(answer) if answer.status == 503 => Ok(Readiness::NotReady(closed(&answer.body))),
        Ok(answer) => Err(Failure::new(Exit::Unavailable, format!("not ready: status {}", answer.status))),
        Err(words) => Err(Failure::new(Exit::Unavailable, words)),
    }
}

/// The gates that an OperationOutcome names; its first issue says only that the node is not ready.
fn closed(body: &[u8]) -> Vec<String> {
    let outcome: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let issues = outcome["issue"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = issues.iter().skip(1).filter_map(|issue| issue["diagnostics"].as_str());
    texts.map(str::to_owned).collect()
}

/// An address at which a listener of this machine can be asked.
pub(in crate::commands) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        for (listen, asked) in
            [("0.0.0.0:8443", "127.0.0.1:8443"), ("[::]:8443", "[::1]:8443"), ("10.0.0.5:80", "10.0.0.5:80")]
        {
            assert_eq!(reachable(listen.parse().expect("an address")).to_string(), asked);
        }
    }
}
