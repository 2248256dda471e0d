//! TLS 1.2 and 1.3, mutual where asked.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::sync::watch;

use crate::Error;

/// The TLS side of a listener; clones share it, and a new certificate takes effect with the next connection.
#[derive(Clone)]
pub struct ServerTls {
    current: Arc<watch::Sender<Arc<ServerConfig>>>,
}

/// The TLS side of a client.
#[derive(Clone)]
pub struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server_name: ServerName<'static>,
}

/// A verified client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-256 of the certificate's DER form.
    pub sha256: [u8; 32],
}

impl ServerTls {
    /// Uses a configuration as it is.
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self { current: Arc::new(watch::Sender::new(config)) }
    }

    /// From PEM texts: the certificate chain, its key, and the authorities of clients when a client certificate is
    /// required.
    ///
    /// # Errors
    /// [`Error::Pem`] when a text cannot be read, [`Error::TlsMaterial`] when they do not fit.
    pub fn from_pem(chain: &str, key: &str, client_authorities: Option<&str>) -> Result<Self, Error> {
        Ok(Self::new(Arc::new(server_config(chain, key, client_authorities)?)))
    }

    /// Takes a new configuration for connections to come.
    pub fn reload(&self, config: Arc<ServerConfig>) {
        self.current.send_replace(config);
    }

    /// The same, from PEM texts.
    ///
    /// # Errors
    /// As [`ServerTls::from_pem`]; the old configuration then stays.
    pub fn reload_pem(&self, chain: &str, key: &str, client_authorities: Option<&str>) -> Result<(), Error> {
        self.reload(Arc::new(server_config(chain, key, client_authorities)?));
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.current.borrow().clone()
    }
}

impl ClientTls {
    /// Uses a configuration as it is. `server_name`: the host name or address that the certificate must name.
    ///
    /// # Errors
    /// [`Error::Pem`] when the name is neither.
    pub fn new(config: Arc<ClientConfig>, server_name: &str) -> Result<Self, Error> {
        let server_name = ServerName::try_from(server_name.to_owned()).map_err(|_| Error::Pem)?;
        Ok(Self { config, server_name })
    }

    /// From PEM texts: the authorities trusted, and the client's chain and key for mutual TLS.
    ///
    /// # Errors
    /// [`Error::Pem`] when a text cannot be read, [`Error::TlsMaterial`] when they do not fit.
    pub fn from_pem(
        authorities: &str,
        identity: Option<(&str, &str)>,
        server_name: &str,
    ) -> Result<Self, Error> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(Error::TlsMaterial)?
            .with_root_certificates(roots(authorities)?);
        let config = match identity {
            Some((chain, key)) => builder
                .with_client_auth_cert(certificates(chain)?, private_key(key)?)
                .map_err(Error::TlsMaterial)?,
            None => builder.with_no_client_auth(),
        };
        Self::new(Arc::new(config), server_name)
    }
}

impl PeerCertificate {
    pub(crate) fn from_der(der: &[u8]) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, der).as_ref());
        Self { sha256 }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls { .. }")
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

fn server_config(chain: &str, key: &str, client_authorities: Option<&str>) -> Result<ServerConfig, Error> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Error::TlsMaterial)?;
    let builder = match client_authorities {
        Some(authorities) => {
            let roots = Arc::new(roots(authorities)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                .build()
                .map_err(|error| Error::TlsMaterial(rustls::Error::General(error.to_string())))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(certificates(chain)?, private_key(key)?).map_err(Error::TlsMaterial)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn roots(pem: &str) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem)? {
        store.add(certificate).map_err(Error::TlsMaterial)?;
    }
    Ok(store)
}

/// At least one certificate.
fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or(Error::Pem)
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| Error::Pem)
}
