//! The accept loops, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rest::{PeerCertificate, serve_plain, serve_tls};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio_rustls::TlsConnector;

const REQUEST: &[u8] = b"GET /who HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

fn who() -> Router {
    let handler = |ConnectInfo(peer): ConnectInfo<SocketAddr>,
                   certificate: Option<axum::Extension<PeerCertificate>>| async move {
        format!("loopback={} certificate={}", peer.ip().is_loopback(), certificate.is_some())
    };
    Router::new().route("/who", get(handler))
}

async fn exchange(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) -> std::io::Result<String> {
    stream.write_all(REQUEST).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn an_open_request_is_answered_before_the_listener_ends() {
    let (listener, address) = listener().await;
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, held) = (begun.clone(), go_on.clone());
    let router = who().route(
        "/slow",
        get(move || async move {
            inside.notify_one();
            held.notified().await;
            "answered"
        }),
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve_plain(listener, router, async { stopped.await.unwrap_or_default() }));
    let answer = exchange(TcpStream::connect(address).await.expect("connects")).await.expect("answers");
    assert!(answer.ends_with("loopback=true certificate=false"), "{answer}");

    let mut open = TcpStream::connect(address).await.expect("connects");
    open.write_all(b"GET /slow HTTP/1.1\r\nHost: node\r\n\r\n").await.expect("sends");
    begun.notified().await;
    let idle = TcpStream::connect(address).await.expect("connects");
    stop.send(()).expect("serves");
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!serving.is_finished(), "an open request holds the end back");
    go_on.notify_one();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.expect("answers");
    assert!(answer.ends_with("answered"), "{answer}");
    tokio::time::timeout(Duration::from_secs(9), serving)
        .await
        .expect("ends")
        .expect("no panic")
        .expect("no error");
    drop(idle);
}

struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn authority() -> (Identity, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("signs");
    let again = KeyPair::try_from(key.serialize_der()).expect("the same key");
    (Identity { certificate, key }, Issuer::new(params, again))
}

fn identity(issuer: &Issuer<'static, KeyPair>, name: &str) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    Identity { certificate: params.signed_by(&key, issuer).expect("signs"), key }
}

fn private(identity: &Identity) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(identity.key.serialize_der()).expect("PKCS#8")
}

fn roots(authority: &Identity) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).expect("a root");
    Arc::new(roots)
}

#[tokio::test]
async fn the_link_speaks_only_with_certificates_of_its_authority() {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let (authority, issuer) = self::authority();
    let (_, other_issuer) = self::authority();
    let server = identity(&issuer, "cloud");
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(&authority), provider.clone())
        .build()
        .expect("builds");
    let configuration = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.certificate.der().clone()], private(&server))
        .expect("a certificate");
    let (listener, address) = listener().await;
    tokio::spawn(serve_tls(listener, configuration, who(), std::future::pending()));

    let client = || {
        ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots(&authority))
    };
    let with = |identity: &Identity| {
        client()
            .with_client_auth_cert(vec![identity.certificate.der().clone()], private(identity))
            .expect("a certificate")
    };
    let rows = [
        (with(&identity(&issuer, "onprem")), true),
        (with(&identity(&other_issuer, "onprem")), false),
        (client().with_no_client_auth(), false),
    ];
    for (place, (configuration, answered)) in rows.into_iter().enumerate() {
        let name = ServerName::try_from("cloud").expect("a name");
        let stream = TcpStream::connect(address).await.expect("connects");
        let answer = match TlsConnector::from(Arc::new(configuration)).connect(name, stream).await {
            Ok(stream) => exchange(stream).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => assert!(answered && answer.ends_with("certificate=true"), "row {place}: {answer}"),
            Err(error) => assert!(!answered, "row {place}: {error}"),
        }
    }
    let plain = TcpStream::connect(address).await.expect("connects");
    assert!(!exchange(plain).await.unwrap_or_default().contains("200 OK"), "in clear there is no answer");
}
