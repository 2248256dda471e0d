//! Arguments of the commands with which a node is operated, tried and measured.

use std::path::PathBuf;

use clap::Args;
#[cfg(all(feature = "clinical", feature = "portal"))]
use {clap::Subcommand, clap::ValueEnum};
#[cfg(feature = "clinical")]
use {std::net::IpAddr, std::time::Duration};

/// `tidegate doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Configuration of the node; without it only this machine is looked at.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only ask the running node whether it is ready; exit 69 when it is not.
    #[arg(long, requires = "config")]
    pub ready: bool,
}

/// How `tidegate listen` answers.
#[cfg(feature = "clinical")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answering {
    /// `AA`.
    Accept,
    /// `AE`.
    Error,
    /// `AR`.
    Reject,
    /// Not at all.
    Silent,
    /// `AA`, this much later.
    Late(Duration),
    /// By closing the connection.
    Close,
    /// `AA` for another message than the one that came.
    WrongId,
}

#[cfg(feature = "clinical")]
impl std::str::FromStr for Answering {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "AA" => Self::Accept,
            "AE" => Self::Error,
            "AR" => Self::Reject,
            "none" => Self::Silent,
            "close" => Self::Close,
            "wrong-id" => Self::WrongId,
            _ => {
                let seconds = text.strip_prefix("delay=").and_then(|rest| rest.strip_suffix('s'));
                let seconds = seconds.and_then(|seconds| seconds.parse().ok()).filter(|s| *s <= 3_600);
                let words = "use AA, AE, AR, none, delay=5s, close or wrong-id";
                Self::Late(Duration::from_secs(seconds.ok_or(words)?))
            }
        })
    }
}

/// `tidegate listen`.
#[cfg(feature = "clinical")]
#[derive(Debug, Args)]
pub struct ListenArgs {
    /// Port to listen on; 0 takes a free one and says which.
    pub port: u16,
    /// How to answer: AA, AE, AR, none, delay=5s, close, wrong-id.
    #[arg(long, value_name = "HOW", default_value = "AA")]
    pub ack: Answering,
    /// End after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Write each message as it came into this folder, user-only. What lies there is patient data if what came is.
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Address to listen on. Beyond loopback what comes is readable on the network: there is no TLS here.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,
}

/// `tidegate bench`.
#[cfg(all(feature = "clinical", feature = "portal"))]
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub command: BenchCommand,
}

/// The measurements.
#[cfg(all(feature = "clinical", feature = "portal"))]
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// The disk, the writer and a whole node that takes in messages, in one run, as ratios to each other.
    #[command(
        after_help = "Examples:\n  tidegate bench ingest --data /var/tmp\n  tidegate bench ingest --seconds 5 --runs 3 --connections 1,8 --output json\n  tidegate bench ingest --connections 1 --window 256"
    )]
    Ingest(IngestArgs),
    /// FHIR REST of a whole node over resources that it makes, and the database's own figures, in one run.
    #[command(
        after_help = "Examples:\n  tidegate bench rest --data /var/tmp\n  tidegate bench rest --resources 1000000 --output json"
    )]
    Rest(RestArgs),
}

/// Output of `tidegate bench`.
#[cfg(all(feature = "clinical", feature = "portal"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchOutput {
    /// For people.
    Table,
    /// One JSON object.
    Json,
}

/// `tidegate bench ingest`.
#[cfg(all(feature = "clinical", feature = "portal"))]
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Folder on the disk to measure; a temporary folder is made in it and removed.
    #[arg(long, default_value = ".")]
    pub data: PathBuf,
    /// Seconds of load of each figure.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Runs; what is shown is the median, with lowest and highest.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub runs: u32,
    /// Connections at once, a figure for each.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub connections: Vec<u16>,
    /// Messages that a connection may have unanswered; beyond 1 it sends ahead, and answers must come in order.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub window: u16,
    /// What to write.
    #[arg(long, value_enum, default_value = "table")]
    pub output: BenchOutput,
    /// Mapping package.
    #[arg(long, default_value = "mappings")]
    pub mappings: PathBuf,
    /// Profiles.
    #[arg(long, default_value = "profiles")]
    pub profiles: PathBuf,
}

/// `tidegate bench rest`.
#[cfg(all(feature = "clinical", feature = "portal"))]
#[derive(Debug, Args)]
pub struct RestArgs {
    /// Folder on the disk to measure; a temporary folder is made in it and removed.
    #[arg(long, default_value = ".")]
    pub data: PathBuf,
    /// Resources in the store when reads are measured, in patients of 100.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    pub resources: u32,
    /// Seconds of load of each figure.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Runs; what is shown is the median, with lowest and highest.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub runs: u32,
    /// Connections at once.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub connections: u16,
    /// What to write.
    #[arg(long, value_enum, default_value = "table")]
    pub output: BenchOutput,
    /// Mapping package.
    #[arg(long, default_value = "mappings")]
    pub mappings: PathBuf,
    /// Profiles.
    #[arg(long, default_value = "profiles")]
    pub profiles: PathBuf,
}
