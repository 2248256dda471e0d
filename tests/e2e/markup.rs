//! HTML and script in HL7 fields: FHIR carries them as the text they are, the console shows them as text, and the
//! cloud has none of them.

use harness::{Pair, Person, Visitor, eventually, stored};
use serde_json::json;
use store::MessageState;

const SCRIPT: &str = "<script>alert(1)</script>";
const IMAGE: &str = "<img src=x onerror=alert(2)>";
const BREAKOUT: &str = "\"><svg onload=alert(3)>'";

/// A person whose every field is an attack on a page.
fn attacker() -> Person {
    Person {
        family: format!("Quillfeather{SCRIPT}"),
        given: IMAGE.to_owned(),
        street: format!("1 {BREAKOUT} Road"),
        ..Person::new(61)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markup_is_text_everywhere_and_nothing_in_the_cloud() {
    let mut pair = Pair::start("markup").await;
    let (here, there) = (pair.here(), pair.there());
    let person = attacker();
    let mut sender = pair.sender().await;
    sender.accepted(&person.a01("X-1")).await;
    let report = person.oru("X-2", &[("2823-3", "4.4", "F")]);
    let report =
        report.replace("OBX|1|NM|2823-3^Analyte^LN||4.4|", &format!("OBX|1|ST|8251-1^{SCRIPT}^LN||{IMAGE}|"));
    sender.accepted(&report).await;
    // A type that is no type, and a sender that is none: what stands in the header reaches lists.
    let header = person.a01("X-3").replacen("ADT^A01^ADT_A01", &format!("ADT^{SCRIPT}"), 1);
    let answer = sender.send(header.as_bytes()).await;
    assert!(["AA", "AE", "AR"].contains(&answer.code.code()));
    drop(sender);

    // On-prem FHIR: the values as sent.
    let by_number = format!("Patient?identifier={}", person.number);
    let patient = eventually("the patient", || here.only(&by_number)).await;
    assert_eq!(patient["name"][0]["family"], json!(person.family));
    assert_eq!(patient["name"][0]["given"][0], json!(IMAGE));
    assert_eq!(patient["address"][0]["line"][0], json!(person.street));
    here.shows("Observation", "/valueString", json!(IMAGE)).await;

    // The cloud: neither the text nor a trace of it.
    there.counted("Observation", 1).await;
    for search in ["Patient", "Encounter", "Observation", "DiagnosticReport", "Condition"] {
        for resource in there.search(search).await.expect("a type of the portal") {
            let text = resource.to_string();
            assert!(!text.contains("alert") && !text.contains('<'), "{text}");
        }
    }

    pages(&pair.visitor().await).await;
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let states: Vec<_> = stored::messages(&store).await.into_iter().map(|row| row.state).collect();
    assert_eq!(states, [MessageState::Routed, MessageState::Routed, MessageState::Quarantined]);
    for (_, record) in stored::records(&store).await {
        assert!(!record.to_string().contains("alert("), "{record}");
    }
    stored::close(store).await;
}

/// Every page that shows a message, masked and revealed, holds no markup but its own.
async fn pages(visitor: &Visitor) {
    let live = visitor.get("/live").await;
    let ids = live.messages();
    assert_eq!(ids.len(), 3, "{}", live.text);
    inert(&live);
    let mut shown = String::new();
    for id in ids {
        let masked = visitor.get(&format!("/messages/{id}")).await;
        assert_eq!(masked.status, 200);
        inert(&masked);
        let revealed =
            visitor.submit(&masked, &format!("/messages/{id}/reveal"), &[("reason", "audit")]).await;
        assert_eq!(revealed.status, 200, "{}", revealed.text);
        inert(&revealed);
        shown.push_str(&revealed.text);
    }
    assert!(shown.contains("alert(1)") && shown.contains("alert(2)"), "revealed values are shown, as text");
}

fn inert(page: &harness::Page) {
    for attack in ["<script>alert", "<img src=x", "<svg onload"] {
        assert!(!page.text.contains(attack), "{attack} in {}", page.text);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}
