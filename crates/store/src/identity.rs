//! Who is who: identifiers that trusted authorities gave, and the questions that only a person may answer.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{JournalId, Micros, Result};

/// An identifier that a trusted authority gave to one person, and whose it is. PHI.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PatientIdentifier {
    /// URI of the assigning authority.
    pub system: String,
    /// The number as sent.
    pub value: String,
    /// The clinical id of the patient.
    pub patient: String,
}

impl std::fmt::Debug for PatientIdentifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PatientIdentifier({})", self.patient)
    }
}

/// A question about identity that a message raised; the message waits in quarantine until it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReview {
    /// Its name. A review of the same name that exists takes the message as one more that waits for its answer.
    pub id: Uuid,
    /// The message that raised it first.
    pub message: JournalId,
    /// When.
    pub at_us: Micros,
    /// The clinical ids in question, the one that its most trusted number stands for first; the last is the one that
    /// the message would be applied to by itself.
    pub patients: Vec<String>,
    /// What speaks against them being one: codes such as `birth-date`, `sex`, `two-numbers-of-one-authority`.
    pub contradictions: Vec<String>,
}

/// What a person said about a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReviewAnswer {
    /// One person: they are linked, and the message is processed.
    Same,
    /// Two persons: the numbers stay apart, and the message is processed for the patient of its own number.
    Different,
}

/// What was said last about two clinical patient ids: by a person, which is ground and stands over every message; or by a
/// message that links or unlinks them (A24, A37), as long as no person says anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityDecision {
    /// The lesser id, as it was when it was asked.
    pub one: String,
    /// The greater id.
    pub other: String,
    /// One person, or two.
    pub answer: ReviewAnswer,
    /// A person said it.
    pub is_of_person: bool,
}

/// A review as the console shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The question.
    pub question: NewReview,
    /// The answer, who gave it and when.
    pub answered: Option<(ReviewAnswer, String, Micros)>,
}

/// The cross-reference of patients' identifiers, and its review queue. Answers are ground: a derivation reads them.
#[async_trait]
pub trait PatientIndex: Send + Sync {
    /// Who holds each of these (system, value); those unknown are left out. Patients as they are known today, after
    /// merges.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn holders(&self, identifiers: &[(String, String)]) -> Result<Vec<PatientIdentifier>>;
    /// All identifiers of a patient, aliases' included.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn identifiers_of(&self, patient: &str) -> Result<Vec<PatientIdentifier>>;
    /// [`PatientIndex::identifiers_of`] of many; each identifier names the patient it was asked for.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn identifiers_of_all(&self, patients: &[String]) -> Result<Vec<PatientIdentifier>> {
        let mut found = Vec::new();
        for patient in patients {
            found.extend(self.identifiers_of(patient).await?);
        }
        Ok(found)
    }
    /// Reviews, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn reviews(&self, is_open: bool, limit: usize) -> Result<Vec<Review>>;
    /// One review.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn review(&self, id: Uuid) -> Result<Option<Review>>;
    /// Answers a review and asks the pipeline to reprocess every message that waits or waited for it, with the act's
    /// record; one transaction. `instead_of`: the answer that stands and is taken back. The same answer again changes
    /// nothing.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when it is unknown, [`crate::Error::Conflict`] when another answer stands than
    /// `instead_of`.
    async fn answer(
        &self,
        id: Uuid,
        answer: ReviewAnswer,
        instead_of: Option<ReviewAnswer>,
        by: &str,
        at_us: Micros,
        record: audit::Record,
    ) -> Result<()>;
    /// What was answered about two patients, in either order.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn answered(&self, one: &str, other: &str) -> Result<Option<ReviewAnswer>>;
    /// Says what two ids are from here on: [`ReviewAnswer::Different`] takes a merge or link back,
    /// [`ReviewAnswer::Same`] takes that back. Asks the pipeline to reprocess the last message about either, with the
    /// act's record; one transaction.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when no message is about either of them, [`crate::Error::Conflict`] when they are one
    /// id.
    async fn decide(
        &self,
        one: &str,
        other: &str,
        answer: ReviewAnswer,
        by: &str,
        at_us: Micros,
        record: audit::Record,
    ) -> Result<()>;
    /// All decisions that name one of these ids or an alias of one.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn decisions(&self, patients: &[String]) -> Result<Vec<IdentityDecision>>;
}
