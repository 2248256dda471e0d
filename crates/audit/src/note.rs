//! C2SP signed notes: a text, an empty line, one signature line for each key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{Error, SigningKey, VerifyingKey};

/// Every signature line begins with an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";
/// Longest note that is read.
const NOTE_LENGTH_MAX: usize = 64 * 1024;
/// Bytes of the key id before the signature.
const KEY_ID_LENGTH: usize = 4;

/// `text` (which ends in a newline) with this key's signature line.
pub(crate) fn sign(text: &str, key: &SigningKey) -> String {
    let public = key.public();
    let mut signature = public.id().to_vec();
    signature.extend(key.sign(text.as_bytes()));
    format!("{text}\n{SIGNATURE_PREFIX}{} {}\n", public.name(), STANDARD.encode(signature))
}

/// The text of a note that this key signed. Signatures by other keys are passed over.
///
/// # Errors
/// `malformed` when it is no note; [`Error::Signature`] when no line is a valid signature by this key.
pub(crate) fn open<'a>(note: &'a str, key: &VerifyingKey, malformed: Error) -> Result<&'a str, Error> {
    let Some((body, signatures)) = note.rsplit_once("\n\n").filter(|_| note.len() <= NOTE_LENGTH_MAX) else {
        return Err(malformed);
    };
    // The text keeps the newline that ends its last line.
    let Some(text) = note.get(..body.len() + 1) else { return Err(malformed) };
    let Some(lines) = signatures.strip_suffix('\n') else { return Err(malformed) };
    for line in lines.split('\n') {
        let Some((name, encoded)) = line.strip_prefix(SIGNATURE_PREFIX).and_then(|rest| rest.split_once(' '))
        else {
            return Err(malformed);
        };
        let Ok(signature) = STANDARD.decode(encoded) else { return Err(malformed) };
        if name != key.name() {
            continue;
        }
        if let Some((id, signature)) = signature.split_first_chunk::<KEY_ID_LENGTH>()
            && *id == key.id()
        {
            return key.verify(text.as_bytes(), signature).map(|()| text);
        }
    }
    Err(Error::Signature)
}
