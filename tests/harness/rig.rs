//! A node of its own process that is made to suffer: started under a preloaded shim, killed, started again on what is left.

use std::ffi::OsString;
use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tidegate::config::Config;
use tidegate::init::{Addresses, Purpose, init};

/// How long a node may take to come up, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a node that comes up or ends.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// A loopback address that no outgoing connection of this machine takes its ports from.
const LOOPBACK: &str = "127.77.0.1:0";

/// A shim and the environment it reads.
#[derive(Debug, Clone)]
pub struct Shim {
    /// The shared object.
    pub library: PathBuf,
    /// What tells it what to do.
    pub environment: Vec<(&'static str, OsString)>,
}

impl Shim {
    /// Compiles a C source with `cc` into `folder`.
    ///
    /// # Panics
    /// When there is no `cc`, or it does not like the source.
    pub fn compile(source: &Path, folder: &Path) -> PathBuf {
        let library = folder.join(source.with_extension("so").file_name().expect("a source has a name"));
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&library)
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .output()
            .expect("cc runs");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the shim does not compile: {words}");
        library
    }
}

/// A pair of nodes' folder, keys and configuration.
pub struct Rig {
    folder: PathBuf,
    program: PathBuf,
    addresses: Addresses,
}

/// Which node of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one with the journal.
    OnPrem,
    /// The one that it delivers to.
    Cloud,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::OnPrem => "onprem",
            Self::Cloud => "cloud",
        }
    }
}

impl Rig {
    /// A new pair in a folder of its own; `program` runs a node of a configuration until its standard input ends.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn new(folder: &Path, program: &Path) -> Self {
        if folder.exists() {
            std::fs::remove_dir_all(folder).expect("an earlier run's folder is removed");
        }
        std::fs::create_dir_all(folder).expect("the folder is made");
        let root = crate::root();
        let addresses = free_addresses();
        init(folder, &addresses, &root.join("mappings"), &root.join("profiles"), Purpose::Site)
            .expect("init makes a pair");
        let rig = Self { folder: folder.to_owned(), program: program.to_owned(), addresses };
        rig.make_data();
        rig
    }

    /// Throws away what the nodes stored; keys and configuration stay.
    ///
    /// # Panics
    /// When the folders cannot be removed.
    pub fn forget(&self) {
        for side in [Side::OnPrem, Side::Cloud] {
            let data = self.config_of(side).data;
            if data.exists() {
                std::fs::remove_dir_all(data).expect("the data is removed");
            }
        }
        self.make_data();
    }

    fn make_data(&self) {
        std::fs::create_dir_all(self.data()).expect("the data folder is made");
    }

    /// The folder of it all.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the on-prem node stores.
    pub fn data(&self) -> PathBuf {
        self.folder.join("onprem/data")
    }

    /// Where senders connect.
    pub fn mllp(&self) -> SocketAddr {
        self.addresses.mllp
    }

    /// Where the nodes listen.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The on-prem node's configuration.
    ///
    /// # Panics
    /// When it was spoilt.
    pub fn config(&self) -> Config {
        self.config_of(Side::OnPrem)
    }

    /// A node's configuration.
    ///
    /// # Panics
    /// When it was spoilt.
    pub fn config_of(&self, side: Side) -> Config {
        tidegate::config::load(&self.configuration(side)).expect("what init made is right")
    }

    /// A node's configuration file.
    pub fn configuration(&self, side: Side) -> PathBuf {
        self.folder.join(format!("{}.yaml", side.name()))
    }

    /// Starts a node with these flags.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start(&self, side: Side, flags: &[&str], shim: Option<&Shim>) -> Node {
        let log = self.folder.join(format!("{}.log", side.name()));
        let file = File::options().create(true).append(true).open(&log).expect("the log opens");
        let mut command = Command::new(&self.program);
        command.args(flags).arg(self.configuration(side));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(file);
        if let Some(shim) = shim {
            command.env("LD_PRELOAD", &shim.library);
            command.envs(shim.environment.iter().map(|(name, value)| (name, value)));
        }
        let http = match side {
            Side::OnPrem => self.addresses.http,
            Side::Cloud => self.addresses.cloud_http,
        };
        Node { child: command.spawn().expect("the node starts"), http, log }
    }
}

/// A running node; it is killed when dropped.
pub struct Node {
    child: Child,
    http: SocketAddr,
    log: PathBuf,
}

impl Node {
    /// Waits until every port is open.
    ///
    /// # Panics
    /// When it does not come up, with the end of its log.
    pub fn ready(&mut self) {
        assert!(self.comes_up(), "the node ended: {}", self.last_words());
    }

    /// Waits until every port is open, or the node ended: `false`.
    ///
    /// # Panics
    /// When it does neither in time.
    pub fn comes_up(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        // HTTP is the last port to open.
        while TcpStream::connect(self.http).is_err() {
            if self.ended().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "the node did not come up: {}", self.last_words());
            std::thread::sleep(LOOK_INTERVAL);
        }
        true
    }

    /// How it ended, when it did.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child can be asked")
    }

    /// Kills it.
    ///
    /// # Panics
    /// When it ended before.
    pub fn kill(mut self) {
        assert!(self.ended().is_none(), "the node ended before it was killed: {}", self.last_words());
        self.child.kill().expect("the child is killed");
        self.child.wait().expect("the child ends");
    }

    /// Stops it in order.
    ///
    /// # Panics
    /// When it does not end in time, or ends badly.
    pub fn stop(mut self) {
        let status = self.ends();
        assert!(status.success(), "the node ended badly: {}", self.last_words());
    }

    /// Asks it to stop, unless it did, and waits for that.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn ends(&mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "the node did not stop: {}", self.last_words());
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Node {
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
