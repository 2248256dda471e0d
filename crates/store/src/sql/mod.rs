//! One form of SQL for both databases: statements are written once, with `?` for values, and run on a connection of
//! SQLite or of PostgreSQL.
//!
//! What both understand is written as it is. What they say differently is put into PostgreSQL's words where a statement
//! is run (`postgres`): `?` and `?1` become `$1`, many rows become arrays that `unnest` makes rows of, `CROSS JOIN …
//! ON`, by which SQLite keeps the order of a join, becomes `JOIN … ON`.

mod connection;
mod failure;
#[cfg(feature = "postgres")]
mod postgres;
mod query;
mod readers;
mod row;
mod rows;
mod value;

pub(crate) use self::connection::{Boxed, Connection, Pool};
pub(crate) use self::query::{query, query_as, query_scalar, query_with};
pub(crate) use self::readers::{Readers, Reading};
pub(crate) use self::row::Row;
pub(crate) use self::rows::Rows;
#[cfg(feature = "clinical")]
pub(crate) use self::rows::run_on;
pub(crate) use self::value::Value;
