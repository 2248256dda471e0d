//! Search over 100,000 resources of synthetic patients, as the percentiles of each kind of search; and what indexing every
//! parameter costs when resources are applied.
#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use fhir::{Audience, DateMatch, ResourceType};
use serde_json::{Value, json};
use store::sqlite::{Options, Role, Sqlite};
use store::{
    Apply, Cause, Clause, History, HistoryOf, Include, IndexEntry, JournalId, MessageRow, MessageState,
    Origin, ResourceBody, ResourceKey, ResourceVersion, Resources, Search, Seq, Sort, SortBy, TextMatch,
    TokenValue, Way, WriteSet,
};
use uuid::Uuid;

const PATIENTS: usize = 5_000;
const RESULTS: usize = 19;
const NOW_US: i64 = 1_795_392_000_000_000;
const RUNS: usize = 200;
const FAMILIES: usize = 700;
const CODES: usize = 60;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("store-search-{}", Uuid::new_v4()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let options = || Options { synchronous_full: false, read_connections: 2, now_us: || NOW_US };
        let few = Sqlite::open(&folder.join("few"), Role::Clinical, options()).await?;
        let part =
            fill(&few, PATIENTS / 10, |code| matches!(code, "identifier" | "patient" | "subject" | "code"))
                .await?;
        few.close().await?;
        let store = Sqlite::open(&folder.join("all"), Role::Clinical, options()).await?;
        let first = fill(&store, PATIENTS / 10, |_| true).await?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / as_f64(PATIENTS / 10 * (RESULTS + 1));
        println!("apply, four parameters indexed: {:.1} us a resource", each(part));
        println!("apply, every parameter indexed: {:.1} us a resource", each(first));
        fill_rest(&store).await?;
        searches(&store).await?;
        store.close().await?;
        Ok::<(), Box<dyn std::error::Error>>(())
    });
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn as_f64(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Writes the first patients, in sets of a patient each; the time of writing alone.
async fn fill(store: &Arc<Sqlite>, patients: usize, indexed: fn(&str) -> bool) -> store::Result<Duration> {
    write(store, 0..patients, indexed).await
}

async fn fill_rest(store: &Arc<Sqlite>) -> store::Result<()> {
    write(store, PATIENTS / 10..PATIENTS, |_| true).await.map(|_| ())
}

async fn write(
    store: &Arc<Sqlite>,
    patients: std::ops::Range<usize>,
    indexed: fn(&str) -> bool,
) -> store::Result<Duration> {
    let mut spent = Duration::ZERO;
    let all: Vec<usize> = patients.collect();
    for chunk in all.chunks(64) {
        let sets: Vec<WriteSet> = chunk.iter().map(|number| set(*number, indexed)).collect();
        let started = Instant::now();
        let commits = sets.into_iter().map(|set| {
            let store = Arc::clone(store);
            tokio::spawn(async move { store.commit(set).await })
        });
        for commit in commits.collect::<Vec<_>>() {
            commit.await.map_err(|error| store::Error::Unavailable(Box::new(error)))??;
        }
        spent += started.elapsed();
    }
    Ok(spent)
}

fn set(number: usize, indexed: fn(&str) -> bool) -> WriteSet {
    let seq = Seq(i64::try_from(number).unwrap_or(i64::MAX - 1) + 1);
    let message = MessageRow {
        id: JournalId(Uuid::from_u128(0x7000 + u128::from(seq.0.unsigned_abs()))),
        seq,
        channel: "adt".into(),
        received_us: NOW_US,
        processed_us: NOW_US,
        state: MessageState::Routed,
        message_type: "ORU^R01".into(),
        sender: "LAB".into(),
        reason: None,
        issues: "[]".into(),
        package_hash: "p".into(),
        flags: 0,
        leaves_mapped: 1,
        leaves_total: 1,
        parent: None,
        resolved_by: None,
    };
    let mut set = WriteSet::of(Cause::Applied(seq), message, Vec::new());
    let id = format!("p{number}");
    set.versions.push(version(&patient(number, &id), &id, number, indexed));
    for result in 0..RESULTS {
        set.versions.push(version(&observation(number, &id, result), &id, number, indexed));
    }
    set
}

fn patient(number: usize, id: &str) -> Value {
    let birth = format!("{}-{:02}-{:02}", 1930 + number % 90, 1 + number % 12, 1 + number % 28);
    json!({"resourceType": "Patient", "id": id, "active": true, "birthDate": birth,
        "gender": if number.is_multiple_of(2) { "female" } else { "male" },
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": format!("M{number}")}],
        "name": [{"family": format!("Family{}", number % FAMILIES), "given": [format!("Given{}", number % 90)]}],
        "telecom": [{"system": "phone", "value": "555-0100"}],
        "address": [{"line": ["1 Main St"], "city": "Town", "state": "CT", "postalCode": "00000"}]})
}

fn observation(number: usize, patient: &str, result: usize) -> Value {
    let at = format!("20{:02}-{:02}-{:02}T10:00:00Z", 10 + result % 16, 1 + number % 12, 1 + result);
    json!({"resourceType": "Observation", "id": format!("o{number}-{result}"), "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": format!("{}-1", (number + result) % CODES)}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "encounter": {"reference": format!("Encounter/e{number}")},
        "effectiveDateTime": at, "valueQuantity": {"value": number % 200, "unit": "mg", "code": "mg"}})
}

fn version(body: &Value, patient: &str, number: usize, indexed: fn(&str) -> bool) -> ResourceVersion {
    let resource_type = ResourceType::of(body).unwrap_or_else(|| panic!("a type of R4"));
    let parameters = fhir::indexed(resource_type.as_str(), Audience::Identified);
    let index = parameters.filter(|parameter| indexed(parameter.code)).flat_map(|parameter| {
        let values = fhir::extract(body, parameter).into_iter();
        values.map(|value| IndexEntry { parameter: parameter.code.to_owned(), value })
    });
    ResourceVersion {
        key: ResourceKey { resource_type, id: body["id"].as_str().unwrap_or_default().to_owned() },
        version: 1,
        updated_us: NOW_US + i64::try_from(number).unwrap_or(0),
        patient: Some(patient.to_owned()),
        deleted: false,
        body: ResourceBody::new(fhir::canonical_json(body)),
        index: index.collect(),
        origin: Origin::Package("p".into()),
    }
}

fn token(parameter: &str, code: &str) -> Clause {
    let values = vec![TokenValue { system: None, code: Some(code.to_owned()) }];
    Clause::Token { parameter: parameter.to_owned(), values, not: false }
}

fn dated(text: &str) -> Clause {
    let values = DateMatch::parse(text, NOW_US).into_iter().collect();
    Clause::Date { parameter: "date".to_owned(), values }
}

type Made = (&'static str, &'static str, fn(usize) -> (Vec<Clause>, Vec<Sort>, Vec<Include>));

fn newest(code: &str) -> Vec<Sort> {
    vec![Sort { by: SortBy::Parameter(code.to_owned()), descending: true }]
}

fn of(number: usize) -> Clause {
    Clause::Reference {
        parameter: "patient".to_owned(),
        values: vec![(Some("Patient".to_owned()), format!("p{number}"))],
    }
}

fn family(number: usize, how: TextMatch) -> Clause {
    let values = vec![format!("Family{}", number % FAMILIES)];
    Clause::Text { parameter: "family".to_owned(), values, how }
}

const SEARCHES: &[Made] = &[
    ("Patient", "identifier", |n| (vec![token("identifier", &format!("M{n}"))], Vec::new(), Vec::new())),
    ("Patient", "family", |n| (vec![family(n, TextMatch::Start)], Vec::new(), Vec::new())),
    ("Patient", "family, sorted by birthdate", |n| {
        (vec![family(n, TextMatch::Exact)], newest("birthdate"), Vec::new())
    }),
    ("Patient", "family:contains", |n| (vec![family(n, TextMatch::Contains)], Vec::new(), Vec::new())),
    ("Patient", "all, sorted by family", |_| (Vec::new(), newest("family"), Vec::new())),
    ("Observation", "patient, sorted by -date", |n| (vec![of(n)], newest("date"), Vec::new())),
    ("Observation", "patient, category, date=ge", |n| {
        (vec![of(n), token("category", "laboratory"), dated("ge2015")], newest("date"), Vec::new())
    }),
    ("Observation", "patient, _include", |n| {
        let include = ResourceType::parse("Observation").map(|source| Include {
            way: Way::Forward,
            source,
            parameters: vec!["subject".to_owned()],
            targets: Vec::new(),
            iterate: false,
        });
        (vec![of(n)], Vec::new(), include.into_iter().collect())
    }),
    ("Observation", "code", |n| (vec![token("code", &format!("{}-1", n % CODES))], Vec::new(), Vec::new())),
    ("Observation", "code and date=ge, sorted by -date", |n| {
        (vec![token("code", &format!("{}-1", n % CODES)), dated("ge2015")], newest("date"), Vec::new())
    }),
    ("Observation", "date within a month", |n| {
        let month = format!("20{:02}-{:02}", 10 + n % 16, 1 + n % 12);
        (vec![dated(&month)], Vec::new(), Vec::new())
    }),
    ("Observation", "category, sorted by -date", |_| {
        (vec![token("category", "laboratory")], newest("date"), Vec::new())
    }),
    ("Observation", "all, newest change first", |_| {
        (Vec::new(), vec![Sort { by: SortBy::Updated, descending: true }], Vec::new())
    }),
];

async fn searches(store: &Sqlite) -> store::Result<()> {
    println!("{} resources; times in ms of {RUNS} runs, 50 to a page", PATIENTS * (RESULTS + 1));
    for (name, what, made) in SEARCHES {
        let Some(resource_type) = ResourceType::parse(name) else { continue };
        let (mut times, mut shown) = (Vec::with_capacity(RUNS), 0);
        for run in 0..RUNS {
            let (clauses, sort, includes) = made(run * 7919 % PATIENTS);
            let asked = Search { clauses, sort, includes, ..Search::of(resource_type, 50) };
            let started = Instant::now();
            let page = store.search(&asked).await?;
            times.push(started.elapsed());
            shown += page.matches.len();
        }
        report(&format!("{name}: {what}"), times, shown);
    }
    let Some(resource_type) = ResourceType::parse("Observation") else { return Ok(()) };
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let started = Instant::now();
        store.history(&History::of(HistoryOf::Type(resource_type), 50)).await?;
        times.push(started.elapsed());
    }
    report("Observation: history of the type", times, RUNS * 50);
    Ok(())
}

fn report(what: &str, mut times: Vec<Duration>, shown: usize) {
    times.sort();
    let at = |part: usize| times.get(times.len() * part / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "{what:<50} p50 {:>7.2}  p95 {:>7.2}  p99 {:>7.2}  matches {:>5.1}",
        at(50),
        at(95),
        at(99),
        as_f64(shown) / as_f64(RUNS)
    );
}
