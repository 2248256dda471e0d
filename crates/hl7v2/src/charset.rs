//! Character sets of MSH-18 (table 0211), by `encoding_rs`.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, Encoding};

/// How the bytes of a message become text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Charset {
    encoding: &'static Encoding,
    ascii_only: bool,
}

impl Charset {
    /// UTF-8, the default where neither the message nor the site says otherwise.
    pub const UTF_8: Self = Self { encoding: encoding_rs::UTF_8, ascii_only: false };
    /// Seven-bit ASCII, what the standard means by an empty MSH-18.
    pub const ASCII: Self = Self { encoding: encoding_rs::UTF_8, ascii_only: true };
    /// windows-1252, also read where ISO 8859-1 is declared: senders who say one send the other.
    pub const WINDOWS_1252: Self = Self { encoding: encoding_rs::WINDOWS_1252, ascii_only: false };

    /// The character set a label names: a code of table 0211 or one of its usual misspellings
    /// (`UNICODE UTF-8`, `utf8`, `8859/1`, `ISO-8859-15`, `GB 18030-2000`, `ISO IR87`). None when it is not known,
    /// and for UTF-16 and UTF-32, whose bytes cannot be ER7.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        let key: String =
            label.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
        if matches!(key.as_str(), "ASCII" | "USASCII" | "ISOIR6" | "ISO646" | "ISO646US" | "ANSIX341968") {
            return Some(Self::ASCII);
        }
        let encoding = latin(&key).or_else(|| wide(&key))?;
        Some(Self { encoding, ascii_only: false })
    }

    /// What a site says its messages are in that do not say it, by a label of [`Charset::from_label`]; UTF-8 where it
    /// says nothing. A label that is not known is refused where the site writes it, and UTF-8 here.
    #[must_use]
    pub fn of_site(label: Option<&str>) -> Self {
        label.and_then(Self::from_label).unwrap_or(Self::UTF_8)
    }

    /// The character set of MSH-18 as sent: the repetitions' texts in order. An empty list, or only empty texts, gives
    /// `Ok(None)`; an unknown name gives `Err` with the 0-based repetition.
    /// Japanese senders declare `~ISO IR87` or `ISO IR6~ISO IR87`: ISO-2022-JP holds both.
    pub(crate) fn declared<'a>(labels: impl Iterator<Item = Cow<'a, str>>) -> Result<Option<Self>, usize> {
        let mut chosen = None;
        for (at, label) in labels.enumerate() {
            if label.trim().is_empty() {
                continue;
            }
            let charset = Self::from_label(&label).ok_or(at)?;
            if chosen.is_none() || charset.encoding == encoding_rs::ISO_2022_JP {
                chosen = Some(charset);
            }
        }
        Ok(chosen)
    }

    /// Name for reports, such as `UTF-8` or `windows-1252`; a label of [`Charset::from_label`].
    #[must_use]
    pub fn name(self) -> &'static str {
        if self.ascii_only { "US-ASCII" } else { self.encoding.name() }
    }

    /// Text of bytes, with U+FFFD for bytes the set cannot hold; the flag says whether there were any.
    /// Borrowed when nothing had to change.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> (Cow<'_, str>, bool) {
        if self.ascii_only && !bytes.is_ascii() {
            let text = bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { REPLACEMENT });
            return (Cow::Owned(text.collect()), true);
        }
        // Most text is valid UTF-8, and then stands as it is.
        if self.encoding == encoding_rs::UTF_8
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return (Cow::Borrowed(text), false);
        }
        self.encoding.decode_without_bom_handling(bytes)
    }

    /// Bytes of text; the flag says whether some character had no place in the set (it becomes `?`).
    #[must_use]
    pub fn encode(self, text: &str) -> (Cow<'_, [u8]>, bool) {
        let has_place =
            |c: char| c.is_ascii() || !self.ascii_only && !self.encoding.encode(c.encode_utf8(&mut [0; 4])).2;
        if text.chars().all(has_place) {
            return (self.encoding.encode(text).0, false);
        }
        let replaced: String = text.chars().map(|c| if has_place(c) { c } else { '?' }).collect();
        (Cow::Owned(self.encoding.encode(&replaced).0.into_owned()), true)
    }

    /// The first bytes that the set cannot hold, as `start..end`.
    #[must_use]
    pub fn first_violation(self, bytes: &[u8]) -> Option<std::ops::Range<usize>> {
        if bytes.is_ascii() && self.encoding != encoding_rs::ISO_2022_JP {
            return None;
        }
        if self.ascii_only {
            let start = bytes.iter().position(|b| !b.is_ascii())?;
            return Some(start..start + 1);
        }
        if self.encoding == encoding_rs::UTF_8 {
            let error = std::str::from_utf8(bytes).err()?;
            let start = error.valid_up_to();
            return Some(start..error.error_len().map_or(bytes.len(), |n| start + n));
        }
        self.first_malformed(bytes)
    }

    fn first_malformed(self, bytes: &[u8]) -> Option<std::ops::Range<usize>> {
        let mut decoder = self.encoding.new_decoder_without_bom_handling();
        let mut sink = [0_u8; 1024];
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let (result, read, _) = decoder.decode_to_utf8_without_replacement(rest, &mut sink, true);
            at += read;
            match result {
                DecoderResult::InputEmpty => return None,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(bad, after) => {
                    let end = at.saturating_sub(usize::from(after));
                    return Some(end.saturating_sub(usize::from(bad))..end.max(1).min(bytes.len()));
                }
            }
        }
    }

    /// A copy of the bytes in which no byte of a multi-byte character can be taken for a delimiter; None when the set
    /// needs no such copy (its multi-byte characters hold no ASCII bytes).
    pub(crate) fn mask(self, bytes: &[u8]) -> Option<Vec<u8>> {
        if bytes.is_ascii() && self.encoding != encoding_rs::ISO_2022_JP {
            return None;
        }
        if self.encoding == encoding_rs::ISO_2022_JP {
            return bytes.contains(&ESC).then(|| mask_shifted(bytes));
        }
        let lead: fn(u8) -> bool = if self.encoding == encoding_rs::SHIFT_JIS {
            |b| matches!(b, 0x81..=0x9F | 0xE0..=0xFC)
        } else if [encoding_rs::GB18030, encoding_rs::GBK, encoding_rs::BIG5].contains(&self.encoding) {
            |b| matches!(b, 0x81..=0xFE)
        } else {
            return None;
        };
        Some(mask_pairs(bytes, lead))
    }
}

impl std::fmt::Debug for Charset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

const REPLACEMENT: char = '\u{FFFD}';
const ESC: u8 = 0x1B;
/// Stands in a mask for a byte of a multi-byte character; no delimiter is above 0x7F.
const MASKED: u8 = 0xFF;

fn mask_pairs(bytes: &[u8], lead: fn(u8) -> bool) -> Vec<u8> {
    let mut masked = bytes.to_vec();
    let mut pending = false;
    for byte in &mut masked {
        let line_end = matches!(*byte, b'\r' | b'\n');
        if pending && !line_end {
            *byte = MASKED;
            pending = false;
        } else {
            pending = !line_end && lead(*byte);
        }
    }
    masked
}

/// ISO 2022: bytes between `ESC $` and `ESC (` are halves of characters. A shift ends with its line.
fn mask_shifted(bytes: &[u8]) -> Vec<u8> {
    let mut masked = bytes.to_vec();
    let mut wide = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == ESC {
            wide = bytes.get(at + 1) == Some(&b'$');
            let end = (at + 3).min(bytes.len());
            if let Some(sequence) = masked.get_mut(at..end) {
                sequence.iter_mut().filter(|b| !matches!(b, b'\r' | b'\n')).for_each(|b| *b = MASKED);
            }
            at = end;
            continue;
        }
        if matches!(byte, b'\r' | b'\n') {
            wide = false;
        } else if wide && let Some(slot) = masked.get_mut(at) {
            *slot = MASKED;
        }
        at += 1;
    }
    masked
}

fn latin(key: &str) -> Option<&'static Encoding> {
    let part = key.strip_prefix("ISO").unwrap_or(key);
    Some(match part {
        "88591" | "8859" | "LATIN1" | "WINDOWS1252" | "CP1252" | "1252" | "ANSI" | "IR100" => {
            encoding_rs::WINDOWS_1252
        }
        "88592" | "LATIN2" | "IR101" => encoding_rs::ISO_8859_2,
        "88593" | "IR109" => encoding_rs::ISO_8859_3,
        "88594" | "IR110" => encoding_rs::ISO_8859_4,
        "88595" | "IR144" => encoding_rs::ISO_8859_5,
        "88596" | "IR127" => encoding_rs::ISO_8859_6,
        "88597" | "IR126" => encoding_rs::ISO_8859_7,
        "88598" | "IR138" => encoding_rs::ISO_8859_8,
        "88599" | "LATIN5" | "IR148" | "WINDOWS1254" | "CP1254" => encoding_rs::WINDOWS_1254,
        "885910" => encoding_rs::ISO_8859_10,
        "885911" | "TIS620" | "IR166" | "WINDOWS874" | "CP874" => encoding_rs::WINDOWS_874,
        "885913" => encoding_rs::ISO_8859_13,
        "885914" => encoding_rs::ISO_8859_14,
        "885915" | "LATIN9" => encoding_rs::ISO_8859_15,
        "885916" => encoding_rs::ISO_8859_16,
        "WINDOWS1250" | "CP1250" => encoding_rs::WINDOWS_1250,
        "WINDOWS1251" | "CP1251" => encoding_rs::WINDOWS_1251,
        "WINDOWS1253" | "CP1253" => encoding_rs::WINDOWS_1253,
        _ => return None,
    })
}

fn wide(key: &str) -> Option<&'static Encoding> {
    Some(match key {
        "UTF8" | "UNICODEUTF8" | "UNICODE" | "UNICODE8" | "UTF8UNICODE" | "ISO10646" | "ISOIR192"
        | "IR192" => encoding_rs::UTF_8,
        "GB18030" | "GB180302000" | "GB180302005" | "GB180302022" => encoding_rs::GB18030,
        "GBK" | "GB2312" | "ISOIR58" => encoding_rs::GBK,
        "BIG5" => encoding_rs::BIG5,
        "KSX1001" | "KSC5601" | "EUCKR" | "ISOIR149" => encoding_rs::EUC_KR,
        "ISOIR87" | "ISOIR14" | "ISOIR13" | "ISOIR159" | "ISO2022JP" | "JAS2020" | "JISX0202" => {
            encoding_rs::ISO_2022_JP
        }
        "SHIFTJIS" | "SJIS" | "WINDOWS31J" | "MS932" | "CP932" => encoding_rs::SHIFT_JIS,
        "EUCJP" => encoding_rs::EUC_JP,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Charset;

    #[test]
    fn every_character_set_is_known_by_its_own_name() {
        let labels = [
            "ASCII",
            "UNICODE UTF-8",
            "8859/1",
            "8859/2",
            "8859/3",
            "8859/4",
            "8859/5",
            "8859/6",
            "8859/7",
            "8859/8",
            "8859/9",
            "8859/10",
            "8859/11",
            "8859/13",
            "8859/14",
            "8859/15",
            "8859/16",
            "CP1250",
            "CP1251",
            "CP1253",
            "GB 18030-2000",
            "GBK",
            "BIG-5",
            "KS X 1001",
            "ISO IR87",
            "Shift_JIS",
            "EUC-JP",
        ];
        for label in labels {
            let charset = Charset::from_label(label).expect(label);
            assert_eq!(Charset::from_label(charset.name()), Some(charset), "{label}");
            assert_eq!(Charset::of_site(Some(label)), charset, "{label}");
        }
        assert_eq!(Charset::of_site(None), Charset::UTF_8);
    }
}
