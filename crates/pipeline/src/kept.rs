//! What clients wrote when a patient is derived again: no message makes it, and none unmakes it. It is what its client last
//! wrote, filed under whom its patients are today.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use store::{History, HistoryOf, Origin, ResourceKey, WriteMethod};

use crate::Error;
use crate::derive::{Write, moved_by_message, retarget};
use crate::follow::Pipeline;
use crate::owner::owner_of;
use crate::state::{Current, State, permit};

/// Versions that are read at once.
const VERSIONS_READ: usize = 50;

impl Pipeline {
    /// The write that turns a client's resource into what it is in `fresh`; `None` when nothing differs.
    pub(crate) async fn client_resource(
        &self,
        fresh: &State,
        key: &ResourceKey,
        current: &Current,
    ) -> Result<Option<Write>, Error> {
        let Some(mut body) = self.last_said(key).await? else { return Ok(None) };
        let mut moves = HashMap::new();
        fhir::references(&body, &mut |_, reference| {
            if let Some(id) = reference.strip_prefix("Patient/") {
                moves.insert(id.to_owned(), fresh.known_survivor(id).to_owned());
            }
        });
        retarget(&mut body, &moves);
        let patient = owner_of(key, &body);
        let is_same = current.exposed(&permit()) == Some(&body) && current.patient == patient;
        let moved_from = current.patient.clone().filter(|owner| patient.as_ref() != Some(owner));
        Ok((!is_same).then(|| Write {
            key: key.clone(),
            version: current.version + 1,
            patient,
            moved_from,
            client: moved_by_message(current),
            body: Some(Arc::new(body)),
            is_stored: false,
        }))
    }

    /// The last version that is of a client's hand.
    async fn last_said(&self, key: &ResourceKey) -> Result<Option<Value>, Error> {
        let mut asked = History::of(HistoryOf::Resource(key.clone()), VERSIONS_READ);
        loop {
            let Some(page) = self.ports.resources.history(&asked).await? else { return Ok(None) };
            let is_own = |origin: &Origin| match origin {
                Origin::Client { method, .. } => *method != WriteMethod::Moved,
                Origin::Package(_) => false,
            };
            if let Some(said) = page.versions.iter().find(|stored| is_own(&stored.origin)) {
                let is_there = !said.deleted;
                let read = || serde_json::from_slice(said.body.expose()).map_err(Error::Body);
                return if is_there { read().map(Some) } else { Ok(None) };
            }
            match page.next {
                Some(next) => asked.before = Some(next),
                None => return Ok(None),
            }
        }
    }
}
