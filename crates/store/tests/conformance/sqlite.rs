//! The SQLite adapter under the suite.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use fhir::CustomParameters;
use store::sqlite::{Options, Role, Sqlite};
use tokio::sync::Mutex;

use crate::conformance;
use crate::harness::{Adapter, Clinical, Indexed, Portal};

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        Self(std::env::temp_dir().join(format!("store-{}", uuid::Uuid::new_v4())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.0);
        assert!(removed.is_ok() || !self.0.exists(), "the folder of a test stays behind");
    }
}

pub fn options() -> Options {
    Options { synchronous_full: true, read_connections: 2, now_us: || 0 }
}

struct Files {
    open: Mutex<Option<Arc<Sqlite>>>,
    folder: Folder,
}

impl Files {
    fn new() -> Self {
        Self { open: Mutex::new(None), folder: Folder::new() }
    }

    async fn again(&self, role: Role) -> Arc<Sqlite> {
        self.again_with(role, &CustomParameters::default()).await
    }

    async fn again_with(&self, role: Role, parameters: &CustomParameters) -> Arc<Sqlite> {
        let mut open = self.open.lock().await;
        if let Some(store) = open.take() {
            store.close().await.expect("closes");
            drop(store);
        }
        let store = Sqlite::open_indexing(&self.folder.0, role, options(), parameters).await.expect("opens");
        *open = Some(Arc::clone(&store));
        store
    }
}

#[async_trait]
impl Adapter for Files {
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

conformance!(false; super::Files::new());
