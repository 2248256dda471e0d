//! What a disk can do: room, and the price of a write that is on it for good.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of one measured write: about one HL7 v2 message.
const WRITE_BYTES: usize = 1_500;

/// Free and total bytes of the file system that holds `folder`, for a user without privileges.
///
/// # Errors
/// When the folder cannot be looked at.
pub fn room(folder: &Path) -> io::Result<(u64, u64)> {
    let found = rustix::fs::statvfs(folder)?;
    Ok((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}

/// Appends `writes` times to a new file in `folder`, each time waiting until the disk has it; how long each took, in
/// order of length. The file is removed.
///
/// # Errors
/// When the file cannot be written.
pub fn sync_prices(folder: &Path, writes: u32) -> io::Result<Vec<Duration>> {
    let probe = Probe::new(folder)?;
    let mut file = &probe.file;
    let mut prices = Vec::new();
    for _ in 0..writes {
        let begun = Instant::now();
        file.write_all(&[b'.'; WRITE_BYTES])?;
        file.sync_data()?;
        prices.push(begun.elapsed());
    }
    prices.sort();
    Ok(prices)
}

/// A file that is gone when it is dropped.
struct Probe {
    file: File,
    path: PathBuf,
}

impl Probe {
    fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!(".tidegate-{}", crate::clock::random_hex(8)));
        let file = OpenOptions::new().append(true).create_new(true).open(&path)?;
        Ok(Self { file, path })
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // A file that stays is empty of meaning, and the next look at the folder shows it.
        drop(std::fs::remove_file(&self.path));
    }
}

/// The value below which `percent` of a sorted list lie; `None` of nothing.
pub fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((sorted.len() * percent / 100).min(last)).copied()
}

#[cfg(test)]
mod tests {
    use super::{percentile, room, sync_prices};

    #[test]
    fn a_probe_leaves_nothing_behind() {
        let folder = std::env::temp_dir().join(format!("tidegate-disk-{}", crate::clock::random_hex(8)));
        std::fs::create_dir(&folder).expect("a folder");
        let prices = sync_prices(&folder, 5).expect("the folder can be written");
        assert!(prices.len() == 5 && prices.is_sorted());
        assert_eq!(std::fs::read_dir(&folder).expect("the folder").count(), 0);
        let (free, total) = room(&folder).expect("the folder's file system");
        assert!(free > 0 && free <= total);
        std::fs::remove_dir(&folder).expect("an empty folder");
        assert!(sync_prices(&folder, 1).is_err());
    }

    #[test]
    fn percentiles_are_values_of_the_list() {
        let list: Vec<u32> = (1..=100).collect();
        assert_eq!((percentile(&list, 50), percentile(&list, 99)), (Some(51), Some(100)));
        assert_eq!((percentile(&[7], 99), percentile::<u8>(&[], 50)), (Some(7), None));
    }
}
