//! What a resource must hold for a search parameter to find something in it: the paths of its expression.

use fhir::{Element, SearchParameter, r4};
#[cfg(feature = "clinical")]
use serde_json::Value;
use serde_json::json;

use crate::made::Wanted;

/// Types of a choice that parameters read.
const READ: [&str; 6] = ["Reference", "dateTime", "Period", "CodeableConcept", "Quantity", "string"];

/// Alternatives of a parameter for a type, each with the paths that give it a value. `target`: `Type/id` that a reference
/// shall point at.
pub fn wanted(of: &str, parameter: &SearchParameter, target: &str) -> Vec<Vec<Wanted>> {
    let alternatives = alternatives(parameter.expression);
    let mut all = Vec::new();
    for alternative in alternatives {
        let Some(base) = paths(of, alternative, target) else { continue };
        if parameter.components.is_empty() {
            all.push(base.clone());
            // A choice whose first type is none that the parameter reads.
            let typed = |code: &&str| {
                base.iter()
                    .cloned()
                    .map(|one| Wanted { type_code: Some((*code).to_owned()), ..one })
                    .collect::<Vec<_>>()
            };
            all.extend(READ.iter().map(typed));
            continue;
        }
        let root = base.first().map(|wanted| wanted.path.clone()).unwrap_or_default();
        for each in combinations(parameter, target) {
            let below = each.into_iter().map(|(in_resource, wanted)| {
                let path = if in_resource {
                    wanted.path.clone()
                } else {
                    [root.clone(), wanted.path.clone()].concat()
                };
                Wanted { path, ..wanted }
            });
            all.push(below.collect());
        }
    }
    all
}

/// One path of each component, for each alternative that the components have; whether it begins at the resource.
fn combinations(parameter: &SearchParameter, target: &str) -> Vec<Vec<(bool, Wanted)>> {
    let mut all: Vec<Vec<(bool, Wanted)>> = vec![Vec::new()];
    for component in parameter.components {
        let mut further = Vec::new();
        for alternative in alternatives(component.expression) {
            let in_resource = alternative.trim().starts_with("%resource.");
            let found = read(alternative.trim().trim_start_matches("%resource."), target);
            for begun in &all {
                let more = found.iter().cloned().map(|wanted| (in_resource, wanted));
                further.push(begun.iter().cloned().chain(more).collect());
            }
        }
        all = further;
    }
    all
}

/// The branches of a union.
fn alternatives(expression: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_i32, 0, Vec::new());
    for (at, letter) in expression.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => {
                found.push(&expression[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&expression[start..]);
    found
}

/// The paths of a branch below a type; none when it begins at another.
fn paths(of: &str, alternative: &str, target: &str) -> Option<Vec<Wanted>> {
    let bare = alternative.trim().trim_start_matches('(');
    let root: String = bare.chars().take_while(char::is_ascii_alphanumeric).collect();
    let is_type = root.starts_with(|letter: char| letter.is_ascii_uppercase());
    if is_type && ![of, "Resource", "DomainResource"].contains(&root.as_str()) {
        return None;
    }
    if is_type && bare == root {
        return Some(vec![Wanted::default()]);
    }
    let below =
        if is_type { alternative.replacen(&format!("{root}."), "", 1) } else { alternative.to_owned() };
    Some(read(&below, target))
}

/// Reads a path without its root.
fn read(text: &str, target: &str) -> Vec<Wanted> {
    let text = text.split(" and ").next().unwrap_or_default();
    let (mut text, mut type_code) = (text.to_owned(), None);
    for mark in [" as ", ".as(", ".ofType("] {
        if let Some((before, after)) = text.clone().split_once(mark) {
            let name: String = after.chars().take_while(char::is_ascii_alphanumeric).collect();
            text = format!("{before}{}", &after[name.len()..]);
            type_code = Some(name);
        }
    }
    let mut condition = None;
    if let Some((before, after)) = text.clone().split_once(".where(") {
        let end = closing(after);
        condition = Some((before.to_owned(), after[..end].to_owned()));
        text = format!("{before}{}", &after[end + 1..]);
    }
    for gone in [".exists()", ".resolve()", "[0]"] {
        text = text.replace(gone, "");
    }
    let plain =
        |text: &str| text.chars().filter(|letter| !matches!(letter, '(' | ')' | ' ')).collect::<String>();
    let path = plain(&text);
    let main = Wanted { type_code: type_code.clone(), ..Wanted::at(&path) };
    match condition {
        Some((_, test)) if test.contains("resolve() is ") => {
            let named = test.rsplit(' ').next().unwrap_or_default();
            let id = target.rsplit('/').next().unwrap_or_default();
            vec![Wanted { value: Some(json!({"reference": format!("{named}/{id}")})), ..main }]
        }
        Some((before, test)) => {
            let (name, literal) = test.split_once('=').expect("a comparison");
            let literal = literal.trim().trim_matches('\'');
            let tested = Wanted::with(&format!("{}.{}", plain(&before), name.trim()), json!(literal));
            if path == plain(&before) {
                return vec![tested, Wanted::with(&format!("{path}.value"), json!("made-0100"))];
            }
            vec![tested, main]
        }
        None => vec![main],
    }
}

/// Place of the parenthesis that closes what was opened before.
fn closing(text: &str) -> usize {
    let mut depth = 1;
    for (at, letter) in text.char_indices() {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth == 0 {
            return at;
        }
    }
    panic!("{text} has no end");
}

/// The same paths with a reference to a target at the end of each that has none yet, where a reference stands there.
pub fn pointing(of: &str, wanted: &[Wanted], target: &str) -> Vec<Wanted> {
    let at = |wanted: &Wanted| {
        let mut wanted = wanted.clone();
        if wanted.value.is_none() && ends_in_reference(of, &wanted) {
            wanted.value = Some(json!({"reference": target}));
        }
        wanted
    };
    wanted.iter().map(at).collect()
}

fn ends_in_reference(of: &str, wanted: &Wanted) -> bool {
    element_at(of, wanted).is_some_and(|(_, code)| code == "Reference")
}

/// Whether what stands at a path may point at a type, where it is a reference.
pub fn may_point(of: &str, wanted: &Wanted, target: &str) -> bool {
    let Some((element, "Reference")) = element_at(of, wanted) else { return true };
    let targets = element.types.iter().find(|of| of.code == "Reference").map_or(&[][..], |of| of.targets);
    targets.is_empty() || targets.contains(&"Resource") || targets.contains(&target)
}

/// What stands at a path, and its type.
fn element_at(of: &str, wanted: &Wanted) -> Option<(&'static Element, &'static str)> {
    let mut parent = of.to_owned();
    let mut found = None;
    for name in &wanted.path {
        let bare = name.trim_end_matches("[x]");
        let element = r4().children(&parent).iter().copied().find(|element| {
            element.base_name() == bare || (element.is_choice() && bare.starts_with(element.base_name()))
        })?;
        let mut codes = element.types.iter().map(|of| of.code);
        let typed = |code: &&str| {
            Some(*code) == wanted.type_code.as_deref()
                || (bare != element.base_name() && bare.to_lowercase().ends_with(&code.to_lowercase()))
        };
        let code = codes.clone().find(typed).or_else(|| codes.next())?;
        let json_name = if element.is_choice() {
            let (first, rest) = code.split_at(1);
            format!("{}{}{rest}", element.base_name(), first.to_uppercase())
        } else {
            element.name.to_owned()
        };
        parent = r4().property(&parent, &json_name)?.child_path.to_owned();
        found = Some((element, code));
    }
    found
}

/// A coded value for what stands at a path; `None` where no code stands or the value set has another.
#[cfg(feature = "clinical")]
pub fn coded(of: &str, wanted: &Wanted, code: &str) -> Option<Value> {
    let (element, type_code) = element_at(of, wanted)?;
    let required = element.binding.filter(|binding| binding.strength == fhir::Strength::Required);
    let codes = required.and_then(|binding| r4().codes(binding.value_set));
    let system = match codes {
        Some(codes) => codes.system_of(code)?,
        None => "http://example.org/codes",
    };
    match type_code {
        "code" => Some(json!(code)),
        "CodeableConcept" => Some(json!({"coding": [{"system": system, "code": code}]})),
        "Coding" => Some(json!({"system": system, "code": code})),
        _ => None,
    }
}
