//! The people of the checked story, and what was said about them.

use crate::generate::{self, Counts, Episode, Feed, Generated, Sent};

/// Seed of the checked feed.
const SEED: u64 = 7;
/// People in the checked feed; every fifth is registered twice and merged.
const PEOPLE: u32 = 20;

/// Everyone, and every message that was made.
pub struct Town {
    feed: Feed,
    /// People in the order of their numbers.
    pub episodes: Vec<Episode>,
    messages: Vec<Generated>,
    further: Vec<Generated>,
}

impl Town {
    /// The town of the checked seed.
    pub fn new() -> Self {
        let mut feed = Feed::new(SEED);
        let episodes: Vec<_> = (0..PEOPLE).map(|_| feed.episode()).collect();
        let messages = episodes.iter().flat_map(|episode| episode.messages.clone()).collect();
        Self { feed, episodes, messages, further: Vec::new() }
    }

    /// The messages that tell everybody's episode.
    pub fn messages(&self) -> &[Generated] {
        &self.messages
    }

    /// How many messages were accepted from systems, later ones too.
    pub fn sent_count(&self) -> usize {
        self.messages.len() + self.further.len()
    }

    /// A prescription under the pharmacy's number of the first person and the hospital's of the second.
    pub fn mistaken(&mut self) -> Result<Generated, String> {
        let [one, other, ..] = self.episodes.as_slice() else { return Err("too few people".to_owned()) };
        let message = self.feed.mistaken(&one.person, &other.person, other.end);
        self.further.push(message.clone());
        Ok(message)
    }

    /// The message in which a person asks for protection of their data.
    pub fn protection(&mut self, episode: usize) -> Result<Generated, String> {
        let Episode { person, end, .. } = self.episodes.get(episode).ok_or("too few people")?;
        let message = self.feed.protection(person, end.minutes(90));
        self.further.push(message.clone());
        Ok(message)
    }

    /// Everything identifying that was said.
    pub fn sent(&self) -> Sent {
        generate::sent(self.messages.iter().chain(&self.further))
    }

    /// What the episodes amount to.
    pub fn counts(&self) -> Counts {
        self.episodes.iter().map(|episode| episode.counts).fold(Counts::default(), std::ops::Add::add)
    }

    /// How many resources of each type there must be.
    pub fn expected(&self) -> [(&'static str, u64); 9] {
        let (people, counts) = (u64::from(PEOPLE), self.counts());
        let Counts { visits, results, prescriptions, dispenses, charges, procedures, merged, .. } = counts;
        [
            ("Patient", people + u64::from(merged)),
            ("Encounter", u64::from(visits)),
            ("Observation", u64::from(results)),
            ("DiagnosticReport", people),
            ("MedicationRequest", u64::from(prescriptions)),
            ("MedicationDispense", u64::from(dispenses)),
            ("ChargeItem", u64::from(charges)),
            ("Procedure", u64::from(procedures)),
            ("Coverage", people),
        ]
    }
}
