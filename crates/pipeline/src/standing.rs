//! What stands at the destinations, including deliveries that are not durable yet.

use std::collections::{BTreeSet, HashMap};

use store::{Effect, NewDelivery, ResourceKey, Standing};

use crate::derive::Write;
use crate::{Error, Ports};

/// Standings by destination and resource. Cleared only when everything is durable.
#[derive(Default)]
pub struct Standings(HashMap<(String, ResourceKey), Vec<Standing>>);

impl Standings {
    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many resources are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Loads what is not known of these resources.
    pub async fn load<'w>(
        &mut self,
        ports: &Ports,
        destination: &str,
        basis: &str,
        writes: impl Iterator<Item = &'w Write>,
    ) -> Result<(), Error> {
        let mut asked = Vec::new();
        for write in writes {
            let key = (destination.to_owned(), write.key.clone());
            if self.0.contains_key(&key) {
                continue;
            }
            // Of a first version nothing was ever sent.
            if write.version > 1 || write.is_stored {
                asked.push(write.key.clone());
            }
            self.0.insert(key, Vec::new());
        }
        self.ask(ports, destination, basis, asked).await
    }

    /// Loads what is not known of resources that were written before, all at once.
    pub async fn prefetch(
        &mut self,
        ports: &Ports,
        destination: &str,
        basis: &str,
        written: &BTreeSet<ResourceKey>,
    ) -> Result<(), Error> {
        let is_new = |key: &&ResourceKey| !self.0.contains_key(&(destination.to_owned(), (*key).clone()));
        let asked: Vec<ResourceKey> = written.iter().filter(is_new).cloned().collect();
        self.ask(ports, destination, basis, asked).await
    }

    async fn ask(
        &mut self,
        ports: &Ports,
        destination: &str,
        basis: &str,
        asked: Vec<ResourceKey>,
    ) -> Result<(), Error> {
        if asked.is_empty() {
            return Ok(());
        }
        let found = ports.withdrawals.standings(destination, basis, &asked).await?;
        for key in asked {
            self.0.insert((destination.to_owned(), key), Vec::new());
        }
        for standing in found {
            let key = (destination.to_owned(), standing.resource.clone());
            self.0.entry(key).or_default().push(standing);
        }
        Ok(())
    }

    /// What was ever sent of a resource.
    pub fn of(&self, destination: &str, key: &ResourceKey) -> &[Standing] {
        self.0.get(&(destination.to_owned(), key.clone())).map_or(&[], Vec::as_slice)
    }

    /// The number that the next delivery under this released id has.
    pub fn next_revision(&self, destination: &str, key: &ResourceKey, released_id: &str) -> u32 {
        let last = self.of(destination, key).iter().find(|standing| standing.released_id == released_id);
        last.map_or(1, |standing| standing.revision.saturating_add(1))
    }

    /// Takes a delivery as queued.
    pub fn note(&mut self, delivery: &NewDelivery) {
        let (stands, content) = match delivery.effect {
            Effect::Stands(content) => (true, Some(content)),
            Effect::Withdrawn(_) => (false, None),
        };
        let standing = Standing {
            resource: delivery.resource.clone(),
            released_id: delivery.released_id.clone(),
            patient: delivery.patient.clone(),
            lane: delivery.lane.clone(),
            revision: delivery.revision,
            stands,
            content,
        };
        let known = self.0.entry((delivery.destination.clone(), delivery.resource.clone())).or_default();
        known.retain(|other| other.released_id != standing.released_id);
        known.push(standing);
    }
}
