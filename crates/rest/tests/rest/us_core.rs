//! The searches and must-support elements of US Core 6.1.0, generated from the metadata of its test kit where `TIDEGATE_CORPORA`
//! names the corpora: each combination with each prefix and each list that the guide asks for, against a reading of the
//! resources themselves, by GET and by POST; each element as it comes back.
//!
//! Four parameters are the guide's own and not of R4 ([`OWN`]): they are refused by name here.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;

use fhir::{DateMatch, IndexValue, SearchKind, SearchParameter, extract, r4};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::desk::{Writing, writing};
use crate::expression::coded;
use crate::made::{Wanted, made};
use crate::stated_parameters::{asking, encoded, is_asked, paths};

const METADATA: &str = "../fhir-packages/us_core_610-search-metadata.yml";
/// Parameters that the guide defines itself.
const OWN: [(&str, &str); 4] = [
    ("CareTeam", "role"),
    ("Condition", "asserted-date"),
    ("Encounter", "discharge-disposition"),
    ("Goal", "description"),
];
const PATIENTS: [&str; 2] = ["one", "two"];
/// Values of a parameter that the guide names and that are tried.
const VALUES: usize = 3;
/// Asked of dates: before, at and after what resources hold.
const INSTANTS: [&str; 3] = ["2019", "2020-05-11", "2021-01-01T00:00:00Z"];
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn metadata() -> Option<Value> {
    let Some(corpora) = std::env::var_os("TIDEGATE_CORPORA") else {
        eprintln!("TIDEGATE_CORPORA is not set: not measured against US Core");
        return None;
    };
    let text =
        std::fs::read_to_string(PathBuf::from(corpora).join(METADATA)).expect("the metadata of US Core");
    Some(serde_saphyr::from_str(&text).expect("YAML"))
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// A profile: its type, and its parameters that R4 has.
struct Group<'m> {
    of: &'m str,
    number: usize,
    about: &'m Value,
}

impl Group<'_> {
    fn parameter(&self, name: &str) -> Option<&'static SearchParameter> {
        r4().search_parameter(self.of, name)
    }

    /// Every parameter that a search of the profile names.
    fn names(&self) -> BTreeSet<&str> {
        list(self.about, ":searches")
            .flat_map(|search| list(search, ":names"))
            .filter_map(Value::as_str)
            .collect()
    }

    /// Paths that give each parameter a value, those of `without` left out.
    fn wanted(&self, patient: &str, without: Option<&str>) -> Vec<Wanted> {
        let mut all: Vec<Wanted> = Vec::new();
        for name in self.names().into_iter().filter(|name| Some(*name) != without) {
            let Some(parameter) = self.parameter(name).filter(|parameter| parameter.code != "_id") else {
                continue;
            };
            let target = match parameter.targets.contains(&"Patient") {
                true => format!("Patient/{patient}"),
                false => format!("{}/made", parameter.targets.first().unwrap_or(&"Patient")),
            };
            let found = paths(self.of, parameter, &target);
            all.extend(found.unwrap_or_else(|| panic!("{} {name}: no value", self.of)));
        }
        // A reference that two parameters read is given once.
        let mut seen = BTreeSet::new();
        all.retain(|wanted| seen.insert(wanted.path.clone()));
        all
    }

    /// Of each patient: one resource with everything, one without each parameter, and one with each named value.
    fn resources(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let id = |patient: &str, what: &str| format!("g{}-{patient}-{}", self.number, what.replace('_', ""));
        for patient in PATIENTS {
            all.push(made(self.of, &id(patient, "all"), &self.wanted(patient, None)));
            for name in self.names() {
                let without = self.wanted(patient, Some(name));
                all.push(made(self.of, &id(patient, &format!("less.{name}")), &without));
                let values = list(&self.about[":search_definitions"][format!(":{name}")], ":values");
                for (number, value) in values.filter_map(Value::as_str).take(VALUES).enumerate() {
                    let Some(parameter) = self.parameter(name) else { continue };
                    let own = paths(self.of, parameter, "Patient/x").unwrap_or_default();
                    let [only] = own.as_slice() else { continue };
                    let Some(value) = coded(self.of, only, value) else { continue };
                    let mut with = without.clone();
                    with.push(Wanted { value: Some(value), ..only.clone() });
                    all.push(made(self.of, &id(patient, &format!("{name}.{number}")), &with));
                }
            }
        }
        all
    }
}

fn groups(metadata: &Value) -> Vec<Group<'_>> {
    let of = |(number, about)| Group { of: text(about, ":resource"), number, about };
    list(metadata, ":groups").enumerate().map(of).collect()
}

/// People, and for each resource a Provenance that is about it.
fn world(groups: &[Group<'_>]) -> Vec<Value> {
    let mut all: Vec<Value> = PATIENTS.iter().map(|id| made("Patient", id, &[])).collect();
    all.extend(groups.iter().flat_map(Group::resources));
    let about = |resource: &Value| {
        let (of, id) = (text(resource, "resourceType"), text(resource, "id"));
        let target = Wanted::with("target", json!({"reference": format!("{of}/{id}")}));
        made("Provenance", &format!("of.{id}"), &[target])
    };
    let targets: Vec<Value> = all
        .iter()
        .filter(|one| one["id"].as_str().is_some_and(|id| id.ends_with("-all")))
        .map(about)
        .collect();
    all.extend(targets);
    all
}

async fn put(node: &Writing, resources: &[Value]) {
    for resource in resources {
        let path = format!("/fhir/{}/{}", text(resource, "resourceType"), text(resource, "id"));
        let answer = node.put(&path, resource).await;
        assert_eq!(answer.status, 201, "{path}: {} {resource}", answer.body);
    }
}

/// What is asked of one parameter: its text, and who holds it.
type Asked<'a> = (String, Box<dyn Fn(&Value) -> bool + 'a>);

/// What can be asked of a parameter, seen from a resource that holds a value of it: the value itself, each prefix that the
/// guide names, two of the values that it names.
fn questions<'a>(group: &Group<'_>, name: &str, holder: &Value) -> Vec<Asked<'a>> {
    if name == "_id" {
        let id = text(holder, "id").to_owned();
        return vec![(id.clone(), Box::new(move |one| text(one, "id") == id))];
    }
    let Some(parameter) = group.parameter(name) else { return Vec::new() };
    let about = &group.about[":search_definitions"][format!(":{name}")];
    if parameter.kind == SearchKind::Date {
        let prefixes = about[":comparators"].as_object().into_iter().flat_map(|all| all.keys());
        let prefixes: Vec<String> = prefixes.map(|name| name.trim_start_matches(':').to_owned()).collect();
        return std::iter::once(String::new())
            .chain(prefixes)
            .flat_map(|prefix| dates(parameter, &prefix))
            .collect();
    }
    let held = extract(holder, parameter).swap_remove(0);
    let text = asking(&held).0;
    let mut all: Vec<Asked<'a>> = vec![(text, Box::new(move |one| holds(one, parameter, &held)))];
    let values: Vec<String> =
        list(about, ":values").filter_map(Value::as_str).take(2).map(str::to_owned).collect();
    if values.len() == 2 && parameter.kind == SearchKind::Token {
        let asked = values.iter().map(|value| encoded(value)).collect::<Vec<_>>().join(",");
        let wanted: Vec<IndexValue> =
            values.into_iter().map(|code| IndexValue::Token { system: None, code }).collect();
        all.push((asked, Box::new(move |one| wanted.iter().any(|wanted| holds(one, parameter, wanted)))));
    }
    all
}

fn holds(resource: &Value, parameter: &'static SearchParameter, asked: &IndexValue) -> bool {
    held(resource, parameter).iter().any(|held| is_asked(held, asked))
}

/// What a resource holds for a parameter, read once.
fn held(resource: &Value, parameter: &'static SearchParameter) -> Rc<Vec<IndexValue>> {
    type Values = HashMap<(String, &'static str), Rc<Vec<IndexValue>>>;
    thread_local! {
        static READ: RefCell<Values> = RefCell::default();
    }
    let name = format!("{}/{}", text(resource, "resourceType"), text(resource, "id"));
    READ.with_borrow_mut(|read| {
        let values =
            read.entry((name, parameter.code)).or_insert_with(|| Rc::new(extract(resource, parameter)));
        Rc::clone(values)
    })
}

fn dates<'a>(parameter: &'static SearchParameter, prefix: &str) -> Vec<Asked<'a>> {
    let asked = |instant: &&str| -> Asked<'a> {
        let asked = format!("{prefix}{instant}");
        let read = DateMatch::parse(&asked, crate::fake::AT).expect("a date");
        let holds = move |one: &Value| {
            held(one, parameter).iter().any(|held| match held {
                IndexValue::Date { low_us, high_us } => read.holds(*low_us, *high_us),
                _ => false,
            })
        };
        (asked, Box::new(holds))
    };
    INSTANTS.iter().map(asked).collect()
}

fn found(answer: &Answer, mode: &str) -> BTreeSet<String> {
    let bundle = answer.json();
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let of_mode = entries.filter(|entry| entry["search"]["mode"] == mode);
    of_mode.map(|entry| text(&entry["resource"], "id").to_owned()).collect()
}

/// Every way to ask a combination: one question of each parameter.
fn combined<'a>(questions: Vec<Vec<Asked<'a>>>) -> Vec<Vec<Asked<'a>>> {
    let longest = questions.iter().map(Vec::len).max().unwrap_or(0);
    let mut all: Vec<Vec<Asked<'a>>> = (0..longest).map(|_| Vec::new()).collect();
    for of_one in questions {
        // Each question of the longest beside those of the others in turn.
        let shared: Vec<Rc<Asked<'a>>> = of_one.into_iter().map(Rc::new).collect();
        for (number, row) in all.iter_mut().enumerate() {
            let one = Rc::clone(&shared[number % shared.len()]);
            row.push((one.0.clone(), Box::new(move |resource| (one.1)(resource))));
        }
    }
    all
}

#[tokio::test]
async fn every_search_combination_finds_the_right_set() {
    let Some(metadata) = metadata() else { return };
    let groups = groups(&metadata);
    let (node, world) = (writing().await, world(&groups));
    put(&node, &world).await;
    let (mut combinations, mut searches, mut own, mut some) = (0, 0, 0, 0);
    for group in &groups {
        let of_type: Vec<&Value> = world.iter().filter(|one| text(one, "resourceType") == group.of).collect();
        let first = format!("g{}-one-all", group.number);
        let holder = *of_type.iter().find(|one| text(one, "id") == first).expect("one with everything");
        for search in list(group.about, ":searches") {
            combinations += 1;
            let names: Vec<&str> = list(search, ":names").filter_map(Value::as_str).collect();
            if let Some(name) = names.iter().find(|name| OWN.contains(&(group.of, name))) {
                let answer = node.get(&format!("/fhir/{}?{name}=x", group.of)).await;
                assert_eq!(
                    (answer.status.as_u16(), answer.issue().as_str()),
                    (400, "not-supported"),
                    "{name}"
                );
                own += 1;
                continue;
            }
            let questions = names.iter().map(|name| questions(group, name, holder)).collect();
            for row in combined(questions) {
                let asked: Vec<String> =
                    names.iter().zip(&row).map(|(name, (text, _))| format!("{name}={text}")).collect();
                let expected: BTreeSet<String> = of_type
                    .iter()
                    .filter(|one| row.iter().all(|(_, holds)| holds(one)))
                    .map(|one| text(one, "id").to_owned())
                    .collect();
                some += usize::from(!expected.is_empty());
                let query = asked.join("&");
                let answer = node.get(&format!("/fhir/{}?{query}&_count=200", group.of)).await;
                assert_eq!(answer.status, 200, "{query}: {}", answer.body);
                // What is on further pages is counted.
                if expected.len() <= 200 {
                    assert_eq!(found(&answer, "match"), expected, "{} {query}", group.of);
                }
                assert_eq!(answer.json()["total"], expected.len(), "{} {query}", group.of);
                let path = format!("/fhir/{}/_search", group.of);
                let posted = node.ask("POST", &path, &[FORM], &format!("{query}&_count=200")).await;
                assert_eq!(posted.json()["total"], expected.len(), "posted {} {query}", group.of);
                searches += 1;
            }
        }
    }
    eprintln!(
        "US Core: {combinations} combinations, {own} of them with parameters of the guide; {searches} searches, {some} find something"
    );
    assert!(
        combinations == 222 && own < 10 && searches > 400 && some * 2 > searches,
        "{combinations} {own} {searches} {some}"
    );
}

#[tokio::test]
async fn every_include_of_the_guide_brings_what_it_names() {
    let Some(metadata) = metadata() else { return };
    let groups = groups(&metadata);
    let (node, world) = (writing().await, world(&groups));
    put(&node, &world).await;
    let mut asked = 0;
    for group in &groups {
        let id = format!("g{}-one-all", group.number);
        for include in list(group.about, ":revincludes").filter_map(Value::as_str) {
            let answer = node.get(&format!("/fhir/{}?_id={id}&_revinclude={include}", group.of)).await;
            assert_eq!(
                found(&answer, "include"),
                BTreeSet::from([format!("of.{id}")]),
                "{include}: {}",
                answer.body
            );
            asked += 1;
        }
        for include in list(group.about, ":include_params").filter_map(Value::as_str) {
            let mut parts = include.split(':').skip(1);
            let (code, target) = (parts.next().expect("a parameter"), parts.next());
            let parameter = group.parameter(code).expect("of R4");
            let target = target.unwrap_or(parameter.targets.first().expect("a target"));
            let (from, to) = (format!("from.{code}.{target}"), format!("to.{target}"));
            let resource =
                crate::stated_parameters::holding(group.of, &from, parameter, &format!("{target}/{to}"));
            let there = node.get(&format!("/fhir/{target}/{to}")).await.status == 200;
            if !there {
                put(&node, &[made(target, &to, &[])]).await;
            }
            put(&node, &[resource.expect("holds a reference")]).await;
            let answer = node.get(&format!("/fhir/{}?_id={from}&_include={include}", group.of)).await;
            assert_eq!(found(&answer, "include"), BTreeSet::from([to]), "{include}: {}", answer.body);
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
}

/// The names of a path of the metadata, without slices.
fn plain(path: &str) -> String {
    path.split('.').map(|name| name.split(':').next().unwrap_or(name)).collect::<Vec<_>>().join(".")
}

/// Whether something stands at a path, in any repetition; `value[x]` in any type.
fn stands(value: &Value, path: &[&str]) -> bool {
    let Some((name, rest)) = path.split_first() else { return !value.is_null() };
    match value {
        Value::Array(items) => items.iter().any(|item| stands(item, path)),
        Value::Object(members) => {
            let named = |member: &str| match name.strip_suffix("[x]") {
                Some(stem) => member.starts_with(stem),
                None => member == *name,
            };
            members.iter().any(|(member, value)| named(member) && stands(value, rest))
        }
        _ => false,
    }
}

/// A must-support item: its path, and what stands there.
fn items(about: &Value) -> Vec<(String, Wanted)> {
    let supports = &about[":must_supports"];
    let mut all = Vec::new();
    for element in list(supports, ":elements") {
        let path = plain(text(element, ":path"));
        let fixed = element.get(":fixed_value").filter(|value| !value.is_null()).cloned();
        all.push((path.clone(), Wanted { value: fixed, ..Wanted::at(&path) }));
    }
    for slice in list(supports, ":slices") {
        let (path, by) = (plain(text(slice, ":path")), &slice[":discriminator"]);
        let first = list(by, ":values").next().unwrap_or(by);
        let coding = json!({"coding": [{"system": first[":system"], "code": first[":code"]}]});
        let below = [path.as_str(), text(by, ":path")].join(".");
        let below = below.trim_end_matches('.');
        let wanted = match text(by, ":type") {
            "type" => Wanted { type_code: Some(text(by, ":code").to_owned()), ..Wanted::at(&path) },
            "patternIdentifier" => Wanted::with(&path, json!({"system": by[":system"], "value": "1"})),
            "value" => Wanted::with(
                &path,
                json!({"coding": [{"system": "http://example.org/slice", "code": "made"}]}),
            ),
            "patternCodeableConcept" | "requiredBinding" => Wanted::with(below, coding),
            _ => Wanted::at(&path),
        };
        all.push((path, wanted));
    }
    for extension in list(supports, ":extensions") {
        let path = text(extension, ":path").to_owned();
        let value = json!({"url": extension[":url"], "valueString": "made"});
        all.push((path.clone(), Wanted::with(&path, value)));
    }
    all
}

#[tokio::test]
async fn every_must_support_item_comes_back() {
    let Some(metadata) = metadata() else { return };
    let node = writing().await;
    let (mut elements, mut items_asked) = (0, 0);
    for group in groups(&metadata) {
        elements += list(&group.about[":must_supports"], ":elements").count();
        for (number, (path, wanted)) in items(group.about).into_iter().enumerate() {
            let id = format!("m{}-{number}", group.number);
            let mut path: Vec<&str> = path.split('.').collect();
            let mut resource = made(group.of, &id, std::slice::from_ref(&wanted));
            if let ["questionnaire", "extension"] = path.as_slice() {
                resource["_questionnaire"] = json!({"extension": [wanted.value.clone()]});
                path = vec!["_questionnaire", "extension"];
            }
            put(&node, &[resource]).await;
            let read = node.get(&format!("/fhir/{}/{id}", group.of)).await.json();
            assert!(stands(&read, &path), "{} {path:?}: {read}", group.of);
            let searched = node.get(&format!("/fhir/{}?_id={id}", group.of)).await.json();
            assert!(stands(&searched["entry"][0]["resource"], &path), "{} {path:?}: {searched}", group.of);
            items_asked += 1;
        }
    }
    eprintln!("US Core: {elements} must-support elements, {items_asked} items with slices and extensions");
    assert_eq!(elements, 516);
}
