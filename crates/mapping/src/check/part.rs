//! Maps of a segment that make a part of what another map makes: `NK1* as NK1.Patient.contact`.

use super::Checker;
use crate::diagnostic::Place;
use crate::plan::{Convert, Expression, Ignore, Map, Path, Root, Target};
use std::collections::BTreeSet;

impl Checker<'_> {
    /// A segment is no value but for a map that is of it, and such a map is of nothing else. `others` are the keys of the rule
    /// that speak of values.
    pub(super) fn check_segments(
        &mut self,
        from: &Expression,
        convert: &Convert,
        others: &[(&str, bool)],
        place: Place,
    ) -> Option<()> {
        let (mut segments, mut values) = (BTreeSet::new(), false);
        sources(from, &mut segments, &mut values);
        let map = match convert {
            Convert::Map { index, .. } => self.headers.get(*index).filter(|header| !header.is_type),
            _ => None,
        };
        let Some(map) = map else {
            let Some(segment) = segments.first() else { return Some(()) };
            let message = format!("{segment} is a segment, no value");
            self.findings.add_help(
                place,
                "E0217",
                message,
                format!("write {segment}-n, or `as` a map of {segment}"),
            );
            return None;
        };
        let (name, source) = (map.name.clone(), map.source.clone());
        if matches!(map.target, Target::Resource(_)) {
            let message = format!("{name} makes a resource, which a message file makes of a segment");
            self.findings.add_help(place, "E0303", message, "refer to it by its handle: ref HANDLE");
            return None;
        }
        if values || segments.iter().any(|segment| *segment != source) {
            let message = format!("{name} is a map of the segment {source}");
            self.findings.add_help(
                place,
                "E0217",
                message,
                format!("write `{source} as {name}`, or `{source}*` for every one"),
            );
            return None;
        }
        if let Some((key, _)) = others.iter().find(|(_, is_given)| *is_given) {
            self.findings.add(place, "E0105", format!("`{key}` is of values; {name} is a map of a segment"));
            return None;
        }
        Some(())
    }

    /// A part that takes itself would have no end.
    pub(super) fn check_circles(&mut self) {
        let is_part = |index: &usize| {
            let header = self.headers.get(*index);
            header.is_some_and(|header| !header.is_type && header.target.resource().is_none())
        };
        let taken = |index: usize| self.map_calls.get(index).into_iter().flatten().copied().filter(is_part);
        let goes_round = |index: &usize| self.reached(taken(*index).collect()).contains(index);
        let parts = (0..self.headers.len()).filter(is_part).filter(goes_round);
        let places: Vec<Place> = parts.filter_map(|index| Some(self.headers.get(index)?.place)).collect();
        for place in places {
            self.findings.add(place, "E0406", "this goes round in a circle");
        }
    }

    /// What a part leaves out on purpose, every map that has it leaves out.
    pub(super) fn ignored_in_parts(&self, maps: &mut [Map]) {
        let of_part = |index: &usize| self.headers.get(*index).is_some_and(|header| !header.is_type);
        let own: Vec<Box<[Ignore]>> = maps.iter().map(|map| map.ignore.clone()).collect();
        for (index, map) in maps.iter_mut().enumerate() {
            let parts = self.reached(BTreeSet::from([index]));
            let parts = parts.iter().filter(|part| **part != index && of_part(part));
            let all = std::iter::once(&index).chain(parts).filter_map(|part| own.get(*part)).flatten();
            map.ignore = all.cloned().collect();
        }
    }
}

/// The segments that an expression gives as a whole, and whether it gives anything else.
fn sources<'e>(from: &'e Expression, segments: &mut BTreeSet<&'e str>, values: &mut bool) {
    match from {
        Expression::Path(Path { root: Root::Segment { name, field: None, .. }, .. }) => {
            segments.insert(name);
        }
        Expression::First(parts) => parts.iter().for_each(|part| sources(part, segments, values)),
        Expression::Path(_)
        | Expression::Literal(_)
        | Expression::Absent
        | Expression::Call { .. }
        | Expression::IdOf(_) => *values = true,
    }
}
