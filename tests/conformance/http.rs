//! HL7 v2 over HTTP: a post is answered as a frame is, and what is no message has words of its own.

use std::net::SocketAddr;

use harness::{Pair, Person, stored};
use store::{AckOutcome, Entry};
use tidegate::config::ApplicationAcknowledgments;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HL7: &str = "application/hl7-v2; charset=UTF-8";
const ER7: &str = "x-application/hl7-v2+er7";

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }

    /// MSA-1 of its acknowledgments.
    fn codes(&self) -> Vec<String> {
        let text = self.text();
        let lines = text.split('\r').filter_map(|line| line.strip_prefix("MSA|"));
        lines.filter_map(|rest| rest.split('|').next()).map(ToOwned::to_owned).collect()
    }
}

/// Posts `body`; `length` is what is announced of it.
async fn post(to: SocketAddr, token: Option<&str>, media: &str, body: &[u8], length: usize) -> Answer {
    let mut stream = TcpStream::connect(to).await.expect("the node listens");
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "POST /hl7v2 HTTP/1.1\r\nhost: {to}\r\n{token}content-type: {media}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it can be written");
    stream.write_all(body).await.expect("it can be written");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("the node answers and closes");
    let at = all.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&all[..at]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head, body: all[at + 4..].to_vec() }
}

fn of_bytes<'e>(entries: &'e [Entry], bytes: &[u8]) -> Vec<&'e Entry> {
    entries.iter().filter(|entry| entry.bytes == bytes).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_answered_as_a_frame_is() {
    let mut pair = Pair::start("over-http").await;
    let (to, token) = (pair.addresses.http, pair.shown.hl7v2_token.clone().expect("init shows it"));
    let send = |media: &'static str, body: String| {
        let token = token.clone();
        async move { post(to, Some(&token), media, body.as_bytes(), body.len()).await }
    };
    let one = Person::new(71).a01("H-1");
    let first = send(HL7, one.clone()).await;
    assert_eq!(
        (first.status, first.header("content-type")),
        (200, Some("application/hl7-v2")),
        "{}",
        first.head
    );
    assert!(first.text().contains("\rMSA|AA|H-1\r"), "{}", first.text());
    let again = send(ER7, one.clone()).await;
    assert_eq!((again.status, again.header("content-type")), (200, Some(ER7)), "{}", again.head);
    assert_eq!(again.body, first.body, "a repetition gets the stored acknowledgment");

    let untyped = Person::new(72).a01("H-2").replacen("ADT^A01^ADT_A01", "", 1);
    let refused = send(HL7, untyped.clone()).await;
    assert_eq!((refused.status, refused.codes()), (200, vec!["AR".to_owned()]));
    let people = [Person::new(73).a01("H-3"), Person::new(74).a01("H-4")];
    let batch = format!("BHS|^~\\&|A|B\r{}{untyped}{}BTS|3\r", people[0], people[1]);
    let answered = send(HL7, batch).await;
    assert_eq!(
        (answered.status, answered.codes()),
        (200, ["AA", "AR", "AA"].map(ToOwned::to_owned).to_vec())
    );
    assert!(answered.text().starts_with("BHS|^~\\&|||A|B|"), "{}", answered.text());
    assert!(answered.text().ends_with("BTS|3\r"), "{}", answered.text());
    let two = format!("{}{}", Person::new(75).a01("H-5"), Person::new(76).a01("H-6"));
    assert_eq!(send(HL7, two).await.codes(), ["AE"], "two messages without a batch hide one");

    pair.here().counted("Patient?identifier=7731074", 1).await;
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let entries = stored::journal(&store).await;
    stored::close(store).await;
    for er7 in [&one, &people[0], &people[1]] {
        let kept = of_bytes(&entries, er7.as_bytes());
        let [entry] = kept.as_slice() else { panic!("{} entries", kept.len()) };
        assert_eq!((entry.channel.as_str(), &entry.refused), ("http", &None));
        let outcome = entry.acknowledgment.as_ref().map(|given| given.outcome);
        assert_eq!(outcome, Some(AckOutcome::Sent));
    }
    assert_eq!(of_bytes(&entries, untyped.as_bytes()).len(), 2, "what is refused is kept each time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_has_a_status_and_words() {
    let mut pair = Pair::start("over-http-wrong").await;
    let (to, token) = (pair.addresses.http, pair.shown.hl7v2_token.clone().expect("init shows it"));
    let person = Person::new(81);
    let er7 = person.a01("W-1").into_bytes();
    let latin = {
        let text = person.a01("W-2").replacen("Quillfeather", "Qu\u{fc}llfeather", 1);
        text.into_bytes()
    };
    let long = 16_777_217;
    let known = Some(token.as_str());
    for (token, media, body, length, status, words) in [
        (None, HL7, er7.as_slice(), er7.len(), 401, "token"),
        (Some(pair.shown.onprem_token.as_str()), HL7, &er7, er7.len(), 401, "token"),
        (Some(pair.shown.admin_token.as_str()), HL7, &er7, er7.len(), 401, "token"),
        (known, "text/plain", &er7, er7.len(), 415, "application/hl7-v2"),
        (known, "application/hl7-v2; charset=klingon", &er7, er7.len(), 415, "charset"),
        (known, "application/hl7-v2; charset=ISO-8859-1", &latin, latin.len(), 415, "MSH-18"),
        (known, HL7, b"", 0, 400, "empty"),
        (known, HL7, b"no message at all", 17, 400, "no MSH"),
        (known, HL7, b"", long, 413, "16777216"),
    ] {
        let answer = post(to, token, media, body, length).await;
        assert_eq!(answer.status, status, "{media}: {}", answer.text());
        assert!(answer.text().contains(words), "{status}: {}", answer.text());
        assert!(!answer.text().contains("Quillfeather"), "{}", answer.text());
    }
    // The token of /hl7v2 opens nothing else.
    let here = pair.here().with_token(known);
    assert_eq!(here.get("/fhir/Patient").await.expect("an answer").status, 401);
    let answer = post(to, known, HL7, &er7, er7.len()).await;
    assert_eq!((answer.status, answer.codes()), (200, vec!["AA".to_owned()]));

    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let entries = stored::journal(&store).await;
    stored::close(store).await;
    let kept: Vec<_> = entries.iter().map(|entry| (&entry.bytes[..], entry.refused.as_deref())).collect();
    assert_eq!(kept, [(b"no message at all".as_slice(), Some("no-header")), (&er7, None)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_acknowledgment_of_a_post_goes_to_its_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let mut pair = Pair::start_with("over-http-later", |config, _| {
        config.http.application_acknowledgments = Some(ApplicationAcknowledgments {
            address: address.clone(),
            ca: None,
            certificate: None,
            key: None,
            server_name: None,
            plaintext_reason: None,
        });
    })
    .await;
    let (to, token) = (pair.addresses.http, pair.shown.hl7v2_token.clone().expect("init shows it"));
    let asking = |id: &str, n, conditions: &str| {
        Person::new(n).a01(id).replacen("|P|2.5.1||||||", &format!("|P|2.5.1|||{conditions}||"), 1)
    };
    let mut answered = Vec::new();
    for body in [
        asking("H-11", 74, "AL|AL"),
        asking("H-12", 75, "NE|AL"),
        asking("H-13", 76, "AL|NE"),
        Person::new(77).a01("H-14"),
    ] {
        let answer = post(to, Some(&token), HL7, body.as_bytes(), body.len()).await;
        answered.push((answer.status, answer.codes()));
    }
    let codes = |codes: &[&str]| (200, codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>());
    assert_eq!(answered, [codes(&["CA"]), codes(&[]), codes(&["CA"]), codes(&["AA"])]);
    let accepted = tokio::time::timeout(std::time::Duration::from_secs(60), listener.accept()).await;
    let (mut stream, _) = accepted.expect("the node dials in time").expect("accepted");
    let mut heard = Vec::new();
    while heard.iter().filter(|byte| **byte == 0x1c).count() < 2 {
        let read =
            tokio::time::timeout(std::time::Duration::from_secs(60), stream.read_buf(&mut heard)).await;
        assert!(read.expect("in time").expect("readable") > 0, "closed before both came");
    }
    let heard = String::from_utf8_lossy(&heard).into_owned();
    let said: Vec<&str> = heard.split('\r').filter(|line| line.starts_with("MSA|")).collect();
    assert_eq!(said, ["MSA|AA|H-11", "MSA|AA|H-12"]);
    pair.stop_onprem().await;
}
