//! A value through conversion and code table into the element.

use super::Executor;
use super::concept::coding;
use super::element::{Yield, fill, write};
use super::notes::Source;
use super::scope::{Level, Scope, Value as Item, child};
use crate::codes::{CodeTable, Level as CodeLevel};
use crate::convert::quantity::{Structured, Unit};
use crate::convert::{self, Converted, Refused, number, quantity, time};
use crate::few::Few;
use crate::identity::first_text;
use crate::json::{list_of, object};
use crate::plan::{Coded, Convert, Expression, Keyed, Path, Rule, Slot, Take};
use crate::trace::{Cause, Done};
use crate::{LeafFate, MissedCode};
use serde_json::{Map, Value};
use std::borrow::Cow;

type Object = Map<String, Value>;

/// Name of the extension that keeps an original code beside a lossy one.
pub(crate) const ALTERNATE_CODES: &str = "http://hl7.org/fhir/StructureDefinition/alternate-codes";

impl<'a> Executor<'a> {
    pub(super) fn take(
        &mut self,
        take: &'a Take,
        rule: &'a Rule,
        slot: &'a Slot,
        scope: &Scope<'a>,
        out: &mut Object,
    ) -> bool {
        self.touched.clear();
        self.refused = None;
        let mut values = self.values(&take.from, scope);
        if let Some(separator) = &take.join {
            values = self.joined_values(values, take, separator, scope);
        }
        let touched = std::mem::take(&mut self.touched);
        match self.refused {
            Some(reason) => self.miss(slot, rule, scope, out, Cause::Refused(reason)),
            None if values.is_empty() => self.miss_value(slot, rule, scope, out),
            None => {}
        }
        if let Some(reason) = self.refused.take() {
            touched.iter().for_each(|part| self.ledger.mark_first(*part, LeafFate::Rejected, Some(reason)));
            self.reject(rule, touched.first().copied(), reason);
        }
        let mut wrote = false;
        for at in 0..values.len() {
            let Some(value) = values.get_mut(at) else { break };
            let spread = matches!(value, Item::Text(_)).then_some(touched.as_slice()).unwrap_or_default();
            wrote |= self.take_one(take, rule, slot, scope, value, spread, out);
            if wrote && !slot.repeats {
                self.supersede_values(values.get(at + 1..).unwrap_or_default(), &take.convert);
                break;
            }
        }
        if wrote {
            self.supersede_alternatives(take, scope);
        }
        wrote
    }

    /// All repetitions (and continuing segments) as one text.
    fn joined_values(
        &mut self,
        mut values: Few<Item<'a>>,
        take: &'a Take,
        separator: &str,
        scope: &Scope<'a>,
    ) -> Few<Item<'a>> {
        let continued = scope
            .instance
            .and_then(|index| self.instances.get(index))
            .map(|instance| instance.continued.clone())
            .unwrap_or_default();
        for segment in continued {
            let next = Scope { own: Some(segment), instance: None, ..scope.clone() };
            values.extend(self.values(&take.from, &next));
        }
        if values.is_empty() {
            return values;
        }
        let mut joined = String::new();
        for (at, value) in values.iter().enumerate() {
            if let Item::Part(part, _) = value {
                self.touched.push(*part);
            }
            if at > 0 {
                joined.push_str(separator);
            }
            joined.push_str(&self.text_of(value));
        }
        Few::One(Item::Text(joined.into()))
    }

    #[expect(clippy::too_many_arguments, reason = "one rule, one value, one target")]
    fn take_one(
        &mut self,
        take: &'a Take,
        rule: &'a Rule,
        slot: &'a Slot,
        scope: &Scope<'a>,
        value: &mut Item<'a>,
        spread: &[hl7v2::Part<'a>],
        out: &mut Object,
    ) -> bool {
        let mut done = Few::None;
        let mut hit = None;
        let made = match &take.convert {
            Convert::Map { index, reference } => {
                self.mapped(*index, *reference, take, rule, slot, scope, value, out, &mut done, &mut hit)
            }
            convert => self.converted(convert, take, rule, scope, value, spread, &mut done, &mut hit),
        };
        let Some(mut made) = made else {
            let refused = self.refused.take();
            if let Some(notes) = &mut self.notes {
                let cause = match (refused, hit) {
                    (Some(reason), _) => Cause::Refused(reason),
                    (None, Some((table, _))) => Cause::Code(notes.word(table)),
                    (None, None) => Cause::Map,
                };
                self.miss(slot, rule, &scope.with_item(value.clone()), out, cause);
            }
            return false;
        };
        if let Value::Object(object) = &mut made.value {
            self.overlay(rule, slot, scope, value, object, out);
        }
        let leaf = !matches!(take.convert, Convert::Map { reference: false, .. });
        if self.notes.is_some() {
            self.ran(rule);
            if leaf || hit.is_some() {
                let shown = made.value.as_str().map_or_else(|| made.value.to_string().into(), Cow::Borrowed);
                let spread = spread.first().copied();
                self.step(slot, rule, out, Source { value: Some(value), spread, done, table: hit }, &shown);
            }
        }
        write(slot, rule.suffix.as_deref(), made, out);
        true
    }

    /// `fill` and `set`.
    fn overlay(
        &mut self,
        rule: &'a Rule,
        slot: &'a Slot,
        scope: &Scope<'a>,
        value: &Item<'a>,
        object: &mut Object,
        out: &Object,
    ) {
        if rule.fill.is_none() && rule.set.is_none() {
            return;
        }
        let inner = self.inside(scope, value);
        let outer = self.enter_item(value);
        self.enter(slot, rule.suffix.as_deref(), out);
        if let Some(elements) = &rule.fill {
            let mut more = Object::new();
            self.build(elements, &inner, &mut more);
            fill(object, more);
        }
        if let Some(elements) = &rule.set {
            let mut more = Object::new();
            self.build(elements, &inner, &mut more);
            object.append(&mut more);
        }
        self.components = outer;
        self.leave();
    }

    #[expect(clippy::too_many_arguments, reason = "one rule, one value")]
    fn converted(
        &mut self,
        convert: &Convert,
        take: &'a Take,
        rule: &'a Rule,
        scope: &Scope<'a>,
        value: &mut Item<'a>,
        spread: &[hl7v2::Part<'a>],
        done: &mut Few<Done>,
        hit: &mut Option<(&'a str, bool)>,
    ) -> Option<Yield> {
        if matches!(convert, Convert::Text) && self.notes.is_none() {
            let made = convert::text(self.text_taken(value));
            return self.yielded(convert, made, rule, value, spread, done);
        }
        let text = self.text_of(value);
        if let (Convert::Code, Some(table)) = (convert, take.table) {
            return self.coded(table, take, rule, value, spread, &text, hit);
        }
        let result = match convert {
            // Without an authority there is no system, and that is no error.
            Convert::Authority | Convert::CodeSystem => self.system(convert, take, scope, value, &text)?,
            Convert::NmQuantity => {
                let unit = self.unit(take, scope);
                quantity::of_number(&text, &unit)
            }
            Convert::SnQuantity | Convert::SnRange | Convert::SnRatio | Convert::SnText => {
                let unit = self.unit(take, scope);
                structured(convert, value, &unit)
            }
            simple => self.simple(simple, text),
        };
        self.yielded(convert, result, rule, value, spread, done)
    }

    /// The text of a value, which moves out of it where it is its own: a document is large.
    fn text_taken(&self, value: &mut Item<'a>) -> Cow<'a, str> {
        match value {
            Item::Text(text) => std::mem::take(text),
            Item::Part(part, _) => first_text(*part),
            Item::Segment(segment) => Cow::Borrowed(self.groups.name(*segment)),
        }
    }

    /// What a conversion made, entered in the ledger.
    fn yielded(
        &mut self,
        convert: &Convert,
        result: Result<Converted, Refused>,
        rule: &'a Rule,
        value: &Item<'a>,
        spread: &[hl7v2::Part<'a>],
        done: &mut Few<Done>,
    ) -> Option<Yield> {
        match result {
            Ok(Converted { value: made, lossy }) => {
                if self.notes.is_some() {
                    done.push(Done::Converted(convert.name()));
                    done.extend(lossy.map(Done::Lost));
                }
                self.mark(convert, value, spread, lossy.map_or(LeafFate::Mapped, |_| LeafFate::Lossy), lossy);
                if let Some(lossy) = lossy {
                    self.report(
                        fhir::Severity::Information,
                        fhir::IssueCode::Incomplete,
                        rule,
                        self.part_of(value, spread),
                        lossy,
                    );
                }
                Some(Yield::plain(made))
            }
            Err(reason) => {
                self.mark(convert, value, spread, LeafFate::Rejected, Some(reason));
                let tried = matches!(convert, Convert::SnQuantity | Convert::SnRange | Convert::SnRatio);
                if !tried {
                    self.reject(rule, self.part_of(value, spread), reason);
                }
                self.refused = Some(reason);
                None
            }
        }
    }

    fn simple(&self, convert: &Convert, text: Cow<'_, str>) -> Result<Converted, Refused> {
        let zones =
            time::Zones { message_offset: self.message_offset, site: self.program.site.zone.as_ref() };
        match convert {
            Convert::Code => convert::code(&text),
            Convert::Date => time::date(&text),
            Convert::DateTime => time::date_time(&text, zones),
            Convert::Instant => time::instant(&text, zones),
            Convert::Time => time::time(&text),
            Convert::Boolean => convert::boolean(&text),
            Convert::Integer { least } => number::integer(&text, *least),
            Convert::Decimal => number::decimal(&text),
            Convert::Text
            | Convert::Authority
            | Convert::CodeSystem
            | Convert::Map { .. }
            | Convert::NmQuantity
            | Convert::SnQuantity
            | Convert::SnRange
            | Convert::SnRatio
            | Convert::SnText => convert::text(text),
        }
    }

    fn system(
        &mut self,
        convert: &Convert,
        take: &'a Take,
        scope: &Scope<'a>,
        value: &Item<'a>,
        text: &str,
    ) -> Option<Result<Converted, Refused>> {
        let identity = &self.identity;
        let resolved = match (convert, value, path_of(&take.from)) {
            (Convert::CodeSystem, ..) => {
                identity.systems.code_system(identity.site, &identity.token, text.trim())
            }
            (_, Item::Part(part, level), Some(path)) if path.keyed == Keyed::Ei => {
                identity.system_of(*part, *level, Keyed::Ei)
            }
            (_, Item::Part(part, level), Some(path)) => {
                let around = path.authority_of.zip(self.around(*part, *level, scope));
                match around {
                    Some((keyed, Item::Part(whole, level))) => identity.system_of(whole, level, keyed),
                    Some((_, Item::Text(_) | Item::Segment(_))) | None => {
                        identity.authority(*part, *level, "")
                    }
                }
            }
            _ => None,
        };
        let resolved = resolved?;
        let lossy = resolved
            .lossy
            .then_some("nothing declares this authority or coding system: a site-scoped URN stands for it");
        Some(Ok(Converted { value: resolved.uri.into(), lossy }))
    }

    /// The composite that a component lies in.
    fn around(&self, part: hl7v2::Part<'a>, level: Level, scope: &Scope<'a>) -> Option<Item<'a>> {
        if level == Level::Component {
            let at = part.path();
            let segment = self.message.segment(usize::try_from(at.segment).ok()?)?;
            return Some(super::element::as_item(
                segment.field(usize::from(at.field)).repetition(usize::from(at.repetition)),
            ));
        }
        scope.item.clone()
    }

    fn unit(&mut self, take: &'a Take, scope: &Scope<'a>) -> Unit {
        let Some(expression) = &take.unit else { return Unit::default() };
        let found = self.values(expression, scope);
        let Some(Item::Part(part, level)) = found.first() else { return Unit::default() };
        let (part, level) = (*part, *level);
        let text = |n: u16| {
            let (part, _) = child(part, level, n)?;
            Some(first_text(part)).filter(|text| !text.trim().is_empty())
        };
        let tidy = |made: Result<Converted, Refused>| match made.ok()?.value {
            Value::String(text) => Some(text),
            _ => None,
        };
        let code = text(1).and_then(|code| Some(convert::tidy_code(code.trim()).ok()?.into_owned()));
        let words = text(2).and_then(|words| tidy(convert::text(words.trim().into())));
        let system = text(3);
        let system = system.and_then(|name| {
            self.identity.systems.code_system(self.identity.site, &self.identity.token, name.trim())
        });
        self.ledger.mark(part, LeafFate::Mapped, None);
        let display = words.or_else(|| code.clone());
        let system = system.map(|resolved| resolved.uri.into_owned());
        // A code without its system says nothing (R4 qty-3 allows system without code only).
        let code = if system.is_some() { code } else { None };
        Unit { display, system: system.filter(|_| code.is_some()), code }
    }

    #[expect(clippy::too_many_arguments, reason = "one rule, one value")]
    fn coded(
        &mut self,
        table: usize,
        take: &'a Take,
        rule: &'a Rule,
        value: &Item<'a>,
        spread: &[hl7v2::Part<'a>],
        text: &str,
        hit: &mut Option<(&'a str, bool)>,
    ) -> Option<Yield> {
        let program = self.program;
        let table = program.tables.get(table)?;
        let code = match convert::tidy_code(text) {
            Ok(code) => code,
            Err(reason) => {
                self.mark(&take.convert, value, spread, LeafFate::Rejected, Some(reason));
                self.reject(rule, self.part_of(value, spread), reason);
                self.refused = Some(reason);
                return None;
            }
        };
        let code: &str = &code;
        let found = table.translate(code);
        *hit = Some((&table.name, found.hit));
        let original = || match &table.from {
            Some(system) => coding(system, code, None),
            None => object([("code", code.into())]),
        };
        let coding = || found.target.map(|(system, code, display)| coding(system, code, display));
        let made = match take.coded {
            Coded::Code => {
                let declared = program.systems.declared.contains(ALTERNATE_CODES);
                let beside = (found.keep && declared).then(|| {
                    let concept = object([("coding", list_of(original()))]);
                    object([("url", ALTERNATE_CODES.into()), ("valueCodeableConcept", concept)])
                });
                match (found.target, found.alone) {
                    (Some((_, code, _)), _) => Some(Yield { value: code.into(), beside }),
                    (None, true) => beside.map(|kept| Yield { value: Value::Null, beside: Some(kept) }),
                    (None, false) => None,
                }
            }
            Coded::Coding => coding().or_else(|| found.keep.then(original)).map(Yield::plain),
            Coded::Concept => {
                let kept = found.keep.then(original);
                let all: Vec<Value> = coding().into_iter().chain(kept).collect();
                (!all.is_empty()).then(|| Yield::plain(object([("coding", all.into())])))
            }
        };
        let reason =
            if found.hit { "the code has no exact match" } else { "the code has no row in its table" };
        let fate = match (&made, found.lossy, found.hit) {
            (Some(_), false, _) => LeafFate::Mapped,
            (Some(_), true, _) => LeafFate::Lossy,
            (None, _, true) => LeafFate::Ignored,
            (None, _, false) => LeafFate::Rejected,
        };
        let note = match (fate, found.hit) {
            (LeafFate::Mapped, _) => None,
            (LeafFate::Ignored, _) => Some("the code table gives this code no value"),
            _ => Some(reason),
        };
        self.mark(&Convert::Code, value, spread, fate, note);
        self.report_code(found.level, rule, self.part_of(value, spread), table, code);
        made
    }

    pub(super) fn report_code(
        &mut self,
        level: Option<CodeLevel>,
        rule: &'a Rule,
        part: Option<hl7v2::Part<'a>>,
        table: &CodeTable,
        code: &str,
    ) {
        if matches!(level, Some(CodeLevel::Warn | CodeLevel::Error)) {
            MissedCode::new(&table.name, code, table.from.as_deref()).add_to(&mut self.missed_codes);
        }
        let severity = match level {
            None => return,
            Some(CodeLevel::Info) => fhir::Severity::Information,
            Some(CodeLevel::Warn) => fhir::Severity::Warning,
            Some(CodeLevel::Error) => fhir::Severity::Error,
        };
        self.report(
            severity,
            fhir::IssueCode::CodeInvalid,
            rule,
            part,
            &format!("the code has no row in {}", table.name),
        );
    }

    /// Marks the leaves a conversion used: composites whole, else the first subcomponent.
    fn mark(
        &mut self,
        convert: &Convert,
        value: &Item<'a>,
        spread: &[hl7v2::Part<'a>],
        fate: LeafFate,
        reason: Option<&'a str>,
    ) {
        let whole = matches!(
            convert,
            Convert::Authority | Convert::SnQuantity | Convert::SnRange | Convert::SnRatio | Convert::SnText
        );
        match value {
            Item::Part(part, _) if whole => self.ledger.mark(*part, fate, reason),
            Item::Part(part, _) => self.ledger.mark_first(*part, fate, reason),
            Item::Text(_) => spread.iter().for_each(|part| self.ledger.mark_first(*part, fate, reason)),
            Item::Segment(_) => {}
        }
    }

    pub(super) fn part_of(&self, value: &Item<'a>, spread: &[hl7v2::Part<'a>]) -> Option<hl7v2::Part<'a>> {
        match value {
            Item::Part(part, _) => Some(*part),
            Item::Text(_) | Item::Segment(_) => spread.first().copied(),
        }
    }

    fn reject(&mut self, rule: &'a Rule, part: Option<hl7v2::Part<'a>>, reason: &str) {
        self.report(fhir::Severity::Warning, fhir::IssueCode::Value, rule, part, reason);
    }
}

fn structured(convert: &Convert, value: &Item<'_>, unit: &Unit) -> Result<Converted, Refused> {
    let texts: Vec<Cow<'_, str>> = match value {
        Item::Part(part, level) => (1..=4)
            .map(|n| child(*part, *level, n).map(|(part, _)| first_text(part)).unwrap_or_default())
            .collect(),
        Item::Text(text) => vec!["".into(), Cow::Borrowed(text)],
        Item::Segment(_) => Vec::new(),
    };
    // Of a text without parts white space belongs to the number as it was sent.
    let is_text = matches!(value, Item::Text(_));
    let text = |n: usize| {
        let text = texts.get(n).map(|text| &**text).unwrap_or_default();
        if is_text { text } else { text.trim() }
    };
    let sn = Structured { comparator: text(0), low: text(1), separator: text(2), high: text(3) };
    match convert {
        Convert::SnQuantity => sn.quantity(unit),
        Convert::SnRange => sn.range(unit),
        Convert::SnRatio => sn.ratio(unit),
        _ => sn.text(),
    }
}

fn path_of(expression: &Expression) -> Option<&Path> {
    match expression {
        Expression::Path(path) => Some(path),
        Expression::First(alternatives) => alternatives.iter().find_map(path_of),
        Expression::Literal(_) | Expression::Absent | Expression::Call { .. } | Expression::IdOf(_) => None,
    }
}
