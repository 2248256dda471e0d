//! The element table says what R4 says.

use fhir::{ResourceType, Strength, r4};

#[test]
fn choice_and_content_reference_resolve() {
    let value = r4().property("Observation", "valueQuantity").unwrap();
    assert_eq!(
        (value.element.path, value.type_code, value.child_path),
        ("Observation.value[x]", "Quantity", "Quantity")
    );
    let range = r4().property("Observation.component", "referenceRange").unwrap();
    assert_eq!((range.type_code, range.child_path), ("BackboneElement", "Observation.referenceRange"));
    assert_eq!(r4().children("Observation.component.referenceRange").len(), 9);
    assert!(r4().property("Observation.component.referenceRange", "low").is_some());
    assert!(r4().property("Observation", "valueMoney").is_none());
    assert!(r4().property("Observation", "value").is_none());
    assert_eq!(r4().property("Patient", "id").unwrap().type_code, "id");
    assert_eq!(r4().property("Extension", "url").unwrap().type_code, "uri");
    assert_eq!(r4().property("Timing", "repeat").unwrap().child_path, "Timing.repeat");
    assert_eq!(r4().property("Bundle.entry", "resource").unwrap().child_path, "Resource");
}

#[test]
fn elements_carry_cardinality_types_and_bindings() {
    let status = r4().element("Observation.status").unwrap();
    assert_eq!((status.min, status.max, status.is_modifier, status.is_summary), (1, Some(1), true, true));
    assert_eq!(status.binding.unwrap().strength, Strength::Required);
    let codes = r4().codes(status.binding.unwrap().value_set).unwrap();
    assert!(codes.contains("final") && !codes.contains("done"));
    assert_eq!(codes.system_of("final"), Some("http://hl7.org/fhir/observation-status"));
    assert_eq!(codes.display("entered-in-error"), Some("Entered in Error"));
    let subject = r4().element("Observation.subject").unwrap();
    assert_eq!(subject.types[0].targets, ["Patient", "Group", "Device", "Location"]);
    let order: Vec<&str> = r4().children("Patient").iter().map(|element| element.name).collect();
    assert_eq!(&order[..6], ["id", "meta", "implicitRules", "language", "text", "contained"]);
    assert_eq!(order.last(), Some(&"link"));
}

#[test]
fn the_table_is_whole() {
    assert_eq!(r4().resource_names().count(), 146);
    assert!(ResourceType::parse("Patient").is_some());
    assert!(ResourceType::parse("DomainResource").is_none());
    assert!(ResourceType::parse("Humbug").is_none());
    assert!(r4().is_primitive("instant") && !r4().is_primitive("Period"));
    assert_eq!(r4().patient_compartment("Observation"), ["subject", "performer"]);
    assert!(r4().patient_compartment("Location").is_empty());
    let parameters = r4().search_parameters("Patient");
    for code in ["_id", "_lastUpdated", "identifier", "birthdate", "name", "general-practitioner"] {
        assert!(parameters.iter().any(|parameter| parameter.code == code), "{code}");
    }
}

#[test]
fn every_child_path_of_a_complex_property_has_children() {
    for name in r4().resource_names() {
        let mut open = vec![name];
        let mut seen = std::collections::HashSet::new();
        while let Some(path) = open.pop() {
            if !seen.insert(path) {
                continue;
            }
            let children = r4().children(path);
            assert!(!children.is_empty(), "{path} has no children");
            for element in children {
                for type_ref in element.types {
                    let json_name = match element.is_choice() {
                        true => format!(
                            "{}{}{}",
                            element.base_name(),
                            type_ref.code[..1].to_uppercase(),
                            &type_ref.code[1..]
                        ),
                        false => element.name.to_owned(),
                    };
                    open.push(r4().property(path, &json_name).unwrap().child_path);
                }
            }
        }
    }
}
