//! Why messages are held: each reason code in plain words, with what mends it.

/// A reason, explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    /// What happened.
    pub(crate) title: &'static str,
    /// What that means.
    pub(crate) meaning: &'static str,
    /// What a person can do.
    pub(crate) fix: &'static str,
    /// Whether a reprocess may end otherwise, once what is described was mended.
    pub(crate) can_reprocess: bool,
}

const fn held(title: &'static str, meaning: &'static str, fix: &'static str) -> Words {
    Words { title, meaning, fix, can_reprocess: true }
}

/// Nothing on this side changes it: the sender must send it again.
const fn refused(title: &'static str, meaning: &'static str, fix: &'static str) -> Words {
    Words { title, meaning, fix, can_reprocess: false }
}

/// What begins with this code, up to its colon.
const TABLE: &[(&str, Words)] = &[
    (
        "unsupported-type",
        held(
            "No mapping for this message type",
            "The message was acknowledged and kept. No file in mappings/messages is for its type and event.",
            "Add a message file for the type, or stop the sender from sending it; then reprocess.",
        ),
    ),
    (
        "missing",
        held(
            "A required field is empty",
            "The map of this message cannot begin without the field named in the code, most often the patient's number in PID-3.",
            "Ask the sender to value the field. When it stands elsewhere in its messages, say so in mappings/sites and reprocess.",
        ),
    ),
    (
        "identity-clash",
        held(
            "Two segments claim to be one resource",
            "Two segments of one message lead to the same id and the map does not say that they belong together.",
            "Ask the sender whether the second segment repeats the first; when it adds to it, let the map say merge. Then reprocess.",
        ),
    ),
    (
        "invalid",
        held(
            "The result is not valid FHIR R4",
            "What the mapping made breaks a rule of R4 at the element named in the code. Nothing of it was stored.",
            "Open a message, follow the element back to its rule, mend the rule or the value, then reprocess.",
        ),
    ),
    (
        "release",
        held(
            "Its de-identified twin was not released",
            "The message is stored on this node. A check found something in what was about to leave, so nothing of it left.",
            "Open a message and read the check and the element in the code. Mend the profile or the mapping, then reprocess.",
        ),
    ),
    (
        "identity-conflict",
        held(
            "It is not certain whose message this is",
            "Two systems disagree about who a number belongs to. Nothing is guessed.",
            "Answer the question under Reviews; the message is then processed by itself.",
        ),
    ),
    (
        "continuation-without-predecessor",
        held(
            "The part before it did not come",
            "MSH-14 says that it continues a message, and no message of this sender before it has that pointer in DSC-1. It is not applied alone.",
            "When the part before it came since, reprocess this one; else ask the sender to send both again.",
        ),
    ),
    (
        "continuation-too-long",
        held(
            "Its parts are too many or too long",
            "The parts that are to be joined are more than 100, or longer than 64 MiB together.",
            "Ask the sender to send the content as several messages.",
        ),
    ),
    (
        "too-many-patients",
        held(
            "It concerns more patients than are derived together",
            "Numbers connect the patients of this message with very many others, so it is not applied.",
            "Look for a number that many people share, such as a placeholder, and take its authority out of those the site trusts.",
        ),
    ),
    (
        "journal-incomplete",
        held(
            "Its patients cannot be derived again",
            "What this message changes needs every message of its patients, and bytes of some were dropped by retention. Nothing was changed.",
            "Correct the records at their source, which sends the change as new messages; or restore the months from a backup, then reprocess.",
        ),
    ),
    (
        "cannot-be-applied",
        held(
            "It could not be applied",
            "The node failed at this message several times and set it aside so that others could go on. Its bytes are kept.",
            "Look at the node's log at the time it was received. After an update of the node, reprocess.",
        ),
    ),
    (
        "translator-panic",
        held(
            "The translator failed on it",
            "A defect of this program met this message. It cost the message its translation and nothing else.",
            "Report the message id. After an update of the node, reprocess.",
        ),
    ),
    (
        "no-header",
        refused(
            "No readable MSH header",
            "The bytes do not begin with a message header, so nobody can be answered. The sender got AR.",
            "Tell the owner of the sending system; the message page shows the bytes.",
        ),
    ),
    (
        "header",
        refused(
            "The header is not acceptable",
            "A field of MSH is missing or not understood, such as the control id or the version. The sender got AE or AR, with the field in ERR.",
            "The sender mends the field and sends again.",
        ),
    ),
    (
        "charset",
        refused(
            "The bytes do not fit the declared character set",
            "MSH-18 names a character set that these bytes break, so that names would be garbled. The sender got AE.",
            "The sender declares the character set it uses in MSH-18 and sends again.",
        ),
    ),
    (
        "truncated",
        refused(
            "The connection broke inside a message",
            "The frame was not closed. No acknowledgment was given, so a sender that works as it should sends it again.",
            "Nothing, when the message came again; else look at the network between the sender and this node.",
        ),
    ),
    (
        "frame-timeout",
        refused(
            "The message did not come to its end in time",
            "The sender began a frame and stopped. No acknowledgment was given.",
            "Look at the sender, or at the network between it and this node.",
        ),
    ),
    (
        "oversized",
        refused(
            "The message is longer than this channel allows",
            "It was refused at the limit, and the connection was closed.",
            "Raise frame_bytes_max of the channel when such messages are meant to come.",
        ),
    ),
    (
        "junk",
        refused(
            "Bytes that are no message",
            "What came stands in no frame: a scanner or a browser on the port, or a sender that leaves the frame out. One entry a peer and minute, but each that begins with MSH.",
            "Look at the peer's address on the message page: let a firewall keep a stranger away, or set framing of the channel when a sender marks its messages in its own way.",
        ),
    ),
    (
        "connection-limit",
        refused(
            "A connection too many",
            "As many connections of this channel were open as connections_max allows. Nothing was read of this one; one entry a peer and minute.",
            "Raise connections_max, or set same_peer to replace when a sender leaves dead connections behind.",
        ),
    ),
    (
        "address-not-allowed",
        refused(
            "A connection from an address that is not allowed",
            "The channel takes connections from the networks in its allow list only. One entry a peer and minute.",
            "Add the network when the sender is one of ours, or let a firewall keep it away.",
        ),
    ),
    (
        "tls-handshake",
        refused(
            "A connection without the TLS that this channel asks for",
            "The handshake failed or took too long: no TLS, an old version, or no certificate of the CA of senders. One entry a peer and minute.",
            "Give the sender a certificate of that CA, or let a firewall keep a stranger away.",
        ),
    ),
];

/// The words of a code; `None` for one that is not known here.
pub(crate) fn words(reason: &str) -> Option<Words> {
    let stem = reason.split(':').next().unwrap_or_default();
    TABLE.iter().find(|(code, _)| *code == stem).map(|(_, words)| *words)
}

/// What is said of a code that is not known here.
pub(crate) const UNKNOWN: Words = held(
    "Held for another reason",
    "This page has no words for the code below. The message is kept.",
    "Open a message for its issues, then mend what they name and reprocess.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_by_what_stands_before_its_colon() {
        assert_eq!(words("missing:PID-3").map(|words| words.title), Some("A required field is empty"));
        assert_eq!(words("header").map(|words| words.can_reprocess), Some(false));
        assert_eq!((words("missings:PID-3"), words("")), (None, None));
    }

    /// Every code that listeners and pipeline write, found in their sources: a string that becomes a reason.
    #[test]
    fn every_reason_that_is_written_has_words() {
        const SOURCES: [&str; 4] = [
            include_str!("../../../pipeline/src/translate.rs"),
            include_str!("../../../pipeline/src/follow.rs"),
            include_str!("../../../sources/src/receive.rs"),
            include_str!("../../../sources/src/mllp_source.rs"),
        ];
        let signs = [
            "=> \"",
            "format!(\"",
            "Refused(\"",
            "refusal, \"",
            "reason = \"",
            "set_aside(\"",
            "heading, \"",
            "head, \"",
            "payload, \"",
            "RELEASE_REFUSED: &str = \"",
            "TOO_MANY_PATIENTS: &str = \"",
            "JOURNAL_INCOMPLETE: &str = \"",
            "Self::Quarantined(\"",
        ];
        let mut found = std::collections::BTreeSet::new();
        for line in SOURCES.iter().flat_map(|source| source.lines()) {
            for sign in signs {
                let code = line.split_once(sign).and_then(|(_, rest)| rest.split(['"', ':', '{']).next());
                let is_code = |code: &&str| {
                    code.len() > 3 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                };
                found.extend(code.filter(is_code));
            }
        }
        assert!(found.len() >= 12, "the scan reads the sources: {found:?}");
        let unknown: Vec<_> = found.iter().filter(|code| words(code).is_none()).collect();
        assert!(unknown.is_empty(), "no words for {unknown:?}");
    }

    #[test]
    fn no_code_is_explained_twice() {
        let codes: std::collections::BTreeSet<_> = TABLE.iter().map(|(code, _)| code).collect();
        assert_eq!(codes.len(), TABLE.len());
    }
}
