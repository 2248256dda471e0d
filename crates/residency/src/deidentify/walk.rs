//! The walk: every property meets its decision.

use serde_json::{Map, Value};

use super::identity::Identities;
use super::value::{self, Leaf};
use super::{ElementAction, Refusal, masked};
use crate::profile::{AddressParts, Operation, Profile, Rule, Vocabulary};

/// Most levels of a resource; R4 resources with rows stay far below.
const DEPTH_MAX: usize = 32;

/// What one walk carries along.
pub(super) struct Walk<'a> {
    pub(super) profile: &'a Profile,
    pub(super) identities: Identities<'a>,
    pub(super) year_now: i32,
    /// Location of the element at hand.
    pub(super) at: String,
    pub(super) actions: Vec<ElementAction>,
    pub(super) depth: usize,
}

/// What an element inherits from those above it.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame<'f> {
    /// Type of the resource at hand, a contained one included.
    pub(super) resource: &'f str,
    /// Its new id.
    pub(super) id: &'f str,
    /// Whether it is contained in another.
    pub(super) contained: bool,
    /// Words that codes are limited to.
    pub(super) vocabulary: Option<&'f Vocabulary>,
    /// Parts of an address that stay.
    pub(super) address: Option<AddressParts>,
}

/// What became of an element.
pub(super) enum Outcome {
    Keep(Value),
    /// Nothing but masks is left inside.
    Hollow(Value),
    Drop,
    Mask,
    /// Nothing under its name, an extension beside it.
    Beside(Value),
    /// Under another type of the same choice.
    Renamed(&'static str, Value),
}

impl Walk<'_> {
    /// A resource: its properties and its type.
    pub(super) fn resource(
        &mut self,
        node: usize,
        map: &Map<String, Value>,
        frame: &Frame<'_>,
    ) -> Result<Map<String, Value>, Refusal> {
        let (mut output, _) = self.properties(node, map, frame)?;
        output.insert("resourceType".to_owned(), Value::String(frame.resource.to_owned()));
        Ok(output)
    }

    /// A complex value; hollow when only masks stayed, dropped when nothing did.
    fn object(
        &mut self,
        node: usize,
        map: &Map<String, Value>,
        frame: &Frame<'_>,
    ) -> Result<Outcome, Refusal> {
        let (output, substance) = self.properties(node, map, frame)?;
        Ok(match (output.is_empty(), substance) {
            (true, _) => Outcome::Drop,
            (false, true) => Outcome::Keep(Value::Object(output)),
            (false, false) => Outcome::Hollow(Value::Object(output)),
        })
    }

    /// The properties that stay, and whether any of them is more than a mask.
    fn properties(
        &mut self,
        node: usize,
        map: &Map<String, Value>,
        frame: &Frame<'_>,
    ) -> Result<(Map<String, Value>, bool), Refusal> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.refusal("too-deep"));
        }
        let profile = self.profile;
        // `Profile::compile` gave out the index.
        let Some(node) = profile.nodes.get(node) else { return Err(self.refusal("unknown-element")) };
        let mut output = Map::new();
        let mut substance = false;
        for (name, value) in map {
            if name.starts_with('_')
                || (name == "resourceType" && self.depth == 1)
                || (name == "resourceType" && frame.contained)
            {
                continue;
            }
            let Some(rule) = node.rules.get(name) else { return Err(self.refusal("unknown-element")) };
            let length = self.at.len();
            self.at.push('.');
            self.at.push_str(name);
            substance |= self.property(rule, name, value, map, frame, &mut output)?;
            self.at.truncate(length);
        }
        for name in &node.rebuilt {
            if let Some(made) = value::rebuilt(name) {
                output.insert(name.clone(), made);
                substance = true;
            }
        }
        for required in &node.required {
            let there = |name: &String| {
                output.contains_key(name)
                    || output.keys().any(|key| key.strip_prefix('_') == Some(name.as_str()))
            };
            if required.names.iter().any(there) {
                continue;
            }
            if required.modifier {
                return Err(self.refusal("required-modifier"));
            }
            let Some(name) =
                required.names.iter().find(|name| map.contains_key(*name)).or(required.names.first())
            else {
                continue;
            };
            if let Some(rule) = node.rules.get(name) {
                insert_mask(&mut output, name, rule);
            }
        }
        self.depth -= 1;
        Ok((output, substance))
    }

    /// One property, repeated or not; whether something real stayed of it.
    fn property(
        &mut self,
        rule: &Rule,
        name: &str,
        value: &Value,
        parent: &Map<String, Value>,
        frame: &Frame<'_>,
        output: &mut Map<String, Value>,
    ) -> Result<bool, Refusal> {
        match &rule.operation {
            Operation::Drop => {
                self.record("drop");
                return Ok(false);
            }
            Operation::Mask => {
                self.record("mask");
                insert_mask(output, name, rule);
                return Ok(false);
            }
            Operation::Meta | Operation::Rebuild => {
                self.record(rule.operation.name());
                return Ok(false);
            }
            Operation::Reject => return Err(self.refusal("rejected-element")),
            _ => {}
        }
        if !rule.repeats {
            let outcome = self.element(rule, value, parent, frame)?;
            self.record(outcome.operation(rule));
            return Ok(insert(output, name, rule, outcome));
        }
        let Value::Array(items) = value else { return Err(self.refusal("unexpected-type")) };
        let mut kept = Vec::new();
        let mut hollow = Vec::new();
        let mut mask = false;
        for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.is_null()) {
            let length = self.at.len();
            self.at.push_str(&format!("[{index}]"));
            let outcome = self.element(rule, item, parent, frame)?;
            self.record(outcome.operation(rule));
            self.at.truncate(length);
            match outcome {
                Outcome::Keep(value) => kept.push(value),
                Outcome::Hollow(value) => hollow.push(value),
                Outcome::Mask | Outcome::Beside(_) | Outcome::Renamed(..) => mask = true,
                Outcome::Drop => {}
            }
        }
        if !kept.is_empty() {
            output.insert(name.to_owned(), Value::Array(kept));
            return Ok(true);
        }
        if rule.required && !hollow.is_empty() {
            hollow.truncate(1);
            output.insert(name.to_owned(), Value::Array(hollow));
        } else if mask {
            insert_mask(output, name, rule);
        }
        Ok(false)
    }

    /// One value by its rule.
    fn element(
        &mut self,
        rule: &Rule,
        value: &Value,
        parent: &Map<String, Value>,
        frame: &Frame<'_>,
    ) -> Result<Outcome, Refusal> {
        match &rule.operation {
            Operation::ExtAllow => return self.extension(value, frame, false),
            Operation::ExtAllowOrReject => return self.extension(value, frame, true),
            Operation::Recurse => return self.contained(value, frame),
            _ => {}
        }
        if rule.primitive {
            return self.leaf(rule, value, parent, frame);
        }
        let (Value::Object(map), Some(node)) = (value, rule.child) else {
            return Err(self.refusal("unexpected-type"));
        };
        let mut inner = *frame;
        match &rule.operation {
            Operation::Code(vocabulary) => inner.vocabulary = vocabulary.as_deref(),
            Operation::Addr(parts) => inner.address = Some(*parts),
            _ => {}
        }
        match (&rule.operation, rule.type_code) {
            (Operation::Code(_) | Operation::Coded, "Coding")
                if !value::coding_allowed(self.profile, map, inner.vocabulary) =>
            {
                Ok(Outcome::Drop)
            }
            (Operation::Qty, "Quantity" | "Duration" | "Age") => self.quantity(node, map, frame),
            (Operation::Age90, "Age") => match value::age(self.profile, map) {
                value::Age::Over => Ok(Outcome::Keep(value::ninety_and_over())),
                value::Age::Below => self.quantity(node, map, frame),
                value::Age::Unclear => Ok(Outcome::Drop),
            },
            (Operation::Age90, "Range") => match value::range_age(self.profile, map) {
                value::Age::Over => Ok(Outcome::Keep(serde_json::json!({"low": value::ninety_and_over()}))),
                value::Age::Below => self.object(node, map, &inner),
                value::Age::Unclear => Ok(Outcome::Drop),
            },
            (Operation::QtyAge90, "Quantity") => match value::quantity_age(self.profile, map, parent) {
                value::Age::Over => Ok(Outcome::Keep(value::ninety_and_over())),
                value::Age::Below => self.quantity(node, map, frame),
                value::Age::Unclear => Ok(Outcome::Drop),
            },
            _ => self.object(node, map, &inner),
        }
    }

    /// A quantity whose unit is UCUM or absent. Another unit takes the value with it, for a number without its unit misleads; the
    /// mask says that there was one, as R4 asks of a dose (mad-1) or of both sides of a ratio (rat-1).
    fn quantity(
        &mut self,
        node: usize,
        map: &Map<String, Value>,
        frame: &Frame<'_>,
    ) -> Result<Outcome, Refusal> {
        let unit = match value::unit(self.profile, map) {
            value::Unit::Refused => return Ok(Outcome::Mask),
            value::Unit::Coded | value::Unit::None => None,
            value::Unit::Text(unit) => Some(unit),
        };
        let mut outcome = self.object(node, map, frame)?;
        if let (Outcome::Keep(Value::Object(output)), Some(unit)) = (&mut outcome, unit) {
            output.insert("system".to_owned(), Value::String(crate::profile::UCUM.to_owned()));
            output.insert("code".to_owned(), Value::String(unit));
        }
        Ok(outcome)
    }

    fn leaf(
        &mut self,
        rule: &Rule,
        value: &Value,
        parent: &Map<String, Value>,
        frame: &Frame<'_>,
    ) -> Result<Outcome, Refusal> {
        let text = value.as_str();
        match (&rule.operation, text) {
            (Operation::Rekey, Some(_)) => Ok(Outcome::Keep(Value::String(frame.id.to_owned()))),
            (Operation::Ref, Some(reference)) => {
                let released = self.identities.reference(reference, &self.at)?;
                Ok(released.map_or(Outcome::Drop, |reference| Outcome::Keep(Value::String(reference))))
            }
            _ => {
                let leaf = Leaf {
                    profile: self.profile,
                    rule,
                    parent,
                    address: frame.address,
                    year_now: self.year_now,
                };
                leaf.outcome(value).ok_or_else(|| self.refusal("unexpected-type"))
            }
        }
    }

    pub(super) fn record(&mut self, operation: &str) {
        if self.identities.collects() {
            return;
        }
        self.actions.push(ElementAction { location: self.at.clone(), operation: operation.to_owned() });
    }

    pub(super) fn refusal(&self, code: &'static str) -> Refusal {
        Refusal { code, location: self.at.clone() }
    }
}

impl Outcome {
    /// What was done, in one word.
    fn operation(&self, rule: &Rule) -> &'static str {
        match self {
            Self::Keep(_) | Self::Renamed(..) | Self::Beside(_) => rule.operation.name(),
            Self::Hollow(_) | Self::Mask => "mask",
            Self::Drop => "drop",
        }
    }
}

/// Puts a single outcome under its name; whether something real stayed.
fn insert(output: &mut Map<String, Value>, name: &str, rule: &Rule, outcome: Outcome) -> bool {
    match outcome {
        Outcome::Keep(value) => {
            output.insert(name.to_owned(), value);
            true
        }
        Outcome::Renamed(type_code, value) => {
            output.insert(format!("{}{type_code}", rule.base), value);
            true
        }
        Outcome::Beside(value) => {
            output.insert(format!("_{name}"), value);
            true
        }
        Outcome::Mask => {
            insert_mask(output, name, rule);
            false
        }
        Outcome::Hollow(value) => {
            if rule.required {
                output.insert(name.to_owned(), value);
            }
            false
        }
        Outcome::Drop => false,
    }
}

/// A data-absent-reason in place of the element (R4, extensibility §2.4.0; data-absent-reason `masked`).
fn insert_mask(output: &mut Map<String, Value>, name: &str, rule: &Rule) {
    let name = if rule.primitive { format!("_{name}") } else { name.to_owned() };
    output.insert(name, if rule.repeats { Value::Array(vec![masked()]) } else { masked() });
}
