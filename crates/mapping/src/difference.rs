//! How two translations of one message differ, told by element path without list indexes: what another package, or a
//! changed one, does otherwise.

use crate::execute::PACKAGE;
use crate::{Mode, Rejection, ResourceSet, Translation};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most examples kept for one kind of difference.
const EXAMPLES_MAX: usize = 3;

/// What of an element differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// It is only in the second.
    Added,
    /// It is only in the first.
    Removed,
    /// It has another value.
    Changed,
    /// It has the same values at other places of a list.
    Moved,
}

impl Difference {
    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            Difference::Added => "added",
            Difference::Removed => "removed",
            Difference::Changed => "changed",
            Difference::Moved => "moved",
        }
    }
}

/// Differences of many messages, grouped by type, element and kind.
#[derive(Default)]
pub struct Differences {
    /// Messages compared.
    pub messages: u64,
    /// Messages of which something differs.
    pub differing: u64,
    groups: BTreeMap<Key, Group>,
}

/// One group of differences. The values are PHI; Debug prints none.
#[derive(Default, Clone)]
pub struct Group {
    /// How many elements differ so.
    pub count: u64,
    /// In how many messages.
    pub messages: u64,
    /// The first messages, by the name given.
    pub examples: Vec<String>,
    /// The first values, before and after. PHI.
    pub values: Vec<Values>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group")
            .field("count", &self.count)
            .field("messages", &self.messages)
            .field("examples", &self.examples)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Differences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Differences")
            .field("messages", &self.messages)
            .field("differing", &self.differing)
            .field("groups", &self.groups)
            .finish()
    }
}

/// Resource type, element, kind.
type Key = (String, String, Difference);
/// A value before and after, as JSON.
type Values = (Option<String>, Option<String>);
/// A leaf: its place in lists, and its value as JSON.
type Leaf = (Vec<usize>, String);
/// Element path without indexes to its leaves, in order.
type Leaves = BTreeMap<String, Vec<Leaf>>;

impl Differences {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Resource type, element path (empty: the whole), kind, and how often; in this order. What is not of a resource has
    /// the type `message`.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &str, Difference, &Group)> {
        self.groups
            .iter()
            .map(|((kind, element, what), group)| (kind.as_str(), element.as_str(), *what, group))
    }

    /// Compares two translations of one message, by two packages and in one namespace.
    pub fn add(
        &mut self,
        message: &str,
        before: &Result<Translation, Rejection>,
        after: &Result<Translation, Rejection>,
    ) {
        self.messages += 1;
        let mut of_message = OfMessage::default();
        match (before, after) {
            (Ok(before), Ok(after)) => of_message.translations(before, after),
            (Err(before), Err(after)) if before == after => {}
            (Err(before), Err(after)) => of_message.changed("message", "rejected", before, after),
            (Ok(_), Err(after)) => of_message.one("message", "rejected", None, Some(after.to_string())),
            (Err(before), Ok(_)) => of_message.one("message", "rejected", Some(before.to_string()), None),
        }
        self.differing += u64::from(!of_message.0.is_empty());
        for (key, values) in of_message.0 {
            let group = self.groups.entry(key).or_default();
            group.count += u64::try_from(values.len()).unwrap_or(u64::MAX);
            group.messages += 1;
            if group.examples.len() < EXAMPLES_MAX {
                group.examples.push(message.to_owned());
            }
            let open = EXAMPLES_MAX.saturating_sub(group.values.len());
            group.values.extend(values.into_iter().take(open));
        }
    }
}

/// Differences of one message: each with the values before and after.
#[derive(Default)]
struct OfMessage(BTreeMap<Key, Vec<Values>>);

impl OfMessage {
    fn note(&mut self, key: Key, before: Option<String>, after: Option<String>) {
        self.0.entry(key).or_default().push((before, after));
    }

    /// One value that comes, goes, or is another.
    fn one(&mut self, kind: &str, element: &str, before: Option<String>, after: Option<String>) {
        let what = match (&before, &after) {
            (None, _) => Difference::Added,
            (_, None) => Difference::Removed,
            (Some(_), Some(_)) => Difference::Changed,
        };
        self.note((kind.to_owned(), element.to_owned(), what), before, after);
    }

    fn changed(&mut self, kind: &str, element: &str, before: &impl ToString, after: &impl ToString) {
        self.one(kind, element, Some(before.to_string()), Some(after.to_string()));
    }

    fn translations(&mut self, before: &Translation, after: &Translation) {
        let mut second = of_ids(after);
        for (key, first) in of_ids(before) {
            match second.remove(&key) {
                Some(second) => self.sets(&first, &second),
                None => self.one(key.0, "", Some(key.1.to_owned()), None),
            }
        }
        for (kind, id) in second.into_keys() {
            self.one(kind, "", None, Some(id.to_owned()));
        }
        let told = [told(before), told(after)];
        self.lists("message", &told[0], &told[1]);
    }

    /// Two of one type and id; one message may make several of an id.
    fn sets(&mut self, before: &[&ResourceSet], after: &[&ResourceSet]) {
        let kind = before.first().map_or("", |set| set.resource_type.as_str());
        let (mut first, mut second) = (Leaves::new(), Leaves::new());
        for (sets, leaves) in [(before, &mut first), (after, &mut second)] {
            for set in sets {
                of_resource(set, leaves);
            }
        }
        self.lists(kind, &first, &second);
    }

    fn lists(&mut self, kind: &str, before: &Leaves, after: &Leaves) {
        let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let none = Vec::new();
        for path in paths {
            let (first, second) = (before.get(path).unwrap_or(&none), after.get(path).unwrap_or(&none));
            if first != second {
                self.leaves(kind, path, first, second);
            }
        }
    }

    /// Leaves of one path: what stands at one place is not looked at; of the rest equal values moved, and what is left is
    /// paired in order.
    fn leaves(&mut self, kind: &str, path: &str, before: &[Leaf], after: &[Leaf]) {
        let (here, there): (BTreeSet<&Leaf>, BTreeSet<&Leaf>) =
            (before.iter().collect(), after.iter().collect());
        let mut first: Vec<&Leaf> = before.iter().filter(|leaf| !there.contains(leaf)).collect();
        let mut second: Vec<&Leaf> = after.iter().filter(|leaf| !here.contains(leaf)).collect();
        let mut moved = Vec::new();
        first.retain(|leaf| match second.iter().position(|other| other.1 == leaf.1) {
            Some(at) => {
                second.remove(at);
                moved.push(leaf.1.clone());
                false
            }
            None => true,
        });
        let text = |leaf: Option<&&Leaf>| leaf.map(|leaf| leaf.1.clone());
        for at in 0..first.len().max(second.len()) {
            self.one(kind, path, text(first.get(at)), text(second.get(at)));
        }
        // A value more or less shifts the others, which says nothing more.
        if first.is_empty() && second.is_empty() {
            for value in moved {
                let key = (kind.to_owned(), path.to_owned(), Difference::Moved);
                self.note(key, Some(value.clone()), Some(value));
            }
        }
    }
}

/// By type and id. The Provenance of the message has the package in its id, so it stands without one.
fn of_ids(translation: &Translation) -> BTreeMap<(&str, &str), Vec<&ResourceSet>> {
    let mut all: BTreeMap<(&str, &str), Vec<&ResourceSet>> = BTreeMap::new();
    for set in translation.made() {
        let kind = set.resource_type.as_str();
        let is_own = kind == "Provenance" && set.handle == "provenance";
        all.entry((kind, if is_own { "" } else { set.id.as_str() })).or_default().push(set);
    }
    all
}

/// The elements of a resource, and what it says of how it meets the current state.
fn of_resource(set: &ResourceSet, leaves: &mut Leaves) {
    if let Some(object) = set.resource.as_object() {
        for (name, value) in
            object.iter().filter(|(name, _)| !["resourceType", "id"].contains(&name.as_str()))
        {
            walk(value, name, &mut Vec::new(), leaves);
        }
    }
    let mut say = |element: String| leaves.entry(element).or_default().push((Vec::new(), "true".to_owned()));
    set.removals.iter().for_each(|name| say(format!("{} (removed where it stands)", plain(name))));
    set.fills.iter().for_each(|name| say(format!("{} (only fills)", plain(name))));
    let mode = if set.mode == Mode::Merge { "merge" } else { "replace" };
    leaves.entry("(mode)".to_owned()).or_default().push((Vec::new(), mode.to_owned()));
}

/// Without what a removal names of a value (`identifier:<system>|<value>`).
fn plain(name: &str) -> &str {
    name.split_once('|').map_or(name, |(name, _)| name)
}

fn walk(value: &Value, path: &str, at: &mut Vec<usize>, leaves: &mut Leaves) {
    match value {
        Value::Object(object) if is_package(object) => {}
        Value::Object(object) => {
            // Extensions are told apart by what they are, not by their place.
            let url = object.get("url").and_then(Value::as_str).filter(|_| path.ends_with("extension"));
            let path = url.map_or_else(|| path.to_owned(), |url| format!("{path}({url})"));
            for (name, value) in object.iter().filter(|(name, _)| url.is_none() || *name != "url") {
                walk(value, &format!("{path}.{name}"), at, leaves);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                at.push(index);
                walk(item, path, at, leaves);
                at.pop();
            }
        }
        leaf => leaves.entry(path.to_owned()).or_default().push((at.clone(), leaf.to_string())),
    }
}

/// The agent of the Provenance that names the package, in which two packages always differ.
fn is_package(agent: &serde_json::Map<String, Value>) -> bool {
    let system = agent.get("who").and_then(|who| who.pointer("/identifier/system"));
    system.and_then(Value::as_str) == Some(PACKAGE)
}

/// What is said beside resources: sets that are replaced, merges, moves and links.
fn told(translation: &Translation) -> Leaves {
    let change = &translation.change;
    let mut all = Leaves::new();
    let mut say = |element: &str, value: String| {
        all.entry(element.to_owned()).or_default().push((Vec::new(), value));
    };
    for set in &change.replaced {
        let mut keep = set.keep.clone();
        keep.sort();
        let owner = set.encounter.as_deref().unwrap_or(&set.patient);
        say("replaced", format!("{} of {owner}: {}", set.resource_type.as_str(), keep.join(", ")));
    }
    for merge in &change.merges {
        let what = if merge.is_renumbered { "renumbered" } else { "merged" };
        say("merges", format!("{} {what} to {}", merge.retired, merge.survivor));
    }
    for one in &change.moves {
        let (kind, what) =
            (one.resource_type.as_str(), if one.is_renumbered { "renumbered" } else { "moved" });
        say(
            "moves",
            format!("{kind} {} of {} {what} to {} of {}", one.from, one.from_patient, one.to, one.to_patient),
        );
    }
    for link in &change.links {
        say(
            "links",
            format!("{} and {} are {}", link.one, link.other, if link.is_one { "one" } else { "two" }),
        );
    }
    all
}
