//! Folder sources: files that partners drop become journal entries, are answered, and are put away.
//!
//! A partner writes under a name that is not taken (`.x`, `x.tmp`, `x.part`) or into another folder of the same file
//! system, and renames: only that says that a file is whole. A size that stays the same does not. The file is then moved
//! into a folder of ours, where nobody can write over it, and taken from there; where it is and how far is durable at
//! every step, so a crash leaves neither a gap nor a second entry.

mod owed;
mod place;
mod take;

use std::time::{Duration, Instant};

use sources::Receiver;
use sources::folder::Claim;
use tokio::runtime::Handle;
use tokio::sync::watch;

use self::place::Place;
use crate::config::Folder;
use crate::{Exit, Failure};

/// Between two looks into the folder.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Before what failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Why a file is not taken to its end now.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    /// A file or folder.
    #[error("a file cannot be used")]
    Io(#[from] std::io::Error),
    /// The store.
    #[error("the store cannot be used")]
    Store(#[from] store::Error),
    /// The node stops; the next start goes on.
    #[error("the node stops")]
    Stopped,
}

/// One folder and the channel that it feeds.
pub(super) struct Source {
    place: Place,
    receiver: Receiver,
    message_bytes_max: usize,
    /// Application acknowledgments on the disk of which it is not known that this is noted.
    written: owed::Written,
    /// When those were last looked for.
    owed_at: Option<Instant>,
    stopped: watch::Receiver<bool>,
    handle: Handle,
}

impl Source {
    /// Makes the folders that are not there.
    ///
    /// # Errors
    /// When they cannot be made, or lie on several file systems, so that no rename moves a file between them.
    pub(super) fn open(
        config: &Folder,
        receiver: Receiver,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self, Failure> {
        let place = Place::open(config).map_err(|error| {
            Failure::new(Exit::Configuration, format!("folders.{}: {error}", config.name))
        })?;
        let message_bytes_max = config.message_bytes_max;
        let (handle, written) = (Handle::current(), owed::Written::new());
        Ok(Self { place, receiver, message_bytes_max, written, owed_at: None, stopped, handle })
    }

    /// Takes files until the node stops. It reads and renames, so it belongs on a thread that may block.
    pub(super) fn run(mut self) {
        while !self.is_stopped() {
            match self.step() {
                Ok(true) => {}
                Ok(false) => self.pause(LOOK_INTERVAL),
                Err(Interruption::Stopped) => return,
                Err(Interruption::Io(error)) => {
                    tracing::error!(channel = self.receiver.channel, %error, "a folder cannot be used, tried again");
                    self.pause(RETRY_PAUSE);
                }
                Err(Interruption::Store(error)) => {
                    let channel = &self.receiver.channel;
                    tracing::error!(channel, %error, "acknowledgments of files wait for the store");
                    self.pause(RETRY_PAUSE);
                }
            }
        }
    }

    /// One file; `false` when there was none.
    fn step(&mut self) -> Result<bool, Interruption> {
        if self.owed_at.is_none_or(|at| at.elapsed() >= LOOK_INTERVAL) {
            owed::write(self)?;
            self.owed_at = Some(Instant::now());
        }
        let claim = || Claim { id: (self.receiver.new_id)(), at_us: (self.receiver.now_us)() };
        let found = match self.place.resume()? {
            Some(saved) => Some(saved),
            None => self.place.claim(claim())?,
        };
        let Some(saved) = found else { return Ok(false) };
        take::take(self, saved)?;
        Ok(true)
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Waits, and no longer than until the node stops.
    fn pause(&mut self, time: Duration) {
        let changed = async { tokio::time::timeout(time, self.stopped.changed()).await };
        // Neither a pause that is over nor a stop needs a word; the loop looks at the flag itself.
        let _: Result<_, _> = self.handle.block_on(changed);
    }
}
