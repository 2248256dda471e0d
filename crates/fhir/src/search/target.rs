//! Where a reference parameter leads: the types that the elements of its expression can refer to. What names a definition
//! by its url (a canonical, a uri) leads nowhere on a server.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::expression::Expression;
use super::{SearchKind, SearchParameter};
use crate::definitions::{Element, TypeRef, r4};

/// Any type, as the definitions say it.
const ANY: &str = "Resource";

/// Targets of each parameter of R4, by resource type, then code.
type Targets = HashMap<&'static str, HashMap<&'static str, Vec<&'static str>>>;

/// Types that a reference parameter of a resource type can lead to: what its elements allow, of what the parameter names.
/// Empty when none of them is a reference.
pub fn reference_targets(resource: &str, parameter: &SearchParameter) -> &'static [&'static str] {
    static TARGETS: OnceLock<Targets> = OnceLock::new();
    let all = TARGETS.get_or_init(|| {
        let references = |name: &'static str| {
            let all = r4().search_parameters(name).iter();
            all.filter(|parameter| parameter.kind == SearchKind::Reference)
        };
        let of_type = |name: &'static str| {
            let all = references(name).map(|parameter| (parameter.code, read(name, parameter)));
            (name, all.collect())
        };
        r4().resource_names().map(of_type).collect()
    });
    let found = all.get(resource).and_then(|of_type| of_type.get(parameter.code));
    found.map_or(&[], Vec::as_slice)
}

fn read(resource: &str, parameter: &SearchParameter) -> Vec<&'static str> {
    let Some(program) = parameter.program else { return Vec::new() };
    let found = found(program, resource).into_iter().filter(|found| found.path == "Reference");
    let mut allowed: Vec<&'static str> = found.flat_map(|found| found.targets).collect();
    if allowed.contains(&ANY) {
        allowed = r4().resource_names().collect();
    }
    let named = parameter.targets;
    allowed.retain(|of| named.is_empty() || named.contains(of) || named.contains(&ANY));
    allowed.sort_unstable();
    allowed.dedup();
    allowed
}

/// What an expression can give.
struct Found {
    /// Path of a backbone element, name of another type.
    path: String,
    /// What a reference may point at.
    targets: Vec<&'static str>,
}

fn found(expression: &Expression, resource: &str) -> Vec<Found> {
    let every = |of: &Expression| found(of, resource);
    match expression {
        Expression::Context | Expression::Resource | Expression::Root(_) => {
            vec![Found { path: resource.to_owned(), targets: Vec::new() }]
        }
        Expression::Child(of, name) => {
            every(of).iter().flat_map(|parent| children(&parent.path, name)).collect()
        }
        Expression::OfType(of, name) | Expression::Is(of, name) => {
            every(of).into_iter().filter(|found| found.path == *name).collect()
        }
        Expression::Where(of, condition) => {
            let mut all = every(of);
            if let Expression::Is(what, name) = &**condition
                && matches!(&**what, Expression::Resolve(_))
            {
                for found in &mut all {
                    found.targets.retain(|of| of == name || *of == ANY);
                    found.targets.iter_mut().for_each(|of| *of = *name);
                }
            }
            all
        }
        Expression::Index(of, _)
        | Expression::Exists(of)
        | Expression::Resolve(of)
        | Expression::Equals(of, _)
        | Expression::NotEquals(of, _)
        | Expression::And(of, _) => every(of),
        Expression::Union(all) => all.iter().flat_map(every).collect(),
    }
}

/// A child, in each type of a choice.
fn children(parent: &str, name: &str) -> Vec<Found> {
    let element = r4().children(parent).iter().copied().find(|element| element.base_name() == name);
    let Some(element) = element else { return Vec::new() };
    element.types.iter().filter_map(|of| child(parent, element, *of)).collect()
}

fn child(parent: &str, element: &Element, of: TypeRef) -> Option<Found> {
    let any = of.code == "Reference" && of.targets.is_empty();
    let targets = if any { vec![ANY] } else { of.targets.to_vec() };
    if r4().is_primitive(of.code) {
        return Some(Found { path: of.code.to_owned(), targets });
    }
    let mut name = element.base_name().to_owned();
    if element.is_choice() {
        let mut letters = of.code.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(letters.as_str());
    }
    Some(Found { path: r4().property(parent, &name)?.child_path.to_owned(), targets })
}

#[cfg(test)]
mod tests {
    use super::reference_targets;
    use crate::r4;

    #[test]
    fn a_parameter_leads_where_its_elements_do() {
        for (of, code, expected) in [
            ("AllergyIntolerance", "patient", &["Patient"][..]),
            ("CarePlan", "patient", &["Patient"]),
            ("CarePlan", "subject", &["Group", "Patient"]),
            ("Patient", "general-practitioner", &["Organization", "Practitioner", "PractitionerRole"]),
            ("MedicationRequest", "medication", &["Medication"]),
            ("ConceptMap", "target", &[]),
            ("ConceptMap", "other", &[]),
            ("Measure", "depends-on", &[]),
            ("QuestionnaireResponse", "questionnaire", &[]),
        ] {
            let parameter = r4().search_parameter(of, code).expect("of R4");
            assert_eq!(reference_targets(of, parameter), expected, "{of} {code}");
        }
        let target = r4().search_parameter("Provenance", "target").expect("of R4");
        let mut named = target.targets.to_vec();
        named.sort_unstable();
        assert_eq!(reference_targets("Provenance", target), named, "an element of any, all that is named");
    }
}
