//! Values: paths, literals, functions.

use super::Checker;
use super::source::{Facts, Source, Use};
use crate::diagnostic::Place;
use crate::plan::{Expression, Function};
use crate::syntax::Value;

/// Name, function, least and most arguments.
pub(crate) const FUNCTIONS: [(&str, Function, usize, usize); 16] = [
    ("count", Function::Count, 1, 1),
    ("precision", Function::Precision, 1, 1),
    ("present", Function::Present, 1, 1),
    ("concat", Function::Concat, 1, 16),
    ("join", Function::Join, 2, 16),
    ("lower", Function::Lower, 1, 1),
    ("upper", Function::Upper, 1, 1),
    ("trim", Function::Trim, 1, 1),
    ("strip", Function::Strip, 1, 1),
    ("length", Function::Length, 1, 1),
    ("index", Function::Index, 0, 0),
    ("base64", Function::Base64, 2, 2),
    ("uuid", Function::Uuid, 1, 16),
    ("later", Function::Later, 3, 3),
    ("ordinal", Function::Ordinal, 1, 16),
    ("outer", Function::Outer, 1, 1),
];

/// Starts of URLs that need no registration: HL7's own.
const HL7_URLS: [&str; 2] = ["http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/"];

impl Checker<'_> {
    pub(super) fn expression(
        &mut self,
        value: &Value,
        place: Place,
        source: &Source,
        purpose: Use,
    ) -> Option<(Expression, Facts)> {
        match value {
            Value::Path(path) => {
                self.path(path, place, source, purpose).map(|(path, facts)| (Expression::Path(path), facts))
            }
            Value::Literal { text, offset } => {
                self.check_literal(text, place.shifted(*offset, text.chars().count()));
                Some((Expression::Literal(text.clone()), single()))
            }
            Value::Fact { name, .. } => {
                let fact = self.site.facts.get(name).filter(|fact| *fact != "false");
                Some((fact.map_or(Expression::Absent, |fact| Expression::Literal(fact.clone())), single()))
            }
            Value::First(values) => {
                let compiled: Vec<(Expression, Facts)> = values
                    .iter()
                    .filter_map(|value| self.expression(value, place, source, purpose))
                    .collect();
                if compiled.len() != values.len() {
                    return None;
                }
                let facts = Facts {
                    datatype: compiled.first().map(|(_, facts)| facts.datatype.clone()).unwrap_or_default(),
                    many: compiled.iter().any(|(_, facts)| facts.many),
                };
                Some((Expression::First(compiled.into_iter().map(|(value, _)| value).collect()), facts))
            }
            Value::Call { function, arguments, offset } => {
                let at = place.shifted(*offset, function.chars().count());
                self.call(function, arguments, place, at, source).map(|call| (call, single()))
            }
        }
    }

    fn call(
        &mut self,
        name: &str,
        arguments: &[Value],
        place: Place,
        at: Place,
        source: &Source,
    ) -> Option<Expression> {
        if name == "id" {
            let [Value::Literal { text, .. }] = arguments else {
                self.findings.add(at, "E0202", "id takes one handle");
                return None;
            };
            self.handles.push((text.clone(), at, true));
            return Some(Expression::IdOf(self.handle(text)));
        }
        if name == "lookup" {
            return self.lookup(arguments, place, at, source);
        }
        let Some((_, function, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            self.findings.add_near(
                at,
                "E0202",
                format!("no function {name}"),
                name,
                FUNCTIONS.iter().map(|(known, ..)| *known).chain(["id", "lookup"]),
            );
            return None;
        };
        if arguments.len() < *least || arguments.len() > *most {
            self.findings.add(at, "E0202", format!("{name} takes {least} to {most} arguments"));
            return None;
        }
        if *function == Function::Outer && !source.filters {
            self.findings.add_help(
                at,
                "E0202",
                "outer means the place around a filter, and this is in none",
                "OBX*(OBX-4 = outer(OBX-4))-5",
            );
            return None;
        }
        let purpose = if *function == Function::Count { Use::Any } else { Use::First };
        let compiled: Vec<Expression> = arguments
            .iter()
            .filter_map(|argument| self.expression(argument, place, source, purpose))
            .map(|(value, _)| value)
            .collect();
        (compiled.len() == arguments.len())
            .then_some(Expression::Call { function: *function, arguments: compiled.into() })
    }

    /// `lookup(TABLE, value)`.
    fn lookup(
        &mut self,
        arguments: &[Value],
        place: Place,
        at: Place,
        source: &Source,
    ) -> Option<Expression> {
        let [Value::Literal { text: table, .. }, value] = arguments else {
            self.findings.add(at, "E0202", "lookup takes a code table and a value");
            return None;
        };
        let table = self.table(table, at)?;
        let (value, _) = self.expression(value, place, source, Use::First)?;
        Some(Expression::Call { function: Function::Lookup(table), arguments: [value].into() })
    }

    fn check_literal(&mut self, text: &str, at: Place) {
        let is_url = text.starts_with("http:") || text.starts_with("https:") || text.starts_with("urn:");
        if is_url && !self.is_declared_url(text) {
            let declared: Vec<String> = self.systems.declared.iter().cloned().collect();
            self.findings.add_near(
                at,
                "E0308",
                "this URL is in no registry (systems.yaml, extensions.yaml)",
                text,
                declared.iter().map(String::as_str),
            );
        }
    }

    /// Is the URL registered, or one of HL7's own?
    pub(super) fn is_declared_url(&self, url: &str) -> bool {
        let own = HL7_URLS.iter().any(|start| url.starts_with(start)) && !url.ends_with(['.', '/']);
        own || self.systems.declared.contains(url)
    }
}

fn single() -> Facts {
    Facts { datatype: "ST".to_owned(), many: false }
}
