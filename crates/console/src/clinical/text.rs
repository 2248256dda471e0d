//! A message as text that a person can edit, and back to bytes. What would not come back as it was is not offered.

use hl7v2::{Charset, Message};

/// Longest message that can be edited here, in bytes.
pub(crate) const EDIT_BYTES_MAX: usize = 256 * 1_024;

/// Code points of the pictures of C0 controls, and of DEL.
const PICTURES: u32 = 0x2400;
const PICTURE_OF_DELETE: char = '\u{2421}';
const DELETE: char = '\u{7f}';

/// Why a text is not made into bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotWritten {
    /// A character has no place in the message's character set.
    Charset(&'static str),
    /// The text does not begin with a message header.
    Header,
    /// Longer than [`EDIT_BYTES_MAX`].
    Long,
}

impl NotWritten {
    /// What a person is told.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Charset(name) => {
                format!(
                    "A character of the text has no place in {name}, the character set that MSH-18 names."
                )
            }
            Self::Header => "The text does not begin with a message header (MSH).".to_owned(),
            Self::Long => format!("The text is longer than {} KiB.", EDIT_BYTES_MAX / 1_024),
        }
    }
}

/// The text of a message: a segment on a line, control characters as their pictures (␛ for the escape character). `site`:
/// the label of its channel's character set.
/// `None` when these bytes cannot be edited without loss.
pub(crate) fn to_text(bytes: &[u8], site: Option<&str>) -> Option<String> {
    let message = Message::read_as(bytes, site).ok().filter(|_| bytes.len() <= EDIT_BYTES_MAX)?;
    let (text, is_damaged) = message.charset().decode(bytes);
    let text = lines(&text).iter().map(|line| shown(line)).collect::<Vec<_>>().join("\n");
    let back = to_bytes(&text, site).ok().filter(|_| !is_damaged)?;
    let is_whole = lines(&message.charset().decode(&back).0) == lines(&message.charset().decode(bytes).0);
    is_whole.then_some(text)
}

/// The bytes of an edited text, in the character set that it names itself, or its channel's; segments end with a carriage return.
pub(crate) fn to_bytes(text: &str, site: Option<&str>) -> Result<Vec<u8>, NotWritten> {
    let lines = lines(text);
    let plain: String = lines.iter().map(|line| meant(line) + "\r").collect();
    let named = Message::read_as(plain.as_bytes(), site).map_err(|_| NotWritten::Header)?.charset();
    // A message of which nobody names a set is read as UTF-8 or ASCII, which hold the same first 128 characters.
    let charset = if named == Charset::ASCII && !plain.is_ascii() { Charset::UTF_8 } else { named };
    let (bytes, is_lossy) = charset.encode(&plain);
    match bytes {
        _ if is_lossy => Err(NotWritten::Charset(charset.name())),
        bytes if bytes.len() > EDIT_BYTES_MAX => Err(NotWritten::Long),
        bytes => Ok(bytes.into_owned()),
    }
}

/// Lines without their ends, empty ones left out.
fn lines(text: &str) -> Vec<&str> {
    text.split(['\r', '\n']).filter(|line| !line.is_empty()).collect()
}

fn shown(line: &str) -> String {
    let picture = |character: char| match u32::from(character) {
        code @ 0..=0x1f => char::from_u32(PICTURES + code).unwrap_or(character),
        0x7f => PICTURE_OF_DELETE,
        _ => character,
    };
    line.chars().map(picture).collect()
}

fn meant(line: &str) -> String {
    let meant = |character: char| match u32::from(character) {
        code @ PICTURES..=0x241f => char::from_u32(code - PICTURES).unwrap_or(character),
        0x2421 => DELETE,
        _ => character,
    };
    line.chars().map(meant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_the_bytes_it_was() {
        let bytes = b"MSH|^~\\&|A|B|||20260101||ADT^A01|7|P|2.5.1||||||UNICODE UTF-8\rPID|1||77||Doe\x0b\x7f^J\xc3\xb6\r";
        let text = to_text(bytes, None).expect("editable");
        assert!(text.contains("Doe\u{240b}\u{2421}^J\u{f6}"), "{text}");
        assert_eq!(to_bytes(&text, None).expect("written"), bytes);
        assert_eq!(to_bytes(&text.replace('\n', "\r\n"), None).expect("as a browser sends it"), bytes);
    }

    #[test]
    fn the_character_set_is_that_of_the_edited_text() {
        let latin = b"MSH|^~\\&|A|B|||20260101||ADT^A01|7|P|2.5.1||||||8859/1\rPID|1||77||J\xf6\r";
        let text = to_text(latin, None).expect("editable");
        assert_eq!(to_bytes(&text, None).expect("written"), latin);
        assert_eq!(
            to_bytes(&text.replace('\u{f6}', "\u{4e2d}"), None),
            Err(NotWritten::Charset("windows-1252"))
        );
        let utf_8 = to_bytes(&text.replace("8859/1", "UNICODE UTF-8"), None).expect("written");
        assert!(utf_8.windows(2).any(|pair| pair == [0xc3, 0xb6]));
    }

    #[test]
    fn what_would_not_come_back_is_not_offered() {
        let header = "MSH|^~\\&|A|B|||20260101||ADT^A01|7|P|2.5.1||||||UNICODE UTF-8\rPID|1||";
        assert_eq!(to_text(b"GET / HTTP/1.1", None), None);
        assert_eq!(
            to_text(format!("{header}\u{240b}\r").as_bytes(), None),
            None,
            "a picture that was sent as such"
        );
        assert_eq!(to_text(&[header.as_bytes(), b"\xff\r"].concat(), None), None, "broken UTF-8");
        assert_eq!(to_text(format!("{header}{}\r", "x".repeat(EDIT_BYTES_MAX)).as_bytes(), None), None);
        assert_eq!(to_bytes("PID|1", None), Err(NotWritten::Header));
    }
}
