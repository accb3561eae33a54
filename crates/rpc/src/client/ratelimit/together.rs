//! Questions to the limiter that go together.
//!
//! A question goes out at once while no call about its tenant is under way; those that come meanwhile gather, and go
//! together with the next call. So a lone request waits for one call of its own, and a crowd costs a call for many: most of
//! a call's cost is not the decision.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mintmark_auth::{TokenSource, audience, scope};
use mintmark_fault::Chain;
use mintmark_ids::TenantId;
use mintmark_service::limit::RATE_LIMIT_UNAVAILABLE;
use mintmark_wire::ratelimit::v1::ratelimit_service_client::RatelimitServiceClient;
use mintmark_wire::ratelimit::v1::{CheckRequest, CheckResponse};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tonic::Status;
use tracing::Span;

use super::RETRY_AFTER;
use crate::breaker::Breaker;
use crate::callee::Callee;
use crate::status::is_ours;
use crate::{authorized, fault_of};

/// A call that takes longer is held up, and must not hold up everybody: the next question goes out beside it.
const HELD_UP: Duration = Duration::from_millis(2);
/// Calls about one tenant under way at once.
const AT_ONCE: usize = 4;
/// Questions in one call; the limiter takes no more.
const TOGETHER: usize = 64;

/// Who asks the limiter.
pub(super) struct Asker {
    pub(super) client: RatelimitServiceClient<Callee>,
    pub(super) tokens: TokenSource,
    /// The longest that a call may take.
    pub(super) budget: Duration,
    pub(super) breaker: Breaker,
    pub(super) home: Handle,
    pub(super) gathered: Mutex<HashMap<TenantId, Gathered>>,
}

/// The questions about one tenant.
#[derive(Default)]
pub(super) struct Gathered {
    questions: Vec<Question>,
    under_way: usize,
    /// When the last call went out.
    called: Option<Instant>,
}

/// One question, and who waits for its answer.
struct Question {
    message: CheckRequest,
    span: Span,
    answer: oneshot::Sender<Answered>,
}

/// What came of a question.
pub(super) type Answered = Result<CheckResponse, Undecided>;

/// Why there is no decision.
#[derive(Clone, Debug)]
pub(super) enum Undecided {
    /// The limiter is there and could not count; it has counted that itself.
    Uncountable(Duration),
    /// The limiter is away.
    Away,
}

impl Asker {
    /// Asks one question with a token for `tenant`.
    pub(super) async fn ask(self: &Arc<Self>, tenant: &TenantId, message: CheckRequest) -> Answered {
        let (answer, answered) = oneshot::channel();
        let question = Question { message, span: Span::current(), answer };
        if let Some(turn) = self.gather(tenant, question) {
            // Not in this request's own task: whoever gives up must not take the others' questions along.
            self.home.spawn(turn.run());
        }
        match tokio::time::timeout(self.budget, answered).await {
            Ok(Ok(answered)) => answered,
            // The call that is under way counts against the limiter when its own time is up.
            Ok(Err(_)) | Err(_) => Err(Undecided::Away),
        }
    }

    /// Adds a question; a turn when nobody is there to take it.
    fn gather(self: &Arc<Self>, tenant: &TenantId, question: Question) -> Option<Turn> {
        let mut all = self.gathered();
        if !all.contains_key(tenant) {
            all.insert(tenant.clone(), Gathered::default());
        }
        let gathered = all.get_mut(tenant)?;
        gathered.questions.push(question);
        let held_up = gathered.called.is_some_and(|at| at.elapsed() >= HELD_UP);
        (gathered.under_way == 0 || held_up && gathered.under_way < AT_ONCE).then(|| {
            gathered.under_way += 1;
            Turn { asker: Arc::clone(self), tenant: tenant.clone(), held: true }
        })
    }

    fn gathered(&self) -> MutexGuard<'_, HashMap<TenantId, Gathered>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call. Its failure counts once against the limiter, however many asked.
    async fn call(&self, tenant: &TenantId, span: &Span, message: CheckRequest) -> Answered {
        let token = self.tokens.for_tenant(audience::RATELIMIT, tenant, &[scope::RATELIMIT_CHECK]);
        let call = span.in_scope(|| authorized(message, &token, self.budget));
        let mut client = self.client.clone();
        match tokio::time::timeout(self.budget, client.check(call)).await {
            Ok(Ok(response)) => {
                self.answered();
                Ok(response.into_inner())
            }
            Ok(Err(status)) => Err(self.failed(&status)),
            Err(_elapsed) => Err(self.away("it did not answer within RATE_LIMIT_BUDGET_MS")),
        }
    }

    fn answered(&self) {
        if self.breaker.answered() {
            tracing::info!("the rate limiter is back");
        }
    }

    fn failed(&self, status: &Status) -> Undecided {
        let fault = fault_of(status);
        if is_ours(status) && fault.code() == RATE_LIMIT_UNAVAILABLE {
            // The service is there, has decided, and has counted it.
            self.answered();
            return Undecided::Uncountable(fault.retry_delay().unwrap_or(RETRY_AFTER));
        }
        self.away(&Chain(&fault).to_string())
    }

    /// Nobody has decided, and this failure counts against the limiter.
    pub(super) fn away(&self, why: &str) -> Undecided {
        if self.breaker.failed() {
            tracing::warn!(error = why, "the rate limiter is away");
        } else {
            tracing::debug!(error = why, "the rate limiter gave no decision");
        }
        Undecided::Away
    }
}

/// The right to have a call about a tenant under way.
struct Turn {
    asker: Arc<Asker>,
    tenant: TenantId,
    held: bool,
}

impl Drop for Turn {
    /// A panic must not keep the right for ever.
    fn drop(&mut self) {
        if self.held {
            self.give_up(&mut self.asker.gathered());
        }
    }
}

impl Turn {
    /// Asks what has gathered, until nothing has.
    async fn run(mut self) {
        while let Some(questions) = self.next() {
            let (mut messages, mut answers) = (Vec::new(), Vec::new());
            let mut span = Span::none();
            for question in questions {
                // A call has one trace: that of the first who asked.
                if messages.is_empty() {
                    span = question.span;
                }
                messages.push(question.message);
                answers.push(question.answer);
            }
            let mut messages = messages.into_iter();
            let Some(first) = messages.next() else { continue };
            let message = CheckRequest { also: messages.collect(), ..first };
            match self.asker.call(&self.tenant, &span, message).await {
                Ok(mut response) => {
                    let also = mem::take(&mut response.also);
                    let decisions = [response].into_iter().chain(also).map(Ok);
                    // A limiter of an earlier version answers the first alone.
                    let decisions = decisions.chain(std::iter::repeat_with(|| Err(Undecided::Away)));
                    give(answers, decisions);
                }
                Err(undecided) => give(answers, std::iter::repeat_with(|| Err(undecided.clone()))),
            }
        }
    }

    /// What has gathered. When nothing has, the turn ends under the same lock: whoever adds a question afterwards takes it.
    fn next(&mut self) -> Option<Vec<Question>> {
        let asker = Arc::clone(&self.asker);
        let mut all = asker.gathered();
        let questions = all.get_mut(&self.tenant).map(|gathered| {
            // Whoever went away is not charged any more.
            gathered.questions.retain(|question| !question.answer.is_closed());
            gathered.called = Some(Instant::now());
            let most = gathered.questions.len().min(TOGETHER);
            gathered.questions.drain(..most).collect::<Vec<_>>()
        });
        if questions.as_ref().is_none_or(Vec::is_empty) {
            self.held = false;
            self.give_up(&mut all);
            return None;
        }
        questions
    }

    fn give_up(&self, all: &mut HashMap<TenantId, Gathered>) {
        if let Some(gathered) = all.get_mut(&self.tenant) {
            gathered.under_way -= 1;
            if gathered.under_way == 0 && gathered.questions.is_empty() {
                all.remove(&self.tenant);
            }
        }
    }
}

fn give(answers: Vec<oneshot::Sender<Answered>>, decisions: impl Iterator<Item = Answered>) {
    for (answer, decision) in answers.into_iter().zip(decisions) {
        // Whoever went away needs no answer.
        let _gone = answer.send(decision);
    }
}
