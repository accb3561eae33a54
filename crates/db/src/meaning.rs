//! The call site says what an error means.

use diesel::QueryResult;
use diesel::result::Error;
use mintmark_fault::{Fault, Result};

use crate::{fault, raw_fault};

/// Turns a driver's result into ours, at the place that knows what a failure means.
pub trait Meaning<T>: Sized {
    /// No row is 404 with the noun `what`; the rest as [`or_fault`](Self::or_fault).
    ///
    /// # Errors
    /// As said.
    fn or_not_found(self, what: &'static str) -> Result<T>;

    /// A violation of the constraint or unique index named `constraint` is the fault that `meaning` makes. Chain several
    /// by matching on the constraint inside one `meaning` of [`or_constraint`](Self::or_constraint).
    ///
    /// # Errors
    /// As said.
    fn or_conflict(self, constraint: &str, meaning: impl FnOnce() -> Fault) -> Result<T> {
        self.or_constraint(|name| (name == constraint).then(meaning))
    }

    /// As [`or_conflict`](Self::or_conflict), for several constraints: `meaning` gets the violated one's name.
    ///
    /// # Errors
    /// As said.
    fn or_constraint(self, meaning: impl FnOnce(&str) -> Option<Fault>) -> Result<T>;

    /// 503 when the database is away, else 500.
    ///
    /// # Errors
    /// As said.
    fn or_fault(self) -> Result<T>;
}

impl<T> Meaning<T> for QueryResult<T> {
    fn or_not_found(self, what: &'static str) -> Result<T> {
        match self {
            Err(Error::NotFound) => Err(Fault::not_found(what)),
            other => other.or_fault(),
        }
    }

    fn or_constraint(self, meaning: impl FnOnce(&str) -> Option<Fault>) -> Result<T> {
        self.map_err(|error| {
            let said = match &error {
                Error::DatabaseError(_, info) => info.constraint_name().and_then(meaning),
                _ => None,
            };
            match said {
                Some(said) => said.caused_by(error),
                None => fault(error),
            }
        })
    }

    fn or_fault(self) -> Result<T> {
        self.map_err(fault)
    }
}

impl<T> Meaning<T> for std::result::Result<T, tokio_postgres::Error> {
    fn or_not_found(self, what: &'static str) -> Result<T> {
        self.map_err(|error| {
            // `query_one` without a row; the driver has no public kind for it.
            if error.code().is_none()
                && error.to_string().starts_with("query returned an unexpected number of rows")
            {
                Fault::not_found(what)
            } else {
                raw_fault(error)
            }
        })
    }

    fn or_constraint(self, meaning: impl FnOnce(&str) -> Option<Fault>) -> Result<T> {
        self.map_err(|error| {
            let said = error.as_db_error().and_then(|e| e.constraint()).and_then(meaning);
            match said {
                Some(said) => said.caused_by(error),
                None => raw_fault(error),
            }
        })
    }

    fn or_fault(self) -> Result<T> {
        self.map_err(raw_fault)
    }
}
