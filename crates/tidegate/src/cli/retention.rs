//! Arguments of the commands on the journal's months: retention, legal holds, verification.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::node::{NodeArgs, NodeOutput};

/// `tidegate retention`.
#[derive(Debug, Args)]
pub struct RetentionArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RetentionCommand,
}

/// The commands on retention.
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// What would be dropped, and what keeps the rest; nothing is changed.
    #[command(
        after_help = "Examples:\n  tidegate retention plan -c site/onprem.yaml --token-file admin.token"
    )]
    Plan(OnNode),
    /// Drop what the plan says may go now, without waiting for the node to do it within the hour.
    #[command(
        after_help = "Examples:\n  tidegate retention apply -c site/onprem.yaml --token-file admin.token --yes"
    )]
    Apply(ApplyArgs),
}

/// Which node, and the form of its answer.
#[derive(Debug, Args)]
pub struct OnNode {
    /// Which node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Form of the answer.
    #[arg(long, value_enum, default_value = "table")]
    pub output: NodeOutput,
}

/// `tidegate retention apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// It cannot be taken back.
    #[arg(long, required = true)]
    pub yes: bool,
    /// Which node.
    #[command(flatten)]
    pub on: OnNode,
}

/// `tidegate hold`.
#[derive(Debug, Args)]
pub struct HoldArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: HoldCommand,
}

/// The commands on legal holds.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Keep a month, or every month with a message of a patient, whatever its age.
    #[command(
        after_help = "Examples:\n  tidegate hold add -c site/onprem.yaml --token-file admin.token --month 2026-01 --reason litigation\n  tidegate hold add -c site/onprem.yaml --token-file admin.token --patient-file number.txt --reason complaint"
    )]
    Add(HoldAddArgs),
    /// The holds that stand, with the months that each keeps.
    #[command(after_help = "Examples:\n  tidegate hold list -c site/onprem.yaml --token-file admin.token")]
    List(OnNode),
    /// End a hold.
    #[command(
        after_help = "Examples:\n  tidegate hold release -c site/onprem.yaml --token-file admin.token 3 --reason ended"
    )]
    Release(HoldReleaseArgs),
}

/// `tidegate hold add`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct HoldAddArgs {
    /// A month, YYYY-MM.
    #[arg(long, value_name = "MONTH", group = "what")]
    pub month: Option<String>,
    /// File with a number of the patient, as messages have it in PID-3; `-` is stdin.
    #[arg(long, value_name = "FILE", group = "what")]
    pub patient_file: Option<PathBuf>,
    /// Why: litigation, investigation, audit, complaint, research. Recorded.
    #[arg(long)]
    pub reason: String,
    /// Which node.
    #[command(flatten)]
    pub on: OnNode,
}

/// `tidegate hold release`.
#[derive(Debug, Args)]
pub struct HoldReleaseArgs {
    /// Number of the hold.
    pub hold: i64,
    /// Why: ended, or one of the reasons for which a hold is placed. Recorded.
    #[arg(long)]
    pub reason: String,
    /// Which node.
    #[command(flatten)]
    pub on: OnNode,
}

/// `tidegate journal`.
#[derive(Debug, Args)]
pub struct JournalArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: JournalCommand,
}

/// The commands on the journal's files.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Read every entry against its digest; exit 1 when one is not what was written. The node may run.
    #[command(
        after_help = "Examples:\n  tidegate journal verify -c site/onprem.yaml\n  tidegate journal verify -c site/onprem.yaml --month 2026-01"
    )]
    Verify(JournalVerifyArgs),
}

/// `tidegate journal verify`.
#[derive(Debug, Args)]
pub struct JournalVerifyArgs {
    /// Configuration of the node; says where it stores.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Only this month, YYYY-MM.
    #[arg(long)]
    pub month: Option<String>,
}
