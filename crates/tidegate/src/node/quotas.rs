//! What clients with a daily quota have asked today, kept across a restart in a file of the data folder: a line for each
//! client, `<day> <requests> <client>`. A node that is killed forgets a minute at most.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::keys::KeyError;
use crate::{Exit, Failure, clock, keys};

/// Name of the file.
const FILE: &str = "quotas";
/// How often it is written.
const WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// A day, µs.
const DAY_US: i64 = 86_400 * 1_000_000;

/// Counts what was asked before, and keeps the file until `stopped` turns true. A node without quotas has no file.
pub(crate) fn keep(
    config: &Config,
    limiter: &rest::Limiter,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) -> Result<(), Failure> {
    let limits = &config.http.limits;
    let has_quota = limits.client.iter().chain(limits.clients.values()).any(|limit| limit.per_day.is_some());
    if !has_quota {
        return Ok(());
    }
    // A node whose store is a server may have no folder yet.
    keys::make_folder(&config.data).map_err(|error| Failure::because(Exit::Io, &error))?;
    let folder = config.data.clone();
    let now_us = clock::now_us();
    limiter.resume(read(&folder.join(FILE), now_us)?, now_us);
    let (limiter, stopped) = (limiter.clone(), stopped.clone());
    tasks.spawn(async move {
        let until_stop = super::until(stopped);
        tokio::pin!(until_stop);
        loop {
            let is_stopped = tokio::select! {
                () = &mut until_stop => true,
                () = tokio::time::sleep(WRITTEN_EVERY) => false,
            };
            let (to, of) = (folder.clone(), limiter.clone());
            match tokio::task::spawn_blocking(move || write(&to, &of, clock::now_us())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "what clients asked today is not kept"),
                Err(error) => tracing::error!(%error, "what clients asked today is not kept"),
            }
            if is_stopped {
                return;
            }
        }
    });
    Ok(())
}

/// Clients and what they asked on the day of `now_us`. A file that is absent, or of another day, says nothing.
fn read(file: &Path, now_us: i64) -> Result<Vec<(String, u64)>, Failure> {
    let wrong = |words: String| Failure::new(Exit::Configuration, format!("{}: {words}", file.display()));
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let today = now_us.div_euclid(DAY_US);
    let mut used = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = line.splitn(3, ' ');
        let day = words.next().and_then(|word| word.parse::<i64>().ok());
        let requests = words.next().and_then(|word| word.parse::<u64>().ok());
        let (Some(day), Some(requests), Some(client)) = (day, requests, words.next()) else {
            return Err(wrong(format!(
                "line {number} is no `<day> <requests> <client>`; the file may be removed"
            )));
        };
        if day == today {
            used.push((client.to_owned(), requests));
        }
    }
    Ok(used)
}

/// Writes the file whole.
fn write(folder: &Path, limiter: &rest::Limiter, now_us: i64) -> Result<(), KeyError> {
    let today = now_us.div_euclid(DAY_US);
    let mut text = String::new();
    for (client, requests) in limiter.used_on_day(now_us) {
        text.push_str(&format!("{today} {requests} {client}\n"));
    }
    keys::replace(folder, FILE, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_today_comes_back_and_what_was_asked_yesterday_does_not() {
        let folder = std::env::temp_dir().join(format!("tidegate-quotas-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).expect("a folder");
        let file = folder.join(FILE);
        let now_us = 20_000 * DAY_US + 5;
        assert!(read(&file, now_us).expect("absent is nothing").is_empty());
        let limiter = rest::Limiter::default();
        let used = vec![("a b".to_owned(), 7), ("c".to_owned(), 9)];
        limiter.resume(used.clone(), now_us);
        write(&folder, &limiter, now_us).expect("written");
        let mut kept = read(&file, now_us).expect("read");
        kept.sort();
        assert_eq!(kept, used);
        assert!(read(&file, now_us + DAY_US).expect("read").is_empty());
        std::fs::write(&file, "20000 x c\n").expect("written");
        let failure = read(&file, now_us).expect_err("wrong");
        assert!(failure.words.contains("line 1"), "{}", failure.words);
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
