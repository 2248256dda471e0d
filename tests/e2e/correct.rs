//! What a person puts right in the console: a held message is edited, tried and sent again, and a question about who is
//! who is answered; each also twice.

use harness::{Page, Pair, Person, Visitor, eventually, stored};
use store::{Journal as _, MessageState, Seq};

const REASON: (&str, &str) = ("reason", "mapping-problem");

/// The message that a page of the list shows with `words`; its id.
async fn message_with(visitor: &Visitor, words: &str) -> String {
    eventually(words, || async {
        for id in visitor.get("/live").await.messages() {
            if visitor.get(&format!("/messages/{id}")).await.text.contains(words) {
                return Ok(id);
            }
        }
        Err("none".to_owned())
    })
    .await
}

/// A page once it holds `words`.
async fn page_with(visitor: &Visitor, path: &str, words: &str) -> Page {
    eventually(words, || async {
        let page = visitor.get(path).await;
        if page.text.contains(words) { Ok(page) } else { Err("not yet".to_owned()) }
    })
    .await
}

/// What the page's text field holds, without its escapes.
fn text_of(page: &Page) -> String {
    let (_, rest) =
        page.text.split_once("name=\"text\" class=\"editor\"").expect("the page has a text field");
    let (_, rest) = rest.split_once(">\n").expect("the field begins");
    let text = rest.split("</textarea>").next().expect("the field ends");
    let escapes = [("&#38;", "&"), ("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'")];
    escapes.iter().rev().fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

fn hidden<'p>(page: &'p Page, name: &str) -> &'p str {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.text.split_once(&start).expect("the form has the field");
    rest.split('"').next().expect("the value ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_message_is_edited_tried_and_sent_again_once() {
    let mut pair = Pair::start("correct").await;
    let (here, there) = (pair.here(), pair.there());
    let person = Person { family: "Quillfeather<script>alert(1)</script>".to_owned(), ..Person::new(71) };
    let mut sender = pair.sender().await;
    let report = person.oru("C-1", &[("2823-3", "4.4", "F")]);
    sender.accepted(&report.replacen(&person.number, "", 1)).await;
    drop(sender);
    let visitor = pair.visitor().await;
    let held = message_with(&visitor, "missing:PID-3").await;
    let path = format!("/messages/{held}");

    // Without a reason there is no text, and without a dry run no button.
    let asked = visitor.get(&format!("{path}/edit")).await;
    assert!(!asked.text.contains("Quillfeather") && !asked.text.contains("Send it again"));
    let edited = visitor.submit(&asked, &format!("{path}/edit"), &[REASON]).await;
    let text = text_of(&edited);
    assert!(text.contains(&person.family) && !edited.text.contains("<script>alert"), "{}", edited.text);
    let mended = text.replacen("PID|1||", &format!("PID|1||{}", person.number), 1);
    assert_ne!(mended, text);
    let tried = visitor.submit(&edited, &format!("{path}/dry-run"), &[REASON, ("text", &mended)]).await;
    assert!(tried.text.contains("Dry run: it would be") && tried.text.contains("</span> routed"));
    assert!(tried.text.contains("<code>PID-3.1</code>") && !tried.text.contains("<script>alert"));
    assert_eq!(here.count("Patient").await, Ok(0), "a dry run writes nothing");

    // The form comes twice: one child.
    let child = hidden(&tried, "child").to_owned();
    let form = [REASON, ("text", &*mended), ("child", &*child)];
    for _ in 0..2 {
        let sent = visitor.submit(&tried, &format!("{path}/resend"), &form).await;
        assert_eq!((sent.status, sent.header("location")), (303, &*format!("/messages/{child}")));
    }
    let shown = page_with(&visitor, &format!("/messages/{child}"), "</span> routed").await;
    assert!(shown.text.contains(&format!("href=\"{path}\"")), "the child leads to its parent");
    let parent = page_with(&visitor, &path, "Resolved by").await;
    assert!(parent.text.contains(&format!("href=\"/messages/{child}\"")), "the parent leads to its child");
    page_with(&visitor, "/quarantine", "nothing is held").await;
    here.counted("Observation", 1).await;
    there.counted("Observation", 1).await;

    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    let [first, second] = rows.as_slice() else { panic!("two messages: {}", rows.len()) };
    assert_eq!((first.state, second.state), (MessageState::Quarantined, MessageState::Routed));
    assert_eq!((first.resolved_by, second.parent), (Some(second.id), Some(first.id)));
    let entries = store.after(Seq(0), 10).await.expect("the journal can be read");
    assert!(!String::from_utf8_lossy(&entries[0].bytes).contains(&person.number), "as it was received");
    let records: Vec<String> =
        stored::records(&store).await.into_iter().map(|(_, record)| record.to_string()).collect();
    let resent = records.iter().filter(|record| record.contains("message.resent")).collect::<Vec<_>>();
    let [resent] = resent.as_slice() else { panic!("one act, one record: {}", resent.len()) };
    assert!(resent.contains("mapping-problem") && resent.contains(&child), "{resent}");
    assert!(records.iter().all(|record| !record.contains("Quillfeather")), "no content in a record");
    stored::close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_is_answered_twice_and_taken_back() {
    let pair = Pair::start("reviewed").await;
    let (here, there) = (pair.here(), pair.there());
    let (one, other) = (Person::new(41), Person { birth: "19620901".into(), ..Person::new(42) });
    let (mut hospital, mut pharmacy) = (pair.sender().await, pair.pharmacy().await);
    hospital.accepted(&one.a01("W-1")).await;
    hospital.accepted(&other.a01("W-2")).await;
    pharmacy.accepted(&one.rde("W-3", "CX41")).await;
    pharmacy.accepted(&other.rde("W-4", "CX41")).await;
    let visitor = pair.visitor().await;
    let held = message_with(&visitor, "identity-conflict").await;
    let list = page_with(&visitor, "/reviews", "Same person?").await;
    let (_, rest) = list.text.split_once("href=\"/reviews/").expect("the list has a link");
    let id: String = rest.chars().take(36).collect();
    let (review, answer) = (format!("/reviews/{id}"), format!("/reviews/{id}/answer"));

    let masked = visitor.get(&review).await;
    let revealed =
        visitor.submit(&masked, &format!("{review}/reveal"), &[("reason", "patient-safety")]).await;
    for value in [&one.number, &other.number, &one.family, &other.family] {
        assert!(!masked.text.contains(value.as_str()), "the page is masked");
        assert!(revealed.text.contains(value.as_str()), "a reason was given");
    }
    // It is asked once more; the answer of the same form sent twice is one answer, and another one is too late.
    let different = [("answer", "different"), ("confirm", "yes")];
    let confirm = visitor.submit(&masked, &answer, &different[..1]).await;
    assert!(confirm.text.contains("What follows") && visitor.get(&review).await.text.contains("> open<"));
    for _ in 0..2 {
        assert_eq!(visitor.submit(&masked, &answer, &different).await.status, 303);
    }
    let late = visitor.submit(&masked, &answer, &[("answer", "same"), ("confirm", "yes")]).await;
    assert!(late.text.contains("Somebody answered this question"), "{}", late.text);
    assert!(visitor.get(&review).await.text.contains("different persons"));
    page_with(&visitor, &format!("/messages/{held}"), "</span> routed").await;
    here.counted("MedicationRequest", 2).await;
    // Three candidates, all of them different: whom the message is about stands by the pharmacy's number.
    here.counted("Patient", 3).await;

    // Taken back by who has seen what stands: one patient here, one pseudonym there.
    let same = visitor.submit(&masked, &answer, &[("answer", "same")]).await;
    let form = [("answer", "same"), ("instead", hidden(&same, "instead")), ("confirm", "yes")];
    assert_eq!(visitor.submit(&same, &answer, &form).await.status, 303);
    eventually("one patient", || async {
        let active = |all: Vec<serde_json::Value>| all.iter().filter(|one| one["active"] != false).count();
        match (active(here.search("Patient").await?), there.search("Patient").await?.len()) {
            (1, 1) => Ok(()),
            other => Err(format!("{other:?} patients")),
        }
    })
    .await;
}
