//! Search parameters that packages define: their index is made beside all other work, and nothing is found by half of it.

use std::collections::BTreeMap;

use fhir::CustomParameters;
use fhir::profile::PackageFiles;
use serde_json::{Value, json};
use store::{
    Clause, Error, Include, IndexState, PartValue, QuantityValue, Search, Sort, SortBy, TextMatch,
    TokenValue, UriMatch, Way, WriteSet,
};

use crate::harness::{Adapter, Indexed};
use crate::naive;
use crate::samples::{real, resource_type, search, set, tokens};

/// Resources of one part of a walk.
const PART: usize = 200;
/// Searches that are compared with a naive reading.
const NAIVE_CASES: usize = 1_500;
const FARM: &str = "http://example.org/farm";

/// A definition of type, code, kind and expression.
fn definition(of: &str, code: &str, kind: &str, expression: &str) -> Value {
    json!({"resourceType": "SearchParameter", "url": format!("http://example.org/{of}-{code}"), "name": "x",
        "status": "active", "description": "x", "code": code, "base": [of], "type": kind, "expression": expression})
}

fn parameters(definitions: &[Value]) -> CustomParameters {
    let about = json!({"name": "farm", "version": "1.0.0", "fhirVersions": ["4.0.1"]});
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    files.insert("package.json".into(), about.to_string().into_bytes());
    for (number, definition) in definitions.iter().enumerate() {
        files.insert(format!("SearchParameter-{number}.json"), definition.to_string().into_bytes());
    }
    let package = PackageFiles { origin: "farm".into(), files };
    CustomParameters::compile(&[package], &[]).expect("compiles")
}

/// The colour of a patient's farm.
fn colour() -> CustomParameters {
    let text = format!("Patient.extension('{FARM}').value.ofType(code)");
    parameters(&[definition("Patient", "colour", "token", &text)])
}

fn patient(number: usize, colour: Option<&str>) -> Value {
    let mut patient = json!({"resourceType": "Patient", "id": format!("p{number:04}"), "gender": "female"});
    if let Some(colour) = colour {
        patient["extension"] = json!([{"url": FARM, "valueCode": colour}]);
    }
    patient
}

async fn write(store: &Indexed, seq: i64, resources: &[Value], version: u32) {
    let version = |resource| store::ResourceVersion { version, ..real(resource) };
    let versions = resources.iter().map(version).collect();
    store.apply.commit(WriteSet { versions, ..set(seq) }).await.expect("commits");
}

/// Three parts of patients, each third one red; opened without a definition.
async fn herd(adapter: &dyn Adapter) -> usize {
    let store = adapter.indexing(&CustomParameters::default()).await;
    let all: Vec<Value> =
        (0..PART * 2 + 50).map(|number| patient(number, (number % 3 == 0).then_some("red"))).collect();
    write(&store, 1, &all, 1).await;
    all.len()
}

fn by_colour(code: &str) -> Clause {
    tokens("colour", &[(None, Some(code))])
}

async fn ids(store: &Indexed, asked: Search) -> Vec<String> {
    let asked = Search { count: 1_000, ..asked };
    let page = store.resources.search(&asked).await.expect("searches");
    assert!(page.next.is_none() && !page.examined_cut);
    let mut ids: Vec<String> = page.matches.into_iter().map(|stored| stored.key.id).collect();
    ids.sort();
    ids
}

async fn found(store: &Indexed, code: &str) -> Vec<String> {
    ids(store, search("Patient", vec![by_colour(code)])).await
}

fn state(store: &Indexed, code: &str) -> IndexState {
    let mut all = store.index.of("Patient");
    all.find(|(parameter, _)| parameter.code == code).expect("is defined").1
}

/// Makes all that is to be made; how many parts that took.
async fn finish(store: &Indexed) -> usize {
    let mut parts = 0;
    while store.indexing.index_more().await.expect("indexes") {
        parts += 1;
        assert!(parts < 1_000, "a walk does not end");
    }
    assert!(store.index.pending().is_empty());
    parts
}

async fn is_refused(store: &Indexed, asked: &Search) -> bool {
    matches!(store.resources.search(asked).await, Err(Error::NotIndexed))
}

pub async fn what_stood_before_is_found_once_all_of_it_is_indexed(adapter: &dyn Adapter) {
    let stood = herd(adapter).await;
    let keeper = definition("Patient", "keeper", "reference", "Patient.managingOrganization");
    let defined = parameters(&[
        definition("Patient", "colour", "token", &format!("Patient.extension('{FARM}').value.ofType(code)")),
        keeper,
    ]);
    let store = adapter.indexing(&defined).await;
    let before = store.index.revision();
    assert_eq!(state(&store, "colour"), IndexState::Building(0));
    assert_eq!(store.index.counts(), (2, 0));
    let chain = |target: &str, code: &str| Clause::Chain {
        parameter: "subject".into(),
        targets: vec![(resource_type(target), by_colour(code))],
    };
    let has = Clause::Has {
        source: resource_type("Patient"),
        parameter: "keeper".into(),
        clause: Box::new(Clause::Id(vec!["p0001".into()])),
    };
    let sorted = Search {
        sort: vec![Sort { by: SortBy::Parameter("colour".into()), descending: false }],
        ..search("Patient", Vec::new())
    };
    let along = Search {
        includes: vec![Include {
            way: Way::Forward,
            source: resource_type("Patient"),
            parameters: vec!["keeper".into()],
            targets: Vec::new(),
            iterate: false,
        }],
        ..search("Patient", Vec::new())
    };
    let all = [
        search("Patient", vec![by_colour("red")]),
        search("Patient", vec![Clause::Any(vec![Clause::None(vec![by_colour("red")])])]),
        search("Patient", vec![Clause::Missing { parameter: "colour".into(), missing: true }]),
        search("Observation", vec![chain("Patient", "red")]),
        search("Organization", vec![has]),
        sorted,
        along,
    ];
    for asked in &all {
        assert!(is_refused(&store, asked).await, "{asked:?}");
    }
    assert!(store.indexing.index_more().await.expect("indexes"));
    assert_eq!(state(&store, "colour"), IndexState::Building(44), "{PART} of {stood}");
    assert!(is_refused(&store, &all[0]).await, "never a part of what there is");
    assert_eq!(
        ids(&store, search("Patient", Vec::new())).await.len(),
        stood,
        "whoever asks by else is answered"
    );
    assert_eq!(finish(&store).await, 2);
    assert_eq!((state(&store, "colour"), store.index.counts()), (IndexState::Ready, (2, 2)));
    assert_ne!(store.index.revision(), before);
    let red: Vec<String> = (0..stood).step_by(3).map(|number| format!("p{number:04}")).collect();
    assert_eq!(found(&store, "red").await, red);
    assert_eq!(found(&store, "blue").await, Vec::<String>::new());
    for asked in &all {
        assert!(!is_refused(&store, asked).await, "{asked:?}");
    }
    assert!(!store.indexing.index_more().await.expect("has nothing to do"));
    // What is indexed stays so.
    let again = adapter.indexing(&defined).await;
    assert_eq!((state(&again, "colour"), finish(&again).await), (IndexState::Ready, 0));
    assert_eq!(found(&again, "red").await, red);
}

pub async fn a_walk_goes_on_after_a_restart(adapter: &dyn Adapter) {
    let stood = herd(adapter).await;
    let store = adapter.indexing(&colour()).await;
    store.indexing.index_more().await.expect("indexes");
    for _ in 0..3 {
        let again = adapter.indexing(&colour()).await;
        assert_eq!(state(&again, "colour"), IndexState::Building(44));
        assert!(is_refused(&again, &search("Patient", vec![by_colour("red")])).await);
    }
    let again = adapter.indexing(&colour()).await;
    assert_eq!(finish(&again).await, 2, "what was done is not done again");
    assert_eq!(found(&again, "red").await.len(), stood.div_ceil(3));
}

pub async fn writes_during_a_walk_keep_up_with_it(adapter: &dyn Adapter) {
    let stood = herd(adapter).await;
    let store = adapter.indexing(&colour()).await;
    store.indexing.index_more().await.expect("indexes");
    // Walked over, not walked over yet, and new; one that was red is not, one that was not is.
    let changed =
        [patient(0, Some("blue")), patient(1, Some("blue")), patient(400, Some("blue")), patient(402, None)];
    write(&store, 2, &changed, 2).await;
    write(&store, 3, &[patient(9_000, Some("blue"))], 1).await;
    let gone = store::ResourceVersion {
        deleted: true,
        index: Vec::new(),
        body: store::ResourceBody::new(Vec::new()),
        version: 2,
        ..real(&patient(399, Some("red")))
    };
    store.apply.commit(WriteSet { versions: vec![gone], ..set(4) }).await.expect("commits");
    // Writes and parts of the walk take turns as they come.
    let writes = async {
        for seq in 5..45 {
            let number = usize::try_from(seq).expect("is small") * 9;
            write(&store, seq, &[patient(number, Some("green"))], 2).await;
        }
    };
    let walk = async { while store.indexing.index_more().await.expect("indexes") {} };
    tokio::join!(writes, walk);
    let id = |number: usize| format!("p{number:04}");
    assert_eq!(found(&store, "blue").await, [0, 1, 400, 9_000].map(id));
    let green: Vec<usize> = (5..45).map(|seq| seq * 9).collect();
    assert_eq!(found(&store, "green").await, green.iter().copied().map(id).collect::<Vec<_>>());
    let red = (3..stood).step_by(3).filter(|number| ![399, 402].contains(number) && !green.contains(number));
    assert_eq!(found(&store, "red").await, red.map(id).collect::<Vec<_>>());
}

pub async fn a_changed_definition_is_indexed_anew(adapter: &dyn Adapter) {
    herd(adapter).await;
    let store = adapter.indexing(&colour()).await;
    finish(&store).await;
    // The same code says something else now.
    let other = parameters(&[definition("Patient", "colour", "token", "Patient.gender")]);
    let store = adapter.indexing(&other).await;
    assert_eq!(state(&store, "colour"), IndexState::Building(0));
    assert!(is_refused(&store, &search("Patient", vec![by_colour("red")])).await);
    finish(&store).await;
    assert_eq!(found(&store, "red").await, Vec::<String>::new());
    assert_eq!(found(&store, "female").await.len(), 450);
    let as_date = parameters(&[definition("Patient", "colour", "date", "Patient.birthDate")]);
    let store = adapter.indexing(&as_date).await;
    assert_eq!(state(&store, "colour"), IndexState::Building(0));
    finish(&store).await;
    let missing = Clause::Missing { parameter: "colour".into(), missing: true };
    assert_eq!(ids(&store, search("Patient", vec![missing])).await.len(), 450);
}

pub async fn a_parameter_that_went_leaves_no_rows(adapter: &dyn Adapter) {
    herd(adapter).await;
    let store = adapter.indexing(&colour()).await;
    finish(&store).await;
    let store = adapter.indexing(&CustomParameters::default()).await;
    let pending = store.index.pending();
    assert_eq!((pending.len(), pending[0].codes.len(), store.index.counts()), (1, 0, (0, 0)));
    store.indexing.index_more().await.expect("removes");
    write(&store, 2, &[patient(3, Some("red"))], 2).await;
    // It comes back before all of it is gone: of what is left nothing is believed.
    let store = adapter.indexing(&colour()).await;
    assert_eq!(state(&store, "colour"), IndexState::Building(0));
    finish(&store).await;
    assert_eq!(found(&store, "red").await.len(), 150);
    let store = adapter.indexing(&CustomParameters::default()).await;
    assert_eq!(finish(&store).await, 3);
    // Nobody knows the name that its rows had, and a definition begins anew.
    assert_eq!(found(&store, "red").await, Vec::<String>::new());
    let store = adapter.indexing(&colour()).await;
    assert_eq!(state(&store, "colour"), IndexState::Building(0));
}

pub async fn an_empty_store_is_ready_at_once(adapter: &dyn Adapter) {
    let store = adapter.indexing(&colour()).await;
    assert_eq!((state(&store, "colour"), finish(&store).await), (IndexState::Ready, 0));
    write(&store, 1, &[patient(1, Some("red")), patient(2, None)], 1).await;
    assert_eq!(found(&store, "red").await, ["p0001"]);
    write(&store, 2, &[patient(1, Some("blue"))], 2).await;
    assert_eq!(found(&store, "red").await, Vec::<String>::new());
    assert_eq!(found(&store, "blue").await, ["p0001"]);
}

pub async fn one_more_parameter_leaves_the_others_usable(adapter: &dyn Adapter) {
    herd(adapter).await;
    let store = adapter.indexing(&colour()).await;
    finish(&store).await;
    let text = format!("Patient.extension('{FARM}').value.ofType(code)");
    let two = parameters(&[
        definition("Patient", "colour", "token", &text),
        definition("Patient", "sex", "token", "Patient.gender"),
    ]);
    let store = adapter.indexing(&two).await;
    assert_eq!((state(&store, "colour"), state(&store, "sex")), (IndexState::Ready, IndexState::Building(0)));
    assert_eq!(found(&store, "red").await.len(), 150);
    finish(&store).await;
    let female = tokens("sex", &[(None, Some("female"))]);
    assert_eq!(ids(&store, search("Patient", vec![female, by_colour("red")])).await.len(), 150);
}

/// One definition of each kind, all of an observation.
fn of_every_kind() -> CustomParameters {
    let mut pair = definition("Observation", "pair", "composite", "Observation.component");
    pair["component"] = json!([
        {"definition": "http://hl7.org/fhir/SearchParameter/clinical-code", "expression": "code"},
        {"definition": "http://example.org/Observation-amount", "expression": "value.ofType(Quantity)"},
    ]);
    let of = |code, kind, expression| definition("Observation", code, kind, expression);
    parameters(&[
        of("body", "token", "Observation.bodySite"),
        of("words", "string", "Observation.note.text"),
        of("when", "date", "Observation.extension('urn:when').value.ofType(dateTime)"),
        of("times", "number", "Observation.extension('urn:times').value.ofType(integer)"),
        of("amount", "quantity", "Observation.component.value.ofType(Quantity)"),
        of("who", "reference", "Observation.extension.where(url = 'urn:who').value.ofType(Reference)"),
        of("where", "uri", "Observation.extension('urn:where').value.ofType(url)"),
        pair,
    ])
}

fn observation(id: &str, one: i64) -> Value {
    let extension = |name: &str, kind: &str, value: Value| json!({"url": format!("urn:{name}"), kind: value});
    let part = |code: &str, value: i64| {
        json!({"code": {"coding": [{"system": "urn:s", "code": code}]},
            "valueQuantity": {"value": value, "unit": "mg", "system": "urn:u", "code": "mg"}})
    };
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"code": "x"}]},
        "bodySite": {"coding": [{"system": "urn:s", "code": format!("b{one}")}]},
        "note": [{"text": format!("Größe {one} and more")}],
        "extension": [
            extension("when", "valueDateTime", json!(format!("202{one}-05-11T10:00:00Z"))),
            extension("times", "valueInteger", json!(one)),
            extension("who", "valueReference", json!({"reference": format!("Patient/w{one}")})),
            extension("where", "valueUrl", json!(format!("http://example.org/{one}"))),
        ],
        "component": [part("a", one), part("b", one + 10)]})
}

pub async fn every_kind_is_found_and_sorted(adapter: &dyn Adapter) {
    let store = adapter.indexing(&CustomParameters::default()).await;
    let bare = json!({"resourceType": "Observation", "id": "o9", "status": "final", "code": {"coding": [{"code": "x"}]}});
    write(&store, 1, &[observation("o1", 1), observation("o2", 2), bare.clone()], 1).await;
    let store = adapter.indexing(&of_every_kind()).await;
    finish(&store).await;
    write(&store, 2, &[observation("o3", 3)], 1).await;
    let number = |text: &str| fhir::NumberMatch::parse(text).expect("a number");
    let quantity = |text: &str| QuantityValue { number: number(text), system: None, unit: None };
    let code = |code: &str| TokenValue { system: None, code: Some(code.into()) };
    let parameter = |name: &str| name.to_owned();
    let pair = |one: &str, amount: &str| Clause::Composite {
        parameter: parameter("pair"),
        values: vec![vec![PartValue::Token(code(one)), PartValue::Number(vec![quantity(amount)])]],
    };
    let date = fhir::DateMatch::parse("2022-05", 0).expect("a date");
    for (clause, expected) in [
        (tokens("body", &[(Some("urn:s"), Some("b2"))]), &["o2"][..]),
        (
            Clause::Text {
                parameter: parameter("words"),
                values: vec!["grosse 2".into()],
                how: TextMatch::Start,
            },
            &["o2"],
        ),
        (Clause::Date { parameter: parameter("when"), values: vec![date] }, &["o2"]),
        (Clause::Number { parameter: parameter("times"), values: vec![quantity("gt1")] }, &["o2", "o3"]),
        (Clause::Number { parameter: parameter("amount"), values: vec![quantity("12")] }, &["o2"]),
        (
            Clause::Reference {
                parameter: parameter("who"),
                values: vec![(Some("Patient".into()), "w2".into())],
            },
            &["o2"],
        ),
        (
            Clause::Uri {
                parameter: parameter("where"),
                values: vec!["http://example.org/2".into()],
                how: UriMatch::Whole,
            },
            &["o2"],
        ),
        (pair("b", "12"), &["o2"]),
        // Each part is there, and not of one element.
        (pair("a", "12"), &[]),
        (Clause::Missing { parameter: parameter("times"), missing: true }, &["o9"]),
    ] {
        assert_eq!(ids(&store, search("Observation", vec![clause.clone()])).await, expected, "of few");
    }
    for code in ["body", "words", "when", "times", "amount", "who", "where"] {
        let sort = vec![Sort { by: SortBy::Parameter(code.into()), descending: true }];
        let page = store.resources.search(&Search { sort, ..search("Observation", Vec::new()) }).await;
        let order: Vec<String> = page.expect("searches").matches.into_iter().map(|one| one.key.id).collect();
        assert_eq!(order, ["o3", "o2", "o1", "o9"], "{code}");
    }
}

pub async fn a_part_is_bounded_by_bytes(adapter: &dyn Adapter) {
    let store = adapter.indexing(&CustomParameters::default()).await;
    // Bytes that no compression shortens much, so that two of them are more than a part takes.
    let mut last = 1_u32;
    let mut large = |number: usize| {
        let mut next = || {
            last = last.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            last
        };
        let mut patient = patient(number, Some("red"));
        patient["photo"] =
            json!([{"title": (0..350_000).map(|_| format!("{:08x}", next())).collect::<String>()}]);
        patient
    };
    for number in 0..3 {
        let resource = large(number);
        write(&store, i64::try_from(number).expect("is small") + 1, &[resource], 1).await;
    }
    let store = adapter.indexing(&colour()).await;
    assert!(finish(&store).await >= 2, "a part does not take all of them");
    assert_eq!(found(&store, "red").await.len(), 3);
}

/// R4's own parameters of the naive reading, under codes of a package.
fn named_anew() -> CustomParameters {
    let part =
        |definition: &str, expression: &str| json!({"definition": definition, "expression": expression});
    let of = |of, code: &str, kind, expression| definition(of, &format!("own-{code}"), kind, expression);
    let pair = |code, expression| {
        let mut pair = of("Observation", code, "composite", expression);
        pair["component"] = json!([
            part("http://hl7.org/fhir/SearchParameter/clinical-code", "code"),
            part("http://hl7.org/fhir/SearchParameter/Observation-value-quantity", "value.ofType(Quantity)"),
        ]);
        pair
    };
    parameters(&[
        of("Observation", "code", "token", "Observation.code"),
        of("Observation", "value-quantity", "quantity", "Observation.value.ofType(Quantity)"),
        of("Observation", "date", "date", "Observation.effective"),
        of("Observation", "subject", "reference", "Observation.subject"),
        of("Observation", "device", "reference", "Observation.device"),
        pair("code-value-quantity", "Observation"),
        pair("component-code-value-quantity", "Observation.component"),
        of("Patient", "family", "string", "Patient.name.family"),
        of("Patient", "_profile", "uri", "Patient.meta.profile"),
        of("Patient", "identifier", "token", "Patient.identifier"),
        of("RiskAssessment", "probability", "number", "RiskAssessment.prediction.probability"),
    ])
}

/// Parameters that [`named_anew`] defines once more.
const NAMED: [(&str, &str); 11] = [
    ("Observation", "code"),
    ("Observation", "value-quantity"),
    ("Observation", "date"),
    ("Observation", "subject"),
    ("Observation", "device"),
    ("Observation", "code-value-quantity"),
    ("Observation", "component-code-value-quantity"),
    ("Patient", "family"),
    ("Patient", "_profile"),
    ("Patient", "identifier"),
    ("RiskAssessment", "probability"),
];

/// The same question of a type, by the codes of [`named_anew`] where it has some.
fn anew(of: &str, clause: Clause) -> Clause {
    let own = |parameter: String| {
        let code = parameter.split(':').next().unwrap_or_default();
        if NAMED.contains(&(of, code)) { format!("own-{parameter}") } else { parameter }
    };
    let each = |clauses: Vec<Clause>| clauses.into_iter().map(|clause| anew(of, clause)).collect();
    match clause {
        Clause::Token { parameter, values, not } => Clause::Token { parameter: own(parameter), values, not },
        Clause::Reference { parameter, values } => Clause::Reference { parameter: own(parameter), values },
        Clause::Date { parameter, values } => Clause::Date { parameter: own(parameter), values },
        Clause::Text { parameter, values, how } => Clause::Text { parameter: own(parameter), values, how },
        Clause::Uri { parameter, values, how } => Clause::Uri { parameter: own(parameter), values, how },
        Clause::Number { parameter, values } => Clause::Number { parameter: own(parameter), values },
        Clause::Missing { parameter, missing } => Clause::Missing { parameter: own(parameter), missing },
        Clause::Words { parameter, values } => Clause::Words { parameter: own(parameter), values },
        Clause::OfType { parameter, values } => Clause::OfType { parameter: own(parameter), values },
        Clause::Composite { parameter, values } => Clause::Composite { parameter: own(parameter), values },
        Clause::Chain { parameter, targets } => {
            let targets = targets.into_iter().map(|(of, clause)| (of, anew(of.as_str(), clause))).collect();
            Clause::Chain { parameter: own(parameter), targets }
        }
        Clause::Has { source, parameter, clause } => {
            let named = NAMED.contains(&(source.as_str(), parameter.as_str()));
            let parameter = if named { format!("own-{parameter}") } else { parameter };
            Clause::Has { source, parameter, clause: Box::new(anew(source.as_str(), *clause)) }
        }
        Clause::Any(clauses) => Clause::Any(each(clauses)),
        Clause::All(clauses) => Clause::All(each(clauses)),
        Clause::None(clauses) => Clause::None(each(clauses)),
        own @ (Clause::Id(_) | Clause::Updated(_) | Clause::Among { .. }) => own,
    }
}

pub async fn searches_by_them_agree_with_a_naive_reading(adapter: &dyn Adapter) {
    let (world, mut draw) = naive::drawn(naive::OBSERVATIONS);
    let mut before = world.versions();
    let after = before.split_off(before.len() / 2);
    let store = adapter.indexing(&CustomParameters::default()).await;
    store.apply.commit(WriteSet { versions: before, ..set(1) }).await.expect("commits");
    let store = adapter.indexing(&named_anew()).await;
    store.apply.commit(WriteSet { versions: after, ..set(2) }).await.expect("commits");
    finish(&store).await;
    naive::agree(&store.resources, &world, &mut draw, NAIVE_CASES, anew).await;
}

/// What a crash leaves: the files as they are in the middle of a walk, WAL and all.
#[tokio::test]
async fn a_walk_goes_on_after_a_crash() {
    use std::sync::Arc;

    use store::sqlite::{Role, Sqlite};
    use store::{Apply, Indexing, Resources};

    use crate::sqlite::{Folder, options};

    let indexed = |store: Arc<Sqlite>| Indexed {
        index: store.search_index(),
        apply: store.clone() as Arc<dyn Apply>,
        resources: store.clone() as Arc<dyn Resources>,
        indexing: store as Arc<dyn Indexing>,
    };
    let (folder, copy) = (Folder::new(), Folder::new());
    let before = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    let all: Vec<Value> = (0..PART * 2 + 50).map(|number| patient(number, Some("red"))).collect();
    write(&indexed(before.clone()), 1, &all, 1).await;
    before.close().await.expect("closes");
    let walking =
        Sqlite::open_indexing(&folder.0, Role::Clinical, options(), &colour()).await.expect("opens");
    walking.index_more().await.expect("indexes");
    std::fs::create_dir_all(&copy.0).expect("makes");
    for name in ["node.db", "node.db-wal", "access.db"] {
        if folder.0.join(name).exists() {
            std::fs::copy(folder.0.join(name), copy.0.join(name)).expect("copies");
        }
    }
    walking.close().await.expect("closes");
    let after = Sqlite::open_indexing(&copy.0, Role::Clinical, options(), &colour()).await.expect("opens");
    let store = indexed(after.clone());
    assert_eq!(state(&store, "colour"), IndexState::Building(44));
    assert_eq!(after.kept_index().await.expect("reads").walks, [("Patient".to_owned(), 200, 450)]);
    assert_eq!(finish(&store).await, 2, "what was committed is not made again");
    assert_eq!(found(&store, "red").await.len(), 450);
    let kept = after.kept_index().await.expect("reads");
    assert_eq!((kept.ready, kept.building.len(), kept.walks.len()), (1, 0, 0));
    after.close().await.expect("closes");
}
