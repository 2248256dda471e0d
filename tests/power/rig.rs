//! A node under the shim, that can lose its power: killed, and its files put back to what was synced.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::rig::{Node, Rig, Shim, Side};

/// What the disk did with writes that no fsync covered.
#[derive(Debug, Clone, Copy)]
pub enum Loss {
    /// All are gone.
    All,
    /// Some sectors of them came through, chosen by this seed.
    Torn(u64),
}

/// The node and its disk.
pub struct Powered {
    /// The node's folder.
    pub rig: Rig,
    flags: &'static [&'static str],
    shim: Shim,
}

impl Powered {
    /// A new node in a folder of its own, started with `flags`.
    pub fn new(name: &str, flags: &'static [&'static str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("power").join(name);
        let rig = Rig::new(&folder, Path::new(env!("CARGO_BIN_EXE_power-node")));
        std::fs::create_dir_all(undo_logs(&rig)).expect("the folder is made");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("power/powerloss.c");
        let environment =
            vec![("POWERLOSS_LOG", undo_logs(&rig).into()), ("POWERLOSS_ROOT", rig.data().into())];
        let shim = Shim { library: Shim::compile(&source, &folder), environment };
        Self { rig, flags, shim }
    }

    /// Starts the node; `is_watched`: under the shim.
    pub fn start(&self, is_watched: bool) -> Node {
        self.rig.start(Side::OnPrem, self.flags, is_watched.then_some(&self.shim))
    }

    /// Kills the node and takes back what was not synced; returns how many operations that were.
    pub fn lose_power(&self, node: Node, loss: Loss) -> u64 {
        node.kill();
        let mut command = Command::new("python3");
        let undo = Path::new(env!("CARGO_MANIFEST_DIR")).join("power/undo.py");
        command.arg(undo).arg(undo_logs(&self.rig));
        if let Loss::Torn(seed) = loss {
            command.arg(seed.to_string());
        }
        let output = command.output().expect("python3 runs");
        let words = String::from_utf8_lossy(&output.stdout);
        let (error, is_good) = (String::from_utf8_lossy(&output.stderr), output.status.success());
        assert!(is_good, "undo.py failed: {error}");
        words.trim().parse().expect("undo.py prints a number")
    }
}

fn undo_logs(rig: &Rig) -> PathBuf {
    rig.folder().join("undo")
}
