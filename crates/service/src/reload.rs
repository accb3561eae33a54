//! Files that may change while a service runs: looked at each second, and a broken one changes nothing.

use std::error::Error;
use std::time::Duration;

use mintmark_fault::Chain;
use opentelemetry::KeyValue;

use crate::{Context, telemetry};

/// How often a file is looked at. Whoever takes a key out of a file wants it gone now.
pub const RELOAD_EVERY: Duration = Duration::from_secs(1);

/// Calls `reload` each second until the end, off the request path.
///
/// `reload` reads the file and puts it in force: `true` when something changed. It compares contents, because the usual
/// shortcuts miss changes: two writes within a clock tick, and files that a cluster replaces through symbolic links.
///
/// After an error whatever was in force stays in force; the log says so once for each new error, and the gauge
/// `file.reload.failing` is 1 for `file` until the file is sound again.
pub fn keep_fresh<E, F>(context: &Context, file: &'static str, mut reload: F)
where
    E: Error + Send + 'static,
    F: FnMut() -> Result<bool, E> + Send + 'static,
{
    let ended = context.shutdown.token();
    let failing = telemetry::meter()
        .u64_gauge("file.reload.failing")
        .with_description("1 while a file that changed cannot be used and its earlier content stays in force")
        .build();
    let label = [KeyValue::new("file", file)];
    failing.record(0, &label);
    context.spawn(file, async move {
        let mut complaint = None;
        while ended.run_until_cancelled(tokio::time::sleep(RELOAD_EVERY)).await.is_some() {
            let looked = tokio::task::spawn_blocking(move || {
                let outcome = reload();
                (reload, outcome)
            });
            let Ok((again, outcome)) = looked.await else {
                tracing::error!(file, "reloading ended by a panic: changes of this file need a restart now");
                failing.record(1, &label);
                return;
            };
            reload = again;
            failing.record(u64::from(outcome.is_err()), &label);
            let new = outcome.as_ref().err().map(|error| Chain(error).to_string());
            match (&new, &complaint) {
                (Some(error), before) if before.as_ref() != Some(error) => {
                    tracing::error!(
                        file,
                        error,
                        "the changed file cannot be used; what it held before stays in force"
                    );
                }
                (None, Some(_)) => tracing::info!(file, "the file can be used again"),
                _ => {}
            }
            complaint = new;
            if matches!(outcome, Ok(true)) {
                tracing::info!(file, "the file changed and is in force");
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    use super::*;
    use crate::telemetry::metrics_text;

    async fn until(what: &str, met: impl Fn() -> bool) {
        let started = Instant::now();
        while !met() {
            assert!(started.elapsed() < Duration::from_secs(20), "waited too long until {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn gauge() -> Option<String> {
        let text = metrics_text();
        let line = text.lines().find(|line| line.starts_with("file_reload_failing{file=\"reload-test\""))?;
        line.rsplit_once(' ').map(|(_, value)| value.to_owned())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn keep_fresh_goes_on_after_an_error_and_says_so_on_a_gauge() {
        let context = Context::for_tests("reload-test");
        let (calls, broken) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(true)));
        let (count, state) = (Arc::clone(&calls), Arc::clone(&broken));
        keep_fresh(&context, "reload-test", move || {
            count.fetch_add(1, Ordering::Relaxed);
            if *state.lock().unwrap() { Err(std::io::Error::other("torn")) } else { Ok(true) }
        });
        assert_eq!(gauge().as_deref(), Some("0"));
        until("the gauge says that the file is broken", || gauge().as_deref() == Some("1")).await;
        *broken.lock().unwrap() = false;
        until("the gauge says that it is sound", || gauge().as_deref() == Some("0")).await;
        assert!(calls.load(Ordering::Relaxed) >= 2);
        context.shutdown.trigger();
    }
}
