//! Arguments of the commands that ask a running node.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which running node, and who asks.
#[derive(Debug, Args)]
pub struct NodeArgs {
    /// Configuration of the node; says where it listens.
    #[arg(short, long, value_name = "FILE", conflicts_with = "node")]
    pub config: Option<PathBuf>,
    /// Address of the node, on loopback.
    #[arg(long, value_name = "URL")]
    pub node: Option<String>,
    /// File with a token of the admin API; or the variable TIDEGATE_TOKEN_FILE names it.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NodeOutput {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
}

/// `tidegate msg`.
#[derive(Debug, Args)]
pub struct MessageArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: MessageCommand,
}

/// The commands on messages.
#[derive(Debug, Subcommand)]
pub enum MessageCommand {
    /// Messages of a query, newest first; exit 1 when there are none.
    #[command(
        after_help = "Examples:\n  tidegate msg find --node http://127.0.0.1:8080 --token-file admin.token mrn:4711 since:2d\n  tidegate msg find -c site/onprem.yaml --token-file admin.token --output ndjson status:quarantined"
    )]
    Find(FindArgs),
    /// One message with what came of it; values only for a reason.
    #[command(
        after_help = "Examples:\n  tidegate msg show -c site/onprem.yaml --token-file admin.token 018f0000-0000-7000-8000-000000000001\n  tidegate msg show -c site/onprem.yaml --token-file admin.token 018f0000-0000-7000-8000-000000000001 --raw --reveal mapping-problem"
    )]
    Show(ShowArgs),
}

/// `tidegate msg find`.
#[derive(Debug, Args)]
pub struct FindArgs {
    /// Terms: mrn: visit: acc: ord: ctl: from: type: status: reason: channel: since: until:, or words.
    #[arg(required = true)]
    pub query: Vec<String>,
    /// Most messages.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// Which node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Form of the answer.
    #[arg(long, value_enum, default_value = "table")]
    pub output: NodeOutput,
}

/// `tidegate msg show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Id of the message.
    pub id: uuid::Uuid,
    /// The bytes as received; needs --reveal.
    #[arg(long, requires = "reveal", conflicts_with_all = ["fhir", "trace"])]
    pub raw: bool,
    /// The resources that it wrote, one a line; needs --reveal.
    #[arg(long, requires = "reveal", conflicts_with = "trace")]
    pub fhir: bool,
    /// Which field became which element by which rule, one a line.
    #[arg(long)]
    pub trace: bool,
    /// Show values, for this reason, which is recorded: delivery-problem, mapping-problem, patient-safety,
    /// patient-request, audit.
    #[arg(long, value_name = "REASON")]
    pub reveal: Option<String>,
    /// Which node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Form of the answer.
    #[arg(long, value_enum, default_value = "table")]
    pub output: NodeOutput,
}

/// `tidegate replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Which messages, as `tidegate msg find` takes them.
    #[arg(long = "where", value_name = "QUERY", required = true)]
    pub query: String,
    /// Only tell what would change; nothing is written.
    #[arg(long)]
    pub dry_run: bool,
    /// Instead, send the messages of a window (`since:`, `until:`) once more, as they are and in their order, to this
    /// destination alone.
    #[arg(long, value_name = "DESTINATION", conflicts_with = "dry_run")]
    pub to: Option<String>,
    /// Do not ask.
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Which node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Form of the answer.
    #[arg(long, value_enum, default_value = "table")]
    pub output: NodeOutput,
}
