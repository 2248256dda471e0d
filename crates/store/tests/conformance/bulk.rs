//! Questions about many at once have the answers of the questions about each.

use store::{PatientAlias, PatientIdentifier, ResourceKey};

use crate::harness::{Adapter, Clinical};
use crate::samples::{key, of_patient, resource_type, set, version};

/// More than one statement holds.
const MANY: usize = 700;

fn names(prefix: &str) -> Vec<String> {
    (0..MANY).map(|number| format!("{prefix}{number}")).collect()
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

/// Merged patients with numbers, a deleted resource, and resources of several types and owners.
async fn filled(adapter: &dyn Adapter) -> Clinical {
    let node = adapter.clinical().await;
    let alias = |alias: &str, patient: &str| PatientAlias { alias: alias.into(), patient: patient.into() };
    let number = |value: &str, patient: &str| PatientIdentifier {
        system: "urn:oid:1".into(),
        value: value.into(),
        patient: patient.into(),
    };
    let mut one = set(1);
    one.versions = vec![
        version("Patient", "p1", 1),
        version("Patient", "p2", 1),
        version("Patient", "p3", 1),
        of_patient(version("Consent", "c1", 1), "p1"),
        of_patient(version("Consent", "c2", 1), "p2"),
        of_patient(version("Condition", "d1", 1), "p1"),
        of_patient(version("Observation", "o1", 1), "p1"),
    ];
    one.identifiers = vec![number("1", "p1"), number("2", "p2"), number("3", "p3"), number("4", "p4")];
    node.apply.commit(one).await.expect("commits");
    let mut two = set(2);
    let mut gone = of_patient(version("Consent", "c2", 2), "p2");
    gone.deleted = true;
    two.versions = vec![gone, version("Patient", "p1", 2)];
    two.aliases = vec![alias("p3", "p2"), alias("p2", "p1")];
    node.apply.commit(two).await.expect("commits");
    node
}

pub async fn many_resources_are_read_as_each_is(adapter: &dyn Adapter) {
    let node = filled(adapter).await;
    let of = |name: &str| names("p").into_iter().map(|id| key(name, &id)).collect::<Vec<_>>();
    let keys: Vec<ResourceKey> =
        [of("Patient"), of("Encounter"), vec![key("Consent", "c2"), key("Consent", "c9")]].concat();
    let mut each = Vec::new();
    for key in &keys {
        each.extend(node.resources.read(key).await.expect("reads"));
    }
    let mut all = node.resources.read_all(&keys).await.expect("reads");
    all.sort_by(|a, b| a.key.cmp(&b.key));
    each.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(all.len(), 4);
    assert_eq!(all, each);
    assert!(node.resources.read_all(&[]).await.expect("reads").is_empty());
}

pub async fn many_aliases_are_read_as_each_is(adapter: &dyn Adapter) {
    let node = filled(adapter).await;
    let asked = names("p");
    let all = sorted(node.apply.aliases(&asked).await.expect("reads"));
    let to = |id: &str| (id.to_owned(), "p1".to_owned());
    assert_eq!(all, [to("p2"), to("p3")]);
    for id in &asked {
        let one = node.apply.alias(id).await.expect("reads");
        assert_eq!(all.iter().find(|(alias, _)| alias == id).map(|(_, patient)| patient), one.as_ref());
    }
    assert!(node.apply.aliases(&[]).await.expect("reads").is_empty());
}

pub async fn numbers_of_many_patients_are_read_as_of_each(adapter: &dyn Adapter) {
    let node = filled(adapter).await;
    let told = |found: Vec<PatientIdentifier>| {
        sorted(found.into_iter().map(|one| (one.patient, one.value)).collect::<Vec<_>>())
    };
    let asked = names("p");
    let all = told(node.index.identifiers_of_all(&asked).await.expect("reads"));
    let mut each = Vec::new();
    for id in &asked {
        each.extend(node.index.identifiers_of(id).await.expect("reads"));
    }
    assert_eq!(all.len(), 7, "p1 with two aliases, p2 with one, p3 and p4");
    assert_eq!(all, told(each));
    assert!(node.index.identifiers_of_all(&[]).await.expect("reads").is_empty());
}

pub async fn compartments_of_many_are_read_as_of_each(adapter: &dyn Adapter) {
    let node = filled(adapter).await;
    let types = [resource_type("Consent"), resource_type("Condition")];
    let asked = names("p");
    let found = node.withdrawals.compartments_of(&asked, &types).await.expect("reads");
    let all = sorted(found.into_iter().map(|(patient, stored)| (patient, stored.key)).collect::<Vec<_>>());
    let mut each = Vec::new();
    for id in &asked {
        let owned = node.withdrawals.compartment_of(id, &types).await.expect("reads");
        each.extend(owned.into_iter().map(|stored| (id.clone(), stored.key)));
    }
    assert_eq!(all.len(), 2);
    assert_eq!(all, sorted(each));
    assert!(node.withdrawals.compartments_of(&[], &types).await.expect("reads").is_empty());
    assert!(node.withdrawals.compartments_of(&asked, &[]).await.expect("reads").is_empty());
}
