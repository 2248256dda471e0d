//! What may not leave does not leave: by label, by verification, by a broken seal, by a policy that became stricter.

use std::path::{Path, PathBuf};

use audit::Kind;
use harness::folder::copy;
use harness::{Pair, Person, TempFolder, python, stored};
use store::{DeliveryState, MessageState};
use tidegate::config::Config;

fn own_profiles(config: &mut Config, folder: &TempFolder) {
    let profiles = folder.join("profiles");
    copy(&harness::root().join("profiles"), &profiles).expect("profiles can be copied");
    config.profiles = profiles;
}

/// Changes a file of the pair's own profiles.
fn edit(profiles: &Path, file: &str, from: &str, to: &str) {
    let path: PathBuf = profiles.join(file);
    let text = std::fs::read_to_string(&path).expect("a file of the profiles");
    assert!(text.contains(from), "{file} has {from}");
    std::fs::write(&path, text.replace(from, to)).expect("the file can be written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sensitive_diagnosis_stays() {
    let mut pair = Pair::start("sensitive").await;
    let (here, there) = (pair.here(), pair.there());
    let person = Person::new(71);
    let alcohol =
        person.a01("S-1").replace("I10^Essential hypertension^I10", "F10.20^Alcohol dependence^I10");
    let more = format!("{alcohol}DG1|2||I10^Essential hypertension^I10||20190312081500-0500|A\r");
    pair.sender().await.accepted(&more).await;
    here.counted("Condition", 2).await;
    there.counted("Patient", 1).await;
    // The visit is covered by the diagnosis: nothing of it leaves.
    assert_eq!(there.count("Condition").await, Ok(0));
    assert_eq!(there.count("Encounter").await, Ok(0));
    pair.stop_onprem().await;
    pair.stop_cloud().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let applied = stored::records(&store).await.into_iter().find(|(kind, _)| *kind == Kind::MessageApplied);
    let (_, record) = applied.expect("the message is in the ledger");
    let decisions = stored::objects(&record, "decision");
    assert!(decisions.iter().any(|decision| decision.starts_with("cloud|deny:")), "{decisions:?}");
    assert!(
        stored::deliveries(&store)
            .await
            .iter()
            .all(|delivery| !String::from_utf8_lossy(delivery.body.expose()).contains("F10"))
    );
    stored::close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_verify_is_stored_and_nothing_of_it_leaves_until_it_may() {
    let mut pair = Pair::start_with("verifier", own_profiles).await;
    let (here, there) = (pair.here(), pair.there());
    let person = Person::new(72);
    let mut sender = pair.sender().await;
    sender.accepted(&person.a01("V-1")).await;
    there.counted("Patient", 1).await;
    // A result whose value is the record number: a number that de-identification keeps and the verifier knows.
    sender.accepted(&person.oru("V-2", &[("2823-3", "4.1", "F"), ("2951-2", &person.number, "F")])).await;
    here.counted("Observation", 2).await;
    drop(sender);
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    let refused = rows.last().expect("two messages");
    assert_eq!(refused.state, MessageState::Quarantined);
    let reason = refused.reason.clone().unwrap_or_default();
    assert!(reason.starts_with("release:") && !reason.contains(&person.number), "{reason}");
    let detail = store::Messages::detail(&*store, refused.id).await.expect("it opens").expect("it is there");
    assert!(detail.deliveries.is_empty(), "nothing leaves");
    assert!(!detail.resources.is_empty(), "the clinical data is stored");
    let (id, now_us) = (refused.id, tidegate::clock::now_us());
    let asked = store::Messages::request_reprocess(&*store, &[id], "operator", now_us).await;
    assert_eq!(asked.expect("a request can be made"), 1);
    stored::close(store).await;
    assert_eq!(there.count("Observation").await, Ok(0));
    assert_eq!(there.count("DiagnosticReport").await, Ok(0));

    // The policy lets no Observation out any more: the rest of the message may go, though nothing about it is new.
    edit(&pair.onprem_config.profiles, "residency/policy.yaml", "Observation, ", "");
    pair.start_onprem().await;
    there.counted("DiagnosticReport", 1).await;
    assert_eq!(there.count("Observation").await, Ok(0));
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let detail = store::Messages::detail(&*store, id).await.expect("it opens").expect("it is there");
    assert_eq!((detail.row.state, detail.row.reason), (MessageState::Routed, None));
    stored::close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_deliveries_are_judged_again_before_they_leave() {
    if !python::is_there() {
        eprintln!("skipped: python3 is absent");
        return;
    }
    let mut pair = Pair::start_with("judged", own_profiles).await;
    let (here, there) = (pair.here(), pair.there());
    pair.proxy.cut();
    let mut sender = pair.sender().await;
    let (first, second) = (Person::new(73), Person::new(74));
    sender.accepted(&first.a01("T-1")).await;
    sender
        .accepted(
            &second.a01("T-2").replace("I10^Essential hypertension^I10", "K35.80^Acute appendicitis^I10"),
        )
        .await;
    here.counted("Condition", 2).await;
    drop(sender);
    pair.stop_onprem().await;

    // One queued row is changed on disk; the policy gets stricter by a type, and by a label.
    let database = pair.onprem_config.data.join("node.db");
    let statement = "UPDATE deliveries SET mac = zeroblob(32) WHERE resource_type = 'Encounter' AND number = \
                     (SELECT min(number) FROM deliveries WHERE resource_type = 'Encounter')";
    assert_eq!(python::sql(&database, statement), 1);
    edit(&pair.onprem_config.profiles, "residency/policy.yaml", "AllergyIntolerance, ", "");
    edit(&pair.onprem_config.profiles, "residency/labels.yaml", "prefixes: [F10,", "prefixes: [K35, F10,");
    pair.proxy.mend();
    pair.start_onprem().await;
    there.counted("Patient", 2).await;
    // The row that was changed on disk never leaves; its resource is decided again with all others, and does. The other
    // visit is covered by its diagnosis now.
    there.counted("Encounter", 1).await;
    let conditions = there.counted("Condition", 1).await;
    assert!(conditions[0].to_string().contains("\"I10\""), "what is sensitive today stays");
    assert_eq!(there.count("AllergyIntolerance").await, Ok(0));
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let deliveries = stored::deliveries(&store).await;
    let left = |kind: &str| {
        let of_kind = deliveries.iter().filter(|d| d.resource.resource_type.as_str() == kind);
        of_kind.filter(|delivery| delivery.state == DeliveryState::Delivered).count()
    };
    assert_eq!((left("Encounter"), left("AllergyIntolerance"), left("Condition")), (0, 0, 0));
    assert!(
        deliveries.iter().any(|delivery| delivery.last_error.as_deref() == Some("seal")),
        "what was tampered with is found"
    );
    assert!(
        stored::count_records(&store, Kind::Withdrawn).await > 0,
        "the ledger knows what may not stand any more"
    );
    stored::close(store).await;
}
