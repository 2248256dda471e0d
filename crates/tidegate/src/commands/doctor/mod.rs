//! `tidegate doctor`: looks at a node's configuration, keys, disk, ports, certificates and link, and says how to mend what
//! is wrong. It changes nothing.

mod certificate;
mod disk;
mod files;
mod network;
#[cfg(feature = "clinical")]
mod outgoing;
#[cfg(feature = "postgres")]
mod postgres;
mod ready;
mod stores;

use std::path::Path;

use self::ready::Readiness;
#[cfg(feature = "clinical")]
pub(super) use self::ready::reachable;
use super::{check, output};
use crate::cli::DoctorArgs;
use crate::config::{Config, Role};
use crate::{Exit, Failure, config};

/// How a finding bears on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    Warn,
    Fail,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line of the report: what was looked at, what it is, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    level: Level,
    name: String,
    words: String,
    fix: Option<String>,
}

impl Finding {
    fn ok(name: impl Into<String>, words: impl Into<String>) -> Self {
        Self { level: Level::Ok, name: name.into(), words: words.into(), fix: None }
    }

    fn warn(name: impl Into<String>, words: impl Into<String>, fix: &str) -> Self {
        Self { level: Level::Warn, name: name.into(), words: words.into(), fix: Some(fix.to_owned()) }
    }

    fn fail(name: impl Into<String>, words: impl Into<String>, fix: &str) -> Self {
        Self { level: Level::Fail, name: name.into(), words: words.into(), fix: Some(fix.to_owned()) }
    }

    fn write(&self) -> Result<(), Failure> {
        let fix = self.fix.as_ref().map(|fix| format!("\n      fix: {fix}")).unwrap_or_default();
        output::line(&format!("{:<5} {}: {}{fix}", self.level.word(), self.name, self.words))
    }
}

/// Runs the command: 0 when nothing fails, 1 when something does, 78 when the configuration cannot work.
pub async fn run(args: DoctorArgs) -> Result<(), Failure> {
    let Some(file) = &args.config else {
        return report(&disk::findings(Path::new(".")));
    };
    if args.ready {
        return ready::demand(&check::load(file)?).await;
    }
    let config = match config::load(file) {
        Ok(config) => config,
        Err(problems) => {
            for problem in &problems {
                Finding::fail("configuration", format!("{}: {}", problem.place, problem.cause), &problem.fix)
                    .write()?;
            }
            return Err(Failure::new(Exit::Configuration, "the configuration cannot work"));
        }
    };
    Finding::ok("configuration", format!("{} loads", file.display())).write()?;
    let content = content(&config);
    content.write()?;
    let running = ready::ask(&config).await.ok();
    let mut findings = files::findings(&config);
    findings.extend(running.as_ref().and_then(|readiness| node(&config, readiness)));
    findings.extend(disk::findings(&config.data));
    findings.extend(certificate::findings(&config));
    findings.extend(network::ports(&config, running.as_ref()).await);
    findings.extend(network::links(&config).await);
    #[cfg(feature = "postgres")]
    findings.extend(postgres::findings(&config).await);
    findings.extend(stores::findings(&config).await);
    let reported = report(&findings);
    if content.level == Level::Fail {
        return Err(Failure::new(Exit::Configuration, "mappings, profiles or policy cannot work"));
    }
    reported
}

/// A node that runs and is not ready says why.
fn node(config: &Config, readiness: &Readiness) -> Option<Finding> {
    let Readiness::NotReady(gates) = readiness else { return None };
    let has_failed = gates.iter().any(|gate| gate.ends_with("-writes"));
    let fix = if has_failed && config.store.is_some() {
        "its database cannot be reached, or a write failed: look at the lines about PostgreSQL, and at the server's log"
    } else if has_failed {
        "a write to its disk failed: look at the system's log, mend the disk, then restart the node"
    } else {
        "wait until it has started; its log says what it waits for"
    };
    Some(Finding::fail("node", format!("runs and is not ready: {}", gates.join(", ")), fix))
}

/// Mappings, profiles and policy compile, and search parameters of packages.
fn content(config: &Config) -> Finding {
    let (name, proven) = match config.role {
        #[cfg(feature = "clinical")]
        Role::Clinical => ("mappings, profiles and policy", crate::node::prove_clinical(config)),
        #[cfg(not(feature = "clinical"))]
        Role::Clinical => (
            "role",
            Err(Failure::new(Exit::Configuration, "this build is a cloud node's: it has no clinical role")),
        ),
        Role::Portal => ("profiles", crate::node::prove_portal(config)),
    };
    match proven.and_then(|()| crate::node::prove_search_parameters(config)) {
        Ok(_) => Finding::ok(name, "compile"),
        Err(failure) => Finding::fail(
            name,
            failure.words,
            "mend what the line names; `tidegate check -c FILE` says it again",
        ),
    }
}

fn report(findings: &[Finding]) -> Result<(), Failure> {
    findings.iter().try_for_each(Finding::write)?;
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (warned, failed) = (count(Level::Warn), count(Level::Fail));
    output::words(&format!("{} looked at, {warned} to know of, {failed} to mend", findings.len()));
    if failed == 0 { Ok(()) } else { Err(Failure::new(Exit::CheckFailed, "something is to be mended")) }
}
