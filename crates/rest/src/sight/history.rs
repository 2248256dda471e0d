//! Histories as a client sees them: each version by itself, for a resource may have been another's before, and only of
//! resources that it sees today.

use std::collections::HashMap;

use smart::{Permission, Permissions};
use store::{History, HistoryPage};

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
        let permission = if asked.id.is_some() { Permission::Read } else { Permission::Search };
        self.require(permission, asked.resource_type)?;
        if self.is_whole() {
            return Ok(self.port().history(asked).await?);
        }
        let any = Permissions::of(&[permission]);
        let wanted = asked.count.max(1);
        let mut seen = HistoryPage::default();
        let (mut before, mut examined, mut today) = (asked.before, 0, HashMap::new());
        loop {
            // Never more at once than the page has place for, so that the next page begins where this read ended.
            let count = wanted - seen.versions.len();
            let part = History { count, before, ..asked.clone() };
            let Some(page) = self.port().history(&part).await? else { return Ok(None) };
            examined += page.versions.len();
            for version in page.versions {
                let Some(version) = self.seen(Some(version), any).await? else { continue };
                let is_open = match today.get(&version.key.id) {
                    Some(known) => *known,
                    None => self.is_seen_today(&version.key, any).await?,
                };
                today.insert(version.key.id.clone(), is_open);
                seen.versions.extend(is_open.then_some(version));
            }
            before = page.next;
            let is_enough = examined >= EXAMINED_MAX && !(asked.id.is_some() && seen.versions.is_empty());
            if before.is_none() || seen.versions.len() >= wanted || is_enough {
                break;
            }
        }
        if asked.before.is_none() && before.is_none() {
            if asked.id.is_some() && seen.versions.is_empty() {
                return Ok(None);
            }
            seen.total = u64::try_from(seen.versions.len()).ok();
        }
        seen.next = before;
        seen.versions.truncate(asked.count);
        Ok(Some(seen))
    }
}
