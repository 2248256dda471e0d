//! The mapping package in force, which another may replace while the node runs.

use std::sync::{Arc, PoisonError, RwLock};

use mapping::Package;

/// A shared handle on the package in force. Whoever translates takes it once and keeps what it took to the end of what it
/// does, so that no message, and no batch, is of two packages.
#[derive(Clone)]
pub struct Packages(Arc<RwLock<Arc<Package>>>);

impl Packages {
    /// The package in force.
    pub fn current(&self) -> Arc<Package> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another into force, for whatever is begun from here on.
    pub fn replace(&self, package: Arc<Package>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = package;
    }
}

impl From<Arc<Package>> for Packages {
    fn from(package: Arc<Package>) -> Self {
        Self(Arc::new(RwLock::new(package)))
    }
}

impl std::fmt::Debug for Packages {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Packages").field(&self.current().hash()).finish()
    }
}
