//! What a running service is given.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::config::AppEnv;
use crate::tls::Tls;
use crate::{Health, Shutdown};

/// What a running service is given by `launch`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// The service's name, as in logs, metrics and traces.
    pub name: &'static str,
    /// Which environment the operator declared; `production` when nothing was said.
    pub app_env: AppEnv,
    /// Readiness of the process.
    pub health: Health,
    /// The request to end.
    pub shutdown: Shutdown,
    /// The multi-thread runtime. Connections and background tasks belong here: an actix worker is a thread of its own,
    /// and a driver task that lands on one stalls whenever that worker is busy.
    pub home: Handle,
    /// How long draining may take once the end is requested.
    pub shutdown_grace: Duration,
    /// What this service shows other services and asks of them; none where they speak in the clear.
    pub tls: Option<Tls>,
}

impl Context {
    /// A context for tests: environment `test`, an own shutdown, a grace of five seconds.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn for_tests(name: &'static str) -> Self {
        crate::install_crypto();
        let shutdown = Shutdown::new();
        Self {
            name,
            app_env: AppEnv::Test,
            health: Health::new(shutdown.clone()),
            shutdown,
            home: Handle::current(),
            shutdown_grace: Duration::from_secs(5),
            tls: None,
        }
    }

    /// Runs a background task on the home runtime, whichever thread asks.
    pub fn spawn<F>(&self, name: &'static str, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.home.spawn(logged(name, task))
    }
}

/// Runs a background task on the current runtime; its start and end are debug events that carry the name.
///
/// # Panics
/// Outside a tokio runtime.
pub fn spawn_named<F>(name: &'static str, task: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(logged(name, task))
}

// No span around the task: a span that lives as long as the process would gather everything into one endless trace.
async fn logged<F: Future>(name: &'static str, task: F) -> F::Output {
    tracing::debug!(task = name, "task started");
    let output = task.await;
    tracing::debug!(task = name, "task ended");
    output
}
