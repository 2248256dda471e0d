//! One message: masked, revealed, recorded, linked, inert.

use std::sync::Arc;

use audit::{Actor, Kind};
use axum::http::StatusCode;
use uuid::Uuid;

use crate::browser::{Browser, signed_in};
use crate::ports::{Node, START_US};
use crate::sample::{OTHER, PATIENT, PATIENT_TOKEN, VALUES, ids, key};

async fn filled() -> (Arc<Node>, Browser) {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let browser = signed_in(&node, true).await;
    (node, browser)
}

fn url(index: usize) -> String {
    format!("/messages/{}", ids()[index])
}

async fn revealed(browser: &Browser, index: usize) -> String {
    let page = browser.submit(&format!("{}/reveal", url(index)), "reason=mapping-problem").await;
    assert_eq!(page.status, StatusCode::OK);
    page.text
}

#[tokio::test]
async fn values_are_masked_and_structure_is_kept() {
    let (_, browser) = filled().await;
    for index in 0..4 {
        let page = browser.get(&url(index)).await;
        assert_eq!(page.status, StatusCode::OK);
        for value in VALUES.into_iter().chain(["1962"]) {
            assert!(!page.text.contains(value), "{index}: {value}");
        }
    }
    let page = browser.get(&url(0)).await.text;
    assert!(page.contains("PID|") && page.contains(">ADT</a>") && page.contains("Values are masked"));
    assert!(page.contains("&#34;birthDate&#34;: ") || page.contains("&quot;birthDate&quot;: "), "names stay");
}

#[tokio::test]
async fn a_reason_of_the_list_reveals_the_values() {
    let (node, browser) = filled().await;
    let reveal = format!("{}/reveal", url(0));
    for form in ["", "reason=", "reason=curious"] {
        assert_eq!(browser.submit(&reveal, form).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(browser.post(&reveal, "reason=audit").await.status, StatusCode::FORBIDDEN);
    assert!(node.recorded(Kind::MessageViewed).is_empty());
    let page = revealed(&browser, 0).await;
    for value in ["MRN-4711", "Fairweather", "Imogen", "19620417", "1962-04-17", "CTRL-9"] {
        assert!(page.contains(value), "{value}");
    }
}

#[tokio::test]
async fn markup_in_a_message_is_inert() {
    let (_, browser) = filled().await;
    for index in [0, 2] {
        let page = revealed(&browser, index).await;
        assert!(!page.contains("<script>"), "{index}");
    }
    let page = revealed(&browser, 0).await;
    assert!(page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;alert(1)"));
}

#[tokio::test]
async fn no_title_holds_a_value() {
    let (_, browser) = filled().await;
    for index in 0..4 {
        let page = revealed(&browser, index).await;
        let title =
            page.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).expect("title");
        assert!(title.contains(&ids()[index].to_string()));
        assert!(!VALUES.iter().any(|value| title.contains(value)));
    }
}

#[tokio::test]
async fn every_view_is_recorded_with_who_whom_and_why() {
    let (node, browser) = filled().await;
    browser.get(&url(0)).await;
    revealed(&browser, 0).await;
    let records = node.recorded(Kind::MessageViewed);
    assert_eq!(records.len(), 2);
    for record in &records {
        assert_eq!(record.message_id(), Some(ids()[0]));
        assert_eq!(*record.acted_by(), Actor::User("operator".to_owned()));
        assert_eq!(record.patient_tokens(), [PATIENT_TOKEN]);
    }
    let holds = |index: usize, name: &str, id: &str| {
        records[index].objects().contains(&(name.to_owned(), id.to_owned()))
    };
    assert!(
        holds(0, "view", "masked") && holds(1, "view", "revealed") && holds(1, "reason", "mapping-problem")
    );
}

#[tokio::test]
async fn a_view_that_cannot_be_recorded_shows_nothing() {
    let (node, browser) = filled().await;
    *node.access_fails.lock().expect("lock") = true;
    let masked = browser.get(&url(0)).await;
    let revealed = browser.submit(&format!("{}/reveal", url(0)), "reason=audit").await;
    for answer in [masked, revealed] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.text.contains("could not be written"));
        assert!(!answer.text.contains("PID") && !answer.text.contains("ADT"));
        assert!(!VALUES.iter().any(|value| answer.text.contains(value)));
    }
}

/// `data-n` of the tag that begins before `text`.
fn number_of(page: &str, text: &str) -> String {
    let at = page.find(text).unwrap_or_else(|| panic!("{text} is not there"));
    let start = page[..at].rfind("data-n=\"").expect("linked") + "data-n=\"".len();
    page[start..].split('"').next().expect("quoted").to_owned()
}

#[tokio::test]
async fn a_value_has_one_number_in_every_panel() {
    let (_, browser) = filled().await;
    let page = revealed(&browser, 0).await;
    let leaf = number_of(&page, "data-at=\"PID-7 ");
    assert_eq!(number_of(&page, "data-at=\"PID-7 \u{2192} Patient.birthDate\""), leaf, "trace");
    let (_, twin) = page.split_once("id=\"h-twin\"").expect("twin");
    assert_eq!(number_of(&page, "data-at=\"Patient.birthDate\""), leaf, "FHIR");
    assert_eq!(number_of(twin, "data-at=\"Patient.birthDate\""), leaf, "twin");
    assert_ne!(number_of(&page, "data-at=\"PID-5.1 "), leaf);
    assert!(page.contains("id=\"PID-7\" href=\"#PID-7\""), "the address pins it");
    assert!(twin.contains("<a class=\"source\" href=\"#PID-7\">PID-7</a>"));
}

#[tokio::test]
async fn the_twin_says_in_words_what_was_done_to_each_element() {
    let (_, browser) = filled().await;
    let page = revealed(&browser, 0).await;
    let (_, twin) = page.split_once("id=\"h-twin\"").expect("twin");
    let row = |element: &str| {
        let (_, rest) = twin.split_once(&format!("<code>{element}</code>")).expect("a row");
        rest.split("</tr>").next().expect("its end").to_owned()
    };
    let family = row("name[0].family");
    assert!(
        family.contains("Fairweather")
            && family.contains("</span> removed")
            && family.ends_with("<td class=\"long\"></td>")
    );
    let birth = row("birthDate");
    assert!(
        birth.contains(">1962-04-17<") && birth.contains("</span> year only") && birth.contains(">1962<")
    );
    let masked = browser.get(&url(0)).await.text;
    assert!(masked.contains("</span> year only") && !masked.contains(">1962<"));
}

#[tokio::test]
async fn the_message_is_laid_out_as_a_tree_or_as_bytes() {
    let (_, browser) = filled().await;
    let tree = browser.get(&format!("{}?hl7=tree", url(0))).await.text;
    for text in ["Patient Name: Family Name", "XPN.FN", "HL7 table 0001", "id=\"PID-5.1\""] {
        assert!(tree.contains(text), "{text}");
    }
    assert!(!VALUES.iter().any(|value| tree.contains(value)));
    let hex = browser.get(&format!("{}?hl7=hex", url(0))).await.text;
    assert!(hex.contains("Bytes are shown when a reason is given") && !hex.contains("000000  "));
    let hex = browser.submit(&format!("{}/reveal", url(0)), "reason=audit&hl7=hex").await.text;
    assert!(hex.contains("000000  4d 53 48 7c"));
    let again = browser.get(&format!("{}/reveal", url(0))).await;
    assert_eq!((again.status, again.header("location")), (StatusCode::SEE_OTHER, url(0).as_str()));
}

#[tokio::test]
async fn the_route_tells_every_rule_and_why_it_did_not_match() {
    let (_, browser) = filled().await;
    let page = browser.get(&url(0)).await.text;
    let (_, route) = page.split_once("id=\"h-route\"").expect("route");
    for text in ["may go under safe-harbor-us", "does not match: label", "matches, permits", "cloud, US"] {
        assert!(route.contains(text), "{text}");
    }
    let held = browser.get(&url(1)).await.text;
    assert!(held.contains("what the rules would say of it"));
}

#[tokio::test]
async fn who_looked_is_told_with_this_very_view_first() {
    let (_, browser) = filled().await;
    browser.get(&url(0)).await;
    let page = revealed(&browser, 0).await;
    let (_, audit) = page.split_once("id=\"h-audit\"").expect("audit");
    let (first, rest) = audit.split_once("you, now").expect("this view");
    assert!(!first.contains("masked"), "the last view stands first");
    assert!(rest.contains("revealed") && rest.contains("A mapping gives a wrong or no result"));
    assert!(rest.contains(">you<") && rest.contains("masked"));
}

#[tokio::test]
async fn a_delivery_that_was_given_up_is_sent_again_once() {
    let (node, browser) = filled().await;
    assert!(!browser.get(&url(0)).await.text.contains("/revive/"));
    *node.clinical.is_dead.lock().expect("lock") = true;
    let revive = format!("{}/revive/{}", url(0), Uuid::from_u128(5));
    assert!(browser.get(&url(0)).await.text.contains(&revive));
    assert_eq!(browser.post(&revive, "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.submit(&revive, "").await.status, StatusCode::SEE_OTHER);
    assert!(browser.submit(&revive, "").await.text.contains("It is not given up any more"));
    let forward = format!("{}/revive/{}", url(0), Uuid::from_u128(15));
    assert!(browser.get(&url(0)).await.text.contains("answered AE 103"));
    assert!(browser.get(&url(0)).await.text.contains(&forward));
    assert_eq!(browser.submit(&forward, "").await.status, StatusCode::SEE_OTHER);
    let sent_again = node.clinical.forwarded.lock().expect("lock").len();
    assert_eq!(sent_again, 1, "the message as it is, and nothing else");
    let other = format!("{}/revive/{}", url(0), Uuid::from_u128(6));
    assert_eq!(browser.submit(&other, "").await.status, StatusCode::NOT_FOUND);
    let revived = node.clinical.revived.lock().expect("lock");
    assert_eq!((revived.len(), revived[0].kind()), (1, Kind::DeliveryRevived));
}

#[tokio::test]
async fn the_page_tells_deliveries_records_and_acknowledgment() {
    let (_, browser) = filled().await;
    let page = browser.get(&url(0)).await.text;
    for text in [
        "<th scope=\"row\">portal</th>",
        "</span> delivered",
        "timeout",
        "<a href=\"/ledger/records/6\">6</a>",
        "abababababababab",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(
        page.contains("message.applied")
            && page.contains("<strong>AA</strong>")
            && page.contains("</span> sent")
    );
    assert!(page.contains("segments/PID.Patient.yaml:21:12"));
    assert!(!page.contains("MSA|AA"), "the acknowledgment repeats the control id");
    assert!(revealed(&browser, 0).await.contains("MSA|AA"));
}

#[tokio::test]
async fn the_page_tells_every_acknowledgment_that_was_given() {
    let (node, browser) = filled().await;
    let given = |stage, code: &str, outcome| store::Later {
        given: store::NewLater {
            stage,
            given_us: 1,
            code: code.to_owned(),
            bytes: format!("MSH|^~\\&|||EMR|WARD|||ACK|2|P|2.5.1\rMSA|{code}|CTRL-9\r").into(),
        },
        outcome,
    };
    *node.clinical.later.lock().expect("lock") = vec![
        given(store::AckStage::Interim, "AE", store::AckOutcome::Undelivered),
        given(store::AckStage::Final, "AA", store::AckOutcome::NotOwed),
    ];
    let page = browser.get(&url(0)).await.text;
    for text in
        ["</span> sent", "</span> undelivered", "</span> not owed", "not applied in time", "processed"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("MSA|AE"), "an acknowledgment repeats the control id");
    let revealed = revealed(&browser, 0).await;
    assert!(revealed.contains("MSA|AE|CTRL-9"));
    assert_eq!(revealed.matches("<summary>Acknowledgment given, ").count(), 3);
}

#[tokio::test]
async fn what_reached_nothing_is_listed_by_path() {
    let (_, browser) = filled().await;
    let page = browser.get(&url(0)).await.text;
    assert!(
        page.contains("<code>PID-3.1</code></a> unmapped")
            && page.contains("<code>ZZZ-2</code></a> unmapped")
    );
    assert!(!page.contains("<code>PID-7</code></a> unmapped"));
}

#[tokio::test]
async fn a_quarantined_message_tells_why_and_can_be_reprocessed() {
    let (node, browser) = filled().await;
    let page = browser.get(&url(1)).await.text;
    assert!(page.contains(">unsupported-type</code>") && page.contains("<code>PID-8</code>"));
    let reprocess = format!("{}/reprocess", url(1));
    assert!(page.contains(&format!("action=\"{reprocess}\"")));
    assert_eq!(browser.post(&reprocess, "").await.status, StatusCode::FORBIDDEN);
    assert!(node.clinical.asked.lock().expect("lock").is_empty());

    let answer = browser.submit(&reprocess, "").await;
    assert!(answer.text.contains("Reprocess requested"));
    let asked = node.clinical.asked.lock().expect("lock").clone();
    assert_eq!(
        asked.iter().map(|(id, by)| (id.0, by.as_str())).collect::<Vec<_>>(),
        [(ids()[1], "operator")]
    );
}

#[tokio::test]
async fn a_window_is_reprocessed_without_what_was_refused() {
    let (node, browser) = filled().await;
    // 1_790_000_000 s since the epoch is 2026-09-21T14:13:20Z.
    let wrong =
        browser.submit("/messages/reprocess", "from=2026-09-21T15%3A00&until=2026-09-21T14%3A00").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let before =
        browser.submit("/messages/reprocess", "from=2026-09-21T13%3A00&until=2026-09-21T14%3A00").await;
    assert!(before.text.contains("0 messages will be processed again"));
    let answer =
        browser.submit("/messages/reprocess", "from=2026-09-21T14%3A00&until=2026-09-21T15%3A00").await;
    assert!(answer.text.contains("2 messages will be processed again"), "{}", answer.text);
    let asked: Vec<_> = node.clinical.asked.lock().expect("lock").iter().map(|(id, _)| id.0).collect();
    assert_eq!(asked, ids()[..2]);
}

#[tokio::test]
async fn what_was_never_processed_is_not_reprocessed() {
    let (_, browser) = filled().await;
    assert!(!browser.get(&url(3)).await.text.contains(">Reprocess<"));
    let answer = browser.submit(&format!("{}/reprocess", url(3)), "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn bytes_that_are_no_message_are_a_dump_once_revealed() {
    let (_, browser) = filled().await;
    let masked = browser.get(&url(2)).await.text;
    assert!(masked.contains("</span> refused") && masked.contains(">no-header</code>"));
    assert!(masked.contains("These bytes are no message") && !masked.contains("GET /"));
    let page = revealed(&browser, 2).await;
    assert!(page.contains("000000  47 45 54 20 "));
    assert!(page.contains("GET /?name=Fairw"));
}

#[tokio::test]
async fn an_unknown_message_is_not_found_and_not_recorded() {
    let (node, browser) = filled().await;
    for id in [Uuid::from_u128(99).to_string(), "MRN-4711".to_owned()] {
        let answer = browser.get(&format!("/messages/{id}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(!answer.text.contains(&id));
    }
    assert!(node.recorded(Kind::MessageViewed).is_empty());
}

#[tokio::test]
async fn a_translation_that_fails_ends_its_page_alone() {
    let (node, browser) = filled().await;
    *node.clinical.translator_panics.lock().expect("lock") = true;
    let answer = browser.get(&url(0)).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!VALUES.iter().any(|value| answer.text.contains(value)));
    assert_eq!(browser.get("/live").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reprocess_that_cannot_be_recorded_is_not_requested() {
    let (node, browser) = filled().await;
    *node.ledger_fails.lock().expect("lock") = true;
    let answer = browser.submit(&format!("{}/reprocess", url(1)), "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(node.clinical.asked.lock().expect("lock").is_empty());
}

#[tokio::test]
async fn a_reprocess_asked_twice_waits_once() {
    let (node, browser) = filled().await;
    let reprocess = format!("{}/reprocess", url(1));
    assert!(browser.submit(&reprocess, "").await.text.contains("Reprocess requested"));
    assert!(browser.submit(&reprocess, "").await.text.contains("waits for a reprocess already"));
    assert_eq!(node.clinical.asked.lock().expect("lock").len(), 1);
}

#[tokio::test]
async fn what_is_particular_about_a_message_is_said_in_the_list_and_on_its_page() {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let words = ["Known to this feed alone.", "Contrary to a person's word."];
    for flags in 0..8_u32 {
        node.clinical.rows.lock().expect("lock").iter_mut().for_each(|row| row.flags = flags);
        let browser = signed_in(&node, true).await;
        let (page, list) = (browser.get(&url(0)).await.text, browser.get("/live").await.text);
        for (bit, tag) in
            [(1, "control id reused"), (2, "known to this feed alone"), (4, "contrary to a person's word")]
        {
            assert_eq!(list.contains(tag), flags & bit != 0, "{flags}: {tag}");
        }
        for (bit, words) in [2, 4].into_iter().zip(words) {
            assert_eq!(page.contains(words), flags & bit != 0, "{flags}: {words}");
        }
    }
}

/// A patient that the routed message retired.
fn retired() -> store::Stored {
    let body = format!(
        r#"{{"resourceType":"Patient","id":"{OTHER}","active":false,"link":[{{"type":"replaced-by","other":{{"reference":"Patient/{PATIENT}"}}}}]}}"#
    );
    store::Stored {
        key: store::ResourceKey { id: OTHER.to_owned(), ..key() },
        version: 1,
        updated_us: START_US,
        patient: Some(OTHER.to_owned()),
        deleted: false,
        origin: store::Origin::Package(String::new()),
        body: store::ResourceBody::new(body.into_bytes()),
    }
}

#[tokio::test]
async fn a_merge_is_taken_back_after_one_more_question_and_said_again() {
    let (node, browser) = filled().await;
    node.stored.lock().expect("lock").push(retired());
    let merge = format!("{}/merge", url(0));
    assert!(browser.get(&url(0)).await.text.contains("Take the merge back"));
    let form = format!("retired={OTHER}");
    let asked = browser.submit(&merge, &form).await;
    assert!(asked.text.contains("Take the merge back?") && asked.text.contains("two patients again"));
    assert!(node.clinical.decided.lock().expect("lock").is_empty(), "not yet");
    for _ in 0..2 {
        let answer = browser.submit(&merge, &format!("{form}&answer=different")).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, url(0).as_str()));
    }
    assert!(browser.get(&url(0)).await.text.contains("A person took that back."));
    browser.submit(&merge, &format!("{form}&answer=same")).await;
    let decided = node.clinical.decided.lock().expect("lock").clone();
    let answers: Vec<_> = decided.iter().map(|(answer, _)| *answer).collect();
    assert_eq!(answers, [store::ReviewAnswer::Different, store::ReviewAnswer::Same]);
    let record = &decided[0].1;
    assert_eq!((record.kind(), record.message_id()), (Kind::ReviewAnswered, Some(ids()[0])));
    assert!(record.objects().contains(&("answer".to_owned(), "different".to_owned())));

    assert_eq!(browser.post(&merge, &form).await.status, StatusCode::FORBIDDEN);
    let unknown = format!("retired={PATIENT}");
    assert_eq!(browser.submit(&merge, &unknown).await.status, StatusCode::NOT_FOUND);
    let other = browser.submit(&merge, &format!("{form}&answer=perhaps")).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
}
