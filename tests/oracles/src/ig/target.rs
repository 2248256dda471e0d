//! The guide's way of writing an element, brought to one form and proven against R4.

use super::read::Row;
use std::collections::BTreeMap;

/// What a row wants written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nothing.
    None,
    /// Something that R4 has not; why.
    Invalid(String),
    /// The element, below the table's type: `participant.individual`, through references `location.location(Location).name`.
    /// Empty for the whole.
    Element(String),
}

/// URLs of the extensions of one table: (v2 path, `identifier.extension[1]`) to URL.
pub type Urls = BTreeMap<(String, String), String>;

/// Collects the URLs that the rows of one table assign to their extensions.
pub fn urls(rows: &[&Row]) -> Urls {
    let mut found = Urls::new();
    for row in rows {
        let target = row.target.replace(char::is_whitespace, "");
        let target = target.split('=').next().unwrap_or_default().trim_end_matches(')');
        let Some(prefix) = target.strip_suffix(".url").or_else(|| target.strip_suffix(".uri")) else {
            continue;
        };
        let Some(prefix) = tokens(prefix).map(|tokens| raw(&tokens)) else { continue };
        if let Some(url) = literal(row) {
            found.insert((row.id.clone(), prefix), url);
        }
    }
    found
}

/// The text that the row assigns: in quotes in its column, or behind an equals sign in its target.
///
/// A reference has no text: what stands there slipped in from another row.
pub fn literal(row: &Row) -> Option<String> {
    if row.detail.starts_with("Reference") && !row.target.contains('=') {
        return None;
    }
    let behind = row.target.split_once('=').map(|(_, text)| text);
    let text = behind.unwrap_or(&row.assignment).trim();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    // Some rows forget the quotes around a URL or a code.
    let bare = || {
        let is_code = row.target.ends_with(".code") && !text.is_empty();
        let is_word = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        (text.starts_with("http://") || is_code && is_word).then_some(text)
    };
    let inner = quoted.or_else(bare)?;
    (!inner.contains('"')).then(|| inner.trim().to_owned())
}

/// The element of a row in a table about `kind` (a resource or data type), the table's elements standing below `prefix`.
pub fn element(row: &Row, kind: &str, prefix: &str, urls: &Urls) -> Target {
    let text = row.target.replace(char::is_whitespace, "");
    let text = text.split('=').next().unwrap_or_default();
    if text.is_empty() {
        return if row.proposed.is_empty() {
            Target::None
        } else {
            Target::Invalid("a proposed extension without URL".into())
        };
    }
    if matches!(text, "$this" | "$value") {
        return Target::Element(prefix.to_owned());
    }
    let whole = if prefix.is_empty() { text.to_owned() } else { format!("{prefix}.{text}") };
    match tokens(&whole) {
        Some(tokens) => walk(row, kind, &tokens, urls).map_or_else(Target::Invalid, Target::Element),
        None => Target::Invalid("brackets that do not close".into()),
    }
}

/// A step of a path: an element, an index (kept for extensions), or a change of type in parentheses.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    Index(String),
    Into(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut name = String::new();
    let mut letters = text.chars();
    let flush = |name: &mut String, found: &mut Vec<Token>, into: bool| {
        if !name.is_empty() {
            found.push(if into {
                Token::Into(std::mem::take(name))
            } else {
                Token::Name(std::mem::take(name))
            });
        }
    };
    let mut opened = false;
    while let Some(letter) = letters.next() {
        match letter {
            '.' => {
                flush(&mut name, &mut found, opened);
                opened = false;
            }
            '[' => {
                flush(&mut name, &mut found, opened);
                opened = false;
                let index: String =
                    letters.by_ref().take_while(|letter| !matches!(letter, ']' | '}')).collect();
                if index.contains('.') && !index.contains("..") {
                    return None;
                }
                found.push(Token::Index(index));
            }
            '(' => {
                flush(&mut name, &mut found, opened);
                opened = true;
            }
            ')' => {
                flush(&mut name, &mut found, opened);
                opened = false;
            }
            letter => name.push(letter),
        }
    }
    flush(&mut name, &mut found, opened);
    // Parentheses that the guide forgets to close are closed at the end.
    Some(found)
}

/// The path as written, in one form: the key of an extension's URL.
fn raw(tokens: &[Token]) -> String {
    let mut text = String::new();
    for token in tokens {
        match token {
            Token::Name(name) => join(&mut text, name),
            Token::Index(index) => text.push_str(&format!("[{index}]")),
            Token::Into(name) => text.push_str(&format!("({name})")),
        }
    }
    text
}

fn walk(row: &Row, kind: &str, tokens: &[Token], urls: &Urls) -> Result<String, String> {
    let r4 = fhir::r4();
    let mut at = kind.to_owned();
    let mut path = String::new();
    let mut rest = tokens.iter().enumerate().peekable();
    while let Some((place, token)) = rest.next() {
        match token {
            Token::Index(_) => {}
            Token::Into(name) => {
                let name = name.split('|').next().unwrap_or(name);
                if r4.is_resource(name) {
                    path.push_str(&format!("({name})"));
                } else if r4.children(name).is_empty() && !r4.is_primitive(name) {
                    return Err(format!("{name} is no R4 type"));
                }
                at = name.to_owned();
            }
            Token::Name(name) if name == "extension" => {
                let indexed = matches!(rest.peek(), Some((_, Token::Index(_))));
                let upto = tokens.get(..place + 1 + usize::from(indexed)).unwrap_or(tokens);
                let url = urls.get(&(row.id.clone(), raw(upto))).ok_or("an extension without URL")?;
                let canonical =
                    url.starts_with("http://hl7.org/fhir/") && !url.ends_with(".html") && !url.contains('\\');
                if at != "Extension" && !canonical {
                    return Err(format!("the extension URL {url} is none of FHIR's"));
                }
                join(&mut path, &format!("extension({url})"));
                at = "Extension".to_owned();
            }
            // Written as the extension, or as the reference, itself.
            Token::Name(name) if at == "Extension" && matches!(name.as_str(), "url" | "uri") => {}
            Token::Name(name) if at == "Reference" && name == "reference" => {}
            Token::Name(name) if path.is_empty() && name == kind => {}
            Token::Name(name) if at == "Extension" => {
                let value = r4.property("Extension", name).ok_or(format!("an extension has no {name}"))?;
                at = value.child_path.to_owned();
            }
            Token::Name(name) => {
                let found = step(&at, name, row, &mut rest).ok_or_else(|| format!("{at} has no {name}"))?;
                join(&mut path, &found.0);
                at = found.1;
            }
        }
    }
    let last = tokens.iter().rev().find(|token| !matches!(token, Token::Index(_)));
    // A trailing change of type says only where the reference leads.
    if let (Some(Token::Into(_)), Some(inner)) = (last, path.strip_suffix(')'))
        && let Some(open) = inner.rfind('(')
    {
        path.truncate(open);
    }
    Ok(path)
}

/// One element: its name with the type of a choice, and where its children are.
fn step<'t>(
    at: &str,
    name: &str,
    row: &Row,
    rest: &mut std::iter::Peekable<impl Iterator<Item = (usize, &'t Token)>>,
) -> Option<(String, String)> {
    let r4 = fhir::r4();
    if let Some(property) = r4.property(at, name) {
        return Some((name.to_owned(), property.child_path.to_owned()));
    }
    // A choice without its type: the type may stand as a name of its own, or in the column of types.
    let choice = r4.children(at).iter().find(|child| child.is_choice() && child.base_name() == name)?;
    if let Some((_, Token::Name(next))) = rest.peek() {
        let with = format!("{name}{}", capital(next));
        if let Some(property) = r4.property(at, &with) {
            rest.next();
            return Some((with, property.child_path.to_owned()));
        }
    }
    let refers = matches!(rest.peek(), Some((_, Token::Into(name))) if r4.is_resource(name));
    let stated = if refers { "Reference" } else { row.detail.split(['(', '|']).next().unwrap_or_default() };
    let with = format!("{name}{}", capital(stated));
    if let Some(property) = r4.property(at, &with) {
        return Some((with, property.child_path.to_owned()));
    }
    // Any type will do: `occurred[x]`.
    Some((choice.name.to_owned(), choice.types.first()?.code.to_owned()))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

fn join(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ig::read::Kind;

    fn row(target: &str, detail: &str, assignment: &str) -> Row {
        Row {
            kind: Kind::Segments,
            table: "T".into(),
            number: 1,
            id: "PV1-3".into(),
            target: target.into(),
            proposed: String::new(),
            detail: detail.into(),
            assignment: assignment.into(),
            through: String::new(),
        }
    }

    fn of(target: &str, kind: &str) -> Target {
        element(&row(target, "", ""), kind, "", &Urls::new())
    }

    #[test]
    fn indices_and_trailing_types_go_and_inner_ones_stay() {
        assert_eq!(
            of("location[1].location(Location)", "Encounter"),
            Target::Element("location.location".into())
        );
        assert_eq!(
            of("practitioner(Practitioner.identifier[1].value)", "PractitionerRole"),
            Target::Element("practitioner(Practitioner).identifier.value".into())
        );
        assert_eq!(of("note(Annotation.text)", "Specimen"), Target::Element("note.text".into()));
    }

    #[test]
    fn a_choice_takes_its_type_from_the_next_name_or_the_column() {
        assert_eq!(
            of("value.CodeableConcept.text", "Observation"),
            Target::Element("valueCodeableConcept.text".into())
        );
        let stated = element(&row("onset", "dateTime", ""), "Condition", "", &Urls::new());
        assert_eq!(stated, Target::Element("onsetDateTime".into()));
    }

    #[test]
    fn what_r4_has_not_is_invalid() {
        assert!(matches!(of("payer", "Coverage"), Target::Invalid(_)));
        assert!(matches!(of("identifier[1", "Patient"), Target::Element(_) | Target::Invalid(_)));
        assert!(matches!(of("practitioner(Practioner.name)", "PractitionerRole"), Target::Invalid(_)));
    }

    #[test]
    fn an_extension_is_known_by_its_url() {
        let rows = [
            row("extension[1].url", "uri", "\"http://hl7.org/fhir/StructureDefinition/x\""),
            row("extension[1].valueString", "", ""),
        ];
        let urls = urls(&rows.iter().collect::<Vec<_>>());
        let expected = Target::Element("extension(http://hl7.org/fhir/StructureDefinition/x)".into());
        assert_eq!(element(&rows[0], "Patient", "", &urls), expected);
        assert_eq!(element(&rows[1], "Patient", "", &urls), expected);
        assert!(matches!(of("extension[2].valueString", "Patient"), Target::Invalid(_)));
    }
}
