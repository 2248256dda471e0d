//! The node of a group: `tidegate run` in a process of its own, with the group's listeners.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use harness::{Pair, Sender, binary, eventually, ports};

use super::row::{Channel, Message};

/// A running clinical node.
pub struct Site {
    /// Its files, tokens and addresses; the node of the pair itself is not started.
    pub pair: Pair,
    listeners: BTreeMap<&'static str, SocketAddr>,
    child: Option<Child>,
    name: &'static str,
}

impl Site {
    /// A node that is ready, with `emr` and these channels.
    pub async fn start(name: &'static str, channels: &'static [Channel]) -> Self {
        let mut site = Self::make(name, channels).await;
        site.run().await;
        site
    }

    /// A node that does not run yet.
    pub async fn make(name: &'static str, channels: &'static [Channel]) -> Self {
        let pair = Pair::make(name).await;
        let mut listeners = BTreeMap::from([("emr", pair.mllp())]);
        let mut lines = String::new();
        for channel in channels {
            let address = ports::free();
            listeners.insert(channel.name, address);
            writeln!(lines, "  - name: {}\n    listen: \"{address}\"", channel.name).expect("a string grows");
            for option in channel.options {
                writeln!(lines, "    {option}").expect("a string grows");
            }
        }
        let file = pair.folder.join("onprem.yaml");
        let text = std::fs::read_to_string(&file).expect("init made it");
        let text = text.replacen("\nmappings:", &format!("\n{lines}mappings:"), 1);
        std::fs::write(&file, text).expect("it can be written");
        Self { pair, listeners, child: None, name }
    }

    /// Changes the configuration file.
    pub fn edit(&self, change: impl Fn(&str) -> String) {
        let file = self.pair.folder.join("onprem.yaml");
        let text = std::fs::read_to_string(&file).expect("the configuration is there");
        std::fs::write(&file, change(&text)).expect("it can be written");
    }

    /// Tells the node to read its configuration again, and waits until it says that it did, or why not.
    pub async fn reload(&self, says: &str) {
        let before = self.words().len();
        let pid = self.child.as_ref().expect("the node runs").id().to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status().expect("kill can be started");
        assert!(sent.success());
        eventually("the word of the node", || async {
            let words = self.words();
            let new = words.get(before..).unwrap_or_default();
            if new.contains(says) { Ok(()) } else { Err(format!("no `{says}` in {new}")) }
        })
        .await;
    }

    /// Starts the process and waits until it is ready.
    pub async fn run(&mut self) {
        self.spawn();
        self.ready(200).await;
    }

    /// Starts the process.
    pub fn spawn(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).expect("a log file");
        let words = log.try_clone().expect("a second handle");
        let child = Command::new(binary::path())
            .args(["run", "--until-stdin-closes", "-c"])
            .arg(self.pair.folder.join("onprem.yaml"))
            .stdin(Stdio::piped())
            .stdout(words)
            .stderr(log)
            .spawn()
            .expect("the binary can be started");
        self.child = Some(child);
    }

    /// Waits until `/readyz` answers so.
    pub async fn ready(&self, expected: u16) {
        let here = self.pair.here();
        eventually("the node's readiness", || async {
            match here.get("/readyz").await?.status {
                status if status == expected => Ok(()),
                status => Err(format!("status {status}; its log: {}", self.words())),
            }
        })
        .await;
    }

    /// Address of a listener.
    pub fn listener(&self, channel: &str) -> SocketAddr {
        let address = self.listeners.get(channel);
        *address.unwrap_or_else(|| panic!("{}: no channel `{channel}`", self.name))
    }

    /// The process id of the node.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the node runs").id()
    }

    /// What the node has logged.
    pub fn words(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> std::path::PathBuf {
        self.pair.folder.join("onprem.log")
    }

    /// Waits until everything that was acknowledged so far is processed: a message sent last is.
    pub async fn settle(&self) {
        let last = Message::new("LAST");
        let acknowledgment = Sender::connect(self.listener("emr")).await.send(&last.er7).await;
        assert_eq!(acknowledgment.code.code(), "AA", "{:?}", acknowledgment.error);
        let here = self.pair.here();
        let query = format!("Patient?identifier={}", last.number);
        eventually("the last message", || async { here.only(&query).await.map(drop) }).await;
    }

    /// Ends the node as a loss of power would.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the node runs");
        child.kill().expect("a child can be killed");
        child.wait().expect("the node ends");
    }

    /// Drains and stops the node, which must end in order.
    pub fn stop(&mut self) {
        let mut child = self.child.take().expect("the node runs");
        drop(child.stdin.take());
        let status = child.wait().expect("the node ends");
        assert!(status.success(), "{status}; its log: {}", self.words());
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Its stdin closes with the handle; a node that does not heed that is no reason to wait.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The loopback address that only row `number` (from 0) sends from.
pub fn source(number: usize) -> Ipv4Addr {
    let [.., high, low] = u32::try_from(number + 1).expect("few rows").to_be_bytes();
    Ipv4Addr::new(127, 9, high, low)
}
