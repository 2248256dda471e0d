//! The page over the mappings and fixtures of this repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use mapping::{Context, Package, Sources};
use store::{ResourceBody, ResourceKey, Stored};
use uuid::Uuid;

use crate::browser::{Browser, signed_in};
use crate::ports::{Node, START_US, console};
use crate::sample::{clinical, ids};

const NAMESPACE: Uuid = Uuid::from_u128(77);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read_folder(folder: &Path, base: &Path, files: &mut BTreeMap<String, String>) {
    for item in std::fs::read_dir(folder).expect("folder") {
        let path = item.expect("item").path();
        if path.is_dir() {
            read_folder(&path, base, files);
        } else {
            let name = path.strip_prefix(base).expect("inside").to_string_lossy().replace('\\', "/");
            files.insert(name, std::fs::read_to_string(&path).expect("text"));
        }
    }
}

fn package() -> Package {
    let base = root().join("mappings");
    let mut files = BTreeMap::new();
    read_folder(&base, &base, &mut files);
    Package::compile(&Sources(files)).unwrap_or_else(|found| panic!("{} findings", found.len()))
}

/// A browser on a node whose first message is this fixture, with what the package makes of it stored.
async fn browser_on(fixture: &str) -> (Browser, Bytes) {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let bytes = Bytes::from(std::fs::read(root().join("fixtures").join(fixture)).expect("fixture"));
    let package = Arc::new(package());
    let message = hl7v2::Message::read(&bytes).expect("reads");
    let context = Context { namespace: NAMESPACE, site: None, trace: false };
    let translation = package.translate(&message, &context).expect("translates");
    let stored = translation.change.sets.iter().map(|set| Stored {
        key: ResourceKey { resource_type: set.resource_type, id: set.id.clone() },
        version: 1,
        updated_us: START_US,
        patient: None,
        deleted: false,
        origin: store::Origin::Package(String::new()),
        body: ResourceBody::new(fhir::canonical_json(&set.resource)),
    });
    *node.stored.lock().expect("lock") = stored.collect();
    node.clinical.entries.lock().expect("lock")[0].bytes = bytes.clone();
    let mut parts = console(&node, true);
    let package: console::InForce = Arc::new(move || package.clone());
    parts.clinical = Some(console::Clinical { package, namespace: NAMESPACE, ..clinical(&node) });
    let mut browser = Browser::new(parts);
    browser.sign_in().await;
    (browser, bytes)
}

/// `data-n` of what shows `at`.
fn number_of<'p>(page: &'p str, at: &str) -> &'p str {
    let found = page.find(&format!("data-at=\"{at}")).unwrap_or_else(|| panic!("{at} is not there"));
    let start = page[..found].rfind("data-n=\"").expect("linked") + "data-n=\"".len();
    page[start..].split('"').next().expect("quoted")
}

#[tokio::test]
async fn elements_made_by_the_mappings_are_linked_to_their_bytes() {
    let (browser, _) = browser_on("ADT_A01/admit-inpatient.hl7").await;
    let page = browser.get(&format!("/messages/{}", ids()[0])).await.text;
    for (leaf, element) in
        [("PID-5~1.1", "Patient.name[0].family"), ("PID-7", "Patient.birthDate"), ("PID-8", "Patient.gender")]
    {
        assert_eq!(
            number_of(&page, &format!("{leaf} ")),
            number_of(&page, &format!("{element}\"")),
            "{element}"
        );
    }
    assert!(page.contains("segments/PID.Patient.yaml:"));
}

#[tokio::test]
async fn no_name_number_or_address_of_a_fixture_stands_in_a_masked_page() {
    let mut checked = 0;
    for fixture in ["ADT_A01/admit-inpatient.hl7", "ADT_A39/merge-duplicate.hl7", "ORU_R01/text-report.hl7"] {
        let (browser, bytes) = browser_on(fixture).await;
        let page = browser.get(&format!("/messages/{}", ids()[0])).await.text;
        let message = hl7v2::Message::read(&bytes).expect("reads");
        let fields = [("PID", 3), ("PID", 5), ("PID", 7), ("PID", 11), ("PID", 19), ("NK1", 2), ("OBX", 5)];
        for segment in message.segments() {
            for (_, field) in fields.iter().filter(|(name, _)| *name == segment.name()) {
                for repetition in segment.field(*field).repetitions() {
                    let value = repetition.component(1).text();
                    if value.len() >= 4 {
                        assert!(
                            !page.contains(value.as_ref()),
                            "{fixture}: a value of {}-{field}",
                            segment.name()
                        );
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 10, "{checked}");
}

#[tokio::test]
async fn every_fixture_has_a_page() {
    for folder in std::fs::read_dir(root().join("fixtures")).expect("fixtures") {
        let folder = folder.expect("folder").path();
        let Ok(files) = std::fs::read_dir(&folder) else { continue };
        for file in files.map(|file| file.expect("file").path()) {
            if file.extension().is_none_or(|extension| extension != "hl7") {
                continue;
            }
            let (browser, _) = browser_on(
                file.strip_prefix(root().join("fixtures")).expect("inside").to_str().expect("text"),
            )
            .await;
            let page = browser.submit(&format!("/messages/{}/reveal", ids()[0]), "reason=audit").await;
            assert_eq!(page.status, axum::http::StatusCode::OK);
            assert!(page.text.contains("class=\"linked\" tabindex=\"0\" data-n="), "a trace");
        }
    }
}

#[tokio::test]
async fn another_package_than_the_one_pinned_is_told() {
    let (browser, _) = browser_on("ADT_A01/admit-inpatient.hl7").await;
    let page = browser.get(&format!("/messages/{}", ids()[0])).await.text;
    assert!(page.contains("not the one this message was processed with"));
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let same = signed_in(&node, true).await.get(&format!("/messages/{}", ids()[0])).await.text;
    assert!(!same.contains("not the one this message was processed with"));
}
