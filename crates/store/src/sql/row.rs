//! Rows as read back.

use bytes::Bytes;
#[cfg(feature = "postgres")]
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, ValueRef as _};

use super::readers::{Held, ReadRow};

/// One row that was read.
pub(crate) enum Row {
    /// By a connection that writes as well.
    Sqlite(SqliteRow),
    /// By one that only reads.
    Read(ReadRow),
    #[cfg(feature = "postgres")]
    Postgres(PgRow),
}

/// The place of a column; the second parameter of [`Row::try_get`], as sqlx has it.
pub(crate) trait Place {
    fn place(self) -> usize;
}

impl Place for usize {
    fn place(self) -> usize {
        self
    }
}

impl Row {
    /// The value of a column. What does not hold a `T` is an error of decoding.
    pub fn try_get<'r, T: Column<'r>, P: Place>(&'r self, place: P) -> Result<T, sqlx::Error> {
        T::read(self, place.place())
    }

    fn is_null(&self, place: usize) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite(row) => Ok(row.try_get_raw(place)?.is_null()),
            Self::Read(row) => Ok(matches!(column(row, place)?, Held::Null)),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => Ok(row.try_get_raw(place)?.is_null()),
        }
    }
}

/// What a column can be read as.
pub(crate) trait Column<'r>: Sized {
    fn read(row: &'r Row, place: usize) -> Result<Self, sqlx::Error>;
}

fn column(row: &ReadRow, place: usize) -> Result<Held<'_>, sqlx::Error> {
    row.held(place).ok_or(sqlx::Error::ColumnIndexOutOfBounds { index: place, len: row.columns() })
}

/// A column that holds something else than what is asked of it.
#[derive(Debug, thiserror::Error)]
#[error("a column holds a value of another type")]
struct OfAnotherType;

fn of_another_type() -> sqlx::Error {
    sqlx::Error::Decode(Box::new(OfAnotherType))
}

/// What a value of a file is read as, by what it holds.
trait Kept<'r>: Sized {
    fn kept(value: Held<'r>) -> Option<Self>;
}

impl Kept<'_> for i64 {
    fn kept(value: Held<'_>) -> Option<Self> {
        if let Held::Integer(number) = value { Some(number) } else { None }
    }
}

impl Kept<'_> for f64 {
    fn kept(value: Held<'_>) -> Option<Self> {
        if let Held::Real(number) = value { Some(number) } else { None }
    }
}

impl<'r> Kept<'r> for &'r str {
    fn kept(value: Held<'r>) -> Option<Self> {
        if let Held::Text(text) = value { std::str::from_utf8(text).ok() } else { None }
    }
}

impl<'r> Kept<'r> for &'r [u8] {
    fn kept(value: Held<'r>) -> Option<Self> {
        match value {
            Held::Blob(bytes) | Held::Text(bytes) => Some(bytes),
            Held::Null | Held::Integer(_) | Held::Real(_) => None,
        }
    }
}

impl Kept<'_> for String {
    fn kept(value: Held<'_>) -> Option<Self> {
        <&str>::kept(value).map(str::to_owned)
    }
}

impl Kept<'_> for Vec<u8> {
    fn kept(value: Held<'_>) -> Option<Self> {
        <&[u8]>::kept(value).map(<[u8]>::to_vec)
    }
}

fn held<'r, T: Kept<'r>>(row: &'r ReadRow, place: usize) -> Result<T, sqlx::Error> {
    T::kept(column(row, place)?).ok_or_else(of_another_type)
}

impl Column<'_> for Bytes {
    fn read(row: &Row, place: usize) -> Result<Self, sqlx::Error> {
        match row {
            Row::Read(read) => read.bytes(place).ok_or_else(of_another_type),
            row => Vec::read(row, place).map(Self::from),
        }
    }
}

macro_rules! alike {
    ($($read:ty),+) => {
        $(impl<'r> Column<'r> for $read {
            fn read(row: &'r Row, place: usize) -> Result<Self, sqlx::Error> {
                match row {
                    Row::Sqlite(row) => row.try_get(place),
                    Row::Read(row) => held(row, place),
                    #[cfg(feature = "postgres")]
                    Row::Postgres(row) => row.try_get(place),
                }
            }
        })+
    };
}
alike!(f64, String, Vec<u8>, &'r str, &'r [u8]);

impl Column<'_> for i64 {
    fn read(row: &Row, place: usize) -> Result<Self, sqlx::Error> {
        match row {
            Row::Sqlite(row) => row.try_get(place),
            Row::Read(row) => held(row, place),
            #[cfg(feature = "postgres")]
            Row::Postgres(row) => super::postgres::integer(row, place),
        }
    }
}

impl Column<'_> for bool {
    fn read(row: &Row, place: usize) -> Result<Self, sqlx::Error> {
        match row {
            Row::Sqlite(row) => row.try_get(place),
            Row::Read(row) => Ok(held::<i64>(row, place)? != 0),
            #[cfg(feature = "postgres")]
            Row::Postgres(row) => Ok(super::postgres::integer(row, place)? != 0),
        }
    }
}

impl Column<'_> for u8 {
    fn read(row: &Row, place: usize) -> Result<Self, sqlx::Error> {
        let number = i64::read(row, place)?;
        number.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))
    }
}

impl<'r, T: Column<'r>> Column<'r> for Option<T> {
    fn read(row: &'r Row, place: usize) -> Result<Self, sqlx::Error> {
        if row.is_null(place)? { Ok(None) } else { T::read(row, place).map(Some) }
    }
}

/// Rows of several columns, from the first on.
pub(crate) trait Columns: Sized {
    fn read_all(row: &Row) -> Result<Self, sqlx::Error>;
}

macro_rules! tuples {
    ($(($($column:ident $place:literal),+))+) => {
        $(impl<$($column: for<'r> Column<'r>),+> Columns for ($($column,)+) {
            fn read_all(row: &Row) -> Result<Self, sqlx::Error> {
                Ok(($(row.try_get::<$column, usize>($place)?,)+))
            }
        })+
    };
}
tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
}
