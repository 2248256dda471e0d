//! `demo --check`: the whole story once, each part of it shown or the check fails.

mod ledger;
mod people;
mod stored;
mod town;
mod withdrawn;

use std::time::Duration;

use serde_json::Value;

use super::feed::{Sender, Systems};
use super::nodes::Node;
use super::{Demo, leak};
use crate::generate::{Generated, Sent};
use crate::{Exit, Failure, clock};
use town::Town;

/// How long the last message may take until its effects are on both nodes.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

type Outcome = Result<String, String>;

/// What was told so far.
#[derive(Default)]
struct Story {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Story {
    fn tell(&mut self, what: &str, outcome: Outcome) {
        let (mark, detail) = match outcome {
            Ok(detail) => {
                self.passed += 1;
                ("ok    ", detail)
            }
            Err(detail) => {
                self.failed += 1;
                ("FAILED", detail)
            }
        };
        crate::commands::words(&format!("{mark} {what}: {detail}"));
    }
}

/// Tells the story; both nodes are stopped when it returns.
pub async fn run(demo: &Demo, onprem_node: Node, cloud_node: Node) -> Result<(), Failure> {
    let mut story = Story::default();
    let mut town = Town::new();
    story.tell("messages are acknowledged", acknowledged(demo, town.messages()).await);
    story.tell("bad input is answered", bad_input(demo).await);
    story.tell("what was sent is searchable on both sides", counted(demo, &town).await);
    story.tell("the cloud has pseudonyms alone", pseudonyms(demo, &town).await);
    story.tell("whom three authorities number is one person", people::are_one(demo, &town).await);
    story.tell("a merge is seen on both sides", merged(demo, &town).await);
    story.tell("one person's number on another is accepted", people::conflict(demo, &mut town).await);
    story.tell("what was cancelled or wrong is so on both sides", withdrawn::cancelled(demo, &town).await);
    story.tell("a revoked consent empties the cloud", withdrawn::revoked(demo, &mut town).await);
    story.tell("tokens of one role are refused by the other", tokens(demo).await);
    // The on-prem node stops, so that its ledger is sealed to the last record; the cloud's witness stays up.
    story.tell("the on-prem node drains and stops", stopped(onprem_node).await);
    story.tell("the ledger agrees with the cloud's checkpoint", ledger::verify(demo, None, 0).await);
    story.tell("a tampered copy is caught", ledger::tampered(demo).await);
    stored::look(demo, &town, &mut story).await;
    story.tell("the cloud node drains and stops", stopped(cloud_node).await);
    leak_scan(demo, &town.sent(), &mut story).await;
    let Story { passed, failed, skipped } = story;
    crate::commands::words(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    if failed > 0 || (is_ci && skipped > 0) {
        let words = format!("the demo's check failed; its folder is {}", demo.place.folder.display());
        return Err(Failure::new(Exit::CheckFailed, words));
    }
    Ok(())
}

async fn stopped(node: Node) -> Outcome {
    node.stop().await.map(|()| "exit 0".into()).map_err(|failure| failure.words)
}

async fn acknowledged(demo: &Demo, messages: &[Generated]) -> Outcome {
    let mut systems = Systems::connect(&demo.place.addresses).await?;
    for message in messages {
        systems.send(message).await?;
    }
    Ok(format!("{} messages of four systems, each AA with its own control id", messages.len()))
}

/// No MSH, an unknown type, a repeated control id: each has its answer.
async fn bad_input(demo: &Demo) -> Outcome {
    let mut sender = Sender::connect(demo.place.addresses.mllp).await?;
    let junk = sender.send(b"this is no message").await?;
    if junk.code.code() != "AR" {
        return Err(format!("a frame without MSH was answered {}", junk.code.code()));
    }
    let no_control_id = sender.send(b"MSH|^~\\&|A|B|||20200101||ADT^A01||P|2.5\r").await?;
    if no_control_id.code.is_accept() {
        return Err("a message without MSH-10 was accepted".to_owned());
    }
    let again = b"MSH|^~\\&|HARBOR_EMR|HARBOR|||20200101||ADT^A99|SAME-1|P|2.5\r";
    let first = sender.send(again).await?;
    let second = sender.send(again).await?;
    if first != second {
        return Err("a repeated message got another acknowledgment".to_owned());
    }
    Ok("AR without MSH, AR without control id, the stored answer for a repetition".to_owned())
}

/// Every type is on both sides, in the number that was sent.
async fn counted(demo: &Demo, town: &Town) -> Outcome {
    let mut words = Vec::new();
    for (kind, expected) in town.expected() {
        let search = format!("{kind}?_count=0");
        let is_there = || async {
            demo.onprem.total(&search).await == Ok(expected)
                && demo.cloud.total(&search).await == Ok(expected)
        };
        settle(is_there).await;
        let (here, there) = (demo.onprem.total(&search).await?, demo.cloud.total(&search).await?);
        if (here, there) != (expected, expected) {
            return Err(format!("{kind}: {here} on-prem, {there} in the cloud, {expected} were sent"));
        }
        words.push(format!("{expected} {kind}"));
    }
    Ok(words.join(", "))
}

async fn pseudonyms(demo: &Demo, town: &Town) -> Outcome {
    let there = demo.cloud.search("Patient?_count=200").await?;
    let here = demo.onprem.search("Patient?_count=200").await?;
    for patient in &there {
        is_pseudonymous(patient, &here, &town.sent())?;
    }
    let by_identifier = demo.cloud.read("/fhir/Patient?identifier=1").await?;
    if by_identifier.status != 400 {
        return Err(format!("the portal answered a search by identifier with {}", by_identifier.status));
    }
    Ok(format!("{} patients without name, number or clinical id", there.len()))
}

fn is_pseudonymous(patient: &Value, here: &[Value], sent: &Sent) -> Result<(), String> {
    if patient.get("name").is_some()
        || patient.get("identifier").is_some()
        || patient.get("telecom").is_some()
    {
        return Err("a patient in the cloud has a name, identifier or telecom".to_owned());
    }
    if here.iter().any(|clinical| clinical["id"] == patient["id"]) {
        return Err("a patient in the cloud has its clinical id".to_owned());
    }
    let text = patient.to_string();
    match sent.names.iter().chain(&sent.ids).find(|known| text.contains(known.as_str())) {
        Some(_) => Err("a patient in the cloud carries an identifier that was sent".to_owned()),
        None if patient["meta"]["security"][0]["code"].as_str().is_none() => {
            Err("a patient in the cloud has no security label".to_owned())
        }
        None => Ok(()),
    }
}

/// Retired patients are inactive and point to their survivors, on both sides alike.
async fn merged(demo: &Demo, town: &Town) -> Outcome {
    let expected = usize::try_from(town.counts().merged).unwrap_or(0);
    let retired = |patients: &[Value]| {
        let is_retired =
            |patient: &&Value| patient["active"] == false && patient["link"][0]["type"] == "replaced-by";
        patients.iter().filter(is_retired).count()
    };
    let (here, there) = (
        retired(&demo.onprem.search("Patient?_count=200").await?),
        retired(&demo.cloud.search("Patient?_count=200").await?),
    );
    if here == expected && there == expected {
        Ok(format!("{here} retired patients point to their survivors"))
    } else {
        Err(format!("{here} retired on-prem and {there} in the cloud, not {expected}"))
    }
}

async fn tokens(demo: &Demo) -> Outcome {
    let crossed = [
        demo.onprem.with_token(&demo.place.shown.cloud_token).read("/fhir/Patient").await?.status,
        demo.cloud.with_token(&demo.place.shown.onprem_token).read("/fhir/Patient").await?.status,
        demo.onprem.with_token("wrong").read("/fhir/Patient").await?.status,
    ];
    if crossed == [401; 3] { Ok("401 each".to_owned()) } else { Err(format!("answered {crossed:?}")) }
}

async fn leak_scan(demo: &Demo, sent: &Sent, story: &mut Story) {
    if !leak::has_python().await {
        story.skipped += 1;
        crate::commands::words("skipped the leak scan: python3 is not installed");
        return;
    }
    let manifest = demo.place.folder.join("sent.json");
    if let Err(words) = leak::write_manifest(&manifest, sent) {
        story.tell("the leak scan knows what was sent", Err(words));
        return;
    }
    let cloud = demo.place.folder.join("cloud");
    let copy = demo.place.folder.join(format!("planted-{}", clock::random_hex(4)));
    story.tell(
        "control: the scanner finds what was sent on-prem",
        leak::onprem(&manifest, &demo.place.folder.join("onprem/data")).await,
    );
    story.tell(
        "control: a planted identifier is found",
        leak::planted(&manifest, &cloud.join("data"), &copy, sent).await,
    );
    story.tell(
        "no identifier is in the cloud node's store, logs or temporary files",
        leak::cloud(&manifest, &cloud).await,
    );
}

/// Waits until `done` says so, at most [`SETTLE_TIMEOUT`]; the caller looks again and says what it found.
async fn settle<F: Future<Output = bool>>(done: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + SETTLE_TIMEOUT;
    while !done().await && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
