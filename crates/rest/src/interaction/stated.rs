//! A document that says what can be searched by: made when it is first asked for, and again when the index of one more
//! parameter is made.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::server::Fhir;

/// The document as it was last made, with the revision of the index that it was made for.
#[derive(Debug, Default)]
pub(crate) struct Stated(Mutex<Option<(u64, Bytes)>>);

impl Stated {
    /// The document as it is now.
    pub(crate) fn now(&self, fhir: &Fhir, make: impl FnOnce() -> Bytes) -> Bytes {
        // Read before it is made: what becomes ready meanwhile makes it again.
        let revision = fhir.index.revision();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some((made_for, document)) if *made_for == revision => document.clone(),
            _ => {
                let document = make();
                *held = Some((revision, document.clone()));
                document
            }
        }
    }
}
