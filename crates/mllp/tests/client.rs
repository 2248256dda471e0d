//! The client against the listener and against raw peers, in plaintext and over TLS.

mod support;

use std::time::Duration;

use mllp::{Client, ClientConfig, ClientTls, Config, Error, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use support::{framed, serve, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("authority")
}

/// Certificate and key, PEM.
fn identity(authority: &Authority, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("params");
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate().expect("key");
    (params.signed_by(&key, authority).expect("certificate").pem(), key.serialize_pem())
}

fn client_config(address: String, tls: ClientTls) -> ClientConfig {
    ClientConfig { tls: Some(tls), ..ClientConfig::new(address) }
}

#[tokio::test]
async fn mutual_tls_identifies_the_client_and_refuses_one_without_certificate() {
    let ca = authority();
    let (chain, key) = identity(&ca, ExtendedKeyUsagePurpose::ServerAuth);
    let (client_chain, client_key) = identity(&ca, ExtendedKeyUsagePurpose::ClientAuth);
    let tls = ServerTls::from_pem(&chain, &key, Some(&ca.pem())).expect("tls");
    let served = serve(Config { tls: Some(tls), ..Config::default() }).await;

    let known = ClientTls::from_pem(&ca.pem(), Some((&client_chain, &client_key)), "localhost").expect("tls");
    let mut client = Client::connect(client_config(served.address(), known)).await.expect("connect");
    assert_eq!(&client.exchange(b"A1").await.expect("reply")[..], b"ACK A1");
    assert!(
        served.recorder.peers()[0]
            .certificate
            .as_ref()
            .is_some_and(|certificate| certificate.sha256 != [0; 32])
    );

    // With TLS 1.3 a client learns of the refusal at its first read.
    let stranger = ClientTls::from_pem(&ca.pem(), None, "localhost").expect("tls");
    let answered = match Client::connect(client_config(served.address(), stranger)).await {
        Ok(mut client) => client.exchange(b"A2").await.is_ok(),
        Err(_) => false,
    };
    assert!(!answered && served.recorder.frames() == ["A1"]);
    soon(|| served.recorder.refusals() == ["Connection(Handshake)"]).await;

    let mut plain = Client::connect(ClientConfig::new(served.address())).await.expect("connect");
    assert!(plain.exchange(b"A3").await.is_err());
}

#[tokio::test]
async fn a_reloaded_certificate_counts_from_the_next_connection() {
    let (old, new) = (authority(), authority());
    let (chain, key) = identity(&old, ExtendedKeyUsagePurpose::ServerAuth);
    let tls = ServerTls::from_pem(&chain, &key, None).expect("tls");
    let served = serve(Config { tls: Some(tls.clone()), ..Config::default() }).await;
    let trusting = |ca: &Authority| ClientTls::from_pem(&ca.pem(), None, "localhost").expect("tls");
    let mut before = Client::connect(client_config(served.address(), trusting(&old))).await.expect("connect");
    let distrusted = Client::connect(client_config(served.address(), trusting(&new))).await;
    assert!(matches!(distrusted, Err(Error::Handshake(_))));

    assert!(tls.reload_pem(&chain, "no key", None).is_err());
    let (chain, key) = identity(&new, ExtendedKeyUsagePurpose::ServerAuth);
    tls.reload_pem(&chain, &key, None).expect("reload");
    let mut after = Client::connect(client_config(served.address(), trusting(&new))).await.expect("connect");
    assert_eq!(&after.exchange(b"A2").await.expect("reply")[..], b"ACK A2");
    assert_eq!(&before.exchange(b"A1").await.expect("reply")[..], b"ACK A1");
}

#[tokio::test]
async fn a_window_of_frames_is_answered_in_order() {
    let served = serve(Config::default()).await;
    let mut client = Client::connect(ClientConfig::new(served.address())).await.expect("connect");
    let payloads: Vec<String> = (0..500).map(|number| format!("A{number}")).collect();
    let mut seen = Vec::new();
    let count = client
        .exchange_all(&payloads, 32, |number, reply| {
            seen.push((number, String::from_utf8_lossy(&reply).into_owned()))
        })
        .await
        .expect("all answered");
    assert_eq!(count, 500);
    for (number, (place, reply)) in seen.iter().enumerate() {
        assert_eq!((*place, reply.as_str()), (number, format!("ACK A{number}").as_str()));
    }
    assert!(matches!(client.exchange(b"A\x0B").await, Err(Error::NotEncodable)));
    assert_eq!(&client.exchange(b"B").await.expect("still usable")[..], b"ACK B");
}

/// A peer that reads one frame `1` on each connection, then writes these pieces, and closes after the last.
async fn raw_peer(answers: &'static [&'static [&'static [u8]]]) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = socket.local_addr().expect("address").to_string();
    tokio::spawn(async move {
        for pieces in answers {
            let (mut stream, _) = socket.accept().await.expect("accept");
            let mut request = vec![0; framed(b"1").len()];
            stream.read_exact(&mut request).await.expect("request");
            for piece in *pieces {
                stream.write_all(piece).await.expect("write");
                stream.flush().await.expect("flush");
                tokio::task::yield_now().await;
            }
        }
    });
    address
}

#[tokio::test]
async fn replies_come_in_pieces_late_broken_off_or_not_at_all() {
    let address =
        raw_peer(&[&[b"\x0BACK", b" 1\x1C", b"\r"], &[b"junk\x0BACK 1\x1C"], &[b"\x0BACK"], &[]]).await;
    let mut client = Client::connect(ClientConfig::new(address)).await.expect("connect");
    assert_eq!(&client.exchange(b"1").await.expect("in pieces")[..], b"ACK 1");
    client.reconnect().await.expect("connect");
    assert_eq!(&client.exchange(b"1").await.expect("without CR")[..], b"ACK 1");
    client.reconnect().await.expect("connect");
    assert!(matches!(client.exchange(b"1").await, Err(Error::Truncated)));
    assert!(!client.is_connected() && matches!(client.exchange(b"1").await, Err(Error::Closed)));
    client.reconnect().await.expect("connect");
    assert!(matches!(client.exchange(b"1").await, Err(Error::Closed | Error::Io(_))));
}

#[tokio::test]
async fn a_late_reply_can_still_be_received() {
    let served = serve(Config::default()).await;
    let config =
        ClientConfig { reply_timeout: Duration::from_millis(100), ..ClientConfig::new(served.address()) };
    let mut client = Client::connect(config).await.expect("connect");
    assert!(matches!(client.exchange(b"gate1").await, Err(Error::Timeout)));
    served.recorder.open_gate(1);
    soon(|| !served.recorder.deliveries().is_empty()).await;
    assert_eq!(&client.receive().await.expect("late")[..], b"ACK gate1");
    assert_eq!(&client.exchange(b"A2").await.expect("reply")[..], b"ACK A2");
}

#[tokio::test]
async fn nobody_there_is_an_error_that_may_pass() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("bind").local_addr().expect("address");
    let error = Client::connect(ClientConfig::new(free.to_string())).await.expect_err("nobody listens");
    assert!(matches!(error, Error::Connect(_)) && error.is_transient());
}
