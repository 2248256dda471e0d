//! `merge:`, `renumber:` and `move:` of a message file.

use super::Checker;
use crate::diagnostic::Place;
use crate::plan::{Make, Moved, Pair, Target};
use crate::yaml::Node;

/// Types whose records are merged or get another number.
const RECORDS: [&str; 3] = ["Patient", "Account", "Encounter"];

impl Checker<'_> {
    /// `merge: {survivor: H, retired: H}` or `renumber: {now: H, before: H}`, one or a list.
    pub(super) fn pairs(&mut self, node: &Node, key: &str, make: &[Make]) -> Vec<Pair> {
        let Some(given) = node.get(key) else { return Vec::new() };
        given.items().iter().filter_map(|item| self.pair(item, key, make)).collect()
    }

    fn pair(&mut self, item: &Node, key: &str, make: &[Make]) -> Option<Pair> {
        let (stays, ends) = if key == "merge" { ("survivor", "retired") } else { ("now", "before") };
        self.only_keys(item, if key == "merge" { &["survivor", "retired"] } else { &["now", "before"] });
        let pair = self.handle_at(item, stays, make).zip(self.handle_at(item, ends, make));
        let Some((first, second)) = pair else {
            self.findings.add(item.place, "E0103", format!("{key} needs the handles of {stays} and {ends}"));
            return None;
        };
        let kind = self.kind_of(&first, make)?;
        if !RECORDS.contains(&kind.as_str()) || self.kind_of(&second, make) != Some(kind) {
            self.findings.add_help(
                item.place,
                "E0105",
                format!("{key} is of two records of one type"),
                RECORDS.join(", "),
            );
            return None;
        }
        Some(Pair { kind, stays: first, ends: second })
    }

    /// `move: {record: H, from: H, to: H}`, one or a list.
    pub(super) fn moves(&mut self, node: &Node, make: &[Make]) -> Vec<Moved> {
        let Some(given) = node.get("move") else { return Vec::new() };
        given.items().iter().filter_map(|item| self.moved(item, make)).collect()
    }

    fn moved(&mut self, item: &Node, make: &[Make]) -> Option<Moved> {
        self.only_keys(item, &["record", "from", "to"]);
        let mut handle = |key: &str| self.handle_at(item, key, make);
        let (record, from, to) = (handle("record"), handle("from"), handle("to"));
        let Some(((record, from), to)) = record.zip(from).zip(to) else {
            self.findings.add(item.place, "E0103", "move needs the handles of record, from and to");
            return None;
        };
        let is = |handle: &str, kinds: &[&str], checker: &Self| {
            checker.kind_of(handle, make).is_some_and(|kind| kinds.contains(&kind.as_str()))
        };
        let is_right = is(&record, &["Account", "Encounter"], self)
            && is(&from, &["Patient"], self)
            && is(&to, &["Patient"], self);
        if !is_right {
            self.findings.add(item.place, "E0105", "an Account or Encounter moves from Patient to Patient");
            return None;
        }
        Some(Moved { record, from, to })
    }

    fn handle_at(&mut self, item: &Node, key: &str, make: &[Make]) -> Option<String> {
        let given: &Node = item.get(key)?;
        let (name, place): (String, Place) = (given.scalar()?.to_owned(), given.place);
        self.known_handle(&name, place, make).then_some(name)
    }

    fn kind_of(&self, handle: &str, make: &[Make]) -> Option<fhir::ResourceType> {
        let line = make.iter().find(|line| line.handle.name == handle)?;
        match &self.headers.get(line.map)?.target {
            Target::Resource(kind) => Some(*kind),
            Target::Object(_) | Target::Extension(_) | Target::Text => None,
        }
    }
}
