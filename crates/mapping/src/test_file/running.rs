//! Runs the tests of a package.

use super::matching::{expect, find};
use super::{Case, Subject, TestFile, TestOutcome};
use crate::execute::{Executor, Item, Level, Scope};
use crate::package::Package;
use crate::plan::Program;
use crate::rules::Tally;
use crate::yaml::Node;
use crate::{Context, LeafFate, Rejection, ResourceSet, Trace, Translation};
use serde_json::Value;
use uuid::Uuid;

/// Namespace of tests; ids in expectations depend on it.
const TEST_NAMESPACE: Uuid = Uuid::from_u128(0x7465_7374_0000_4000_8000_0000_0000_0000);
/// The header around `input:` of a type map's test.
const TYPE_HEADER: &str = "MSH|^~\\&|APP|FAC|||20240102030405-0500||ADT^A01|1|P|2.5.1\rZZZ|";

/// Runs every test, and tallies the rules that they run if it is asked to; a map without a test is a failed outcome.
pub(crate) fn run(package: &Package, mut tally: Option<&mut Tally>) -> Vec<TestOutcome> {
    let mut outcomes = Vec::new();
    let files: Vec<TestFile> =
        package.tests.iter().filter_map(|source| source.read_or_tell(&mut outcomes)).collect();
    for file in &files {
        for case in &file.cases {
            outcomes.push(outcome(package, file, case, tally.as_deref_mut()));
        }
    }
    let tested = |subject: &Subject| files.iter().any(|file| file.subject == *subject);
    for program in std::iter::once(&package.base).chain(&package.sites) {
        for map in &program.maps {
            let subjects = [Subject::Segment(map.name.clone()), Subject::Type(map.name.clone())];
            if !subjects.iter().any(tested) {
                untested(package, program, map.place.file, &map.name, &mut outcomes);
            }
        }
        for message in &program.messages {
            if !tested(&Subject::Message(message.name.clone())) {
                untested(package, program, u32::MAX, &message.name, &mut outcomes);
            }
        }
    }
    outcomes
}

fn untested(package: &Package, program: &Program, file: u32, name: &str, outcomes: &mut Vec<TestOutcome>) {
    let site = program.site.name.as_deref().map(|site| format!("sites/{site}/")).unwrap_or_default();
    let file = usize::try_from(file)
        .ok()
        .and_then(|index| package.files.get(index))
        .cloned()
        .unwrap_or_else(|| format!("{site}messages/{name}.yaml"));
    if !outcomes.iter().any(|outcome| outcome.file == file) {
        outcomes.push(TestOutcome {
            file,
            line: 1,
            name: name.to_owned(),
            failures: vec![format!("{name} has no test")],
        });
    }
}

fn outcome(package: &Package, file: &TestFile, case: &Case, tally: Option<&mut Tally>) -> TestOutcome {
    let mut failures = Vec::new();
    match (&case.input, &case.er7, &file.subject) {
        (Some(input), _, Subject::Type(name)) => run_type(package, case, name, input, tally, &mut failures),
        (_, Some(er7), _) => run_message(package, file, case, er7, tally, &mut failures),
        _ => failures.push("nothing to run".to_owned()),
    }
    TestOutcome { file: file.file.clone(), line: case.line, name: case.name.clone(), failures }
}

fn context(case: &Case, trace: bool) -> Context<'_> {
    Context { namespace: TEST_NAMESPACE, site: case.site.as_deref(), trace }
}

fn add(tally: Option<&mut Tally>, trace: Option<&Trace>) {
    if let (Some(tally), Some(trace)) = (tally, trace) {
        tally.add(trace);
    }
}

/// Lines of a block scalar to segments.
fn er7_bytes(text: &str) -> String {
    text.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\r") + "\r"
}

fn run_type(
    package: &Package,
    case: &Case,
    name: &str,
    input: &str,
    tally: Option<&mut Tally>,
    failures: &mut Vec<String>,
) {
    let bytes = format!("{TYPE_HEADER}{}\r", input.trim_end_matches('\n'));
    let Ok(message) = hl7v2::Message::read(bytes.as_bytes()) else {
        failures.push("the input cannot be read".to_owned());
        return;
    };
    let context = context(case, tally.is_some());
    let program = package.program(&message, &context);
    let Some(map) = program.maps.iter().find(|map| map.name == name) else {
        failures.push(format!("no map {name}"));
        return;
    };
    let Some(part) = message.segment(1).map(|segment| segment.field(1).repetition(0)) else { return };
    let mut executor = Executor::new(&package.files, program, &message, &context, None);
    let scope = Scope::root().with_item(Item::Part(part, Level::Repetition));
    let value = executor.map_value(map, &scope);
    add(tally, executor.trace());
    if let Some(wanted) = case.node.get("expect") {
        expect(wanted, value.as_ref(), "value", failures);
    }
    for path in texts(&case.node, "absent") {
        if value.as_ref().is_some_and(|value| find(value, &path).is_some() || path == "value") {
            failures.push(format!("{path} is there"));
        }
    }
    let issues: Vec<String> = executor
        .issues
        .iter()
        .map(|issue| issue.path.replacen("ZZZ-1", "", 1).trim_start_matches('.').to_owned())
        .collect();
    exact(&case.node, "issues", issues, failures);
}

fn run_message(
    package: &Package,
    file: &TestFile,
    case: &Case,
    er7: &str,
    tally: Option<&mut Tally>,
    failures: &mut Vec<String>,
) {
    let bytes = er7_bytes(er7);
    let Ok(message) = hl7v2::Message::read(bytes.as_bytes()) else {
        failures.push("the message cannot be read".to_owned());
        return;
    };
    let wanted = case.node.get("reject").and_then(Node::scalar);
    let context = context(case, tally.is_some());
    match (package.translate(&message, &context), wanted) {
        (Err(rejection), Some(wanted)) => {
            if name_of(&rejection) != wanted {
                failures.push(format!("rejected: {rejection}, not {wanted}"));
            }
        }
        (Err(rejection), None) => failures.push(format!("rejected: {rejection}")),
        (Ok(_), Some(wanted)) => failures.push(format!("not rejected as {wanted}")),
        (Ok(translation), None) => {
            add(tally, translation.trace.as_ref());
            let program = package.program(&message, &context);
            check(program, file, case, &translation, failures);
            check_form(case, &translation, failures);
        }
    }
}

fn name_of(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::UnsupportedType { .. } => "unsupported",
        Rejection::MissingRequired { .. } => "required",
        Rejection::IdentityClash { .. } => "identity",
    }
}

fn check(
    program: &Program,
    file: &TestFile,
    case: &Case,
    translation: &Translation,
    failures: &mut Vec<String>,
) {
    match &file.subject {
        Subject::Segment(name) if makes_resource(program, name) => {
            check_segment(program, name, case, translation, failures)
        }
        Subject::Segment(_) | Subject::Type(_) | Subject::Message(_) | Subject::Site(_) => {
            check_handles(case, translation, failures)
        }
    }
    for (key, fate) in [
        ("unmapped", LeafFate::Unmapped),
        ("lossy", LeafFate::Lossy),
        ("ignored", LeafFate::Ignored),
        ("rejected", LeafFate::Rejected),
    ] {
        let leaves = translation
            .coverage
            .leaves
            .iter()
            .filter(|leaf| leaf.fate == fate)
            .map(|leaf| leaf.path.to_string())
            .collect();
        covered(&case.node, key, leaves, failures);
    }
    exact(
        &case.node,
        "issues",
        translation.issues.iter().map(|issue| issue.path.clone()).collect(),
        failures,
    );
    for entry in case.node.get("count").map(Node::entries).unwrap_or_default() {
        let count = of_name(translation, &entry.key).len();
        if entry.value.scalar() != Some(count.to_string().as_str()) {
            failures.push(format!("{count} {} are made", entry.key));
        }
    }
    if let Some(merges) = case.node.get("merges").and_then(Node::scalar) {
        let count = translation.change.merges.iter().filter(|merge| !merge.is_renumbered).count();
        if merges != count.to_string() {
            failures.push(format!("{count} merges, not {merges}"));
        }
    }
    if let Some(moves) = case.node.get("moves") {
        let told = moves_of(translation);
        let wanted: Vec<&str> = moves.items().iter().filter_map(Node::scalar).collect();
        if told != wanted {
            failures.push(format!("moves are {told:?}, not {wanted:?}"));
        }
    }
    if let Some(links) = case.node.get("links") {
        let told: Vec<&str> =
            translation.change.links.iter().map(|link| if link.is_one { "one" } else { "two" }).collect();
        let wanted: Vec<&str> = links.items().iter().filter_map(Node::scalar).collect();
        if told != wanted {
            failures.push(format!("links are {told:?}, not {wanted:?}"));
        }
    }
    if let Some(bundle) = case.node.get("bundle") {
        expect(bundle, Some(&translation.bundle()), "bundle", failures);
    }
}

/// What is made has the form of R4, keeps its required bindings and its invariants; `invalid` names the elements of a
/// test that shows what does not.
fn check_form(case: &Case, translation: &Translation, failures: &mut Vec<String>) {
    let found: Vec<fhir::Issue> = translation
        .made()
        .flat_map(|set| fhir::validate(&set.resource))
        .filter(fhir::Issue::is_error)
        .collect();
    if case.node.get("invalid").is_some() {
        exact(&case.node, "invalid", found.into_iter().map(|issue| issue.location).collect(), failures);
        return;
    }
    failures.extend(found.iter().map(|issue| format!("{} is invalid: {}", issue.location, issue.text)));
}

/// `Patient renumbered`, `Account merged`, `Encounter moved`: what is said of each record.
fn moves_of(translation: &Translation) -> Vec<String> {
    let patients = translation.change.merges.iter().filter(|merge| merge.is_renumbered);
    let mut told: Vec<String> = patients.map(|_| "Patient renumbered".to_owned()).collect();
    for one in &translation.change.moves {
        let mut text = one.resource_type.as_str().to_owned();
        if one.from != one.to {
            text.push_str(if one.is_renumbered { " renumbered" } else { " merged" });
        }
        if one.from_patient != one.to_patient {
            text.push_str(" moved");
        }
        told.push(text);
    }
    told
}

fn of_name<'t>(translation: &'t Translation, name: &str) -> Vec<&'t ResourceSet> {
    translation.made().filter(|set| set.handle == name || set.resource_type.as_str() == name).collect()
}

/// Whether a segment map makes a resource; a part of one is tested where it stands.
fn makes_resource(program: &Program, name: &str) -> bool {
    let map = program.maps.iter().find(|map| map.name == name);
    map.is_none_or(|map| map.target.resource().is_some())
}

/// The resources that a segment map made, by the handles of the lines that use it.
fn check_segment(
    program: &Program,
    name: &str,
    case: &Case,
    translation: &Translation,
    failures: &mut Vec<String>,
) {
    let map = program.maps.iter().position(|map| map.name == name);
    let handles: Vec<&str> = program
        .messages
        .iter()
        .flat_map(|message| &message.make)
        .filter(|make| Some(make.map) == map)
        .map(|make| make.handle.name.as_str())
        .collect();
    let kind = map.and_then(|index| program.maps.get(index)).and_then(|map| map.target.resource());
    let made: Vec<&ResourceSet> = translation
        .made()
        .filter(|set| handles.contains(&set.handle.as_str()) && Some(set.resource_type) == kind)
        .collect();
    if let Some(wanted) = case.node.get("expect") {
        expect_sets(wanted, &made, name, failures);
    }
    for path in texts(&case.node, "absent") {
        if made.first().is_some_and(|set| find(&set.resource, &path).is_some()) {
            failures.push(format!("{path} is there"));
        }
    }
    for wanted in texts(&case.node, "removes") {
        if !made.first().is_some_and(|set| removes(program, set, &wanted)) {
            failures.push(format!("{wanted} is not removed"));
        }
    }
}

fn check_handles(case: &Case, translation: &Translation, failures: &mut Vec<String>) {
    for entry in case.node.get("expect").map(Node::entries).unwrap_or_default() {
        expect_sets(&entry.value, &of_name(translation, &entry.key), &entry.key, failures);
    }
    let first = |path: &str| {
        let (name, rest) = path.split_once('.')?;
        Some((of_name(translation, name).first().copied()?, rest.to_owned()))
    };
    for path in texts(&case.node, "absent") {
        let there = match first(&path) {
            Some((set, rest)) => find(&set.resource, &rest).is_some(),
            None => !path.contains('.') && !of_name(translation, &path).is_empty(),
        };
        if there {
            failures.push(format!("{path} is there"));
        }
    }
    for path in texts(&case.node, "removes") {
        let removed = first(&path).is_some_and(|(set, rest)| {
            set.removals.iter().any(|name| {
                *name == rest || rest.strip_suffix("[x]").is_some_and(|base| name.starts_with(base))
            })
        });
        if !removed {
            failures.push(format!("{path} is not removed"));
        }
    }
}

fn expect_sets(wanted: &Node, made: &[&ResourceSet], name: &str, failures: &mut Vec<String>) {
    if wanted.is_map() {
        expect(wanted, made.first().map(|set| &set.resource), name, failures);
        return;
    }
    let all = Value::Array(made.iter().map(|set| set.resource.clone()).collect());
    expect(wanted, Some(&all), name, failures);
}

/// Is the element (by FHIR name, `deceased[x]`, or `ext:name`) among the removals?
fn removes(program: &Program, set: &ResourceSet, wanted: &str) -> bool {
    let base = wanted.strip_suffix("[x]").unwrap_or(wanted).split('.').next().unwrap_or_default();
    let slots = program.maps.iter().flat_map(|map| &map.body.fields).map(|field| &field.slot);
    let named = |slot: &&crate::plan::Slot| match base.strip_prefix("ext:") {
        Some(name) => slot.name == name && matches!(slot.form, crate::plan::Form::Extension { .. }),
        None => slot.name == base && !matches!(slot.form, crate::plan::Form::Extension { .. }),
    };
    slots.filter(named).any(|slot| slot.removal.iter().any(|name| set.removals.contains(name)))
        || set.removals.iter().any(|name| name == wanted)
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    node.get(key)
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Node::scalar)
        .map(str::to_owned)
        .collect()
}

fn exact(node: &Node, key: &str, mut have: Vec<String>, failures: &mut Vec<String>) {
    if node.get(key).is_none() {
        return;
    }
    let mut wanted = texts(node, key);
    wanted.sort();
    wanted.dedup();
    have.sort();
    have.dedup();
    if wanted != have {
        failures.push(format!("{key} are [{}], not [{}]", have.join(", "), wanted.join(", ")));
    }
}

/// Exact by prefix: every leaf lies under a path that is written, and every written path has a leaf.
fn covered(node: &Node, key: &str, have: Vec<String>, failures: &mut Vec<String>) {
    if node.get(key).is_none() {
        return;
    }
    let wanted = texts(node, key);
    let under = |leaf: &str, path: &str| {
        leaf.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '~', '-']))
    };
    for leaf in have.iter().filter(|leaf| !wanted.iter().any(|path| under(leaf, path))) {
        failures.push(format!("{leaf} is {key}"));
    }
    for path in wanted.iter().filter(|path| !have.iter().any(|leaf| under(leaf, path))) {
        failures.push(format!("{path} is not {key}"));
    }
}
