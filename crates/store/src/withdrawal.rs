//! What stands at each destination, and what changes it without a message: sweeps, and people's acts about consent.

use async_trait::async_trait;
use fhir::ResourceType;

use crate::{Micros, NewDelivery, NewPseudonym, ResourceKey, ResourceVersion, Result, Stored};

/// Why a resource is withdrawn from a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WithdrawalReason {
    /// The patient does not consent.
    Consent,
    /// No rule of the policy permits it any more, or the profile refuses it.
    Policy,
    /// It is sensitive, by its own label or by that of its visit.
    Label,
    /// It belongs to another patient now and has another released id.
    Merge,
    /// It does not exist any more.
    Deleted,
}

impl WithdrawalReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Consent, Self::Policy, Self::Label, Self::Merge, Self::Deleted];

    /// The stored code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Policy => "policy",
            Self::Label => "label",
            Self::Merge => "merge",
            Self::Deleted => "deleted",
        }
    }

    /// The reason of a stored code.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// What a delivery does at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Content of this SHA-256 stands there afterwards.
    Stands([u8; 32]),
    /// Nothing does.
    Withdrawn(WithdrawalReason),
}

/// What one resource is at one destination, under one released id: there or on its way, or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The clinical resource.
    pub resource: ResourceKey,
    /// Its id there.
    pub released_id: String,
    /// The clinical id of the patient under whom it was released; `None` for a shared entity.
    pub patient: Option<String>,
    /// The lane it travels in.
    pub lane: String,
    /// How often something was sent under this id.
    pub revision: u32,
    /// Whether it is there, or may be.
    pub stands: bool,
    /// SHA-256 of what is there; `None` when that is not known, or nothing is.
    pub content: Option<[u8; 32]>,
}

/// What is decided without a message; one transaction, all or nothing.
pub struct DecidedSet {
    /// When.
    pub at_us: Micros,
    /// New versions, each greater than the stored one.
    pub versions: Vec<ResourceVersion>,
    /// What is to be delivered, in this order.
    pub deliveries: Vec<NewDelivery>,
    /// Pseudonyms given.
    pub pseudonyms: Vec<NewPseudonym>,
    /// Its audit records.
    pub records: Vec<audit::Record>,
    /// What it answers.
    pub answers: Answers,
}

impl std::fmt::Debug for DecidedSet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DecidedSet({:?}, {} deliveries)", self.answers, self.deliveries.len())
    }
}

/// What a [`DecidedSet`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answers {
    /// A part of a sweep.
    Sweep {
        /// Which.
        sweep: i64,
        /// The [`SweepUnit::position`] up to which it is done now.
        through: i64,
        /// What this part adds to the counts.
        counts: SweepCounts,
        /// Nothing is left: the sweep ends with it.
        is_last: bool,
    },
    /// A person's request about consent.
    Consent {
        /// Which.
        request: i64,
        /// A code.
        outcome: String,
    },
    /// A client's request, which has no row of its own.
    Client,
}

/// What a sweep did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepCounts {
    /// Patients and shared entities looked at.
    pub units: u64,
    /// Resources released, or released again.
    pub released: u64,
    /// Resources withdrawn.
    pub withdrawn: u64,
    /// Resources that de-identification or verification refused.
    pub refused: u64,
}

/// A walk over everything, to decide it again under one basis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Its number.
    pub number: i64,
    /// Policy and profiles, by content hash.
    pub basis: String,
    /// Who asked for it; `None`: the node, at its start.
    pub requested_by: Option<String>,
    /// When it began.
    pub begun_us: Micros,
    /// The position up to which it is done.
    pub through: i64,
    /// What it did.
    pub counts: SweepCounts,
    /// When it ended, and how: `done`, or `abandoned` for a newer one.
    pub ended: Option<(Micros, String)>,
}

/// A patient with its compartment, or a shared entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepUnit {
    /// Where it stands in the walk.
    pub position: i64,
    /// The patient, or the entity.
    pub resource: ResourceKey,
}

/// What a person says about a patient's consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRequest {
    /// The clinical id.
    pub patient: String,
    /// `true`: nothing of the patient may be released; `false`: what was said so before is taken back.
    pub denies: bool,
    /// To this destination alone; `None`: to all.
    pub destination: Option<String>,
    /// Who.
    pub requested_by: String,
    /// When.
    pub requested_us: Micros,
}

/// What did not go out to one destination, or not yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsettled {
    /// The destination.
    pub destination: String,
    /// Content that was given up.
    pub dead_content: u64,
    /// Withdrawals that were given up: what they take away may stand there still, and content behind them waits.
    pub dead_withdrawals: u64,
    /// Withdrawals that are to be sent.
    pub withdrawals: u64,
    /// When the oldest withdrawal was queued that was given up or is to be sent.
    pub oldest_us: Option<Micros>,
}

/// What stands where, and decisions without a message.
#[async_trait]
pub trait Withdrawals: Send + Sync {
    /// What was ever sent of these resources to a destination, under whatever id; in no particular order. Content that
    /// waits and was decided under another basis will not be sent, so what stands of it is not known.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn standings(
        &self,
        destination: &str,
        basis: &str,
        resources: &[ResourceKey],
    ) -> Result<Vec<Standing>>;
    /// What stands, or is on its way, of what was released under a patient.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn standings_of(&self, destination: &str, patient: &str) -> Result<Vec<Standing>>;
    /// Every live resource of these types that a patient owns.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when one of them cannot be read.
    async fn compartment_of(&self, patient: &str, types: &[ResourceType]) -> Result<Vec<Stored>>;
    /// [`Withdrawals::compartment_of`] of many: (patient, a resource it owns).
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when one of them cannot be read.
    async fn compartments_of(
        &self,
        patients: &[String],
        types: &[ResourceType],
    ) -> Result<Vec<(String, Stored)>> {
        let mut found = Vec::new();
        for patient in patients {
            let owned = self.compartment_of(patient, types).await?;
            found.extend(owned.into_iter().map(|stored| (patient.clone(), stored)));
        }
        Ok(found)
    }
    /// Commits what was decided without a message. It queues behind every write set that was handed over before.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] for a version or id that exists, [`crate::Error::NotFound`] when what it answers is
    /// unknown or closed; nothing is written then.
    async fn commit_decided(&self, set: DecidedSet) -> Result<()>;
    /// Begins a sweep under a basis; one that runs is abandoned. Returns its number.
    ///
    /// # Errors
    /// When the row cannot be written.
    async fn begin_sweep(
        &self,
        basis: &str,
        requested_by: Option<&str>,
        at_us: Micros,
        record: audit::Record,
    ) -> Result<i64>;
    /// The newest sweeps, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn sweeps(&self, limit: usize) -> Result<Vec<Sweep>>;
    /// What a sweep looks at after a position, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn sweep_units(&self, after: i64, limit: usize) -> Result<Vec<SweepUnit>>;
    /// Asks the pipeline to note what a person said about consent, with the act's record.
    ///
    /// # Errors
    /// When the row cannot be written.
    async fn request_consent(&self, request: ConsentRequest, record: audit::Record) -> Result<i64>;
    /// Requests without an outcome, oldest first. A pure read: they come again until they are answered.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn consent_requests(&self, limit: usize) -> Result<Vec<(i64, ConsentRequest)>>;
    /// Destinations to which something was given up, or withdrawals are to be sent, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn unsettled(&self) -> Result<Vec<Unsettled>>;
    /// How many withdrawals were queued since an instant, by reason; those without any are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn withdrawn_since(&self, since_us: Micros) -> Result<Vec<(WithdrawalReason, u64)>>;
}
