//! The SQLite adapter under the suite.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use store::sqlite::{Options, Role, Sqlite};
use tokio::sync::Mutex;

use crate::conformance;
use crate::harness::{Adapter, Clinical, Portal};

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
        let mut open = self.open.lock().await;
        if let Some(store) = open.take() {
            store.close().await.expect("closes");
            drop(store);
        }
        let store = reopen(&self.folder.0, role).await;
        *open = Some(Arc::clone(&store));
        store
    }
}

/// Closing lets go of the folder, though ports of the closed store may still be held.
async fn reopen(folder: &Path, role: Role) -> Arc<Sqlite> {
    Sqlite::open(folder, role, options()).await.expect("opens")
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
}

conformance!(false; super::Files::new());
