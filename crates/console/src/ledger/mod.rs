//! The ledger: its head and witnesses, its records, one record with its proof, and a verification of all of it.

mod head;
mod list;
mod record;
mod verify;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use self::verify::Verifier;
use crate::server::Server;

/// Routes that need a session; of both roles.
pub(crate) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/ledger", get(list::page))
        .route("/ledger/patient", post(list::patient))
        .route("/ledger/found/{id}", get(list::found))
        .route("/ledger/records/{leaf}", get(record::page))
        .route("/ledger/verify", get(verify::page).post(verify::start))
}
