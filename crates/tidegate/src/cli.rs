//! The command line: one noun or verb a command, data on stdout, words on stderr.

#[cfg(feature = "clinical")]
mod node;
mod operations;
#[cfg(feature = "clinical")]
mod packages;
#[cfg(feature = "clinical")]
mod retention;

#[cfg(feature = "clinical")]
pub use node::{FindArgs, MessageArgs, MessageCommand, NodeArgs, NodeOutput, ReplayArgs, ShowArgs};
pub use operations::DoctorArgs;
#[cfg(feature = "clinical")]
pub use operations::{Answering, ListenArgs};
#[cfg(all(feature = "clinical", feature = "portal"))]
pub use operations::{BenchArgs, BenchCommand, BenchOutput, IngestArgs, RestArgs};
#[cfg(feature = "clinical")]
pub use packages::{
    CodesArgs, CodesCommand, DiffArgs, ExplainArgs, ExplainFormat, ExportArgs, ImportArgs, ListArgs, MapArgs,
    MapFormat, ReportOutput, SchemaArgs, TestArgs,
};
#[cfg(feature = "clinical")]
pub use retention::{
    HoldArgs, HoldCommand, JournalArgs, JournalCommand, JournalVerifyArgs, OnNode, RetentionArgs,
    RetentionCommand,
};

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Healthcare interoperability engine: HL7 v2 in, FHIR R4 on-prem, de-identified in the cloud, audited.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start an on-prem and a cloud node on this machine and feed them synthetic messages.
    #[command(after_help = "Examples:\n  tidegate demo\n  tidegate demo --check")]
    #[cfg(all(feature = "clinical", feature = "portal"))]
    Demo(DemoArgs),
    /// Make configuration and keys for an on-prem and a cloud node that trust each other.
    #[command(after_help = "Examples:\n  tidegate init site\n  tidegate init site --link 10.0.0.5:9443")]
    Init(Box<InitArgs>),
    /// Run one node.
    #[command(
        after_help = "Examples:\n  tidegate run -c site/onprem.yaml\n  tidegate run -c site/cloud.yaml"
    )]
    Run(RunArgs),
    /// Prove a configuration, its mappings and its profiles without opening a port.
    #[command(
        after_help = "Examples:\n  tidegate check -c site/onprem.yaml\n  tidegate check -c deploy/cloud.yaml"
    )]
    Check(ConfigArgs),
    /// Translate HL7 v2 to FHIR on stdout; issues go to stderr; exit 1 when a message was rejected.
    #[command(
        after_help = "Examples:\n  tidegate map fixtures/ADT_A01\n  tidegate map --format trace message.hl7"
    )]
    #[cfg(feature = "clinical")]
    Map(MapArgs),
    /// Explain a message field by field: where each value went, and why what is missing is missing.
    #[command(
        after_help = "Examples:\n  tidegate explain --field PID-8 fixtures/ADT_A03/discharge-home.hl7\n  tidegate explain --element Patient.deceased fixtures/ADT_A03/discharge-home.hl7\n  tidegate explain -c site/onprem.yaml --token-file admin.token --reveal mapping-problem 018f0000-0000-7000-8000-000000000001\n\nWhat it writes holds patient data, as the message does."
    )]
    #[cfg(feature = "clinical")]
    Explain(ExplainArgs),
    /// Run the tests that stand beside mappings and profiles, and count the rules that they run.
    #[command(
        after_help = "Examples:\n  tidegate test\n  tidegate test mappings\n  tidegate test --rules mappings\n  tidegate test --files --rules-min 90 mappings"
    )]
    #[cfg(feature = "clinical")]
    Test(TestArgs),
    /// Compare what two mapping packages make of messages: exit 0 when it is the same, 1 when not.
    #[command(
        after_help = "Examples:\n  tidegate diff --with changed fixtures\n  tidegate diff --with changed -c site/onprem.yaml --since 24h\n\nIt shows types, elements and counts, and values only with --show-values. Of a node it only reads, while it runs too."
    )]
    #[cfg(feature = "clinical")]
    Diff(DiffArgs),
    /// Code tables of a mapping package, as FHIR ConceptMaps and back.
    #[command(
        after_help = "Examples:\n  tidegate codes list\n  tidegate codes export administrative-gender\n  tidegate codes import map.json > mappings/codes/map.yaml"
    )]
    #[cfg(feature = "clinical")]
    Codes(CodesArgs),
    /// Write JSON Schemas of the files of a mapping package, with which an editor completes and checks.
    #[command(after_help = "Examples:\n  tidegate schema\n  tidegate schema --out .schemas")]
    #[cfg(feature = "clinical")]
    Schema(SchemaArgs),
    /// De-identify FHIR JSON or NDJSON; refuses what the profile does not cover.
    #[command(
        after_help = "Examples:\n  tidegate deid --profile safe-harbor-us patient.json\n  tidegate map a.hl7 --format ndjson | tidegate deid --profile safe-harbor-us"
    )]
    #[cfg(feature = "clinical")]
    Deid(DeidArgs),
    /// Send HL7 v2 over MLLP and show each acknowledgment with its latency.
    #[command(
        after_help = "Examples:\n  tidegate send 127.0.0.1:2575 fixtures/ADT_A01\n  tidegate gen --count 100 | tidegate send 127.0.0.1:2575\n  tidegate send --as-batch 127.0.0.1:2575 fixtures/ADT_A01\n  tidegate send 127.0.0.1:2575 --accept-ack AL --application-ack AL fixtures/ADT_A01\n\nIt waits for each acknowledgment that MSH-15 and MSH-16 ask for, and shows each on a line of its own. One that is asked for on error or on success only may not come; it waits for the time of --timeout then."
    )]
    #[cfg(feature = "clinical")]
    Send(SendArgs),
    /// Write a seeded, synthetic feed to stdout.
    #[command(
        after_help = "Examples:\n  tidegate gen --seed 7 --count 20\n  tidegate gen --feed pharmacy --count 5\n  tidegate gen --people 5 --manifest sent.json"
    )]
    #[cfg(feature = "clinical")]
    Gen(GenArgs),
    /// Verify, search or export the ledger of a node.
    #[command(
        after_help = "Examples:\n  tidegate audit verify -c site/onprem.yaml --witness http://127.0.0.1:8081\n  tidegate audit export -c site/onprem.yaml > ledger.ndjson"
    )]
    Audit(AuditArgs),
    /// Receive HL7 v2 over MLLP, show what comes, and answer as told: to try a sender with.
    #[command(
        after_help = "Examples:\n  tidegate listen 2600\n  tidegate listen 2600 --ack delay=5s --count 10 --save received\n\nIt shows type, control id and size of each message, never its content."
    )]
    #[cfg(feature = "clinical")]
    Listen(ListenArgs),
    /// Measure what this machine and this build can do, as ratios.
    #[command(
        after_help = "Examples:\n  tidegate bench ingest\n  tidegate bench ingest --data /var/tmp --output json"
    )]
    #[cfg(all(feature = "clinical", feature = "portal"))]
    Bench(BenchArgs),
    /// Look at a node's configuration, keys, disk, ports, certificates and link, and say how to mend what is wrong.
    #[command(
        after_help = "Examples:\n  tidegate doctor -c site/onprem.yaml\n  tidegate doctor --ready -c site/cloud.yaml\n\nExit 0: nothing fails. 1: something does. 78: the configuration cannot work."
    )]
    Doctor(DoctorArgs),
    /// Find and show messages of a running node.
    #[command(
        after_help = "Examples:\n  tidegate msg find -c site/onprem.yaml --token-file admin.token type:ADT status:quarantined\n  tidegate msg show -c site/onprem.yaml --token-file admin.token 018f0000-0000-7000-8000-000000000001 --trace"
    )]
    #[cfg(feature = "clinical")]
    Msg(MessageArgs),
    /// Process the messages of a query again, on a running node, or tell what that would change.
    #[command(
        after_help = "Examples:\n  tidegate replay -c site/onprem.yaml --token-file admin.token --where reason:unsupported-type --dry-run\n  tidegate replay -c site/onprem.yaml --token-file admin.token --where reason:unsupported-type --yes"
    )]
    #[cfg(feature = "clinical")]
    Replay(ReplayArgs),
    /// Compile and test the mapping package of a running node beside the one in force, and put it into force; exit 1 with
    /// the places when anything is wrong with it, and the one in force stays.
    #[command(
        after_help = "Examples:\n  tidegate reload -c site/onprem.yaml --token-file admin.token\n  tidegate reload --node http://127.0.0.1:8080 --token-file admin.token --output json"
    )]
    #[cfg(feature = "clinical")]
    Reload(OnNode),
    /// What of the journal is old enough to go, and what keeps the rest, on a running node.
    #[command(
        after_help = "Examples:\n  tidegate retention plan -c site/onprem.yaml --token-file admin.token\n  tidegate retention apply -c site/onprem.yaml --token-file admin.token --yes"
    )]
    #[cfg(feature = "clinical")]
    Retention(RetentionArgs),
    /// Legal holds on months of the journal, on a running node.
    #[command(
        after_help = "Examples:\n  tidegate hold add -c site/onprem.yaml --token-file admin.token --month 2026-01 --reason litigation\n  tidegate hold list -c site/onprem.yaml --token-file admin.token"
    )]
    #[cfg(feature = "clinical")]
    Hold(HoldArgs),
    /// The journal's files.
    #[command(after_help = "Examples:\n  tidegate journal verify -c site/onprem.yaml")]
    #[cfg(feature = "clinical")]
    Journal(JournalArgs),
    /// Write a completion script for a shell to stdout.
    #[command(
        after_help = "Examples:\n  tidegate completions bash > ~/.local/share/bash-completion/completions/tidegate\n  tidegate completions fish > ~/.config/fish/completions/tidegate.fish"
    )]
    Completions(CompletionsArgs),
}

/// A shell for which completions can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// Z shell.
    Zsh,
    /// fish.
    Fish,
}

/// `tidegate completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Whose completions.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `tidegate demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Tell the whole story once, check every part of it, and exit 0 or 1.
    #[arg(long)]
    pub check: bool,
    /// Start the nodes without feeding them.
    #[arg(long)]
    pub no_feed: bool,
    /// Folder of the demo; a new temporary one when absent.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// On-prem HTTP.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,
    /// Cloud HTTP.
    #[arg(long, default_value = "127.0.0.1:8081")]
    pub cloud_http: SocketAddr,
    /// On-prem MLLP of EMR and laboratory; pharmacy and payer have the next two ports.
    #[arg(long, default_value = "127.0.0.1:2575")]
    pub mllp: SocketAddr,
    /// Cloud link listener; a free port when absent.
    #[arg(long)]
    pub link: Option<SocketAddr>,
    /// Mapping package.
    #[arg(long, default_value = "mappings")]
    pub mappings: PathBuf,
    /// Profiles.
    #[arg(long, default_value = "profiles")]
    pub profiles: PathBuf,
}

/// `tidegate init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Folder to make the pair in.
    pub folder: PathBuf,
    /// On-prem HTTP.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,
    /// Cloud HTTP.
    #[arg(long, default_value = "127.0.0.1:8081")]
    pub cloud_http: SocketAddr,
    /// On-prem MLLP of EMR and laboratory; pharmacy and payer have the next two ports.
    #[arg(long, default_value = "127.0.0.1:2575")]
    pub mllp: SocketAddr,
    /// Cloud link listener.
    #[arg(long, default_value = "127.0.0.1:9443")]
    pub link: SocketAddr,
    /// Mapping package.
    #[arg(long, default_value = "mappings")]
    pub mappings: PathBuf,
    /// Profiles.
    #[arg(long, default_value = "profiles")]
    pub profiles: PathBuf,
    /// Keep what the on-prem node has in this database of PostgreSQL; the host may be the folder of a socket.
    #[arg(long, value_name = "USER@HOST[:PORT]/DATABASE")]
    pub postgres: Option<crate::init::OnPostgres>,
    /// CA of that server's certificate, PEM; needed when it is on another machine.
    #[arg(long, value_name = "FILE", requires = "postgres")]
    pub postgres_ca: Option<PathBuf>,
}

/// A configuration file.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Configuration of the node.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `tidegate run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Configuration of the node.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Stop when stdin closes (for a parent process).
    #[arg(long)]
    pub until_stdin_closes: bool,
}

/// `tidegate deid`.
#[derive(Debug, Args)]
pub struct DeidArgs {
    /// Files; stdin when none.
    pub files: Vec<PathBuf>,
    /// Profile id.
    #[arg(long)]
    pub profile: String,
    /// Profiles.
    #[arg(long, default_value = "profiles")]
    pub profiles: PathBuf,
    /// 64 hexadecimal digits from which pseudonyms are derived; without it a throw-away random map.
    #[arg(long)]
    pub key_file: Option<PathBuf>,
}

/// `tidegate send`.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// `HOST:PORT` of the listener.
    pub address: String,
    /// Files or folders; stdin when none.
    pub files: Vec<PathBuf>,
    /// Seconds to wait for each acknowledgment.
    #[arg(long, default_value_t = 10)]
    pub timeout: u64,
    /// Send all messages as one batch (BHS to BTS) in one frame, instead of each in a frame of its own; envelopes that
    /// the input has stay as they are.
    #[arg(long)]
    pub as_batch: bool,
    /// MSH-15: when a commit acknowledgment is asked for. It replaces what the messages say.
    #[arg(long, value_enum, conflicts_with = "as_batch")]
    pub accept_ack: Option<AckAsked>,
    /// MSH-16: when an application acknowledgment is asked for. It replaces what the messages say.
    #[arg(long, value_enum, conflicts_with = "as_batch")]
    pub application_ack: Option<AckAsked>,
}

/// Conditions of table 0155.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AckAsked {
    /// Always.
    #[value(name = "AL")]
    Always,
    /// Never.
    #[value(name = "NE")]
    Never,
    /// On error or reject only.
    #[value(name = "ER")]
    ErrorOnly,
    /// On success only.
    #[value(name = "SU")]
    SuccessOnly,
}

impl AckAsked {
    /// As it stands in the header.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Always => "AL",
            Self::Never => "NE",
            Self::ErrorOnly => "ER",
            Self::SuccessOnly => "SU",
        }
    }
}

/// Systems of `tidegate gen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GenFeed {
    /// Admission, transfer, discharge, identity: ADT.
    Emr,
    /// Results: ORU.
    Lab,
    /// Prescriptions and dispenses: RDE, RDS.
    Pharmacy,
    /// Charges with their insurance: DFT.
    Payer,
    /// All four, in the order in which things happen.
    All,
}

/// `tidegate gen`.
#[derive(Debug, Args)]
pub struct GenArgs {
    /// Seed: the same seed gives the same bytes.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Messages to write.
    #[arg(long, default_value_t = 10, conflicts_with = "people")]
    pub count: usize,
    /// All messages of this many people instead.
    #[arg(long)]
    pub people: Option<u32>,
    /// Whose messages.
    #[arg(long, value_enum, default_value = "all")]
    pub feed: GenFeed,
    /// Write what the feed says about people here, for a leak scan (with `--people`).
    #[arg(long, requires = "people")]
    pub manifest: Option<PathBuf>,
}

/// `tidegate audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// The ledger commands.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check every record, checkpoint and the witness; exit 10 when the ledger is broken.
    Verify(VerifyArgs),
    /// Records of one message, kind or time as NDJSON.
    Search(SearchArgs),
    /// All leaves and checkpoints as NDJSON.
    Export(ConfigArgs),
}

/// `tidegate audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Configuration of the node.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Another data folder than the configuration's (a copy, a backup).
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Whose checkpoint to compare with: the cloud node's URL, or a file with its signed note.
    #[arg(long, value_name = "URL|FILE")]
    pub witness: Option<String>,
}

/// `tidegate audit search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Configuration of the node.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Only records of this message (journal id).
    #[arg(long)]
    pub message: Option<uuid::Uuid>,
    /// Only records of this kind (`message.applied`).
    #[arg(long)]
    pub kind: Option<String>,
}
