//! A node as a process of its own: started, looked at, killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Surface, binary, eventually};

/// `tidegate run` of one configuration.
pub struct NodeProcess {
    child: Option<Child>,
    log: PathBuf,
}

impl NodeProcess {
    /// Starts it and waits until it is ready. What it logs is appended to `log`.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(config: &Path, log: &Path, surface: &Surface) -> Self {
        Self::spawn(config, log).ready(surface).await
    }

    /// As [`NodeProcess::start`], of a build as it is shipped.
    ///
    /// # Panics
    /// When it does not come up, or was not built.
    pub async fn start_optimised(config: &Path, log: &Path, surface: &Surface) -> Self {
        Self::spawn_of(&binary::optimised(), config, log).ready(surface).await
    }

    async fn ready(self, surface: &Surface) -> Self {
        let process = self;
        eventually("the node's readiness", || async {
            match surface.get("/readyz").await?.status {
                200 => Ok(()),
                status => Err(format!("status {status}; its log: {}", process.words())),
            }
        })
        .await;
        process
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the binary cannot be started.
    pub fn spawn(config: &Path, log: &Path) -> Self {
        Self::spawn_of(&binary::path(), config, log)
    }

    fn spawn_of(program: &Path, config: &Path, log: &Path) -> Self {
        let file = std::fs::File::options().create(true).append(true).open(log).expect("a log file");
        let words = file.try_clone().expect("a second handle");
        let child = Command::new(program)
            .args(["run", "--until-stdin-closes", "-c"])
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(words)
            .stderr(file)
            .spawn()
            .expect("the binary can be started");
        Self { child: Some(child), log: log.to_owned() }
    }

    /// Tells it to read its configuration and content again (SIGHUP).
    ///
    /// # Panics
    /// When it is gone.
    pub fn hang_up(&self) {
        let child = self.child.as_ref().expect("the node runs");
        let sent = Command::new("kill").args(["-HUP", &child.id().to_string()]).status();
        assert!(sent.expect("kill can be started").success());
    }

    /// The most memory it has held so far, in bytes.
    ///
    /// # Panics
    /// When the system does not tell.
    pub fn peak_bytes(&self) -> u64 {
        let child = self.child.as_ref().expect("the node runs");
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kilobytes");
        kilobytes << 10
    }

    /// What it has logged.
    pub fn words(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it where it stands, as a loss of power does to a process.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn kill(mut self) {
        let mut child = self.child.take().expect("the node runs");
        child.kill().expect("a running process can be killed");
        child.wait().expect("it ends");
    }

    /// Drains and stops it; it must end in order.
    ///
    /// # Panics
    /// When it does not.
    pub fn stop(mut self) {
        let mut child = self.child.take().expect("the node runs");
        drop(child.stdin.take());
        let status = child.wait().expect("the node ends");
        assert!(status.success(), "{status}; its log: {}", self.words());
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A test that failed: nothing waits for a node in order any more.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
