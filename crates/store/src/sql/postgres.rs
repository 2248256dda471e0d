//! Statements in PostgreSQL's words.

use std::collections::HashMap;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnection, PgRow, PgTypeInfo, Postgres};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Row as _, Type, TypeInfo as _};

use super::row::Row;
use super::value::Value;
use crate::Result;

/// Runs a statement; how many rows it wrote.
pub(super) async fn execute(connection: &mut PgConnection, sql: &str, values: Vec<Value>) -> Result<u64> {
    let query = sqlx::query_with(AssertSqlSafe(translated(sql)), arguments(values)?);
    Ok(query.execute(connection).await?.rows_affected())
}

/// Runs a statement; what it read.
pub(super) async fn fetch(connection: &mut PgConnection, sql: &str, values: Vec<Value>) -> Result<Vec<Row>> {
    let query = sqlx::query_with(AssertSqlSafe(translated(sql)), arguments(values)?);
    Ok(query.fetch_all(connection).await?.into_iter().map(Row::Postgres).collect())
}

/// A statement as PostgreSQL writes it. Texts in quotes are left alone.
fn translated(sql: &str) -> String {
    let sql =
        sql.replace("CROSS JOIN", "JOIN").replace(" LIMIT -1", "").replace("/*pg ", "").replace(" */", "");
    let sql = without_hints(&sql);
    let mut text = String::with_capacity(sql.len() + 16);
    let (mut highest, mut quoted) = (0_usize, false);
    let mut rest = sql.chars().peekable();
    while let Some(letter) = rest.next() {
        quoted ^= letter == '\'';
        if letter != '?' || quoted {
            text.push(letter);
            continue;
        }
        let mut number = None::<usize>;
        while let Some(digit) = rest.peek().and_then(|next| next.to_digit(10)) {
            number = Some(number.unwrap_or(0) * 10 + usize::try_from(digit).unwrap_or(0));
            rest.next();
        }
        let number = number.unwrap_or(highest + 1);
        highest = highest.max(number);
        text.push('$');
        text.push_str(&number.to_string());
    }
    text
}

/// SQLite may be told which index to use.
fn without_hints(sql: &str) -> String {
    let mut parts = sql.split(" INDEXED BY ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.find(char::is_whitespace).and_then(|end| part.get(end..)).unwrap_or_default());
    }
    text
}

/// A null whose type the statement tells.
struct Untyped;

/// `unknown`: PostgreSQL infers what is meant.
const UNKNOWN: Oid = Oid(705);

impl Type<Postgres> for Untyped {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(UNKNOWN)
    }
}

impl Encode<'_, Postgres> for Untyped {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> std::result::Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

/// PostgreSQL has no NUL in a text. Stored and asked for alike, it becomes U+FFFD; bodies keep their bytes.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn arguments(values: Vec<Value>) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        let added = match value {
            Value::Null => arguments.add(Untyped),
            Value::Int(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Text(value) => arguments.add(without_nul(value)),
            Value::Blob(value) => arguments.add(value),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// An integer, whatever its width; truth is 1.
pub(super) fn integer(row: &PgRow, place: usize) -> Result<i64, sqlx::Error> {
    let name = row.try_get_raw(place)?;
    let kind = sqlx::ValueRef::type_info(&name).name().to_owned();
    match kind.as_str() {
        "BOOL" => row.try_get::<bool, _>(place).map(i64::from),
        "INT2" => row.try_get::<i16, _>(place).map(i64::from),
        "INT4" => row.try_get::<i32, _>(place).map(i64::from),
        _ => row.try_get(place),
    }
}

/// Where the rows of a statement go.
pub(super) struct Shape<'s> {
    pub head: &'s str,
    pub tail: &'s str,
    pub columns: usize,
    /// The statement is one for each row.
    pub repeated: bool,
}

/// The statements that do with arrays what a list of rows does; most often one.
pub(super) async fn execute_rows(
    connection: &mut PgConnection,
    shape: &Shape<'_>,
    values: Vec<Value>,
) -> Result<()> {
    for rows in rounds(shape, values) {
        let (sql, arguments) = statement(shape, rows)?;
        sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection).await?;
    }
    Ok(())
}

/// As [`execute_rows`], with what they read.
pub(super) async fn fetch_rows(
    connection: &mut PgConnection,
    shape: &Shape<'_>,
    values: Vec<Value>,
) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    for rows in rounds(shape, values) {
        let (sql, arguments) = statement(shape, rows)?;
        let read = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&mut *connection).await?;
        found.extend(read.into_iter().map(Row::Postgres));
    }
    Ok(found)
}

type RowValues = Vec<Value>;

/// The rows as statements take them. One that replaces rows (`ON CONFLICT … DO UPDATE`) must not meet a row twice, so a
/// key that comes again waits for the next.
fn rounds(shape: &Shape<'_>, values: Vec<Value>) -> Vec<Vec<RowValues>> {
    let mut rows = Vec::with_capacity(values.len() / shape.columns.max(1));
    let mut values = values.into_iter().peekable();
    while values.peek().is_some() {
        rows.push(values.by_ref().take(shape.columns).collect::<RowValues>());
    }
    if rows.is_empty() {
        return Vec::new();
    }
    let Some(key) = replaced_by(shape) else { return vec![rows] };
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut rounds: Vec<Vec<RowValues>> = Vec::new();
    for row in rows {
        let own: Vec<&Value> = key.iter().filter_map(|place| row.get(*place)).collect();
        let times = seen.entry(format!("{own:?}")).or_default();
        let round = *times;
        *times += 1;
        if rounds.len() == round {
            rounds.push(Vec::new());
        }
        if let Some(round) = rounds.get_mut(round) {
            round.push(row);
        }
    }
    rounds
}

/// The places of the columns by which a statement finds what it replaces.
fn replaced_by(shape: &Shape<'_>) -> Option<Vec<usize>> {
    let conflict = shape.tail.trim_start().strip_prefix("ON CONFLICT (")?;
    let (key, action) = conflict.split_once(')')?;
    if !action.trim_start().starts_with("DO UPDATE") {
        return None;
    }
    let columns = shape.head.split_once('(')?.1.trim_end().trim_end_matches(')');
    let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
    key.split(',').map(|name| columns.iter().position(|column| *column == name.trim())).collect()
}

/// One statement over all of these rows.
fn statement(shape: &Shape<'_>, rows: Vec<RowValues>) -> Result<(String, PgArguments), sqlx::Error> {
    let count = rows.len();
    let mut columns: Vec<Vec<Value>> = (0..shape.columns).map(|_| Vec::with_capacity(count)).collect();
    for row in rows {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let mut arguments = PgArguments::default();
    let (mut arrays, mut names, mut selected) = (Vec::new(), Vec::new(), Vec::new());
    for (place, column) in (1..).zip(columns) {
        match array(column, &mut arguments)? {
            Some(kind) => {
                arrays.push(format!("${}::{kind}[]", arrays.len() + 1));
                names.push(format!("column{place}"));
                selected.push(format!("column{place}"));
            }
            // A column without values has no type: the table tells it.
            None => selected.push("NULL".to_owned()),
        }
    }
    let given = format!("unnest({}) AS given ({})", arrays.join(", "), names.join(", "));
    let Shape { head, tail, repeated, .. } = shape;
    let sql = if *repeated {
        let mut place = 0;
        let act: Vec<String> = head
            .split('?')
            .map(|part| {
                place += 1;
                if place > shape.columns { part.to_owned() } else { format!("{part}column{place}") }
            })
            .collect();
        let with = if head.starts_with("DELETE") { "USING" } else { "FROM" };
        act.concat().replacen(" WHERE ", &format!(" {with} {given} WHERE "), 1)
    } else {
        format!("{} SELECT {} FROM {given} {}", translated(head), selected.join(", "), translated(tail))
    };
    Ok((sql, arguments))
}

/// Adds a column as an array; the type of its elements, none when all are null.
fn array(column: Vec<Value>, arguments: &mut PgArguments) -> Result<Option<&'static str>, sqlx::Error> {
    let Some(first) = column.iter().find(|value| **value != Value::Null).cloned() else { return Ok(None) };
    macro_rules! elements {
        ($variant:ident, $kind:literal, $value:ident => $element:expr) => {{
            let mut elements = Vec::with_capacity(column.len());
            for value in column {
                elements.push(match value {
                    Value::Null => None,
                    Value::$variant($value) => Some($element),
                    _ => return Err(sqlx::Error::Encode("a column of several types".into())),
                });
            }
            (arguments.add(elements), $kind)
        }};
    }
    let (added, kind) = match first {
        Value::Int(_) => elements!(Int, "bigint", value => value),
        Value::Real(_) => elements!(Real, "double precision", value => value),
        Value::Text(_) => elements!(Text, "text", value => without_nul(value)),
        Value::Blob(_) | Value::Null => elements!(Blob, "bytea", value => value),
    };
    added.map_err(sqlx::Error::Encode)?;
    Ok(Some(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_and_joins_told_as_postgresql_has_them() {
        assert_eq!(
            translated("SELECT ?, '?', ?1 FROM a CROSS JOIN b ON b.x = ?3 AND b.y = ? LIMIT -1"),
            "SELECT $1, '?', $1 FROM a JOIN b ON b.x = $3 AND b.y = $4"
        );
    }

    fn shape(head: &'static str, tail: &'static str, columns: usize, repeated: bool) -> Shape<'static> {
        Shape { head, tail, columns, repeated }
    }

    #[test]
    fn rows_are_arrays_and_a_column_of_nulls_is_one_null() {
        let shape = shape("INSERT INTO t (a, b, c)", "ON CONFLICT DO NOTHING", 3, false);
        let row = |number: i64| vec![number.into(), Value::Null, "x".into()];
        let (sql, _) = statement(&shape, vec![row(1), row(2)]).unwrap();
        let expected = "INSERT INTO t (a, b, c) SELECT column1, NULL, column3 FROM \
                        unnest($1::bigint[], $2::text[]) AS given (column1, column3) ON CONFLICT DO NOTHING";
        assert_eq!(sql, expected);
    }

    #[test]
    fn what_is_taken_out_is_joined_with_its_rows() {
        let shape = shape("DELETE FROM t WHERE a = ? AND b = ?", "", 2, true);
        let (sql, _) = statement(&shape, vec![vec![1_i64.into(), "x".into()]]).unwrap();
        let expected = "DELETE FROM t USING unnest($1::bigint[], $2::text[]) AS given (column1, column2) \
                        WHERE a = column1 AND b = column2";
        assert_eq!(sql, expected);
        let shape = Shape { head: "UPDATE t SET a = ? WHERE b = ?", ..shape };
        let (sql, _) = statement(&shape, vec![vec![1_i64.into(), "x".into()]]).unwrap();
        let expected = "UPDATE t SET a = column1 FROM unnest($1::bigint[], $2::text[]) AS given (column1, column2) \
                        WHERE b = column2";
        assert_eq!(sql, expected);
    }

    #[test]
    fn a_key_that_comes_again_waits_for_the_next_statement() {
        let head = "INSERT INTO t (a, b, c)";
        let values = || -> Vec<Value> { [1_i64, 10, 0, 2, 10, 0, 1, 10, 5].map(Value::from).into() };
        let counted = |shape: &Shape<'_>| rounds(shape, values()).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(
            counted(&shape(head, "ON CONFLICT (b, a) DO UPDATE SET c = excluded.c", 3, false)),
            [2, 1]
        );
        assert_eq!(counted(&shape(head, "ON CONFLICT (a) DO NOTHING", 3, false)), [3]);
        assert_eq!(counted(&shape(head, "", 3, false)), [3]);
        assert!(rounds(&shape(head, "", 3, false), Vec::new()).is_empty());
    }

    #[test]
    fn a_nul_in_a_text_does_not_stop_a_write() {
        assert_eq!(without_nul("a\0b".into()), "a\u{fffd}b");
        assert_eq!(without_nul("ab".into()), "ab");
    }
}
