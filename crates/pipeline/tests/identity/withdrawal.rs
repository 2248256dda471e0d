//! What may not stand at the destination any more is withdrawn, in order, for every reason; what may again comes back.

use std::collections::BTreeMap;

use audit::{Kind, Record};
use serde_json::Value;
use store::{ConsentRequest, DeliveryState, Ledger, Messages, Outbox, Settlement, Withdrawals};
use uuid::Uuid;

use crate::feeds::{EMR, ROWAN, merge, message, pid};
use crate::rig::{Rig, named, now_us};

/// One visit of a person with its diagnoses.
fn visit(kind: &str, control_id: &str, number: &str, visit: &str, diagnoses: &[&str]) -> String {
    let empty = "|".repeat(17);
    let mut segments = vec![pid(&[number], ROWAN), format!("PV1|1|I{empty}{visit}^^^HARBOR^VN")];
    for (index, code) in diagnoses.iter().enumerate() {
        segments.push(format!("DG1|{}||{code}^Diagnosis^I10||20260301081500-0500|A", index + 1));
    }
    message(EMR, kind, control_id, &segments)
}

pub fn admitted(control_id: &str, number: &str, of: &str, diagnoses: &[&str]) -> String {
    visit("ADT^A01^ADT_A01", control_id, number, of, diagnoses)
}

pub fn result(control_id: &str, number: &str, of: &str, status: &str) -> String {
    let empty = "|".repeat(17);
    let visit = format!("PV1|1|I{empty}{of}^^^HARBOR^VN");
    let obr = "OBR|1||ORD-1^EMR|24323-8^Panel^LN|||20260301110000-0500|||||||||||||||20260301113000-0500|||F";
    let obx = format!("OBX|1|NM|2823-3^Potassium^LN||4.4|mmol/L|||||{status}");
    message(EMR, "ORU^R01^ORU_R01", control_id, &[pid(&[number], ROWAN), visit, obr.to_owned(), obx])
}

fn protected(control_id: &str, number: &str, indicator: &str) -> String {
    let pd1 = format!("PD1{}{indicator}|20260301", "|".repeat(12));
    let segments = [pid(&[number], ROWAN), pd1, "PV1|1|N".to_owned()];
    message(EMR, "ADT^A31^ADT_A05", control_id, &segments)
}

/// The destination: of each released id, the highest revision and what it says.
#[derive(Default)]
pub struct Cloud {
    seen: BTreeMap<(String, String), (u32, Option<Value>)>,
}

impl Cloud {
    /// Takes all that may be sent.
    pub async fn take(&mut self, rig: &Rig) {
        loop {
            let claimed = rig.store.claim("cloud", i64::MAX, 100).await.expect("claims");
            if claimed.is_empty() {
                return;
            }
            let mut settled = Vec::new();
            for delivery in claimed {
                let body: Value = serde_json::from_slice(&delivery.sealed.bytes).expect("JSON");
                let name = delivery.resource.resource_type.as_str().to_owned();
                let body = delivery.withdrawal.is_none().then_some(body);
                let seen = self.seen.entry((name, delivery.released_id)).or_default();
                if delivery.revision > seen.0 {
                    *seen = (delivery.revision, body);
                }
                let receipt = "receipt".to_owned();
                settled.push((delivery.id, Settlement::Delivered { receipt, at_us: now_us() }));
            }
            Outbox::settle(&*rig.store, settled, Vec::new()).await.expect("settles");
        }
    }

    /// What stands there: ids of each type.
    pub async fn stands(&mut self, rig: &Rig) -> Vec<(String, String)> {
        self.take(rig).await;
        self.seen.iter().filter(|(_, (_, body))| body.is_some()).map(|(key, _)| key.clone()).collect()
    }

    /// How many of some types stand there.
    pub async fn count<const N: usize>(&mut self, rig: &Rig, names: [&str; N]) -> [usize; N] {
        let stands = self.stands(rig).await;
        names.map(|name| stands.iter().filter(|(of, _)| of == name).count())
    }

    /// The bodies of a type that stand there.
    pub fn bodies(&self, name: &str) -> Vec<&Value> {
        let of = self.seen.iter().filter(|((of, _), _)| of == name);
        of.filter_map(|(_, (_, body))| body.as_ref()).collect()
    }
}

/// Reasons of the withdrawals in the ledger, with how many deliveries each names.
pub async fn withdrawn(rig: &Rig) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for row in rig.store.unsealed(10_000).await.expect("reads") {
        let record = Record::from_bytes(&row.record).expect("a record");
        if record.kind() == Kind::Withdrawn {
            let named = record.objects().iter().filter(|(name, _)| name == "delivery").count();
            let decided = record.objects().iter().filter(|(name, _)| name == "decision").count();
            assert_eq!(named, decided);
            *reasons.entry(record.outcome_code().unwrap_or_default().to_owned()).or_default() += named;
        }
    }
    reasons
}

pub const TYPES: [&str; 4] = ["Patient", "Encounter", "Condition", "Observation"];

#[tokio::test]
async fn a_diagnosis_that_comes_later_withdraws_its_visit_and_no_other() {
    let mut rig = Rig::with(&[
        admitted("W-1", "MR 1", "V1", &["I10"]),
        admitted("W-2", "MR 1", "V2", &["K35.80"]),
        result("W-3", "MR 1", "V1", "F"),
    ])
    .await;
    let mut cloud = Cloud::default();
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 2, 2, 1]);
    rig.send(&admitted("W-4", "MR 1", "V1", &["I10", "F10.20"])).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 0], "the other visit stays");
    assert_eq!(rig.all("Observation").await.len(), 1, "here nothing is gone");
    assert!(withdrawn(&rig).await.get("label").is_some_and(|number| *number >= 3));
    // What comes to the visit from now on stays too.
    rig.send(&result("W-5", "MR 1", "V1", "C")).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 0]);
}

#[tokio::test]
async fn a_patient_who_objects_is_withdrawn_and_one_who_no_longer_does_comes_back() {
    let mut rig = Rig::with(&[
        admitted("W-1", "MR 1", "V1", &["I10"]),
        result("W-2", "MR 1", "V1", "F"),
        admitted("W-3", "MR 2", "V2", &["I10"]),
    ])
    .await;
    let mut cloud = Cloud::default();
    let before = cloud.stands(&rig).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [2, 2, 2, 1]);
    rig.send(&protected("W-4", "MR 1", "Y")).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 0], "the other patient stays");
    rig.send(&result("W-5", "MR 1", "V1", "C")).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 0]);
    assert!(withdrawn(&rig).await.contains_key("consent"));
    rig.send(&protected("W-6", "MR 1", "N")).await;
    let after = cloud.stands(&rig).await;
    assert!(before.iter().all(|one| after.contains(one)), "the same ids come back");
    assert!(after.iter().all(|(name, _)| name != "Consent"));
}

#[tokio::test]
async fn what_a_person_says_about_consent_holds_through_a_reprocess() {
    let mut rig = Rig::new().await;
    let id = rig.send(&admitted("W-1", "MR 1", "V1", &["I10"])).await;
    let mut cloud = Cloud::default();
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 0]);
    let say = async |rig: &mut Rig, denies: bool| {
        let request = ConsentRequest {
            patient: named("MR 1"),
            denies,
            destination: None,
            requested_by: "ann".into(),
            requested_us: now_us(),
        };
        let record = Record::new(Kind::ConsentRecorded, Uuid::new_v4(), "node-1", now_us());
        rig.store.request_consent(request, record).await.expect("asks");
        rig.run().await;
    };
    say(&mut rig, true).await;
    assert_eq!(cloud.stands(&rig).await, []);
    assert_eq!(rig.reprocess(id).await, "done");
    assert_eq!(cloud.stands(&rig).await, []);
    assert_eq!(rig.all("Consent").await.len(), 1);
    say(&mut rig, false).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 0]);
    assert!(rig.store.consent_requests(10).await.expect("reads").is_empty());
}

#[tokio::test]
async fn a_policy_that_is_tightened_withdraws_and_one_that_is_widened_releases() {
    let mut rig = Rig::with(&[
        admitted("W-1", "MR 1", "V1", &["I10"]),
        result("W-2", "MR 1", "V1", "F"),
        admitted("W-3", "MR 2", "V2", &["K35.80"]),
    ])
    .await;
    let mut cloud = Cloud::default();
    let before = cloud.stands(&rig).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [2, 2, 2, 1]);
    rig.restart(&[
        ("policy.yaml", "Observation, ", ""),
        ("labels.yaml", "prefixes: [F10,", "prefixes: [K35, F10,"),
    ])
    .await;
    assert_eq!(cloud.count(&rig, TYPES).await, [2, 1, 1, 0]);
    let reasons = withdrawn(&rig).await;
    assert_eq!(reasons.get("policy"), Some(&1), "{reasons:?}");
    assert!(reasons.contains_key("label"));
    let sweep = rig.store.sweeps(1).await.expect("reads").remove(0);
    assert_eq!(sweep.ended.as_ref().map(|(_, outcome)| outcome.as_str()), Some("done"));
    assert!(sweep.counts.units >= 2 && sweep.counts.withdrawn >= 3);
    let queued = *Outbox::queued(&*rig.store).borrow();
    rig.restart(&[
        ("policy.yaml", "Observation, ", ""),
        ("labels.yaml", "prefixes: [F10,", "prefixes: [K35, F10,"),
    ])
    .await;
    assert_eq!(*Outbox::queued(&*rig.store).borrow(), queued, "the same rules decide nothing anew");
    rig.restart(&[]).await;
    assert_eq!(cloud.stands(&rig).await, before);
}

#[tokio::test]
async fn a_cancellation_and_an_error_leave_as_updates() {
    let mut rig =
        Rig::with(&[admitted("W-1", "MR 1", "V1", &["I10"]), result("W-2", "MR 1", "V1", "F")]).await;
    let mut cloud = Cloud::default();
    cloud.take(&rig).await;
    rig.send(&visit("ADT^A11^ADT_A09", "W-3", "MR 1", "V1", &[])).await;
    rig.send(&result("W-4", "MR 1", "V1", "W")).await;
    cloud.take(&rig).await;
    assert_eq!(cloud.bodies("Encounter")[0]["status"], "cancelled");
    assert_eq!(cloud.bodies("Observation")[0]["status"], "entered-in-error");
}

#[tokio::test]
async fn what_a_merge_moves_is_withdrawn_under_its_old_id() {
    let mut rig =
        Rig::with(&[admitted("W-1", "MR 1", "V1", &["I10"]), admitted("W-2", "MR 2", "V2", &["K35.80"])])
            .await;
    let mut cloud = Cloud::default();
    let before = cloud.stands(&rig).await;
    rig.send(&merge(EMR, "W-3", &["MR 1"], &["MR 2"], ROWAN)).await;
    let after = cloud.stands(&rig).await;
    assert_eq!(cloud.count(&rig, ["Encounter", "Condition"]).await, [2, 2]);
    let gone = before.iter().filter(|one| !after.contains(one)).count();
    assert!(gone >= 2, "the moved visit and its diagnosis have new ids");
    assert!(withdrawn(&rig).await.contains_key("merge"));
}

#[tokio::test]
async fn behind_a_cut_link_all_arrives_in_order_and_what_waited_is_superseded() {
    let mut rig = Rig::new().await;
    let first = rig.send(&admitted("W-1", "MR 1", "V1", &["I10"])).await;
    rig.send(&protected("W-2", "MR 1", "Y")).await;
    let detail = rig.store.detail(first).await.expect("reads").expect("is there");
    let superseded = detail.deliveries.iter().filter(|d| d.state == DeliveryState::Superseded).count();
    assert!(superseded >= 3, "patient, visit and diagnosis are not sent any more");
    rig.send(&protected("W-3", "MR 1", "N")).await;
    let queued = rig.store.claim("cloud", i64::MAX, 100).await.expect("claims");
    let of_patient: Vec<(u32, bool)> = queued
        .iter()
        .filter(|delivery| delivery.resource.resource_type.as_str() == "Patient")
        .map(|delivery| (delivery.revision, delivery.withdrawal.is_some()))
        .collect();
    assert!(of_patient.is_sorted() && of_patient.len() >= 2, "{of_patient:?}");
    assert!(of_patient[0].1 && !of_patient[of_patient.len() - 1].1, "{of_patient:?}");
    let mut cloud = Cloud::default();
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 0]);
}

#[tokio::test]
async fn behind_a_withdrawal_that_died_nothing_of_its_lane_passes_until_it_is_revived() {
    let mut rig = Rig::with(&[admitted("W-1", "MR 1", "V1", &["I10"])]).await;
    let mut cloud = Cloud::default();
    cloud.take(&rig).await;
    rig.send(&protected("W-2", "MR 1", "Y")).await;
    let queued = rig.store.claim("cloud", i64::MAX, 100).await.expect("claims");
    let visit = queued.iter().find(|d| d.resource.resource_type.as_str() == "Encounter").expect("withdrawn");
    let dead = vec![(visit.id, Settlement::Dead { error: "refused:malformed".into() })];
    Outbox::settle(&*rig.store, dead, Vec::new()).await.expect("settles");
    rig.send(&protected("W-3", "MR 1", "N")).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [0, 1, 0, 0], "only withdrawals pass");
    let dead = rig.store.dead("cloud", 0, 10).await.expect("reads");
    assert_eq!(dead.len(), 1);
    let record = || Record::new(Kind::DeliveryRevived, Uuid::new_v4(), "node-1", now_us());
    rig.store.revive(dead[0].1.id, record()).await.expect("revives");
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 0], "the lane goes on, in order");
    let again = rig.store.revive(Uuid::new_v4(), record()).await;
    assert!(matches!(again, Err(store::Error::NotFound)));
}

/// xorshift: the same sequences at every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[tokio::test]
async fn after_any_history_there_stands_what_is_permitted_and_nothing_else() {
    for seed in 1..=6_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (mut rig, mut cloud) = (Rig::new().await, Cloud::default());
        // By patient: (visit -> is sensitive, has a result), and whether the patient objects.
        let mut visits: BTreeMap<(u64, u64), (bool, bool)> = BTreeMap::new();
        let mut objects: BTreeMap<u64, bool> = BTreeMap::new();
        for step in 0..24 {
            let (who, which) = (random.below(2), random.below(2));
            let (number, of) = (format!("MR {}", who + 1), format!("V{who}{which}"));
            let control_id = format!("P-{seed}-{step}");
            let known = visits.contains_key(&(who, which));
            match random.below(5) {
                0 | 1 => {
                    let sensitive = random.below(3) == 0;
                    let codes: &[&str] = if sensitive { &["I10", "F10.20"] } else { &["I10"] };
                    // An update says what the diagnoses of the visit are; those that it does not name are gone.
                    let kind = if known { "ADT^A08^ADT_A01" } else { "ADT^A01^ADT_A01" };
                    rig.send(&visit(kind, &control_id, &number, &of, codes)).await;
                    visits.entry((who, which)).or_default().0 = sensitive;
                    objects.entry(who).or_default();
                }
                2 if known && which == 0 => {
                    let order =
                        result(&control_id, &number, &of, "F").replace("ORD-1", &format!("ORD-{who}"));
                    rig.send(&order).await;
                    visits.entry((who, which)).or_default().1 = true;
                }
                3 if objects.contains_key(&who) => {
                    let objecting = random.below(2) == 0;
                    rig.send(&protected(&control_id, &number, if objecting { "Y" } else { "N" })).await;
                    objects.insert(who, objecting);
                }
                _ => {
                    if random.below(2) == 0 {
                        cloud.take(&rig).await;
                    }
                }
            }
            let free = |who: &u64| !objects.get(who).copied().unwrap_or_default();
            let open: Vec<_> =
                visits.iter().filter(|((who, _), (sensitive, _))| free(who) && !sensitive).collect();
            let expected = [
                objects.keys().filter(|who| free(who)).count(),
                open.len(),
                open.len(),
                open.iter().filter(|(_, (_, has_result))| *has_result).count(),
            ];
            if step % 4 == 3 {
                assert_eq!(cloud.count(&rig, TYPES).await, expected, "seed {seed}, step {step}");
            }
        }
    }
}
