//! Which acknowledgments a sender is owed: MSH-15 and MSH-16 as one table (HL7 v2.5.1 section 2.9.3, table 0155).

use super::AckCode;
use crate::{AckCondition, Header};

/// What MSH-15 and MSH-16 ask for.
///
/// Both empty is the original mode: one acknowledgment, always. As soon as one of them is valued the mode is enhanced, and
/// the empty one counts as `NE`: who names one acknowledgment asked for that one. A value that is not of table 0155 counts
/// as empty; [`AckMode::has_unknown_value`] tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckMode {
    /// One acknowledgment, `AA`, `AE` or `AR`.
    Original,
    /// Up to two: one of the commit, then one of the application.
    Enhanced {
        /// MSH-15: when `CA`, `CE` or `CR` is wanted.
        accept: AckCondition,
        /// MSH-16: when `AA`, `AE` or `AR` is wanted.
        application: AckCondition,
    },
}

impl AckMode {
    /// The mode of two conditions, each empty where it is `None`.
    #[must_use]
    pub fn of_conditions(accept: Option<AckCondition>, application: Option<AckCondition>) -> Self {
        if accept.is_none() && application.is_none() {
            return Self::Original;
        }
        let or_never = |condition: Option<AckCondition>| condition.unwrap_or(AckCondition::Never);
        Self::Enhanced { accept: or_never(accept), application: or_never(application) }
    }

    /// The mode a header asks for.
    #[must_use]
    pub fn of(header: &Header<'_>) -> Self {
        Self::of_conditions(header.accept_acknowledgment(), header.application_acknowledgment())
    }

    /// True when MSH-15 or MSH-16 holds something that is neither empty, null nor of table 0155.
    #[must_use]
    pub fn has_unknown_value(header: &Header<'_>) -> bool {
        [15, 16].into_iter().any(|field| {
            let text = header.segment().field(field).text();
            let text = text.trim();
            !text.is_empty() && text != "\"\"" && AckCondition::from_code(text).is_none()
        })
    }

    /// The acknowledgment owed once a message is durable; `None`: none, or not yet. `code` is the outcome in the codes of
    /// the original mode.
    ///
    /// A refusal ends the exchange: no application acknowledgment follows it. So it is said by the one acknowledgment that
    /// the sender waits for: the commit acknowledgment, or the application acknowledgment when it wants no other.
    #[must_use]
    pub fn at_commit(self, code: AckCode) -> Option<AckCode> {
        match self {
            Self::Original => Some(code.as_application()),
            Self::Enhanced { accept, application } => {
                let success = code.is_accept();
                if accept.wants(success) {
                    Some(code.as_commit())
                } else if !success && application.wants(success) {
                    Some(code.as_application())
                } else {
                    None
                }
            }
        }
    }

    /// The acknowledgment owed once an accepted message was applied, with this outcome; `None`: none.
    #[must_use]
    pub fn at_application(self, code: AckCode) -> Option<AckCode> {
        match self {
            Self::Original => None,
            Self::Enhanced { application, .. } => {
                application.wants(code.is_accept()).then(|| code.as_application())
            }
        }
    }

    /// Whether the outcome of the application may be owed to the sender.
    #[must_use]
    pub fn awaits_application(self) -> bool {
        matches!(self, Self::Enhanced { application, .. } if application != AckCondition::Never)
    }
}
