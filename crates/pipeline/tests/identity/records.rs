//! Accounts and visits that are merged, get another number, or move to another patient; patients who get another number.

use serde_json::Value;

use crate::feeds::{ALDER, EMR, NOTHING, ROWAN, message, pid, result, update};
use crate::rig::{Rig, named, values};

/// PID with an account.
fn pid_of(list: &[&str], account: &str) -> String {
    format!("{}|||||{account}^^^HARBOR^AN", pid(list, ROWAN))
}

fn visit(number: &str) -> String {
    format!("PV1|1|I|4W^412^B||||7731^Lindqvist^Astrid^^^Dr^^^HARBOR||||||||||||{number}^^^HARBOR^VN")
}

/// ADT^A01 of a visit under an account, with a diagnosis and an insurance.
fn admission(control_id: &str, list: &[&str], account: &str, number: &str) -> String {
    let segments = [
        pid_of(list, account),
        visit(number),
        format!("DG1|1||I20.{number}^Angina^I10|||F"),
        "IN1|1|P1|77^^^SEA_PLAN|Sea Plan||||G1".to_owned(),
    ];
    message(EMR, "ADT^A01^ADT_A01", control_id, &segments)
}

/// A message about what was, of one PID, one MRG and perhaps one PV1.
fn change(kind: &str, control_id: &str, pid: String, mrg: &str, number: &str) -> String {
    let pv1 = if number.is_empty() { Vec::new() } else { vec![visit(number)] };
    let segments: Vec<String> = [pid, format!("MRG|{mrg}")].into_iter().chain(pv1).collect();
    message(EMR, kind, control_id, &segments)
}

fn merge_visits(control_id: &str, stays: &str, ends: &str) -> String {
    let mrg = format!("42^^^HARBOR^MR||||{ends}^^^HARBOR^VN");
    change("ADT^A42^ADT_A39", control_id, pid(&["MR 42"], ROWAN), &mrg, stays)
}

fn move_account(control_id: &str, to: &str, from: &str, account: &str) -> String {
    let mrg = format!("{from}^^^HARBOR^MR||{account}^^^HARBOR^AN");
    change("ADT^A44^ADT_A43", control_id, pid_of(&[&format!("MR {to}")], account), &mrg, "")
}

fn renumber(control_id: &str, now: &str, before: &str) -> String {
    let mrg = format!("{before}^^^HARBOR^MR");
    change("ADT^A47^ADT_A30", control_id, pid(&[&format!("MR {now}")], NOTHING), &mrg, "")
}

fn of_number<'v>(all: &'v [Value], number: &str) -> &'v Value {
    let is_it = |one: &&Value| values(one).contains(&number);
    all.iter().find(is_it).unwrap_or_else(|| panic!("no record has the number {number}"))
}

fn reference(one: &Value) -> String {
    format!("{}/{}", one["resourceType"].as_str().expect("a type"), one["id"].as_str().expect("an id"))
}

/// What stands, derived again from the journal, is the same.
async fn is_derived_again(rig: &mut Rig, last: store::JournalId) {
    let state = rig.state().await;
    let accounts = rig.all("Account").await;
    rig.reprocess(last).await;
    assert_eq!(rig.state().await, state, "derived again");
    assert_eq!(rig.all("Account").await, accounts, "derived again");
}

#[tokio::test]
async fn what_was_told_of_a_merged_visit_belongs_to_the_other() {
    let mut rig = Rig::with(&[
        admission("1", &["MR 42"], "A1", "V1"),
        admission("2", &["MR 42"], "A1", "V2"),
        merge_visits("3", "V1", "V2"),
    ])
    .await;
    let visits = rig.all("Encounter").await;
    let (stays, ends) = (of_number(&visits, "V1"), of_number(&visits, "V2"));
    assert_eq!(
        (&ends["status"], &ends["partOf"]["reference"]),
        (&"entered-in-error".into(), &reference(stays).into())
    );
    assert_eq!((&stays["status"], stays.get("partOf")), (&"in-progress".into(), None));
    for condition in rig.all("Condition").await {
        assert_eq!(condition["encounter"]["reference"], reference(stays).as_str());
    }
    // A discharge under the former number ends the visit that goes on.
    let discharge = message(EMR, "ADT^A03^ADT_A03", "4", &[pid(&["MR 42"], ROWAN), visit("V2")]);
    let last = rig.send(&discharge).await;
    let visits = rig.all("Encounter").await;
    assert_eq!(visits.len(), 2);
    assert_eq!(of_number(&visits, "V1")["status"], "finished");
    assert_eq!(of_number(&visits, "V2")["status"], "entered-in-error");
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn a_merge_of_visits_before_its_visits_ends_at_the_one_that_stays() {
    let mut rig = Rig::with(&[merge_visits("1", "V1", "V2"), merge_visits("2", "V0", "V1")]).await;
    let last = rig.send(&admission("3", &["MR 42"], "A1", "V2")).await;
    let visits = rig.all("Encounter").await;
    assert_eq!(visits.len(), 3);
    let stays = reference(of_number(&visits, "V0"));
    let conditions = rig.all("Condition").await;
    assert_eq!(conditions.len(), 1);
    assert_eq!(conditions[0]["encounter"]["reference"], stays.as_str(), "over two merges");
    assert_eq!(of_number(&visits, "V0")["status"], "in-progress");
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn a_merge_told_the_other_way_round_takes_the_first_back() {
    let mut rig = Rig::with(&[admission("1", &["MR 42"], "A1", "V1"), merge_visits("2", "V1", "V2")]).await;
    let last = rig.send(&merge_visits("3", "V2", "V1")).await;
    let visits = rig.all("Encounter").await;
    assert_eq!(of_number(&visits, "V1")["partOf"]["reference"], reference(of_number(&visits, "V2")).as_str());
    assert_eq!(of_number(&visits, "V2").get("partOf"), None);
    assert_eq!(
        rig.all("Condition").await[0]["encounter"]["reference"],
        reference(of_number(&visits, "V2")).as_str()
    );
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn a_visit_goes_on_under_its_new_number_with_all_that_was_told_of_it() {
    let mut rig = Rig::with(&[admission("1", &["MR 42"], "A1", "V1")]).await;
    let before = rig.all("Encounter").await[0].clone();
    let mrg = "42^^^HARBOR^MR||||V1^^^HARBOR^VN";
    let bare = "PV1|1|I|||||||||||||||||V9^^^HARBOR^VN".to_owned();
    let segments = [pid(&["MR 42"], ROWAN), format!("MRG|{mrg}"), bare];
    rig.send(&message(EMR, "ADT^A50^ADT_A50", "2", &segments)).await;
    let visits = rig.all("Encounter").await;
    let now = of_number(&visits, "V9");
    assert_eq!(values(now), ["V9"], "the former number is not its own any more");
    for element in ["status", "class", "location", "participant", "account"] {
        assert_eq!(now[element], before[element], "{element}");
    }
    assert_eq!(of_number(&visits, "V1")["partOf"]["reference"], reference(now).as_str());
    assert_eq!(rig.all("Condition").await[0]["encounter"]["reference"], reference(now).as_str());
    let last = rig.send(&message(EMR, "ADT^A50^ADT_A50", "3", &segments)).await;
    assert_eq!(rig.all("Encounter").await, visits, "told again, nothing changes");
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn an_account_moves_with_its_visits_and_leaves_what_is_the_persons() {
    let mut rig = Rig::with(&[
        update(EMR, "1", &["MR 42"], ALDER, "S1"),
        admission("2", &["MR 43"], "A1", "V1"),
        admission("3", &["MR 43"], "A2", "V2"),
    ])
    .await;
    let before = rig.released().await;
    let pid = format!("{}|||||A1^^^HARBOR^AN", pid(&["MR 42"], NOTHING));
    let mrg = "43^^^HARBOR^MR||A1^^^HARBOR^AN";
    let last = rig.send(&change("ADT^A44^ADT_A43", "4", pid, mrg, "")).await;
    let (to, from) = (format!("Patient/{}", named("MR 42")), format!("Patient/{}", named("MR 43")));
    let (accounts, visits) = (rig.all("Account").await, rig.all("Encounter").await);
    let (moved, stayed) = (of_number(&accounts, "A1"), of_number(&accounts, "A2"));
    assert_eq!((&moved["subject"][0]["reference"], moved.get("coverage")), (&to.clone().into(), None));
    assert_eq!(stayed["subject"][0]["reference"], from.as_str());
    assert_eq!(of_number(&visits, "V1")["subject"]["reference"], to.as_str());
    assert_eq!(of_number(&visits, "V2")["subject"]["reference"], from.as_str());
    let visit = reference(of_number(&visits, "V1"));
    for condition in rig.all("Condition").await {
        let owner = if condition["encounter"]["reference"] == visit.as_str() { &to } else { &from };
        assert_eq!(condition["subject"]["reference"], owner.as_str());
    }
    for cover in rig.all("Coverage").await {
        assert_eq!(cover["beneficiary"]["reference"], from.as_str(), "an insurance is the person's");
    }
    let after = rig.released().await;
    let is_new = |one: &&(String, String)| one.0 == "Encounter" && !before.contains(one);
    assert_eq!(after.iter().filter(is_new).count(), 1, "what moved has a new id at the destination");
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn results_go_along_with_the_visit_they_were_found_in() {
    let order = "OBR|1||O1^LAB|24323-8^Panel^LN|||20260301110000-0500|||||||||||||||20260301113000-0500|||F"
        .to_owned();
    let found = "OBX|1|NM|2823-3^Potassium^LN||4.4|mmol/L|||||F".to_owned();
    let specimen = "SPM|1|S1^S1||BLD^Blood^HL70487".to_owned();
    let results = [pid_of(&["MR 43"], "A1"), visit("V1"), order, found, specimen];
    let mut rig = Rig::with(&[
        admission("1", &["MR 43"], "A1", "V1"),
        message(EMR, "ORU^R01^ORU_R01", "2", &results),
        result(EMR, "3", &["MR 43"], ROWAN, "O2"),
    ])
    .await;
    let mrg = "43^^^HARBOR^MR||A1^^^HARBOR^AN||V1^^^HARBOR^VN";
    let last = rig.send(&change("ADT^A45^ADT_A45", "4", pid_of(&["MR 42"], "A9"), mrg, "V9")).await;
    let (to, from) = (format!("Patient/{}", named("MR 42")), format!("Patient/{}", named("MR 43")));
    let visits = rig.all("Encounter").await;
    let now = of_number(&visits, "V9");
    assert_eq!((&now["subject"]["reference"], &now["status"]), (&to.clone().into(), &"in-progress".into()));
    assert_eq!(of_number(&visits, "V1")["partOf"]["reference"], reference(now).as_str());
    assert_eq!(
        now["account"][0]["reference"],
        reference(of_number(&rig.all("Account").await, "A9")).as_str()
    );
    for kind in ["Observation", "DiagnosticReport"] {
        let (of_visit, others): (Vec<Value>, Vec<Value>) = rig
            .all(kind)
            .await
            .into_iter()
            .partition(|one| one["encounter"]["reference"] == reference(now).as_str());
        assert_eq!((of_visit.len(), others.len()), (1, 1), "{kind}");
        assert_eq!(of_visit[0]["subject"]["reference"], to.as_str(), "{kind}");
        assert_eq!(others[0]["subject"]["reference"], from.as_str(), "{kind}");
    }
    let specimens = rig.all("Specimen").await;
    assert_eq!(specimens.len(), 1);
    assert_eq!(specimens[0]["subject"]["reference"], to.as_str(), "only what moved refers to it");
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn accounts_are_merged_with_their_patients() {
    let mut rig =
        Rig::with(&[admission("1", &["MR 42"], "A1", "V1"), admission("2", &["MR 43"], "A2", "V2")]).await;
    let mrg = "43^^^HARBOR^MR||A2^^^HARBOR^AN";
    let last = rig.send(&change("ADT^A36^ADT_A30", "3", pid_of(&["MR 42"], "A1"), mrg, "")).await;
    let owner = format!("Patient/{}", named("MR 42"));
    let accounts = rig.all("Account").await;
    let (stays, ends) = (of_number(&accounts, "A1"), of_number(&accounts, "A2"));
    assert_eq!(
        (&ends["status"], &ends["partOf"]["reference"]),
        (&"entered-in-error".into(), &reference(stays).into())
    );
    for visit in rig.all("Encounter").await {
        assert_eq!(visit["account"][0]["reference"], reference(stays).as_str());
        assert_eq!(visit["subject"]["reference"], owner.as_str());
    }
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn an_account_of_nobody_known_is_the_patients_to_whom_it_moves() {
    let mut rig = Rig::with(&[move_account("1", "42", "43", "A1")]).await;
    let last = rig.send(&admission("2", &["MR 42"], "A1", "V1")).await;
    let accounts = rig.all("Account").await;
    assert_eq!(accounts.len(), 1);
    assert_eq!(accounts[0]["subject"][0]["reference"], format!("Patient/{}", named("MR 42")).as_str());
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn a_record_goes_on_under_the_new_number_of_its_patient() {
    let mut rig = Rig::with(&[
        update(EMR, "1", &["MR 43"], ROWAN, "S1"),
        result(EMR, "2", &["MR 43"], ROWAN, "O1"),
        renumber("3", "42", "43"),
    ])
    .await;
    let patient = rig.patient().await;
    assert_eq!((&patient["id"], &patient["birthDate"]), (&named("MR 42").into(), &"1970-03-12".into()));
    assert_eq!((values(&patient), patient.get("link")), (vec!["42"], None));
    assert_eq!(patient["active"], true);
    let owner = format!("Patient/{}", named("MR 42"));
    assert_eq!(rig.all("Observation").await[0]["subject"]["reference"], owner.as_str());
    // A result that still has the former number.
    let last = rig.send(&result(EMR, "4", &["MR 43"], NOTHING, "O2")).await;
    assert!(rig.all("Observation").await.iter().all(|one| one["subject"]["reference"] == owner.as_str()));
    assert_eq!(values(&rig.patient().await), ["42"]);
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn a_number_may_change_back() {
    let mut rig = Rig::with(&[update(EMR, "1", &["MR 43"], ROWAN, "S1"), renumber("2", "42", "43")]).await;
    let last = rig.send(&renumber("3", "43", "42")).await;
    let patient = rig.patient().await;
    assert_eq!(values(&patient), ["43"]);
    assert_eq!(patient["birthDate"], "1970-03-12");
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn a_new_number_before_its_patient_is_found() {
    let mut rig = Rig::with(&[renumber("1", "42", "43")]).await;
    let last = rig.send(&update(EMR, "2", &["MR 43"], ROWAN, "S1")).await;
    let patient = rig.patient().await;
    assert_eq!((&patient["id"], &patient["birthDate"]), (&named("MR 42").into(), &"1970-03-12".into()));
    is_derived_again(&mut rig, last).await;
}

#[tokio::test]
async fn a_new_number_that_is_somebody_elses_is_a_question() {
    let mut rig =
        Rig::with(&[update(EMR, "1", &["MR 43"], ROWAN, "S1"), update(EMR, "2", &["MR 42"], ALDER, "S2")])
            .await;
    let state = rig.state().await;
    let held = rig.send(&renumber("3", "42", "43")).await;
    assert_eq!(rig.row(held).await.reason.as_deref(), Some("identity-conflict"));
    assert_eq!(rig.state().await, state);
}

#[tokio::test]
async fn the_status_of_a_bed_is_of_no_patient() {
    let mut rig = Rig::with(&[admission("1", &["MR 42"], "A1", "V1")]).await;
    let bed = rig.all("Location").await;
    assert_eq!(bed.len(), 1);
    let cleaned = message(EMR, "ADT^A20^ADT_A20", "2", &["NPU|4W^412^B|H".to_owned()]);
    rig.send(&cleaned).await;
    let after = rig.all("Location").await;
    assert_eq!((after.len(), &after[0]["id"]), (1, &bed[0]["id"]), "it is the bed of the visit");
    assert_eq!((&after[0]["operationalStatus"]["code"], &after[0]["name"]), (&"H".into(), &bed[0]["name"]));
}

#[tokio::test]
async fn the_history_of_the_patient_before_does_not_tell_of_what_moved() {
    let mut rig = Rig::with(&[admission("1", &["MR 43"], "A1", "V1")]).await;
    let told = |all: &[Value], name: &str| {
        let targets = all.iter().flat_map(|one| one["target"].as_array().expect("targets"));
        targets.filter(|target| target["reference"] == name).count()
    };
    let visit = reference(&rig.all("Encounter").await[0]);
    assert_eq!(told(&rig.all("Provenance").await, &visit), 1);
    rig.send(&move_account("2", "42", "43", "A1")).await;
    assert_eq!(told(&rig.all("Provenance").await, &visit), 0);
    assert_eq!(told(&rig.all("Provenance").await, &format!("Patient/{}", named("MR 43"))), 2);
}
