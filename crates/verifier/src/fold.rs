//! One spelling for all spellings: lowercase letters and digits, without accents, width, marks or separators.

/// Letters and digits of a text, lowercase, accents and width removed.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        push(character, &mut folded);
    }
    folded
}

/// Its folded words: runs of letters and digits.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|character: char| !character.is_alphanumeric() && !is_mark(character))
        .map(fold)
        .filter(|word| !word.is_empty())
}

/// Its decimal digits.
pub(crate) fn digits(folded: &str) -> String {
    folded.chars().filter(char::is_ascii_digit).collect()
}

/// Lowercase hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| char::from_digit(u32::from(nibble), 16))
        .collect()
}

fn push(character: char, folded: &mut String) {
    match character {
        'a'..='z' | '0'..='9' => folded.push(character),
        'A'..='Z' => folded.push(character.to_ascii_lowercase()),
        // Full-width forms stand at a fixed distance from ASCII (Unicode, Halfwidth and Fullwidth Forms).
        '\u{ff01}'..='\u{ff5e}' => {
            if let Some(ascii) = char::from_u32(u32::from(character) - 0xfee0) {
                push(ascii, folded);
            }
        }
        _ if character.is_ascii() || is_mark(character) => {}
        _ => match base(character) {
            Some(letters) => folded.push_str(letters),
            None if character.is_alphanumeric() => match decimal(character) {
                Some(digit) => folded.extend(char::from_digit(digit, 10)),
                None => folded.extend(character.to_lowercase()),
            },
            None => {}
        },
    }
}

/// The value of an Arabic, Persian or Devanagari digit.
fn decimal(character: char) -> Option<u32> {
    let zero = match character {
        '\u{660}'..='\u{669}' => '\u{660}',
        '\u{6f0}'..='\u{6f9}' => '\u{6f0}',
        '\u{966}'..='\u{96f}' => '\u{966}',
        _ => return None,
    };
    Some(u32::from(character) - u32::from(zero))
}

/// Combining marks and characters without width.
fn is_mark(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The letters below an accent, for Latin letters.
fn base(character: char) -> Option<&'static str> {
    Some(match character {
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' | 'Ǎ' | 'ǎ' => "a",
        'Æ' | 'æ' => "ae",
        'Ç' | 'ç' | 'Ć'..='č' => "c",
        'Ð' | 'ð' | 'Ď'..='đ' => "d",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "e",
        'Ĝ'..='ģ' => "g",
        'Ĥ'..='ħ' => "h",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "i",
        'Ĵ' | 'ĵ' => "j",
        'Ķ'..='ĸ' => "k",
        'Ĺ'..='ł' => "l",
        'Ñ' | 'ñ' | 'Ń'..='ŋ' => "n",
        'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' | 'Ō'..='ő' => "o",
        'Œ' | 'œ' => "oe",
        'Ŕ'..='ř' => "r",
        'Ś'..='š' | 'Ș' | 'ș' => "s",
        'ß' => "ss",
        'Ţ'..='ŧ' | 'Ț' | 'ț' => "t",
        'Þ' | 'þ' => "th",
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => "u",
        'Ŵ' | 'ŵ' => "w",
        'Ý' | 'ý' | 'ÿ' | 'Ŷ'..='Ÿ' => "y",
        'Ź'..='ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{digits, fold};

    #[test]
    fn spellings_of_one_name_are_one() {
        for spelling in
            ["MÜLLER", "Mu\u{308}ller", "ｍｕｌｌｅｒ", "mul\u{200b}ler", "Mul-ler", "m u l l e r"]
        {
            assert_eq!(fold(spelling), "muller");
        }
        assert_eq!(digits(&fold("(555) ٣23-4567")), "5553234567");
    }
}
