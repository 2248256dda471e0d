//! Seeded, synthetic HL7 v2 feeds: the same seed gives the same bytes. Dates lie in past years and every sending
//! system uses an assigning authority of its own, so that nothing made here can be taken for a real person's record.

mod message;
mod person;
mod random;

pub use message::{Feed, Generated};
pub use person::Person;
pub use random::Random;

/// What a feed says about people, for a leak scan that must know what to look for.
#[derive(Debug, Default, Clone, serde::Serialize)]
pub struct Sent {
    /// Family and given names.
    pub names: Vec<String>,
    /// Record, visit, order and social security numbers.
    pub ids: Vec<String>,
    /// Phone numbers as sent.
    pub phones: Vec<String>,
    /// Street lines and e-mail addresses.
    pub addresses: Vec<String>,
    /// Days as `YYYYMMDD`.
    pub dates: Vec<String>,
}

impl Sent {
    /// Sorts and drops repetitions.
    pub fn tidy(&mut self) {
        for list in [&mut self.names, &mut self.ids, &mut self.phones, &mut self.addresses, &mut self.dates] {
            list.sort();
            list.dedup();
        }
    }
}
