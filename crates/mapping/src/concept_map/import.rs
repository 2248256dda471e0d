//! From a ConceptMap to the text of a code table.

use super::{ABSENT_REASON, ConceptMapError, DEVIATION, GUIDE_TABLE, KEPT, NO_ROWS, POLICY, UNSAID};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt::Write as _;

/// A ConceptMap as the text of `codes/<name>.yaml`. Equivalences that say less than `equal` or `equivalent` make a lossy row.
/// A ConceptMap that was not made of a code table says nothing of originals without a row: they stay, with a warning.
///
/// # Errors
/// What in it a code table cannot say.
pub fn code_table_of(concept_map: &Value, name: &str) -> Result<String, ConceptMapError> {
    if concept_map.get("resourceType").and_then(Value::as_str) != Some("ConceptMap") {
        return Err(ConceptMapError::OtherResource);
    }
    let groups = list(concept_map, "group");
    let sources: std::collections::BTreeSet<Option<&str>> =
        groups.iter().map(|group| text(group, "source")).collect();
    let [source] = sources.into_iter().collect::<Vec<_>>()[..] else {
        return Err(ConceptMapError::Sources(groups.len()));
    };
    let others = Others::of(groups)?;
    let to = others.to.or_else(|| text(groups.first()?, "target")).ok_or(ConceptMapError::NoTarget(1))?;
    let mut made = format!("code: {}\n", quoted(name));
    // Writing to a String cannot fail.
    if let Some(source) = source {
        let _ = writeln!(made, "from: {}", quoted(&short(source)));
    }
    let _ = writeln!(made, "to: {}", quoted(to));
    made.push_str(&guide(concept_map));
    let rows = rows(groups, to)?;
    match (others.stand_for_themselves, rows.is_empty()) {
        (true, true) => made.push_str("rows: same\n"),
        (true, false) => made.push_str(&format!("rows:\n{rows}  \"*\": same\n")),
        (false, true) => made.push_str("rows: {}\n"),
        (false, false) => made.push_str(&format!("rows:\n{rows}")),
    }
    made.push_str(&unmapped(concept_map, others.fixed));
    Ok(made)
}

/// What becomes of the codes without a row, as the groups say it.
#[derive(Default)]
struct Others<'v> {
    /// The target system that it is said for.
    to: Option<&'v str>,
    stand_for_themselves: bool,
    fixed: Option<&'v str>,
}

impl<'v> Others<'v> {
    fn of(groups: &'v [Value]) -> Result<Self, ConceptMapError> {
        let mut others = Self::default();
        for (number, group) in (1..).zip(groups) {
            let Some(unmapped) = group.get("unmapped") else { continue };
            let (provided, fixed) = match text(unmapped, "mode") {
                Some("other-map") => return Err(ConceptMapError::OtherMap(number)),
                Some("provided") => (true, None),
                Some("fixed") => (false, text(unmapped, "code")),
                Some(_) | None => continue,
            };
            if others.to.is_some() {
                return Err(ConceptMapError::SecondUnmapped(number));
            }
            let to = text(group, "target").ok_or(ConceptMapError::NoTarget(number))?;
            others = Self { to: Some(to), stand_for_themselves: provided, fixed };
        }
        Ok(others)
    }
}

/// The lines below `rows`.
fn rows(groups: &[Value], to: &str) -> Result<String, ConceptMapError> {
    let mut made = String::new();
    let mut seen = HashSet::new();
    for (number, group) in (1..).zip(groups) {
        let system = text(group, "target").ok_or(ConceptMapError::NoTarget(number))?;
        for (at, element) in (1..).zip(list(group, "element")) {
            if says_there_are_no_rows(element) {
                continue;
            }
            let missing = ConceptMapError::NoCode { group: number, element: at };
            let from = text(element, "code").ok_or(missing)?;
            if !seen.insert(from) {
                return Err(ConceptMapError::Twice { group: number, element: at });
            }
            made.push_str(&row(from, element, (system != to).then_some(system), number, at)?);
        }
    }
    Ok(made)
}

fn says_there_are_no_rows(element: &Value) -> bool {
    let holder = element.get("_code").filter(|_| element.get("code").is_none());
    let reason = holder.and_then(|holder| extensions(holder, ABSENT_REASON).next());
    reason.and_then(|reason| text(reason, "valueCode")) == Some(NO_ROWS)
}

/// One line of `rows`.
fn row(
    from: &str,
    element: &Value,
    system: Option<&str>,
    group: usize,
    at: usize,
) -> Result<String, ConceptMapError> {
    let targets = list(element, "target");
    let equivalence = |target: &Value| text(target, "equivalence").unwrap_or_default().to_owned();
    let says_nothing = |target: &&Value| matches!(equivalence(target).as_str(), "unmatched" | "disjoint");
    let is_kept = |target: &Value| {
        extensions(target, KEPT).any(|kept| kept.get("valueBoolean") == Some(&Value::Bool(true)))
    };
    let named: Vec<&Value> = targets.iter().filter(|target| !says_nothing(target)).collect();
    let [target] = named[..] else {
        let mark = if targets.iter().any(is_kept) { "~" } else { "" };
        return match named.len() {
            0 => Ok(format!("  {}: none{mark}\n", quoted(from))),
            targets => Err(ConceptMapError::Targets { group, element: at, targets }),
        };
    };
    let code = text(target, "code").ok_or(ConceptMapError::NoCode { group, element: at })?;
    let is_exact = matches!(equivalence(target).as_str(), "equal" | "equivalent");
    let display = text(target, "display");
    // What the short form would read as something else.
    let is_special = code == "none" || code.ends_with('~') || (from == "*" && code == "same");
    if display.is_none() && system.is_none() && !is_kept(target) && !is_special {
        let code = if is_exact { code.to_owned() } else { format!("{code}~") };
        return Ok(format!("  {}: {}\n", quoted(from), quoted(&code)));
    }
    let mut parts = vec![format!("code: {}", quoted(code))];
    parts.extend(display.map(|display| format!("display: {}", quoted(display))));
    parts.extend(system.map(|system| format!("system: {}", quoted(system))));
    if !is_exact {
        parts.push("lossy: true".to_owned());
    }
    if is_kept(target) {
        parts.push("keep: true".to_owned());
    }
    Ok(format!("  {}: {{{}}}\n", quoted(from), parts.join(", ")))
}

/// The lines `ig` and `deviates`.
fn guide(concept_map: &Value) -> String {
    let mut made = String::new();
    let tables: Vec<String> =
        extensions(concept_map, GUIDE_TABLE).filter_map(|one| text(one, "valueString")).map(quoted).collect();
    if !tables.is_empty() {
        let _ = writeln!(made, "ig: [{}]", tables.join(", "));
    }
    let mut deviations = String::new();
    for one in extensions(concept_map, DEVIATION) {
        let codes: Vec<&str> = extensions(one, "code").filter_map(|code| text(code, "valueString")).collect();
        let reason = extensions(one, "reason").find_map(|reason| text(reason, "valueString"));
        let _ =
            writeln!(deviations, "  {}: {}", quoted(&codes.join(" ")), quoted(reason.unwrap_or_default()));
    }
    if !deviations.is_empty() {
        made.push_str("deviates:\n");
        made.push_str(&deviations);
    }
    made
}

/// The line `unmapped`.
fn unmapped(concept_map: &Value, fixed: Option<&str>) -> String {
    let policy = extensions(concept_map, POLICY).next();
    if policy.is_some_and(|policy| text(policy, "valueCode") == Some(UNSAID)) && fixed.is_none() {
        return String::new();
    }
    let part =
        |name: &str| extensions(policy?, name).find_map(|part| text(part, "valueCode")).map(str::to_owned);
    let emit = fixed.map(str::to_owned).or_else(|| part("emit"));
    let emit = emit.map(|code| format!("emit: {}, ", quoted(&code))).unwrap_or_default();
    let keep = part("keep").unwrap_or_else(|| "true".to_owned());
    let level = part("level").unwrap_or_else(|| "warn".to_owned());
    format!("unmapped: {{{emit}keep: {}, level: {}}}\n", quoted(&keep), quoted(&level))
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn extensions<'v>(value: &'v Value, url: &str) -> impl Iterator<Item = &'v Value> {
    list(value, "extension").iter().filter(move |one| text(one, "url") == Some(url))
}

/// `HL7nnnn` for a table of HL7, else the URI.
fn short(system: &str) -> String {
    let number = system.strip_prefix("http://terminology.hl7.org/CodeSystem/v2-");
    let number =
        number.filter(|number| number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit()));
    number.map_or_else(|| system.to_owned(), |number| format!("HL7{number}"))
}

/// A YAML scalar that reads back as this text: plain where that is safe, else in double quotes.
fn quoted(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~/".contains(c));
    if is_plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_code_that_yaml_would_read_as_something_else_is_quoted() {
        assert_eq!(
            (quoted("A-1"), quoted(""), quoted("a: b"), quoted("-x")),
            ("A-1".into(), "\"\"".into(), "\"a: b\"".into(), "\"-x\"".into())
        );
    }
}
