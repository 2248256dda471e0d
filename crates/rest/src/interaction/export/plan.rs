//! Which resources stand in which file.

use fhir::ResourceType;

use super::asked::Order;
use super::jobs::Progress;
use super::walk::{Place, Walk};
use crate::auth::Client;
use crate::capacity::EXPORT_FILE_ROWS_MAX;
use crate::outcome::Failure;
use crate::server::Server;

/// One file, of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct File {
    pub(super) of: ResourceType,
    pub(super) content: Content,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Resources after a place and up to another.
    Standing { after: Place, through: Place },
    /// What was deleted.
    Deleted,
}

/// Walks over all that is exported and cuts it into files.
///
/// # Errors
/// As of a search.
pub(super) async fn plan(
    server: &Server,
    client: &Client,
    order: &Order,
    progress: &Progress,
) -> Result<Vec<File>, Failure> {
    let mut files = Vec::new();
    for of in order.types.iter().copied() {
        let walk = Walk { server, client, order, of };
        let (mut from, mut cut) = (Place::START, Cut::new(of, EXPORT_FILE_ROWS_MAX));
        loop {
            let (rows, next) = walk.page(from).await?;
            progress.add(rows.len());
            files.extend(rows.iter().filter_map(|row| cut.take(row.place)));
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        files.extend(cut.last());
        if any_deleted(walk).await? {
            files.push(File { of, content: Content::Deleted });
        }
        progress.type_done();
    }
    Ok(files)
}

async fn any_deleted(walk: Walk<'_>) -> Result<bool, Failure> {
    let mut before = None;
    loop {
        match walk.deletions(before).await? {
            (gone, _) if !gone.is_empty() => return Ok(true),
            (_, Some(next)) => before = Some(next),
            (_, None) => return Ok(false),
        }
    }
}

/// Cuts the places of a type into files of so many rows.
struct Cut {
    of: ResourceType,
    rows_max: usize,
    after: Place,
    rows: usize,
}

impl Cut {
    fn new(of: ResourceType, rows_max: usize) -> Self {
        Self { of, rows_max, after: Place::START, rows: 0 }
    }

    /// Takes the next row; the file that it fills.
    fn take(&mut self, place: Place) -> Option<File> {
        self.rows += 1;
        if self.rows < self.rows_max {
            return None;
        }
        let content = Content::Standing { after: self.after, through: place };
        (self.after, self.rows) = (place, 0);
        Some(File { of: self.of, content })
    }

    /// The file of what is left. It has no end, so that what was hidden for a moment has a file too.
    fn last(&self) -> Option<File> {
        let content = Content::Standing { after: self.after, through: Place::END };
        (self.rows > 0).then_some(File { of: self.of, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: i64) -> Place {
        Place { part: 0, number }
    }

    #[test]
    fn rows_are_cut_into_files_that_leave_nothing_out() {
        let of = ResourceType::parse("Patient").expect("a type");
        for (rows, expected) in [
            (0, vec![]),
            (1, vec![(0, i64::MAX)]),
            (2, vec![(0, 20)]),
            (3, vec![(0, 20), (20, i64::MAX)]),
            (4, vec![(0, 20), (20, 40)]),
        ] {
            let mut cut = Cut::new(of, 2);
            let mut files: Vec<File> = (1..=rows).filter_map(|row| cut.take(place(row * 10))).collect();
            files.extend(cut.last());
            let ends = |file: &File| match file.content {
                Content::Standing { after, through } => (after.number, through.number),
                Content::Deleted => panic!("nothing is deleted"),
            };
            let told: Vec<(i64, i64)> = files.iter().map(ends).collect();
            assert_eq!(told, expected, "{rows}");
        }
    }
}
