//! What stands where, sweeps, and requests about consent.

use fhir::IndexValue;
use store::{
    Answers, ConsentRequest, DecidedSet, DeliveryState, Effect, Error, NewDelivery, ResourceVersion, Seq,
    Settlement, Standing, Sweep, SweepCounts, SweepUnit, Unsettled, WithdrawalReason,
};
use uuid::Uuid;

use crate::harness::{Adapter, Clinical};
use crate::samples::{
    NOW_US, delivery, key, message, of_patient, pseudonym, record, resource_type, set, version, with,
};

const BASIS: &str = "b1";

/// The delivery of [`delivery`] with that number, of something else.
fn content(number: u128, id: &str, released_id: &str, patient: Option<&str>) -> NewDelivery {
    let mut one = delivery(number, "a");
    one.resource = key("Observation", id);
    one.released_id = released_id.into();
    one.patient = patient.map(str::to_owned);
    one
}

fn withdrawal(number: u128, id: &str, released_id: &str, patient: Option<&str>) -> NewDelivery {
    let mut one = content(number, id, released_id, patient);
    one.effect = Effect::Withdrawn(WithdrawalReason::Consent);
    one
}

async fn queue(node: &Clinical, seq: i64, deliveries: Vec<NewDelivery>) {
    let mut one = set(seq);
    one.deliveries = deliveries;
    node.apply.commit(one).await.expect("commits");
}

async fn settle(node: &Clinical, number: u128, settlement: Settlement) {
    node.outbox.settle(vec![(Uuid::from_u128(number), settlement)], Vec::new()).await.expect("settles");
}

fn delivered() -> Settlement {
    Settlement::Delivered { receipt: "r".into(), at_us: NOW_US }
}

fn dead() -> Settlement {
    Settlement::Dead { error: "refused".into() }
}

/// What was ever sent of Observation `id`, by released id.
async fn standings(node: &Clinical, id: &str, basis: &str) -> Vec<Standing> {
    let asked = [key("Observation", id)];
    let mut found = node.withdrawals.standings("portal", basis, &asked).await.expect("reads");
    found.sort_by(|one, other| one.released_id.cmp(&other.released_id));
    found
}

/// The one standing of Observation `id`: whether it stands, what of it, and the last revision.
async fn stands(node: &Clinical, id: &str) -> (bool, Option<[u8; 32]>, u32) {
    let found = standings(node, id, BASIS).await;
    assert_eq!(found.len(), 1);
    (found[0].stands, found[0].content, found[0].revision)
}

async fn claimed(node: &Clinical) -> Vec<u128> {
    let claimed = node.outbox.claim("portal", NOW_US, 100).await.expect("reads");
    claimed.iter().map(|one| one.id.as_u128()).collect()
}

fn decided(answers: Answers) -> DecidedSet {
    DecidedSet {
        at_us: NOW_US,
        versions: Vec::new(),
        deliveries: Vec::new(),
        pseudonyms: Vec::new(),
        records: Vec::new(),
        answers,
    }
}

fn part(sweep: i64, through: i64, is_last: bool) -> Answers {
    let counts = SweepCounts { units: 2, released: 1, withdrawn: 3, refused: 4 };
    Answers::Sweep { sweep, through, counts, is_last }
}

async fn begin(node: &Clinical, basis: &str, by: Option<&str>) -> i64 {
    node.withdrawals.begin_sweep(basis, by, NOW_US, record(audit::Kind::Swept)).await.expect("begins")
}

async fn newest(node: &Clinical) -> Sweep {
    node.withdrawals.sweeps(1).await.expect("reads").remove(0)
}

fn request(patient: &str, denies: bool) -> ConsentRequest {
    ConsentRequest {
        patient: patient.into(),
        denies,
        destination: (!denies).then(|| "portal".to_owned()),
        requested_by: "ann".into(),
        requested_us: NOW_US,
    }
}

async fn ask(node: &Clinical, request: ConsentRequest) -> i64 {
    let record = record(audit::Kind::ConsentRecorded);
    node.withdrawals.request_consent(request, record).await.expect("asks")
}

async fn asked(node: &Clinical, limit: usize) -> Vec<(i64, ConsentRequest)> {
    node.withdrawals.consent_requests(limit).await.expect("reads")
}

pub async fn what_is_queued_stands_under_its_released_id(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut elsewhere = content(4, "o1", "r9", Some("p1"));
    elsewhere.destination = "research".into();
    let all = vec![
        content(1, "o1", "r1", Some("p1")),
        content(2, "o1", "r2", Some("p2")),
        content(3, "o2", "r3", None),
        elsewhere,
    ];
    queue(&node, 1, all).await;
    let node = adapter.clinical().await;
    let expected = |released_id: &str, patient: &str, revision| Standing {
        resource: key("Observation", "o1"),
        released_id: released_id.into(),
        patient: Some(patient.into()),
        lane: "a".into(),
        revision,
        stands: true,
        content: Some([1; 32]),
    };
    assert_eq!(standings(&node, "o1", BASIS).await, [expected("r1", "p1", 1), expected("r2", "p2", 2)]);
    assert!(standings(&node, "o9", BASIS).await.is_empty());
    let of = async |patient| node.withdrawals.standings_of("portal", patient).await.expect("reads");
    assert_eq!(of("p1").await, [expected("r1", "p1", 1)]);
    assert!(of("p3").await.is_empty());
}

pub async fn a_withdrawal_ends_what_stands_and_overtakes_what_waits(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, 1, vec![content(1, "o1", "r1", Some("p1")), content(2, "o2", "r2", Some("p1"))]).await;
    settle(&node, 1, delivered()).await;
    queue(&node, 2, vec![withdrawal(3, "o1", "r1", Some("p1")), withdrawal(4, "o2", "r2", Some("p1"))]).await;
    assert_eq!(stands(&node, "o1").await, (false, None, 3));
    assert_eq!(claimed(&node).await, [3, 4], "what waits under a withdrawn id is not sent");
    let detail = node.messages.detail(message(1).id).await.expect("reads").expect("is there");
    let states: Vec<_> = detail.deliveries.iter().map(|one| one.state).collect();
    assert_eq!(states, [DeliveryState::Delivered, DeliveryState::Superseded]);
    assert!(node.withdrawals.standings_of("portal", "p1").await.expect("reads").is_empty());
    // It may come back, under the same id.
    queue(&node, 3, vec![content(5, "o1", "r1", Some("p1"))]).await;
    assert_eq!(stands(&node, "o1").await, (true, Some([1; 32]), 5));
}

pub async fn the_highest_revision_says_what_stands(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut late = content(1, "o1", "r1", Some("p1"));
    late.revision = 7;
    late.effect = Effect::Stands([7; 32]);
    queue(&node, 1, vec![late]).await;
    queue(&node, 2, vec![content(2, "o1", "r1", Some("p1"))]).await;
    assert_eq!(stands(&node, "o1").await, (true, Some([7; 32]), 7));
}

pub async fn content_that_waits_under_another_basis_is_not_known(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, 1, vec![content(1, "o1", "r1", Some("p1"))]).await;
    let content = async |basis| standings(&node, "o1", basis).await[0].content;
    assert_eq!((content("b1").await, content("b2").await), (Some([1; 32]), None));
    settle(&node, 1, delivered()).await;
    assert_eq!(content("b2").await, Some([1; 32]), "what arrived is there, whatever it was decided under");
}

pub async fn of_what_died_it_is_not_known_what_stands(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, 1, vec![content(1, "o1", "r1", Some("p1")), content(2, "o2", "r2", Some("p1"))]).await;
    settle(&node, 1, dead()).await;
    assert_eq!(stands(&node, "o1").await, (true, None, 1), "it may be there");
    settle(&node, 2, delivered()).await;
    queue(&node, 2, vec![withdrawal(3, "o2", "r2", Some("p1"))]).await;
    settle(&node, 3, dead()).await;
    assert_eq!(stands(&node, "o2").await, (true, None, 3), "it was not taken away");
    // A later withdrawal takes the place of the one that died.
    queue(&node, 3, vec![withdrawal(4, "o2", "r2", Some("p1"))]).await;
    assert_eq!(claimed(&node).await, [4]);
    let dead = node.outbox.dead("portal", 0, 10).await.expect("reads");
    assert_eq!(dead.iter().map(|(_, row)| row.id.as_u128()).collect::<Vec<_>>(), [1]);
}

pub async fn a_dead_withdrawal_keeps_its_lane_back_until_it_is_revived(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, 1, vec![withdrawal(1, "o1", "r1", Some("p1")), content(2, "o2", "r2", Some("p1"))]).await;
    settle(&node, 1, dead()).await;
    queue(&node, 2, vec![withdrawal(3, "o3", "r3", Some("p1"))]).await;
    assert_eq!(claimed(&node).await, [3], "content waits, withdrawals pass");
    let revive = async |number| {
        node.outbox.revive(Uuid::from_u128(number), record(audit::Kind::DeliveryRevived)).await
    };
    assert!(matches!(revive(2).await, Err(Error::NotFound)), "it is not dead");
    assert!(matches!(revive(77).await, Err(Error::NotFound)));
    revive(1).await.expect("revives");
    assert_eq!(claimed(&node).await, [1, 2, 3], "at its old place");
    assert!(!stands(&node, "o1").await.0);
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), 1, "one act, one record");
}

pub async fn dead_content_is_revived_unless_something_newer_was_queued(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, 1, vec![content(1, "o1", "r1", Some("p1")), content(2, "o2", "r2", Some("p1"))]).await;
    settle(&node, 1, dead()).await;
    settle(&node, 2, dead()).await;
    queue(&node, 2, vec![content(3, "o1", "r1", Some("p1"))]).await;
    let revive = async |number| {
        node.outbox.revive(Uuid::from_u128(number), record(audit::Kind::DeliveryRevived)).await
    };
    assert!(matches!(revive(1).await, Err(Error::Conflict(_))));
    revive(2).await.expect("revives");
    assert_eq!(claimed(&node).await, [2, 3]);
    let page = async |after| node.outbox.dead("portal", after, 1).await.expect("reads");
    let first = page(0).await;
    assert_eq!(first.iter().map(|(_, row)| row.id.as_u128()).collect::<Vec<_>>(), [1]);
    assert!(page(first[0].0).await.is_empty());
    assert!(node.outbox.dead("research", 0, 10).await.expect("reads").is_empty());
}

pub async fn a_compartment_has_the_live_resources_of_the_types_asked_for(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    // It is found by the patient that it names, and stays with the one that it is kept with.
    let names_another = |id| {
        let named = IndexValue::Reference { resource_type: Some("Patient".into()), id: "p1".into() };
        with(of_patient(version("Consent", id, 1), "p2"), "patient", named)
    };
    let mut gone = of_patient(version("Consent", "c2", 2), "p1");
    gone.deleted = true;
    let mut one = set(1);
    one.versions = vec![
        version("Patient", "p1", 1),
        of_patient(version("Consent", "c1", 1), "p1"),
        of_patient(version("Consent", "c2", 1), "p1"),
        of_patient(version("Consent", "c3", 1), "p2"),
        names_another("c4"),
        of_patient(version("Observation", "o1", 1), "p1"),
        of_patient(version("Condition", "d1", 1), "p1"),
    ];
    node.apply.commit(one).await.expect("commits");
    let mut two = set(2);
    two.versions = vec![gone];
    node.apply.commit(two).await.expect("commits");
    let of = async |patient, names: &[&str]| {
        let types: Vec<_> = names.iter().map(|name| resource_type(name)).collect();
        let found = node.withdrawals.compartment_of(patient, &types).await.expect("reads");
        let mut keys: Vec<_> = found.into_iter().map(|stored| stored.key.id).collect();
        keys.sort();
        keys
    };
    assert_eq!(of("p1", &["Consent", "Condition"]).await, ["c1", "d1"]);
    assert_eq!(of("p2", &["Consent"]).await, ["c3", "c4"]);
    let both = ["p1".to_owned(), "p2".to_owned()];
    let found = node.withdrawals.compartments_of(&both, &[resource_type("Consent")]).await.expect("reads");
    let mut pairs: Vec<_> = found.iter().map(|(patient, stored)| (&**patient, &*stored.key.id)).collect();
    pairs.sort_unstable();
    assert_eq!(pairs, [("p1", "c1"), ("p2", "c3"), ("p2", "c4")]);
    assert!(of("p1", &[]).await.is_empty());
    assert!(of("p9", &["Consent"]).await.is_empty());
}

pub async fn what_is_decided_without_a_message_is_written_whole(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let number = ask(&node, request("p1", true)).await;
    let mut whole = decided(Answers::Consent { request: number, outcome: "done".into() });
    whole.versions = vec![of_patient(version("Consent", "c1", 1), "p1")];
    whole.deliveries = vec![withdrawal(1, "o1", "r1", Some("p1"))];
    whole.pseudonyms = vec![pseudonym("portal", "p1", "q1")];
    whole.records = vec![record(audit::Kind::ConsentRecorded), record(audit::Kind::Withdrawn)];
    node.withdrawals.commit_decided(whole).await.expect("commits");
    let node = adapter.clinical().await;
    assert!(node.resources.read(&key("Consent", "c1")).await.expect("reads").is_some());
    assert_eq!(claimed(&node).await, [1]);
    let subjects = [(resource_type("Patient"), "p1".to_owned())];
    assert_eq!(node.apply.pseudonyms("portal", &subjects).await.expect("reads").len(), 1);
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), 3, "the request's and its own");
    assert_eq!(node.apply.applied_through().await.expect("reads"), Seq(0), "it is no message");
    assert!(node.apply.messages_of("p1").await.expect("reads").is_empty());
}

pub async fn a_decision_that_fails_leaves_nothing(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let number = ask(&node, request("p1", true)).await;
    let answers = Answers::Consent { request: number, outcome: "done".into() };
    let versions =
        |ids: &[&str]| ids.iter().map(|id| version("Consent", id, 1)).collect::<Vec<ResourceVersion>>();
    let mut twice = decided(answers.clone());
    twice.versions = versions(&["c1", "c1"]);
    twice.deliveries = vec![withdrawal(1, "o1", "r1", Some("p1"))];
    twice.records = vec![record(audit::Kind::Withdrawn)];
    assert!(matches!(node.withdrawals.commit_decided(twice).await, Err(Error::Conflict(_))));
    let mut unknown = decided(Answers::Consent { request: number + 1, outcome: "done".into() });
    unknown.versions = versions(&["c2"]);
    assert!(matches!(node.withdrawals.commit_decided(unknown).await, Err(Error::NotFound)));
    for id in ["c1", "c2"] {
        assert!(node.resources.read(&key("Consent", id)).await.expect("reads").is_none());
    }
    assert!(claimed(&node).await.is_empty());
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), 1, "the request's");
    assert_eq!(asked(&node, 10).await, [(number, request("p1", true))], "it waits still");
    node.withdrawals.commit_decided(decided(answers.clone())).await.expect("commits");
    let again = node.withdrawals.commit_decided(decided(answers)).await;
    assert!(matches!(again, Err(Error::NotFound)), "it is answered once");
}

pub async fn requests_about_consent_come_until_they_are_answered(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    assert!(asked(&node, 10).await.is_empty());
    let (one, two) = (ask(&node, request("p1", true)).await, ask(&node, request("p2", false)).await);
    let node = adapter.clinical().await;
    let both = [(one, request("p1", true)), (two, request("p2", false))];
    assert_eq!(asked(&node, 10).await, both);
    assert_eq!(asked(&node, 1).await, both[..1], "oldest first");
    let answer = Answers::Consent { request: one, outcome: "done".into() };
    node.withdrawals.commit_decided(decided(answer)).await.expect("commits");
    assert_eq!(asked(&node, 10).await, both[1..]);
}

pub async fn a_sweep_looks_at_patients_and_shared_entities_in_order(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut one = set(1);
    one.versions = vec![
        version("Patient", "p1", 1),
        of_patient(version("Observation", "o1", 1), "p1"),
        version("Practitioner", "d1", 1),
    ];
    node.apply.commit(one).await.expect("commits");
    let mut two = set(2);
    two.versions = vec![version("Patient", "p2", 1)];
    node.apply.commit(two).await.expect("commits");
    let units = async |after, limit| node.withdrawals.sweep_units(after, limit).await.expect("reads");
    let names = |units: &[SweepUnit]| {
        let mut names: Vec<_> = units.iter().map(|unit| unit.resource.id.clone()).collect();
        names.sort();
        names
    };
    let all = units(0, 10).await;
    assert_eq!(names(&all), ["d1", "p1", "p2"], "what a patient owns is looked at with the patient");
    assert!(all.is_sorted_by_key(|unit| unit.position));
    // Walked by parts, the same.
    let mut walked: Vec<SweepUnit> = Vec::new();
    loop {
        let part = units(walked.last().map_or(0, |unit| unit.position), 2).await;
        if part.is_empty() {
            break;
        }
        walked.extend(part);
    }
    assert_eq!(walked, all);
}

pub async fn a_sweep_adds_up_and_ends_once(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    assert!(node.withdrawals.sweeps(1).await.expect("reads").is_empty());
    let number = begin(&node, "b1", Some("ann")).await;
    node.withdrawals.commit_decided(decided(part(number, 16, false))).await.expect("commits");
    let node = adapter.clinical().await;
    let counts = SweepCounts { units: 2, released: 1, withdrawn: 3, refused: 4 };
    let mut expected = Sweep {
        number,
        basis: "b1".into(),
        requested_by: Some("ann".into()),
        begun_us: NOW_US,
        through: 16,
        counts,
        ended: None,
    };
    assert_eq!(newest(&node).await, expected);
    node.withdrawals.commit_decided(decided(part(number, 20, true))).await.expect("commits");
    expected.through = 20;
    expected.counts = SweepCounts { units: 4, released: 2, withdrawn: 6, refused: 8 };
    expected.ended = Some((NOW_US, "done".into()));
    assert_eq!(newest(&node).await, expected);
    let after = node.withdrawals.commit_decided(decided(part(number, 30, false))).await;
    assert!(matches!(after, Err(Error::NotFound)), "it has ended");
}

pub async fn a_new_sweep_abandons_the_one_that_runs(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let first = begin(&node, "b1", None).await;
    let second = begin(&node, "b2", None).await;
    assert!(second > first);
    let late = node.withdrawals.commit_decided(decided(part(first, 16, true))).await;
    assert!(matches!(late, Err(Error::NotFound)));
    node.withdrawals.commit_decided(decided(part(second, 16, true))).await.expect("commits");
    let sweeps = node.withdrawals.sweeps(10).await.expect("reads");
    let told: Vec<_> = sweeps
        .iter()
        .map(|sweep| (sweep.number, sweep.ended.as_ref().map(|(_, outcome)| outcome.as_str())))
        .collect();
    assert_eq!(told, [(second, Some("done")), (first, Some("abandoned"))]);
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), 2, "each begin is recorded");
}

pub async fn what_does_not_go_out_is_told_by_destination(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let unsettled = async || node.withdrawals.unsettled().await.expect("reads");
    assert!(unsettled().await.is_empty());
    let mut elsewhere = withdrawal(4, "o4", "r4", Some("p1"));
    elsewhere.destination = "archive".into();
    queue(&node, 1, vec![content(1, "o1", "r1", None), withdrawal(2, "o2", "r2", None)]).await;
    queue(&node, 2, vec![withdrawal(3, "o3", "r3", None), elsewhere, content(5, "o5", "r5", None)]).await;
    let of = |destination: &str, dead_content, dead_withdrawals, withdrawals, seq| Unsettled {
        destination: destination.into(),
        dead_content,
        dead_withdrawals,
        withdrawals,
        oldest_us: Some(message(seq).processed_us),
    };
    assert_eq!(unsettled().await, [of("archive", 0, 0, 1, 2), of("portal", 0, 0, 2, 1)]);
    for number in [1, 2] {
        settle(&node, number, dead()).await;
    }
    let told = unsettled().await;
    assert_eq!(
        told,
        [of("archive", 0, 0, 1, 2), of("portal", 1, 1, 1, 1)],
        "one that died is the oldest still"
    );
    for number in [3, 4] {
        settle(&node, number, delivered()).await;
    }
    assert_eq!(unsettled().await, [of("portal", 1, 1, 0, 1)]);
}

pub async fn withdrawals_are_counted_by_reason(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut merged = withdrawal(3, "o3", "r3", None);
    merged.effect = Effect::Withdrawn(WithdrawalReason::Merge);
    queue(&node, 1, vec![content(1, "o1", "r1", None), withdrawal(2, "o2", "r2", None), merged]).await;
    queue(&node, 2, vec![withdrawal(4, "o4", "r4", None)]).await;
    settle(&node, 2, delivered()).await;
    let since = async |seq| {
        let since_us = message(seq).processed_us;
        node.withdrawals.withdrawn_since(since_us).await.expect("reads")
    };
    assert_eq!(since(1).await, [(WithdrawalReason::Consent, 2), (WithdrawalReason::Merge, 1)]);
    assert_eq!(since(2).await, [(WithdrawalReason::Consent, 1)]);
    assert!(since(3).await.is_empty());
}
