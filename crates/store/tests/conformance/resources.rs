//! Reading and searching resources.

use fhir::IndexValue;
use store::{Clause, ResourceBody, ResourceVersion, Resources};

use crate::harness::{Adapter, Clinical};
use crate::samples::{key, of_patient, references, resource_type, search, set, token, tokens, version, with};

async fn put(node: &Clinical, seq: i64, versions: Vec<ResourceVersion>) {
    let mut one = set(seq);
    one.versions = versions;
    node.apply.commit(one).await.expect("commits");
}

async fn ids(resources: &dyn Resources, name: &str, clauses: Vec<Clause>) -> Vec<String> {
    let page = resources.search(&search(name, clauses)).await.expect("searches");
    let mut ids: Vec<String> = page.matches.into_iter().map(|stored| stored.key.id).collect();
    ids.sort();
    ids
}

pub async fn old_versions_are_kept(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    for number in 1..=3_u32 {
        put(&node, i64::from(number), vec![version("Patient", "p1", number)]).await;
    }
    for number in 1..=3 {
        let stored =
            node.resources.vread(&key("Patient", "p1"), number).await.expect("reads").expect("is kept");
        let written = version("Patient", "p1", number);
        assert_eq!(
            (stored.version, stored.updated_us, stored.body),
            (number, written.updated_us, written.body)
        );
    }
    for number in [0, 4] {
        assert_eq!(node.resources.vread(&key("Patient", "p1"), number).await.expect("reads"), None);
    }
    assert_eq!(node.resources.vread(&key("Encounter", "p1"), 1).await.expect("reads"), None);
    let current = node.resources.read(&key("Patient", "p1")).await.expect("reads").expect("is there");
    assert_eq!(current.version, 3);
}

pub async fn a_deletion_is_a_version_that_no_search_finds(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let one = || token(version("Patient", "p1", 1), "identifier", None, "1");
    put(&node, 1, vec![one()]).await;
    let mut deletion = one();
    (deletion.version, deletion.deleted) = (2, true);
    put(&node, 2, vec![deletion]).await;
    let stored = node.resources.read(&key("Patient", "p1")).await.expect("reads").expect("is there");
    assert_eq!((stored.version, stored.deleted), (2, true));
    let identifier = || vec![tokens("identifier", &[(None, Some("1"))])];
    assert!(ids(&*node.resources, "Patient", identifier()).await.is_empty());
    assert!(ids(&*node.resources, "Patient", vec![Clause::Id(vec!["p1".into()])]).await.is_empty());
    assert!(ids(&*node.resources, "Patient", Vec::new()).await.is_empty());
    assert!(node.resources.counts().await.expect("reads").is_empty());
    let mut back = one();
    back.version = 3;
    put(&node, 3, vec![back]).await;
    assert_eq!(ids(&*node.resources, "Patient", identifier()).await, ["p1"]);
    assert_eq!(node.resources.counts().await.expect("reads"), [(resource_type("Patient"), 1)]);
}

pub async fn tokens_match_by_code_and_system(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    put(
        &node,
        1,
        vec![
            token(version("Patient", "a", 1), "identifier", Some("urn:one"), "MRN-1"),
            token(version("Patient", "b", 1), "identifier", Some("urn:two"), "mrn-1"),
            token(version("Patient", "c", 1), "identifier", None, "MRN-1"),
            token(version("Patient", "d", 1), "identifier", Some("urn:one"), "MRN-2"),
            token(version("Patient", "e", 1), "gender", Some("urn:one"), "MRN-1"),
        ],
    )
    .await;
    let cases: [(Option<&str>, Option<&str>, &[&str]); 8] = [
        (None, Some("Mrn-1"), &["a", "b", "c"]),
        (Some("urn:one"), Some("MRN-1"), &["a"]),
        (Some(""), Some("MRN-1"), &["c"]),
        (Some("urn:one"), None, &["a", "d"]),
        (Some("urn:none"), Some("MRN-1"), &[]),
        (None, Some("MRN-3"), &[]),
        (None, None, &["a", "b", "c", "d"]),
        (Some("urn:one"), Some("MRN"), &[]),
    ];
    for (system, code, expected) in cases {
        let found = ids(&*node.resources, "Patient", vec![tokens("identifier", &[(system, code)])]).await;
        assert_eq!(found, expected, "{system:?} {code:?}");
    }
    assert!(
        ids(&*node.resources, "Patient", vec![tokens("unknown", &[(None, Some("MRN-1"))])]).await.is_empty()
    );
    assert!(
        ids(&*node.resources, "Encounter", vec![tokens("identifier", &[(None, Some("1"))])]).await.is_empty()
    );
}

pub async fn references_match_by_type_and_id(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let reference = |name: Option<&str>, id: &str| IndexValue::Reference {
        resource_type: name.map(Into::into),
        id: id.into(),
    };
    put(
        &node,
        1,
        vec![
            version("Patient", "x", 1),
            with(version("Observation", "a", 1), "subject", reference(Some("Patient"), "x")),
            with(version("Observation", "b", 1), "subject", reference(Some("Group"), "x")),
            with(version("Observation", "c", 1), "subject", reference(None, "x")),
            with(version("Observation", "d", 1), "focus", reference(Some("Patient"), "x")),
            with(version("Observation", "e", 1), "subject", reference(Some("Patient"), "y")),
        ],
    )
    .await;
    let cases: [(Option<&str>, &str, &[&str]); 5] = [
        (Some("Patient"), "x", &["a", "c"]),
        (Some("Group"), "x", &["b", "c"]),
        (None, "x", &["a", "b", "c"]),
        (Some("Patient"), "z", &[]),
        (Some("Device"), "y", &[]),
    ];
    for (name, id, expected) in cases {
        let found = ids(&*node.resources, "Observation", vec![references("subject", &[(name, id)])]).await;
        assert_eq!(found, expected, "{name:?} {id}");
    }
}

pub async fn clauses_are_and_and_values_are_or(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let observation = |id: &str, patient: &str, code: &str, category: &str| {
        let one = of_patient(version("Observation", id, 1), patient);
        token(token(one, "code", Some("http://loinc.org"), code), "category", None, category)
    };
    put(
        &node,
        1,
        vec![
            observation("a", "p1", "1-1", "lab"),
            observation("b", "p1", "2-2", "lab"),
            observation("c", "p2", "1-1", "lab"),
            observation("d", "p1", "1-1", "vital"),
            observation("e", "p1", "3-3", "lab"),
        ],
    )
    .await;
    let subject = || references("subject", &[(Some("Patient"), "p1")]);
    let codes = || tokens("code", &[(None, Some("1-1")), (Some("http://loinc.org"), Some("2-2"))]);
    let lab = || tokens("category", &[(None, Some("lab"))]);
    let both = || Clause::Id(vec!["a".into(), "c".into(), "e".into()]);
    let resources = &*node.resources;
    assert_eq!(ids(resources, "Observation", vec![subject(), codes(), lab()]).await, ["a", "b"]);
    assert_eq!(ids(resources, "Observation", vec![lab(), subject(), codes()]).await, ["a", "b"]);
    assert_eq!(ids(resources, "Observation", vec![codes()]).await, ["a", "b", "c", "d"]);
    assert_eq!(ids(resources, "Observation", vec![both(), subject()]).await, ["a", "e"]);
    assert!(
        ids(resources, "Observation", vec![both(), tokens("code", &[(None, Some("9"))])]).await.is_empty()
    );
    assert!(ids(resources, "Observation", vec![Clause::Id(Vec::new())]).await.is_empty());
}

pub async fn a_new_version_replaces_its_index_entries(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let every = |number: u32, word: &str, instant: i64| {
        let one = of_patient(version("Observation", "o1", number), word);
        let one = token(token(one, "code", Some("urn:s"), word), "status", None, "final");
        let one = with(one, "date", IndexValue::Date { low_us: instant, high_us: instant + 1 });
        let one = with(one, "note", IndexValue::String(word.into()));
        let one = with(one, "url", IndexValue::Uri(word.into()));
        let quantity = IndexValue::Quantity {
            value: "81.250".into(),
            system: None,
            code: Some(word.into()),
            comparator: None,
        };
        with(with(one, "value", quantity), "factor", IndexValue::Number(instant.to_string()))
    };
    put(&node, 1, vec![every(1, "first", 10)]).await;
    put(&node, 2, vec![every(2, "second", 20)]).await;
    let found = async |word: &str| {
        let by_code = ids(&*node.resources, "Observation", vec![tokens("code", &[(None, Some(word))])]).await;
        let target = references("subject", &[(Some("Patient"), word)]);
        let by_subject = ids(&*node.resources, "Observation", vec![target]).await;
        (by_code.len(), by_subject.len(), node.apply.compartment(word).await.expect("reads").len())
    };
    assert_eq!(found("first").await, (0, 0, 0));
    assert_eq!(found("second").await, (1, 1, 1));
    let status = vec![tokens("status", &[(None, Some("final"))])];
    assert_eq!(ids(&*node.resources, "Observation", status).await, ["o1"]);
    // Back again, after a restart, so that what is taken out comes from the database.
    let node = adapter.clinical().await;
    put(&node, 3, vec![every(3, "first", 10)]).await;
    assert_eq!(
        ids(&*node.resources, "Observation", vec![tokens("code", &[(None, Some("first"))])]).await,
        ["o1"]
    );
    assert!(
        ids(&*node.resources, "Observation", vec![tokens("code", &[(None, Some("second"))])])
            .await
            .is_empty()
    );
}

pub async fn pages_follow_one_another_to_the_end(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let versions = (0..23).map(|number| {
        let one = version("Observation", &format!("o{number:02}"), 1);
        let one = token(one, "status", Some(if number % 2 == 0 { "urn:a" } else { "urn:b" }), "final");
        token(one, "code", None, if number % 3 == 0 { "x" } else { "y" })
    });
    put(&node, 1, versions.collect()).await;
    let status = || tokens("status", &[(None, Some("final"))]);
    let either = || tokens("code", &[(None, Some("x")), (None, Some("y"))]);
    for (clauses, expected) in [
        (Vec::new(), 23),
        (vec![status()], 23),
        (vec![status(), either()], 23),
        (vec![tokens("code", &[(None, Some("x"))]), status()], 8),
    ] {
        let mut seen = Vec::new();
        let mut asked = search("Observation", clauses);
        asked.count = 5;
        loop {
            let page = node.resources.search(&asked).await.expect("searches");
            assert_eq!(page.total, Some(expected));
            assert!(page.matches.len() == 5 || page.next.is_none());
            seen.extend(page.matches.into_iter().map(|stored| stored.key.id));
            asked.after = page.next;
            if asked.after.is_none() {
                break;
            }
        }
        let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!((u64::try_from(seen.len()).expect("few"), distinct.len()), (expected, seen.len()));
    }
    let mut whole = search("Observation", Vec::new());
    whole.count = 23;
    assert_eq!(node.resources.search(&whole).await.expect("searches").next, None);
}

pub async fn counts_are_of_live_resources(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut deletion = version("Patient", "p2", 2);
    deletion.deleted = true;
    let first = vec![version("Patient", "p1", 1), version("Patient", "p2", 1), version("Encounter", "e1", 1)];
    put(&node, 1, first).await;
    put(&node, 2, vec![deletion, version("Patient", "p1", 2)]).await;
    let counts = node.resources.counts().await.expect("reads");
    assert_eq!(counts, [(resource_type("Encounter"), 1), (resource_type("Patient"), 1)]);
    let page = node.resources.search(&search("Patient", Vec::new())).await.expect("searches");
    assert_eq!((page.total, page.matches.len()), (Some(1), 1));
}

pub async fn a_search_by_id_finds_only_its_type(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    put(&node, 1, vec![version("Patient", "x", 1), version("Encounter", "x", 1)]).await;
    let page = node
        .resources
        .search(&search("Patient", vec![Clause::Id(vec!["x".into()])]))
        .await
        .expect("searches");
    let keys: Vec<_> = page.matches.into_iter().map(|stored| stored.key).collect();
    assert_eq!(keys, [key("Patient", "x")]);
}

pub async fn bodies_of_all_sizes_come_back(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    for (seq, size) in (1..).zip([0, 1, 511, 512, 513, 100_000, 3_000_000]) {
        let mut one = version("Binary", &format!("b{seq}"), 1);
        let bytes: Vec<u8> = (0..size).map(|at: usize| at.wrapping_mul(at >> 3).to_le_bytes()[0]).collect();
        one.body = ResourceBody::new(bytes.clone());
        put(&node, seq, vec![one]).await;
        let stored =
            node.resources.read(&key("Binary", &format!("b{seq}"))).await.expect("reads").expect("is there");
        assert!(stored.body.expose() == bytes, "{size}");
    }
}

pub async fn a_reference_to_what_is_not_stored_is_found_and_reads_as_none(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    put(&node, 1, vec![of_patient(version("Observation", "o1", 1), "later")]).await;
    assert_eq!(node.resources.read(&key("Patient", "later")).await.expect("reads"), None);
    assert!(ids(&*node.resources, "Patient", Vec::new()).await.is_empty());
    put(&node, 2, vec![version("Patient", "later", 1)]).await;
    assert!(node.resources.read(&key("Patient", "later")).await.expect("reads").is_some());
    let subject = vec![references("subject", &[(Some("Patient"), "later")])];
    assert_eq!(ids(&*node.resources, "Observation", subject).await, ["o1"]);
    assert_eq!(node.resources.counts().await.expect("reads").len(), 2);
}

pub async fn a_resource_may_change_twice_in_one_set(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let one =
        |number: u32| token(version("Patient", "p1", number), "identifier", None, &format!("v{number}"));
    put(&node, 1, vec![one(1), one(2)]).await;
    put(&node, 2, vec![one(3), one(4)]).await;
    for number in 1..=4 {
        assert!(
            node.resources.vread(&key("Patient", "p1"), number).await.expect("reads").is_some(),
            "{number}"
        );
        let found = ids(
            &*node.resources,
            "Patient",
            vec![tokens("identifier", &[(None, Some(&format!("v{number}")))])],
        );
        assert_eq!(found.await.len(), usize::from(number == 4));
    }
    assert_eq!(node.resources.counts().await.expect("reads"), [(resource_type("Patient"), 1)]);
}

pub async fn totals_are_given_where_they_are_cheap(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let versions = (0..1_200)
        .map(|number| token(version("Observation", &format!("o{number}"), 1), "status", None, "final"));
    put(&node, 1, versions.collect()).await;
    let mut asked = search("Observation", vec![tokens("status", &[(None, Some("final"))])]);
    asked.count = 10;
    let page = node.resources.search(&asked).await.expect("searches");
    assert_eq!((page.total, page.matches.len()), (None, 10));
    let all = node.resources.search(&search("Observation", Vec::new())).await.expect("searches");
    assert_eq!(all.total, Some(1_200));
}
