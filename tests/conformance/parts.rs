//! Messages in several parts: each is kept, and the whole is applied once.

use harness::{Pair, Person, stored};
use serde_json::json;
use store::{JournalId, MessageRow, MessageState, Messages as _};

/// The segments of an A01 with an allergy, cut in three: after PV1, and inside of AL1.
fn parts(person: &Person) -> [String; 3] {
    let whole = person.a01("PART-1");
    let at = whole.find("AL1|").expect("an allergy");
    let (before, allergy) = whole.split_at(at);
    let cut = allergy.find("icillin").expect("its name");
    let msh = |id: &str, pointer: &str| {
        let msh = Person::msh("ADT^A01^ADT_A01", id, "20190312081500-0500");
        msh.replacen("|P|2.5.1||", &format!("|P|2.5.1||{pointer}"), 1) + "\r"
    };
    [
        format!("{before}DSC|P-7|F\r"),
        format!("{}{}\rADD|\rDSC|P-8\r", msh("PART-2", "P-7"), &allergy[..cut]),
        format!("{}ADD|{}", msh("PART-3", "P-8"), &allergy[cut..]),
    ]
}

async fn rows(pair: &Pair) -> Vec<MessageRow> {
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    stored::close(store).await;
    rows
}

fn ends(rows: &[MessageRow]) -> Vec<(MessageState, Option<&str>)> {
    rows.iter().map(|row| (row.state, row.reason.as_deref())).collect()
}

async fn reprocess(pair: &mut Pair, id: JournalId) {
    let store = stored::clinical(&pair.onprem_config.data).await;
    let made = store.request_reprocess(&[id], "operator", tidegate::clock::now_us()).await;
    assert_eq!(made.expect("a request can be made"), 1);
    stored::close(store).await;
    pair.start_onprem().await;
}

const WAITING: (MessageState, Option<&str>) = (MessageState::Filtered, Some("waiting-for-continuation"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_kept_each_and_applied_once_as_the_whole() {
    let mut pair = Pair::start("parts").await;
    let (person, other) = (Person::new(91), Person::new(92));
    let [first, second, third] = parts(&person);
    let here = pair.here();
    let of_person = format!("Patient?identifier={}", person.number);
    let mut sender = pair.sender().await;
    sender.accepted(&first).await;
    sender.accepted(&second).await;
    sender.accepted(&other.a01("OTHER")).await;
    here.counted(&format!("Patient?identifier={}", other.number), 1).await;
    assert_eq!(here.count(&of_person).await, Ok(0), "a part is never applied alone");
    drop(sender);

    // The parts are found in what is durable, not in memory.
    pair.stop_onprem().await;
    pair.start_onprem().await;
    pair.sender().await.accepted(&third).await;
    let patient = here.counted(&of_person, 1).await.remove(0);
    let allergies = format!("AllergyIntolerance?patient={}", patient["id"].as_str().expect("an id"));
    here.shows(&allergies, "/code/coding/0/display", json!("Penicillin G")).await;
    pair.stop_onprem().await;
    let before = rows(&pair).await;
    let routed = (MessageState::Routed, None);
    assert_eq!(ends(&before), [WAITING, WAITING, routed, routed]);

    // Processed again, the last part is the same whole, and changes nothing.
    reprocess(&mut pair, before[3].id).await;
    here.shows(&allergies, "/meta/versionId", json!("1")).await;
    assert_eq!(here.counted(&of_person, 1).await.len(), 1);
    pair.stop_onprem().await;
    let after = rows(&pair).await;
    assert_eq!(after[3].leaves_total, before[3].leaves_total);
    assert!(matches!(after[3].state, MessageState::Routed | MessageState::Stored), "{:?}", ends(&after));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_without_the_one_before_it_is_held_until_that_came() {
    let mut pair = Pair::start("parts-missing").await;
    let person = Person::new(93);
    let [first, second, third] = parts(&person);
    let stranger = second.replacen("HARBOR_EMR", "OTHER_EMR", 1);
    let mut sender = pair.sender().await;
    sender.accepted(&third).await;
    sender.accepted(&first).await;
    sender.accepted(&stranger).await;
    sender.accepted(&second).await;
    drop(sender);
    let here = pair.here();
    pair.sender().await.accepted(&Person::new(94).a01("OTHER")).await;
    here.counted("Patient?identifier=7731094", 1).await;
    pair.stop_onprem().await;
    let held = (MessageState::Quarantined, Some("continuation-without-predecessor"));
    let before = rows(&pair).await;
    assert_eq!(ends(&before)[..4], [held, WAITING, held, WAITING]);

    // Its predecessors are there now: a person has it processed again.
    reprocess(&mut pair, before[0].id).await;
    let of_person = format!("Patient?identifier={}", person.number);
    let patient = here.counted(&of_person, 1).await.remove(0);
    let allergies = format!("AllergyIntolerance?patient={}", patient["id"].as_str().expect("an id"));
    here.shows(&allergies, "/code/coding/0/display", json!("Penicillin G")).await;
    pair.stop_onprem().await;
    let after = rows(&pair).await;
    assert_eq!(ends(&after)[..4], [(MessageState::Routed, None), WAITING, held, WAITING]);
}
