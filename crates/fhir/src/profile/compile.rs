//! From a StructureDefinition's snapshot to the rules of a profile.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::rule::{Criterion, Profile, Rule, Segment, Slice, Test};
use super::values::{Codes, Terminology};
use super::{CORE, Unchecked, list, string, without_version};
use crate::definitions::{Element, Strength, r4};
use crate::outcome::Severity;
use crate::path::Constraint;

/// Most elements of one snapshot.
const ELEMENTS_MAX: usize = 10_000;
/// Most characters of a constraint's words.
const WORDS_MAX: usize = 300;
/// Invariants of R4 that the walk knows by itself, or that are no errors there.
const KNOWN: [&str; 6] = ["ele-1", "ext-1", "ref-1", "dom-2", "dom-3", "dom-6"];

/// Compiles the definitions of all packages.
pub(super) struct Compiler<'a> {
    pub(super) terminology: &'a Terminology<'a>,
    /// Canonical to type, of every definition that is there.
    pub(super) types: &'a HashMap<&'a str, &'a str>,
    /// Keys of the invariants of R4.
    pub(super) known: &'a BTreeSet<&'static str>,
    /// Value sets that a rule needs.
    pub(super) sets: HashMap<Box<str>, Option<Codes>>,
    pub(super) unchecked: Vec<Unchecked>,
    /// Id of the profile in hand.
    pub(super) profile: String,
}

/// An element of a snapshot with those below it.
struct Node<'a> {
    element: &'a Value,
    name: &'a str,
    slice: &'a str,
    children: Vec<usize>,
    slices: Vec<usize>,
}

impl<'a> Compiler<'a> {
    /// # Errors
    /// What is wrong with the definition.
    pub(super) fn profile(&mut self, definition: &'a Value) -> Result<Profile, String> {
        self.profile = match string(definition, "id") {
            "" => string(definition, "name").to_owned(),
            id => id.to_owned(),
        };
        let elements = list(&definition["snapshot"], "element");
        let nodes = tree(elements)?;
        let mut root = self.rule(&nodes, 0);
        // How often the resource or extension occurs is said where it is used.
        (root.min, root.max, root.types) = (0, None, None);
        Ok(Profile {
            url: string(definition, "url").into(),
            version: string(definition, "version").into(),
            id: self.profile.as_str().into(),
            type_code: string(definition, "type").into(),
            root,
        })
    }

    fn rule(&mut self, nodes: &[Node<'a>], at: usize) -> Rule {
        let Some(node) = nodes.get(at) else { return Rule::default() };
        let element = node.element;
        let base = &element["base"];
        let is_slice = !node.slice.is_empty();
        let max = string(element, "max");
        let max = if !is_slice && max == string(base, "max") { "*" } else { max };
        let min = element["min"].as_u64().filter(|min| is_slice || base["min"].as_u64() != Some(*min));
        let mut rule = Rule {
            name: node.name.trim_end_matches("[x]").into(),
            min: min.and_then(|min| u32::try_from(min).ok()).unwrap_or(0),
            max: max.parse().ok(),
            fixed: value_of(element, "fixed").cloned(),
            pattern: value_of(element, "pattern").cloned(),
            constraints: self.constraints(element),
            ..Rule::default()
        };
        let definition = r4().element(string(base, "path"));
        self.types(element, definition, &mut rule);
        self.binding(element, definition, &mut rule);
        for bound in ["minValue", "maxValue"] {
            if value_of(element, bound).is_some() {
                self.unchecked(element, bound);
            }
        }
        let children = node.children.iter().map(|child| self.rule(nodes, *child));
        rule.children = children.filter(|child| !child.is_idle()).collect();
        self.slicing(nodes, node, &mut rule);
        rule
    }

    fn unchecked(&mut self, element: &Value, what: impl Into<String>) {
        let (profile, element) = (self.profile.clone(), string(element, "id").to_owned());
        self.unchecked.push(Unchecked { profile, element, what: what.into() });
    }

    fn constraints(&mut self, element: &Value) -> Box<[(Severity, Constraint)]> {
        let mut found = Vec::new();
        for constraint in list(element, "constraint") {
            let key = string(constraint, "key");
            let of_r4 = string(constraint, "source")
                .strip_prefix(CORE)
                .is_some_and(|name| r4().types.contains_key(name));
            if of_r4 || KNOWN.contains(&key) || self.known.contains(key) {
                continue;
            }
            let severity = match string(constraint, "severity") {
                "error" => Severity::Error,
                _ => Severity::Warning,
            };
            let (words, expression) = (string(constraint, "human"), string(constraint, "expression"));
            let words: String = words.chars().take(WORDS_MAX).collect();
            self.sets_of(expression);
            match Constraint::parse(key, &words, expression, true) {
                Ok(constraint) => found.push((severity, constraint)),
                Err(error) => self.unchecked(element, format!("{key}: {error}")),
            }
        }
        found.into()
    }

    /// The value sets that an expression asks for by `memberOf`.
    fn sets_of(&mut self, expression: &str) {
        for part in expression.split("memberOf('").skip(1) {
            if let Some((url, _)) = part.split_once('\'') {
                self.set(url);
            }
        }
    }

    /// Lists a value set; whether it could be.
    fn set(&mut self, url: &str) -> bool {
        let url = without_version(url);
        let terminology = self.terminology;
        self.sets.entry(url.into()).or_insert_with(|| terminology.codes(url)).is_some()
    }

    fn types(&mut self, element: &Value, definition: Option<&Element>, rule: &mut Rule) {
        let types = list(element, "type");
        // The ids and urls of R4 have a type of FHIRPath.
        if types.is_empty() || types.iter().any(|of| string(of, "code").starts_with("http:")) {
            return;
        }
        let Some(definition) = definition else { return };
        let is_listed = |code: &str| types.iter().any(|of| string(of, "code") == code);
        if !definition.types.iter().all(|of| is_listed(of.code)) {
            rule.types = Some(types.iter().map(|of| string(of, "code").into()).collect());
        }
        let mut profiles = Vec::new();
        for of in types {
            let code = string(of, "code");
            let named = list(of, "profile").iter().filter_map(Value::as_str);
            // Of an extension its url tells the definition, wherever it stands.
            for profile in named.filter(|_| code != "Extension") {
                match self.types.get(without_version(profile)) {
                    Some(_) => profiles.push(profile.into()),
                    // sqty-1 is among the invariants of R4's elements.
                    None if profile.ends_with("/SimpleQuantity") => {}
                    None if profile.strip_prefix(CORE).is_some_and(|name| r4().types.contains_key(name)) => {}
                    None => self.unchecked(element, format!("the type profile {profile} is not loaded")),
                }
            }
            if code == "Reference" {
                rule.targets = self.targets(list(of, "targetProfile"), definition);
            }
        }
        rule.profiles = profiles.into();
    }

    /// Resource types that a reference may name; `None` when they are R4's own or one is not known.
    fn targets(&self, canonicals: &[Value], definition: &Element) -> Option<Box<[Box<str>]>> {
        let mut targets: Vec<Box<str>> = Vec::new();
        for canonical in canonicals.iter().filter_map(Value::as_str) {
            let canonical = without_version(canonical);
            let core = canonical.strip_prefix(CORE).filter(|name| r4().types.contains_key(*name));
            let name = core.or_else(|| self.types.get(canonical).copied())?;
            if name == "Resource" {
                return None;
            }
            targets.push(name.into());
        }
        let of_r4 = definition.types.iter().find(|of| of.code == "Reference")?.targets;
        let narrows =
            of_r4.is_empty() || of_r4.iter().any(|name| !targets.iter().any(|target| **target == **name));
        (!targets.is_empty() && narrows).then(|| targets.into())
    }

    fn binding(&mut self, element: &Value, definition: Option<&Element>, rule: &mut Rule) {
        let binding = &element["binding"];
        let url = without_version(string(binding, "valueSet"));
        if string(binding, "strength") != "required" || url.is_empty() {
            return;
        }
        let of_r4 = definition.and_then(|definition| definition.binding);
        if of_r4.is_some_and(|of| of.strength == Strength::Required && of.value_set == url) {
            return;
        }
        if self.set(url) {
            rule.binding = Some(url.into());
        } else {
            self.unchecked(element, format!("the codes of {url} cannot be listed"));
        }
    }

    fn slicing(&mut self, nodes: &[Node<'a>], node: &Node<'a>, rule: &mut Rule) {
        let slicing = &node.element["slicing"];
        let mut is_closed = string(slicing, "rules") == "closed";
        if slicing["ordered"] == true || string(slicing, "rules") == "openAtEnd" {
            self.unchecked(node.element, "the order of the slices");
        }
        let mut slices = Vec::new();
        for at in &node.slices {
            let Some(slice) = nodes.get(*at) else { continue };
            let criteria: Option<Vec<Criterion>> = match list(slicing, "discriminator") {
                [] => None,
                some => some.iter().map(|discriminator| self.criterion(nodes, *at, discriminator)).collect(),
            };
            match criteria {
                None => {
                    is_closed = false;
                    self.unchecked(slice.element, "what tells this slice from others");
                }
                Some(criteria) => {
                    let rule = self.rule(nodes, *at);
                    if is_closed || !rule.is_idle() {
                        slices.push(Slice { name: slice.slice.into(), criteria: criteria.into(), rule });
                    }
                }
            }
        }
        rule.is_closed = is_closed && !slices.is_empty();
        rule.slices = slices.into();
    }

    fn criterion(&mut self, nodes: &[Node<'a>], slice: usize, discriminator: &Value) -> Option<Criterion> {
        let segments = segments(string(discriminator, "path"))?;
        let test = match string(discriminator, "type") {
            "value" | "pattern" => self.value_test(nodes, slice, &segments)?,
            "type" => type_test(nodes, slice, &segments, self.types)?,
            "exists" => {
                let element = nodes.get(descend(nodes, slice, &segments)?)?.element;
                if string(element, "max") == "0" {
                    Test::Exists(false)
                } else if element["min"].as_u64() > Some(0) {
                    Test::Exists(true)
                } else {
                    return None;
                }
            }
            _ => return None,
        };
        Some(Criterion { path: segments.into(), test })
    }

    /// The fixed value, pattern or value set at the end of the path; of a pattern on the way, its part.
    fn value_test(&mut self, nodes: &[Node<'a>], slice: usize, segments: &[Segment]) -> Option<Test> {
        for known in 0..=segments.len() {
            let (walked, rest) = segments.split_at_checked(known)?;
            let Some(element) = descend(nodes, slice, walked).and_then(|at| nodes.get(at)) else { break };
            let fixed = value_of(element.element, "fixed");
            let Some(value) = fixed.or_else(|| value_of(element.element, "pattern")) else { continue };
            if let Some(part) = project(value, rest) {
                return Some(if fixed.is_some() { Test::Fixed(part) } else { Test::Pattern(part) });
            }
        }
        let own = nodes.get(slice)?.element;
        if let [Segment::Child(name)] = segments
            && &**name == "url"
            && let [of, ..] = list(own, "type")
            && let Some(url) = list(of, "profile").first().and_then(Value::as_str)
        {
            return Some(Test::Fixed(without_version(url).into()));
        }
        let element = nodes.get(descend(nodes, slice, segments)?)?.element;
        let binding = &element["binding"];
        let url = without_version(string(binding, "valueSet"));
        let is_required = string(binding, "strength") == "required" && !url.is_empty();
        (is_required && self.set(url)).then(|| Test::Member(url.into()))
    }
}

/// The elements of a snapshot by their ids: `Observation.category:VSCat.coding`.
fn tree(elements: &[Value]) -> Result<Vec<Node<'_>>, String> {
    if elements.is_empty() {
        return Err("has no snapshot".to_owned());
    }
    if elements.len() > ELEMENTS_MAX {
        return Err(format!("has more than {ELEMENTS_MAX} elements"));
    }
    let mut nodes: Vec<Node<'_>> = Vec::with_capacity(elements.len());
    let mut by_id = HashMap::new();
    for (at, element) in elements.iter().enumerate() {
        let id = string(element, "id");
        let (parent, last) = id.rsplit_once('.').unwrap_or(("", id));
        let (name, slice) = last.split_once(':').unwrap_or((last, ""));
        nodes.push(Node { element, name, slice, children: Vec::new(), slices: Vec::new() });
        by_id.insert(id, at);
        if at == 0 {
            continue;
        }
        let lost = || format!("the element {id} stands alone");
        let holder = match slice {
            "" => parent.to_owned(),
            _ => id.strip_suffix(slice).and_then(|id| id.strip_suffix(':')).ok_or_else(lost)?.to_owned(),
        };
        let holder = by_id.get(holder.as_str()).and_then(|at| nodes.get_mut(*at)).ok_or_else(lost)?;
        if slice.is_empty() { holder.children.push(at) } else { holder.slices.push(at) }
    }
    Ok(nodes)
}

/// The node at the end of a path of child names.
fn descend(nodes: &[Node<'_>], from: usize, segments: &[Segment]) -> Option<usize> {
    let mut at = from;
    for segment in segments {
        let Segment::Child(name) = segment else { return None };
        let children = &nodes.get(at)?.children;
        let is_named = |child: &&usize| {
            nodes.get(**child).is_some_and(|child| child.name.trim_end_matches("[x]") == &**name)
        };
        at = *children.iter().find(is_named)?;
    }
    Some(at)
}

/// The part of a value that a path of child names leads to; of a list its only item's.
fn project(value: &Value, rest: &[Segment]) -> Option<Value> {
    let value = match value {
        Value::Array(items) if !rest.is_empty() => match items.as_slice() {
            [item] => item,
            _ => return None,
        },
        other => other,
    };
    match rest {
        [] => Some(value.clone()),
        [Segment::Child(name), rest @ ..] => project(value.get(&**name)?, rest),
        _ => None,
    }
}

fn type_test(
    nodes: &[Node<'_>],
    slice: usize,
    segments: &[Segment],
    known: &HashMap<&str, &str>,
) -> Option<Test> {
    let (walked, resolves) = match segments {
        [walked @ .., Segment::Resolve] => (walked, true),
        all => (all, false),
    };
    let element = nodes.get(descend(nodes, slice, walked)?)?.element;
    let mut names: Vec<Box<str>> = Vec::new();
    for of in list(element, "type") {
        if !resolves {
            names.push(string(of, "code").into());
        }
        for canonical in list(of, "targetProfile").iter().filter_map(Value::as_str).filter(|_| resolves) {
            let canonical = without_version(canonical);
            let name = known.get(canonical).copied().or_else(|| canonical.strip_prefix(CORE))?;
            names.push(name.into());
        }
    }
    (!names.is_empty()).then(|| Test::Type(names.into()))
}

/// The path of a discriminator: names, `$this`, `resolve()`, `ofType(X)`, `extension('url')`.
fn segments(path: &str) -> Option<Vec<Segment>> {
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(after) = rest.strip_prefix("$this") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("resolve()") {
            found.push(Segment::Resolve);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("ofType(") {
            let (name, after) = after.split_once(')')?;
            found.push(Segment::OfType(name.into()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("extension(") {
            let (url, after) = after.split_once(')')?;
            found.push(Segment::Extension(url.trim_matches(['\'', '"']).into()));
            rest = after;
        } else {
            let length = rest.find('.').unwrap_or(rest.len());
            let (name, after) = rest.split_at(length);
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return None;
            }
            found.push(Segment::Child(name.into()));
            rest = after;
        }
    }
    Some(found)
}

/// `fixed[x]`, `pattern[x]`: the value whose name begins so.
fn value_of<'v>(element: &'v Value, prefix: &str) -> Option<&'v Value> {
    let is_it = |name: &String| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
    };
    element.as_object()?.iter().find(|(name, _)| is_it(name)).map(|(_, value)| value)
}
