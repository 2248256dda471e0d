//! Multi-row statements: many rows for the price of one statement. SQLite takes them as a list, PostgreSQL as arrays.

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::connection::{Boxed, Connection, Native};
#[cfg(feature = "postgres")]
use super::postgres::{Shape, execute_rows, fetch_rows};
use super::row::Row;
use super::value::{Value, sqlite_arguments};
use crate::Result;

/// Most rows of one statement; a multiple of the columns stays below SQLite's 32,766 variables.
const STATEMENT_ROWS_MAX: usize = 256;
/// Statements of so few rows are prepared for their exact number.
const EXACT_ROWS_MAX: usize = 8;

/// Rows of one statement that names a whole key, said once for each row: SQLite does not search a table by a list of
/// keys of several columns.
const REPEATED_ROWS_MAX: usize = 32;

/// Rows for one statement: `head` and `tail` stand around a table of the rows, whose columns are `column1`, `column2` …
#[derive(Debug)]
pub(crate) struct Rows {
    head: &'static str,
    tail: &'static str,
    columns: usize,
    /// The values of each statement: many rows are neither moved as they grow nor when they are run.
    statements: Vec<Vec<Value>>,
    repeated: bool,
    /// What a refused statement wrote is taken back by who runs it.
    undone: bool,
}

impl Rows {
    /// `INSERT INTO table (columns)`.
    pub fn insert(head: &'static str, columns: usize) -> Self {
        Self::statement(head, "", columns)
    }

    /// As [`Rows::insert`], inside a transaction or savepoint that is rolled back when a row is refused. SQLite need not keep for
    /// that what each page was before the statement (https://www.sqlite.org/lang_conflict.html, FAIL).
    pub fn put(head: &'static str, columns: usize) -> Self {
        Self { undone: true, ..Self::insert(head, columns) }
    }

    /// A statement that reads the rows between `head` and `tail`.
    pub fn statement(head: &'static str, tail: &'static str, columns: usize) -> Self {
        Self { head, tail, columns, statements: Vec::new(), repeated: false, undone: false }
    }

    /// A statement of its own for each row, with the row as its arguments.
    pub fn each(statement: &'static str, columns: usize) -> Self {
        Self { repeated: true, ..Self::statement(statement, "", columns) }
    }

    /// Adds a row. The first value is never null: null marks padding.
    pub fn push<const N: usize>(&mut self, row: [Value; N]) {
        debug_assert_eq!(N, self.columns);
        debug_assert!(row.first() != Some(&Value::Null));
        let most = N * if self.repeated { REPEATED_ROWS_MAX } else { STATEMENT_ROWS_MAX };
        match self.statements.last_mut() {
            Some(values) if values.len() < most => values.extend(row),
            Some(_) => {
                let mut values = Vec::with_capacity(most);
                values.extend(row);
                self.statements.push(values);
            }
            None => self.statements.push(Vec::from(row)),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The statements, each with its values; most often one.
    pub fn into_statements(self) -> Vec<(String, Vec<Value>)> {
        let Self { head, tail, columns, statements, repeated, undone } = self;
        let head = match head.strip_prefix("INSERT INTO ").filter(|_| undone) {
            Some(rest) => Cow::Owned(format!("INSERT OR FAIL INTO {rest}")),
            None => Cow::Borrowed(head),
        };
        let statement = |mut values: Vec<Value>| {
            let rows = padded(values.len() / columns);
            values.resize(rows * columns, Value::Null);
            let text = if repeated { vec![&*head; rows].join(";") } else { sql(&head, tail, columns, rows) };
            (text, values)
        };
        statements.into_iter().map(statement).collect()
    }

    /// Runs the statements.
    pub fn execute(self, connection: &mut Connection) -> Boxed<'_, Result<()>> {
        Box::pin(async move {
            match connection.native() {
                Native::Sqlite(connection) => Ok(self.execute_on(connection).await?),
                Native::SqliteReading(reader) => {
                    for (sql, values) in self.into_statements() {
                        reader.execute(sql, values).await?;
                    }
                    Ok(())
                }
                #[cfg(feature = "postgres")]
                Native::Postgres(connection) => {
                    let shape = self.shape();
                    execute_rows(connection, &shape, self.statements.into_iter().flatten().collect()).await
                }
            }
        })
    }

    /// Runs the statements and returns what they read.
    pub fn fetch(self, connection: &mut Connection) -> Boxed<'_, Result<Vec<Row>>> {
        Box::pin(async move {
            match connection.native() {
                Native::Sqlite(connection) => {
                    Ok(self.fetch_on(connection).await?.into_iter().map(Row::Sqlite).collect())
                }
                Native::SqliteReading(reader) => {
                    let mut found = Vec::new();
                    for (sql, values) in self.into_statements() {
                        found.extend(reader.read(sql, values).await?.into_iter().map(Row::Read));
                    }
                    Ok(found)
                }
                #[cfg(feature = "postgres")]
                Native::Postgres(connection) => {
                    let shape = self.shape();
                    fetch_rows(connection, &shape, self.statements.into_iter().flatten().collect()).await
                }
            }
        })
    }

    /// Runs the statements on a file of SQLite.
    pub async fn execute_on(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        for (sql, values) in self.into_statements() {
            run_on(connection, sql, values).await?;
        }
        Ok(())
    }

    /// Runs the statements on a file of SQLite and returns what they read.
    pub async fn fetch_on(self, connection: &mut SqliteConnection) -> Result<Vec<sqlx::sqlite::SqliteRow>> {
        let mut found = Vec::new();
        for (sql, values) in self.into_statements() {
            let query = sqlx::query_with(AssertSqlSafe(sql), sqlite_arguments(values)?);
            found.extend(query.fetch_all(&mut *connection).await?);
        }
        Ok(found)
    }

    #[cfg(feature = "postgres")]
    fn shape(&self) -> Shape<'static> {
        let Self { head, tail, columns, repeated, .. } = *self;
        Shape { head, tail, columns, repeated }
    }
}

/// Runs one text of statements on a file of SQLite.
pub(crate) async fn run_on(
    connection: &mut SqliteConnection,
    sql: String,
    values: Vec<Value>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query_with(AssertSqlSafe(sql), sqlite_arguments(values)?).execute(connection).await?;
    Ok(done.rows_affected())
}

/// How many rows the statement for `rows` rows has: few distinct texts, so that prepared statements are found again.
fn padded(rows: usize) -> usize {
    if rows <= EXACT_ROWS_MAX {
        return rows;
    }
    let power = rows.next_power_of_two();
    let between = power / 4 * 3;
    if rows <= between { between } else { power }
}

fn sql(head: &str, tail: &str, columns: usize, rows: usize) -> String {
    let row = format!("({})", ["?"].repeat(columns).join(","));
    let names: Vec<String> = (1..=columns).map(|column| format!("column{column}")).collect();
    let mut text = String::with_capacity(head.len() + tail.len() + 64 + columns * 8 + rows * (row.len() + 1));
    text.extend([head, " SELECT ", &names.join(","), " FROM (VALUES "]);
    for number in 0..rows {
        text.extend([if number > 0 { "," } else { "" }, &row]);
    }
    text.extend([") WHERE column1 IS NOT NULL ", tail]);
    text
}

#[cfg(test)]
mod tests {
    use super::{STATEMENT_ROWS_MAX, padded};

    #[test]
    fn a_statement_holds_its_rows_and_few_sizes_exist() {
        let sizes: std::collections::BTreeSet<usize> = (1..=STATEMENT_ROWS_MAX).map(padded).collect();
        assert!(
            (1..=STATEMENT_ROWS_MAX).all(|rows| padded(rows) >= rows && padded(rows) <= STATEMENT_ROWS_MAX)
        );
        assert!(sizes.len() <= 18, "{sizes:?}");
    }
}
