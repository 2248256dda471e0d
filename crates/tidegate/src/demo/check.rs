//! `demo --check`: the whole story once, each part of it shown or the check fails.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::feed::{Sender, Systems};
use super::nodes::Node;
use super::{Demo, leak};
use crate::generate::{self, Feed, Generated, Sent};
use crate::{Exit, Failure, clock};

/// Seed of the checked feed.
const SEED: u64 = 7;
/// People in the checked feed; every fifth is registered twice and merged.
const PEOPLE: u32 = 20;
/// Results of each person's laboratory message.
const RESULTS_A_PERSON: u64 = 6;
/// Characters of a UUID as text.
const UUID_CHARS: usize = 36;
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
    let mut feed = Feed::new(SEED);
    let messages: Vec<_> = (0..PEOPLE).flat_map(|_| feed.episode().messages).collect();
    let sent = generate::sent(&messages);
    story.tell("messages are acknowledged", acknowledged(demo, &messages).await);
    story.tell("bad input is answered", bad_input(demo).await);
    story.tell("resources are searchable on-prem", searchable(demo).await);
    story.tell("the same patients are in the cloud, under pseudonyms", pseudonyms(demo, &sent).await);
    story.tell("a merge is seen on both sides", merged(demo).await);
    story.tell("tokens of one role are refused by the other", tokens(demo).await);
    // The on-prem node stops, so that its ledger is sealed to the last record; the cloud's witness stays up.
    story.tell(
        "the on-prem node drains and stops",
        onprem_node.stop().await.map(|()| "exit 0".into()).map_err(|f| f.words),
    );
    story.tell("the ledger agrees with the cloud's checkpoint", verify(demo, None, 0).await);
    story.tell("a tampered copy is caught", tampered(demo).await);
    story.tell(
        "the cloud node drains and stops",
        cloud_node.stop().await.map(|()| "exit 0".into()).map_err(|f| f.words),
    );
    leak_scan(demo, &sent, &mut story).await;
    let Story { passed, failed, skipped } = story;
    crate::commands::words(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    if failed > 0 || (is_ci && skipped > 0) {
        let words = format!("the demo's check failed; its folder is {}", demo.place.folder.display());
        return Err(Failure::new(Exit::CheckFailed, words));
    }
    Ok(())
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

async fn searchable(demo: &Demo) -> Outcome {
    let expected = u64::from(PEOPLE) * RESULTS_A_PERSON;
    settle(|| async { demo.onprem.total("Observation?_count=0").await.is_ok_and(|total| total >= expected) })
        .await;
    let observations = demo.onprem.total("Observation?_count=0").await?;
    let patients = demo.onprem.search("Patient?_count=1").await?;
    let patient = patients.first().ok_or("no patient on-prem")?;
    let identifier = patient["identifier"][0]["value"].as_str().ok_or("a patient without an identifier")?;
    let found = demo.onprem.search(&format!("Patient?identifier={identifier}")).await?;
    if found.is_empty() || found.iter().any(|found| found["name"][0]["family"].as_str().is_none()) {
        return Err("a search by identifier does not give the named patient".to_owned());
    }
    if observations == expected {
        Ok(format!("{observations} observations"))
    } else {
        Err(format!("{observations} observations, not {expected}"))
    }
}

async fn pseudonyms(demo: &Demo, sent: &Sent) -> Outcome {
    let counts =
        ["Patient?_count=0", "Encounter?_count=0", "Observation?_count=0", "DiagnosticReport?_count=0"];
    let are_equal = || async {
        for search in counts {
            let (here, there) = (demo.onprem.total(search).await, demo.cloud.total(search).await);
            if here.is_err() || here != there {
                return false;
            }
        }
        true
    };
    settle(are_equal).await;
    let mut words = Vec::new();
    for search in counts {
        let (here, there) = (demo.onprem.total(search).await?, demo.cloud.total(search).await?);
        if here != there {
            return Err(format!("{search}: {here} on-prem and {there} in the cloud"));
        }
        words.push(format!("{here} {}", search.trim_end_matches("?_count=0")));
    }
    let there = demo.cloud.search("Patient?_count=200").await?;
    let here = demo.onprem.search("Patient?_count=200").await?;
    for patient in &there {
        is_pseudonymous(patient, &here, sent)?;
    }
    let by_identifier = demo.cloud.read("/fhir/Patient?identifier=1").await?;
    if by_identifier.status != 400 {
        return Err(format!("the portal answered a search by identifier with {}", by_identifier.status));
    }
    Ok(words.join(", "))
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
async fn merged(demo: &Demo) -> Outcome {
    let expected = usize::try_from(PEOPLE / 5).unwrap_or(0);
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

/// `audit verify` as a process, against the cloud node's checkpoint.
async fn verify(demo: &Demo, data: Option<&Path>, expected: i32) -> Outcome {
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command.args(["audit", "verify", "-c"]).arg(demo.place.folder.join("onprem.yaml"));
    command.arg("--witness").arg(format!("http://{}", demo.place.addresses.cloud_http));
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    let output = command.output().await.map_err(|error| error.to_string())?;
    let words =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let is_witnessed = words.contains("witnessed to") || expected != 0;
    if output.status.code() == Some(expected) && is_witnessed {
        Ok(words.lines().map(str::trim).collect::<Vec<_>>().join("; "))
    } else {
        Err(format!("exit {:?}, not {expected}: {}", output.status.code(), words.trim_end()))
    }
}

/// One letter of one stored record changed behind the engine's back, wherever the file holds that record.
async fn tampered(demo: &Demo) -> Outcome {
    let copy = demo.place.folder.join("tampered");
    leak::copy_folder(&demo.place.folder.join("onprem/data"), &copy).map_err(|error| error.to_string())?;
    let file = copy.join("node.db");
    let mut bytes = std::fs::read(&file).map_err(|error| error.to_string())?;
    let needle = b"\"kind\":\"message.applied\",\"id\":\"";
    let at =
        bytes.windows(needle.len()).position(|window| window == needle).ok_or("no record to tamper with")?;
    let id_at = at + needle.len();
    let id = bytes.get(id_at..id_at + UUID_CHARS).ok_or("the record is cut off")?.to_vec();
    let places: Vec<usize> = bytes
        .windows(id.len())
        .enumerate()
        .filter(|(_, window)| *window == id)
        .map(|(place, _)| place)
        .collect();
    for place in places {
        let letter = bytes.get_mut(place).ok_or("the record is cut off")?;
        *letter = if *letter == b'0' { b'f' } else { b'0' };
    }
    std::fs::write(&file, bytes).map_err(|error| error.to_string())?;
    let outcome = verify(demo, Some(&copy), 10).await?;
    if outcome.contains("record ") {
        Ok(outcome)
    } else {
        Err(format!("the bad record is not named: {outcome}"))
    }
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
