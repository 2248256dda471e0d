//! Merges of the EMR over several feeds, and taking them back.

use store::ReviewAnswer;

use crate::feeds::{EMR, NOTHING, PHARMACY, ROWAN, merge, result, update};
use crate::rig::{Rig, TYPES, named, values};

#[tokio::test]
async fn a_merge_before_its_patient_ends_at_the_survivor() {
    let mut rig = Rig::with(&[merge(EMR, "1", &["MR 42"], &["MR 43"], NOTHING)]).await;
    rig.send(&update(EMR, "2", &["MR 43"], ROWAN, "A1")).await;
    rig.send(&result(EMR, "3", &["MR 43"], ROWAN, "O1")).await;
    let last = rig.send(&update(PHARMACY, "4", &["PI 7", "MR 43"], ROWAN, "A2")).await;
    let owner = format!("Patient/{}", named("MR 42"));
    for one in rig.all("AllergyIntolerance").await {
        assert_eq!(one["patient"]["reference"], owner.as_str());
    }
    assert_eq!(rig.all("Observation").await[0]["subject"]["reference"], owner.as_str());
    let patients = rig.all("Patient").await;
    let active: Vec<_> = patients.iter().filter(|patient| patient["active"] == true).collect();
    assert_eq!((patients.len(), active.len()), (2, 1), "the retired stays, inactive");
    assert_eq!(values(active[0]), ["42", "7"]);
    let state = rig.state().await;
    rig.reprocess(last).await;
    assert_eq!(rig.state().await, state, "derived again");
}

#[tokio::test]
async fn a_merge_taken_back_gives_each_what_was_told_of_it() {
    let messages = [
        update(EMR, "1", &["MR 42"], ROWAN, "A1"),
        update(EMR, "2", &["MR 43"], NOTHING, "A2"),
        result(EMR, "3", &["MR 43"], NOTHING, "O1"),
    ];
    let apart = Rig::with(&messages).await;
    let mut rig = Rig::with(&messages).await;
    let before = rig.released().await;
    rig.send(&merge(EMR, "4", &["MR 42"], &["MR 43"], NOTHING)).await;
    let together = rig.state().await;
    let merged = rig.released().await;
    let moved =
        |kind: &str| merged.iter().any(|(name, id)| name == kind && before.iter().all(|(_, old)| old != id));
    assert!(moved("Observation"), "what moved has a new id at the destination");
    rig.decide(&named("MR 42"), &named("MR 43"), ReviewAnswer::Different).await;
    assert_eq!(rig.state().await, apart.state().await, "as if the merge had not been told");
    assert_eq!(rig.alias(&named("MR 43")).await, None);
    let back: Vec<_> = rig.released().await;
    assert!(
        before.iter().filter(|(kind, _)| kind == "Observation").all(|old| back.contains(old)),
        "{back:?}"
    );
    // New messages under each number stay apart, until it is said again that they are one.
    rig.send(&result(EMR, "5", &["MR 43"], NOTHING, "O2")).await;
    let subject = format!("Patient/{}", named("MR 43"));
    assert!(rig.all("Observation").await.iter().all(|one| one["subject"]["reference"] == subject.as_str()));
    rig.decide(&named("MR 43"), &named("MR 42"), ReviewAnswer::Same).await;
    assert_eq!(rig.alias(&named("MR 43")).await, Some(named("MR 42")));
    let owner = format!("Patient/{}", named("MR 42"));
    assert!(rig.all("Observation").await.iter().all(|one| one["subject"]["reference"] == owner.as_str()));
    assert_eq!(
        rig.all("Patient").await.len(),
        together.iter().filter(|one| one["resourceType"] == "Patient").count()
    );
}

#[tokio::test]
async fn a_link_taken_back_leaves_two_patients() {
    let mut rig = Rig::with(&[
        update(EMR, "1", &["MR 42"], ROWAN, "A1"),
        update(PHARMACY, "2", &["PI 7"], NOTHING, "A2"),
        update(EMR, "3", &["MR 42", "PI 7"], ROWAN, "A1"),
        update(PHARMACY, "4", &["PI 7"], NOTHING, "A3"),
    ])
    .await;
    assert_eq!(rig.all("Patient").await.len(), 1);
    rig.decide(&named("PI 7"), &named("MR 42"), ReviewAnswer::Different).await;
    let patients = rig.all("Patient").await;
    assert_eq!(patients.len(), 2);
    let of = |id: String| patients.iter().find(|patient| patient["id"] == id.as_str()).expect("stands");
    assert_eq!(values(of(named("MR 42"))), ["42"], "the other's number is not told of it any more");
    assert_eq!(values(of(named("PI 7"))), ["7"]);
    let owner = format!("Patient/{}", named("PI 7"));
    let theirs = rig.all("AllergyIntolerance").await;
    assert_eq!(theirs.iter().filter(|one| one["patient"]["reference"] == owner.as_str()).count(), 2);
}

#[tokio::test]
async fn a_pharmacys_merge_does_not_retire_the_emrs_patient() {
    let mut rig = Rig::with(&[
        update(EMR, "1", &["MR 42", "PI 7"], ROWAN, "A1"),
        update(PHARMACY, "2", &["PI 7"], NOTHING, "A2"),
        merge(PHARMACY, "3", &["PI 8"], &["PI 7"], NOTHING),
    ])
    .await;
    rig.send(&update(PHARMACY, "4", &["PI 8"], NOTHING, "A3")).await;
    let patient = rig.patient().await;
    assert_eq!(patient["id"], named("MR 42").as_str());
    assert_eq!(patient["active"], true);
    assert_eq!(rig.all("AllergyIntolerance").await.len(), 3);
}

/// Type, id and content of what stands.
fn standing(state: &[serde_json::Value]) -> std::collections::BTreeMap<String, &serde_json::Value> {
    let name = |one: &serde_json::Value| {
        let text = |key: &str| one[key].as_str().expect("text").to_owned();
        format!("{}/{}", text("resourceType"), text("id"))
    };
    state.iter().map(|one| (name(one), one)).collect()
}

#[tokio::test]
async fn a_dry_run_tells_what_a_reprocess_then_does_and_writes_nothing() {
    let mut rig = Rig::with(&[
        update(EMR, "1", &["MR 42"], ROWAN, "A1"),
        update(EMR, "2", &["MR 43"], NOTHING, "A2"),
        result(EMR, "3", &["MR 43"], NOTHING, "O1"),
    ])
    .await;
    let last = rig.send(&merge(EMR, "4", &["MR 42"], &["MR 43"], NOTHING)).await;
    let pipeline::Outcome::Foreseen(nothing) = rig.dry_run(last).await else { panic!("it is processed") };
    assert_eq!(nothing.differences, [], "what stands is what its messages say");

    rig.say(&named("MR 42"), &named("MR 43"), ReviewAnswer::Different).await;
    let (before, records) = (rig.state().await, rig.records(last).await);
    let pipeline::Outcome::Foreseen(foreseen) = rig.dry_run(last).await else { panic!("it is processed") };
    assert_eq!((rig.state().await, rig.records(last).await), (before.clone(), records), "nothing is written");

    rig.run().await;
    let after = rig.state().await;
    let (old, new) = (standing(&before), standing(&after));
    let is_listed = |one: &&pipeline::Difference| TYPES.contains(&one.key.resource_type.as_str());
    for pipeline::Difference { key, alteration, elements } in foreseen.differences.iter().filter(is_listed) {
        let name = format!("{}/{}", key.resource_type, key.id);
        let (old, new) = (old.get(&name), new.get(&name));
        let told = match alteration {
            pipeline::Alteration::Added => (false, true),
            pipeline::Alteration::Changed => (true, true),
            pipeline::Alteration::Removed => (true, false),
        };
        assert_eq!((old.is_some(), new.is_some()), told, "{name}");
        let value = |side: Option<&&serde_json::Value>, element: &str| {
            side.and_then(|one| one.get(element)).cloned().unwrap_or_default()
        };
        for element in elements {
            assert_ne!(value(old, element), value(new, element), "{name}.{element}");
        }
    }
    let is_told = |name: &String| {
        foreseen.differences.iter().any(|one| format!("{}/{}", one.key.resource_type, one.key.id) == *name)
    };
    let differing: Vec<_> = new.iter().filter(|(name, one)| old.get(*name) != Some(*one)).collect();
    assert!(differing.len() >= 2, "{differing:?}");
    for (name, one) in differing {
        let content = |one: &serde_json::Value| {
            let mut one = one.clone();
            one.as_object_mut().expect("an object").remove("meta");
            one
        };
        let is_same = old.get(name).is_some_and(|old| content(old) == content(one));
        assert!(is_same || is_told(name), "{name} was not foretold");
    }
    assert!(foreseen.deliveries > 0, "what moves is withdrawn and released again");
}
