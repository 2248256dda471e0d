//! Where a message was forwarded as it is: how each destination answered.

use store::{DeliveryState, ForwardBacklog, ForwardRow, Micros};

use crate::badge::new;
use crate::clinical::badge::{Badge, delivery};
use crate::clinical::deliveries::{Event, events, events_of};
use crate::clinical::panels::{Found, PARTS_SHOWN_MAX};
use crate::time::{Instant, instant};
use crate::words::{count, length};

/// How a forward looks that its destination took over and owes an outcome for.
const TAKEN_OVER: Badge = new("\u{25d0}", "taken over", "wait");

/// One destination that gets the message as it is.
pub(crate) struct ForwardPanel {
    pub(crate) id: String,
    pub(crate) destination: String,
    pub(crate) badge: Badge,
    pub(crate) attempts: u32,
    pub(crate) queued: Instant,
    pub(crate) next: Option<Instant>,
    pub(crate) settled: Option<Instant>,
    /// A code of ours; empty: none.
    pub(crate) error: String,
    /// MSA-1 and ERR-3 of the last answer; empty: none came.
    pub(crate) answer: String,
    pub(crate) can_revive: bool,
    /// What the ledger says happened to it, oldest first.
    pub(crate) events: Vec<Event>,
}

/// The forwards of a message.
pub(crate) fn forwards(found: &Found) -> Vec<ForwardPanel> {
    let Some(detail) = &found.detail else { return Vec::new() };
    let events = events(found);
    let shown = detail.forwards.iter().take(PARTS_SHOWN_MAX);
    shown
        .map(|row| {
            let mut panel = panel(row);
            panel.events = events_of(&events, &panel.id);
            panel
        })
        .collect()
}

fn panel(row: &ForwardRow) -> ForwardPanel {
    let is_pending = row.state == DeliveryState::Pending;
    let answer = [row.ack_code.as_deref(), row.error_code.as_deref()];
    ForwardPanel {
        id: row.id.to_string(),
        destination: row.destination.clone(),
        badge: badge(row),
        attempts: row.attempts,
        queued: instant(row.queued_us),
        next: Some(row.next_us).filter(|at| *at > 0 && is_pending).map(instant),
        settled: row.settled_us.map(instant),
        error: row.last_error.clone().unwrap_or_default(),
        answer: answer.into_iter().flatten().collect::<Vec<_>>().join(" "),
        can_revive: row.state == DeliveryState::Dead,
        events: Vec::new(),
    }
}

/// How a forward's state looks.
pub(crate) fn badge(row: &ForwardRow) -> Badge {
    if row.state == DeliveryState::Pending && row.accepted_us.is_some() {
        TAKEN_OVER
    } else {
        delivery(row.state)
    }
}

/// How the forwards to one destination stand: its badge, and words of counts and ages.
pub(crate) fn standing(backlog: &ForwardBacklog, now_us: Micros, late_us: Micros) -> (Badge, String) {
    let age_us = backlog.oldest_us.map_or(0, |oldest_us| now_us.saturating_sub(oldest_us));
    let mut words = Vec::new();
    if backlog.pending > 0 {
        let age = length(age_us);
        words.push(format!("{} on the way, oldest {age}", count(backlog.pending, "message")));
    }
    if backlog.dead > 0 {
        words.push(format!("{} given up", count(backlog.dead, "message")));
    }
    let badge = if backlog.dead > 0 || age_us > late_us {
        new("\u{26a0}", "needs a look", "bad")
    } else {
        new("\u{25cb}", "sending", "wait")
    };
    (badge, words.join(", "))
}
