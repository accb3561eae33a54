//! `grpc.health.v1.Health`, kept in step with the process's readiness.

use std::collections::BTreeSet;
use std::time::Duration;

use mintmark_service::Health;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// How late the answer may be: orchestrators probe once a second at most.
const STEP: Duration = Duration::from_millis(100);

/// Reports the process's readiness for the whole server and for each service of the table.
pub(crate) struct Reported {
    reporter: HealthReporter,
    services: BTreeSet<&'static str>,
    health: Health,
}

impl Reported {
    pub(crate) fn new(
        reporter: HealthReporter,
        services: impl Iterator<Item = &'static str>,
        health: Health,
    ) -> Self {
        // The empty name stands for the whole server.
        Self { reporter, services: services.chain([""]).collect(), health }
    }

    /// Says what is true now.
    pub(crate) async fn report(&self, ready: bool) {
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
    }

    /// Follows readiness until the end is requested, says NOT_SERVING, and then lets `closing` end the watchers.
    pub(crate) async fn follow(self, closing: CancellationToken) {
        let ended = self.health.shutdown().requested();
        tokio::pin!(ended);
        let mut last = None;
        loop {
            let ready = self.health.ready();
            if last.replace(ready) != Some(ready) {
                self.report(ready).await;
            }
            tokio::select! {
                () = &mut ended => break,
                () = tokio::time::sleep(STEP) => {}
            }
        }
        self.report(false).await;
        closing.cancel();
    }
}
