//! A configuration that changes while the node runs: only what changed is touched, and what is wrong changes nothing.

use std::path::PathBuf;

use harness::eventually;
use mllp::{Client, ClientConfig, ClientTls};
use rcgen::{CertificateParams, Issuer, KeyPair};

use super::row::{Channel, Message};
use super::site::{Site, source};
use super::wire::Wire;

const CHANNELS: &[Channel] = &[
    Channel {
        name: "secured",
        options: &["tls: {certificate: tls/server.pem, key: tls/server.key, client_ca: tls/senders.pem}"],
    },
    Channel { name: "changed", options: &["frame_bytes_max: 100000"] },
    Channel { name: "dropped", options: &[] },
];

/// A CA, and what it signs.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Chain and key of an end.
    fn signs(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }
}

/// A site whose channel `secured` has a certificate of `servers` and asks for one of `senders`.
async fn site(name: &'static str, servers: &Authority, senders: &Authority) -> Site {
    let site = Site::make(name, CHANNELS).await;
    std::fs::create_dir(site.pair.folder.join("tls")).expect("a folder");
    write(&site, "senders.pem", &senders.pem);
    renew(&site, servers);
    site
}

fn file(site: &Site, name: &str) -> PathBuf {
    site.pair.folder.join("tls").join(name)
}

fn write(site: &Site, name: &str, text: &str) {
    std::fs::write(file(site, name), text).expect("a file can be written");
}

/// A new certificate of the listener, from this authority.
fn renew(site: &Site, servers: &Authority) {
    let (chain, key) = servers.signs("localhost");
    write(site, "server.pem", &chain);
    write(site, "server.key", &key);
}

/// A connection over mutual TLS that trusts this authority alone, once a message was answered on it.
async fn secured(
    site: &Site,
    servers: &Authority,
    identity: Option<&(String, String)>,
) -> Result<Client, String> {
    let identity = identity.map(|(chain, key)| (chain.as_str(), key.as_str()));
    let tls = ClientTls::from_pem(&servers.pem, identity, "localhost").expect("material that fits");
    let config = ClientConfig { tls: Some(tls), ..ClientConfig::new(site.listener("secured").to_string()) };
    let mut client = Client::connect(config).await.map_err(|error| error.to_string())?;
    exchange(&mut client, "TLS").await?;
    Ok(client)
}

async fn exchange(client: &mut Client, control_id: &str) -> Result<(), String> {
    let answer = client.exchange(&Message::new(control_id).er7).await.map_err(|error| error.to_string())?;
    let id = format!("MSA|AA|{control_id}");
    if String::from_utf8_lossy(&answer).contains(&id) { Ok(()) } else { Err("another answer".to_owned()) }
}

async fn accepted(wire: &mut Wire, control_id: &str) {
    let message = Message::new(control_id);
    wire.write(&message.framed()).await.expect("the connection takes a message");
    let answer = wire.frame().await.expect("an answer").expect("the connection is open");
    assert!(String::from_utf8_lossy(&answer).contains(&format!("MSA|AA|{control_id}")), "{control_id}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_channels_that_changed_are_drained() {
    let (servers, senders) = (Authority::new(), Authority::new());
    let mut site = site("reload", &servers, &senders).await;
    site.run().await;
    let mut stays = Wire::connect(source(0), site.listener("emr")).await;
    let mut changes = Wire::connect(source(1), site.listener("changed")).await;
    let mut goes = Wire::connect(source(2), site.listener("dropped")).await;
    for (wire, id) in [(&mut stays, "R-1"), (&mut changes, "R-2"), (&mut goes, "R-3")] {
        accepted(wire, id).await;
    }
    let added = harness::ports::free();
    let dropped = site.listener("dropped");
    site.edit(|text| {
        let text = text.replace("frame_bytes_max: 100000", "frame_bytes_max: 100");
        let text = text.replace("- name: dropped", "- name: added");
        text.replace(&dropped.to_string(), &added.to_string()).replace("demo: false", "")
    });
    site.reload("configuration read again").await;
    for (channel, outcome) in
        [("added", "started"), ("changed", "drained and started anew"), ("dropped", "drained")]
    {
        let words = site.words();
        let line =
            words.lines().find(|line| line.contains(outcome) && line.contains(&format!("\"{channel}\"")));
        assert!(line.is_some(), "no line of {channel} in {words}");
    }
    assert_eq!(changes.frame().await.expect("drained in order"), None);
    assert_eq!(goes.frame().await.expect("drained in order"), None);
    accepted(&mut stays, "R-4").await;
    let mut anew = Wire::connect(source(1), site.listener("changed")).await;
    anew.write(&Message::new("R-5").framed()).await.expect("written");
    let refused = anew.frame().await.expect("an answer").expect("an answer");
    assert!(String::from_utf8_lossy(&refused).contains("MSA|AR|R-5"), "the new limit holds");
    accepted(&mut Wire::connect(source(3), added).await, "R-6").await;
    eventually("the end of the dropped listener", || async {
        match std::net::TcpStream::connect(dropped) {
            Ok(_) => Err("it still listens".to_owned()),
            Err(_) => Ok(()),
        }
    })
    .await;

    // What is wrong is refused as a whole.
    let right = std::fs::read_to_string(site.pair.folder.join("onprem.yaml")).expect("the configuration");
    site.edit(|text| text.replace("frame_bytes_max: 100", "frame_bytes_max: 100000\n    fame: 1"));
    site.reload("not taken over").await;
    let words = site.words();
    let line = words.lines().find(|line| line.contains("not taken over")).expect("it says so");
    assert!(line.contains("place=") && line.contains("fame") && line.contains("fix="), "{line}");
    site.edit(|_| {
        right
            .replace("start: \"0B\"", "")
            .replace("- name: changed", "- name: changed\n    framing: {start: \"0D\"}")
    });
    site.reload("cannot frame a message").await;
    accepted(&mut stays, "R-7").await;
    let mut still = Wire::connect(source(1), site.listener("changed")).await;
    still.write(&Message::new("R-8").framed()).await.expect("written");
    let refused = still.frame().await.expect("an answer").expect("an answer");
    assert!(String::from_utf8_lossy(&refused).contains("MSA|AR|R-8"), "it is as it was");

    // What only a restart takes over is named.
    site.edit(|_| format!("{right}log: {{level: debug}}\n"));
    site.reload("takes effect when the node restarts").await;
    accepted(&mut stays, "R-9").await;
    site.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_counts_for_connections_to_come() {
    let (servers, senders, newer) = (Authority::new(), Authority::new(), Authority::new());
    let sender = senders.signs("sender");
    let mut site = site("certificates", &servers, &senders).await;
    site.run().await;
    let mut open = secured(&site, &servers, Some(&sender)).await.expect("mutual TLS");
    assert!(secured(&site, &servers, None).await.is_err(), "without a certificate nobody gets in");
    assert!(secured(&site, &newer, Some(&sender)).await.is_err(), "it has no certificate of that CA yet");

    renew(&site, &newer);
    site.reload("certificates read again").await;
    secured(&site, &newer, Some(&sender)).await.expect("the new certificate");
    assert!(secured(&site, &servers, Some(&sender)).await.is_err(), "the old one is not shown any more");
    exchange(&mut open, "R-OPEN-1").await.expect("the open connection stays");

    // A file that cannot be used keeps what was, and says so.
    write(&site, "server.key", "no key");
    site.reload("not taken over").await;
    assert!(site.words().contains("server.key"), "the log names the file: {}", site.words());
    secured(&site, &newer, Some(&sender)).await.expect("the certificate that was");
    exchange(&mut open, "R-OPEN-2").await.expect("the open connection stays");
    site.stop();
}
