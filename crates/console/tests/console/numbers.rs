//! Numbers of the dashboard in memory: two feeds, one of them quiet and held up; and one open review.

use async_trait::async_trait;
use audit::Record;
use store::{
    Backlog, Boundary, Feed, HeldGroup, IdentityDecision, JournalId, MINUTE_US, MessageState, Micros, Minute,
    NewReview, PatientIdentifier, PatientIndex, Result, Review, ReviewAnswer, Seq, Statistics, Waiting,
};
use uuid::Uuid;

use crate::ports::{Node, START_US, refused};
use crate::sample::{OTHER, PATIENT, ids};

#[async_trait]
impl Statistics for Node {
    async fn feeds(&self, since_us: Micros, until_us: Micros) -> Result<Vec<Feed>> {
        if self.clinical.rows.lock().expect("lock").is_empty() {
            return Ok(Vec::new());
        }
        let minutes = usize::try_from((until_us - since_us) / MINUTE_US).expect("small");
        let mut busy = vec![Minute { received: 3, held: 0 }; minutes];
        busy[minutes - 1] = Minute { received: 23, held: 2 };
        let feed = |channel: &str, minutes, p50_us, p95_us, last_us| Feed {
            channel: channel.to_owned(),
            minutes,
            p50_us,
            p95_us,
            last_us,
        };
        Ok(vec![
            feed("adt", busy, Some(12_000), Some(48_000), START_US - 2_000_000),
            feed("lab & co", vec![Minute::default(); minutes], None, None, START_US - 125 * MINUTE_US),
        ])
    }
    async fn waiting(&self) -> Result<Vec<Waiting>> {
        let waits = Waiting { channel: "lab & co".to_owned(), count: 7, oldest_us: START_US - 3 * MINUTE_US };
        Ok(vec![waits])
    }
    async fn held(&self) -> Result<Vec<HeldGroup>> {
        if self.clinical.rows.lock().expect("lock").is_empty() {
            return Ok(Vec::new());
        }
        let group = |reason: Option<&str>, count| HeldGroup {
            reason: reason.map(str::to_owned),
            state: MessageState::Quarantined,
            count,
            first_us: START_US - MINUTE_US,
            last_us: START_US,
            newest: Seq(2),
            senders: [("EMR|WARD", 2), ("A", 1), ("B", 1), ("<script>", 1)]
                .map(|(sender, count)| (sender.to_owned(), count))
                .to_vec(),
        };
        Ok(vec![
            group(Some("unsupported-type"), 4),
            group(Some("brand-new:\"><script>alert(2)"), 1),
            group(None, 1),
        ])
    }
    async fn boundary(&self, _: Micros, refused: &str) -> Result<Boundary> {
        assert_eq!(refused, "release:");
        Ok(Boundary { kept: 41, sent: 38, blocked: 2, queued: 1 })
    }
    async fn backlogs(&self) -> Result<Vec<Backlog>> {
        Ok(vec![Backlog { destination: "portal".to_owned(), count: 6, oldest_us: START_US - 9 * MINUTE_US }])
    }
}

#[async_trait]
impl PatientIndex for Node {
    async fn holders(&self, _: &[(String, String)]) -> Result<Vec<PatientIdentifier>> {
        Err(refused())
    }
    async fn identifiers_of(&self, patient: &str) -> Result<Vec<PatientIdentifier>> {
        let number = |value: &str| PatientIdentifier {
            system: "urn:oid:2.16.840.1.113883.3.9999.1".to_owned(),
            value: value.to_owned(),
            patient: patient.to_owned(),
        };
        Ok(vec![number(if patient == PATIENT { "MRN-4711" } else { "MB-9" })])
    }
    async fn reviews(&self, is_open: bool, _: usize) -> Result<Vec<Review>> {
        let review = review(self);
        Ok(if review.answered.is_none() == is_open { vec![review] } else { Vec::new() })
    }
    async fn review(&self, id: Uuid) -> Result<Option<Review>> {
        Ok(Some(review(self)).filter(|review| review.question.id == id))
    }
    async fn answer(
        &self,
        id: Uuid,
        answer: ReviewAnswer,
        instead_of: Option<ReviewAnswer>,
        by: &str,
        _: Micros,
        record: Record,
    ) -> Result<()> {
        assert_eq!((id, by), (Uuid::from_u128(21), "operator"));
        let mut answers = self.clinical.answers.lock().expect("lock");
        let standing = answers.last().map(|(answer, _)| *answer);
        if standing == Some(answer) {
            return Ok(());
        }
        if standing != instead_of {
            return Err(store::Error::Conflict("answered otherwise"));
        }
        answers.push((answer, record));
        Ok(())
    }
    async fn answered(&self, one: &str, other: &str) -> Result<Option<ReviewAnswer>> {
        assert_ne!(one, other);
        Ok(self.clinical.decided.lock().expect("lock").last().map(|(answer, _)| *answer))
    }
    async fn decide(
        &self,
        one: &str,
        other: &str,
        answer: ReviewAnswer,
        by: &str,
        _: Micros,
        record: Record,
    ) -> Result<()> {
        assert_eq!((one, other, by), (OTHER, PATIENT, "operator"));
        self.clinical.decided.lock().expect("lock").push((answer, record));
        Ok(())
    }
    async fn decisions(&self, _: &[String]) -> Result<Vec<IdentityDecision>> {
        Err(refused())
    }
}

/// The one review, answered or not.
fn review(node: &Node) -> Review {
    let question = NewReview {
        id: Uuid::from_u128(21),
        message: JournalId(ids()[1]),
        at_us: START_US,
        patients: vec![PATIENT.to_owned(), OTHER.to_owned()],
        contradictions: vec!["birth-date".to_owned()],
    };
    let answers = node.clinical.answers.lock().expect("lock");
    let answered = answers.last().map(|(answer, _)| (*answer, "operator".to_owned(), START_US));
    Review { question, answered }
}
