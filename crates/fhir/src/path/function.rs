//! The functions of the subset.

use super::compare::{as_text, integer, key, text, truth};
use super::evaluate::{Evaluated, Items, Scope, Stop, result};
use super::html::is_narrative;
use super::item::{Item, Typed};
use super::syntax::{Expression, Function};
use crate::reference::Reference;

/// Rounds of `repeat` and levels of `descendants`.
const LEVELS_MAX: usize = 128;

impl<'a> Scope<'a, '_> {
    pub(super) fn call(
        &self,
        left: &'a Expression,
        function: Function,
        arguments: &'a [Expression],
        focus: &[Item<'a>],
    ) -> Evaluated<'a> {
        match function {
            Function::StartsWith | Function::EndsWith | Function::ContainsText => {
                self.search(left, function, arguments, focus)
            }
            Function::Length => self
                .on_text(left, focus, |text| Item::Integer(i64::try_from(text.chars().count()).unwrap_or(0))),
            Function::HtmlChecks => self.on_text(left, focus, |text| Item::Truth(is_narrative(text))),
            Function::Substring => self.substring(left, arguments, focus),
            Function::Exists | Function::Empty if arguments.is_empty() => {
                Ok(result(Some(self.is_there(left, focus)? == (function == Function::Exists))))
            }
            _ => {
                let items = self.evaluate(left, focus)?;
                match arguments {
                    [] => self.plain(items, function),
                    [first, rest @ ..] => self.with(items, function, first, rest, focus),
                }
            }
        }
    }

    /// Whether an expression gives anything; of a child nothing needs to be gathered.
    pub(super) fn is_there(&self, left: &'a Expression, focus: &[Item<'a>]) -> Result<bool, Stop> {
        let Expression::Child(of, name) = left else { return Ok(!self.evaluate(left, focus)?.is_empty()) };
        let found;
        let items = match &**of {
            Expression::This => focus,
            of => {
                found = self.evaluate(of, focus)?;
                &found
            }
        };
        self.spend(items.len())?;
        let mut is_there = false;
        for item in items {
            match item {
                Item::Element(parent) => parent.children(name, &mut |_| is_there = true),
                Item::Target(_) => return Err(Stop::Undecided),
                Item::Text(_) | Item::Integer(_) | Item::Truth(_) => {}
            }
        }
        Ok(is_there)
    }

    /// Functions without arguments.
    fn plain(&self, items: Items<'a>, function: Function) -> Evaluated<'a> {
        let count = items.len();
        Ok(match function {
            Function::Not => result(truth(&items).map(|is| !is)),
            Function::HasValue => result(Some(matches!(items.as_slice(), [item] if as_text(item).is_some()))),
            Function::Count => vec![Item::Integer(i64::try_from(count).unwrap_or(i64::MAX))],
            Function::First => items.into_iter().take(1).collect(),
            Function::Last => items.into_iter().last().into_iter().collect(),
            Function::Tail => items.into_iter().skip(1).collect(),
            Function::AllTrue => {
                result(Some(items.iter().all(|item| truth(std::slice::from_ref(item)) == Some(true))))
            }
            Function::Distinct => self.distinct(items)?,
            Function::IsDistinct => result(Some(self.distinct(items)?.len() == count)),
            Function::Children => self.children(&items)?,
            Function::Descendants => {
                let mut found = Vec::new();
                self.descendants(&items, &mut found)?;
                found
            }
            Function::ToInteger => items.iter().filter_map(integer).map(Item::Integer).collect(),
            Function::ToText => items.iter().filter_map(as_text).map(Item::Text).collect(),
            Function::Resolve => items.iter().filter_map(|item| self.resolved(item)).collect(),
            _ => return Err(Stop::Undecided),
        })
    }

    /// Functions with arguments; those that are no criterion are evaluated on the outer focus.
    fn with(
        &self,
        items: Items<'a>,
        function: Function,
        first: &'a Expression,
        rest: &'a [Expression],
        focus: &[Item<'a>],
    ) -> Evaluated<'a> {
        let holds = |item: &Item<'a>| self.truth(first, std::slice::from_ref(item));
        match function {
            Function::Where => {
                let mut kept = Vec::new();
                for item in items {
                    if holds(&item)? == Some(true) {
                        kept.push(item);
                    }
                }
                Ok(kept)
            }
            Function::Exists => {
                for item in &items {
                    if holds(item)? == Some(true) {
                        return Ok(result(Some(true)));
                    }
                }
                Ok(result(Some(false)))
            }
            Function::All => {
                for item in &items {
                    if holds(item)? != Some(true) {
                        return Ok(result(Some(false)));
                    }
                }
                Ok(result(Some(true)))
            }
            Function::Select => {
                let mut found = Vec::new();
                for item in &items {
                    found.extend(self.evaluate(first, std::slice::from_ref(item))?);
                }
                Ok(found)
            }
            Function::Repeat => self.repeat(items, first),
            Function::Iif => match (self.truth(first, &items)?, rest) {
                (Some(true), [then, ..]) => self.evaluate(then, &items),
                (_, [_, otherwise]) => self.evaluate(otherwise, &items),
                _ => Ok(Vec::new()),
            },
            Function::Trace => Ok(items),
            Function::Combine | Function::Union => {
                let mut items = items;
                items.extend(self.evaluate(first, focus)?);
                if function == Function::Union { self.distinct(items) } else { Ok(items) }
            }
            Function::Intersect => {
                let others: std::collections::HashSet<String> =
                    self.evaluate(first, focus)?.iter().map(key).collect();
                let mut items = self.distinct(items)?;
                items.retain(|item| others.contains(&key(item)));
                Ok(items)
            }
            Function::Extension => self.extension(&items, first, focus),
            Function::MemberOf => self.member(&items, first, focus),
            _ => Err(Stop::Undecided),
        }
    }

    fn argument(&self, argument: &'a Expression, focus: &[Item<'a>]) -> Result<Option<String>, Stop> {
        match self.evaluate(argument, focus)?.as_slice() {
            [] => Ok(None),
            [item] => text(item).map(|text| Some(text.to_owned())).ok_or(Stop::Undecided),
            _ => Err(Stop::Undecided),
        }
    }

    fn search(
        &self,
        left: &'a Expression,
        function: Function,
        arguments: &'a [Expression],
        focus: &[Item<'a>],
    ) -> Evaluated<'a> {
        let Some(argument) = arguments.first() else { return Err(Stop::Undecided) };
        let Some(sought) = self.argument(argument, focus)? else { return Ok(Vec::new()) };
        self.on_text(left, focus, |text| {
            Item::Truth(match function {
                Function::StartsWith => text.starts_with(&sought),
                Function::EndsWith => text.ends_with(&sought),
                _ => text.contains(&sought),
            })
        })
    }

    /// Characters from a position; nothing when it lies outside.
    fn substring(
        &self,
        left: &'a Expression,
        arguments: &'a [Expression],
        focus: &[Item<'a>],
    ) -> Evaluated<'a> {
        let [start, rest @ ..] = arguments else { return Err(Stop::Undecided) };
        let Some(start) = self.integer(start, focus)? else { return Ok(Vec::new()) };
        let length = match rest.first() {
            Some(length) => self.integer(length, focus)?,
            None => None,
        };
        let length = length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(0));
        let Ok(start) = usize::try_from(start) else { return Ok(Vec::new()) };
        let cut = self.on_text(left, focus, |text| match text.chars().nth(start) {
            Some(_) => Item::Text(text.chars().skip(start).take(length).collect::<String>().into()),
            None => Item::Truth(false),
        })?;
        Ok(cut.into_iter().filter(|item| matches!(item, Item::Text(_))).collect())
    }

    fn children(&self, items: &[Item<'a>]) -> Evaluated<'a> {
        let mut found = Vec::new();
        for item in items {
            if let Item::Element(parent) = item {
                parent.all_children(&mut |_, child| found.push(Item::Element(child)));
            }
        }
        self.spend(found.len())?;
        Ok(found)
    }

    fn descendants(&self, items: &[Item<'a>], found: &mut Items<'a>) -> Result<(), Stop> {
        let mut level = self.children(items)?;
        for _ in 0..LEVELS_MAX {
            if level.is_empty() {
                return Ok(());
            }
            let next = self.children(&level)?;
            found.append(&mut level);
            level = next;
        }
        Err(Stop::TooCostly)
    }

    fn repeat(&self, items: Items<'a>, step: &'a Expression) -> Evaluated<'a> {
        let (mut found, mut level) = (Vec::new(), items);
        for _ in 0..LEVELS_MAX {
            let mut next = Vec::new();
            for item in &level {
                next.extend(self.evaluate(step, std::slice::from_ref(item))?);
            }
            if next.is_empty() {
                return Ok(found);
            }
            found.extend(next.iter().cloned());
            level = next;
        }
        Err(Stop::TooCostly)
    }

    fn extension(&self, items: &[Item<'a>], url: &'a Expression, focus: &[Item<'a>]) -> Evaluated<'a> {
        let Some(url) = self.argument(url, focus)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for item in items {
            if let Item::Element(parent) = item {
                parent.children("extension", &mut |child| {
                    if child.text("url") == Some(&url) {
                        found.push(Item::Element(child));
                    }
                });
            }
        }
        Ok(found)
    }

    /// The resource that a reference names: itself where it is at hand, else its type as far as the text tells.
    fn resolved(&self, item: &Item<'a>) -> Option<Item<'a>> {
        let reference = match item {
            Item::Element(found) if found.primitive.is_none() => found.text("reference"),
            other => text(other),
        };
        if let Some(found) = reference.and_then(|reference| (self.resolve)(reference)) {
            return Some(Item::Element(found));
        }
        let by_text = reference.and_then(|reference| Reference::parse(reference).resource_type());
        let stated = || match item {
            Item::Element(found) => crate::ResourceType::parse(found.text("type")?),
            _ => None,
        };
        by_text.or_else(stated).map(|name| Item::Target(name.as_str()))
    }

    fn member(&self, items: &[Item<'a>], set: &'a Expression, focus: &[Item<'a>]) -> Evaluated<'a> {
        let Some(set) = self.argument(set, focus)? else { return Ok(Vec::new()) };
        let (mut is_member, mut is_known) = (false, true);
        for item in items {
            let mut ask = |system: Option<&str>, code: &str| match (self.member_of)(&set, system, code) {
                Some(is) => is_member |= is,
                None => is_known = false,
            };
            match item {
                Item::Element(found) if found.primitive.is_none() => codings(*found, &mut |coding| {
                    if let Some(code) = coding.text("code") {
                        ask(coding.text("system"), code);
                    }
                }),
                other => {
                    if let Some(code) = text(other) {
                        ask(None, code);
                    }
                }
            }
        }
        if items.is_empty() {
            return Ok(Vec::new());
        }
        if is_member || is_known { Ok(result(Some(is_member))) } else { Err(Stop::Undecided) }
    }
}

/// The codings of a concept; a coding itself.
fn codings<'a>(found: Typed<'a>, each: &mut dyn FnMut(Typed<'a>)) {
    if found.type_code == "CodeableConcept" { found.children("coding", each) } else { each(found) }
}
