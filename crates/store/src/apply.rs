//! Applying a message: all that it changes, in one transaction.

use async_trait::async_trait;
use fhir::ResourceType;
use uuid::Uuid;

use crate::{
    Effect, GuardedSet, IdentityDecision, MessageRow, MissedCode, NewForward, NewReview, PathCount,
    PatientIdentifier, ResourceKey, ResourceVersion, Result, Seq, Stored,
};

/// A [`Key`] of this kind holds a clinical patient id: its message counts as one of that patient's
/// ([`Apply::messages_of`]) though it may have written no version.
pub const PATIENT_KEY: &str = "Patient";
/// Kind of the key by which a message about no patient is found from a resource that it sets, `Practitioner/<id>`.
pub const SHARED_KEY: &str = "Shared";

/// All that one message changes; one transaction, all or nothing.
pub struct WriteSet {
    /// Why.
    pub cause: Cause,
    /// The row of the message list; written new for [`Cause::Applied`], replaced for [`Cause::Reprocessed`].
    pub message: MessageRow,
    /// New versions, each greater than the stored one.
    pub versions: Vec<ResourceVersion>,
    /// Business keys of the message.
    pub keys: Vec<Key>,
    /// Patients that turned out to be another; `alias == patient` takes the alias back.
    pub aliases: Vec<PatientAlias>,
    /// What is to be delivered, in this order.
    pub deliveries: Vec<NewDelivery>,
    /// Destinations that get the message as it is.
    pub forwards: Vec<NewForward>,
    /// Pseudonyms given by this message.
    pub pseudonyms: Vec<NewPseudonym>,
    /// Its audit records.
    pub records: Vec<audit::Record>,
    /// Identifiers of trusted authorities that it told of, and whose they are.
    pub identifiers: Vec<PatientIdentifier>,
    /// Questions about identity that it raised.
    pub reviews: Vec<NewReview>,
    /// What became of its leaves; empty when it was not translated.
    pub coverage: Vec<PathCount>,
    /// Its codes that wait for a row in their table.
    pub missed_codes: Vec<MissedCode>,
    /// What it says of two patients ([`IdentityDecision::is_of_person`] is `false`); a person's word is not overwritten.
    pub decisions: Vec<IdentityDecision>,
}

impl WriteSet {
    /// A set that changes nothing but the message list and the ledger.
    pub fn of(cause: Cause, message: MessageRow, records: Vec<audit::Record>) -> Self {
        Self {
            cause,
            message,
            versions: Vec::new(),
            keys: Vec::new(),
            aliases: Vec::new(),
            deliveries: Vec::new(),
            forwards: Vec::new(),
            pseudonyms: Vec::new(),
            records,
            identifiers: Vec::new(),
            reviews: Vec::new(),
            coverage: Vec::new(),
            missed_codes: Vec::new(),
            decisions: Vec::new(),
        }
    }
}

impl std::fmt::Debug for WriteSet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "WriteSet({:?}, {} versions)", self.cause, self.versions.len())
    }
}

/// Why a write set is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The journal reached this entry; in seq order, once.
    Applied(Seq),
    /// An operator's reprocess; the row exists.
    Reprocessed(Seq),
}

/// One business key: patient id, visit, order number, accession, control id, sender. PHI.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// What kind of key it is.
    pub kind: &'static str,
    /// The key as sent; found again whatever its case.
    pub value: String,
    /// The assigning system.
    pub system: Option<String>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Key({}, {} bytes)", self.kind, self.value.len())
    }
}

/// A clinical patient id that stands for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientAlias {
    /// The id that is no longer the patient's own.
    pub alias: String,
    /// The id that is.
    pub patient: String,
}

/// One released resource to deliver.
#[derive(Clone)]
pub struct NewDelivery {
    /// Its idempotency key; must be new.
    pub id: Uuid,
    /// The configured destination.
    pub destination: String,
    /// FIFO lane: released patient id, or the resource's own for shared entities.
    pub lane: String,
    /// The clinical resource it was made from.
    pub resource: ResourceKey,
    /// Its id at the destination.
    pub released_id: String,
    /// The version it was made from.
    pub version: u32,
    /// The clinical id of the patient it is released under; `None` for a shared entity.
    pub patient: Option<String>,
    /// Counts what is sent under this released id; the destination keeps the highest.
    pub revision: u32,
    /// What it does there. A withdrawal supersedes every content that is queued before it under the same id.
    pub effect: Effect,
    /// Policy and profiles it was decided under.
    pub basis: String,
    /// What leaves.
    pub sealed: Sealed,
    /// What de-identification did: a JSON array of `{location, operation}`.
    pub actions: String,
}

impl std::fmt::Debug for NewDelivery {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "NewDelivery({}, {} bytes)", self.id, self.sealed.bytes.len())
    }
}

/// A sealed release as stored; the store opens nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The destination it was sealed for.
    pub destination: String,
    /// The decision that let it out.
    pub decision_id: Uuid,
    /// The released bytes.
    pub bytes: Vec<u8>,
    /// MAC over destination, decision id and bytes.
    pub mac: [u8; 32],
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Sealed({}, {} bytes)", self.decision_id, self.bytes.len())
    }
}

/// A random id and secret for one clinical resource at one destination. The row is the only link back.
#[derive(Clone, PartialEq, Eq)]
pub struct NewPseudonym {
    /// The destination it is for.
    pub destination: String,
    /// The type of the resource.
    pub resource_type: ResourceType,
    /// The clinical id.
    pub clinical_id: String,
    /// The id the destination knows.
    pub released_id: String,
    /// The key from which dependent ids are made.
    pub secret: [u8; 32],
}

impl std::fmt::Debug for NewPseudonym {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "NewPseudonym({}, {})", self.destination, self.resource_type)
    }
}

/// Applies messages to the node's database.
#[async_trait]
pub trait Apply: Send + Sync {
    /// Write sets are committed in the order of the calls, several to a transaction; returns after the fsync. A set
    /// that fails takes none before it with it, and none that applies no entry; but entries after its own are refused
    /// until its own is applied, so that [`Apply::applied_through`] never passes one.
    ///
    /// # Errors
    /// [`crate::Error::AlreadyApplied`] for a cause that is not beyond [`Apply::applied_through`],
    /// [`crate::Error::Conflict`] for a version or id that exists, [`crate::Error::NotFound`] for the reprocessing of
    /// a message that was never applied; nothing of the set is written then.
    async fn commit(&self, set: WriteSet) -> Result<()>;
    /// Commits what clients changed: all sets in their order, each after its guards held, or none of them. It queues behind
    /// every write set that was handed over before; returns after the fsync.
    ///
    /// # Errors
    /// [`crate::Error::Guard`] with the first guard that does not hold; [`crate::Error::Conflict`] for a version or id that
    /// exists. Nothing is written then.
    async fn commit_guarded(&self, sets: Vec<GuardedSet>) -> Result<()>;
    /// The highest applied journal position; 0 before the first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn applied_through(&self) -> Result<Seq>;
    /// The patient that this id stands for, over any number of merges; `None` when it stands for itself.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn alias(&self, patient: &str) -> Result<Option<String>>;
    /// [`Apply::alias`] of many: (id, the patient it stands for today), for those that stand for another.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn aliases(&self, patients: &[String]) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for patient in patients {
            found.extend(self.alias(patient).await?.map(|stands_for| (patient.clone(), stands_for)));
        }
        Ok(found)
    }
    /// The pseudonyms that exist of these clinical ids at a destination, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn pseudonyms(
        &self,
        destination: &str,
        subjects: &[(ResourceType, String)],
    ) -> Result<Vec<NewPseudonym>>;
    /// Every live resource owned by a patient.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when one of them cannot be read.
    async fn compartment(&self, patient: &str) -> Result<Vec<Stored>>;
    /// Journal seqs whose messages touched this patient or an alias of it, ascending (for re-derivation). Touched:
    /// wrote a version it owns, wrote or took back an alias of it, or carries a [`PATIENT_KEY`] of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn messages_of(&self, patient: &str) -> Result<Vec<Seq>>;
}
