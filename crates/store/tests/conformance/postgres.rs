//! The PostgreSQL adapter under the suite: a schema for each test in the server of the suite.

use std::sync::Arc;

use async_trait::async_trait;
use fhir::CustomParameters;
use store::postgres::Address;
use store::sqlite::{Role, Sqlite};
use tokio::sync::Mutex;

use crate::conformance;
use crate::harness::{Adapter, Clinical, Indexed, Portal};
use crate::server::{Server, is_absent};

struct Schemas {
    open: Mutex<Option<Arc<Sqlite>>>,
    address: Address,
}

impl Schemas {
    fn new() -> Self {
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let address = Address::parse(&Server::running().url(), Some(&name)).expect("an address");
        Self { open: Mutex::new(None), address }
    }

    async fn close(&self) {
        if let Some(store) = self.open.lock().await.take() {
            store.close().await.expect("closes");
        }
    }

    async fn again(&self, role: Role) -> Arc<Sqlite> {
        self.again_with(role, &CustomParameters::default()).await
    }

    async fn again_with(&self, role: Role, parameters: &CustomParameters) -> Arc<Sqlite> {
        let mut open = self.open.lock().await;
        if let Some(store) = open.take() {
            store.close().await.expect("closes");
        }
        let store = Sqlite::open_postgres_indexing(&self.address, role, 2, parameters).await.expect("opens");
        *open = Some(Arc::clone(&store));
        store
    }
}

#[async_trait]
impl Adapter for Schemas {
    async fn clinical(&self) -> Clinical {
        let store = self.again(Role::Clinical).await;
        Clinical {
            journal: store.clone(),
            acknowledgments: store.clone(),
            apply: store.clone(),
            resources: store.clone(),
            messages: store.clone(),
            outbox: store.clone(),
            forwards: store.clone(),
            ledger: store.clone(),
            access: store.clone(),
            index: store.clone(),
            statistics: store.clone(),
            accesses: store.clone(),
            withdrawals: store.clone(),
            coverage: store.clone(),
            retention: store.clone(),
            codes: store,
        }
    }

    async fn portal(&self) -> Portal {
        let store = self.again(Role::Portal).await;
        Portal { resources: store.clone(), intake: store.clone(), ledger: store }
    }

    async fn indexing(&self, parameters: &CustomParameters) -> Indexed {
        let store = self.again_with(Role::Clinical, parameters).await;
        let index = store.search_index();
        Indexed { apply: store.clone(), resources: store.clone(), indexing: store, index }
    }
}

conformance!(crate::server::is_absent(); super::Schemas::new());

/// What a schema of a server alone can go through.
mod server {
    use std::process::Command;
    use std::time::Duration;

    use store::sqlite::{Role, Sqlite};
    use store::{Arrived, Error, IntakeWrite, Ledger as _, Resources as _};
    use uuid::Uuid;

    use super::{Schemas, Server, is_absent};
    use crate::harness::Adapter as _;
    use crate::samples::{key, record, search, token, tokens, version};
    use crate::server::programs::program_folders;

    /// Runs a statement beside the store; what it says of an error.
    fn psql(sql: &str) -> Result<(), String> {
        let mut psql = Command::new("psql");
        let psql = psql.env("PATH", program_folders()).arg("-h").arg(Server::running().folder());
        let done = psql.args(["-U", "tidegate", "-d", "postgres", "-qtAc", sql]).output().expect("psql runs");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.success() { Ok(()) } else { Err(said) }
    }

    fn write(number: u128) -> IntakeWrite {
        let id = format!("r{number}");
        IntakeWrite {
            idempotency_key: Uuid::from_u128(number),
            version: Some(token(version("Patient", &id, 1), "identifier", None, "v")),
            receipt: format!("receipt {number}"),
            record: record(audit::Kind::Arrived),
        }
    }

    #[tokio::test]
    async fn records_are_only_added_to_whoever_asks() {
        if is_absent() {
            return;
        }
        let schemas = Schemas::new();
        schemas.portal().await.intake.arrive(vec![write(1)]).await.expect("arrives");
        let name = schemas.address.schema();
        for act in ["UPDATE {}.records SET at_us = 0", "DELETE FROM {}.records", "TRUNCATE {}.leaves"] {
            let refused = psql(&act.replace("{}", name)).expect_err(act);
            assert!(refused.contains("append-only"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_session_that_ended_is_begun_anew() {
        if is_absent() {
            return;
        }
        let schemas = Schemas::new();
        let portal = schemas.portal().await;
        portal.intake.arrive(vec![write(1)]).await.expect("arrives");
        psql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
             AND (classid::bigint << 32 | objid::bigint) = hashtextextended('tidegate writer {}', 0)",
            schemas.address.schema()
        ))
        .expect("ends it");
        let lost = portal.intake.arrive(vec![write(2)]).await;
        assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
        assert_eq!(portal.intake.arrive(vec![write(2)]).await.expect("arrives"), [Arrived::New]);
        assert!(portal.resources.read(&key("Patient", "r2")).await.expect("reads").is_some());
        assert_eq!(portal.ledger.unsealed(10).await.expect("reads").len(), 2);
    }

    /// A table that somebody else keeps for themselves for so many seconds.
    fn locked(schemas: &Schemas, seconds: u32) -> std::thread::JoinHandle<Result<(), String>> {
        let name = schemas.address.schema().to_owned();
        let act = format!("BEGIN; LOCK TABLE {name}.resources; SELECT pg_sleep({seconds}); COMMIT");
        std::thread::spawn(move || psql(&act))
    }

    #[tokio::test]
    async fn a_read_that_takes_too_long_is_ended_by_the_server() {
        if is_absent() {
            return;
        }
        let mut schemas = Schemas::new();
        schemas.address = schemas.address.clone().reading_within(Duration::from_millis(200));
        let portal = schemas.portal().await;
        portal.intake.arrive(vec![write(1)]).await.expect("arrives");
        let beside = locked(&schemas, 3);
        let asked = search("Patient", vec![tokens("identifier", &[(None, Some("v"))])]);
        let ended = loop {
            match portal.resources.search(&asked).await {
                Ok(page) if !beside.is_finished() => assert_eq!(page.matches.len(), 1, "no lock yet"),
                Ok(_) => panic!("no read was ended: {:?}", beside.join()),
                Err(error) => break error,
            }
        };
        let Error::Unavailable(cause) = &ended else { panic!("{ended:?}") };
        assert!(cause.to_string().contains("57014"), "{cause}");
        assert!(!beside.is_finished(), "the read ended before the lock did");
        beside.join().expect("no panic").expect("the lock goes");
        assert_eq!(portal.resources.search(&asked).await.expect("reads again").matches.len(), 1);
        assert_eq!(portal.intake.arrive(vec![write(2)]).await.expect("arrives"), [Arrived::New]);
    }

    #[tokio::test]
    async fn what_others_wrote_is_not_touched() {
        if is_absent() {
            return;
        }
        let schemas = Schemas::new();
        schemas.portal().await.intake.arrive(vec![write(1)]).await.expect("arrives");
        let opened = Sqlite::open_postgres(&schemas.address, Role::Portal, 1).await;
        assert!(matches!(opened, Err(Error::Unavailable(_))), "one process writes at a time");
        let beside = Sqlite::read_postgres(&schemas.address, Role::Portal, 1).await.expect("others read");
        assert!(beside.read(&key("Patient", "r1")).await.expect("reads").is_some());
        assert!(matches!(beside.append(vec![record(audit::Kind::SignIn)]).await, Err(Error::Unavailable(_))));
        beside.close().await.expect("closes");
        schemas.close().await;
        let other = Sqlite::open_postgres(&schemas.address, Role::Clinical, 1).await;
        assert!(matches!(other, Err(Error::Corrupt(_))), "a portal's schema is no clinical one");
        psql(&format!("INSERT INTO {}.schema_version VALUES ('portal', 99)", schemas.address.schema()))
            .expect("writes");
        let newer = Sqlite::open_postgres(&schemas.address, Role::Portal, 1).await;
        assert!(matches!(newer, Err(Error::NewerSchema)));
        let newer = Sqlite::read_postgres(&schemas.address, Role::Portal, 1).await;
        assert!(matches!(newer, Err(Error::NewerSchema)));
    }
}
