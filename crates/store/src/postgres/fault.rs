//! What PostgreSQL reports, as errors of the ports. Its messages may name values, so only its code is kept (SQLSTATE,
//! appendix A of its manual).

use crate::Error;

/// What the server refused, by its code.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the database refused with SQLSTATE {0}{words}", words = words(.0))]
pub(crate) struct Refused(String);

/// What an operator can do something about.
fn words(code: &str) -> &'static str {
    match code {
        "28P01" => " (the password is wrong)",
        "28000" => " (this user may not connect from here)",
        "3D000" => " (there is no such database)",
        "42501" => " (this user has not the right)",
        "53300" => " (too many connections)",
        "57014" => " (it took too long, or somebody ended it)",
        "57P03" => " (it is starting or stopping)",
        _ => "",
    }
}

/// Whether an error of connecting says that the server is not there now, and may be later.
pub(crate) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            code.starts_with("08") || code.starts_with("57P") || code == "53300"
        }
        _ => false,
    }
}

/// The error of a port, when the server made this one.
pub(crate) fn refused(error: &sqlx::Error) -> Option<Error> {
    let sqlx::Error::Database(database) = error else { return None };
    let database = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    Some(of_code(database.code()))
}

/// The error that a code stands for.
fn of_code(code: &str) -> Error {
    match (code.get(..2).unwrap_or_default(), code) {
        // A unique key, a check; a column without a value.
        ("23", _) => Error::Conflict("a key exists already"),
        // Raised by the triggers of append-only tables.
        (_, "TG001") => Error::Conflict("the table is append-only"),
        (_, "54000") => Error::Conflict("a value is too long for its index"),
        // disk_full
        (_, "53100") => Error::Full,
        // data_corrupted, index_corrupted
        ("XX", "XX001" | "XX002") => Error::Corrupt("a page of the database"),
        _ => Error::Unavailable(Box::new(Refused(code.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_whether_trying_again_helps() {
        assert!(matches!(of_code("23505"), Error::Conflict(_)));
        assert!(matches!(of_code("TG001"), Error::Conflict(_)));
        assert!(matches!(of_code("53100"), Error::Full));
        assert!(matches!(of_code("XX002"), Error::Corrupt(_)));
        // serialization, deadlock, connection, shutdown, too many clients, cancelled
        for code in ["40001", "40P01", "08006", "57P01", "53300", "57014", "XX000", ""] {
            assert!(matches!(of_code(code), Error::Unavailable(_)), "{code}");
        }
    }
}
