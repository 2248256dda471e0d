//! Deliveries of one message: where each stands, what happened to it, and the twin that left by it.

use std::collections::HashMap;

use audit::Record;
use serde_json::Value;
use store::{DeliveryRow, DeliveryState};

use crate::clinical::badge::{Badge, delivery};
use crate::clinical::links::Links;
use crate::clinical::panels::{Found, PARTS_SHOWN_MAX, bodies, name_of, place_of, text_of};
use crate::clinical::twin::{Sides, TwinRow};
use crate::hex::{hex, sha256};
use crate::time::{Instant, instant};

/// One delivery and what left by it.
pub(crate) struct DeliveryPanel {
    pub(crate) id: String,
    pub(crate) destination: String,
    pub(crate) resource: String,
    pub(crate) kind: &'static str,
    pub(crate) version: u32,
    pub(crate) released: String,
    pub(crate) badge: Badge,
    pub(crate) attempts: u32,
    pub(crate) next: Option<Instant>,
    pub(crate) error: String,
    pub(crate) delivered: Option<Instant>,
    /// SHA-256 of the signed receipt; empty: none yet.
    pub(crate) receipt: String,
    pub(crate) can_revive: bool,
    /// A notice that something is gone: it carries no content.
    pub(crate) is_withdrawal: bool,
    pub(crate) rows: Vec<TwinRow>,
    pub(crate) is_cut: bool,
    pub(crate) bytes: usize,
    /// What the ledger says happened to it, oldest first.
    pub(crate) events: Vec<Event>,
}

/// One record that names a delivery.
pub(crate) struct Event {
    pub(crate) at: Instant,
    pub(crate) what: &'static str,
    pub(crate) outcome: String,
    /// Leaf number; empty: not sealed yet.
    pub(crate) leaf: String,
}

/// The deliveries of a message.
pub(crate) fn deliveries(found: &Found, made: &[Value], links: &Links) -> Vec<DeliveryPanel> {
    let Some(detail) = &found.detail else { return Vec::new() };
    let (origins, events) = (bodies(found), events(found));
    let shown = detail.deliveries.iter().take(PARTS_SHOWN_MAX);
    let mut panels: Vec<DeliveryPanel> = shown
        .map(|row| {
            let name = name_of(&row.resource);
            let origin = origins.get(&(name.clone(), row.version));
            let mut panel = panel(row, name, origin, links, found.reveal);
            panel.events = events_of(&events, &panel.id);
            panel
        })
        .collect();
    panels.sort_by_key(|panel| place_of(made, &panel.resource));
    panels
}

fn panel(
    row: &DeliveryRow,
    name: String,
    origin: Option<&Value>,
    links: &Links,
    reveal: bool,
) -> DeliveryPanel {
    let twin = serde_json::from_slice::<Value>(row.body.expose()).ok();
    // A notice has type and id only.
    let is_withdrawal = twin.as_ref().and_then(Value::as_object).is_some_and(|twin| twin.len() <= 2);
    let actions = actions(&row.actions);
    let sides = twin.as_ref().filter(|_| !is_withdrawal).map(|twin| Sides {
        origin,
        twin,
        actions: &actions,
        links,
        resource: &name,
        reveal,
    });
    let (rows, is_cut) = sides.map(|sides| sides.rows()).unwrap_or_default();
    let is_pending = row.state == DeliveryState::Pending;
    DeliveryPanel {
        id: row.id.to_string(),
        destination: row.destination.clone(),
        kind: row.resource.resource_type.as_str(),
        version: row.version,
        released: row.released_id.clone(),
        badge: delivery(row.state),
        attempts: row.attempts,
        next: Some(row.next_us).filter(|at| *at > 0 && is_pending).map(instant),
        error: row.last_error.clone().unwrap_or_default(),
        delivered: row.delivered_us.map(instant),
        receipt: row.receipt.as_ref().map(|receipt| hex(&sha256(receipt.as_bytes()))).unwrap_or_default(),
        can_revive: row.state == DeliveryState::Dead,
        is_withdrawal,
        rows,
        is_cut,
        bytes: row.body.expose().len(),
        events: Vec::new(),
        resource: name,
    }
}

/// Operation by location; what cannot be read is none.
fn actions(json: &str) -> HashMap<String, String> {
    let Ok(Value::Array(actions)) = serde_json::from_str::<Value>(json) else { return HashMap::new() };
    actions.iter().map(|action| (text_of(action, "location"), text_of(action, "operation"))).collect()
}

/// The ledger's records of this message, with their leaf numbers.
pub(crate) fn events(found: &Found) -> Vec<(Record, String)> {
    let rows = found.detail.iter().flat_map(|detail| &detail.records);
    rows.filter_map(|row| {
        let leaf = row.leaf.map(|leaf| leaf.to_string()).unwrap_or_default();
        Some((Record::from_bytes(&row.record).ok()?, leaf))
    })
    .collect()
}

pub(crate) fn events_of(events: &[(Record, String)], id: &str) -> Vec<Event> {
    let is_named =
        |record: &Record| record.objects().iter().any(|(name, value)| name == "delivery" && value == id);
    events
        .iter()
        .filter(|(record, _)| is_named(record))
        .map(|(record, leaf)| Event {
            at: instant(record.at_us()),
            what: record.kind().as_str(),
            outcome: record.outcome_code().unwrap_or_default().to_owned(),
            leaf: leaf.clone(),
        })
        .collect()
}
