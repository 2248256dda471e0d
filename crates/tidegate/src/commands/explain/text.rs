//! The explanation as text in columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mapping::{LeafFate, Miss, Step, Why};

use super::choice::{Choice, Chosen};
use super::paint::Paint;
use super::{Explanation, Leaf, fate_word};

/// Narrowest and widest column of paths.
const PATH_COLUMNS: (usize, usize) = (8, 18);
/// Widest value in a table, in characters.
const VALUE_COLUMNS_MAX: usize = 32;

/// What is written, and the package's files for the text of rules.
pub struct View<'v, 't> {
    pub explanation: &'v Explanation<'t>,
    pub chosen: &'v Chosen<'v, 't>,
    pub sources: &'v BTreeMap<String, String>,
}

impl View<'_, '_> {
    /// The whole text.
    pub fn render(&self, choice: &Choice, paint: Paint) -> String {
        let mut text = String::new();
        if !choice.is_detailed() {
            text.push_str(&self.heading(paint));
        }
        let width = |leaf: &&Leaf<'_>| leaf.path.chars().count();
        let (least, most) = PATH_COLUMNS;
        let column = self.chosen.leaves.iter().map(width).max().unwrap_or(least).clamp(least, most);
        for leaf in &self.chosen.leaves {
            self.leaf(&mut text, leaf, column, choice.is_detailed(), paint);
        }
        for step in &self.chosen.steps {
            self.element(&mut text, step, paint);
        }
        if !self.chosen.misses.is_empty() {
            let head = match (&self.chosen.steps[..], &self.chosen.leaves[..]) {
                ([], []) => "nothing was made. Rules that could have:",
                _ => "rules that gave nothing more:",
            };
            line(&mut text, &paint.strong(head));
            self.chosen.misses.iter().for_each(|miss| self.miss(&mut text, miss, "  ", paint));
        }
        if self.explanation.is_cut {
            line(&mut text, &paint.faint("the message is large: not every rule that gave nothing is listed"));
        }
        text
    }

    /// `ADT^A01  3 Patient …`, then how many leaves met which fate.
    fn heading(&self, paint: Paint) -> String {
        let all = self.explanation;
        let resources: Vec<String> =
            all.resources.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let fates =
            [LeafFate::Mapped, LeafFate::Lossy, LeafFate::Ignored, LeafFate::Unmapped, LeafFate::Rejected];
        let counts: Vec<String> = fates
            .into_iter()
            .map(|fate| (fate, all.leaves.iter().filter(|leaf| leaf.fate == fate).count()))
            .filter(|(_, count)| *count > 0)
            .map(|(fate, count)| paint.fate(fate, &format!("{count} {}", fate_word(fate))))
            .collect();
        format!(
            "{}  {}\n{} values: {}\n\n",
            paint.strong(&clean(&all.message_type)),
            resources.join(", "),
            all.leaves.len(),
            counts.join(", ")
        )
    }

    fn leaf(&self, text: &mut String, leaf: &Leaf<'_>, column: usize, is_detailed: bool, paint: Paint) {
        let path = paint.strong(&format!("{:<column$}", leaf.path));
        let value = format!("{:<VALUE_COLUMNS_MAX$}", short(&leaf.value));
        let fate = paint.fate(leaf.fate, fate_word(leaf.fate));
        let reason = leaf.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        line(text, &format!("{path}  {value}  {fate}{reason}"));
        let indent = " ".repeat(column);
        if is_detailed {
            let place = format!("bytes {}..{}", leaf.span.start, leaf.span.end);
            line(text, &format!("{indent}  {}", paint.faint(&place)));
        }
        for step in self.explanation.steps_of(leaf) {
            let value = step.output.as_deref().map(short).unwrap_or_default();
            let place = paint.faint(&step.rule);
            line(text, &format!("{indent}  → {} = {value}  {place}", step.element));
            if is_detailed {
                line(text, &format!("{indent}    {}", how(step)));
                self.rule(text, &step.rule, &format!("{indent}    "), paint);
            }
        }
        if is_detailed {
            let indent = format!("{indent}  ");
            self.explanation.misses_of(leaf).for_each(|miss| self.miss(text, miss, &indent, paint));
        }
    }

    fn element(&self, text: &mut String, step: &Step, paint: Paint) {
        let value = step.output.as_deref().map(clean).unwrap_or_default();
        line(text, &format!("{} = {value}", paint.strong(&step.element)));
        line(text, &format!("  in     {}", step.resource));
        let source = match (&step.source_path, &step.input) {
            (Some(path), Some(input)) => format!("{path} = {}", clean(input)),
            (Some(path), None) => path.clone(),
            (None, Some(input)) => format!("the text {}", clean(input)),
            (None, None) => "the rule itself".to_owned(),
        };
        let place = step.span.map(|span| format!("  bytes {}..{}", span.start, span.end)).unwrap_or_default();
        line(text, &format!("  from   {source}{}", paint.faint(&place)));
        line(text, &format!("  by     {}", how(step)));
        let fates = self.explanation.leaves.iter().filter(|leaf| {
            step.span.is_some_and(|span| super::meet(span, leaf.span)) && leaf.fate != LeafFate::Mapped
        });
        for leaf in fates {
            let reason = leaf.reason.unwrap_or_default();
            line(
                text,
                &format!(
                    "  but    {} is {}: {reason}",
                    leaf.path,
                    paint.fate(leaf.fate, fate_word(leaf.fate))
                ),
            );
        }
        line(text, &format!("  rule   {}", step.rule));
        self.rule(text, &step.rule, "         ", paint);
    }

    fn miss(&self, text: &mut String, miss: &Miss, indent: &str, paint: Paint) {
        let reads: Vec<&str> = miss.reads.iter().map(|read| read.path.as_str()).collect();
        let reads = if reads.is_empty() { String::new() } else { format!(" of {}", reads.join(", ")) };
        line(
            text,
            &format!("{indent}✕ no {}{reads}: {}  {}", miss.element, miss.why, paint.faint(&miss.rule)),
        );
        if let Why::Condition { values, .. } = &miss.why {
            for (path, value) in values {
                let held =
                    value.as_deref().map_or("not valued".to_owned(), |value| format!("= {}", short(value)));
                line(text, &format!("{indent}    {path} {held}"));
            }
        }
        self.rule(text, &miss.rule, &format!("{indent}    "), paint);
    }

    /// The line of the package that a rule stands in.
    fn rule(&self, text: &mut String, rule: &str, indent: &str, paint: Paint) {
        if let Some(source) = source_line(self.sources, rule) {
            line(text, &format!("{indent}{}", paint.faint(&format!("| {source}"))));
        }
    }
}

/// The line that `segments/PID.Patient.yaml:21:12` names.
fn source_line<'s>(sources: &'s BTreeMap<String, String>, rule: &str) -> Option<&'s str> {
    let mut parts = rule.rsplitn(3, ':');
    let (_, number, file) = (parts.next()?, parts.next()?, parts.next()?);
    let number: usize = number.parse().ok()?;
    sources.get(file)?.lines().nth(number.checked_sub(1)?).map(str::trim)
}

/// `code, administrative-gender has it`.
fn how(step: &Step) -> String {
    let mut parts = step.conversions.clone();
    if let Some((table, hit)) = &step.code_table {
        parts.push(format!("{table} {}", if *hit { "has the code" } else { "has no row for the code" }));
    }
    if parts.is_empty() { "as it is".to_owned() } else { parts.join(" → ") }
}

/// Without control characters: a message may hold what a terminal obeys.
fn clean(value: &str) -> String {
    value.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

/// Clean, and cut to the column.
fn short(value: &str) -> String {
    let cut: String = clean(value).chars().take(VALUE_COLUMNS_MAX).collect();
    if value.chars().count() <= VALUE_COLUMNS_MAX {
        return cut;
    }
    let kept: String = cut.chars().take(VALUE_COLUMNS_MAX - 1).collect();
    format!("{kept}…")
}

fn line(text: &mut String, words: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{}", words.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_and_cannot_command_a_terminal() {
        assert_eq!(short("a\u{1b}[31mb"), "a·[31mb");
        assert_eq!(short(&"x".repeat(40)).chars().count(), VALUE_COLUMNS_MAX);
        assert_eq!(Paint::off().strong("x"), "x");
    }

    #[test]
    fn a_rule_leads_to_its_line() {
        let sources = BTreeMap::from([("segments/A.B.yaml".to_owned(), "one\n  two: 2\n".to_owned())]);
        assert_eq!(source_line(&sources, "segments/A.B.yaml:2:7"), Some("two: 2"));
        assert_eq!(source_line(&sources, "segments/A.B.yaml:9:1"), None);
    }
}
