//! Questions to the limiter that go together.
//!
//! A question goes out at once while no call about its tenant is under way; those that come meanwhile gather, and go
//! together with the next call. So a lone request waits for one call of its own, and a crowd costs a call for many: most of
//! a call's cost is not the decision.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use mintmark_auth::{TokenSource, audience, scope};
use mintmark_fault::Chain;
use mintmark_ids::TenantId;
use mintmark_service::gather::{Gather, Turn};
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
    pub(super) questions: Arc<Gather<TenantId, Question>>,
}

/// Where questions wait.
pub(super) fn gather() -> Arc<Gather<TenantId, Question>> {
    Gather::new(AT_ONCE, HELD_UP)
}

/// One question, and who waits for its answer.
pub(super) struct Question {
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
        let begin = |turn| {
            self.home.spawn(Arc::clone(self).take(turn, tenant.clone()));
        };
        match self.questions.ask(tenant, question, answered, self.budget, begin).await {
            Ok(Ok(answered)) => answered,
            // The call that is under way counts against the limiter when its own time is up.
            Ok(Err(_)) | Err(_) => Err(Undecided::Away),
        }
    }

    /// Asks what has gathered about a tenant, until nothing has.
    async fn take(self: Arc<Self>, mut turn: Turn<TenantId, Question>, tenant: TenantId) {
        let some = |waiting: &mut Vec<Question>| {
            // Whoever went away is not charged any more.
            waiting.retain(|question| !question.answer.is_closed());
            TOGETHER
        };
        while let Some(questions) = turn.next(some) {
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
            match self.call(&tenant, &span, message).await {
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

fn give(answers: Vec<oneshot::Sender<Answered>>, decisions: impl Iterator<Item = Answered>) {
    for (answer, decision) in answers.into_iter().zip(decisions) {
        // Whoever went away needs no answer.
        let _gone = answer.send(decision);
    }
}
