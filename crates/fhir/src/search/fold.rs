//! Text as string parameters compare it (R4, search §3.1.1.4.8): without case, accents and spare whitespace.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Most characters of a folded text; longer values are compared by their beginning.
pub const FOLDED_CHARS_MAX: usize = 256;

/// The text without case, accents and other combining characters; whitespace is one space, none at the edges. At most
/// [`FOLDED_CHARS_MAX`] characters. Folding twice changes nothing.
pub fn fold_string(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain: String = words.join(" ").nfkd().filter(|character| !is_combining_mark(*character)).collect();
    let folded: String = plain.to_lowercase().chars().flat_map(letters).collect();
    // Compatibility forms can bring whitespace and case of their own.
    let settled = folded.to_lowercase();
    let words: Vec<&str> = settled.split_whitespace().collect();
    let cut: String = words.join(" ").chars().take(FOLDED_CHARS_MAX).collect();
    cut.trim_end().to_owned()
}

/// Whether a word of a folded text, or the words from one on, begin with what is asked, folded too.
pub fn begins_a_word(folded: &str, asked: &str) -> bool {
    let mut before = None;
    folded.char_indices().any(|(at, character)| {
        let starts = !before.replace(character).is_some_and(char::is_alphanumeric);
        starts && folded.get(at..).is_some_and(|rest| rest.starts_with(asked))
    })
}

/// Letters that no decomposition takes apart.
fn letters(character: char) -> impl Iterator<Item = char> {
    let (first, second) = match character {
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        'ø' => ('o', None),
        'đ' | 'ð' => ('d', None),
        'ł' => ('l', None),
        'ı' => ('i', None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}
