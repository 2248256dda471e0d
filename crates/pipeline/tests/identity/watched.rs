//! A store whose readers are counted: what a pipeline asks again, it did not hold.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fhir::ResourceType;
use store::sqlite::Sqlite;
use store::{History, HistoryPage, Page, ResourceKey, Resources, Result, Search, Stored};

/// Resources of a store, with every key that was read.
pub struct Watched {
    store: Arc<Sqlite>,
    read: Mutex<Vec<ResourceKey>>,
}

impl Watched {
    pub fn new(store: Arc<Sqlite>) -> Arc<Self> {
        Arc::new(Self { store, read: Mutex::default() })
    }

    /// How often a resource was read.
    pub fn times(&self, key: &ResourceKey) -> usize {
        self.read.lock().expect("nobody panicked").iter().filter(|read| *read == key).count()
    }
}

#[async_trait]
impl Resources for Watched {
    async fn read(&self, key: &ResourceKey) -> Result<Option<Stored>> {
        self.read.lock().expect("nobody panicked").push(key.clone());
        self.store.read(key).await
    }

    async fn vread(&self, key: &ResourceKey, version: u32) -> Result<Option<Stored>> {
        self.store.vread(key, version).await
    }

    async fn search(&self, search: &Search) -> Result<Page> {
        self.store.search(search).await
    }

    async fn history(&self, history: &History) -> Result<Option<HistoryPage>> {
        self.store.history(history).await
    }

    async fn counts(&self) -> Result<Vec<(ResourceType, u64)>> {
        self.store.counts().await
    }
}
