//! HL7 v2 over HTTP: what a posted body is, and what is answered. The server itself is the node's.

use bytes::Bytes;
use hl7v2::{Charset, Message};
use store::JournalId;

use crate::batch::is_batch;
use crate::origin::Origin;
use crate::receive::Receiver;

/// Media types that a body may have; the answer has the same.
const MEDIA_TYPES: [&str; 3] = ["application/hl7-v2", "x-application/hl7-v2+er7", "application/hl7-v2+er7"];

/// The `Content-Type` of a posted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType {
    essence: &'static str,
    charset: Option<Charset>,
}

impl MediaType {
    /// Reads `application/hl7-v2; charset=ISO-8859-1`.
    ///
    /// # Errors
    /// A sentence for the sender: another type, or a character set that is not known.
    pub fn read(content_type: &str) -> Result<Self, &'static str> {
        let mut parts = content_type.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let known = MEDIA_TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(essence));
        let essence = known.ok_or("Content-Type must be application/hl7-v2 or x-application/hl7-v2+er7")?;
        let named = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| {
            // Parameter names have no case (RFC 9110 section 5.6.6).
            name.trim().eq_ignore_ascii_case("charset")
        });
        let charset = match named {
            None => None,
            Some((_, label)) => {
                let label = label.trim().trim_matches('"');
                Some(Charset::from_label(label).ok_or("the charset of Content-Type is not known here")?)
            }
        };
        Ok(Self { essence, charset })
    }

    /// The media type without its parameters.
    pub fn essence(&self) -> &'static str {
        self.essence
    }

    /// Is a message in this character set what its own header says? Where all is ASCII nothing can be misread.
    fn fits(&self, message: &Message<'_>, body: &[u8]) -> bool {
        self.charset.is_none_or(|charset| body.is_ascii() || charset == message.charset())
    }
}

/// What became of a posted body.
pub enum Posted {
    /// It is answered by an acknowledgment: of a message, or of a batch.
    Acknowledged {
        /// The acknowledgment; empty when MSH-15 and MSH-16 want none.
        bytes: Bytes,
        /// The entries whose acknowledgment it is.
        entries: Vec<JournalId>,
        /// Is all of it in the journal? If not, it is to be sent again.
        is_stored: bool,
    },
    /// It is no HL7 v2; a sentence for the sender. It is journaled as refused, unless it is empty.
    NoMessage(&'static str),
    /// `Content-Type` and MSH-18 name two character sets. Nothing is kept: the sender has to say which it is.
    TwoCharsets,
}

impl Receiver {
    /// Takes a posted body: a message, or a batch.
    pub async fn post(&self, peer: &str, media_type: MediaType, body: Bytes) -> Posted {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Posted::NoMessage("the body is empty");
        }
        if is_batch(&body) {
            let answers = self.batch(&Origin::named(peer), &body).await;
            let entries = answers.entries.into_iter().map(|(entry, _)| entry).collect();
            let (bytes, is_stored) = (answers.batch, answers.is_stored);
            return Posted::Acknowledged { bytes, entries, is_stored };
        }
        match Message::read_with(&body, self.rules.charset) {
            Err(_) => {
                self.refused(peer, body, "no-header", false).await;
                return Posted::NoMessage("the body is no HL7 v2 message: it has no MSH that can be read");
            }
            Ok(message) if !media_type.fits(&message, &body) => return Posted::TwoCharsets,
            Ok(_) => {}
        }
        let answer = self.frame(&Origin::named(peer), body).await;
        let is_stored = answer.entry.is_some();
        let bytes = answer.bytes.unwrap_or_default();
        Posted::Acknowledged { bytes, entries: answer.entry.into_iter().collect(), is_stored }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read_with_their_charset() {
        let read = |text| MediaType::read(text).map(|found| (found.essence(), found.charset));
        assert_eq!(read("application/hl7-v2"), Ok(("application/hl7-v2", None)));
        assert_eq!(
            read("X-Application/HL7-v2+ER7; Charset=\"ISO-8859-1\""),
            Ok(("x-application/hl7-v2+er7", Charset::from_label("8859/1")))
        );
        assert!(read("text/plain").is_err());
        assert!(read("application/hl7-v2; charset=utf-16").is_err());
    }
}
