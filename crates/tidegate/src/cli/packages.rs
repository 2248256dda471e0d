//! Arguments of the commands on mapping packages.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::NodeArgs;

/// Output of `tidegate map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MapFormat {
    /// One transaction Bundle a message.
    Bundle,
    /// One resource a line.
    Ndjson,
    /// Where every element came from.
    Trace,
    /// What became of every populated leaf (paths only).
    Coverage,
}

/// `tidegate map`.
#[derive(Debug, Args)]
pub struct MapArgs {
    /// Files or folders; stdin when none. A file may hold one message, a batch, or MLLP frames.
    pub files: Vec<PathBuf>,
    /// Mapping package.
    #[arg(long, default_value = "mappings")]
    pub mappings: PathBuf,
    /// Site overlay; matched by MSH-3 and MSH-4 when absent.
    #[arg(long)]
    pub site: Option<String>,
    /// What to write.
    #[arg(long, value_enum, default_value = "bundle")]
    pub format: MapFormat,
}

/// `tidegate test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Mapping package.
    #[arg(default_value = "mappings")]
    pub folder: PathBuf,
    /// Profiles.
    #[arg(long, default_value = "profiles")]
    pub profiles: PathBuf,
    /// List the rules that no test makes give a value, with the reason.
    #[arg(long, visible_alias = "uncovered")]
    pub rules: bool,
    /// List each file with how many of its rules tests make give a value, the least covered first.
    #[arg(long)]
    pub files: bool,
    /// Fail when tests run less than this percentage of the rules.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=100))]
    pub rules_min: Option<u8>,
}

/// Output of `tidegate explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people; colour on a terminal unless `NO_COLOR` is set.
    Text,
    /// One JSON object.
    Json,
}

/// `tidegate explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A file with HL7 v2, or the id of a message of a running node (with --reveal); stdin when none.
    #[arg(value_name = "FILE|ID")]
    pub file: Option<PathBuf>,
    /// Only this field, or segment: `PID-5.1`, `PID-3~2`, `OBX(3)-5`, `PV1`; with all details.
    #[arg(long, value_name = "PATH", conflicts_with = "element")]
    pub field: Option<String>,
    /// Only this FHIR element: `Patient.name`, `Patient.name[0].family`; with all details.
    #[arg(long, value_name = "PATH")]
    pub element: Option<String>,
    /// Which message of the file, from 1.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub message: u32,
    /// Mapping package.
    #[arg(long, default_value = "mappings")]
    pub mappings: PathBuf,
    /// Site overlay; matched by MSH-3 and MSH-4 when absent.
    #[arg(long)]
    pub site: Option<String>,
    /// What to write.
    #[arg(long, value_enum, default_value = "text")]
    pub format: ExplainFormat,
    /// Why a node's message is looked at, which is recorded: delivery-problem, mapping-problem, patient-safety,
    /// patient-request, audit.
    #[arg(long, value_name = "REASON")]
    pub reveal: Option<String>,
    /// Whose message the id names.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// Form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportOutput {
    /// For people.
    Table,
    /// One JSON document.
    Json,
}

/// `tidegate diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Files or folders with HL7 v2; stdin when neither they nor stored messages are named.
    pub files: Vec<PathBuf>,
    /// The package to compare with: what would be.
    #[arg(long, value_name = "DIR")]
    pub with: PathBuf,
    /// The package that is; when absent that of the configuration, else `mappings`.
    #[arg(long, value_name = "DIR")]
    pub mappings: Option<PathBuf>,
    /// Configuration of a node whose stored messages are compared, also while it runs.
    #[arg(short, long, value_name = "FILE", group = "stored", conflicts_with = "files")]
    pub config: Option<PathBuf>,
    /// Data folder of a node whose stored messages are compared (a copy, a backup).
    #[arg(long, value_name = "DIR", group = "stored", conflicts_with = "files")]
    pub data: Option<PathBuf>,
    /// Only what was stored within this time: `30m`, `24h`, `7d`.
    #[arg(long, value_name = "AGE", value_parser = age, requires = "stored")]
    pub since: Option<Duration>,
    /// Site overlay; matched by MSH-3 and MSH-4 when absent.
    #[arg(long)]
    pub site: Option<String>,
    /// Show up to three values of each difference. Not of stored messages: `tidegate explain` shows those for a reason.
    #[arg(long, conflicts_with = "stored")]
    pub show_values: bool,
    /// Form of the report.
    #[arg(long, value_enum, default_value = "table")]
    pub output: ReportOutput,
}

/// `30m`, `24h`, `7d`.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and m, h or d: 24h".to_owned();
    let (number, seconds) = ["m", "h", "d"]
        .into_iter()
        .zip([60, 3_600, 86_400])
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// `tidegate codes`.
#[derive(Debug, Args)]
pub struct CodesArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CodesCommand,
}

/// The commands on code tables.
#[derive(Debug, Subcommand)]
pub enum CodesCommand {
    /// Names of the tables, with their systems and rows.
    #[command(after_help = "Examples:\n  tidegate codes list\n  tidegate codes list --site demo")]
    List(ListArgs),
    /// One table as a FHIR ConceptMap.
    #[command(
        after_help = "Examples:\n  tidegate codes export administrative-gender\n  tidegate codes export --site demo administrative-gender"
    )]
    Export(ExportArgs),
    /// A FHIR ConceptMap as the text of a table, to be kept under `codes/`.
    #[command(
        after_help = "Examples:\n  tidegate codes import map.json > mappings/codes/map.yaml\n  tidegate codes import --name ward-types map.json"
    )]
    Import(ImportArgs),
}

/// `tidegate codes list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Mapping package.
    #[arg(long, default_value = "mappings")]
    pub mappings: PathBuf,
    /// With the rows of this site's overlay.
    #[arg(long)]
    pub site: Option<String>,
}

/// `tidegate codes export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Name of the table.
    pub table: String,
    /// Which package.
    #[command(flatten)]
    pub of: ListArgs,
}

/// `tidegate codes import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A ConceptMap as JSON; stdin when none.
    pub file: Option<PathBuf>,
    /// Name of the table; when absent that of the ConceptMap.
    #[arg(long)]
    pub name: Option<String>,
}

/// `tidegate schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Folder to write one file for each kind into; when absent all are written to stdout as one object.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(age("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(
            (age("30m"), age("7d")),
            (Ok(Duration::from_secs(1_800)), Ok(Duration::from_secs(604_800)))
        );
        for wrong in ["", "h", "24", "-1h", "1w", "1.5h", "99999999999999999999d", "9999999999999999999d"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
