//! The life of a running service: telemetry, operations port, serving, drain.

use std::future::Future;
use std::panic::PanicHookInfo;

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Standard;
use crate::ops::OpsServer;
use crate::reload::keep_fresh;
use crate::telemetry::{self, Telemetry};
use crate::tls::Tls;
use crate::{Context, Health, Shutdown, StartError};

/// Runs one service from telemetry to the last flush.
pub(super) async fn run<Fut>(
    name: &'static str,
    standard: Standard,
    serve: impl FnOnce(Context) -> Fut,
) -> Result<(), StartError>
where
    Fut: Future<Output = Result<(), StartError>>,
{
    let telemetry = Telemetry::install(name, standard.log_filter.clone(), standard.otlp_endpoint.as_deref())?;
    std::panic::set_hook(Box::new(log_panic));
    let outcome = run_observed(name, &standard, serve).await;
    match &outcome {
        Ok(()) => tracing::info!(service = name, "stopped"),
        Err(error) => tracing::error!(service = name, error = error.with_causes(), "stopped by an error"),
    }
    telemetry.shutdown().await;
    outcome
}

async fn run_observed<Fut>(
    name: &'static str,
    standard: &Standard,
    serve: impl FnOnce(Context) -> Fut,
) -> Result<(), StartError>
where
    Fut: Future<Output = Result<(), StartError>>,
{
    let shutdown = Shutdown::new();
    let context = Context {
        name,
        app_env: standard.app_env,
        health: Health::new(shutdown.clone()),
        shutdown: shutdown.clone(),
        home: Handle::current(),
        shutdown_grace: standard.shutdown_grace,
        tls: standard
            .tls
            .clone()
            .map(Tls::load)
            .transpose()
            .map_err(|error| StartError::new("TLS between services cannot be set up").caused_by(error))?,
    };
    telemetry::observe_process(&context.home);
    if let Some(tls) = context.tls.clone() {
        tls.observe_expiry();
        keep_fresh(&context, "tls-certificate", move || tls.reload());
    }
    let mut signals = Signals::install()?;
    let ops = OpsServer::start(standard.ops_addr, &context)?;
    tracing::info!(service = name, env = %standard.app_env, ops.addr = %ops.addr, "starting");

    let serving = serve(context.clone());
    let outcome = serve_until_asked(serving, &context, &mut signals).await;
    // Also when `serve` ended by itself: what still runs in the background is told to end.
    shutdown.trigger();
    ops.stop().await;
    outcome
}

async fn serve_until_asked(
    serving: impl Future<Output = Result<(), StartError>>,
    context: &Context,
    signals: &mut Signals,
) -> Result<(), StartError> {
    tokio::pin!(serving);
    tokio::select! {
        outcome = &mut serving => return outcome,
        name = signals.next() => tracing::info!(signal = name, "asked to stop"),
        () = context.shutdown.requested() => tracing::info!("stopping"),
    }
    context.shutdown.trigger();
    let grace = context.shutdown_grace;
    tokio::select! {
        outcome = tokio::time::timeout(grace, &mut serving) => outcome.unwrap_or_else(|_| {
            let seconds = grace.as_secs();
            Err(StartError::new(format!(
                "work under way did not finish within {seconds} seconds: it was cut off; raise SHUTDOWN_GRACE_SECS if it needs longer"
            )))
        }),
        name = signals.next() => Err(StartError::new(format!("{name} came a second time: stopped without finishing work"))),
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> Result<Self, StartError> {
        let failed = |error| StartError::new("signals cannot be received").caused_by(error);
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let message = panic.payload_as_str().unwrap_or_default();
    tracing::error!(panic.location = location, thread = thread.name(), panic.message = message, "panic");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn context(grace: Duration) -> Context {
        Context { shutdown_grace: grace, ..Context::for_tests("example") }
    }

    #[tokio::test]
    async fn serve_until_asked_drains_before_it_returns() {
        let context = context(Duration::from_secs(30));
        let shutdown = context.shutdown.clone();
        let serving = async {
            shutdown.trigger();
            shutdown.requested().await;
            tokio::task::yield_now().await;
            Ok(())
        };
        serve_until_asked(serving, &context, &mut Signals::install().unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn serve_until_asked_beyond_the_grace_is_an_error() {
        let context = context(Duration::from_millis(20));
        context.shutdown.trigger();
        let serving = std::future::pending();
        let error = serve_until_asked(serving, &context, &mut Signals::install().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("within 0 seconds: it was cut off"), "{error}");
    }

    #[tokio::test]
    async fn serve_until_asked_passes_on_an_error() {
        let context = context(Duration::from_secs(30));
        let serving = async { Err(StartError::new("no database")) };
        let error = serve_until_asked(serving, &context, &mut Signals::install().unwrap()).await.unwrap_err();
        assert_eq!(error.to_string(), "no database");
    }
}
