//! Histories as a client sees them: each version by itself, for a resource may have been another's before, and only of
//! resources that it sees today.

use std::collections::HashMap;

use smart::{Permission, Permissions};
use store::{History, HistoryOf, HistoryPage, ResourceKey, Stored};

use super::Sight;
use crate::outcome::Failure;

/// Versions that one page of a history looks at for a client that does not see all; the next page goes on.
const EXAMINED_MAX: usize = 2_000;

impl Sight<'_> {
    /// One page of versions; `None` when the client sees none of a resource that is asked for.
    ///
    /// # Errors
    /// 403 when the type may not be read so.
    pub(crate) async fn history(self, asked: &History) -> Result<Option<HistoryPage>, Failure> {
        let permission = match &asked.of {
            HistoryOf::Resource(key) => {
                self.require(Permission::Read, key.resource_type).map(|()| Permission::Read)
            }
            HistoryOf::Type(of) => self.require(Permission::Search, *of).map(|()| Permission::Search),
            HistoryOf::System => self.require_at_all(Permission::Search).map(|()| Permission::Search),
        }?;
        if self.is_whole() {
            let mut page = self.port().history(asked).await?;
            if let Some(page) = page.as_mut().filter(|_| asked.of == HistoryOf::System) {
                page.versions.retain(|version| self.serves(version));
            }
            return Ok(page);
        }
        let Some(page) = self.page_of(asked, Permissions::of(&[permission])).await? else { return Ok(None) };
        match &asked.of {
            HistoryOf::Resource(key) if page.versions.is_empty() && !self.sees(key).await? => Ok(None),
            _ => Ok(Some(page)),
        }
    }

    async fn page_of(self, asked: &History, any: Permissions) -> Result<Option<HistoryPage>, Failure> {
        let of_one = matches!(asked.of, HistoryOf::Resource(_));
        let wanted = asked.count.max(1);
        let mut seen = HistoryPage::default();
        let (mut before, mut examined, mut today) = (asked.before, 0, HashMap::new());
        loop {
            // Never more at once than the page has place for, so that the next page begins where this read ended.
            let count = wanted - seen.versions.len();
            let part = History { count, before, ..asked.clone() };
            let Some(page) = self.port().history(&part).await? else { return Ok(None) };
            examined += page.versions.len();
            let is_cut = page.versions.len() < count;
            for version in page.versions {
                let Some(version) = self.seen(Some(version), any).await?.filter(|own| self.serves(own))
                else {
                    continue;
                };
                let is_open = match today.get(&version.key) {
                    Some(known) => *known,
                    None => self.is_seen_today(&version.key, any).await?,
                };
                today.insert(version.key.clone(), is_open);
                seen.versions.extend(is_open.then_some(version));
            }
            before = page.next;
            let is_enough = (is_cut || examined >= EXAMINED_MAX) && !(of_one && seen.versions.is_empty());
            if before.is_none() || seen.versions.len() >= wanted || is_enough {
                break;
            }
        }
        if asked.before.is_none() && before.is_none() {
            seen.total = u64::try_from(seen.versions.len()).ok();
        }
        seen.next = before;
        seen.versions.truncate(asked.count);
        Ok(Some(seen))
    }

    /// Whether the client sees the resource as it stands, by reading it.
    async fn sees(self, key: &ResourceKey) -> Result<bool, Failure> {
        self.is_seen_today(key, Permissions::of(&[Permission::Read])).await
    }

    fn serves(self, version: &Stored) -> bool {
        self.server.fhir.types.binary_search(&version.key.resource_type).is_ok()
    }
}
