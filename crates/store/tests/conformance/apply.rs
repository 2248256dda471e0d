//! Applying.

use fhir::IndexValue;
use store::{Apply, Cause, Error, MessageFilter, MessageState, PATIENT_KEY, PatientAlias, Seq};

use crate::harness::Adapter;
use crate::samples::{
    business_key, delivery, key, message, of_patient, pseudonym, record, resource_type, search, set, token,
    tokens, version, with,
};

pub async fn a_set_is_written_whole(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut whole = set(1);
    whole.versions = vec![version("Patient", "p1", 1)];
    whole.keys = vec![business_key("patient", "MRN-1")];
    whole.deliveries = vec![delivery(1, "r1")];
    whole.pseudonyms = vec![pseudonym("portal", "p1", "r1")];
    whole.records = vec![record(audit::Kind::MessageApplied)];
    node.apply.commit(whole).await.expect("commits");
    assert_eq!(node.apply.applied_through().await.expect("reads"), Seq(1));
    assert_eq!(*node.messages.processed().borrow(), Seq(1));
    assert_eq!(*node.outbox.queued().borrow(), 1);
    assert!(node.resources.read(&key("Patient", "p1")).await.expect("reads").is_some());
    assert_eq!(node.outbox.claim("portal", 0, 10).await.expect("reads").len(), 1);
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), 1);
    let listed = node.messages.list(&MessageFilter::default(), None, 10).await.expect("reads");
    assert_eq!(listed, [message(1)]);
}

pub async fn entries_are_applied_once(adapter: &dyn Adapter) {
    let apply = adapter.clinical().await.apply;
    apply.commit(set(3)).await.expect("commits");
    for seq in [3, 2] {
        assert!(
            matches!(apply.commit(set(seq)).await, Err(Error::AlreadyApplied(applied)) if applied == seq)
        );
    }
    apply.commit(set(7)).await.expect("a gap in the journal is no error");
    assert_eq!(apply.applied_through().await.expect("reads"), Seq(7));
}

pub async fn applied_through_continues_after_a_restart(adapter: &dyn Adapter) {
    let apply = adapter.clinical().await.apply;
    assert_eq!(apply.applied_through().await.expect("reads"), Seq(0));
    apply.commit(set(1)).await.expect("commits");
    let node = adapter.clinical().await;
    assert_eq!(node.apply.applied_through().await.expect("reads"), Seq(1));
    assert_eq!(*node.messages.processed().borrow(), Seq(1));
    assert!(matches!(node.apply.commit(set(1)).await, Err(Error::AlreadyApplied(1))));
    node.apply.commit(set(2)).await.expect("commits");
}

pub async fn a_set_that_fails_leaves_nothing(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut first = set(1);
    first.deliveries = vec![delivery(1, "r1")];
    node.apply.commit(first).await.expect("commits");
    let mut bad = set(2);
    bad.versions = vec![token(version("Patient", "p1", 1), "identifier", None, "1")];
    bad.records = vec![record(audit::Kind::MessageApplied)];
    bad.deliveries = vec![delivery(2, "r1"), delivery(1, "r1")];
    assert!(matches!(node.apply.commit(bad).await, Err(Error::Conflict(_))));
    assert_eq!(node.apply.applied_through().await.expect("reads"), Seq(1));
    assert!(node.resources.read(&key("Patient", "p1")).await.expect("reads").is_none());
    assert!(node.resources.counts().await.expect("reads").is_empty());
    assert!(node.ledger.unsealed(10).await.expect("reads").is_empty());
    assert_eq!(node.outbox.claim("portal", 0, 10).await.expect("reads").len(), 1);
    let mut good = set(2);
    good.versions = vec![token(version("Patient", "p1", 1), "identifier", None, "1")];
    node.apply.commit(good).await.expect("commits");
    let found =
        node.resources.search(&search("Patient", vec![tokens("identifier", &[(None, Some("1"))])])).await;
    assert_eq!(found.expect("searches").matches.len(), 1);
}

pub async fn no_entry_is_passed_over_when_a_set_before_it_fails(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut first = set(1);
    first.pseudonyms = vec![pseudonym("portal", "p1", "r1")];
    let mut bad = set(2);
    bad.pseudonyms = vec![pseudonym("portal", "p2", "r1")];
    let mut number = set(3);
    let value = IndexValue::Number("not a number".into());
    number.versions = vec![with(version("Observation", "o1", 1), "probability", value)];
    let last = || {
        let mut last = set(4);
        last.versions = vec![version("Patient", "p1", 1)];
        last
    };
    let apply = &node.apply;
    let (first, bad, number, after) =
        tokio::join!(apply.commit(first), apply.commit(bad), apply.commit(number), apply.commit(last()));
    assert!(first.is_ok());
    assert!([bad, number, after].iter().all(|outcome| matches!(outcome, Err(Error::Conflict(_)))));
    assert!(matches!(apply.commit(last()).await, Err(Error::Conflict(_))), "also in a later transaction");
    assert_eq!(apply.applied_through().await.expect("reads"), Seq(1));
    apply.commit(set(2)).await.expect("commits");
    apply.commit(set(3)).await.expect("commits");
    apply.commit(last()).await.expect("commits");
    let listed = node.messages.list(&MessageFilter::default(), None, 10).await.expect("reads");
    assert_eq!(listed.iter().map(|row| row.seq.0).collect::<Vec<_>>(), [4, 3, 2, 1]);
    assert!(node.resources.read(&key("Patient", "p1")).await.expect("reads").is_some());
    assert!(node.resources.read(&key("Observation", "o1")).await.expect("reads").is_none());
}

pub async fn sets_are_applied_in_the_order_of_the_calls(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut commits = Vec::new();
    for seq in 1..=60_u32 {
        let mut one = set(i64::from(seq));
        let identifier = format!("value-{seq}");
        one.versions = vec![token(version("Patient", "p1", seq), "identifier", None, &identifier)];
        commits.push(one);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for one in commits {
        let apply = node.apply.clone();
        tasks.spawn(async move { apply.commit(one).await });
    }
    for outcome in tasks.join_all().await {
        outcome.expect("commits");
    }
    let stored = node.resources.read(&key("Patient", "p1")).await.expect("reads").expect("is there");
    assert_eq!(stored.version, 60);
    for number in 1..=60 {
        let old = node.resources.vread(&key("Patient", "p1"), number).await.expect("reads").expect("is kept");
        assert_eq!((old.version, old.body), (number, version("Patient", "p1", number).body));
    }
    for (value, matches) in [("value-59", 0), ("value-60", 1)] {
        let found = node
            .resources
            .search(&search("Patient", vec![tokens("identifier", &[(None, Some(value))])]))
            .await;
        assert_eq!(found.expect("searches").matches.len(), matches);
    }
}

pub async fn a_version_is_written_once(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut first = set(1);
    first.versions = vec![version("Patient", "p1", 2)];
    node.apply.commit(first).await.expect("commits");
    for number in [1, 2] {
        let mut again = set(2);
        again.versions = vec![version("Patient", "p1", number)];
        assert!(matches!(node.apply.commit(again).await, Err(Error::Conflict(_))));
    }
    let mut twice = set(2);
    twice.versions = vec![version("Patient", "p1", 3), version("Patient", "p1", 3)];
    assert!(matches!(node.apply.commit(twice).await, Err(Error::Conflict(_))));
    assert_eq!(node.apply.applied_through().await.expect("reads"), Seq(1));
}

pub async fn a_reprocessed_message_replaces_its_row(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut first = set(1);
    first.message.state = MessageState::Quarantined;
    first.message.reason = Some("mapping".into());
    node.apply.commit(first).await.expect("commits");
    node.apply.commit(set(2)).await.expect("commits");
    let mut again = set(1);
    again.cause = Cause::Reprocessed(Seq(1));
    again.versions = vec![version("Patient", "p1", 1)];
    node.apply.commit(again).await.expect("commits");
    let listed = node.messages.list(&MessageFilter::default(), None, 10).await.expect("reads");
    assert_eq!(listed, [message(2), message(1)]);
    assert_eq!(node.apply.applied_through().await.expect("reads"), Seq(2));
}

pub async fn a_message_may_be_reprocessed_in_the_batch_that_applied_it(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut first = set(1);
    first.message.state = MessageState::Quarantined;
    let mut again = set(1);
    again.cause = Cause::Reprocessed(Seq(1));
    let (first, again) = tokio::join!(node.apply.commit(first), node.apply.commit(again));
    first.and(again).expect("commits");
    let listed = node.messages.list(&MessageFilter::default(), None, 10).await.expect("reads");
    assert_eq!(listed, [message(1)]);
}

pub async fn what_was_never_applied_is_not_reprocessed(adapter: &dyn Adapter) {
    let apply = adapter.clinical().await.apply;
    let mut never = set(1);
    never.cause = Cause::Reprocessed(Seq(1));
    assert!(matches!(apply.commit(never).await, Err(Error::NotFound)));
    apply.commit(set(1)).await.expect("commits");
    let mut other = set(1);
    other.cause = Cause::Reprocessed(Seq(1));
    other.message.id = message(9).id;
    assert!(matches!(apply.commit(other).await, Err(Error::Conflict(_))));
    let mut torn = set(2);
    torn.cause = Cause::Applied(Seq(3));
    assert!(matches!(apply.commit(torn).await, Err(Error::Conflict(_))));
}

fn alias(alias: &str, patient: &str) -> PatientAlias {
    PatientAlias { alias: alias.into(), patient: patient.into() }
}

async fn merge(apply: &dyn Apply, seq: i64, aliases: Vec<PatientAlias>) {
    let mut merged = set(seq);
    merged.aliases = aliases;
    apply.commit(merged).await.expect("commits");
}

pub async fn aliases_lead_to_the_last_patient(adapter: &dyn Adapter) {
    let apply = adapter.clinical().await.apply;
    merge(&*apply, 1, vec![alias("b", "a")]).await;
    merge(&*apply, 2, vec![alias("a", "c"), alias("d", "a")]).await;
    for (id, patient) in [("b", Some("c")), ("a", Some("c")), ("d", Some("c")), ("c", None), ("x", None)] {
        assert_eq!(apply.alias(id).await.expect("reads").as_deref(), patient, "{id}");
    }
}

pub async fn an_alias_is_taken_back(adapter: &dyn Adapter) {
    let apply = adapter.clinical().await.apply;
    merge(&*apply, 1, vec![alias("b", "a")]).await;
    merge(&*apply, 2, vec![alias("b", "c")]).await;
    assert_eq!(apply.alias("b").await.expect("reads").as_deref(), Some("c"));
    merge(&*apply, 3, vec![alias("b", "b")]).await;
    assert_eq!(apply.alias("b").await.expect("reads"), None);
}

pub async fn pseudonyms_are_found_by_destination_and_subject(adapter: &dyn Adapter) {
    let apply = adapter.clinical().await.apply;
    let mut given = set(1);
    let (one, two) = (pseudonym("portal", "p1", "r1"), pseudonym("portal", "p2", "r2"));
    let elsewhere = pseudonym("research", "p1", "r9");
    given.pseudonyms = vec![one.clone(), two, elsewhere.clone()];
    apply.commit(given).await.expect("commits");
    let patient = |id: &str| (resource_type("Patient"), id.to_owned());
    let asked = [patient("p1"), patient("p3"), (resource_type("Encounter"), "p2".to_owned())];
    assert!(apply.pseudonyms("portal", &asked).await.expect("reads") == [one]);
    assert!(apply.pseudonyms("research", &asked).await.expect("reads") == [elsewhere]);
    assert!(apply.pseudonyms("portal", &[]).await.expect("reads").is_empty());
    let many: Vec<_> = (0..700).map(|number| patient(&format!("p{number}"))).collect();
    assert_eq!(apply.pseudonyms("portal", &many).await.expect("reads").len(), 2);
}

pub async fn a_pseudonym_is_given_once(adapter: &dyn Adapter) {
    let apply = adapter.clinical().await.apply;
    let mut first = set(1);
    first.pseudonyms = vec![pseudonym("portal", "p1", "r1")];
    apply.commit(first).await.expect("commits");
    for again in [pseudonym("portal", "p1", "r2"), pseudonym("portal", "p2", "r1")] {
        let mut second = set(2);
        second.pseudonyms = vec![again];
        assert!(matches!(apply.commit(second).await, Err(Error::Conflict(_))));
    }
}

pub async fn a_compartment_has_the_live_resources_of_its_patient(adapter: &dyn Adapter) {
    let apply = adapter.clinical().await.apply;
    let dated = |id: &str, low_us: i64| {
        let observation = of_patient(version("Observation", id, 1), "p1");
        with(observation, "date", IndexValue::Date { low_us, high_us: low_us + 1 })
    };
    let mut first = set(1);
    first.versions = vec![
        dated("old", 10),
        dated("new", 20),
        dated("gone", 15),
        of_patient(version("Encounter", "e1", 1), "p1"),
        of_patient(version("Observation", "other", 1), "p2"),
        // It names p1, and is kept with p2.
        with(
            of_patient(version("Observation", "shared", 1), "p2"),
            "patient",
            IndexValue::Reference { resource_type: Some("Patient".into()), id: "p1".into() },
        ),
    ];
    apply.commit(first).await.expect("commits");
    let mut second = set(2);
    let mut deletion = dated("gone", 15);
    (deletion.version, deletion.deleted) = (2, true);
    second.versions = vec![deletion];
    apply.commit(second).await.expect("commits");
    let ids: Vec<String> =
        apply.compartment("p1").await.expect("reads").into_iter().map(|stored| stored.key.id).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    let at = |id: &str| ids.iter().position(|found| found == id).expect("is there");
    assert!(at("new") < at("old"), "newest first: {ids:?}");
    assert!(apply.compartment("nobody").await.expect("reads").is_empty());
}

pub async fn messages_of_a_patient_include_those_of_its_aliases(adapter: &dyn Adapter) {
    let apply = adapter.clinical().await.apply;
    let mut first = set(1);
    first.versions = vec![of_patient(version("Observation", "o1", 1), "a")];
    apply.commit(first).await.expect("commits");
    let mut second = set(2);
    second.versions = vec![version("Patient", "b", 1)];
    apply.commit(second).await.expect("commits");
    merge(&*apply, 3, vec![alias("b", "a")]).await;
    let mut fourth = set(4);
    fourth.keys = vec![business_key(PATIENT_KEY, "a"), business_key("visit", "a")];
    apply.commit(fourth).await.expect("commits");
    apply.commit(set(5)).await.expect("commits");
    assert_eq!(apply.messages_of("a").await.expect("reads"), [1, 2, 3, 4].map(Seq));
    assert_eq!(apply.messages_of("b").await.expect("reads"), [2, 3].map(Seq));
    assert!(apply.messages_of("c").await.expect("reads").is_empty());
}
