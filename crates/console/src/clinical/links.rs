//! Which leaves of the message belong to which FHIR elements: what the panels highlight together.

use std::collections::HashMap;

use hl7v2::{Message, Span};
use mapping::Step;

/// Leaves one element is linked to; more of them would highlight everything.
const LEAVES_LINKED_MAX: usize = 64;

/// Numbers of leaves, in message order, from 0.
pub(crate) type Numbers = Vec<usize>;

/// The links of one message.
#[derive(Default)]
pub(crate) struct Links {
    spans: Vec<Span>,
    paths: Vec<String>,
    elements: HashMap<String, HashMap<String, Numbers>>,
}

impl Links {
    /// Links the leaves of a message to the elements that the steps wrote.
    pub(crate) fn of(message: &Message<'_>, steps: impl Iterator<Item = Step>) -> Self {
        let mut links = Self {
            spans: message.leaves().map(|leaf| leaf.span).collect(),
            paths: message.leaves().map(|leaf| leaf.path.describe(message).to_string()).collect(),
            elements: HashMap::new(),
        };
        for step in steps {
            let numbers = links.leaves(step.span);
            let elements = links.elements.entry(step.resource).or_default();
            let known = elements.entry(step.element).or_default();
            known.extend(numbers);
            known.sort_unstable();
            known.dedup();
        }
        links
    }

    /// The leaves that a span touches.
    pub(crate) fn leaves(&self, span: Option<Span>) -> Numbers {
        let Some(span) = span.filter(|span| !span.is_empty()) else { return Numbers::new() };
        let first = self.spans.partition_point(|leaf| leaf.end <= span.start);
        let touched = self.spans.iter().enumerate().skip(first).take_while(|(_, leaf)| leaf.start < span.end);
        touched.map(|(number, _)| number).take(LEAVES_LINKED_MAX).collect()
    }

    /// The path of the first of these leaves; empty when there is none.
    pub(crate) fn path(&self, numbers: &[usize]) -> String {
        numbers.first().and_then(|number| self.paths.get(*number)).cloned().unwrap_or_default()
    }

    /// The leaves behind an element (`Patient.name[0].family`) of a resource (`Patient/<id>`).
    pub(crate) fn element(&self, resource: &str, element: &str) -> Option<&Numbers> {
        self.elements.get(resource)?.get(element)
    }
}

/// Numbers as a `data-n` attribute holds them.
pub(crate) fn attribute(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_finds_the_leaves_it_touches() {
        let bytes = b"MSH|^~\\&|A|B|||20260101||ADT^A01|7|P|2.5.1\rPID|1||77^^^H||Doe^Jo\r";
        let message = Message::read(bytes).expect("reads");
        let links = Links::of(&message, std::iter::empty());
        let name = message.segment_named("PID", 1).expect("PID").field(5);
        let both = links.leaves(Some(name.span()));
        assert_eq!(both.len(), 2);
        assert_eq!(links.leaves(Some(name.component(2).span())), both[1..]);
        assert!(links.leaves(None).is_empty());
        assert_eq!(attribute(&both), format!("{} {}", both[0], both[1]));
    }
}
