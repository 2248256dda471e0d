//! What a channel asks of a message before it is accepted, and when it acknowledges.

use std::fmt;
use std::sync::Arc;

use hl7v2::Charset;

use crate::origin::SenderRule;

/// When the one acknowledgment of original mode is given. Enhanced mode says it itself, by MSH-15 and MSH-16.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// Once the message is durable in the journal.
    #[default]
    Journaled,
    /// Once it was applied.
    Applied,
}

/// Whether a message type can be applied here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeSupport {
    /// There is a mapping for it.
    Supported,
    /// There is one for other events of the message code.
    UnknownEvent,
    /// There is none for the message code.
    UnknownType,
}

/// Tells of MSH-9.1 and MSH-9.2 whether they can be applied.
pub type Types = Arc<dyn Fn(&str, &str) -> TypeSupport + Send + Sync>;

/// The rules of one channel.
#[derive(Clone)]
pub struct Rules {
    /// When original mode is answered.
    pub acknowledge: Acknowledge,
    /// Refuse what cannot be applied, with AR 200 or 201; else it is accepted and quarantined.
    pub rejects_unknown_types: bool,
    /// What can be applied.
    pub types: Types,
    /// MSH-11.1 codes (table 0103) that are accepted.
    pub processing_ids: Vec<&'static str>,
    /// What the bytes of a message are in that does not say (MSH-18 empty).
    pub charset: Charset,
    /// Who may send from where; empty: everyone.
    pub senders: Vec<SenderRule>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            acknowledge: Acknowledge::default(),
            rejects_unknown_types: false,
            types: Arc::new(|_, _| TypeSupport::Supported),
            processing_ids: hl7v2::acknowledgment::HeaderRules::STANDARD.processing_ids.to_vec(),
            charset: Charset::UTF_8,
            senders: Vec::new(),
        }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledge, rejects_unknown_types, processing_ids, charset, senders, .. } = self;
        let rest = (rejects_unknown_types, processing_ids, charset, senders.len());
        write!(formatter, "Rules({acknowledge:?}, {rest:?})")
    }
}
