//! What a driver's error means to a client: the one table.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use mintmark_fault::Fault;
use tokio_postgres::error::SqlState;

/// What a client is told to wait before it asks again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The code of a fault that running the transaction again may cure.
const CONTENTION: &str = "DATABASE_CONTENTION";

/// An error that nobody gave a meaning to: 503 when the database is away or busy, else 500.
#[must_use]
pub fn fault(error: Error) -> Fault {
    match class_of(&error) {
        Class::Away => unavailable().caused_by(error),
        Class::Slow => too_slow().caused_by(error),
        Class::Contention => contention().caused_by(error),
        Class::Ours => Fault::internal(error),
    }
}

/// The same for the raw driver's errors.
#[must_use]
pub fn raw_fault(error: tokio_postgres::Error) -> Fault {
    let class = match error.code() {
        Some(state) => class_of_state(state),
        // Parameters that do not fit are our mistake; everything else without a state is the connection.
        None if is_our_mistake(&error.to_string()) => Class::Ours,
        None => Class::Away,
    };
    match class {
        Class::Away => unavailable().caused_by(error),
        Class::Slow => too_slow().caused_by(error),
        Class::Contention => contention().caused_by(error),
        Class::Ours => Fault::internal(error),
    }
}

/// Whether running the transaction again may succeed (a serialization failure or a deadlock).
#[must_use]
pub fn is_contention(fault: &Fault) -> bool {
    fault.code() == CONTENTION
}

/// 503 `DATABASE_UNAVAILABLE`.
pub(crate) fn unavailable() -> Fault {
    Fault::unavailable(
        "DATABASE_UNAVAILABLE",
        "the database cannot be reached at the moment: try again shortly",
    )
    .retry_after(RETRY_AFTER)
}

fn too_slow() -> Fault {
    Fault::unavailable("DATABASE_TIMEOUT", "the database took too long: try again shortly")
        .retry_after(RETRY_AFTER)
}

fn contention() -> Fault {
    Fault::unavailable(CONTENTION, "too many changes to the same thing at once: try again shortly")
        .retry_after(RETRY_AFTER)
}

enum Class {
    /// Not reachable, restarting, full, or lost on the way.
    Away,
    /// Cancelled by the statement timeout.
    Slow,
    /// A retry of the transaction may succeed.
    Contention,
    /// Our mistake.
    Ours,
}

fn class_of(error: &Error) -> Class {
    let (kind, info) = match error {
        Error::DatabaseError(kind, info) => (kind, info),
        // The transaction manager breaks when the connection does.
        Error::BrokenTransactionManager => return Class::Away,
        Error::RollbackErrorOnCommit { commit_error, .. } => return class_of(commit_error),
        _ => return Class::Ours,
    };
    match kind {
        DatabaseErrorKind::SerializationFailure => Class::Contention,
        DatabaseErrorKind::ClosedConnection => Class::Away,
        DatabaseErrorKind::UnableToSendCommand if is_our_mistake(info.message()) => Class::Ours,
        DatabaseErrorKind::UnableToSendCommand => Class::Away,
        DatabaseErrorKind::Unknown => class_of_message(info.message()),
        _ => Class::Ours,
    }
}

/// diesel drops the SQLSTATE of kinds that it does not know, so the server's English message stands in for it. A server
/// with other `lc_messages` costs accuracy only: the first such error is a 500 and the next statement's is a 503.
fn class_of_message(message: &str) -> Class {
    const AWAY: [&str; 7] = [
        "terminating connection",     // 57P01, 57P05, 25P03
        "the database system is",     // 57P03
        "sorry, too many clients",    // 53300
        "remaining connection slots", // 53300
        "too many connections for",   // 53300
        "cannot execute",             // 25006 where a replica was promoted away under us
        "the connection is lost",
    ];
    if message == "deadlock detected" {
        Class::Contention
    } else if message.starts_with("canceling statement due to") {
        Class::Slow
    } else if AWAY.iter().any(|start| message.starts_with(start)) {
        Class::Away
    } else {
        Class::Ours
    }
}

fn class_of_state(state: &SqlState) -> Class {
    match *state {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Class::Contention,
        SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => Class::Slow,
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Class::Away,
        // Class 08: connection exceptions.
        ref other if other.code().starts_with("08") => Class::Away,
        _ => Class::Ours,
    }
}

/// Messages of the driver about values rather than about the connection.
fn is_our_mistake(message: &str) -> bool {
    [
        "error serializing",
        "error deserializing",
        "error parsing",
        "error encoding",
        "expected ",
        "query returned",
    ]
    .iter()
    .any(|start| message.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::{fault, is_contention};
    use diesel::result::{DatabaseErrorKind, Error};
    use mintmark_fault::Kind;

    fn unknown(message: &str) -> Error {
        Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()))
    }

    #[test]
    fn fault_of_a_lost_database_is_503_with_a_delay() {
        for error in [
            unknown("terminating connection due to administrator command"),
            unknown("the database system is starting up"),
            unknown("sorry, too many clients already"),
            Error::DatabaseError(
                DatabaseErrorKind::UnableToSendCommand,
                Box::new("connection closed".to_owned()),
            ),
            Error::BrokenTransactionManager,
        ] {
            let fault = fault(error);
            assert_eq!(fault.kind(), Kind::Unavailable);
            assert_eq!(fault.code(), "DATABASE_UNAVAILABLE");
            assert!(fault.retry_delay().is_some());
        }
    }

    #[test]
    fn fault_of_our_mistakes_is_500_and_says_nothing() {
        let wrong = Error::DatabaseError(
            DatabaseErrorKind::UnableToSendCommand,
            Box::new("error serializing parameter 0".to_owned()),
        );
        for error in [unknown("column \"secret\" does not exist"), wrong, Error::NotFound] {
            let fault = fault(error);
            assert_eq!(fault.kind(), Kind::Internal);
            assert!(!fault.message().contains("secret"));
        }
    }

    #[test]
    fn fault_of_a_deadlock_is_contention() {
        assert!(is_contention(&fault(unknown("deadlock detected"))));
        assert!(!is_contention(&fault(unknown("canceling statement due to statement timeout"))));
    }
}
