//! Input whose faults wait until the caller is known to be allowed.

use std::future::Future;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use mintmark_fault::Fault;

use crate::Problem;

/// Another extractor whose refusal is kept back: `Later<Body<T>>`, `Later<FileBody>`, `Later<Page>`, `Later<QueryOf<T>>`.
///
/// The gate judges credentials before anything is read; what a person may do to *this* thing only the use case can judge. A
/// handler that took `Body<T>` would tell whoever may not come that the body is wrong. This one cannot: the value is behind
/// [`Later::after`].
#[derive(Debug)]
pub struct Later<E>(Result<E, Problem>);

impl<E> Later<E> {
    /// The input; or, when something is wrong with it, the refusal of a caller who may not come, or else what is wrong.
    ///
    /// `permission` is only asked when there is something wrong: a use case that gets good input asks it itself.
    ///
    /// # Errors
    /// The refusal of `permission`, or that of the extractor.
    pub async fn after<P>(self, permission: impl Future<Output = Result<P, Fault>>) -> Result<E, Problem> {
        match self.0 {
            Ok(input) => Ok(input),
            Err(problem) => {
                permission.await?;
                Err(problem)
            }
        }
    }

    /// A further check of the input, whose fault waits too.
    #[must_use]
    pub fn check<T>(self, check: impl FnOnce(E) -> Result<T, Fault>) -> Later<T> {
        Later(self.0.and_then(|input| check(input).map_err(Problem)))
    }
}

impl<E> FromRequest for Later<E>
where
    E: FromRequest<Error = Problem>,
    E::Future: 'static,
{
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        E::from_request(request, payload).map(|input| Ok(Later(input))).boxed_local()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong() -> Later<u8> {
        Later(Err(Fault::invalid("WRONG", "x", "it is wrong").into()))
    }

    async fn code<P>(later: Later<u8>, permission: Result<P, Fault>) -> String {
        let outcome = later.after(async { permission }).await;
        outcome.map_or_else(|problem| problem.0.code().to_owned(), |_| "ok".to_owned())
    }

    #[tokio::test]
    async fn after_prefers_the_refusal_of_the_caller_to_the_fault_of_the_input() {
        assert_eq!(code(wrong(), Err::<(), _>(Fault::not_found("brand"))).await, "NOT_FOUND");
        assert_eq!(code(wrong(), Ok(())).await, "WRONG");
        let checked = Later(Ok(7)).check(|_: u8| Err::<u8, _>(Fault::invalid("WRONG", "x", "it is wrong")));
        assert_eq!(code(checked, Err::<(), _>(Fault::unauthenticated())).await, "AUTHENTICATION_REQUIRED");
    }

    #[tokio::test]
    async fn after_does_not_ask_twice_for_good_input() {
        let asked = async { panic!("asked") as Result<(), Fault> };
        assert_eq!(Later(Ok(7)).after(asked).await.unwrap(), 7);
    }
}
