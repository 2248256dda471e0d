//! What can go wrong on a socket.

use std::io;

/// An error of framing, sockets or TLS. No variant carries bytes of a payload.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The payload holds a frame byte.
    #[error("payload holds a frame byte")]
    NotEncodable,
    /// The address cannot be bound.
    #[error("address cannot be bound")]
    Bind(#[source] io::Error),
    /// The peer cannot be reached.
    #[error("peer cannot be reached")]
    Connect(#[source] io::Error),
    /// The TLS handshake failed.
    #[error("tls handshake failed")]
    Handshake(#[source] io::Error),
    /// Reading or writing failed.
    #[error("connection failed")]
    Io(#[from] io::Error),
    /// Nothing came, or could be sent, in time.
    #[error("time ran out")]
    Timeout,
    /// The peer closed the connection, or an earlier error left it unusable.
    #[error("connection is closed")]
    Closed,
    /// The reply broke off.
    #[error("reply broke off")]
    Truncated,
    /// The reply is over the limit.
    #[error("reply is over the size limit")]
    Oversized,
    /// Certificates or keys cannot be read or do not fit.
    #[error("tls material cannot be used")]
    TlsMaterial(#[source] rustls::Error),
    /// The PEM text of certificates or keys cannot be read.
    #[error("pem text cannot be read")]
    Pem,
    /// The bytes cannot frame a message.
    #[error("bytes cannot frame a message")]
    Framing,
    /// The peer did not take the message into safe storage (MLLP release 2, NAK).
    #[error("peer did not store the message")]
    NotCommitted,
    /// The text is not an address block as `10.0.0.0/8`.
    #[error("not an address block")]
    Cidr,
}

impl Error {
    /// True when the same call may succeed later; the one bit that decides a retry.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Bind(_) | Self::Connect(_) | Self::Handshake(_) | Self::Io(_) => true,
            Self::Timeout | Self::Closed | Self::Truncated | Self::NotCommitted => true,
            Self::NotEncodable | Self::Oversized | Self::TlsMaterial(_) | Self::Pem => false,
            Self::Cidr | Self::Framing => false,
        }
    }
}
