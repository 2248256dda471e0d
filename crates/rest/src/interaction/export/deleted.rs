//! What was deleted since an instant, as Bulk Data tells it: bundles of requests that delete.

use serde_json::{Value, json};
use smart::Permission;
use store::{History, HistoryOf, Stored};

use super::Level;
use super::walk::Walk;
use crate::capacity::EXPORT_PAGE_ROWS;
use crate::outcome::Failure;

impl Walk<'_> {
    /// Deletions that hold still, the newest first, some or none, and where to go on; `None` when these were the last. Of a
    /// deletion the version before it decides whether the client sees it, and whose it was.
    ///
    /// # Errors
    /// As of a history.
    pub(super) async fn deletions(self, before: Option<i64>) -> Result<(Vec<Stored>, Option<i64>), Failure> {
        let Some((_, since_us)) = self.order.since else { return Ok((Vec::new(), None)) };
        let sight = self.server.sight(self.client);
        sight.require(Permission::Read, self.of)?;
        let of = HistoryOf::Type(self.of);
        let asked = History { since_us: Some(since_us), before, ..History::of(of, EXPORT_PAGE_ROWS) };
        let page = sight.history(&asked).await?.unwrap_or_default();
        let mut gone = Vec::new();
        for deletion in page.versions {
            let is_told = deletion.deleted && deletion.updated_us <= self.order.at_us;
            if is_told && self.is_last(&deletion).await? && self.belonged(&deletion).await? {
                gone.push(deletion);
            }
        }
        Ok((gone, page.next))
    }

    /// Whether nothing revived the resource.
    async fn is_last(self, deletion: &Stored) -> Result<bool, Failure> {
        let today = self.server.sight(self.client).read(&deletion.key).await?;
        Ok(today.is_some_and(|today| today.version == deletion.version))
    }

    async fn belonged(self, deletion: &Stored) -> Result<bool, Failure> {
        if matches!(self.order.level, Level::System) {
            return Ok(true);
        }
        let Some(number) = deletion.version.checked_sub(1) else { return Ok(false) };
        match self.server.sight(self.client).vread(&deletion.key, number).await? {
            Some(before) => self.belongs(&before, None),
            None => Ok(false),
        }
    }
}

/// A page of deletions as one line.
pub(super) fn line(gone: &[Stored]) -> Vec<u8> {
    let request = |deletion: &Stored| -> Value {
        let url = format!("{}/{}", deletion.key.resource_type, deletion.key.id);
        json!({"request": {"method": "DELETE", "url": url}})
    };
    let entries: Vec<Value> = gone.iter().map(request).collect();
    if entries.is_empty() {
        return Vec::new();
    }
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let mut line = fhir::canonical_json(&bundle);
    line.push(b'\n');
    line
}
