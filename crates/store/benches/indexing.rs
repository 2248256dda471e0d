//! How fast the index of one more search parameter is made of resources that stand, beside how fast the same resources
//! were written in the same run, and how long a writer waits meanwhile.
#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fhir::profile::PackageFiles;
use fhir::{Audience, CustomParameters, ResourceType};
use serde_json::{Value, json};
use store::sqlite::{Options, Role, Sqlite};
use store::{IndexEntry, Indexing, Intake, IntakeWrite, Origin, ResourceBody, ResourceKey, ResourceVersion};
use uuid::Uuid;

const PATIENTS: usize = 50_000;
const BATCH: usize = 200;
const NOW_US: i64 = 1_795_392_000_000_000;
const EXTENSION: &str = "http://example.org/farm";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("store-indexing-{}", Uuid::new_v4()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let options = || Options { synchronous_full: true, read_connections: 2, now_us: || NOW_US };
        let store = Sqlite::open(&folder, Role::Portal, options()).await?;
        let begun = Instant::now();
        for first in (0..PATIENTS).step_by(BATCH) {
            store.arrive((first..first + BATCH).map(write).collect()).await?;
        }
        let written = rate(PATIENTS, begun.elapsed());
        store.close().await?;
        let store = Sqlite::open_indexing(&folder, Role::Portal, options(), &defined()?).await?;
        let begun = Instant::now();
        while store.index_more().await? {}
        let indexed = rate(PATIENTS, begun.elapsed());
        println!("written: {written:.0} resources a second");
        println!("indexed afterwards: {indexed:.0} resources a second, {:.2} of that", indexed / written);
        store.close().await?;
        // Once more, by another definition, while somebody writes.
        let store =
            Sqlite::open_indexing(&folder, Role::Portal, options(), &CustomParameters::default()).await?;
        let walk = async {
            let begun = Instant::now();
            while store.index_more().await? {}
            Ok::<Duration, store::Error>(begun.elapsed())
        };
        let writes = async {
            let mut waits = Vec::new();
            for number in PATIENTS..PATIENTS + BATCH {
                let begun = Instant::now();
                store.arrive(vec![write(number)]).await?;
                waits.push(begun.elapsed());
            }
            waits.sort_unstable();
            Ok::<Vec<Duration>, store::Error>(waits)
        };
        let (walked, waits) = tokio::join!(walk, writes);
        let at = |waits: &[Duration], part: usize| {
            waits.get(waits.len() * part / 100).copied().unwrap_or_default()
        };
        let waits = waits?;
        println!("removed beside writes: {:.0} resources a second", rate(PATIENTS, walked?));
        println!("a write beside it: p50 {:?}, p99 {:?}", at(&waits, 50), at(&waits, 99));
        store.close().await?;
        Ok::<(), Box<dyn std::error::Error>>(())
    });
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn rate(number: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX)) / time.as_secs_f64()
}

fn defined() -> Result<CustomParameters, Box<dyn std::error::Error>> {
    let definition = json!({"resourceType": "SearchParameter", "url": "http://example.org/colour", "status": "active",
        "code": "colour", "base": ["Patient"], "type": "token",
        "expression": format!("Patient.extension('{EXTENSION}').value.ofType(code)")});
    let about = json!({"name": "farm", "version": "1.0.0", "fhirVersions": ["4.0.1"]});
    let files = BTreeMap::from([
        ("package.json".to_owned(), about.to_string().into_bytes()),
        ("SearchParameter-colour.json".to_owned(), definition.to_string().into_bytes()),
    ]);
    let package = PackageFiles { origin: "farm".to_owned(), files };
    CustomParameters::compile(&[package], &[])
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<String>().into())
}

fn write(number: usize) -> IntakeWrite {
    let record = audit::Record::new(audit::Kind::Arrived, Uuid::from_u128(as_key(number)), "bench", NOW_US);
    IntakeWrite {
        idempotency_key: Uuid::from_u128(as_key(number)),
        version: Some(version(&patient(number))),
        receipt: String::new(),
        record,
    }
}

fn as_key(number: usize) -> u128 {
    u128::try_from(number).unwrap_or(u128::MAX)
}

fn patient(number: usize) -> Value {
    let birth = format!("{}-{:02}-{:02}", 1930 + number % 90, 1 + number % 12, 1 + number % 28);
    json!({"resourceType": "Patient", "id": format!("p{number}"), "active": true, "birthDate": birth,
        "gender": if number.is_multiple_of(2) { "female" } else { "male" },
        "extension": [{"url": EXTENSION, "valueCode": format!("c{}", number % 7)}],
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": format!("M{number}")}],
        "name": [{"family": format!("Family{}", number % 700), "given": [format!("Given{}", number % 90)]}],
        "address": [{"line": ["1 Main St"], "city": "Town", "state": "CT", "postalCode": "00000"}]})
}

fn version(body: &Value) -> ResourceVersion {
    let resource_type = ResourceType::of(body).unwrap_or_else(|| panic!("a type of R4"));
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    ResourceVersion {
        key: ResourceKey { resource_type, id },
        version: 1,
        updated_us: NOW_US,
        patient: None,
        deleted: false,
        body: ResourceBody::new(fhir::canonical_json(body)),
        index: IndexEntry::all_of(body, Audience::Identified),
        origin: Origin::Package("p".to_owned()),
    }
}
