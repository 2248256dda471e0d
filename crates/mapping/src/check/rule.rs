//! Rules: strings, maps with `from`, element maps, dispatches, lists.

use super::Checker;
use super::element::{Completeness, Keyed};
use super::shape::{Found, Shape};
use super::source::{Source, Use};
use crate::basis::Basis;
use crate::diagnostic::Place;
use crate::plan::{Action, Convert, Elements, Expression, Into, Rule, Take, Test};
use crate::syntax::{self, Conversion};
use crate::yaml::{Entry, Kind, Node};

pub(crate) const RULE_KEYS: &[&str] = &[
    "from", "as", "code", "when", "unless", "fill", "set", "join", "unit", "ref", "into", "of", "keep",
    "match", "deviates", "doc",
];

/// What the keys of a rule map add to its `from`.
#[derive(Default)]
struct Extras<'n> {
    conversion: Option<(Conversion, Place)>,
    table: Option<(String, Place)>,
    join: Option<String>,
    unit: Option<&'n Node>,
    reference: bool,
}

impl Checker<'_> {
    /// The rules of one element.
    pub(super) fn rules(&mut self, node: &Node, found: &Found, source: &Source) -> Vec<Rule> {
        match &node.kind {
            Kind::List(items) => items.iter().flat_map(|item| self.rules(item, found, source)).collect(),
            Kind::Scalar(text) => {
                self.rule_text(text, node.place, found, source, &Extras::default()).into_iter().collect()
            }
            Kind::Map(_) if node.get("$by").is_some() => {
                self.dispatch(node, found, source).into_iter().collect()
            }
            Kind::Map(_) if node.get("from").is_some() => {
                self.rule_map(node, found, source).into_iter().collect()
            }
            Kind::Map(_) => self.build(node, found, source).into_iter().collect(),
        }
    }

    fn dispatch(&mut self, node: &Node, found: &Found, source: &Source) -> Option<Rule> {
        let by = node.get("$by")?;
        let text = self.text(by)?;
        let value = self.parsed(by.place, syntax::value(text))?;
        let (by, _) = self.expression(&value, by.place, source, Use::First)?;
        let mut branches = Vec::new();
        let mut otherwise = Box::default();
        for entry in node.entries().iter().filter(|entry| entry.key != "$by") {
            let rules = self.rules(&entry.value, found, source);
            if entry.key == "else" {
                otherwise = rules.into();
            } else {
                branches
                    .push((entry.key.split('/').map(|key| key.trim().to_owned()).collect(), rules.into()));
            }
        }
        Some(plain(
            node.place,
            None,
            Action::Dispatch { by: Box::new(by), branches: branches.into(), otherwise },
        ))
    }

    /// An element map as a rule.
    fn build(&mut self, node: &Node, found: &Found, source: &Source) -> Option<Rule> {
        let (chosen, shape) = self.shape_for(node, found)?;
        if shape.primitive {
            let only_extensions = node
                .entries()
                .iter()
                .all(|entry| entry.key.starts_with("ext:") || entry.key.starts_with('$'));
            if !only_extensions {
                self.findings.add(
                    node.place,
                    "E0303",
                    format!("{} is a {}; it has no elements", shape.shown, shape.code),
                );
                return None;
            }
        }
        let elements = self.elements(node, &shape, source, Completeness::Whole, &[])?;
        if elements.each.is_some() && !found.slot.repeats {
            self.findings.add(
                node.place,
                "E0216",
                format!("{} holds one value; $each makes many", shape.shown),
            );
        }
        Some(plain(node.place, chosen, Action::Build(Box::new(elements))))
    }

    /// The shape an element map speaks of: of a choice the first type that has all its keys.
    fn shape_for(&mut self, node: &Node, found: &Found) -> Option<(Option<String>, Shape)> {
        if let [(chosen, shape)] = found.choices.as_slice() {
            return Some((chosen.clone(), shape.clone()));
        }
        let keys: Vec<&str> = node
            .entries()
            .iter()
            .map(|entry| entry.key.split('.').next().unwrap_or_default())
            .filter(|key| !key.starts_with('$') && !key.starts_with("ext:"))
            .collect();
        let fits = |shape: &Shape| {
            !shape.primitive
                && keys.iter().all(|key| {
                    fhir::r4()
                        .children(&shape.path)
                        .iter()
                        .any(|child| child.name == *key || fhir::r4().property(&shape.path, key).is_some())
                })
        };
        let fitting = found.choices.iter().find(|(_, shape)| fits(shape)).cloned();
        if fitting.is_none() || keys.is_empty() {
            self.findings.add(
                node.place,
                "E0302",
                format!("no type of {}[x] has these elements", found.slot.name),
            );
            return None;
        }
        fitting
    }

    fn rule_map(&mut self, node: &Node, found: &Found, source: &Source) -> Option<Rule> {
        self.only_keys(node, RULE_KEYS);
        let from = node.get("from")?;
        let text = self.text(from)?;
        let scalar = |key: &str| node.get(key).and_then(Node::scalar);
        let mut extras = Extras {
            join: scalar("join").map(str::to_owned),
            unit: node.get("unit"),
            reference: scalar("ref") == Some("true"),
            ..Extras::default()
        };
        if let Some(given) = node.get("as") {
            let text = self.text(given)?;
            extras.conversion = Some((self.parsed(given.place, syntax::conversion_of(text))?, given.place));
        }
        if let Some(given) = node.get("code") {
            extras.table = Some((self.text(given)?.to_owned(), given.place));
        }
        let when = self.guard(node, source)?;
        if let Some(target) = node.get("into") {
            return self.rule_into(node, target, from, found, source, when);
        }
        let mut rule = self.rule_text(text, from.place, found, source, &extras)?;
        rule.when = when.map(Box::new);
        rule.keep = self.only_fills(node, found);
        if let Some(given) = node.get("match") {
            self.matching(given, &mut rule, source);
        }
        rule.deviates = scalar("deviates").map(str::to_owned);
        let shape = self.result_shape(&rule, found);
        let item = Source { item: Some(String::new()), ..source.clone() };
        rule.fill = self.overlay(node.get("fill"), shape.as_ref(), &item)?.map(Box::new);
        rule.set = self.overlay(node.get("set"), shape.as_ref(), &item)?.map(Box::new);
        Some(rule)
    }

    /// `when` and `unless` together.
    pub(super) fn guard(&mut self, node: &Node, source: &Source) -> Option<Option<Test>> {
        let mut tests = Vec::new();
        if let Some(when) = node.get("when") {
            tests.push(self.condition_node(when, source)?);
        }
        if let Some(unless) = node.get("unless") {
            tests.push(Test::Not(Box::new(self.condition_node(unless, source)?)));
        }
        Some(match tests.len() {
            0 => None,
            1 => tests.pop(),
            _ => Some(Test::All(tests.into())),
        })
    }

    /// `match: {THERE: HERE}` of a rule `ref HANDLE`.
    fn matching(&mut self, node: &Node, rule: &mut Rule, source: &Source) {
        let Action::Refer { pairs, .. } = &mut rule.action else {
            self.findings.add_help(
                node.place,
                "E0105",
                "match chooses among the resources of a handle",
                "from: ref HANDLE",
            );
            return;
        };
        let anywhere = Source::default();
        let pair = |entry: &Entry| {
            let there = self.argument(&entry.key, entry.place, &anywhere);
            let here = entry.value.scalar().and_then(|text| self.argument(text, entry.value.place, source));
            there.zip(here)
        };
        *pairs = node.entries().iter().filter_map(pair).collect();
    }

    fn argument(&mut self, text: &str, place: Place, source: &Source) -> Option<Expression> {
        let value = self.parsed(place, syntax::value(text))?;
        self.expression(&value, place, source, Use::First).map(|(value, _)| value)
    }

    /// `keep: true`, on an element of the resource itself that holds one value.
    fn only_fills(&mut self, node: &Node, found: &Found) -> bool {
        let Some(keep) = node.get("keep") else { return false };
        let top = found.element.is_some_and(|element| {
            let mut parts = element.path.split('.');
            parts.next().is_some_and(|kind| fhir::ResourceType::parse(kind).is_some()) && parts.count() == 1
        });
        if keep.scalar() != Some("true") || !top || found.slot.repeats {
            self.findings.add_help(
                keep.place,
                "E0105",
                "keep says that a single element of the resource itself is only filled",
                "keep: true",
            );
        }
        true
    }

    fn result_shape(&self, rule: &Rule, found: &Found) -> Option<Shape> {
        found.choices.iter().find(|(chosen, _)| *chosen == rule.suffix).map(|(_, shape)| shape.clone())
    }

    /// `fill` and `set`.
    #[expect(clippy::option_option, reason = "absent key and failed check are different")]
    fn overlay(
        &mut self,
        node: Option<&Node>,
        shape: Option<&Shape>,
        source: &Source,
    ) -> Option<Option<Elements>> {
        let Some(node) = node else { return Some(None) };
        let Some(shape) = shape.filter(|shape| !shape.primitive) else {
            self.findings.add(node.place, "E0303", "a primitive has nothing to fill");
            return None;
        };
        self.elements(node, shape, source, Completeness::Partial, &[]).map(Some)
    }

    fn rule_into(
        &mut self,
        node: &Node,
        target: &Node,
        from: &Node,
        found: &Found,
        source: &Source,
        when: Option<Test>,
    ) -> Option<Rule> {
        let [(_, shape)] = found.choices.as_slice() else {
            self.findings.add(node.place, "E0302", "`into` needs an element of one type");
            return None;
        };
        if !found.slot.repeats {
            self.findings.add(node.place, "E0105", "`into` adds to an item of a repeating element");
            return None;
        }
        let of = node.get("of").and_then(|of| of.scalar());
        let into = match of {
            Some("new") => Into::New,
            Some(text) => match text
                .strip_prefix(found.slot.name.as_str())
                .and_then(|rest| rest.strip_prefix('~'))
                .and_then(|n| n.parse::<usize>().ok())
                .and_then(|n| n.checked_sub(1))
            {
                Some(index) => Into::Nth(index),
                None => {
                    self.findings.add_help(
                        node.place,
                        "E0105",
                        format!("`of: {text}` names no item"),
                        format!("new or {}~1", found.slot.name),
                    );
                    return None;
                }
            },
            None => {
                self.findings.add_help(
                    node.place,
                    "E0103",
                    "`into` needs `of`",
                    format!("of: new, or of: {}~1", found.slot.name),
                );
                return None;
            }
        };
        let path = self.text(target)?;
        let keys = vec![Keyed { parts: path.split('.').collect(), place: target.place, node: from }];
        let fields = self.fields(keys, &shape.clone(), source, Completeness::Partial, node.place);
        let action = Action::Build(Box::new(Elements { fields: fields.into(), ..Elements::default() }));
        let deviates = node.get("deviates").and_then(Node::scalar).map(str::to_owned);
        Some(Rule { into: Some(into), when: when.map(Box::new), deviates, ..plain(node.place, None, action) })
    }

    fn rule_text(
        &mut self,
        text: &str,
        place: Place,
        found: &Found,
        source: &Source,
        extras: &Extras<'_>,
    ) -> Option<Rule> {
        let alternatives = self.parsed(place, syntax::rule(text))?;
        let count = alternatives.len();
        let mut rules: Vec<Rule> = alternatives
            .into_iter()
            .filter_map(|alternative| self.alternative(alternative, place, found, source, extras))
            .collect();
        if rules.len() != count {
            return None;
        }
        if count == 1 {
            return rules.pop();
        }
        Some(plain(place, rules.first().and_then(|rule| rule.suffix.clone()), Action::First(rules.into())))
    }

    fn alternative(
        &mut self,
        rule: syntax::Rule,
        place: Place,
        found: &Found,
        source: &Source,
        extras: &Extras<'_>,
    ) -> Option<Rule> {
        if let Some((handle, offset)) = rule.reference {
            return self.reference(handle, place.shifted(offset, 1), place, found);
        }
        let value = rule.value?;
        let conversion = rule
            .conversion
            .map(|(conversion, offset)| (conversion, place.shifted(offset, 1)))
            .or_else(|| extras.conversion.clone());
        let table = rule
            .table
            .map(|(table, offset)| (table, place.shifted(offset, 1)))
            .or_else(|| extras.table.clone());
        let reference = rule.make_reference || extras.reference;
        let (from, facts) = self.expression(&value, place, source, Use::Value)?;
        if facts.many && !found.slot.repeats && extras.join.is_none() {
            self.findings.add_help(
                place,
                "E0216",
                format!("many values for {}, which holds one", found.slot.name),
                "take ~1, a filter, or `join`",
            );
        }
        let (chosen, convert, coded) =
            self.convert(conversion.as_ref(), table.is_some(), rule.system, reference, &facts, found, place)?;
        let others = [("code", table.is_some()), ("join", extras.join.is_some())];
        self.check_segments(&from, &convert, &others, place)?;
        if let (syntax::Value::Literal { text, .. }, Convert::Code) = (&value, &convert) {
            self.check_code_literal(text, found, place);
        }
        let from = match (from, &convert) {
            (Expression::Literal(text), Convert::Boolean) => {
                Expression::Literal(self.boolean_literal(&text, place)?.to_owned())
            }
            (from, _) => from,
        };
        let table = match &table {
            Some((name, at)) => {
                let index = self.table(name, *at)?;
                if let Some(element) = found.element {
                    self.check_binding(index, element, *at);
                }
                Some(index)
            }
            None => None,
        };
        let unit = match extras.unit {
            Some(node) => Some(self.unit(node, &convert, source)?),
            None => None,
        };
        let unit = unit.map(Box::new);
        let take = Take { from, convert, table, join: extras.join.clone(), unit, coded };
        Some(plain(place, chosen, Action::Take(Box::new(take))))
    }

    /// `=true` and `=false` as table 0136 writes them.
    fn boolean_literal(&mut self, text: &str, place: Place) -> Option<&'static str> {
        match text {
            "true" => Some("Y"),
            "false" => Some("N"),
            _ => {
                self.findings.add(place, "E0303", format!("{text} is neither true nor false"));
                None
            }
        }
    }

    fn unit(&mut self, node: &Node, convert: &Convert, source: &Source) -> Option<Expression> {
        if !matches!(convert, Convert::NmQuantity | Convert::SnQuantity | Convert::SnRange | Convert::SnRatio)
        {
            self.findings.add(
                node.place,
                "E0105",
                "`unit` belongs to NM.Quantity and SN.Quantity, SN.Range, SN.Ratio",
            );
            return None;
        }
        let text = self.text(node)?;
        let value = self.parsed(node.place, syntax::value(text))?;
        self.expression(&value, node.place, source, Use::First).map(|(value, _)| value)
    }

    fn reference(&mut self, handle: String, at: Place, place: Place, found: &Found) -> Option<Rule> {
        let Some((chosen, _)) = found.choices.iter().find(|(_, shape)| shape.code == "Reference") else {
            self.findings.add(place, "E0303", format!("{} is no reference", found.slot.name));
            return None;
        };
        if handle != "*" {
            self.handles.push((handle.clone(), at, false));
        }
        let action = Action::Refer { handle: self.handle(&handle), pairs: Box::default() };
        Some(plain(place, chosen.clone(), action))
    }

    fn check_code_literal(&mut self, text: &str, found: &Found, place: Place) {
        let Some(element) = found.element else { return };
        let Some(binding) = element.binding.filter(|binding| binding.strength == fhir::Strength::Required)
        else {
            return;
        };
        if let Some(set) = fhir::r4().codes(binding.value_set).filter(|set| !set.contains(text)) {
            self.findings.add_near(
                place,
                "E0306",
                format!("{text} is not in the value set that {} requires", element.path),
                text,
                set.codes(),
            );
        }
    }
}

fn plain(place: Place, suffix: Option<String>, action: Action) -> Rule {
    Rule {
        place,
        when: None,
        action,
        suffix,
        fill: None,
        set: None,
        into: None,
        keep: false,
        deviates: None,
        basis: Basis::Nothing,
    }
}
