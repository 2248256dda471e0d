//! Searches against a naive reading of the resources themselves: every kind of parameter, modifier and prefix, drawn at
//! random, alone and together. It reads the JSON and knows neither index nor extraction. What must be drawn is read from
//! the definitions that the CapabilityStatement is made of.

mod coded;
mod composites;
mod dates;
mod draw;
mod linked;
mod numbers;
mod plain;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fhir::{Audience, PREFIXES, ResourceType, SearchKind, SearchParameter, searchable};
use serde_json::Value;
use store::{Clause, Resources, SORTED_MAX, Search, Sort, SortBy};

pub use self::draw::Draw;
pub use self::world::World;
use self::world::text;
use crate::harness::Adapter;
use crate::samples::search;
use crate::search::{put, walk};

/// Searches of a run, and of one that is asked to be full (`TIDEGATE_FULL=1`).
const CASES: usize = 1_500;
const CASES_FULL: usize = 100_000;
pub const OBSERVATIONS: usize = 160;
/// The same over more resources than are read at once.
const MANY_CASES: usize = 60;
const MANY_CASES_FULL: usize = 3_000;
const MANY_OBSERVATIONS: usize = SORTED_MAX + SORTED_MAX / 2;
/// Searches that run at once: as many as a store of the suite has connections.
const AT_ONCE: usize = 2;
/// Most links that lead from a question to the last that it stands on.
const LINKS_MAX: usize = 3;

type Holds = Box<dyn Fn(&Value, &World) -> bool>;

/// A question: the clause, and what it says of a resource.
pub struct Asked {
    pub clause: Clause,
    /// Kinds, modifiers and prefixes that it is of.
    covers: Vec<String>,
    /// Whether it asks of another resource.
    pub is_linked: bool,
    pub holds: Holds,
}

impl Asked {
    pub fn new(clause: Clause, covers: &str, holds: impl Fn(&Value, &World) -> bool + 'static) -> Self {
        Self::several(clause, vec![covers.to_owned()], holds)
    }

    pub fn several(
        clause: Clause,
        covers: Vec<String>,
        holds: impl Fn(&Value, &World) -> bool + 'static,
    ) -> Self {
        Self { clause, covers, is_linked: false, holds: Box::new(holds) }
    }

    /// One that asks another question of other resources.
    pub fn linked(
        clause: Clause,
        covers: &str,
        mut inner: Self,
        holds: impl Fn(&Self, &Value, &World) -> bool + 'static,
    ) -> Self {
        let mut all = std::mem::take(&mut inner.covers);
        all.push(covers.to_owned());
        let holds: Holds = Box::new(move |resource, world| holds(&inner, resource, world));
        Self { clause, covers: all, is_linked: true, holds }
    }

    /// Several in one, and how many of them must hold.
    fn joined(
        join: fn(Vec<Clause>) -> Clause,
        covers: &str,
        mut inner: Vec<Self>,
        holds: fn(usize, usize) -> bool,
    ) -> Self {
        let clause = join(inner.iter().map(|one| one.clause.clone()).collect());
        let mut all: Vec<String> = inner.iter_mut().flat_map(|one| std::mem::take(&mut one.covers)).collect();
        all.push(covers.to_owned());
        let is_linked = inner.iter().any(|one| one.is_linked);
        let holds: Holds = Box::new(move |resource, world| {
            holds(inner.iter().filter(|one| (one.holds)(resource, world)).count(), inner.len())
        });
        Self { clause, covers: all, is_linked, holds }
    }
}

/// All resources of a type.
pub fn all_of<'w>(world: &'w World, of: &str) -> Vec<&'w Value> {
    world.all.iter().filter(|resource| text(resource, "resourceType") == of).collect()
}

/// A question of a type, from which so many links may lead on.
fn question(draw: &mut Draw, of: &'static str, world: &World, links: usize) -> Asked {
    if draw.seldom(12) {
        return joined(draw, of, world, links);
    }
    if links > 0 && draw.seldom(5) {
        return link(draw, of, world, links - 1);
    }
    if draw.seldom(10) {
        return if draw.seldom(2) { coded::by_id(draw, of, world) } else { dates::by_change(draw) };
    }
    match of {
        "Observation" => match draw.below(8) {
            0 => coded::by_token(draw, of),
            1 => coded::by_words(draw, of),
            2 => numbers::by_quantity(draw),
            3 => composites::of_observation(draw),
            4 => dates::by_date(draw),
            5 => linked::by_reference(draw),
            6 if draw.seldom(2) => linked::by_identifier(draw),
            6 => plain::by_text(draw, of),
            _ => plain::by_missing(draw, of),
        },
        "Patient" => match draw.below(6) {
            0 => plain::by_text(draw, of),
            1 => plain::by_uri(draw),
            2 => coded::by_type_of_identifier(draw),
            3 => coded::by_token(draw, of),
            4 => coded::by_words(draw, of),
            _ => plain::by_missing(draw, of),
        },
        "DiagnosticReport" if draw.seldom(2) => coded::by_words(draw, of),
        "DiagnosticReport" => coded::by_token(draw, of),
        "RiskAssessment" | "MolecularSequence" if draw.seldom(4) => plain::by_missing(draw, of),
        "MolecularSequence" if draw.seldom(2) => composites::of_sequence(draw),
        "RiskAssessment" | "MolecularSequence" => numbers::by_number(draw, of),
        _ => composites::of_document(draw),
    }
}

/// Two or three questions in one.
fn joined(draw: &mut Draw, of: &'static str, world: &World, links: usize) -> Asked {
    let inner = (0..2 + draw.below(2)).map(|_| question(draw, of, world, links)).collect();
    match draw.below(3) {
        0 => Asked::joined(Clause::Any, "any", inner, |held, _| held > 0),
        1 => Asked::joined(Clause::All, "all", inner, |held, of| held == of),
        _ => Asked::joined(Clause::None, "none", inner, |held, _| held == 0),
    }
}

/// A question of what a resource leads to, or of what leads to it.
fn link(draw: &mut Draw, of: &'static str, world: &World, links: usize) -> Asked {
    match of {
        "Patient" => linked::by_has("Observation", "subject", question(draw, "Observation", world, links)),
        "Observation" if draw.seldom(3) => {
            linked::by_has("DiagnosticReport", "result", question(draw, "DiagnosticReport", world, links))
        }
        "Observation" => linked::by_chain("subject", "Patient", question(draw, "Patient", world, links)),
        "DiagnosticReport" => {
            linked::by_chain("result", "Observation", question(draw, "Observation", world, links))
        }
        _ => question(draw, of, world, 0),
    }
}

const TYPES: [&str; 12] = [
    "Observation",
    "Observation",
    "Observation",
    "Observation",
    "Observation",
    "Patient",
    "Patient",
    "Patient",
    "DiagnosticReport",
    "RiskAssessment",
    "MolecularSequence",
    "DocumentReference",
];

fn sort(draw: &mut Draw, of: &str) -> Vec<Sort> {
    let own: &[&str] = match of {
        "Observation" => &["date", "code", "value-quantity", "value-string", "subject"],
        "Patient" => &["family", "identifier", "active", "_profile"],
        "RiskAssessment" => &["probability"],
        "MolecularSequence" => &["variant-start"],
        _ => &[],
    };
    let key = |draw: &mut Draw| match draw.below(2 + own.len()) {
        0 => SortBy::Id,
        1 => SortBy::Updated,
        _ => SortBy::Parameter(draw.one(own).to_owned()),
    };
    let number = draw.below(3);
    (0..number).map(|_| Sort { by: key(draw), descending: draw.seldom(2) }).collect()
}

/// Kinds with their modifiers and prefixes that a client can ask for, by the definitions, and what stands beside them.
fn required() -> BTreeSet<String> {
    let mut all: BTreeSet<String> =
        ["_id", "chain", "chain of several", "_has", "_has nested", "any", "all", "none"]
            .map(Into::into)
            .into();
    let types = fhir::r4().resource_names().filter_map(ResourceType::parse);
    for of in types {
        for parameter in searchable(of.as_str(), Audience::Identified) {
            all.extend(asked_of(parameter));
        }
    }
    all.extend(prefixed("_lastUpdated"));
    all
}

fn prefixed(kind: &str) -> impl Iterator<Item = String> {
    let prefixes = PREFIXES.iter().map(|(prefix, _)| *prefix).chain([""]);
    prefixes.map(move |prefix| format!("{kind} {prefix}"))
}

fn asked_of(parameter: &SearchParameter) -> Vec<String> {
    let kind = parameter.kind.as_str();
    let mut all: Vec<String> = parameter
        .modifiers(Audience::Identified)
        .iter()
        .map(|modifier| format!("{kind}:{modifier}"))
        .collect();
    match parameter.kind {
        SearchKind::Number | SearchKind::Quantity | SearchKind::Date => all.extend(prefixed(kind)),
        SearchKind::Composite => {
            let parts: Vec<&str> = parameter.components.iter().map(|part| part.kind.as_str()).collect();
            all.push(format!("{kind} {}", parts.join("$")));
        }
        SearchKind::Reference => all.extend([kind.to_owned(), format!("{kind}:[type]")]),
        SearchKind::Token | SearchKind::String | SearchKind::Uri | SearchKind::Special => {
            all.push(kind.to_owned());
        }
    }
    all
}

pub async fn searches_agree_with_a_naive_reading(adapter: &dyn Adapter) {
    let covered = compare(adapter, OBSERVATIONS, if is_full() { CASES_FULL } else { CASES }).await;
    let drawn: BTreeSet<String> = covered.keys().cloned().collect();
    assert_eq!(drawn, required(), "what is drawn is what can be asked");
    let seldom: Vec<_> = covered.iter().filter(|(_, cases)| **cases < 4).collect();
    assert!(seldom.is_empty(), "drawn too seldom: {seldom:?}");
}

pub async fn searches_over_many_agree_with_a_naive_reading(adapter: &dyn Adapter) {
    compare(adapter, MANY_OBSERVATIONS, if is_full() { MANY_CASES_FULL } else { MANY_CASES }).await;
}

fn is_full() -> bool {
    std::env::var("TIDEGATE_FULL").is_ok_and(|full| full == "1")
}

/// A search, what it must find, and what is said when it does not.
struct Case {
    asked: Search,
    expected: Vec<String>,
    told: String,
}

impl Case {
    fn draw(draw: &mut Draw, world: &World, number: usize, covered: &mut BTreeMap<String, usize>) -> Self {
        let of = draw.one(&TYPES);
        let newest = of == "Observation" && draw.seldom(20);
        let questions: Vec<Asked> = match newest {
            true => vec![linked::by_patient(draw)],
            false => (0..1 + draw.below(2)).map(|_| question(draw, of, world, LINKS_MAX)).collect(),
        };
        let covers: BTreeSet<&String> = questions.iter().flat_map(|one| &one.covers).collect();
        let told = format!("case {number} of {of}: {covers:?}");
        for one in covers {
            *covered.entry(one.clone()).or_default() += 1;
        }
        let holds = |resource: &&Value| questions.iter().all(|one| (one.holds)(resource, world));
        let expected = all_of(world, of).into_iter().filter(holds);
        let mut expected: Vec<String> = expected.map(|resource| text(resource, "id").to_owned()).collect();
        expected.sort();
        let clauses = questions.iter().map(|one| one.clause.clone()).collect();
        // Some in many pages, most in few.
        let count = draw.one(&[3, 20, 100, 100, 100]) * world.scale();
        let sort = match newest {
            true => vec![Sort { by: SortBy::Parameter("date".into()), descending: true }],
            false => sort(draw, of),
        };
        let asked = Search { count, sort, ..search(of, clauses) };
        Self { asked, expected, told }
    }

    async fn run(self, resources: Arc<dyn Resources>) {
        let Self { asked, expected, told } = self;
        let by_id = asked.sort.first().filter(|first| first.by == SortBy::Id).map(|first| first.descending);
        let mut found = walk(&*resources, asked).await;
        if let Some(descending) = by_id {
            let follows = |one: &String, next: &String| if descending { one > next } else { one < next };
            assert!(found.is_sorted_by(follows), "{told}");
        }
        found.sort();
        assert_eq!(found, expected, "{told}");
    }
}

/// Runs so many searches over a store of its own; how many were of each kind, modifier and prefix.
async fn compare(adapter: &dyn Adapter, observations: usize, cases: usize) -> BTreeMap<String, usize> {
    let node = adapter.clinical().await;
    let (world, mut draw) = drawn(observations);
    put(&node, 1, world.versions()).await;
    agree(&node.resources, &world, &mut draw, cases, |_, clause| clause).await
}

/// What is searched, and what draws the searches.
pub fn drawn(observations: usize) -> (World, Draw) {
    let mut draw = Draw(0x2545_F491_4F6C_DD1D);
    (World::make(observations, &mut draw), draw)
}

/// Runs so many searches over what is stored; how many were of each kind, modifier and prefix. `named`: how a clause of a type
/// is asked there.
pub async fn agree(
    resources: &Arc<dyn Resources>,
    world: &World,
    draw: &mut Draw,
    cases: usize,
    named: fn(&str, Clause) -> Clause,
) -> BTreeMap<String, usize> {
    let (mut answered, mut covered) = (0, BTreeMap::new());
    let mut running = tokio::task::JoinSet::new();
    for number in 0..cases {
        let mut case = Case::draw(draw, world, number, &mut covered);
        let of = case.asked.resource_type.as_str();
        case.asked.clauses = case.asked.clauses.into_iter().map(|clause| named(of, clause)).collect();
        answered += usize::from(!case.expected.is_empty());
        running.spawn(case.run(Arc::clone(resources)));
        while running.len() >= AT_ONCE {
            running.join_next().await.expect("some run").expect("it finds what it must");
        }
        if number.is_multiple_of(10_000) && number > 0 {
            eprintln!("{number} searches over {} resources", world.all.len());
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("it finds what it must");
    }
    assert!(answered > cases / 3, "many searches find something: {answered} of {cases}");
    covered
}
