//! The dashboard: how each feed runs, what crossed the boundary, what waits for a person, and both nodes.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Extension, Form, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use store::{Backlog, Boundary, Feed, HeldGroup, MINUTE_US, Micros, Minute, Waiting};
use tokio::sync::Mutex;

use crate::Error;
use crate::badge::{Badge, new};
use crate::clinical::Clinical;
use crate::clinical::forwards::standing;
use crate::clinical::list::of;
use crate::clinical::quarantine::{Group, group};
use crate::clinical::spark::{Spark, spark};
use crate::frame::{Frame, Notice, html};
use crate::server::{Server, check_form};
use crate::session::Session;
use crate::time::{Instant, instant};
use crate::words::{count, length, share};

/// Minutes that are shown, the running one included.
const MINUTES: i64 = 60;
/// Minutes in one row of the table that stands for the drawings.
const TABLE_MINUTES: usize = 5;
/// Numbers this old are shown again instead of being read again.
const FRESH_US: Micros = 2_000_000;
/// How the reason of a message begins whose release was refused.
pub(crate) const RELEASE_REFUSED: &str = "release:";
/// A feed is called quiet after so long without a message, or after so many of its usual pauses.
const QUIET_US: Micros = 5 * MINUTE_US;
const QUIET_PAUSES: i64 = 10;
/// A queue this old needs a person.
const QUEUE_LATE_US: Micros = MINUTE_US;
/// Deliveries this old need a person.
const BACKLOG_LATE_US: Micros = 5 * MINUTE_US;
/// Groups and reviews that are counted or shown.
const GROUPS_SHOWN: usize = 5;
const REVIEWS_COUNTED: usize = 100;

/// What was read at one moment.
pub(crate) struct Numbers {
    at_us: Micros,
    since_us: Micros,
    feeds: Vec<Feed>,
    waiting: Vec<Waiting>,
    held: Vec<HeldGroup>,
    boundary: Boundary,
    backlogs: Vec<Backlog>,
    reviews: usize,
}

/// The last numbers; whoever asks while they are read waits for them.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Option<Arc<Numbers>>>);

impl Cache {
    async fn numbers(&self, clinical: &Clinical, now_us: Micros) -> Result<Arc<Numbers>, Error> {
        let mut last = self.0.lock().await;
        if let Some(numbers) = last.as_ref().filter(|numbers| now_us - numbers.at_us < FRESH_US) {
            return Ok(Arc::clone(numbers));
        }
        let since_us = now_us - now_us.rem_euclid(MINUTE_US) - (MINUTES - 1) * MINUTE_US;
        let statistics = &clinical.statistics;
        let numbers = Arc::new(Numbers {
            at_us: now_us,
            since_us,
            feeds: statistics.feeds(since_us, since_us + MINUTES * MINUTE_US).await?,
            waiting: statistics.waiting().await?,
            held: statistics.held().await?,
            boundary: statistics.boundary(since_us, RELEASE_REFUSED).await?,
            backlogs: statistics.backlogs().await?,
            reviews: clinical.reviews.reviews(true, REVIEWS_COUNTED).await?.len(),
        });
        *last = Some(Arc::clone(&numbers));
        Ok(numbers)
    }
}

/// One feed, as the page says it.
struct FeedRow {
    channel: String,
    url: String,
    total: u64,
    spark: Spark,
    spark_words: String,
    p50: String,
    p95: String,
    errors: Badge,
    error_words: String,
    queue: Badge,
    queue_words: String,
    last: Instant,
    last_style: &'static str,
    last_words: String,
}

/// One row of the table that stands for the drawings.
struct MinutesRow {
    from: Instant,
    counts: Vec<u64>,
}

/// One node, as this one knows it.
struct NodeRow {
    name: String,
    role: &'static str,
    badge: Badge,
    words: String,
}

#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardPage {
    frame: Frame,
    form_token: String,
    now: Instant,
    has_guide: bool,
    boundary: Boundary,
    feeds: Vec<FeedRow>,
    table: Vec<MinutesRow>,
    groups: Vec<Group>,
    groups_all: usize,
    reviews: String,
    has_reviews: bool,
    nodes: Vec<NodeRow>,
}

/// `GET /`.
pub(crate) async fn page(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Error> {
    let console = &server.console;
    let numbers = server.numbers.numbers(of(&server)?, (console.now_us)()).await?;
    let reviews = match numbers.reviews {
        REVIEWS_COUNTED => format!("{REVIEWS_COUNTED} or more questions"),
        reviews => count(u64::try_from(reviews).unwrap_or(u64::MAX), "question"),
    };
    html(&DashboardPage {
        frame: Frame::of(&server, &session, "Dashboard"),
        form_token: session.form_token,
        now: instant(numbers.at_us),
        has_guide: console.guide.is_some(),
        boundary: numbers.boundary,
        feeds: numbers.feeds.iter().map(|feed| feed_row(feed, &numbers)).collect(),
        table: table(&numbers),
        groups: numbers.held.iter().take(GROUPS_SHOWN).map(|held| group(held, numbers.at_us)).collect(),
        groups_all: numbers.held.len(),
        reviews,
        has_reviews: numbers.reviews > 0,
        nodes: nodes(&server, &numbers).await?,
    })
}

fn feed_row(feed: &Feed, numbers: &Numbers) -> FeedRow {
    let total: u64 = feed.minutes.iter().map(|minute| minute.received).sum();
    let held: u64 = feed.minutes.iter().map(|minute| minute.held).sum();
    let spark = spark(&feed.minutes);
    let latency = |us: Option<Micros>| us.map_or("-".to_owned(), length);
    let (errors, error_words) = match held {
        0 => (new("\u{2714}", "none", "good"), String::new()),
        _ => (new("\u{26a0}", "held", "bad"), format!("{held} ({})", share(held, total))),
    };
    let (queue, queue_words) = queue(feed, numbers);
    let (last_style, last_words) = last(feed, total, numbers);
    FeedRow {
        url: format!("/live?channel={}", crate::clinical::list::percent(&feed.channel)),
        spark_words: format!("{total} messages in the last hour, at most {} in a minute", spark.most),
        p50: latency(feed.p50_us),
        p95: latency(feed.p95_us),
        last: instant(feed.last_us),
        channel: feed.channel.clone(),
        total,
        spark,
        errors,
        error_words,
        queue,
        queue_words,
        last_style,
        last_words,
    }
}

fn queue(feed: &Feed, numbers: &Numbers) -> (Badge, String) {
    match numbers.waiting.iter().find(|waiting| waiting.channel == feed.channel) {
        None => (new("\u{2714}", "empty", "good"), String::new()),
        Some(waiting) => {
            let age_us = numbers.at_us - waiting.oldest_us;
            let style = if age_us < QUEUE_LATE_US { "wait" } else { "bad" };
            let words = format!("{}, oldest {}", waiting.count, length(age_us));
            (new("\u{25cb}", "waiting", style), words)
        }
    }
}

fn last(feed: &Feed, total: u64, numbers: &Numbers) -> (&'static str, String) {
    let age_us = numbers.at_us - feed.last_us;
    let usual_us = i64::try_from(total).ok().and_then(|total| (MINUTES * MINUTE_US).checked_div(total));
    let quiet_us = usual_us.map_or(QUIET_US, |usual| QUIET_US.max(usual.saturating_mul(QUIET_PAUSES)));
    match age_us {
        age if age > quiet_us => ("wait", format!("quiet for {}", length(age))),
        age if age < 1_000_000 => ("mute", "just now".to_owned()),
        age => ("mute", format!("{} ago", length(age))),
    }
}

fn table(numbers: &Numbers) -> Vec<MinutesRow> {
    let rows = usize::try_from(MINUTES).unwrap_or(0) / TABLE_MINUTES;
    let row = |row: usize| {
        let sum = |feed: &Feed| {
            let minutes: &[Minute] = feed.minutes.get(row * TABLE_MINUTES..).unwrap_or_default();
            minutes.iter().take(TABLE_MINUTES).map(|minute| minute.received).sum()
        };
        let from_us = i64::try_from(row * TABLE_MINUTES).unwrap_or(0) * MINUTE_US;
        let counts = numbers.feeds.iter().map(sum).collect();
        MinutesRow { from: instant(numbers.since_us + from_us), counts }
    };
    (0..rows).map(row).collect()
}

/// This node, then each that it delivers to or that keeps its checkpoints.
async fn nodes(server: &Server, numbers: &Numbers) -> Result<Vec<NodeRow>, Error> {
    let console = &server.console;
    let latest = console.ledger.latest_checkpoint().await?;
    let sealed = latest.as_ref().map_or("nothing sealed yet".to_owned(), |(size, _)| {
        format!("ledger sealed to {}", count(*size, "record"))
    });
    let mut nodes = vec![NodeRow {
        name: console.node.clone(),
        role: console.role(),
        badge: new("\u{2714}", "up", "good"),
        words: sealed,
    }];
    let mut names: Vec<&str> = console.witnesses.iter().map(|witness| witness.name()).collect();
    names.extend(numbers.backlogs.iter().map(|backlog| backlog.destination.as_str()));
    names.sort_unstable();
    names.dedup();
    for name in names {
        let backlog = numbers.backlogs.iter().find(|backlog| backlog.destination == name);
        let (badge, words) = match backlog {
            None => (new("\u{2714}", "in step", "good"), "every delivery is receipted".to_owned()),
            Some(backlog) => {
                let age_us = numbers.at_us - backlog.oldest_us;
                let is_late = age_us > BACKLOG_LATE_US;
                let style = if is_late { "bad" } else { "wait" };
                let words =
                    format!("{} on the way, oldest {}", count(backlog.count, "resource"), length(age_us));
                (new(if is_late { "\u{26a0}" } else { "\u{25cb}" }, "sending", style), words)
            }
        };
        nodes.push(NodeRow { name: name.to_owned(), role: "portal", badge, words });
    }
    for backlog in of(server)?.forwards.forward_backlogs().await? {
        let (badge, words) = standing(&backlog, numbers.at_us, BACKLOG_LATE_US);
        nodes.push(NodeRow { name: backlog.destination, role: "partner", badge, words });
    }
    Ok(nodes)
}

/// One feed for programs.
#[derive(Serialize)]
struct FeedJson<'n> {
    channel: &'n str,
    received: u64,
    held: u64,
    p50_us: Option<Micros>,
    p95_us: Option<Micros>,
    last_us: Micros,
    waiting: u64,
    oldest_waiting_us: Option<Micros>,
}

/// `GET /dashboard.json`: the feeds over the last hour.
pub(crate) async fn json(State(server): State<Arc<Server>>) -> Result<Response, Error> {
    let numbers = server.numbers.numbers(of(&server)?, (server.console.now_us)()).await?;
    let feeds: Vec<FeedJson<'_>> = numbers.feeds.iter().map(|feed| feed_json(feed, &numbers)).collect();
    Ok(Json(feeds).into_response())
}

fn feed_json<'n>(feed: &'n Feed, numbers: &Numbers) -> FeedJson<'n> {
    let waiting = numbers.waiting.iter().find(|waiting| waiting.channel == feed.channel);
    FeedJson {
        channel: &feed.channel,
        received: feed.minutes.iter().map(|minute| minute.received).sum(),
        held: feed.minutes.iter().map(|minute| minute.held).sum(),
        p50_us: feed.p50_us,
        p95_us: feed.p95_us,
        last_us: feed.last_us,
        waiting: waiting.map_or(0, |waiting| waiting.count),
        oldest_waiting_us: waiting.map(|waiting| waiting.oldest_us),
    }
}

/// The form of the tour.
#[derive(Deserialize)]
pub(crate) struct Break {
    #[serde(default)]
    token: String,
}

/// `POST /guide/break`: broken synthetic messages, where a guide is given.
pub(crate) async fn break_something(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Form(Break { token }): Form<Break>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let guide = server.console.guide.as_ref().ok_or(Error::NotFound("page"))?;
    let sent = guide.break_something().await.map_err(Error::Guide)?;
    html(&Notice {
        frame: Frame::of(&server, &session, "Something is broken"),
        text: format!(
            "{} with mistakes came in over the real listeners. They were acknowledged, and what cannot be mapped is held. \
             Find out why, and mend it.",
            count(sent.into(), "synthetic message")
        ),
        link: Some(("/quarantine".to_owned(), "See what is held")),
        explains_sign_in: false,
    })
}
