//! The rows that one statement read from a file. Their texts and bytes lie in one buffer: a hundred rows of five columns are
//! two allocations and not six hundred.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::types::ValueRef;

/// What is longer than this keeps a buffer of its own: a shared one would be copied as it grows.
const SHARED_MAX: usize = 16 << 10;

/// What one column of a row holds. Texts are not known to be UTF-8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Held<'r> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'r [u8]),
    Blob(&'r [u8]),
}

#[derive(Debug)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(Place),
    Blob(Place),
}

/// Where the bytes of a cell are.
#[derive(Debug)]
enum Place {
    Shared(Range<usize>),
    Own(Bytes),
}

#[derive(Debug)]
struct Table {
    columns: usize,
    cells: Vec<Cell>,
    shared: Bytes,
}

impl Table {
    fn bytes(&self, place: &Place) -> Bytes {
        match place {
            Place::Shared(range) => self.shared.slice(range.clone()),
            Place::Own(bytes) => bytes.clone(),
        }
    }

    fn slice<'t>(&'t self, place: &'t Place) -> &'t [u8] {
        match place {
            // Ranges are made where the buffer is, of its length.
            Place::Shared(range) => self.shared.get(range.clone()).unwrap_or_default(),
            Place::Own(bytes) => bytes,
        }
    }
}

/// One row.
#[derive(Debug)]
pub(crate) struct ReadRow {
    table: Arc<Table>,
    first: usize,
}

impl ReadRow {
    /// What a column holds; `None` beyond the last.
    pub fn held(&self, column: usize) -> Option<Held<'_>> {
        Some(match self.cell(column)? {
            Cell::Null => Held::Null,
            Cell::Integer(number) => Held::Integer(*number),
            Cell::Real(number) => Held::Real(*number),
            Cell::Text(place) => Held::Text(self.table.slice(place)),
            Cell::Blob(place) => Held::Blob(self.table.slice(place)),
        })
    }

    /// The bytes of a column, which are not copied.
    pub fn bytes(&self, column: usize) -> Option<Bytes> {
        match self.cell(column)? {
            Cell::Text(place) | Cell::Blob(place) => Some(self.table.bytes(place)),
            Cell::Null | Cell::Integer(_) | Cell::Real(_) => None,
        }
    }

    pub fn columns(&self) -> usize {
        self.table.columns
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
    let (mut cells, mut shared, mut count) = (Vec::new(), Vec::new(), 0);
    let mut place = |bytes: &[u8]| {
        if bytes.len() > SHARED_MAX {
            return Place::Own(Bytes::copy_from_slice(bytes));
        }
        let from = shared.len();
        shared.extend_from_slice(bytes);
        Place::Shared(from..shared.len())
    };
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            cells.push(match row.get_ref(column)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Integer(number),
                ValueRef::Real(number) => Cell::Real(number),
                ValueRef::Text(text) => Cell::Text(place(text)),
                ValueRef::Blob(bytes) => Cell::Blob(place(bytes)),
            });
        }
        count += 1;
    }
    let table = Arc::new(Table { columns, cells, shared: shared.into() });
    Ok((0..count).map(|row| ReadRow { table: Arc::clone(&table), first: row * columns }).collect())
}
