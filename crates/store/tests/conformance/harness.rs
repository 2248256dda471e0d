//! What a behaviour asks of an adapter.

use std::sync::Arc;

use async_trait::async_trait;
use store::{
    Access, Accesses, Acknowledgments, Apply, CodeItems, Coverages, Forwards, Indexing, Intake, Journal,
    Ledger, Messages, Outbox, PatientIndex, Resources, Retention, SearchIndex, Statistics, Withdrawals,
};

/// The ports of an on-prem node.
pub struct Clinical {
    pub journal: Arc<dyn Journal>,
    pub acknowledgments: Arc<dyn Acknowledgments>,
    pub apply: Arc<dyn Apply>,
    pub resources: Arc<dyn Resources>,
    pub messages: Arc<dyn Messages>,
    pub outbox: Arc<dyn Outbox>,
    pub forwards: Arc<dyn Forwards>,
    pub ledger: Arc<dyn Ledger>,
    pub access: Arc<dyn Access>,
    pub index: Arc<dyn PatientIndex>,
    pub statistics: Arc<dyn Statistics>,
    pub accesses: Arc<dyn Accesses>,
    pub withdrawals: Arc<dyn Withdrawals>,
    pub coverage: Arc<dyn Coverages>,
    pub retention: Arc<dyn Retention>,
    pub codes: Arc<dyn CodeItems>,
}

/// The ports of a cloud node.
pub struct Portal {
    pub resources: Arc<dyn Resources>,
    pub intake: Arc<dyn Intake>,
    pub ledger: Arc<dyn Ledger>,
}

/// What of a store is about the search parameters of packages.
pub struct Indexed {
    pub apply: Arc<dyn Apply>,
    pub resources: Arc<dyn Resources>,
    pub indexing: Arc<dyn Indexing>,
    pub index: SearchIndex,
}

/// One database, empty at first. Opening it again closes what was open.
#[async_trait]
pub trait Adapter: Send + Sync {
    async fn clinical(&self) -> Clinical;
    async fn portal(&self) -> Portal;
    async fn indexing(&self, parameters: &fhir::CustomParameters) -> Indexed;
}
