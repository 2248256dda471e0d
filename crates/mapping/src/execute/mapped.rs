//! A value through a map of its type, and a segment through a map of a part.

use super::element::Yield;
use super::scope::{Scope, Value as Item};
use super::{DEPTH_MAX, Executor};
use crate::LeafFate;
use crate::few::Few;
use crate::plan::{Rule, Slot, Take, Target};
use crate::trace::Done;
use serde_json::{Map, Value};

type Object = Map<String, Value>;

impl<'a> Executor<'a> {
    #[expect(clippy::too_many_arguments, reason = "one rule, one value")]
    pub(super) fn mapped(
        &mut self,
        index: usize,
        reference: bool,
        take: &'a Take,
        rule: &'a Rule,
        slot: &'a Slot,
        scope: &Scope<'a>,
        value: &Item<'a>,
        out: &Object,
        done: &mut Few<Done>,
        hit: &mut Option<(&'a str, bool)>,
    ) -> Option<Yield> {
        if self.depth >= DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let made = self.mapped_inner(index, reference, rule, slot, scope, value, out);
        self.depth -= 1;
        let program = self.program;
        let map = program.maps.get(index)?;
        if let Some(notes) = &mut self.notes {
            done.push(Done::Mapped(notes.word(&map.name)));
        }
        let Some(mut made) = made else {
            if let Item::Part(part, _) = value {
                self.ledger.mark(
                    *part,
                    LeafFate::Rejected,
                    Some("the map yields nothing without its main value"),
                );
            }
            return None;
        };
        if let (Some(table), false) = (take.table, reference) {
            self.translate_concept(table, take, rule, value, &mut made, hit);
        }
        if let Item::Part(part, _) = value {
            for ignore in &map.ignore {
                self.ledger.ignore_part(*part, &ignore.numbers, &ignore.reason);
            }
        }
        Some(Yield::plain(made))
    }

    #[expect(clippy::too_many_arguments, reason = "one rule, one value")]
    fn mapped_inner(
        &mut self,
        index: usize,
        reference: bool,
        rule: &'a Rule,
        slot: &'a Slot,
        scope: &Scope<'a>,
        value: &Item<'a>,
        out: &Object,
    ) -> Option<Value> {
        let program = self.program;
        let map = program.maps.get(index)?;
        let inner = Scope { instance: None, ..self.inside(scope, value) };
        if reference {
            return self.reference_once(map, index, &inner);
        }
        let mut made = Object::new();
        self.enter(slot, rule.suffix.as_deref(), out);
        let (null, outer) = (self.null, self.enter_item(value));
        self.build_whole(&map.body, &inner, &mut made);
        self.components = outer;
        // The HL7 null of a field removes what the segment is mapped to; that of a component says nothing.
        if !matches!(value, Item::Segment(_)) {
            self.null = null;
        }
        self.leave();
        match map.target {
            Target::Text => made.remove("value"),
            Target::Resource(_) | Target::Object(_) | Target::Extension(_) => {
                (!made.is_empty()).then_some(Value::Object(made))
            }
        }
    }

    /// Where the rules about a value run: at the item, or bound to the segment.
    pub(super) fn inside(&self, scope: &Scope<'a>, value: &Item<'a>) -> Scope<'a> {
        match value {
            Item::Segment(segment) => {
                Scope { bound: Some(*segment), group: self.groups.group_of(*segment), ..scope.clone() }
            }
            Item::Part(..) | Item::Text(_) => scope.with_item(value.clone()),
        }
    }
}
