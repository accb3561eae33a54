//! What a service does when a job ends badly, in the transaction that ends it.

use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use futures::future::BoxFuture;
use mintmark_auth::Actor;
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;

use crate::JobKind;
use crate::claimed::Claimed;

/// `async fn(conn, tenant, actor, payload, reason) -> Result<()>` with a future that is `Send`; implemented for every
/// fitting function and closure.
pub trait EndHook<C, P>:
    AsyncFn(C, TenantId, Actor, P, Fault) -> Result<()>
    + Fn(C, TenantId, Actor, P, Fault) -> <Self as EndHook<C, P>>::Fut
{
    /// The function's future.
    type Fut: Future<Output = Result<()>>;
}

impl<F, C, P, Fut> EndHook<C, P> for F
where
    F: AsyncFn(C, TenantId, Actor, P, Fault) -> Result<()> + Fn(C, TenantId, Actor, P, Fault) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    type Fut = Fut;
}

/// A hook whose kind is forgotten.
pub(crate) type ErasedHook =
    Arc<dyn for<'r> Fn(&'r mut AsyncPgConnection, Claimed, Fault) -> BoxFuture<'r, Result<()>> + Send + Sync>;

pub(crate) fn erase<K, F>(hook: F) -> ErasedHook
where
    K: JobKind,
    for<'r> F: EndHook<&'r mut AsyncPgConnection, K::Payload, Fut: Send> + Send + Sync + 'static,
{
    let hook = Arc::new(hook);
    Arc::new(move |conn, claimed, reason| {
        let hook = Arc::clone(&hook);
        Box::pin(async move {
            let payload: K::Payload = match serde_json::from_value(claimed.payload) {
                Ok(payload) => payload,
                // Written by a program that is not ours to judge here: the job dies without its hook.
                Err(error) => {
                    tracing::error!(job.id = %claimed.id, %error, "a dead job's payload cannot be read");
                    return Ok(());
                }
            };
            hook(conn, claimed.tenant, claimed.actor, payload, reason).await
        })
    })
}
