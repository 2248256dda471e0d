//! Issuers of access tokens that the site trusts, with their keys, which can be renewed while the node runs.

use std::sync::{Arc, PoisonError, RwLock};

use smart::{Claims, Issuer, KeySet};
use store::Micros;

use crate::auth::Client;
use crate::sight::Denied;

const SECOND_US: Micros = 1_000_000;

/// The issuers whose access tokens are believed. Debug prints how many.
#[derive(Clone, Default)]
pub struct Issuers(Arc<RwLock<Vec<Issuer>>>);

impl Issuers {
    /// These.
    pub fn new(issuers: impl IntoIterator<Item = Issuer>) -> Self {
        Self(Arc::new(RwLock::new(issuers.into_iter().collect())))
    }

    /// Puts the keys of an issuer in the place of those it had; whether there is such an issuer. A token that is signed by
    /// a key that is gone is not believed from the next request on.
    pub fn renew(&self, issuer: &str, keys: &KeySet) -> bool {
        let mut issuers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut renewed = false;
        for known in issuers.iter_mut().filter(|known| known.issuer == issuer) {
            known.keys = keys.clone();
            renewed = true;
        }
        renewed
    }

    /// The client of an access token; `None` when it is not believed, and the log says why.
    pub(crate) fn client(&self, token: &str, base_url: &str, now_us: Micros) -> Option<Client> {
        let issuers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if issuers.is_empty() {
            return None;
        }
        let claimed = Claims::claimed_issuer(token).ok()?;
        // One issuer may be trusted for several audiences.
        let mut error = None;
        for issuer in issuers.iter().filter(|issuer| issuer.issuer == claimed) {
            match issuer.access(token, base_url, now_us.div_euclid(SECOND_US)) {
                Ok(access) => {
                    return Some(Client {
                        name: access.client,
                        granted: access.granted,
                        denied: Denied::default(),
                    });
                }
                Err(refused) => error = Some(refused),
            }
        }
        if let Some(error) = error {
            tracing::info!(%error, "an access token is not believed");
        }
        None
    }
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let issuers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        write!(formatter, "Issuers({})", issuers.len())
    }
}
