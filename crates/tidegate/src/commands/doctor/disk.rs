//! Room, the price of a durable write, and how many files the process may have open.

use std::path::Path;
use std::time::Duration;

use super::Finding;
use crate::disk::{percentile, room, sync_prices};

/// Below this share of a disk it is time to make room.
const FREE_PERCENT_LOW: u64 = 10;
/// Below this a node stops applying messages before long.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Writes that are measured.
const WRITES: u32 = 25;
/// From here on each acknowledgment waits noticeably.
const SYNC_SLOW: Duration = Duration::from_millis(20);
/// Connections, stores and journal months need a file each.
const OPEN_FILES_MIN: u64 = 4_096;

/// What there is to say of the disk below `folder` and of the process's limits.
pub(super) fn findings(folder: &Path) -> Vec<Finding> {
    // A folder that is not there yet will be made on the disk of the nearest one that is.
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    vec![free(there), price(there), open_files()]
}

fn free(folder: &Path) -> Finding {
    let name = "disk";
    match room(folder) {
        Ok((free, total)) => {
            let percent = free.saturating_mul(100).checked_div(total).unwrap_or(0);
            let words = format!("{} GiB free, {percent} of 100", free >> 30);
            if free < FREE_BYTES_MIN {
                Finding::fail(name, words, "make room: a node that cannot write acknowledges nothing")
            } else if percent < FREE_PERCENT_LOW {
                Finding::warn(name, words, "make room before the disk is full")
            } else {
                Finding::ok(name, words)
            }
        }
        Err(error) => {
            Finding::fail(name, format!("{}: {error}", folder.display()), "name a folder on a local disk")
        }
    }
}

fn price(folder: &Path) -> Finding {
    let name = "durable write";
    let prices = match sync_prices(folder, WRITES) {
        Ok(prices) => prices,
        Err(error) => {
            let words = format!("{}: {error}", folder.display());
            return Finding::fail(
                name,
                words,
                "run this as the node's user, which must be able to write here",
            );
        }
    };
    let at = |percent| percentile(&prices, percent).unwrap_or_default();
    let (half, most) = (at(50), at(95));
    let words = format!("{:.2} ms, 95 of 100 within {:.2} ms", millis(half), millis(most));
    if half > SYNC_SLOW {
        let fix = "every acknowledgment waits for one: use a local disk with a write cache that survives power loss";
        Finding::warn(name, words, fix)
    } else {
        Finding::ok(name, words)
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn open_files() -> Finding {
    let name = "open files";
    match rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        Some(limit) if limit < OPEN_FILES_MIN => Finding::warn(
            name,
            format!("{limit} at most"),
            "raise it to 65536 (`LimitNOFILE` of the service unit, `ulimit -n` of a shell)",
        ),
        Some(limit) => Finding::ok(name, format!("{limit} at most")),
        None => Finding::ok(name, "no limit"),
    }
}
