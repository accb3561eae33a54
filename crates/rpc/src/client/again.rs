//! A second attempt, where nobody answered the first.
//!
//! **What may be repeated**: a call with one answer that changes nothing, or changes the same thing once however often it is
//! made. Each client says which of its calls are. Never a stream: nobody knows how much of it arrived.
//!
//! **When**: nobody reached or answered. The connection could not be made, or broke while the call was under way (its peer
//! was stopped, ended its grace, was killed), or a proxy between us says UNAVAILABLE of its own. An answer of the service
//! itself is an answer, also when it is UNAVAILABLE: whoever is overloaded, or has lost its database, gets nothing better to
//! do by being asked twice, and its caller is told when to come back. A call that used up its time has none for another.
//!
//! **Why**: replicas go away in good order all the time (a deployment, a node that is emptied), and one that is told that a
//! connection ends may already have written its next call to it. Over several replicas the second attempt goes to another one
//! (`crate::replicas`): the connection that broke is known to be gone by then. Once, because whoever waits has waited enough.

use std::future::Future;
use std::time::Duration;

use tonic::{Code, Response, Status};

use crate::status::{is_broken, is_ours, is_timed_out};

/// A connection that broke under the first attempt is made anew meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes a call that may be repeated, and makes it once more where nobody answered. `attempt` makes it anew each time, with a
/// deadline of its own.
pub(super) async fn twice_if_unanswered<R, F>(mut attempt: impl FnMut() -> F) -> Result<Response<R>, Status>
where
    F: Future<Output = Result<Response<R>, Status>>,
{
    match attempt().await {
        Err(status) if is_unanswered(&status) => {
            tracing::debug!(error = %status.message(), "nobody answered; trying once more");
            tokio::time::sleep(PAUSE).await;
            attempt().await
        }
        answered => answered,
    }
}

/// Whether nobody answered, and there was time left.
fn is_unanswered(status: &Status) -> bool {
    !is_ours(status) && (status.code() == Code::Unavailable || is_broken(status)) && !is_timed_out(status)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mintmark_fault::Fault;
    use tonic::TimeoutExpired;

    use super::*;
    use crate::status::status;

    fn broken(error: impl std::error::Error + Send + Sync + 'static) -> Status {
        Status::from_error(Box::new(error))
    }

    #[test]
    fn is_unanswered_unless_the_service_spoke_or_time_ran_out() {
        let reset = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        for (unanswered, status) in [
            (true, broken(reset())),
            (true, broken(tonic::ConnectError(Box::new(reset())))),
            // A proxy between us.
            (true, Status::unavailable("no healthy upstream")),
            (false, status(Fault::unavailable("OVERLOADED", "too many calls"))),
            (false, broken(TimeoutExpired(()))),
            (false, Status::deadline_exceeded("a proxy's clock")),
            (false, Status::internal("")),
            (false, status(Fault::conflict("STALE_FENCE", "somebody else has taken over"))),
        ] {
            assert_eq!(is_unanswered(&status), unanswered, "{status:?}");
        }
    }

    #[tokio::test]
    async fn call_that_nobody_answers_is_made_twice_and_no_more() {
        let made = AtomicUsize::new(0);
        let unanswered = twice_if_unanswered(|| {
            made.fetch_add(1, Ordering::Relaxed);
            async { Err::<Response<()>, _>(Status::unavailable("")) }
        });
        assert_eq!(unanswered.await.unwrap_err().code(), Code::Unavailable);
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }
}
