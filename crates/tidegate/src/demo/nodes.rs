//! The demo's two nodes: child processes with folders, keys and logs of their own, that end when their stdin closes.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::http::Http;
use crate::{Exit, Failure};

/// How long a node may take to come up.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a node may take to drain and stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// The program that starts another one as one that steps back (POSIX), and how far: as far as there is.
const STEP_BACK: [&str; 3] = ["nice", "-n", "19"];

/// What a node gets of the cores that it shares with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// As much as any.
    Even,
    /// What is left: it stands for a node on another machine, whose work is not to slow this one.
    Left,
}

/// One running child.
pub struct Node {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Node {
    /// Starts `tidegate run` for `folder/<name>.yaml`.
    pub fn start(folder: &Path, name: &'static str, share: Share) -> Result<Self, Failure> {
        let log = folder.join(name).join("node.log");
        let temporary = folder.join(name).join("tmp");
        let io = |error: std::io::Error| Failure::because(Exit::Io, &error);
        std::fs::create_dir_all(&temporary).map_err(io)?;
        let child = program(std::env::current_exe().map_err(io)?, share)
            .args(["run", "--until-stdin-closes", "-c"])
            .arg(folder.join(format!("{name}.yaml")))
            .env("TMPDIR", &temporary)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(user_only(&log).map_err(io)?)
            .kill_on_drop(true)
            .spawn()
            .map_err(io)?;
        Ok(Self { name, child, log })
    }

    /// Process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until `/readyz` answers 200, or says why the node did not come up.
    pub async fn ready(&mut self, http: &Http) -> Result<(), Failure> {
        let deadline = tokio::time::Instant::now() + START_TIMEOUT;
        loop {
            if http.read("/readyz").await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            let has_ended = self.child.try_wait().is_ok_and(|status| status.is_some());
            if has_ended || tokio::time::Instant::now() > deadline {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let words = format!("the {} node did not come up:\n{}", self.name, log.trim_end());
                return Err(Failure::new(Exit::Unavailable, words));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Closes the node's stdin and waits for its end.
    pub async fn stop(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        let ended = tokio::time::timeout(STOP_TIMEOUT, self.child.wait()).await;
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let words = format!("the {} node ended with {status}:\n{}", self.name, log.trim_end());
                Err(Failure::new(Exit::CheckFailed, words))
            }
            Ok(Err(error)) => Err(Failure::because(Exit::Io, &error)),
            Err(_) => {
                Err(Failure::new(Exit::CheckFailed, format!("the {} node did not stop in time", self.name)))
            }
        }
    }
}

fn program(tidegate: PathBuf, share: Share) -> Command {
    match share {
        Share::Even => Command::new(tidegate),
        Share::Left => {
            let [program, arguments @ ..] = STEP_BACK;
            let mut command = Command::new(program);
            command.args(arguments).arg(tidegate);
            command
        }
    }
}

fn user_only(path: &Path) -> std::io::Result<File> {
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}
