//! The rows that one statement read from a file. Their texts and bytes lie in one buffer: a hundred rows of five columns are
//! two allocations and not six hundred.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::types::ValueRef;

/// What is longer than this is its row's own and goes with it: a shared buffer is copied as it grows, and all of it is kept as
/// long as any row.
const SHARED_MAX: usize = 2 << 10;

/// What one column of a row holds. Texts are not known to be UTF-8.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Held<'r> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'r [u8]),
    Blob(&'r [u8]),
}

impl std::fmt::Debug for Held<'_> {
    /// The kind alone: what a column holds may be of a person.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Null => "null",
            Self::Integer(_) => "an integer",
            Self::Real(_) => "a real",
            Self::Text(_) => "a text",
            Self::Blob(_) => "bytes",
        })
    }
}

enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(Place),
    Blob(Place),
}

/// Where the bytes of a cell are.
enum Place {
    Shared(Range<usize>),
    /// By its number among those of its row.
    Own(usize),
}

struct Table {
    columns: usize,
    cells: Vec<Cell>,
    shared: Bytes,
}

/// One row.
pub(crate) struct ReadRow {
    table: Arc<Table>,
    first: usize,
    own: Vec<Bytes>,
}

impl ReadRow {
    /// What a column holds; `None` beyond the last.
    pub fn held(&self, column: usize) -> Option<Held<'_>> {
        Some(match self.cell(column)? {
            Cell::Null => Held::Null,
            Cell::Integer(number) => Held::Integer(*number),
            Cell::Real(number) => Held::Real(*number),
            Cell::Text(place) => Held::Text(self.slice(place)?),
            Cell::Blob(place) => Held::Blob(self.slice(place)?),
        })
    }

    /// The bytes of a column, which are not copied.
    pub fn bytes(&self, column: usize) -> Option<Bytes> {
        match self.cell(column)? {
            Cell::Text(Place::Shared(range)) | Cell::Blob(Place::Shared(range)) => {
                Some(self.table.shared.slice(range.clone()))
            }
            Cell::Text(Place::Own(number)) | Cell::Blob(Place::Own(number)) => self.own.get(*number).cloned(),
            Cell::Null | Cell::Integer(_) | Cell::Real(_) => None,
        }
    }

    pub fn columns(&self) -> usize {
        self.table.columns
    }

    fn slice(&self, place: &Place) -> Option<&[u8]> {
        match place {
            Place::Shared(range) => self.table.shared.get(range.clone()),
            Place::Own(number) => self.own.get(*number).map(|bytes| &**bytes),
        }
    }

    fn cell(&self, column: usize) -> Option<&Cell> {
        self.table.cells.get(self.first + column).filter(|_| column < self.table.columns)
    }
}

/// Reads all rows of a statement that has begun.
pub(super) fn read_all(
    columns: usize,
    mut rows: rusqlite::Rows<'_>,
) -> Result<Vec<ReadRow>, rusqlite::Error> {
    let (mut cells, mut shared, mut large) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let mut own = Vec::new();
        let mut place = |bytes: &[u8]| {
            if bytes.len() > SHARED_MAX {
                own.push(Bytes::copy_from_slice(bytes));
                return Place::Own(own.len() - 1);
            }
            let from = shared.len();
            shared.extend_from_slice(bytes);
            Place::Shared(from..shared.len())
        };
        for column in 0..columns {
            cells.push(match row.get_ref(column)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Integer(number),
                ValueRef::Real(number) => Cell::Real(number),
                ValueRef::Text(text) => Cell::Text(place(text)),
                ValueRef::Blob(bytes) => Cell::Blob(place(bytes)),
            });
        }
        large.push(own);
    }
    let table = Arc::new(Table { columns, cells, shared: shared.into() });
    let row = |(number, own)| ReadRow { table: Arc::clone(&table), first: number * columns, own };
    Ok(large.into_iter().enumerate().map(row).collect())
}
