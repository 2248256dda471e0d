//! What a message adds to coverage and to the work list of codes, and what becomes of that list under another package:
//! a code that the package in force knows is mapped, and the patients whose messages missed it are derived again.

use std::collections::BTreeMap;

use audit::{Kind, Record};
use mapping::{LeafFate, Translation};
use store::{CodeItem, MissedCode, PathCount, PathFate};

use crate::follow::Pipeline;
use crate::id::new_id;
use crate::translate::Translated;
use crate::{Error, events, follow};

/// Paths of one message that are told apart; of a larger one the rest counts as [`REST`].
const PATHS_COUNTED_MAX: usize = 1_000;
/// The path of leaves that have none of their own: lines that are no segment, and too many.
const REST: &str = "?";
/// Open items that are checked at a time when the package is another one.
const ITEMS_CHECKED_MAX: usize = 64;
/// Requests that one call makes for a mapped code.
const REDRIVEN_MAX: usize = 64;
/// Requests that may wait before more are made; a person's own do not stand behind all of a hospital.
const REQUESTS_WAITING_MAX: usize = 64;
/// In the place of a person at a request to reprocess.
const BY_CODE: &str = "code-mapped";
/// Alerts that are told at a time.
const ALERTS_TOLD_MAX: usize = 100;

/// What is done of the work list under this package, in this process.
#[derive(Default)]
pub(crate) struct Worklist {
    /// No open item is left to check, and no mapped one to ask for.
    is_settled: bool,
    /// The last alert that was told; `None`: nobody looked yet.
    told: Option<i64>,
}

impl Worklist {
    /// Another package is in force: it may know codes that the one before did not.
    pub(crate) fn package_changed(&mut self) {
        self.is_settled = false;
    }
}

/// The fates of a translation's leaves, by path.
pub(crate) fn coverage(translation: &Translation) -> Vec<PathCount> {
    let mut counts: BTreeMap<(String, PathFate), u32> = BTreeMap::new();
    for leaf in &translation.coverage.leaves {
        let fate = fate_of(leaf.fate);
        let key = (path_of(&leaf.path.to_string()), fate);
        let is_full = counts.len() >= PATHS_COUNTED_MAX && !counts.contains_key(&key);
        let key = if is_full { (REST.to_owned(), fate) } else { key };
        *counts.entry(key).or_default() += 1;
    }
    counts.into_iter().map(|((path, fate), leaves)| PathCount { path, fate, leaves }).collect()
}

fn fate_of(fate: LeafFate) -> PathFate {
    match fate {
        LeafFate::Mapped => PathFate::Mapped,
        LeafFate::Lossy => PathFate::Lossy,
        LeafFate::Ignored => PathFate::Ignored,
        LeafFate::Unmapped => PathFate::Unmapped,
        LeafFate::Rejected => PathFate::Rejected,
    }
}

/// `PID-3~2.4.1` as `PID-3.4`: without repetition, and a first component as what it is a part of, for HL7 reads `x` and
/// `x^` alike.
fn path_of(leaf: &str) -> String {
    let Some((segment, place)) = leaf.split_once('-') else { return REST.to_owned() };
    let is_name = segment.len() == 3 && segment.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let mut numbers = place.split('.');
    let field = numbers.next().and_then(|field| field.split('~').next()).unwrap_or_default();
    if !is_name || field.is_empty() {
        return REST.to_owned();
    }
    let mut below: Vec<&str> = numbers.collect();
    while below.last() == Some(&"1") {
        below.pop();
    }
    std::iter::once(format!("{segment}-{field}"))
        .chain(below.into_iter().map(str::to_owned))
        .collect::<Vec<_>>()
        .join(".")
}

/// The codes of a translation that wait for a row.
pub(crate) fn missed_codes(translation: &Translation) -> Vec<MissedCode> {
    translation.missed_codes.iter().map(stored).collect()
}

fn stored(code: &mapping::MissedCode) -> MissedCode {
    MissedCode { table: code.table.clone(), code: code.code.clone(), system: code.system.clone() }
}

impl Pipeline {
    /// Tells of alerts that are new since the last call; of those before the start nothing.
    pub(crate) async fn tell_alerts(&mut self) -> Result<(), Error> {
        let Some(told) = self.worklist.told else {
            self.worklist.told = Some(self.ports.coverage.alerts_raised().await?);
            return Ok(());
        };
        for alert in self.ports.coverage.alerts_after(told, ALERTS_TOLD_MAX).await? {
            events::new_field(&alert);
            self.worklist.told = Some(alert.alert);
        }
        Ok(())
    }

    /// One part of what another package means for the work list: open items are checked, and of those that it knows the
    /// messages are asked for; `false` when nothing is left. Nothing may be uncommitted when this is called.
    pub(crate) async fn redrive(&mut self) -> Result<bool, Error> {
        if self.worklist.is_settled {
            return Ok(false);
        }
        if self.check_codes().await? {
            return Ok(true);
        }
        let waiting = self.ports.messages.claim_reprocess(REQUESTS_WAITING_MAX).await?.len();
        if waiting >= REQUESTS_WAITING_MAX {
            return Ok(true);
        }
        let now_us = (self.environment.now_us)();
        let done = self.ports.codes.redrive(REDRIVEN_MAX, BY_CODE, now_us).await?;
        if let Some(done) = &done {
            events::redriven(done);
        }
        self.worklist.is_settled = done.is_none();
        Ok(done.is_some())
    }

    /// Checks some open items that another package missed; `false` when there is none.
    async fn check_codes(&mut self) -> Result<bool, Error> {
        let hash = self.package.hash().to_owned();
        let items = self.ports.codes.unchecked(&hash, ITEMS_CHECKED_MAX).await?;
        let (mut checked, mut records) = (Vec::new(), Vec::new());
        for item in &items {
            let is_known = self.knows(item).await?;
            checked.push((item.item, is_known));
            if is_known {
                records.push(self.mapped(item, &hash)?);
            }
        }
        if !items.is_empty() {
            self.ports.codes.checked(&hash, &checked, records).await?;
        }
        Ok(!items.is_empty())
    }

    /// Whether the messages that missed a code do not miss it any more. Overlays are chosen by a message's header, so the
    /// messages are asked, not the table. When none of them can be read any more, nobody knows.
    async fn knows(&self, item: &CodeItem) -> Result<bool, Error> {
        let mut is_known = false;
        for id in &item.examples {
            let Some(entry) = self.ports.journal.read(*id).await? else { continue };
            let translated = follow::translate_safely(&self.package, self.environment.namespace, &entry);
            let Translated::Message { translation, .. } = self.whole(&entry, translated).await? else {
                continue;
            };
            let is_item =
                |code: &mapping::MissedCode| (&code.table, &code.code) == (&item.code.table, &item.code.code);
            if translation.missed_codes.iter().any(is_item) {
                return Ok(false);
            }
            is_known = true;
        }
        Ok(is_known)
    }

    fn mapped(&self, item: &CodeItem, package_hash: &str) -> Result<Record, Error> {
        let environment = &self.environment;
        let record =
            Record::new(Kind::CodeMapped, new_id(environment), &environment.node, (environment.now_us)());
        Ok(record
            .outcome("ok")
            .object("code-table", &item.code.table)?
            .object("item", &item.item.to_string())?
            .object("package", package_hash)?)
    }
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn a_path_has_no_repetition_and_no_first_component() {
        for (leaf, path) in [
            ("PID-3", "PID-3"),
            ("PID-3~2.4.2", "PID-3.4.2"),
            ("PID-3~12.1", "PID-3"),
            ("PID-5.1.1", "PID-5"),
            ("PID-5.1.2", "PID-5.1.2"),
            ("ZB1-10.11", "ZB1-10.11"),
        ] {
            assert_eq!(path_of(leaf), path, "{leaf}");
        }
    }

    #[test]
    fn a_line_that_is_no_segment_leaves_nothing_of_its_text() {
        for leaf in ["-1", "", "Doe-1", "SMITH-1", "PID-", "PID"] {
            assert_eq!(path_of(leaf), "?", "{leaf}");
        }
    }
}
