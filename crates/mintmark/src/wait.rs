//! Waiting for work: a bar for a person, a line now and then for a log, through a platform that is away for a while.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::api::text;
use crate::client::Client;
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::count;

/// Between two questions: at first often, for work that is done in no time; then seldom enough for the least tier, which
/// has 100 requests a minute.
const PACES: [(Duration, Duration); 3] = [
    (Duration::from_secs(2), Duration::from_millis(250)),
    (Duration::from_secs(60), Duration::from_secs(1)),
    (Duration::MAX, Duration::from_secs(2)),
];
/// Between two lines where nobody watches, unless something changed.
const LINE_EACH: Duration = Duration::from_secs(15);

/// How long is waited.
#[derive(Args, Clone, Debug)]
pub struct Patience {
    /// For how many seconds the platform may be away before the waiting ends (the work goes on without it).
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub patience: u64,
}

/// What is waited for.
pub struct Work<'a> {
    /// In words: `mint`.
    pub what: &'a str,
    /// Where it is looked at.
    pub path: String,
    /// What its progress counts: `units`.
    pub unit: &'a str,
    /// The command that watches it again.
    pub again: String,
    /// Whether a state is the good end, a bad one, or none.
    pub end: fn(&str) -> Option<bool>,
}

/// Waits for the end and gives the thing as it is then; a bad end is [`Exit::EndedBadly`], after the thing was printed for
/// programs.
pub async fn until_ended(
    desk: &Desk,
    client: &Client,
    work: &Work<'_>,
    patience: &Patience,
) -> Result<Value, Failure> {
    let mut view = View::new(desk, work);
    let thing = tokio::select! {
        thing = poll(client, work, patience, &mut view) => thing,
        _ = tokio::signal::ctrl_c() => Err(interrupted(work)),
    };
    view.close();
    let thing = thing?;
    if (work.end)(text(&thing, "state")?) != Some(false) {
        return Ok(thing);
    }
    if desk.screen.json {
        desk.screen.document(&thing)?;
    }
    Err(ended_badly(work, &thing))
}

async fn poll(
    client: &Client,
    work: &Work<'_>,
    patience: &Patience,
    view: &mut View<'_>,
) -> Result<Value, Failure> {
    let started = Instant::now();
    let mut last_heard = Instant::now();
    loop {
        let mut pause =
            PACES.iter().find(|(until, _)| started.elapsed() < *until).map_or(LINE_EACH, |(_, pace)| *pace);
        match client.look(&work.path).await {
            Ok(thing) => {
                last_heard = Instant::now();
                view.show(&thing)?;
                if (work.end)(text(&thing, "state")?).is_some() {
                    return Ok(thing);
                }
            }
            Err(away) if away.exit() == Exit::Away => {
                if last_heard.elapsed() >= Duration::from_secs(patience.patience) {
                    return Err(away.hinting(goes_on(work)));
                }
                view.away(&away);
                pause = pause.max(away.retry_after().unwrap_or(Duration::from_secs(1)));
            }
            Err(refused) => return Err(refused),
        }
        tokio::time::sleep(pause).await;
    }
}

fn goes_on(work: &Work<'_>) -> String {
    format!("The {} goes on without you: watch it again with `{}`.", work.what, work.again)
}

fn interrupted(work: &Work<'_>) -> Failure {
    Failure::new("no longer watching").ending(Exit::Interrupted).coded("INTERRUPTED").hinting(goes_on(work))
}

fn ended_badly(work: &Work<'_>, thing: &Value) -> Failure {
    let (id, state) = (crate::show::text(thing, "id"), crate::show::text(thing, "state"));
    let reasons = [&thing["failure"]["message"], &thing["failure"], &thing["lastError"]];
    let reason = reasons.into_iter().find_map(Value::as_str);
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    Failure::new(format!("the {} of {id} ended as '{state}'{reason}", work.what))
        .ending(Exit::EndedBadly)
        .coded(thing["failure"]["code"].as_str().unwrap_or("ENDED_BADLY"))
}

/// What is seen meanwhile, on standard error: the result alone is for standard output.
struct View<'a> {
    work: &'a Work<'a>,
    bar: Option<ProgressBar>,
    lines: bool,
    last: Option<(String, u64, Instant)>,
    away: bool,
}

impl<'a> View<'a> {
    fn new(desk: &Desk, work: &'a Work<'a>) -> Self {
        let watched = !desk.screen.json && std::io::stderr().is_terminal();
        let bar = watched.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let template = "{msg:<10} {bar:32} {percent:>3} %  {prefix}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.set_message(work.what.to_owned());
            bar
        });
        View { work, lines: !desk.screen.json && !watched, bar, last: None, away: false }
    }

    fn show(&mut self, thing: &Value) -> Result<(), Failure> {
        let state = text(thing, "state")?;
        // Some things count in themselves, some count nothing.
        let counted = if thing["progress"].is_object() { &thing["progress"] } else { thing };
        let (done, total) = (counted["done"].as_u64().unwrap_or(0), counted["total"].as_u64().unwrap_or(0));
        let words = match total {
            0 => state.to_owned(),
            _ => format!("{state}, {} of {} {}", count(done), count(total), self.work.unit),
        };
        if let Some(bar) = &self.bar {
            bar.set_prefix(words);
            // An empty bar for what counts nothing: without a length it would be a full one.
            bar.set_length(total.max(1));
            bar.set_position(done);
        } else if self.lines && (self.away || self.is_news(state, done, total)) {
            eprintln!("{}: {words}", self.work.what);
            self.last = Some((state.to_owned(), done, Instant::now()));
        }
        self.away = false;
        Ok(())
    }

    fn away(&mut self, failure: &Failure) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("{failure}; trying again"));
        } else if self.lines && !self.away {
            eprintln!("{}: {failure}; trying again", self.work.what);
        }
        self.away = true;
    }

    /// Another state, a tenth of the whole, or a while: what a log wants to know.
    fn is_news(&self, state: &str, done: u64, total: u64) -> bool {
        self.last.as_ref().is_none_or(|(before, reached, at)| {
            before != state || done.saturating_sub(*reached) * 10 >= total.max(1) || at.elapsed() >= LINE_EACH
        })
    }

    fn close(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
