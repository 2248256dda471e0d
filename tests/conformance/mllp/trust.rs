//! TLS towards partners and towards the address of application acknowledgments: who is not trusted gets nothing, the queue
//! says why, and nothing is lost.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use harness::eventually;
use mllp::{Config, Frame, Handler, Listener, Peer, Refusal, Reply, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use store::{AckOutcome, AckStage, DeliveryState, ForwardRow};
use tokio::task::JoinHandle;

use super::forwarding::{edit, forwards, from_sender, of_person};
use super::partner::control_id;
use super::replayed::{asking, given_later, outcomes};
use super::row::{Channel, framed};
use super::site::{Site, source};
use super::wire::Wire;

/// Where every partner listens, as its certificate should name it.
const HOST: &str = "127.0.0.1";

/// A certificate authority.
type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// Chain and key, PEM.
type Identity = (String, String);

fn identity(authority: &Authority, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("params");
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    (params.signed_by(&key, authority).expect("a certificate").pem(), key.serialize_pem())
}

/// The authorities and certificates of all cases.
struct Papers {
    trusted: Authority,
    other: Authority,
    good: Identity,
    of_other: Identity,
    elsewhere: Identity,
    expired: Identity,
    early: Identity,
}

impl Papers {
    fn new() -> Self {
        let (trusted, other) = (authority(), authority());
        Self {
            good: identity(&trusted, HOST, |_| {}),
            of_other: identity(&other, HOST, |_| {}),
            elsewhere: identity(&trusted, "elsewhere.example.org", |_| {}),
            expired: identity(&trusted, HOST, |params| {
                params.not_before = rcgen::date_time_ymd(2019, 1, 1);
                params.not_after = rcgen::date_time_ymd(2020, 1, 1);
            }),
            early: identity(&trusted, HOST, |params| params.not_before = rcgen::date_time_ymd(2190, 1, 1)),
            trusted,
            other,
        }
    }
}

/// Accepts every frame.
#[derive(Default)]
struct Accepts(Mutex<Vec<Vec<u8>>>);

impl Accepts {
    fn got(&self) -> Vec<Vec<u8>> {
        self.0.lock().expect("no panic holds it").clone()
    }
}

impl Handler for Accepts {
    async fn frame(&self, _: &Peer, frame: Frame) -> Reply {
        let id = String::from_utf8(control_id(&frame.payload)).expect("ASCII");
        self.0.lock().expect("no panic holds it").push(frame.payload.to_vec());
        Reply::new(format!("MSH|^~\\&|PARTNER|HOSP|T|O|2019||ACK|1|P|2.5.1\rMSA|AA|{id}\r").into_bytes())
    }

    async fn refused(&self, _: &Peer, _: Refusal) -> Reply {
        Reply::none()
    }
}

/// A partner that speaks TLS.
struct Partner {
    address: String,
    tls: ServerTls,
    accepts: Arc<Accepts>,
    task: JoinHandle<()>,
}

impl Partner {
    async fn start((chain, key): &Identity, clients: Option<&Authority>) -> Self {
        let clients = clients.map(|authority| authority.pem());
        let tls = ServerTls::from_pem(chain, key, clients.as_deref()).expect("they fit");
        let config = Config { tls: Some(tls.clone()), ..Config::default() };
        let listener = Listener::bind(config).await.expect("a free port");
        let address = listener.local_address().expect("it is bound").to_string();
        let accepts = Arc::new(Accepts::default());
        let handler = Arc::clone(&accepts);
        let task = tokio::spawn(async move {
            let _drained = listener.serve(handler, std::future::pending()).await;
        });
        Self { address, tls, accepts, task }
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A partner, with what identity this node comes, and what its row says while it waits; `None`: it is delivered.
struct Case {
    what: &'static str,
    partner: Partner,
    own: Option<Identity>,
    waits: Option<&'static str>,
}

async fn cases(papers: &Papers) -> Vec<Case> {
    let wanted = Some(&papers.trusted);
    let case =
        |what, partner, own: Option<&Identity>, waits| Case { what, partner, own: own.cloned(), waits };
    vec![
        case("trusted", Partner::start(&papers.good, None).await, None, None),
        case("trusted on both sides", Partner::start(&papers.good, wanted).await, Some(&papers.good), None),
        case(
            "a certificate nobody asks for",
            Partner::start(&papers.good, None).await,
            Some(&papers.good),
            None,
        ),
        case("another CA", Partner::start(&papers.of_other, None).await, None, Some("tls-unknown-issuer")),
        case("another name", Partner::start(&papers.elsewhere, None).await, None, Some("tls-wrong-name")),
        case("expired", Partner::start(&papers.expired, None).await, None, Some("tls-expired")),
        case("not valid yet", Partner::start(&papers.early, None).await, None, Some("tls-not-yet-valid")),
        case(
            "no client certificate",
            Partner::start(&papers.good, wanted).await,
            None,
            Some("tls-certificate-refused"),
        ),
        case(
            "a client certificate of another CA",
            Partner::start(&papers.good, wanted).await,
            Some(&papers.of_other),
            Some("tls-certificate-refused"),
        ),
    ]
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("it can be written");
    file
}

/// The files of an identity, as keys of the configuration.
fn identity_keys(folder: &Path, name: &str, own: Option<&Identity>) -> String {
    own.map_or_else(String::new, |(chain, key)| {
        let chain = written(folder, &format!("{name}.pem"), chain);
        let key = written(folder, &format!("{name}.key"), key);
        format!(", certificate: {}, key: {}", chain.display(), key.display())
    })
}

fn configure(site: &Site, papers: &Papers, cases: &[Case]) {
    let folder = site.pair.folder.join("partners");
    std::fs::create_dir(&folder).expect("a folder");
    let ca = written(&folder, "ca.pem", &papers.trusted.pem());
    let (mut dials, mut destinations, mut rules) = (String::new(), String::new(), String::new());
    for (number, case) in cases.iter().enumerate() {
        let own = identity_keys(&folder, &format!("own-{number}"), case.own.as_ref());
        let (address, ca) = (&case.partner.address, ca.display());
        writeln!(dials, "  to-{number}:\n    mllp: \"{address}\"\n    tls: {{ca: {ca}{own}}}")
            .expect("grows");
        writeln!(dials, "    exchange: {{backoff_first_ms: 50, backoff_max_ms: 400}}").expect("grows");
        writeln!(destinations, "  - {{id: to-{number}, zone: on-prem, form: hl7v2}}").expect("grows");
        writeln!(
            rules,
            "  - {{id: rule-{number}, effect: permit, destinations: [to-{number}], messages: [ADT], senders: [ROW{number}]}}"
        )
        .expect("grows");
    }
    edit(&site.pair, &dials, &destinations, &rules);
}

/// The one forward of a case, once it is as it should be.
async fn row(site: &Site, number: usize, what: &str, is_so: impl Fn(&ForwardRow) -> bool) -> ForwardRow {
    eventually(what, || async {
        let rows = forwards(site, &format!("to-{number}")).await?;
        let found = rows.iter().find(|row| is_so(row)).cloned();
        found.filter(|_| rows.len() == 1).ok_or_else(|| format!("{rows:?}"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_trusted_gets_nothing_and_the_queue_says_why() {
    let papers = Papers::new();
    let cases = cases(&papers).await;
    let mut site = Site::make("trust", &[]).await;
    configure(&site, &papers, &cases);
    site.run().await;
    let mut wire = Wire::connect(source(0), site.listener("emr")).await;
    let mut sent = Vec::new();
    for number in 0..cases.len() {
        let er7 = from_sender(&of_person(&format!("T-{number}"), None), &format!("ROW{number}"));
        wire.write(&framed(&er7)).await.expect("sent");
        wire.frame().await.expect("an answer").expect("the connection is open");
        sent.push(er7);
    }
    for (number, case) in cases.iter().enumerate() {
        let Some(waits) = case.waits else {
            row(&site, number, case.what, |row| row.state == DeliveryState::Delivered).await;
            continue;
        };
        let found = row(&site, number, case.what, |row| row.last_error.is_some()).await;
        let is = (found.state, found.last_error.as_deref(), found.attempts);
        assert_eq!(is, (DeliveryState::Pending, Some(waits), 0), "{}", case.what);
        assert!(case.partner.accepts.got().is_empty(), "{}: it got something", case.what);
    }
    // Whoever mends his certificates gets all, once.
    let (chain, key) = &papers.good;
    for case in cases.iter().filter(|case| case.waits.is_some()) {
        case.partner.tls.reload_pem(chain, key, None).expect("they fit");
    }
    for (number, case) in cases.iter().enumerate() {
        let found = row(&site, number, case.what, |row| row.state == DeliveryState::Delivered).await;
        assert_eq!((found.last_error.as_deref(), found.attempts), (None, 1), "{}", case.what);
        assert_eq!(case.partner.accepts.got(), [sent[number].clone()], "{}", case.what);
    }
    site.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn application_acknowledgments_wait_for_an_address_that_is_trusted() {
    let papers = Papers::new();
    let wanted = Some(&papers.trusted);
    let cases = [
        ("both", Partner::start(&papers.good, wanted).await, Some(&papers.good), None),
        ("issuer", Partner::start(&papers.of_other, None).await, None, Some("tls-unknown-issuer")),
        ("name", Partner::start(&papers.elsewhere, None).await, None, Some("tls-wrong-name")),
        ("expired", Partner::start(&papers.expired, None).await, None, Some("tls-expired")),
        ("nobody", Partner::start(&papers.good, wanted).await, None, Some("tls-certificate-refused")),
        (
            "stranger",
            Partner::start(&papers.good, Some(&papers.other)).await,
            Some(&papers.good),
            Some("tls-certificate-refused"),
        ),
    ];
    let folder = harness::TempFolder::new("trust-later");
    let ca = written(folder.path(), "ca.pem", &papers.trusted.pem());
    let channel = |(name, partner, own, _): &(&'static str, Partner, Option<&Identity>, _)| {
        let (address, ca, own) = (&partner.address, ca.display(), identity_keys(folder.path(), name, *own));
        let option = format!("application_acknowledgments: {{address: \"{address}\", ca: {ca}{own}}}");
        // Channels are constants, and a port is known only now.
        let options: &'static [&'static str] = vec![&*option.leak()].leak();
        Channel { name, options }
    };
    let channels: &'static [Channel] = cases.iter().map(channel).collect::<Vec<_>>().leak();
    let mut site = Site::start("trust-later", channels).await;
    let mut messages = Vec::new();
    for (number, (name, ..)) in cases.iter().enumerate() {
        let message = asking(&format!("LATER-{number}"));
        let mut wire = Wire::connect(source(number), site.listener(name)).await;
        wire.write(&message.framed()).await.expect("sent");
        wire.frame().await.expect("an answer").expect("the connection is open");
        messages.push(message);
    }
    site.settle().await;
    for (name, partner, _, waits) in &cases {
        eventually(name, || async {
            let (got, words) = (partner.accepts.got().len(), site.words());
            let says = waits.is_none_or(|reason| {
                words.lines().any(|line| line.contains(&format!("channel={name}")) && line.contains(reason))
                    || words
                        .lines()
                        .any(|line| line.contains(&format!("\"{name}\"")) && line.contains(reason))
            });
            let expected = usize::from(waits.is_none());
            if got == expected && says { Ok(()) } else { Err(format!("{got} came; its log: {words}")) }
        })
        .await;
    }
    let (chain, key) = &papers.good;
    for (_, partner, ..) in cases.iter().filter(|(.., waits)| waits.is_some()) {
        partner.tls.reload_pem(chain, key, None).expect("they fit");
    }
    for (name, partner, ..) in &cases {
        eventually(name, || async {
            let got = partner.accepts.got().len();
            if got == 1 { Ok(()) } else { Err(format!("{got} came")) }
        })
        .await;
    }
    site.stop();
    for message in &messages {
        let given = given_later(&site, message).await;
        assert_eq!(outcomes(&given), [(AckStage::Final, "AA", AckOutcome::Sent)]);
    }
}
