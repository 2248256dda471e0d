//! Where a request comes from, as far as limits and records tell peers apart.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::Extensions;
use axum::http::request::Parts;

/// Bits of an IPv6 address that name a network: whoever has one, has all of its addresses.
const NETWORK_BITS: u32 = 64;

/// The peer of a request: its IPv4 address, or the network of its IPv6 address. A request that came by no connection has the
/// unspecified address. What a proxy says of others (`X-Forwarded-For`) is not believed.
pub(crate) fn peer_of(request: &Request) -> IpAddr {
    connected(request.extensions())
}

/// The same, for a handler.
pub(crate) struct Peer(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(connected(&parts.extensions)))
    }
}

fn connected(extensions: &Extensions) -> IpAddr {
    let connected = extensions.get::<ConnectInfo<SocketAddr>>();
    connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| network(peer.ip()))
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let host = u128::MAX >> NETWORK_BITS;
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !host))
        }
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_is_one_peer() {
        for (address, peer) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::1", "2001:db8:1:2::"),
        ] {
            let parsed = |text: &str| text.parse::<IpAddr>().expect("an address");
            assert_eq!(network(parsed(address)), parsed(peer));
        }
    }
}
