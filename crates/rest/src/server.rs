//! The FHIR routers of the two roles and what they need.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, get, post};
use fhir::{Audience, ResourceType};
use store::{Access, Micros, SearchIndex};

use crate::auth::{TokenSet, open_to_all, require};
use crate::authorization::Issued;
use crate::cors::Origins;
use crate::edge;
use crate::head;
use crate::interaction::Stated;
use crate::interaction::smart_configuration::{Authorization, smart_configuration};
#[cfg(feature = "clinical")]
use crate::interaction::{batch, create, delete, meta, patch, update, validate};
use crate::interaction::{
    capabilities, compartment, everything, export, history, openapi, read, search, unsupported, vread,
};
use crate::issuers::Issuers;
use crate::limits::Limiter;
use crate::metrics::Metrics;
use crate::outcome::Failure;
use crate::packed;
use crate::paging::CursorKey;
use crate::refusals::Refusals;
use crate::sight::{Denials, Protected};
use crate::time::Precision;

/// Turns a patient id into its audit token (an HMAC under a key of the node).
pub type PatientToken = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// What the FHIR surface of one node is made of.
#[derive(Clone)]
pub struct Fhir {
    /// Where resources come from.
    pub resources: Protected,
    /// Through which resources are changed; `None`: nothing is written here.
    #[cfg(feature = "clinical")]
    pub writes: Option<Arc<dyn store::ClientWrites>>,
    /// Where access records go; an answer waits for their commit.
    pub access: Arc<dyn Access>,
    /// Who may ask: the tokens of this role.
    pub tokens: TokenSet,
    /// Those that the node's own authorization server gave.
    pub issued: Issued,
    /// Whose access tokens are believed beside them.
    pub issuers: Issuers,
    /// Where clients are told to get tokens; `None`: nowhere.
    pub authorization: Option<Authorization>,
    /// Seals paging links.
    pub cursor_key: CursorKey,
    /// Address of the surface as clients see it, `http://127.0.0.1:8080/fhir`, without a slash at its end; the `Host` of
    /// a request is never used.
    pub base_url: String,
    /// This node's name in audit records.
    pub node: String,
    /// Resource types served, in any order; see [`every_type`].
    pub types: Vec<ResourceType>,
    /// The clock: µs since the epoch, UTC.
    pub now_us: fn() -> Micros,
    /// Audit token of a patient.
    pub patient_token: PatientToken,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// How much each client may ask for.
    pub limiter: Limiter,
    /// From which origins browsers may ask.
    pub origins: Origins,
    /// Search parameters that packages define; those whose index is made are usable.
    pub index: SearchIndex,
}

impl std::fmt::Debug for Fhir {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Fhir")
            .field("node", &self.node)
            .field("types", &self.types.len())
            .finish_non_exhaustive()
    }
}

/// How the roles differ.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: &'static str,
    /// Whose search parameters there are, beside `_id`.
    pub(crate) audience: Audience,
    pub(crate) precision: Precision,
    /// Whether clients may change resources, where the node has the port for it.
    pub(crate) writes: bool,
    pub(crate) description: &'static str,
}

#[cfg(feature = "clinical")]
pub(crate) static CLINICAL: Role = Role {
    name: "clinical",
    audience: Audience::Identified,
    precision: Precision::Exact,
    writes: true,
    description: "Tidegate, on-prem node: identified resources",
};

pub(crate) static PORTAL: Role = Role {
    name: "portal",
    audience: Audience::Deidentified,
    precision: Precision::Year,
    writes: false,
    description: "Tidegate, cloud node: de-identified resources; instants are told to the year",
};

/// State of the handlers.
pub(crate) struct Server {
    pub(crate) fhir: Fhir,
    pub(crate) role: &'static Role,
    pub(crate) capabilities: Stated,
    pub(crate) openapi: Stated,
    pub(crate) exports: export::Jobs,
    pub(crate) denials: Denials,
    /// Those of the present minute whose client is not known or asks too often.
    pub(crate) refusals: Refusals,
}

impl Server {
    /// The served type of this name.
    ///
    /// # Errors
    /// 404 when R4 has no such type or it is not served; 501 when an operation stands where the type belongs.
    pub(crate) fn resource_type(&self, name: &str) -> Result<ResourceType, Failure> {
        if name.starts_with('$') {
            return Err(unsupported::operation(name));
        }
        ResourceType::parse(name)
            .filter(|known| self.fhir.types.binary_search(known).is_ok())
            .ok_or_else(Failure::unknown_type)
    }
}

/// Every resource type of R4, for [`Fhir::types`].
pub fn every_type() -> Vec<ResourceType> {
    fhir::r4().resource_names().filter_map(ResourceType::parse).collect()
}

/// `/fhir` of the clinical role: identified resources, every search parameter of R4 that has an index, histories.
#[cfg(feature = "clinical")]
pub fn clinical(fhir: Fhir) -> Router {
    router(fhir, &CLINICAL)
}

/// `/fhir` of the portal role: de-identified resources, search by codes, references and years, time to the year.
pub fn portal(fhir: Fhir) -> Router {
    router(fhir, &PORTAL)
}

fn router(mut fhir: Fhir, role: &'static Role) -> Router {
    fhir.types.sort_unstable();
    fhir.types.dedup();
    let (metrics, origins) = (fhir.metrics.clone(), fhir.origins.clone());
    let writes = capabilities::writes(&fhir, role);
    let (exports, denials) = (export::Jobs::default(), Denials::default());
    let (capabilities, openapi) = (Stated::default(), Stated::default());
    let refusals = Refusals::new(fhir.access.clone(), fhir.node.clone(), fhir.now_us);
    let server = Arc::new(Server { fhir, role, capabilities, openapi, exports, denials, refusals });
    let guarded = guarded(writes).layer(from_fn_with_state(server.clone(), require));
    let open = open().fallback(|| async { Failure::unknown_route() });
    let open = open.layer(from_fn_with_state(server.clone(), open_to_all));
    let all = guarded.merge(open).layer(from_fn(packed::answers));
    let all = all.layer(from_fn_with_state(server.clone(), head::within));
    let routes = origins.around(all.with_state(server));
    // As a service: `/fhir/` is the base as well, to which clients join what is to be done.
    Router::new().nest_service("/fhir", edge::around(routes, metrics))
}

/// The routes that need a token.
pub(crate) fn guarded(writes: bool) -> Router<Arc<Server>> {
    let reading = Router::new()
        .route("/", get(unsupported::system_search))
        .route("/_search", post(unsupported::system_search))
        .route("/_history", get(history::of_system))
        .route("/$export", get(export::of_system).post(export::of_system))
        .route("/$export/{id}", get(export::status).delete(export::end))
        .route("/$export/{id}/{file}", get(export::fetch))
        .route("/Patient/$export", get(export::of_patients).post(export::of_patients))
        .route("/Group/{id}/$export", get(export::of_group).post(export::of_group))
        .route("/$graphql", get(unsupported::graphql).post(unsupported::graphql))
        .route("/{type}/{id}/$graphql", get(unsupported::graphql))
        .route("/{type}", get(search::by_get))
        .route("/{type}/_search", post(search::by_post))
        .route("/{type}/_history", get(history::of_type))
        .route("/{type}/{id}", get(read::read).post(unsupported::posted_to_one))
        .route("/{type}/{id}/$everything", get(everything::everything))
        .route("/{type}/{id}/{of}", get(compartment::search).post(unsupported::posted_below))
        .route("/{type}/{id}/_history", get(history::of_resource))
        .route("/{type}/{id}/_history/{version}", get(vread::vread));
    changing(reading, writes)
}

/// The routes that need none.
pub(crate) fn open() -> Router<Arc<Server>> {
    Router::new()
        .route("/metadata", get(capabilities::capabilities))
        .route("/openapi.json", get(openapi::openapi))
        .route("/.well-known/smart-configuration", get(smart_configuration))
}

/// The routes by which resources are changed; on a node that changes none, they say so.
#[cfg(feature = "clinical")]
fn changing(router: Router<Arc<Server>>, writes: bool) -> Router<Arc<Server>> {
    if !writes {
        return not_changing(router);
    }
    let of_type =
        post(create::create).put(update::conditional).patch(patch::conditional).delete(delete::conditional);
    let of_one = axum::routing::put(update::update).patch(patch::patch).delete(delete::delete);
    router
        .route("/", post(batch::batch))
        .route("/{type}", of_type)
        .route("/{type}/{id}", of_one)
        .route("/{type}/$validate", post(validate::of_type))
        .route("/{type}/{id}/$validate", post(validate::of_resource))
        .route("/{type}/{id}/$meta", get(meta::meta))
}

#[cfg(not(feature = "clinical"))]
fn changing(router: Router<Arc<Server>>, _: bool) -> Router<Arc<Server>> {
    not_changing(router)
}

fn not_changing(router: Router<Arc<Server>>) -> Router<Arc<Server>> {
    router.route("/", any(not_served)).route("/{type}", post(unsupported::posted_to_type))
}

/// 405 of an address where nothing is done at all.
async fn not_served() -> impl axum::response::IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "")])
}
