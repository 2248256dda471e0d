//! A node that forwards: the usual site, with a destination and a rule for each case.

use std::fmt::Write as _;

use harness::eventually;
use store::sqlite::{Options, Role, Sqlite};
use store::{DeliveryState, ForwardRow, MessageFilter, Messages as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::partner::{Partner, Script, Seen};
use super::row::{framed, person};
use super::site::Site;

/// Says what is wrong with what a partner has seen.
pub type Look = fn(&Seen) -> Result<(), String>;

/// A partner, what is sent to it, and what becomes of that.
pub struct Case {
    /// The case.
    pub id: &'static str,
    script: Script,
    options: Vec<&'static str>,
    rules: Vec<&'static str>,
    sends: Vec<Vec<u8>>,
    ends: Vec<End>,
    gets: Option<Vec<String>>,
    seen: Option<Look>,
}

/// How one message ends at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Its state.
    pub state: DeliveryState,
    /// A code of ours.
    pub error: Option<&'static str>,
    /// MSA-1 of the last answer.
    pub ack: Option<&'static str>,
    /// ERR-3 of the last answer.
    pub code: Option<&'static str>,
    /// Attempts.
    pub attempts: u32,
}

/// Delivered at the first attempt, by this MSA-1.
pub fn delivered(ack: &'static str) -> End {
    End { state: DeliveryState::Delivered, error: None, ack: Some(ack), code: None, attempts: 1 }
}

/// An ADT^A01 of a person of its own.
pub fn adt(control_id: &str) -> Vec<u8> {
    of_person(control_id, None)
}

/// An ADT^A01 of this person, or of a new one.
pub fn of_person(control_id: &str, of: Option<&harness::Person>) -> Vec<u8> {
    let new = person();
    of.unwrap_or(&new).a01(control_id).into_bytes()
}

impl Case {
    /// A case with a partner that sends nothing yet.
    pub fn new(id: &'static str, script: Script) -> Self {
        let (options, rules, sends, ends) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { id, script, options, rules, sends, ends, gets: None, seen: None }
    }

    /// Keys of `exchange`.
    pub fn options(mut self, options: &[&'static str]) -> Self {
        self.options.extend(options);
        self
    }

    /// A rule of `responses`.
    pub fn rule(mut self, rule: &'static str) -> Self {
        self.rules.push(rule);
        self
    }

    /// Sends a message.
    pub fn sends(mut self, er7: impl Into<Vec<u8>>) -> Self {
        self.sends.push(er7.into());
        self
    }

    /// The next message ends so.
    pub fn ends(mut self, end: End) -> Self {
        self.ends.push(end);
        self
    }

    /// The partner gets these control ids, in this order, and nothing else.
    pub fn gets(mut self, ids: &[&str]) -> Self {
        self.gets = Some(ids.iter().map(|id| (*id).to_owned()).collect());
        self
    }

    /// The partner has seen what this asks for.
    pub fn seen(mut self, seen: Look) -> Self {
        self.seen = Some(seen);
        self
    }

    /// The messages as they are sent: MSH-3 tells to which partner.
    fn messages(&self, number: usize) -> Vec<Vec<u8>> {
        self.sends.iter().map(|er7| from_sender(er7, &sender(number))).collect()
    }
}

/// MSH-3 of what goes to the partner of a number.
pub fn sender(number: usize) -> String {
    format!("ROW{number}")
}

/// The message with this MSH-3.
pub fn from_sender(er7: &[u8], sender: &str) -> Vec<u8> {
    let (from, to) = (b"|HARBOR_EMR|".as_slice(), format!("|{sender}|"));
    let at = er7.windows(from.len()).position(|bytes| bytes == from).expect("a message of the harness");
    [&er7[..at], to.as_bytes(), &er7[at + from.len()..]].concat()
}

/// A running node and the partners of its cases.
pub struct Outward {
    /// The node.
    pub site: Site,
    /// The partners, in the order of the cases.
    pub partners: Vec<Partner>,
    cases: Vec<Case>,
}

impl Outward {
    /// Starts partners and node.
    pub async fn start(name: &'static str, cases: Vec<Case>) -> Self {
        let mut partners = Vec::new();
        for case in &cases {
            partners.push(Partner::start(case.script.clone()).await);
        }
        let (mut dials, mut rules, mut destinations) = (String::new(), String::new(), String::new());
        for (number, (case, partner)) in cases.iter().zip(&partners).enumerate() {
            let sender = sender(number);
            writeln!(dials, "  to-{number}:\n    mllp: \"{}\"", partner.address).expect("a string grows");
            let exchange = case.options.join(", ");
            writeln!(dials, "    exchange: {{{exchange}}}").expect("a string grows");
            writeln!(dials, "    responses: [{}]", case.rules.join(", ")).expect("a string grows");
            writeln!(destinations, "  - {{id: to-{number}, zone: on-prem, form: hl7v2}}")
                .expect("a string grows");
            writeln!(
                rules,
                "  - {{id: rule-{number}, effect: permit, destinations: [to-{number}], messages: [ADT], senders: [{sender}]}}"
            )
            .expect("a string grows");
        }
        let mut site = Site::make(name, &[]).await;
        edit(&site.pair, &dials, &destinations, &rules);
        site.run().await;
        Self { site, partners, cases }
    }

    /// Sends the messages of every case on one connection. What it is answered depends on what each asks for, and is
    /// another group's matter; the connection is open for as long as the writer is held.
    pub async fn send_all(&self) -> OwnedWriteHalf {
        let stream = TcpStream::connect(self.site.listener("emr")).await.expect("the listener is up");
        let (mut answers, mut writer) = stream.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut answers, &mut tokio::io::sink()).await });
        for (number, case) in self.cases.iter().enumerate() {
            for er7 in case.messages(number) {
                writer.write_all(&framed(&er7)).await.expect("the node reads");
            }
        }
        writer
    }

    /// Every forward of the node to a destination, in the order of the journal.
    ///
    /// # Errors
    /// While a file of the running node is being made.
    pub async fn forwards(&self, destination: &str) -> Result<Vec<ForwardRow>, String> {
        forwards(&self.site, destination).await
    }
}

/// Every forward of a node to a destination, in the order of the journal.
///
/// # Errors
/// While a file of the running node is being made.
pub async fn forwards(site: &Site, destination: &str) -> Result<Vec<ForwardRow>, String> {
    let options = Options { synchronous_full: true, read_connections: 1, now_us: tidegate::clock::now_us };
    let opened = Sqlite::open_reading(&site.pair.onprem_config.data, Role::Clinical, options).await;
    let store = opened.map_err(|error| error.to_string())?;
    let mut rows =
        store.list(&MessageFilter::default(), None, 10_000).await.map_err(|error| error.to_string())?;
    rows.reverse();
    let mut found = Vec::new();
    for row in rows {
        let detail = store.detail(row.id).await.map_err(|error| error.to_string())?;
        let forwards = detail.into_iter().flat_map(|detail| detail.forwards);
        found.extend(forwards.filter(|forward| forward.destination == destination));
    }
    store.close().await.map_err(|error| error.to_string())?;
    Ok(found)
}

/// Destinations and rules into the site's own profiles, addresses into its configuration.
pub fn edit(pair: &harness::Pair, dials: &str, destinations: &str, rules: &str) {
    let profiles = pair.folder.join("profiles");
    harness::folder::copy(&harness::root().join("profiles"), &profiles).expect("profiles are copied");
    for (file, more) in [("destinations.yaml", destinations), ("policy.yaml", rules)] {
        let file = profiles.join("residency").join(file);
        let text = std::fs::read_to_string(&file).expect("a policy file");
        std::fs::write(&file, format!("{}\n{more}", text.trim_end())).expect("it can be written");
    }
    let file = pair.folder.join("onprem.yaml");
    let text = std::fs::read_to_string(&file).expect("init made it");
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line.split_once(':') {
            Some(("profiles", _)) => format!("profiles: {}", profiles.display()),
            Some(("destinations", _)) => format!("{line}\n{}", dials.trim_end()),
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(&file, lines.join("\n")).expect("it can be written");
}

/// Every case ends as it says, within the time of [`eventually`].
///
/// # Panics
/// With each that does not.
pub async fn hold_all(mut outward: Outward) {
    let writer = outward.send_all().await;
    let mut failures = Vec::new();
    for (number, case) in outward.cases.iter().enumerate() {
        let destination = format!("to-{number}");
        let is_settled = |row: &ForwardRow| row.state != DeliveryState::Pending;
        let rows = eventually(&format!("{} {number}", case.id), || async {
            let rows = outward.forwards(&destination).await?;
            let found = (rows.iter().filter(|row| is_settled(row)).count(), rows.len());
            if found == (case.ends.len(), case.ends.len()) {
                Ok(rows)
            } else {
                Err(format!("{found:?}, {rows:?}"))
            }
        })
        .await;
        if let Err(words) = compare(case, &rows, &outward.partners[number], number) {
            failures.push(format!("{} {number}: {words}", case.id));
        }
    }
    drop(writer);
    outward.site.stop();
    assert!(failures.is_empty(), "{} rows do not hold:\n{}", failures.len(), failures.join("\n"));
}

fn compare(case: &Case, rows: &[ForwardRow], partner: &Partner, number: usize) -> Result<(), String> {
    for (at, (end, row)) in (1..).zip(case.ends.iter().zip(rows)) {
        let found =
            (row.state, row.last_error.as_deref(), row.ack_code.as_deref(), row.error_code.as_deref());
        let expected = (end.state, end.error, end.ack, end.code);
        if (found, row.attempts) != (expected, end.attempts) {
            return Err(format!(
                "message {at}: {expected:?} in {}, not {found:?} in {}",
                end.attempts, row.attempts
            ));
        }
    }
    let got = partner.control_ids();
    if let Some(gets) = case.gets.as_ref().filter(|gets| **gets != got) {
        return Err(format!("the partner got {got:?}, not {gets:?}"));
    }
    let sent = case.messages(number);
    let is_strange = |bytes: &Vec<u8>| !sent.contains(bytes);
    if partner.look(|seen| seen.frames.iter().any(|got| is_strange(&got.bytes))) {
        return Err("the partner got other bytes".to_owned());
    }
    case.seen.map_or(Ok(()), |seen| partner.look(seen))
}
