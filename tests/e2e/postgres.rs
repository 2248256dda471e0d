//! An on-prem node whose store is a database of PostgreSQL: the journey, restarts, and a server that is killed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use audit::Kind;
use harness::postgres::{PASSWORD, PostgresServer, USER};
use harness::{NodeProcess, Pair, Person, Surface, eventually, stored, tidegate};
use hl7v2::acknowledgment::ErrorCode;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use store::DeliveryState;
use store::postgres::{Address, Server, ServerTls};
use store::sqlite::{Role, Sqlite};
use tidegate::config;

/// Messages that are on their way while the server is killed.
const ON_THE_WAY: u32 = 60;

/// A pair whose on-prem node has its store in the database of `server`; the cloud node runs.
struct Site {
    pair: Pair,
    config: PathBuf,
    log: PathBuf,
}

impl Site {
    async fn new(name: &str, server: &PostgresServer) -> Self {
        let mut pair = Pair::make(name).await;
        let password = pair.folder.join("onprem/keys/postgres.password");
        std::fs::write(&password, format!("{PASSWORD}\n")).expect("the password is written");
        let config = pair.folder.join("onprem.yaml");
        let plain = std::fs::read_to_string(&config).expect("init wrote it");
        let socket = server.socket().display();
        let store = format!(
            "store:\n  postgres:\n    host: \"{socket}\"\n    database: postgres\n    user: {USER}\n    \
             password_file: onprem/keys/postgres.password\n"
        );
        std::fs::write(&config, format!("{plain}{store}")).expect("the configuration is written");
        pair.start_cloud().await;
        let log = pair.folder.join("onprem.log");
        Self { pair, config, log }
    }

    async fn start(&self) -> NodeProcess {
        NodeProcess::start(&self.config, &self.log, &self.pair.here()).await
    }

    /// Status and words of a page.
    async fn says(&self, path: &str, status: u16, words: &str) {
        let here = self.pair.here();
        eventually(path, || async {
            let answer = here.get(path).await?;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let is_right = answer.status == status && text.contains(words);
            if is_right { Ok(()) } else { Err(format!("{}: {text}", answer.status)) }
        })
        .await;
    }

    fn doctor(&self) -> (i32, String) {
        let ran = tidegate(&["doctor", "-c", &self.config.display().to_string()]);
        (ran.code, format!("{}{}", ran.stdout, ran.stderr))
    }

    /// Sends a message until it is accepted, as a sender does that is asked to send again.
    async fn insist(&self, er7: &str) {
        let mut sender = self.pair.sender().await;
        for _ in 0..600 {
            let answer = sender.send(er7.as_bytes()).await;
            if answer.code.is_accept() {
                return;
            }
            assert_eq!(answer.error, Some(ErrorCode::ApplicationInternal), "a sender is told to send again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the message was never accepted");
    }
}

fn by_number(person: &Person) -> String {
    format!("Patient?identifier={}", person.number)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_on_postgresql_goes_through_the_journey_and_outlives_its_server() {
    let Some(mut server) = PostgresServer::make() else { return };
    server.start();
    let site = Site::new("postgres", &server).await;
    let password = site.pair.folder.join("onprem/keys/postgres.password");
    let mode =
        |mode| std::fs::set_permissions(&password, std::fs::Permissions::from_mode(mode)).expect("is set");
    mode(0o644);
    let (code, report) = site.doctor();
    assert_eq!(code, 1, "{report}");
    assert!(report.contains("fail  password file: "), "{report}");
    mode(0o600);
    let (code, report) = site.doctor();
    assert_eq!(code, 0, "{report}");
    assert!(report.contains("ok    PostgreSQL: encoding UTF8, collation C"), "{report}");
    assert!(report.contains("ok    schema tidegate: none yet"), "{report}");

    let node = site.start().await;
    let (here, there) = (site.pair.here(), site.pair.there());
    let person = Person::new(1);
    site.insist(&person.a01("P-1")).await;
    site.insist(&person.oru("P-2", &[("2823-3", "5.90", "F")])).await;
    let number = by_number(&person);
    let patient = eventually("the patient", || here.only(&number)).await;
    let potassium = here.shows("Observation?code=2823-3", "/status", json!("final")).await;
    assert_eq!(potassium["valueQuantity"]["value"].to_string(), "5.90");
    there.counted("Observation?code=2823-3", 1).await;
    let released = there.only("Patient").await.expect("one patient");
    assert_ne!(released["id"], patient["id"]);
    node.stop();

    // What was stored is there after a restart, and ids are the same.
    let node = site.start().await;
    assert_eq!(here.only(&number).await, Ok(patient.clone()));
    site.insist(&person.oru("P-3", &[("2823-3", "4.10", "C")])).await;
    let corrected = here.shows("Observation?code=2823-3", "/meta/versionId", json!("2")).await;
    assert_eq!(corrected["id"], potassium["id"]);

    away(&site, &mut server, &person).await;
    let _server = killed_under_load(&site, server, &there).await;
    let (code, report) = site.doctor();
    assert_eq!(code, 0, "{report}");
    assert!(report.contains("ok    schema tidegate: of this release"), "{report}");
    node.stop();
    kept(&site).await;
    let log = std::fs::read_to_string(&site.log).expect("a log");
    assert!(!log.contains(PASSWORD), "the password stands in the log");
    assert_eq!(log.matches("node is up").count(), 2, "the node never started by itself: {log}");
}

/// The server goes: nothing is taken, everybody is told, and the node is there. It comes: all goes on.
async fn away(site: &Site, server: &mut PostgresServer, person: &Person) {
    let here = site.pair.here();
    server.kill();
    for gate in ["journal-writes", "node-writes", "access-writes"] {
        site.says("/readyz", 503, gate).await;
    }
    site.says("/metrics", 200, "tidegate_store_away{file=\"journal\"} 1").await;
    assert_eq!(here.get("/livez").await.expect("the node lives").status, 200);
    let mut sender = site.pair.sender().await;
    let message = person.a08("P-4", &[]);
    let answer = sender.send(message.as_bytes()).await;
    assert_eq!((answer.code.code(), answer.error), ("AE", Some(ErrorCode::ApplicationInternal)));
    let (status, outcome) = here.answer(&format!("/fhir/{}", by_number(person))).await.expect("an answer");
    assert_eq!((status, &outcome["resourceType"]), (503, &json!("OperationOutcome")));
    let (code, report) = site.doctor();
    assert_eq!(code, 1, "{report}");
    assert!(report.contains("fail  node: runs and is not ready: "), "{report}");
    assert!(report.contains("fail  PostgreSQL: "), "{report}");
    server.start();
    site.says("/readyz", 200, "").await;
    site.says("/metrics", 200, "tidegate_store_away{file=\"journal\"} 0").await;
    site.insist(&message).await;
}

/// The server is killed twice while messages come; each that was acknowledged is applied and delivered, once.
async fn killed_under_load(site: &Site, server: PostgresServer, there: &Surface) -> PostgresServer {
    let here = site.pair.here();
    let people: Vec<Person> = (100..100 + ON_THE_WAY).map(Person::new).collect();
    let send = async {
        for (number, person) in people.iter().enumerate() {
            site.insist(&person.a01(&format!("L-{number}"))).await;
        }
    };
    let kill = async {
        let mut server = server;
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let killed = tokio::task::spawn_blocking(move || {
                server.kill();
                server.start();
                server
            });
            server = killed.await.expect("the server comes back");
        }
        server
    };
    let ((), server) = tokio::join!(send, kill);
    for person in &people {
        let number = by_number(person);
        eventually("a patient who was acknowledged", || here.only(&number)).await;
    }
    there.counted("Patient", people.len() + 1).await;
    server
}

/// Every message once, every delivery with its receipt, the ledger whole.
async fn kept(site: &Site) {
    let config = config::load(&site.config).expect("it loads");
    let postgres = &config.store.as_ref().expect("a store").postgres;
    let address = postgres.address(Some(PASSWORD)).expect("an address");
    let store = Sqlite::read_postgres(&address, Role::Clinical, 2).await.expect("the store opens");
    let rows = stored::messages(&store).await;
    assert_eq!(rows.len(), 4 + people(), "a message was lost, or is there twice");
    assert!(rows.iter().all(|row| row.state == store::MessageState::Routed), "{rows:?}");
    let accepted = stored::journal(&store).await.into_iter().filter(|entry| entry.refused.is_none()).count();
    assert_eq!(accepted, rows.len(), "the journal and what was applied differ");
    let deliveries = stored::deliveries(&store).await;
    let settled = |delivery: &store::DeliveryRow| {
        delivery.state == DeliveryState::Delivered && delivery.receipt.is_some()
    };
    assert!(!deliveries.is_empty() && deliveries.iter().all(settled));
    assert_eq!(stored::count_records(&store, Kind::MessageApplied).await, rows.len());
    assert_eq!(stored::count_records(&store, Kind::ReceiptEntered).await, deliveries.len());
    stored::close(store).await;
    let ran = tidegate(&["audit", "verify", "-c", &site.config.display().to_string()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = tidegate(&["journal", "verify", "-c", &site.config.display().to_string()]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn people() -> usize {
    usize::try_from(ON_THE_WAY).expect("few")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_before_its_server_waits_for_it_and_is_refused_with_a_wrong_password() {
    let Some(mut server) = PostgresServer::make() else { return };
    let site = Site::new("postgres-late", &server).await;
    let node = NodeProcess::spawn(&site.config, &site.log);
    eventually("a word about the server", || async {
        let words = node.words();
        if words.contains("waits for its database") { Ok(()) } else { Err(words) }
    })
    .await;
    let early = NodeProcess::spawn(&site.config, &site.pair.folder.join("early.log"));
    early.stop();
    server.start();
    site.says("/readyz", 200, "").await;
    site.insist(&Person::new(7).a01("W-1")).await;
    node.stop();

    let password = site.pair.folder.join("onprem/keys/postgres.password");
    std::fs::write(&password, "Sallowmere-11\n").expect("written");
    let ran = tidegate(&["run", "-c", &site.config.display().to_string()]);
    assert_eq!(ran.code, 74, "{ran:?}");
    assert!(ran.stderr.contains("28P01") && ran.stderr.contains("the password is wrong"), "{ran:?}");
    assert!(!ran.stderr.contains("Sallowmere"), "{ran:?}");
    std::fs::write(&password, "\n").expect("written");
    let ran = tidegate(&["check", "-c", &site.config.display().to_string()]);
    assert_eq!(ran.code, 78, "{ran:?}");
    assert!(ran.stderr.contains("password_file"), "{ran:?}");
}

#[test]
fn init_writes_a_node_whose_store_is_a_database() {
    let folder = harness::TempFolder::new("postgres-init");
    let site = folder.join("site").display().to_string();
    let ran = tidegate(&["init", &site, "--postgres", "tg@127.0.0.1:6432/ward"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("onprem/keys/postgres.password"), "{ran:?}");
    let config = folder.join("site/onprem.yaml");
    let asked = tidegate(&["check", "-c", &config.display().to_string()]);
    assert_eq!(asked.code, 78, "there is no password yet: {asked:?}");
    std::fs::write(folder.join("site/onprem/keys/postgres.password"), "made-up\n").expect("written");
    let asked = tidegate(&["check", "-c", &config.display().to_string()]);
    assert_eq!(asked.code, 0, "{asked:?}");
    let loaded = config::load(&config).expect("it loads");
    let postgres = loaded.store.expect("a store").postgres;
    assert_eq!(
        (postgres.host.as_str(), postgres.port, postgres.database.as_str()),
        ("127.0.0.1", 6432, "ward")
    );
    let refused = tidegate(&["init", &site, "--postgres", "tg:hush@127.0.0.1/ward"]);
    assert_eq!(refused.code, 2, "a password is no argument: {refused:?}");
}

/// A certificate authority, and a certificate of its for a name with its key, PEM.
struct Authority {
    ca: String,
    certificate: String,
    key: String,
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let ca = params.self_signed(&key).expect("signs").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, &issuer).expect("signs").pem();
    Authority { ca, certificate, key: key.serialize_pem() }
}

/// Opens the store over the network; what went wrong, with all its causes.
async fn over_the_network(port: u16, tls: Option<ServerTls<'_>>) -> Result<(), String> {
    let server =
        Server { host: "localhost", port, database: "postgres", user: USER, password: Some(PASSWORD), tls };
    let address = Address::of(&server, None).expect("an address");
    match Sqlite::open_postgres(&address, Role::Portal, 1).await {
        Ok(store) => {
            store.close().await.expect("closes");
            Ok(())
        }
        Err(error) => {
            let causes =
                std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let words = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
            assert!(!words.contains(PASSWORD), "the password stands in an error");
            Err(words)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_the_network_proves_which_it_is_before_anything_is_told_to_it() {
    let folder = harness::TempFolder::new("postgres-tls");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let tls = |ca| Some(ServerTls { ca, certificate: None });
    let (right, other) = (authority("localhost"), authority("localhost"));
    let (ca, other_ca) = (file("ca.pem", &right.ca), file("other.pem", &other.ca));
    let port = harness::ports::free().port();
    let Some(mut server) = PostgresServer::make_with_tls(port, &right.certificate, &right.key) else {
        return;
    };
    server.start();
    over_the_network(port, tls(&ca)).await.expect("it is the right one");
    let refused = over_the_network(port, tls(&other_ca)).await.expect_err("another authority");
    assert!(refused.contains("certificate"), "{refused}");
    let refused = over_the_network(port, None).await.expect_err("the server speaks TLS alone");
    assert!(refused.contains("28000"), "{refused}");
    drop(server);

    let elsewhere = authority("db.example.org");
    let ca = file("elsewhere.pem", &elsewhere.ca);
    let port = harness::ports::free().port();
    let Some(mut server) = PostgresServer::make_with_tls(port, &elsewhere.certificate, &elsewhere.key) else {
        return;
    };
    server.start();
    let refused = over_the_network(port, tls(&ca)).await.expect_err("a certificate for another name");
    assert!(refused.contains("certificate"), "{refused}");
}
