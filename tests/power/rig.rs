//! A node under the shim, that can lose its power: started, killed, its files put back to what was synced, started
//! again.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidegate::config::Config;
use tidegate::init::{Addresses, Purpose, init};

/// How long a node may take to come up, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// A loopback address that no outgoing connection of this machine takes its ports from.
const LOOPBACK: &str = "127.77.0.1:0";

/// One node's folder, keys and configuration, and the shim.
pub struct Rig {
    folder: PathBuf,
    flags: &'static [&'static str],
    shim: PathBuf,
    addresses: Addresses,
}

/// What the disk did with writes that no fsync covered.
#[derive(Debug, Clone, Copy)]
pub enum Loss {
    /// All are gone.
    All,
    /// Some sectors of them came through, chosen by this seed.
    Torn(u64),
}

impl Rig {
    /// A new node in a folder of its own, started with `flags`.
    pub fn new(name: &str, flags: &'static [&'static str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("power").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("an earlier run's folder is removed");
        }
        std::fs::create_dir_all(folder.join("undo")).expect("the folder is made");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace");
        let addresses = free_addresses();
        init(&folder, &addresses, &root.join("mappings"), &root.join("profiles"), Purpose::Site)
            .expect("init makes a pair");
        std::fs::create_dir_all(folder.join("onprem/data")).expect("the data folder is made");
        let shim = compile(&folder);
        Self { folder, flags, shim, addresses }
    }

    /// Where senders connect.
    pub fn mllp(&self) -> SocketAddr {
        self.addresses.mllp
    }

    /// The node's configuration.
    pub fn config(&self) -> Config {
        tidegate::config::load(&self.configuration()).expect("what init made is right")
    }

    /// Starts the node; `is_watched`: under the shim.
    pub fn start(&self, is_watched: bool) -> Node<'_> {
        let log = File::options().create(true).append(true).open(self.log()).expect("the log opens");
        let mut command = Command::new(env!("CARGO_BIN_EXE_power-node"));
        command.args(self.flags).arg(self.configuration());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        if is_watched {
            command.env("LD_PRELOAD", &self.shim).env("POWERLOSS_LOG", self.undo_logs());
            command.env("POWERLOSS_ROOT", self.folder.join("onprem/data"));
        }
        Node { rig: self, child: command.spawn().expect("the node starts") }
    }

    /// Takes back what the disk lost; returns how many operations that were.
    fn lose(&self, loss: Loss) -> u64 {
        let mut command = Command::new("python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("power/undo.py")).arg(self.undo_logs());
        if let Loss::Torn(seed) = loss {
            command.arg(seed.to_string());
        }
        let output = command.output().expect("python3 runs");
        let words = String::from_utf8_lossy(&output.stdout);
        let (error, is_good) = (String::from_utf8_lossy(&output.stderr), output.status.success());
        assert!(is_good, "undo.py failed: {error}");
        words.trim().parse().expect("undo.py prints a number")
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("onprem.yaml")
    }

    fn undo_logs(&self) -> PathBuf {
        self.folder.join("undo")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("node.log")
    }
}

/// A running node; it is killed when dropped.
pub struct Node<'a> {
    rig: &'a Rig,
    child: Child,
}

impl Node<'_> {
    /// Waits until every port is open. A node that does not come up fails the test with the end of its log.
    pub fn ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        // HTTP is the last port to open.
        while TcpStream::connect(self.rig.addresses.http).is_err() {
            let ended = self.child.try_wait().expect("the child can be asked");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "the node did not come up: {}",
                self.last_words()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the node and takes back what was not synced; returns how many operations that were.
    pub fn lose_power(mut self, loss: Loss) -> u64 {
        let ended = self.child.try_wait().expect("the child can be asked");
        assert!(ended.is_none(), "the node ended before it was killed: {}", self.last_words());
        self.child.kill().expect("the child is killed");
        self.child.wait().expect("the child ends");
        self.rig.lose(loss)
    }

    /// Stops the node in order.
    pub fn stop(mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().expect("the child can be asked") {
                Some(status) => {
                    return assert!(status.success(), "the node ended badly: {}", self.last_words());
                }
                None => assert!(Instant::now() < deadline, "the node did not stop: {}", self.last_words()),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.rig.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        // Fails when it has ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_addresses() -> Addresses {
    let bound: Vec<TcpListener> =
        (0..6).map(|_| TcpListener::bind(LOOPBACK).expect("a port is free")).collect();
    let address = |at: usize| bound[at].local_addr().expect("it is bound");
    Addresses {
        http: address(0),
        cloud_http: address(1),
        mllp: address(2),
        pharmacy_mllp: address(3),
        payer_mllp: address(4),
        link: address(5),
    }
}

fn compile(folder: &Path) -> PathBuf {
    let shim = folder.join("powerloss.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("power/powerloss.c");
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&shim)
        .arg(source)
        .args(["-ldl", "-lpthread"])
        .output()
        .expect("cc runs");
    assert!(
        output.status.success(),
        "the shim does not compile: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    shim
}
