//! One statement with its values.

use std::marker::PhantomData;

use sqlx::{SqlSafeStr, SqlStr};

use super::connection::On;
use super::row::{Column, Columns, Row};
use super::value::Value;
use crate::Result;

/// What became of a statement that reads nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done(
    #[cfg_attr(not(feature = "clinical"), expect(dead_code, reason = "only the clinical ports ask"))] u64,
);

#[cfg(feature = "clinical")]
impl Done {
    /// How many rows it wrote or took out.
    pub fn rows_affected(self) -> u64 {
        self.0
    }
}

/// A statement.
pub(crate) struct Query {
    sql: SqlStr,
    values: Vec<Value>,
}

/// A statement of which the first column is read.
pub(crate) struct Scalar<T>(Query, PhantomData<fn() -> T>);

/// A statement of which all columns are read.
pub(crate) struct Tuples<T>(Query, PhantomData<fn() -> T>);

/// A statement; its values are bound in their order.
pub(crate) fn query(sql: impl SqlSafeStr) -> Query {
    query_with(sql, Vec::new())
}

/// A statement with these values.
pub(crate) fn query_with(sql: impl SqlSafeStr, values: Vec<Value>) -> Query {
    Query { sql: sql.into_sql_str(), values }
}

/// A statement of which the first column is read.
pub(crate) fn query_scalar<T>(sql: impl SqlSafeStr) -> Scalar<T> {
    Scalar(query(sql), PhantomData)
}

/// A statement of which all columns are read.
pub(crate) fn query_as<T>(sql: impl SqlSafeStr) -> Tuples<T> {
    Tuples(query(sql), PhantomData)
}

impl Query {
    /// Its next value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it.
    pub async fn execute(self, on: impl On) -> Result<Done> {
        Ok(Done(on.execute(self.sql, self.values).await?))
    }

    /// What it reads.
    pub async fn fetch_all(self, on: impl On) -> Result<Vec<Row>> {
        on.fetch(self.sql, self.values).await
    }

    /// The first row that it reads.
    pub async fn fetch_optional(self, on: impl On) -> Result<Option<Row>> {
        Ok(on.fetch(self.sql, self.values).await?.into_iter().next())
    }

    /// The row that it reads.
    pub async fn fetch_one(self, on: impl On) -> Result<Row> {
        Ok(self.fetch_optional(on).await?.ok_or(sqlx::Error::RowNotFound)?)
    }
}

macro_rules! typed {
    ($query:ident, $bound:path, $row:ident => $read:expr) => {
        impl<T: $bound> $query<T> {
            /// Its next value.
            pub fn bind(self, value: impl Into<Value>) -> Self {
                Self(self.0.bind(value), PhantomData)
            }

            /// What it reads.
            pub async fn fetch_all(self, on: impl On) -> Result<Vec<T>> {
                self.0.fetch_all(on).await?.iter().map(|$row| Ok($read?)).collect()
            }

            /// The first that it reads.
            pub async fn fetch_optional(self, on: impl On) -> Result<Option<T>> {
                self.0.fetch_optional(on).await?.as_ref().map(|$row| Ok($read?)).transpose()
            }

            /// What it reads.
            pub async fn fetch_one(self, on: impl On) -> Result<T> {
                let found = self.0.fetch_one(on).await?;
                let $row = &found;
                Ok($read?)
            }
        }
    };
}

pub(crate) trait OwnedColumn: for<'r> Column<'r> {}
impl<T: for<'r> Column<'r>> OwnedColumn for T {}

typed!(Scalar, OwnedColumn, row => row.try_get::<T, usize>(0));
typed!(Tuples, Columns, row => T::read_all(row));
