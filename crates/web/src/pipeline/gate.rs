//! The gate: who comes is judged before anything else of the request is read.

use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use mintmark_fault::Fault;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracing::{Instrument, Span};

use super::credentials::Taken;
use super::limit::{Brought, Charged, Judged, name_of_url};
use super::{Row, Shared};
use crate::{Access, Limit};

/// Lets the request in, with its principal where the route asks for one. It is counted first, whoever sent it.
///
/// Where credentials are judged, that happens on the home runtime, where the connections are that it asks: on the worker
/// each question would put a thread to sleep and wake it.
pub(super) async fn admit(
    shared: &Arc<Shared>,
    row: &Row,
    credentials: Taken,
    request: &ServiceRequest,
) -> Result<(), Fault> {
    let (access, limit) = (row.access, row.limit);
    let counting = shared.counting.as_ref().filter(|_| limit != Limit::Exempt);
    let brought = counting.map(|counting| {
        let signed_for = shared.signed_for.as_ref().filter(|_| access == Access::Signed);
        let signed_for = signed_for.and_then(|verify| verify(request.request()));
        Brought {
            credential: credentials.name(access),
            signed_for: signed_for.map(|tenant| (tenant, name_of_url(request))),
            address: counting.address(request),
        }
    });
    let deciding = decide(Arc::clone(shared), access, limit, credentials, brought);
    let (judged, charged) =
        if access.needs_credentials() { at_home(&shared.home, deciding).await? } else { deciding.await };
    if let Some(charged) = charged {
        charged.noted(request)?;
    }
    if let Some(principal) = judged? {
        request.extensions_mut().insert(principal);
    }
    Ok(())
}

/// Who it is, and what became of the charge where there is one.
async fn decide(
    shared: Arc<Shared>,
    access: Access,
    limit: Limit,
    credentials: Taken,
    brought: Option<Brought>,
) -> (Judged, Option<Charged>) {
    let judged = judge(&shared, access, credentials).await;
    let charged = match (&shared.counting, brought) {
        (Some(counting), Some(brought)) => Some(counting.charge(limit, brought, &judged).await),
        _ => None,
    };
    (judged, charged)
}

/// Runs it on the home runtime; when the request goes away, so does that.
async fn at_home<T: Send + 'static>(
    home: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Fault> {
    struct Abort(AbortHandle);
    impl Drop for Abort {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let task = home.spawn(work.instrument(Span::current()));
    let _abort = Abort(task.abort_handle());
    task.await.map_err(Fault::internal)
}

async fn judge(shared: &Shared, access: Access, credentials: Taken) -> Judged {
    if !access.needs_credentials() {
        return Ok(None);
    }
    let credentials = credentials.for_access(access)?;
    // `Edge::bind` refuses a table that needs what it does not have; should it be missing all the same, nobody gets in.
    let authenticate = shared.authenticate.as_ref().ok_or_else(Fault::unauthenticated)?;
    authenticate.authenticate(access, credentials).await.map(Some)
}
