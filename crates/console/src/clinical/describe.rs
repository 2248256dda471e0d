//! What the v2 dictionary says of a place in a message.

use hl7v2::dictionary::{datatype, segment};
use hl7v2::{LeafPath, Message};

/// A place of a message in words. No value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Description {
    /// `Patient Name: Family Name`; empty for a segment that no version has.
    pub(crate) name: String,
    /// `XPN.FN`: type of the field, then of the component.
    pub(crate) datatype: String,
    /// `HL7 table 0001`; empty where codes come from none.
    pub(crate) table: String,
    /// `repetition 2 of 3`; empty where there is one.
    pub(crate) repetition: String,
}

/// The name of a leaf.
pub(crate) fn name_of(message: &Message<'_>, path: LeafPath) -> String {
    describe(message, path).name
}

/// Describes a leaf.
pub(crate) fn describe(message: &Message<'_>, path: LeafPath) -> Description {
    let Some(at) = usize::try_from(path.segment).ok().and_then(|index| message.segment(index)) else {
        return Description::default();
    };
    let field = at.field(usize::from(path.field));
    let repetitions = field.repetition_count();
    let repetition = match repetitions {
        0 | 1 => String::new(),
        _ => format!("repetition {} of {repetitions}", u32::from(path.repetition) + 1),
    };
    let nth = |number: u16| usize::from(number).checked_sub(1);
    let Some(definition) = segment(at.name()).and_then(|fields| fields.get(nth(path.field)?)) else {
        return Description { repetition, ..Description::default() };
    };
    let mut description = Description {
        name: definition.name.to_owned(),
        datatype: definition.datatype.to_owned(),
        table: table(definition.table),
        repetition,
    };
    let part = field.repetition(usize::from(path.repetition));
    let component = datatype(definition.datatype).and_then(|components| components.get(nth(path.component)?));
    if let Some(component) = component.filter(|_| part.component_count() > 1 || path.component > 1) {
        description.deepen(component);
        let has_parts = part.component(usize::from(path.component)).subcomponent_count() > 1;
        let inner = datatype(component.datatype).and_then(|parts| parts.get(nth(path.subcomponent)?));
        if let Some(inner) = inner.filter(|_| has_parts) {
            description.deepen(inner);
        }
    }
    description
}

impl Description {
    fn deepen(&mut self, component: &hl7v2::dictionary::ComponentDefinition) {
        self.name = format!("{}: {}", self.name, component.name);
        self.datatype = format!("{}.{}", self.datatype, component.datatype);
        self.table = table(component.table);
    }

    /// In one line, for the bar over the panels.
    pub(crate) fn line(&self) -> String {
        let parts = [&self.name, &self.datatype, &self.table, &self.repetition];
        let told: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        told.join(" \u{b7} ")
    }
}

fn table(number: Option<u16>) -> String {
    number.map(|number| format!("HL7 table {number:04}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_named_down_to_its_component() {
        let bytes =
            b"MSH|^~\\&|A|B|||20260101||ADT^A01|7|P|2.5.1\rPID|1||77^^^H~78^^^H||Doe^Jo||19700101|F\rZZZ|x\r";
        let message = Message::read(bytes).expect("reads");
        let at = |text: &str| {
            let path: hl7v2::path::Path = text.parse().expect("a path");
            describe(&message, path.resolve(&message).path())
        };
        let family = at("PID-5.1");
        assert_eq!(family.name, "Patient Name: Family Name");
        assert_eq!(family.datatype, "XPN.FN");
        assert_eq!(at("PID-8").line(), "Administrative Sex \u{b7} IS \u{b7} HL7 table 0001");
        assert_eq!(at("PID-3~2.1").repetition, "repetition 2 of 2");
        assert_eq!(at("ZZZ-1").line(), "");
    }
}
