//! Values of statements.

use sqlx::Arguments;
use sqlx::sqlite::SqliteArguments;

/// One value of a row or statement. Truth is 0 or 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

macro_rules! made_of {
    ($($from:ty, $value:ident => $made:expr;)+) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $made
            }
        })+
    };
}

made_of! {
    i64, value => Self::Int(value);
    &i64, value => Self::Int(*value);
    u32, value => Self::Int(i64::from(value));
    u8, value => Self::Int(i64::from(value));
    bool, value => Self::Int(i64::from(value));
    &bool, value => Self::Int(i64::from(*value));
    f64, value => Self::Real(value);
    &str, value => Self::Text(value.to_owned());
    String, value => Self::Text(value);
    &String, value => Self::Text(value.clone());
    Vec<u8>, value => Self::Blob(value);
    &Vec<u8>, value => Self::Blob(value.clone());
    &[u8], value => Self::Blob(value.to_vec());
    &Option<String>, value => value.as_deref().into();
    &Option<i64>, value => (*value).into();
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Values as arguments of a statement of SQLite, in their order.
pub(super) fn sqlite_arguments(values: Vec<Value>) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        let added = match value {
            Value::Null => arguments.add(None::<i64>),
            Value::Int(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Blob(value) => arguments.add(value),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
