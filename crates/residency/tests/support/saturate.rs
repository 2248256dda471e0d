//! Resources in which every leaf that R4 knows is filled, text with a canary that stands nowhere else.

use serde_json::{Map, Value, json};

/// Types of most choices; as many variants fill every type of every choice.
const VARIANTS: usize = 11;
const DEPTH_MAX: usize = 9;

pub struct Saturated {
    pub resource: Value,
    /// Text that must not come out.
    pub canaries: Vec<String>,
}

/// One resource for every variant of its choices.
pub fn saturated(resource_type: &str) -> Vec<Saturated> {
    (0..VARIANTS)
        .map(|variant| {
            let mut filler =
                Filler { variant, next: 0, canaries: Vec::new(), resource_type: resource_type.to_owned() };
            let mut map = filler.object(resource_type, 0);
            map.insert("resourceType".to_owned(), json!(resource_type));
            let resource = Value::Object(map);
            // Of the two codings made for a `Coding`, one is used.
            let text = resource.to_string();
            filler.canaries.retain(|canary| text.contains(canary.as_str()));
            Saturated { resource, canaries: filler.canaries }
        })
        .collect()
}

struct Filler {
    variant: usize,
    next: usize,
    canaries: Vec<String>,
    resource_type: String,
}

impl Filler {
    fn canary(&mut self) -> String {
        self.next += 1;
        // Letters alone, so that none looks like a number of the output.
        let letters: String =
            format!("{:04}", self.next).bytes().map(|digit| char::from(digit - b'0' + b'k')).collect();
        let canary = format!("Zq{letters}{}", self.resource_type.to_lowercase());
        self.canaries.push(canary.clone());
        canary
    }

    fn date(&mut self) -> String {
        self.next += 1;
        format!("19{}-0{}-1{}", 60 + self.next % 39, 1 + self.next % 9, self.next % 10)
    }

    fn object(&mut self, path: &str, depth: usize) -> Map<String, Value> {
        let mut map = Map::new();
        for element in fhir::r4().children(path) {
            let type_ref = &element.types[self.variant % element.types.len()];
            let filled = depth < DEPTH_MAX || element.min > 0;
            if !filled || ["contained", "modifierExtension", "implicitRules"].contains(&element.name) {
                continue;
            }
            let mut name = element.base_name().to_owned();
            if element.is_choice() {
                name.push_str(&type_ref.code[..1].to_uppercase());
                name.push_str(&type_ref.code[1..]);
            }
            let child_path = fhir::r4().property(path, &name).unwrap().child_path;
            let Some(value) = self.value(element, type_ref, child_path, depth) else { continue };
            map.insert(name, if element.repeats() { json!([value]) } else { value });
        }
        map
    }

    fn value(
        &mut self,
        element: &fhir::Element,
        type_ref: &fhir::TypeRef,
        child_path: &str,
        depth: usize,
    ) -> Option<Value> {
        let bound = element.binding.and_then(|binding| fhir::r4().codes(binding.value_set));
        Some(match type_ref.code {
            "boolean" => json!(true),
            "integer" | "positiveInt" | "unsignedInt" => json!(3),
            "decimal" => json!(12.5),
            "date" | "dateTime" if element.name == "birthDate" => json!(self.date()),
            "date" => json!(self.date()),
            "dateTime" => json!(format!("{}T01:02:03-05:00", self.date())),
            "instant" => json!(format!("{}T01:02:03.004Z", self.date())),
            "time" => json!("13:14:15"),
            "code" => match (element.binding.map(|binding| binding.strength), bound) {
                (Some(fhir::Strength::Required), Some(codes)) => json!(codes.codes().next()?),
                _ => json!(self.canary()),
            },
            "id" => json!(self.canary()),
            "uri" | "url" | "canonical" | "oid" | "uuid" => {
                json!(format!("https://{}.example.org/", self.canary()))
            }
            "base64Binary" => json!("WnFjYW5hcnk="),
            "xhtml" => json!(format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>", self.canary())),
            "string" | "markdown" => json!(self.canary()),
            "Extension" => {
                json!({"url": format!("https://{}.example.org/", self.canary()), "valueString": self.canary()})
            }
            "Reference" => {
                let target = type_ref
                    .targets
                    .first()
                    .copied()
                    .filter(|target| *target != "Resource")
                    .unwrap_or("Patient");
                json!({"reference": format!("{target}/{}", self.canary()), "display": self.canary(), "type": target})
            }
            "CodeableConcept" => json!({"coding": self.codings(bound), "text": self.canary()}),
            "Coding" => self.codings(bound)[0].clone(),
            "Quantity" | "Age" | "Duration" => {
                json!({"value": 12.5, "unit": self.canary(), "system": "http://unitsofmeasure.org", "code": "a"})
            }
            _ => Value::Object(self.object(child_path, depth + 1)),
        })
    }

    /// One coding of an allowed system and one of a site's own.
    fn codings(&mut self, bound: Option<&fhir::CodeSet>) -> Vec<Value> {
        let known = bound.and_then(|codes| {
            codes.codes().next().map(|code| (codes.system_of(code).unwrap_or_default(), code))
        });
        let (system, code) = known
            .filter(|(system, _)| system.starts_with("http://terminology.hl7.org/CodeSystem/"))
            .unwrap_or(("http://loinc.org", "8302-2"));
        vec![
            json!({"system": system, "code": code, "display": self.canary(), "version": self.canary()}),
            json!({"system": "urn:oid:1.2.840.114350.1.13.50", "code": self.canary(), "display": self.canary()}),
        ]
    }
}
