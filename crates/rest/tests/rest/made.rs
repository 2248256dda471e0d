//! Resources made of the element table: what R4 requires of a type, and a value at each path that is asked for.

use fhir::{Element, TypeRef, r4};
use serde_json::{Map, Value, json};

/// Where required references point: nobody asks for it.
const ELSEWHERE: &str = "elsewhere";
/// References inside references, extensions inside extensions: none is that deep.
const DEPTH_MAX: usize = 12;

/// A path below a type (`name.family`, `value[x]`, `effectiveDateTime`), the type that its value has, and the target of
/// a reference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub path: Vec<String>,
    /// Type of a choice, where the path does not name it.
    pub type_code: Option<String>,
    /// `Patient/x`, what an extension is called, what a code is: what the last element shall hold.
    pub value: Option<Value>,
}

impl Wanted {
    pub fn at(path: &str) -> Self {
        Self { path: path.split('.').map(str::to_owned).collect(), ..Self::default() }
    }

    pub fn with(path: &str, value: Value) -> Self {
        Self { value: Some(value), ..Self::at(path) }
    }

    fn below(&self) -> Option<Self> {
        let rest = self.path.get(1..).filter(|rest| !rest.is_empty())?;
        Some(Self { path: rest.to_vec(), ..self.clone() })
    }
}

/// A resource of a type with these paths.
pub fn made(of: &str, id: &str, wanted: &[Wanted]) -> Value {
    let mut members = object(of, wanted, 0);
    members.insert("resourceType".to_owned(), json!(of));
    members.insert("id".to_owned(), json!(id));
    rules(of, &mut members);
    Value::Object(members)
}

/// What is wanted of one child: of its name, with the type of a choice or without.
fn of_child<'w>(element: &Element, wanted: &'w [Wanted]) -> Vec<(&'w Wanted, Option<TypeRef>)> {
    let named = |wanted: &'w Wanted| {
        let first = wanted.path.first()?.trim_end_matches("[x]");
        if first == element.base_name() {
            let typed = wanted.type_code.as_deref().filter(|_| element.is_choice());
            let of = |code: &str| element.types.iter().copied().find(|of| of.code.eq_ignore_ascii_case(code));
            return match typed {
                Some(code) => of(code).map(|of| (wanted, Some(of))),
                None => Some((wanted, None)),
            };
        }
        let of = element.types.iter().copied().find(|of| json_name(element, *of) == first);
        of.filter(|_| element.is_choice()).map(|of| (wanted, Some(of)))
    };
    wanted.iter().filter_map(named).collect()
}

fn json_name(element: &Element, of: TypeRef) -> String {
    if !element.is_choice() {
        return element.name.to_owned();
    }
    let mut letters = of.code.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    element.base_name().chars().chain(first).chain(letters).collect()
}

fn object(path: &str, wanted: &[Wanted], depth: usize) -> Map<String, Value> {
    let mut members = Map::new();
    assert!(depth < DEPTH_MAX, "{path} has no end");
    for element in r4().children(path) {
        let asked = of_child(element, wanted);
        if element.min == 0 && asked.is_empty() {
            continue;
        }
        let of = asked.iter().find_map(|(_, of)| *of).or(element.types.first().copied());
        let Some(of) = of else { continue };
        let name = json_name(element, of);
        let below: Vec<Wanted> = asked.iter().filter_map(|(wanted, _)| wanted.below()).collect();
        let given = asked
            .iter()
            .find(|(wanted, _)| wanted.path.len() == 1)
            .and_then(|(wanted, _)| wanted.value.clone());
        let value = given.unwrap_or_else(|| value(path, element, of, (&name, &below), depth + 1));
        let value = if element.repeats() && !value.is_array() { json!([value]) } else { value };
        members.insert(name, value);
    }
    members
}

fn value(
    path: &str,
    element: &Element,
    of: TypeRef,
    (name, below): (&str, &[Wanted]),
    depth: usize,
) -> Value {
    let property = r4().property(path, name).expect("a child is a property");
    if r4().is_primitive(of.code) || of.code.starts_with("http://hl7.org/fhirpath/") {
        return primitive(of.code, element);
    }
    let bound = element.binding.and_then(|binding| r4().codes(binding.value_set));
    let code = bound.and_then(|codes| Some((codes.codes().next()?.to_owned(), codes)));
    match (of.code, below.is_empty()) {
        ("Reference", true) => reference(of),
        ("CodeableConcept", true) => {
            let coding = match &code {
                Some((code, codes)) => json!({"system": codes.system_of(code), "code": code}),
                None => json!({"system": "http://example.org/codes", "code": "made"}),
            };
            json!({"coding": [coding]})
        }
        ("Coding", true) => match &code {
            Some((code, codes)) => json!({"system": codes.system_of(code), "code": code}),
            None => json!({"system": "http://example.org/codes", "code": "made"}),
        },
        ("Extension", true) => json!({"url": "http://example.org/extension", "valueString": "made"}),
        ("Resource", _) => json!({"resourceType": "Basic", "id": "inner", "code": {"text": "made"}}),
        ("Narrative", _) => {
            json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">made</div>"})
        }
        ("Period", true) => json!({"start": "2020-05-11"}),
        ("Timing", true) => json!({"event": ["2020-05-11"]}),
        ("Identifier", true) => json!({"system": "http://example.org/numbers", "value": "made"}),
        ("HumanName" | "Address", true) => json!({"text": "made"}),
        ("ContactPoint", _) if !below.iter().any(|wanted| wanted.value.is_some()) => {
            json!({"system": "phone", "use": "work", "value": "555-0100"})
        }
        (
            "Quantity" | "Age" | "Duration" | "Count" | "Distance" | "SimpleQuantity" | "MoneyQuantity",
            true,
        ) => {
            json!({"value": 5.4, "unit": "year", "system": "http://unitsofmeasure.org", "code": "a"})
        }
        ("Range", true) => json!({"low": {"value": 5.4}, "high": {"value": 5.4}}),
        _ => {
            let mut filled = object(property.child_path, below, depth);
            match of.code {
                "Attachment" if filled.contains_key("data") => {
                    filled.entry("contentType").or_insert(json!("text/plain"));
                }
                "Quantity" if filled.contains_key("code") => {
                    filled.entry("system").or_insert(json!("http://unitsofmeasure.org"));
                }
                _ => {}
            }
            if filled.is_empty() { first_child(property.child_path, depth) } else { Value::Object(filled) }
        }
    }
}

/// The first child that is no matter of every element: an empty object is none in JSON of FHIR.
fn first_child(path: &str, depth: usize) -> Value {
    let own = |element: &&&Element| !["id", "extension", "modifierExtension"].contains(&element.name);
    let first = r4().children(path).iter().find(own).expect("a type has elements of its own");
    Value::Object(object(path, &[Wanted::at(first.base_name())], depth))
}

fn reference(of: TypeRef) -> Value {
    let target = of.targets.iter().find(|target| r4().is_resource(target)).unwrap_or(&"Patient");
    json!({"reference": format!("{target}/{ELSEWHERE}")})
}

fn primitive(code: &str, element: &Element) -> Value {
    let bound = element.binding.and_then(|binding| r4().codes(binding.value_set));
    if let Some(code) = bound.and_then(|codes| codes.codes().next()) {
        return json!(code);
    }
    match code {
        "boolean" => json!(true),
        "integer" | "positiveInt" | "unsignedInt" => json!(5),
        "decimal" => json!(5.4),
        "date" | "dateTime" => json!("2020-05-11"),
        "instant" => json!("2020-05-11T10:00:00Z"),
        "time" => json!("10:00:00"),
        "base64Binary" => json!("bWFkZQ=="),
        "uri" | "url" | "canonical" => json!("http://example.org/made"),
        "oid" => json!("urn:oid:1.2.3"),
        "uuid" => json!("urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
        "xhtml" => json!("<div xmlns=\"http://www.w3.org/1999/xhtml\">made</div>"),
        "code" if element.name == "contentType" => json!("text/plain"),
        "code" if element.name == "language" => json!("en"),
        _ => json!("made"),
    }
}

/// What the invariants of R4 demand of types whose least resource breaks them.
fn rules(of: &str, members: &mut Map<String, Value>) {
    let mut absent = |name: &str, value: Value| {
        members.entry(name).or_insert(value);
    };
    let instance = json!({"description": "made"});
    match of {
        "AppointmentResponse" => absent("actor", json!({"reference": format!("Patient/{ELSEWHERE}")})),
        "CapabilityStatement" => {
            absent("implementation", instance);
            absent("rest", json!([{"mode": "server"}]));
        }
        "TerminologyCapabilities" => absent("implementation", instance),
        "Consent" => absent("policyRule", json!({"text": "made"})),
        "InsurancePlan" | "Organization" => absent("name", json!("made")),
        "StructureDefinition" => {
            absent("differential", json!({"element": [{"id": "made", "path": "made"}]}));
        }
        _ => {}
    }
    let entered_in_error = |of: &str| json!({"coding": [{"system": format!("http://terminology.hl7.org/CodeSystem/{of}"), "code": "entered-in-error"}]});
    match of {
        "AllergyIntolerance" if !members.contains_key("clinicalStatus") => {
            members
                .insert("verificationStatus".to_owned(), entered_in_error("allergyintolerance-verification"));
        }
        "Condition" if members.keys().any(|name| name.starts_with("abatement")) => {
            let system = "http://terminology.hl7.org/CodeSystem/condition-clinical";
            let resolved = json!({"coding": [{"system": system, "code": "resolved"}]});
            members.insert("clinicalStatus".to_owned(), resolved);
        }
        "StructureDefinition" => drop(members.insert("type".to_owned(), json!("made"))),
        "EventDefinition" => each(members, "trigger", "name", &json!("made")),
        "Bundle" => drop(members.insert("type".to_owned(), json!("collection"))),
        "MolecularSequence" => drop(members.insert("coordinateSystem".to_owned(), json!(1))),
        "Appointment" => {
            each(members, "participant", "actor", &json!({"reference": format!("Patient/{ELSEWHERE}")}))
        }
        "ImmunizationRecommendation" => {
            each(members, "recommendation", "vaccineCode", &json!([{"text": "made"}]))
        }
        "Linkage" => {
            if let Some(Value::Array(items)) = members.get_mut("item") {
                items.extend(items.clone());
            }
        }
        _ => {}
    }
}

/// Gives each item of a list a member that it lacks.
fn each(members: &mut Map<String, Value>, list: &str, name: &str, value: &Value) {
    for item in members.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
        if item.get(name).is_none() {
            item[name] = value.clone();
        }
    }
}
