//! Questions about who is who: the candidates side by side, and the answer that only a person may give.

use std::sync::Arc;

use askama::Template;
use audit::{Kind, Record};
use axum::extract::{Extension, Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use store::{Review, ReviewAnswer};
use uuid::Uuid;

use crate::Error;
use crate::clinical::candidate::{Comparison, compared};
use crate::clinical::list::of;
use crate::clinical::view::REASONS;
use crate::frame::{Frame, Notice, html};
use crate::record::{act, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::Session;
use crate::time::{Instant, instant};

/// Reviews of one kind that a page lists.
const REVIEWS_SHOWN_MAX: usize = 200;

#[derive(Template)]
#[template(path = "reviews.html")]
struct ReviewsPage {
    frame: Frame,
    open: Vec<ReviewRow>,
    answered: Vec<ReviewRow>,
    is_cut: bool,
}

/// One review in the list.
struct ReviewRow {
    id: String,
    at: Instant,
    message: String,
    patients: usize,
    contradictions: Vec<&'static str>,
    answer: &'static str,
    by: String,
}

impl ReviewRow {
    fn of(review: &Review) -> Self {
        let question = &review.question;
        let (answer, by) = match &review.answered {
            None => ("", String::new()),
            Some((answer, by, at_us)) => (word(*answer), format!("{by}, {}", instant(*at_us).text)),
        };
        Self {
            id: question.id.to_string(),
            at: instant(question.at_us),
            message: question.message.0.to_string(),
            patients: question.patients.len(),
            contradictions: question.contradictions.iter().map(|code| against(code)).collect(),
            answer,
            by,
        }
    }
}

#[derive(Template)]
#[template(path = "review.html")]
struct ReviewPage {
    frame: Frame,
    form_token: String,
    row: ReviewRow,
    comparison: Comparison,
    is_revealed: bool,
    reason: &'static str,
    reasons: [(&'static str, &'static str); 5],
}

#[derive(Template)]
#[template(path = "answer.html")]
struct AnswerPage {
    frame: Frame,
    form_token: String,
    id: String,
    /// `same` or `different`.
    answer: &'static str,
    question: &'static str,
    consequences: &'static [&'static str],
    /// The answer that stands and is taken back, as code and in words; empty: none.
    instead: &'static str,
    instead_of: &'static str,
}

/// The forms of a review.
#[derive(Deserialize)]
pub(crate) struct Said {
    #[serde(default)]
    token: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    answer: String,
    /// The answer that is taken back, as it stood when this one was confirmed.
    #[serde(default)]
    instead: String,
    #[serde(default)]
    confirm: String,
}

const ANSWERS: [(ReviewAnswer, &str); 2] =
    [(ReviewAnswer::Same, "same"), (ReviewAnswer::Different, "different")];

fn answer_of(code: &str) -> Option<(ReviewAnswer, &'static str)> {
    ANSWERS.into_iter().find(|(_, known)| *known == code)
}

fn word(answer: ReviewAnswer) -> &'static str {
    match answer {
        ReviewAnswer::Same => "same person",
        ReviewAnswer::Different => "different persons",
    }
}

/// What speaks against them being one.
fn against(code: &str) -> &'static str {
    match code {
        "birth-date" => "Their birth dates differ.",
        "sex" => "Their administrative sex differs.",
        "two-numbers-of-one-authority" => {
            "One authority gave them two numbers, and so says that they are two persons."
        }
        "merged-before" => "A merge made them one before, and a message does not take a merge back.",
        _ => "They contradict each other in another way.",
    }
}

const IF_SAME: [&str; 3] = [
    "They become one patient on this node, with all numbers and everything known of either.",
    "At each destination, what stands under the other pseudonym is withdrawn and comes back under the one that stays.",
    "Every message that waits for this answer is processed.",
];
const IF_DIFFERENT: [&str; 3] = [
    "Their numbers stay apart, and nothing known of one is shown as the other's.",
    "Every message that waits for this answer is processed for the patient of its own number.",
    "Messages that say the same again do not raise this question again.",
];

/// `GET /reviews`.
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Error> {
    let index = &of(&server)?.reviews;
    let open = index.reviews(true, REVIEWS_SHOWN_MAX).await?;
    let answered = index.reviews(false, REVIEWS_SHOWN_MAX).await?;
    let answered = answered.iter().filter(|review| review.answered.is_some());
    html(&ReviewsPage {
        frame: Frame::of(&server, &session, "Reviews"),
        is_cut: open.len() >= REVIEWS_SHOWN_MAX,
        open: open.iter().map(ReviewRow::of).collect(),
        answered: answered.map(ReviewRow::of).collect(),
    })
}

/// `GET /reviews/{id}`.
pub(crate) async fn masked(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    show(&server, &session, peer, &id, None).await
}

/// `POST /reviews/{id}/reveal`.
pub(crate) async fn revealed(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Form(said): Form<Said>,
) -> Result<Response, Error> {
    check_form(&session, &said.token)?;
    let reason = REASONS.into_iter().find(|(code, _)| *code == said.reason);
    show(&server, &session, peer, &id, Some(reason.ok_or(Error::Invalid("reason"))?)).await
}

/// `POST /reviews/{id}/answer`: asks once more, then answers. Who said what is committed with the answer.
pub(crate) async fn answer(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Form(said): Form<Said>,
) -> Result<Response, Error> {
    check_form(&session, &said.token)?;
    let (answer, code) = answer_of(&said.answer).ok_or(Error::Invalid("answer"))?;
    let instead = answer_of(&said.instead);
    let review = read(&server, &id).await?;
    if said.confirm != "yes" {
        return confirm(&server, &session, &review, answer, code);
    }
    let mut record = record_of(&server, &session, peer, &review, Kind::ReviewAnswered)?
        .outcome("ok")
        .object("answer", code)
        .map_err(not_recorded)?;
    if let Some((_, code)) = instead {
        record = record.object("instead-of", code).map_err(not_recorded)?;
    }
    let (index, instead_of) = (&of(&server)?.reviews, instead.map(|(answer, _)| answer));
    let now_us = (server.console.now_us)();
    match index.answer(review.question.id, answer, instead_of, session.user, now_us, record).await {
        Ok(()) => Ok(Redirect::to(&format!("/reviews/{}", review.question.id)).into_response()),
        Err(store::Error::Conflict(_)) => html(&Notice {
            frame: Frame::of(&server, &session, "Not answered"),
            text: "Somebody answered this question in the meantime, and otherwise. Nothing was changed."
                .to_owned(),
            link: Some((format!("/reviews/{}", review.question.id), "See the answer")),
            explains_sign_in: false,
        }),
        Err(error) => Err(error.into()),
    }
}

fn confirm(
    server: &Server,
    session: &Session,
    review: &Review,
    answer: ReviewAnswer,
    code: &'static str,
) -> Result<Response, Error> {
    let (question, consequences): (_, &[&str]) = match answer {
        ReviewAnswer::Same => ("Say that they are the same person?", &IF_SAME),
        ReviewAnswer::Different => ("Say that they are different persons?", &IF_DIFFERENT),
    };
    let standing = review.answered.as_ref().map(|(given, ..)| *given).filter(|given| *given != answer);
    let instead = standing.and_then(|standing| ANSWERS.into_iter().find(|(known, _)| *known == standing));
    html(&AnswerPage {
        frame: Frame::of(server, session, "Answer a review"),
        form_token: session.form_token.clone(),
        id: review.question.id.to_string(),
        answer: code,
        question,
        consequences,
        instead: instead.map(|(_, code)| code).unwrap_or_default(),
        instead_of: standing.map(word).unwrap_or_default(),
    })
}

async fn show(
    server: &Server,
    session: &Session,
    peer: Peer,
    id: &str,
    reason: Option<(&'static str, &'static str)>,
) -> Result<Response, Error> {
    let review = read(server, id).await?;
    let view = if reason.is_some() { "review-revealed" } else { "review-masked" };
    let mut record = record_of(server, session, peer, &review, Kind::MessageViewed)?
        .outcome("ok")
        .object("view", view)
        .map_err(not_recorded)?;
    if let Some((code, _)) = reason {
        record = record.object("reason", code).map_err(not_recorded)?;
    }
    let comparison = compared(server, &review, reason.is_some()).await?;
    server.console.access.record(record).await.map_err(not_recorded)?;
    html(&ReviewPage {
        frame: Frame::of(server, session, &format!("Review {}", review.question.id)),
        form_token: session.form_token.clone(),
        row: ReviewRow::of(&review),
        comparison,
        is_revealed: reason.is_some(),
        reason: reason.map_or("", |(_, words)| words),
        reasons: REASONS,
    })
}

async fn read(server: &Server, id: &str) -> Result<Review, Error> {
    let id = Uuid::try_parse(id).map_err(|_| Error::NotFound("review"))?;
    of(server)?.reviews.review(id).await?.ok_or(Error::NotFound("review"))
}

/// A record about a review: who, which message raised it, which patients.
fn record_of(
    server: &Server,
    session: &Session,
    peer: Peer,
    review: &Review,
    kind: Kind,
) -> Result<Record, Error> {
    let clinical = of(server)?;
    let mut record = act(&server.console, kind, session, peer)?
        .message(review.question.message.0)
        .object("review", &review.question.id.to_string())
        .map_err(not_recorded)?;
    for patient in &review.question.patients {
        record = record.patient_token(&(clinical.patient_token)(patient));
    }
    Ok(record)
}
