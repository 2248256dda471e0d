//! What is sent: the same few messages of two senders in every round, about persons of that round.

use std::net::SocketAddr;
use std::time::Duration;

use harness::Person;
use hl7v2::acknowledgment::{Acknowledgment, ErrorCode};
use mllp::{Client, ClientConfig};

/// How long a sender waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// Persons of one round.
const PERSONS: u32 = 3;
/// Senders of every round.
pub const SENDERS: usize = 2;

/// One message of the script.
#[derive(Clone)]
pub struct Step {
    /// MSH-10.
    pub control_id: String,
    /// The message.
    pub er7: String,
    /// The node must not accept it.
    is_refused: bool,
}

impl Step {
    fn accepted(control_id: &str, er7: String) -> Self {
        Self { control_id: control_id.to_owned(), er7, is_refused: false }
    }
}

/// The messages of each sender in a round: an admission, a change, the admission once more, results and a discharge of one
/// person; two more persons, a refused message, the merge of one into the other, and a change of who is left.
pub fn round(number: u32) -> [Vec<Step>; SENDERS] {
    let [one, two, three] = [1, 2, 3].map(|nth| Person::new(number * PERSONS + nth));
    let id = |name: &str| format!("R{number}{name}");
    let [first, second, third, fourth] = ["A1", "A2", "A4", "A5"].map(id);
    let admission = Step::accepted(&first, one.a01(&first));
    let allergy = ["AL1|1|DA|7980^Penicillin G^RXNORM|MO|Rash"];
    let results = [("2823-3", "4.1", "F"), ("2951-2", "140", "F")];
    let one = vec![
        admission.clone(),
        Step::accepted(&second, one.a08(&second, &allergy)),
        admission,
        Step::accepted(&third, one.oru(&third, &results)),
        Step::accepted(&fourth, one.a03(&fourth)),
    ];
    let [first, second, refused, merge, last] = ["B1", "B2", "B3", "B4", "B5"].map(id);
    let other = vec![
        Step::accepted(&first, two.a01(&first)),
        Step::accepted(&second, three.a01(&second)),
        // No version of HL7 v2: AR 203.
        Step {
            control_id: refused.clone(),
            er7: two.a08(&refused, &[]).replacen("|P|2.5.1|", "|P|9.9|", 1),
            is_refused: true,
        },
        Step::accepted(&merge, two.a40(&three.number, &merge)),
        Step::accepted(&last, two.a08(&last, &[])),
    ];
    [one, other]
}

/// A sender that sends one after the other and goes on only when the last was answered.
#[derive(Default)]
pub struct Sender {
    steps: Vec<Step>,
    answered: usize,
    /// Answers that are neither what the message deserves nor "send again".
    pub wrong_answers: Vec<String>,
    /// Times that the node asked to send again (AE 207).
    pub again: u64,
}

impl Sender {
    /// Adds what is to be sent.
    pub fn add(&mut self, steps: Vec<Step>) {
        self.steps.extend(steps);
    }

    /// Everything it was asked to send, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What the node accepted, in the order sent.
    pub fn acknowledged(&self) -> impl Iterator<Item = &Step> {
        self.steps[..self.answered].iter().filter(|step| !step.is_refused)
    }

    /// Whether all was answered.
    pub fn is_done(&self) -> bool {
        self.answered == self.steps.len()
    }

    /// Sends until all is answered, the connection breaks, or the node asks to send again.
    pub async fn send(&mut self, address: SocketAddr) {
        let mut config = ClientConfig::new(address.to_string());
        (config.connect_timeout, config.reply_timeout) = (PATIENCE, PATIENCE);
        // A connection that cannot be made or breaks is what the test does to it; what counts is what was answered.
        let Ok(mut client) = Client::connect(config).await else { return };
        while let Some(step) = self.steps.get(self.answered) {
            let Ok(answer) = client.exchange(step.er7.as_bytes()).await else { return };
            match judge(step, &answer) {
                Ok(true) => self.answered += 1,
                Ok(false) => {
                    self.again += 1;
                    return;
                }
                Err(words) => {
                    self.wrong_answers.push(words);
                    return;
                }
            }
        }
    }
}

/// `true`: answered as it deserves; `false`: to be sent again.
fn judge(step: &Step, answer: &[u8]) -> Result<bool, String> {
    let Step { control_id, is_refused, .. } = step;
    let read = Acknowledgment::read(answer).map_err(|error| format!("{control_id}: {error}"))?;
    if !read.answers(control_id.as_bytes()) {
        return Err(format!("{control_id}: answers another message"));
    }
    if read.error == Some(ErrorCode::ApplicationInternal) && !read.code.is_accept() {
        return Ok(false);
    }
    if read.code.is_accept() == *is_refused {
        return Err(format!("{control_id}: {}", read.code.code()));
    }
    Ok(true)
}
