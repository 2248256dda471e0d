//! Where a reference parameter leads: the types that the elements of its expression can refer to. What names a definition
//! by its url (a canonical, a uri) leads nowhere on a server.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::expression::Expression;
use super::reach::{ANY, Reach};
use super::{SearchKind, SearchParameter};
use crate::definitions::r4;

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
            let all = references(name)
                .map(|parameter| (parameter.code, led(name, parameter.program, parameter.targets)));
            (name, all.collect())
        };
        r4().resource_names().map(of_type).collect()
    });
    if let Some(custom) = parameter.custom {
        return &custom.leads;
    }
    let found = all.get(resource).and_then(|of_type| of_type.get(parameter.code));
    found.map_or(&[], Vec::as_slice)
}

/// Types that a reference parameter leads to, by its program and the types that it names itself.
pub(super) fn led(
    resource: &'static str,
    program: Option<&Expression>,
    named: &[&'static str],
) -> Vec<&'static str> {
    let Some(program) = program else { return Vec::new() };
    let found = Reach::from(resource).of_resource(program);
    let references = found.into_iter().filter(|found| found.path == "Reference");
    let mut allowed: Vec<&'static str> = references.flat_map(|found| found.targets).collect();
    if allowed.contains(&ANY) {
        allowed = r4().resource_names().collect();
    }
    allowed.retain(|of| named.is_empty() || named.contains(of) || named.contains(&ANY));
    allowed.sort_unstable();
    allowed.dedup();
    allowed
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
