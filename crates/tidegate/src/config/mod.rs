//! One node's configuration: one YAML file, parsed whole into types before any port opens; unknown keys are errors.

mod acknowledging;
mod binds;
mod channels;
mod destinations;
mod limits;
mod load;
mod search_parameters;
mod smart;
mod storage;

pub use acknowledging::{Acknowledge, ApplicationAcknowledgments, ProcessingId, Sender, UnknownTypes};
pub use destinations::{Dial, DialPlaintext, DialTls, Exchange, Meaning, Response};
pub use limits::{ClientLimit, Limits, PeerLimit, SignInLimit};
pub use load::{Problem, load};
pub use search_parameters::SearchParameters;
pub use smart::{Discovery, Smart, SmartClient, SmartServer, TrustedIssuer};
pub use storage::{Postgres, PostgresTls, Store};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// A node. Paths are relative to the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which side of the boundary this node is.
    pub role: Role,
    /// Name in the ledger, in receipts and in metrics: letters, digits, `-`.
    pub node: String,
    /// Folder of the stores; made when absent.
    pub data: PathBuf,
    /// Where everything is kept; absent: in files of `data`.
    #[serde(default)]
    pub store: Option<Store>,
    /// Folder that `tidegate init` made; user-only.
    pub keys: PathBuf,
    /// FHIR REST, console, health and metrics.
    pub http: Http,
    /// HL7 v2 listeners (clinical role).
    #[serde(default)]
    pub mllp: Vec<Mllp>,
    /// Folders into which partners drop files of HL7 v2 (clinical role).
    #[serde(default)]
    pub folders: Vec<Folder>,
    /// Mapping package (clinical role).
    #[serde(default)]
    pub mappings: Option<PathBuf>,
    /// De-identification profiles, residency policy.
    pub profiles: PathBuf,
    /// Where each destination of the policy is dialled (clinical role).
    #[serde(default)]
    pub destinations: BTreeMap<String, Dial>,
    /// The listener that on-prem nodes dial (portal role).
    #[serde(default)]
    pub link: Option<LinkListener>,
    /// How long the journal keeps what came in (clinical role); absent: for ever.
    #[serde(default)]
    pub retention: Option<Retention>,
    /// Who may ask the FHIR surface by SMART App Launch.
    #[serde(default)]
    pub smart: Smart,
    /// Search parameters beside those of R4.
    #[serde(default)]
    pub search_parameters: SearchParameters,
    /// Logging.
    #[serde(default)]
    pub log: Log,
    /// A demo: every listener on loopback, and the console may send made-up bad input to the node's own listeners
    /// (clinical role).
    #[serde(default)]
    pub demo: bool,
}

/// Which side of the boundary a node is; two roles are two processes with two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// On-prem: holds PHI.
    Clinical,
    /// Cloud: never holds PHI.
    Portal,
}

/// The HTTP listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address; beyond loopback it needs `tls`.
    pub listen: SocketAddr,
    /// Address by which clients know the node (`https://fhir.example`), without a slash at its end; absent: that of `listen`.
    /// Links, and the audience of SMART tokens, begin with it.
    #[serde(default)]
    pub url: Option<String>,
    /// Server certificate.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Where application acknowledgments of what is posted to `/hl7v2` go; absent: none is given.
    #[serde(default)]
    pub application_acknowledgments: Option<ApplicationAcknowledgments>,
    /// How much each client may ask for.
    #[serde(default)]
    pub limits: Limits,
    /// Origins of apps in a browser that may ask the FHIR surface; empty: none.
    #[serde(default)]
    pub origins: Vec<String>,
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
    /// CA that client certificates must come from; absent: no client certificate is asked for.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

/// One MLLP listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mllp {
    /// Channel name, as the console shows it.
    pub name: String,
    /// Address; beyond loopback it needs `tls` or `plaintext`.
    pub listen: SocketAddr,
    /// Server certificate, and the CA of senders.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Leave to listen without TLS beyond loopback.
    #[serde(default)]
    pub plaintext: Option<Plaintext>,
    /// Longest frame, in bytes.
    #[serde(default = "default_frame_bytes_max")]
    pub frame_bytes_max: usize,
    /// How a batch (FHS, BHS) in one frame is answered.
    #[serde(default)]
    pub batch: BatchReply,
    /// Connections at once.
    #[serde(default = "default_connections_max")]
    pub connections_max: usize,
    /// Messages of one connection that are not answered yet; with as many, no more is read of it.
    #[serde(default = "default_in_flight_max")]
    pub in_flight_max: usize,
    /// How messages are marked in the stream.
    #[serde(default)]
    pub framing: Framing,
    /// What becomes of a connection that sends bytes outside of frames.
    #[serde(default)]
    pub outside: Outside,
    /// What becomes of a sender's older connection when its address connects again.
    #[serde(default)]
    pub same_peer: SamePeer,
    /// Silence, in milliseconds, after which a frame without its last byte is taken, and bytes outside of frames are
    /// reported.
    #[serde(default = "default_end_silence_ms")]
    pub end_silence_ms: u64,
    /// Longest time from a frame's first byte to its last, in seconds.
    #[serde(default = "default_frame_seconds_max")]
    pub frame_seconds_max: u64,
    /// Longest time in which a sender takes no byte of its answers, in seconds.
    #[serde(default = "default_write_seconds_max")]
    pub write_seconds_max: u64,
    /// Silence, in seconds, after which a connection is closed; absent: never.
    #[serde(default)]
    pub idle_seconds_max: Option<u64>,
    /// Silence, in seconds, after which the system probes whether the sender is still there.
    #[serde(default = "default_keepalive_seconds")]
    pub keepalive_seconds: u64,
    /// When original mode is answered.
    #[serde(default)]
    pub acknowledge: Acknowledge,
    /// With `acknowledge: applied`: seconds after which a sender whose message is not applied yet is told so.
    #[serde(default = "acknowledging::default_applied_seconds_max")]
    pub applied_seconds_max: u64,
    /// Where application acknowledgments go; absent: the connection that their message came by.
    #[serde(default)]
    pub application_acknowledgments: Option<ApplicationAcknowledgments>,
    /// What becomes of a message whose type has no mapping.
    #[serde(default)]
    pub unknown_types: UnknownTypes,
    /// MSH-11 codes that are accepted; an empty MSH-11 always is.
    #[serde(default = "acknowledging::every_processing_id")]
    pub processing_ids: Vec<ProcessingId>,
    /// Character set of a message that names none (MSH-18 empty); absent: UTF-8.
    #[serde(default)]
    pub default_charset: Option<String>,
    /// Which senders (MSH-3, MSH-4) may send from where; empty: all from everywhere.
    #[serde(default)]
    pub senders: Vec<Sender>,
}

/// The bytes around a message, each as two hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framing {
    /// MLLP release 1, or 2, in which each frame is committed by a block of its own.
    #[serde(default = "default_release")]
    pub release: u8,
    /// Before the message.
    #[serde(default = "default_start")]
    pub start: String,
    /// After it.
    #[serde(default = "default_end")]
    pub end: String,
    /// After that; empty: nothing.
    #[serde(default = "default_after_end")]
    pub after_end: String,
}

/// What becomes of a connection that sends bytes outside of frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    /// Closed when no frame has come on it.
    #[default]
    Close,
    /// Kept open.
    Keep,
}

/// What becomes of a sender's older connection when its address connects again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SamePeer {
    /// They stand beside each other.
    #[default]
    Parallel,
    /// The older one ends.
    Replace,
}

/// How a batch in one frame is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchReply {
    /// In one frame: a batch acknowledgment with the acknowledgment of each message.
    #[default]
    Batch,
    /// In one frame for each message.
    Each,
}

/// One folder into which files are dropped; each file is taken once it was renamed into place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// Channel name, as the console shows it.
    pub name: String,
    /// Where partners drop files; names that begin with `.` or end in `.tmp` or `.part` are left alone.
    pub path: PathBuf,
    /// Where a file goes when all of it was accepted, with `NAME.ack` beside it.
    pub archive: PathBuf,
    /// Where it goes when something was refused or does not agree, with `NAME.ack` and `NAME.report.json`.
    pub errors: PathBuf,
    /// Only names that fit, with `*` and `?`.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Longest message, in bytes; of a longer one the beginning is kept and refused.
    #[serde(default = "default_frame_bytes_max")]
    pub message_bytes_max: usize,
    /// Character set of a message that names none (MSH-18 empty); absent: UTF-8.
    #[serde(default)]
    pub default_charset: Option<String>,
}

/// Why a listener may go without TLS, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plaintext {
    /// Networks (`10.1.2.0/24`) that may connect.
    pub allow: Vec<String>,
    /// Why; stands in the console and the ledger.
    pub reason: String,
}

/// The link listener; always mutual TLS with the keys of `init`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkListener {
    /// Address.
    pub listen: SocketAddr,
    /// Destination id under which the on-prem policy knows this node.
    pub destination: String,
    /// Region in which this node stores.
    pub region: String,
}

/// How long the journal keeps what came in. What is on hold, waits or is owed stays whatever its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Whole months before the current one that stay, 1 at least; older ones are dropped.
    pub journal_months: u32,
    /// Days for which the queue shows what a system of the hospital took, 1 at least.
    #[serde(default = "default_forward_days")]
    pub forward_days: u32,
}

/// Logging: to stderr, route templates and ids only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// One JSON object a line, or text.
    #[serde(default)]
    pub format: LogFormat,
    /// Least level.
    #[serde(default)]
    pub level: LogLevel,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LogLevel::Info }
    }
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text.
    #[default]
    Text,
}

/// Least level that is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only errors.
    Error,
    /// And warnings.
    Warn,
    /// And events.
    #[default]
    Info,
    /// And details.
    Debug,
}

fn default_forward_days() -> u32 {
    90
}

fn default_frame_bytes_max() -> usize {
    16 << 20
}

fn default_connections_max() -> usize {
    1_000
}

fn default_in_flight_max() -> usize {
    64
}

fn default_end_silence_ms() -> u64 {
    500
}

fn default_frame_seconds_max() -> u64 {
    60
}

fn default_write_seconds_max() -> u64 {
    30
}

fn default_keepalive_seconds() -> u64 {
    60
}

fn default_release() -> u8 {
    1
}

fn default_start() -> String {
    "0B".to_owned()
}

fn default_end() -> String {
    "1C".to_owned()
}

fn default_after_end() -> String {
    "0D".to_owned()
}

impl Default for Framing {
    fn default() -> Self {
        let (start, end, after_end) = (default_start(), default_end(), default_after_end());
        Self { release: default_release(), start, end, after_end }
    }
}
