//! Coverage and codes: told without content, acknowledged and revealed with a record.

use std::sync::Arc;

use async_trait::async_trait;
use audit::{Kind, Record};
use axum::http::StatusCode;
use store::{
    Alert, AlertKind, CodeItem, CodeItems, CodeState, CoverageDay, Coverages, DAY_US, Day, Error, Gap,
    JournalId, Micros, MissedCode, PathFate, Redriven, Result,
};

use crate::browser::{Browser, signed_in};
use crate::ports::{Node, START_US, refused};
use crate::sample::ids;

const TODAY: Day = START_US / DAY_US;
/// Of the one open item.
const CODE: &str = "Q'<b>";

fn alert(node: &Node) -> Alert {
    let is_closed = !node.clinical.acknowledged.lock().expect("lock").is_empty();
    Alert {
        alert: 7,
        kind: AlertKind::NewUnmapped,
        sender: "EMR|WARD".to_owned(),
        message_type: "ADT^A01".to_owned(),
        path: "ZZZ-2".to_owned(),
        message: JournalId(ids()[0]),
        day: TODAY,
        acknowledged: is_closed.then(|| ("ann".to_owned(), START_US)),
    }
}

#[async_trait]
impl Coverages for Node {
    async fn coverage(&self, since: Day) -> Result<Vec<CoverageDay>> {
        assert_eq!(since, TODAY - 13);
        let day =
            |day, sender: &str, leaves| CoverageDay { day, sender: sender.to_owned(), messages: 2, leaves };
        Ok(vec![
            day(TODAY - 1, "EMR|WARD", [50, 20, 10, 15, 5]),
            day(TODAY, "EMR|WARD", [9, 0, 0, 1, 0]),
            day(TODAY, "LAB|WARD", [8, 0, 0, 0, 0]),
        ])
    }
    async fn gaps(&self, _: Day, _: usize) -> Result<Vec<Gap>> {
        Ok(vec![Gap {
            sender: "EMR|WARD".to_owned(),
            message_type: "ADT^A01".to_owned(),
            path: "PV1-52".to_owned(),
            fate: PathFate::Rejected,
            leaves: 41,
            days: (TODAY - 1, TODAY),
        }])
    }
    async fn alerts(&self, is_open: bool, _: usize) -> Result<Vec<Alert>> {
        let alert = alert(self);
        Ok(if alert.acknowledged.is_none() == is_open { vec![alert] } else { Vec::new() })
    }
    async fn alerts_after(&self, _: i64, _: usize) -> Result<Vec<Alert>> {
        Err(refused())
    }
    async fn alerts_raised(&self) -> Result<i64> {
        Err(refused())
    }
    async fn acknowledge(&self, number: i64, _: &str, _: Micros, record: Record) -> Result<()> {
        if number != 7 {
            return Err(Error::NotFound);
        }
        if alert(self).acknowledged.is_some() {
            return Err(Error::Conflict("the alert was acknowledged before"));
        }
        self.clinical.acknowledged.lock().expect("lock").push(record);
        Ok(())
    }
}

#[async_trait]
impl CodeItems for Node {
    async fn code_items(&self, is_open: bool, _: usize) -> Result<Vec<CodeItem>> {
        let item = |item, code: Option<&str>, state| CodeItem {
            item,
            code: MissedCode {
                table: "marital-status".to_owned(),
                code: code.map(str::to_owned),
                system: None,
            },
            sender: "EMR|WARD".to_owned(),
            messages: 12,
            days: (TODAY - 1, TODAY),
            state,
            examples: vec![JournalId(ids()[0])],
        };
        Ok(match is_open {
            true => vec![item(1, Some(CODE), CodeState::Open), item(2, None, CodeState::Open)],
            false => vec![item(3, Some("SECRET"), CodeState::Redriving)],
        })
    }
    async fn unchecked(&self, _: &str, _: usize) -> Result<Vec<CodeItem>> {
        Err(refused())
    }
    async fn checked(&self, _: &str, _: &[(i64, bool)], _: Vec<Record>) -> Result<()> {
        Err(refused())
    }
    async fn redrive(&self, _: usize, _: &str, _: Micros) -> Result<Option<Redriven>> {
        Err(refused())
    }
}

async fn filled() -> (Arc<Node>, Browser) {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let browser = signed_in(&node, true).await;
    (node, browser)
}

#[tokio::test]
async fn coverage_tells_trend_gaps_and_alerts() {
    let (_, browser) = filled().await;
    let page = browser.get("/coverage").await;
    assert_eq!(page.status, StatusCode::OK);
    for part in
        ["20 % <span class=\"hint\">2 messages</span>", "10 % <span", "0 % <span", "<code>PV1-52</code>"]
    {
        assert!(page.text.contains(part), "{part}");
    }
    assert_eq!(
        page.text.matches("<span class=\"hint\">none</span>").count(),
        12 + 13,
        "days without messages"
    );
    assert!(
        page.text.contains("</span> rejected</span>") && page.text.contains("<td class=\"number\">41</td>")
    );
    assert!(page.text.contains("<code>ZZZ-2</code>") && page.text.contains("uses a field that nobody maps"));
    assert!(page.text.contains(&format!("href=\"/messages/{}\"", ids()[0])));
}

#[tokio::test]
async fn an_alert_is_acknowledged_with_its_record() {
    let (node, browser) = filled().await;
    let url = "/coverage/alerts/7/acknowledge";
    assert_eq!(browser.post(url, "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.submit("/coverage/alerts/8/acknowledge", "").await.status, StatusCode::NOT_FOUND);
    assert!(node.clinical.acknowledged.lock().expect("lock").is_empty());
    let answer = browser.submit(url, "").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/coverage#alerts"));
    let records = node.clinical.acknowledged.lock().expect("lock").clone();
    assert_eq!(records.iter().map(Record::kind).collect::<Vec<_>>(), [Kind::AlertAcknowledged]);
    assert!(records[0].objects().contains(&("alert".to_owned(), "7".to_owned())));
    let page = browser.get("/coverage").await.text;
    assert!(page.contains("no open alert") && page.contains("<td>ann</td>"));
    assert!(browser.submit(url, "").await.text.contains("acknowledged this alert in the meantime"));
}

#[tokio::test]
async fn codes_are_masked_until_a_reason_is_given() {
    let (node, browser) = filled().await;
    let page = browser.get("/codes").await.text;
    assert!(!page.contains("Q&#39;") && !page.contains("Q'") && !page.contains("SECRET"));
    assert!(page.contains("texts that are no codes") && page.contains("marital-status"));
    assert!(page.contains(&format!("href=\"/messages/{}\"", ids()[0])));
    assert!(node.recorded(Kind::MessageViewed).is_empty());
    assert_eq!(browser.submit("/codes/reveal", "reason=curious").await.status, StatusCode::BAD_REQUEST);
    let page = browser.submit("/codes/reveal", "reason=mapping-problem").await.text;
    assert!(page.contains("codes: {marital-status: {&#39;Q&#39;&#39;&#60;b&#62;&#39;: TARGET}}"), "{page}");
    assert!(page.contains("SECRET") && page.contains("being processed again"));
    let records = node.recorded(Kind::MessageViewed);
    let objects = records.iter().flat_map(|record| record.objects()).collect::<Vec<_>>();
    for object in [("view", "codes-revealed"), ("reason", "mapping-problem")] {
        assert!(objects.contains(&&(object.0.to_owned(), object.1.to_owned())), "{object:?}");
    }
    assert!(!format!("{objects:?}").contains('Q'), "the record has no code");
}

#[tokio::test]
async fn a_view_that_cannot_be_recorded_shows_no_code() {
    let (node, browser) = filled().await;
    *node.access_fails.lock().expect("lock") = true;
    let page = browser.submit("/codes/reveal", "reason=audit").await;
    assert!(page.status == StatusCode::SERVICE_UNAVAILABLE && !page.text.contains("SECRET"));
}
