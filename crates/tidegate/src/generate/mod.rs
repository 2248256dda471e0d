//! Seeded, synthetic HL7 v2 feeds of one made-up hospital: EMR, laboratory, pharmacy and payer write about the same
//! people, each with numbers of its own. The same seed gives the same bytes. Dates lie in past years, names are
//! invented and assigning authorities are examples, so that nothing made here can be taken for a real person's record.

mod draft;
mod emr;
mod laboratory;
mod moment;
mod payer;
mod person;
mod pharmacy;
mod random;
mod scene;
mod segment;
mod sent;
mod vocabulary;
mod world;

pub use moment::Moment;
pub use person::{Kin, Person};
pub use random::Random;
pub use scene::scene;
pub use sent::Sent;
pub use world::{Counts, Episode, Feed, sent};

/// A system that sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// Admission, transfer, discharge, identity: ADT.
    Emr,
    /// Results: ORU.
    Laboratory,
    /// Prescriptions and dispenses: RDE and RDS.
    Pharmacy,
    /// Charges with their insurance: DFT.
    Payer,
}

impl System {
    /// All four, in the order of the channels.
    pub const ALL: [Self; 4] = [Self::Emr, Self::Laboratory, Self::Pharmacy, Self::Payer];

    /// MSH-3 and MSH-4.
    pub fn sender(self) -> (&'static str, &'static str) {
        match self {
            Self::Emr => ("HARBOR_EMR", "HARBOR"),
            Self::Laboratory => ("HARBOR_LAB", "HARBOR"),
            Self::Pharmacy => ("CAPE_RX", "CAPE_PHARM"),
            Self::Payer => ("MERIDIAN_PAY", "MERIDIAN"),
        }
    }
}

/// One message and what kind it is.
#[derive(Clone)]
pub struct Generated {
    /// Who sends it.
    pub system: System,
    /// `ADT^A01`.
    pub message_type: String,
    /// MSH-10.
    pub control_id: String,
    /// ER7 with CR after each segment.
    pub er7: String,
    /// What it says about people.
    pub sent: Sent,
}

impl std::fmt::Debug for Generated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Generated({} {}, {} bytes)", self.message_type, self.control_id, self.er7.len())
    }
}
