//! TLS configurations from files. aws-lc-rs is the one provider of the process, named each time so that no other can
//! slip in.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::config::{Config, Tls};
use crate::{Exit, Failure, keys};

/// Server side of a listener; asks for client certificates when a CA for them is named.
pub fn server(tls: &Tls) -> Result<ServerConfig, Failure> {
    server_from(&tls.certificate, &tls.key, tls.client_ca.as_deref())
}

/// Server side of the link: clients must hold a certificate of the link CA.
pub fn link_server(config: &Config) -> Result<ServerConfig, Failure> {
    let ca = config.keys.join(keys::LINK_CA);
    server_from(&config.keys.join(keys::LINK_CERTIFICATE), &config.keys.join(keys::LINK_KEY), Some(&ca))
}

/// Client side of the link: trusts the link CA alone and presents this node's certificate. TLS 1.3 only.
#[cfg(feature = "clinical")]
pub fn link_client(config: &Config) -> Result<rustls::ClientConfig, Failure> {
    let roots = roots(&config.keys.join(keys::LINK_CA))?;
    let chain = certificates(&config.keys.join(keys::LINK_CERTIFICATE))?;
    let key = private_key(&config.keys.join(keys::LINK_KEY))?;
    let mut client = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| builder.with_root_certificates(roots).with_client_auth_cert(chain, key))
        .map_err(|error| Failure::because(Exit::Configuration, &error))?;
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(client)
}

/// Client that asks this node itself: it trusts the listener's own certificate, whatever names and CA it has.
pub fn own_client(tls: &Tls) -> Result<rustls::ClientConfig, Failure> {
    let wrong = |error: &dyn std::error::Error| Failure::because(Exit::Configuration, error);
    let Some(certificate) = certificates(&tls.certificate)?.into_iter().next() else {
        let words = format!("{}: no certificate", tls.certificate.display());
        return Err(Failure::new(Exit::Configuration, words));
    };
    let pinned = Pinned { certificate, provider: provider() };
    let client = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    Ok(client)
}

/// Accepts one certificate, byte by byte, from a peer that can sign with its key.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("the listener has another certificate".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn server_from(certificate: &Path, key: &Path, client_ca: Option<&Path>) -> Result<ServerConfig, Failure> {
    let wrong = |error: &dyn std::error::Error| Failure::because(Exit::Configuration, error);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?;
    let builder = match client_ca {
        Some(ca) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| wrong(&error))?)
        }
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(certificates(certificate)?, private_key(key)?).map_err(|error| wrong(&error))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn roots(file: &Path) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| Failure::because(Exit::Configuration, &error))?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|error| Failure::new(Exit::Configuration, format!("{}: {error}", file.display())))
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| Failure::new(Exit::Configuration, format!("{}: {error}", file.display())))
}
