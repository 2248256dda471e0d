//! What can go wrong on a socket.

use std::io;

use rustls::{AlertDescription, CertificateError};

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

    /// Why one side does not trust the other, when TLS is what failed.
    pub fn tls_failure(&self) -> Option<TlsFailure> {
        let (error, is_handshake) = match self {
            Self::Handshake(error) => (error, true),
            Self::Io(error) => (error, false),
            _ => return None,
        };
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        cause.map(TlsFailure::of).or(is_handshake.then_some(TlsFailure::Other))
    }
}

/// Why one side of a TLS connection does not trust the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailure {
    /// The peer's certificate comes from no CA that is trusted here.
    UnknownIssuer,
    /// The peer's certificate names somebody else.
    WrongName,
    /// The peer's certificate has expired.
    Expired,
    /// The peer's certificate is not valid yet.
    NotYetValid,
    /// The peer does not take our certificate, or wants one and got none.
    CertificateRefused,
    /// Something else: no common version, a peer without TLS, a signature that is wrong.
    Other,
}

impl TlsFailure {
    /// A short code for queues and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownIssuer => "tls-unknown-issuer",
            Self::WrongName => "tls-wrong-name",
            Self::Expired => "tls-expired",
            Self::NotYetValid => "tls-not-yet-valid",
            Self::CertificateRefused => "tls-certificate-refused",
            Self::Other => "tls-failed",
        }
    }

    fn of(error: &rustls::Error) -> Self {
        use CertificateError as Of;
        match error {
            rustls::Error::InvalidCertificate(cause) => match cause {
                // A certificate of an older CA of the same name fails at its signature.
                Of::UnknownIssuer | Of::BadSignature => Self::UnknownIssuer,
                Of::NotValidForName | Of::NotValidForNameContext { .. } => Self::WrongName,
                Of::Expired | Of::ExpiredContext { .. } => Self::Expired,
                Of::NotValidYet | Of::NotValidYetContext { .. } => Self::NotYetValid,
                _ => Self::Other,
            },
            rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied
                // Ours, of another CA that has the name of theirs, fails at its signature.
                | AlertDescription::DecryptError
                // Servers of TLS 1.2 say no more than this of a client without a certificate.
                | AlertDescription::HandshakeFailure,
            ) => Self::CertificateRefused,
            _ => Self::Other,
        }
    }
}
