//! Reading the acknowledgment of a partner.

use super::{AckCode, ErrorCode};
use crate::{Message, Unreadable};

/// What a partner answered. `Debug` prints codes and sizes: partners put content into their texts.
#[derive(Clone, PartialEq, Eq)]
pub struct Acknowledgment {
    /// MSA-1.
    pub code: AckCode,
    /// MSA-2, byte for byte; equals MSH-10 of what was sent.
    pub control_id: Vec<u8>,
    /// ERR-8, else MSA-3: the partner's words. May hold content of the message.
    pub text: String,
    /// The code of table 0357, from ERR-3, or ERR-1 before v2.5, or MSA-6; None when absent or not of the table.
    pub error: Option<ErrorCode>,
}

/// Why bytes are no acknowledgment. None of these is a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAcknowledgment {
    /// Not an HL7 message.
    #[error("answer is no HL7 message")]
    Unreadable(#[from] Unreadable),
    /// A message without MSA.
    #[error("answer has no MSA segment")]
    NoMsa,
    /// MSA-1 is no code of table 0008.
    #[error("answer has an unknown acknowledgment code")]
    UnknownCode,
}

impl Acknowledgment {
    /// Reads an acknowledgment, also one that carries a whole answer (ORR, ADR).
    ///
    /// # Errors
    /// [`NoAcknowledgment`] when the bytes are no message, have no MSA, or its code is unknown.
    pub fn read(bytes: &[u8]) -> Result<Self, NoAcknowledgment> {
        let message = Message::read(bytes)?;
        let msa = message.segment_named("MSA", 1).ok_or(NoAcknowledgment::NoMsa)?;
        let code = AckCode::from_code(msa.field(1).text().trim()).ok_or(NoAcknowledgment::UnknownCode)?;
        let err = message.segment_named("ERR", 1);
        let candidates = [
            err.map(|err| err.field(3).component(1)),
            err.map(|err| err.field(1).component(4).subcomponent(1)),
            Some(msa.field(6).component(1)),
        ];
        let error =
            candidates.into_iter().flatten().find_map(|part| ErrorCode::from_code(part.text().trim()));
        let words =
            err.map(|err| err.field(8)).filter(crate::Part::is_valued).unwrap_or_else(|| msa.field(3));
        Ok(Self { code, control_id: msa.field(2).raw().to_vec(), text: words.text().into_owned(), error })
    }

    /// Sending the same message again may succeed: an error or reject with a transient code.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !self.code.is_accept() && self.error.is_some_and(ErrorCode::is_transient)
    }

    /// The acknowledgment answers the message with this control id.
    #[must_use]
    pub fn answers(&self, control_id: &[u8]) -> bool {
        self.control_id == control_id
    }
}

impl std::fmt::Debug for Acknowledgment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acknowledgment")
            .field("code", &self.code)
            .field("error", &self.error)
            .field("text_bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}
