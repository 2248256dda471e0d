//! What the partner took over and owes an outcome for.

use store::Micros;
use uuid::Uuid;

use super::judge::Later;

/// Outcomes awaited at once by one worker; a message beyond them waits until one is settled.
pub(super) const OUTSTANDING_MAX: usize = 256;

/// One outcome that is awaited.
pub(super) struct Awaited {
    pub(super) forward: Uuid,
    pub(super) message: Uuid,
    pub(super) decision_id: Uuid,
    pub(super) control_id: Vec<u8>,
    pub(super) later: Later,
    pub(super) until_us: Micros,
}

/// All that are awaited, in the order in which they were taken over.
#[derive(Default)]
pub(super) struct Outstanding(Vec<Awaited>);

impl Outstanding {
    pub(super) fn add(&mut self, awaited: Awaited) {
        self.0.push(awaited);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= OUTSTANDING_MAX
    }

    /// Whether an outcome is awaited under this control id.
    pub(super) fn awaits(&self, control_id: &[u8]) -> bool {
        self.0.iter().any(|one| one.control_id == control_id)
    }

    /// The one that this control id is of.
    pub(super) fn take(&mut self, control_id: &[u8]) -> Option<Awaited> {
        let at = self.0.iter().position(|one| one.control_id == control_id)?;
        Some(self.0.remove(at))
    }

    /// One whose time is over.
    pub(super) fn take_overdue(&mut self, now_us: Micros) -> Option<Awaited> {
        let at = self.0.iter().position(|one| one.until_us <= now_us)?;
        Some(self.0.remove(at))
    }
}
