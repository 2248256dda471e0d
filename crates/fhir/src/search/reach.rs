//! What a search expression can reach, read off the element table: what it gives, what it reads on its way, and where it
//! leads nowhere.

use super::evaluate::is_of;
use super::expression::{Expression, Literal};
use crate::definitions::{Element, TypeRef, r4};

/// The type of what a comparison gives.
const BOOLEAN: &str = "boolean";
/// The element by which extensions tell themselves apart.
const URL: &str = "url";
/// Elements that are named where another is not found.
const NAMED_MAX: usize = 40;

/// An element that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ElementRead {
    /// Its path (`Patient.gender`, `Coding.code`).
    pub path: &'static str,
    /// Its type; `@ref` where it shares the children of another.
    pub type_code: &'static str,
    /// The extensions that it lies in, outermost first.
    pub within: Vec<OwnExtension>,
}

/// An extension that an expression goes through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnExtension {
    /// The one of this url.
    Named(&'static str),
    /// Whichever is there.
    Any,
}

/// What an expression can give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    /// Path of a backbone element, name of another type.
    pub(super) path: String,
    /// What a reference may point at.
    pub(super) targets: Vec<&'static str>,
    within: Vec<OwnExtension>,
    /// The element that it is; of a choice, which type of it is read is known when a type is asked for.
    element: Option<ElementRead>,
}

impl Reached {
    fn of(path: &str) -> Self {
        Self { path: path.to_owned(), targets: Vec::new(), within: Vec::new(), element: None }
    }
}

/// Where an expression leads nowhere: the part, and what is there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeadEnd {
    /// As it is written.
    pub(super) part: String,
    pub(super) problem: String,
}

/// Any type, as the definitions say it.
pub(super) const ANY: &str = "Resource";

/// Follows expressions through the table.
pub(super) struct Reach {
    /// The type that evaluation begins with.
    resource: &'static str,
    pub(super) reads: Vec<ElementRead>,
    /// The first.
    pub(super) dead_end: Option<DeadEnd>,
}

impl Reach {
    /// Begins at a resource type.
    pub(super) fn from(resource: &'static str) -> Self {
        Self { resource, reads: Vec::new(), dead_end: None }
    }

    /// What an expression gives that is evaluated on the resource.
    pub(super) fn of_resource(&mut self, expression: &Expression) -> Vec<Reached> {
        self.of(expression, &[Reached::of(self.resource)])
    }

    /// What an expression gives that is evaluated on these.
    pub(super) fn of(&mut self, expression: &Expression, context: &[Reached]) -> Vec<Reached> {
        let found = self.walked(expression, context);
        self.read(&found);
        found
    }

    /// Notes that these are read.
    fn read(&mut self, found: &[Reached]) {
        for read in found.iter().filter_map(|one| one.element.as_ref()) {
            if !self.reads.contains(read) {
                self.reads.push(read.clone());
            }
        }
    }

    fn walked(&mut self, expression: &Expression, context: &[Reached]) -> Vec<Reached> {
        let truth = || vec![Reached::of(BOOLEAN)];
        match expression {
            Expression::Context => context.to_vec(),
            Expression::Resource => vec![Reached::of(self.resource)],
            Expression::Root(name) => {
                let found: Vec<Reached> =
                    context.iter().filter(|one| is_of(type_of(&one.path), name)).cloned().collect();
                if found.is_empty() {
                    self.ends(name, || format!("is another type than {}", named(context)));
                }
                found
            }
            Expression::Child(of, name) => {
                let parents = self.of(of, context);
                self.children(&parents, name)
            }
            Expression::OfType(of, name) => {
                let all = self.walked(of, context);
                self.of_type(all, name)
            }
            Expression::Is(of, _) => {
                self.of(of, context);
                truth()
            }
            Expression::Where(of, condition) => self.filtered(of, condition, context),
            Expression::Index(of, _) | Expression::Resolve(of) => self.walked(of, context),
            Expression::Exists(of) | Expression::Equals(of, _) | Expression::NotEquals(of, _) => {
                self.of(of, context);
                truth()
            }
            Expression::And(left, right) => {
                self.of(left, context);
                self.of(right, context);
                truth()
            }
            Expression::Union(all) => all.iter().flat_map(|one| self.walked(one, context)).collect(),
        }
    }

    fn filtered(&mut self, of: &Expression, condition: &Expression, context: &[Reached]) -> Vec<Reached> {
        let mut all = self.of(of, context);
        if let Expression::Is(what, name) = condition
            && matches!(&**what, Expression::Resolve(_))
        {
            for found in &mut all {
                found.targets.retain(|of| of == name || *of == ANY);
                found.targets.iter_mut().for_each(|of| *of = *name);
            }
        }
        match url_of(condition).filter(|_| all.iter().all(|found| found.path == "Extension")) {
            // Whoever looks for an extension reads its url, and of others nothing.
            Some(url) => {
                let last = all.iter_mut().filter_map(|found| found.within.last_mut());
                last.for_each(|own| *own = OwnExtension::Named(url));
            }
            None => drop(self.of(condition, &all)),
        }
        all
    }

    fn of_type(&mut self, all: Vec<Reached>, name: &'static str) -> Vec<Reached> {
        let of_one = |found: &Reached| match found.path.as_str() {
            ANY if r4().is_resource(name) => Some(Reached { path: name.to_owned(), ..found.clone() }),
            path if is_of(type_of(path), name) => Some(found.clone()),
            _ => None,
        };
        let kept: Vec<Reached> = all.iter().filter_map(of_one).collect();
        if kept.is_empty() && !all.is_empty() {
            self.ends(name, || format!("is none of the types of what it is asked of: {}", named(&all)));
        }
        kept
    }

    fn children(&mut self, parents: &[Reached], name: &'static str) -> Vec<Reached> {
        let found: Vec<Reached> = parents.iter().flat_map(|parent| Self::child(parent, name)).collect();
        if found.is_empty() && !parents.is_empty() {
            self.ends(name, || {
                let all = parents.iter().flat_map(|parent| r4().children(&parent.path).iter());
                let mut all: Vec<&str> = all.map(|element| element.base_name()).collect();
                all.sort_unstable();
                all.dedup();
                all.truncate(NAMED_MAX);
                let there = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
                format!("is no element of {}; there is: {there}", named(parents))
            });
        }
        found
    }

    /// A child, in each type of a choice or, where its JSON name is given, in that one.
    fn child(parent: &Reached, name: &str) -> Vec<Reached> {
        let element = r4().children(&parent.path).iter().copied().find(|element| element.base_name() == name);
        let typed = r4().property(&parent.path, name);
        let types: Vec<(&'static Element, TypeRef)> = match (element, typed) {
            (Some(element), _) => element.types.iter().map(|of| (element, *of)).collect(),
            (None, Some(property)) => {
                let types = property.element.types.iter();
                types.filter(|of| of.code == property.type_code).map(|of| (property.element, *of)).collect()
            }
            (None, None) => Vec::new(),
        };
        types.into_iter().filter_map(|(element, of)| Self::step(parent, element, of)).collect()
    }

    fn step(parent: &Reached, element: &'static Element, of: TypeRef) -> Option<Reached> {
        let any = of.code == "Reference" && of.targets.is_empty();
        let targets = if any { vec![ANY] } else { of.targets.to_vec() };
        let type_code = if element.content_reference.is_some() { "@ref" } else { of.code };
        let read = Some(ElementRead { path: element.path, type_code, within: parent.within.clone() });
        let mut within = parent.within.clone();
        if of.code == "Extension" {
            within.push(OwnExtension::Any);
        }
        if r4().is_primitive(of.code) {
            return Some(Reached { path: of.code.to_owned(), targets, within, element: read });
        }
        let mut name = element.base_name().to_owned();
        if element.is_choice() {
            let mut letters = of.code.chars();
            name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
            name.push_str(letters.as_str());
        }
        let path = r4().property(&parent.path, &name)?.child_path.to_owned();
        Some(Reached { path, targets, within, element: read })
    }

    fn ends(&mut self, part: &str, problem: impl FnOnce() -> String) {
        if self.dead_end.is_none() {
            self.dead_end = Some(DeadEnd { part: part.to_owned(), problem: problem() });
        }
    }
}

/// The url that a condition asks of an extension.
fn url_of(condition: &Expression) -> Option<&'static str> {
    match condition {
        Expression::Equals(of, Literal::Text(url)) => match &**of {
            Expression::Child(own, name) if **own == Expression::Context && *name == URL => Some(url),
            _ => None,
        },
        _ => None,
    }
}

/// The type of what has this path.
pub(super) fn type_of(path: &str) -> &str {
    if path.contains('.') { "BackboneElement" } else { path }
}

fn named(all: &[Reached]) -> String {
    let mut paths: Vec<&str> = all.iter().map(|found| found.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.join(", ")
}
