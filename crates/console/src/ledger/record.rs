//! One record, with the proof that it is in the tree that was signed.

use std::sync::Arc;

use askama::Template;
use audit::{Checkpoint, InclusionProver, Record, leaf_hash, verify_inclusion};
use axum::extract::{Extension, Path, State};
use axum::response::Response;

use crate::Error;
use crate::badge::{Badge, new};
use crate::frame::{Frame, html};
use crate::hex::hex;
use crate::ledger::list::by;
use crate::server::{Console, Server};
use crate::session::Session;
use crate::time::{Instant, instant};

/// Leaf hashes read at a time.
const PAGE_HASHES: usize = 10_000;
/// A proof is made here over so many records at most: each of them is read for it.
const PROOF_RECORDS_MAX: u64 = 2_000_000;

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    leaf: u64,
    kind: &'static str,
    at: Option<Instant>,
    id: String,
    outcome: String,
    by: String,
    network: String,
    message: String,
    patients: Vec<String>,
    objects: Vec<(String, String)>,
    hash: String,
    proof: Proof,
}

/// The path from a leaf to the signed root.
struct Proof {
    badge: Badge,
    size: u64,
    root: String,
    path: Vec<String>,
}

/// `GET /ledger/records/{leaf}`.
pub(crate) async fn page(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Path(leaf): Path<String>,
) -> Result<Response, Error> {
    let console = &server.console;
    let leaf: u64 = leaf.parse().map_err(|_| Error::NotFound("record"))?;
    let row = console.ledger.leaves(leaf, 1).await?.into_iter().find(|row| row.leaf == Some(leaf));
    let row = row.ok_or(Error::NotFound("record"))?;
    let record = Record::from_bytes(&row.record).map_err(|_| Error::NotFound("record"))?;
    let hash = leaf_hash(&row.record);
    let is_clinical = console.is_clinical();
    html(&RecordPage {
        frame: Frame::of(&server, &session, &format!("Record {leaf}")),
        leaf,
        kind: record.kind().as_str(),
        at: is_clinical.then(|| instant(record.at_us())),
        id: record.id().to_string(),
        outcome: record.outcome_code().unwrap_or_default().to_owned(),
        by: by(&record),
        network: record.network_address().map(|address| address.to_string()).unwrap_or_default(),
        message: record.message_id().filter(|_| is_clinical).map(|id| id.to_string()).unwrap_or_default(),
        patients: record.patient_tokens().to_vec(),
        objects: record.objects().to_vec(),
        hash: hex(&hash),
        proof: prove(console, leaf, hash).await?,
    })
}

async fn prove(console: &Console, leaf: u64, hash: [u8; 32]) -> Result<Proof, Error> {
    let none = |icon, word, style, size| Proof {
        badge: new(icon, word, style),
        size,
        root: String::new(),
        path: Vec::new(),
    };
    let Some((size, note)) = console.ledger.latest_checkpoint().await? else {
        return Ok(none("\u{25cb}", "nothing sealed yet", "wait", 0));
    };
    let Some(key) = &console.ledger_key else {
        return Ok(none("\u{2212}", "key not known here", "mute", size));
    };
    let Ok(checkpoint) = Checkpoint::from_note(&note, key) else {
        return Ok(none("\u{2716}", "the checkpoint's signature does not hold", "bad", size));
    };
    if size > PROOF_RECORDS_MAX {
        return Ok(none("\u{2212}", "the ledger is too long for a proof on this page", "mute", size));
    }
    let Some(mut prover) = InclusionProver::new(leaf, size) else {
        return Ok(none("\u{25cb}", "not under a checkpoint yet", "wait", size));
    };
    let mut next = 0;
    while next < size {
        let hashes = console.ledger.hashes(next, PAGE_HASHES).await?;
        if hashes.is_empty() {
            break;
        }
        next += u64::try_from(hashes.len()).unwrap_or(u64::MAX);
        hashes.into_iter().for_each(|hash| prover.leaf(hash));
    }
    let path = prover.finish();
    let badge = match verify_inclusion(hash, leaf, size, &path, checkpoint.root) {
        true => new("\u{2714}", "in the signed tree", "good"),
        false => new("\u{2716}", "not in the signed tree", "bad"),
    };
    let path = path.iter().map(|hash| hex(hash)).collect();
    Ok(Proof { badge, size, root: hex(&checkpoint.root), path })
}
