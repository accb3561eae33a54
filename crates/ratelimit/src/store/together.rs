//! Decisions of different calls in one run of the script: at half of what the limiter can do, most of the time goes into
//! reading and writing, not into decisions.

use std::sync::Arc;
use std::time::Duration;

use mintmark_service::gather::{Gather, Turn};
use tokio::sync::oneshot;

use super::asking::Asking;
use super::counter::{Counter, Verdict};
use super::link::Away;
use super::script;

/// A run under way for longer waits for a Redis that is not near: the next goes out beside it. A near one that is only busy
/// gains nothing by being asked more often.
const HELD_UP: Duration = Duration::from_millis(3);
/// Runs under way at once: as many as begin, one after the other, within the default budget.
const AT_ONCE: usize = 8;
/// Counters in one run, so that Redis stays free for others; one call may come with more.
const TOGETHER: usize = 256;

/// Lets calls go together. Decisions of as many counters each do.
pub(super) struct Together {
    asking: Arc<Asking>,
    questions: Arc<Gather<usize, Question>>,
}

/// The decisions of one call, and who waits for them.
struct Question {
    counters: Vec<Counter>,
    answer: oneshot::Sender<Vec<Result<Verdict, Away>>>,
}

impl Together {
    pub(super) fn new(asking: Arc<Asking>) -> Self {
        Self { asking, questions: Gather::new(AT_ONCE, HELD_UP) }
    }

    /// Decisions of so many counters `each`: an answer for each, within the budget of one.
    pub(super) async fn decide(&self, counters: Vec<Counter>, each: usize) -> Vec<Result<Verdict, Away>> {
        let decisions = counters.len() / each;
        let (answer, answered) = oneshot::channel();
        let begin = |turn| {
            tokio::spawn(run(Arc::clone(&self.asking), turn, each));
        };
        let question = Question { counters, answer };
        match self.questions.ask(&each, question, answered, self.asking.budget, begin).await {
            Ok(Ok(verdicts)) => verdicts,
            // The run panicked.
            Ok(Err(_gone)) => vec![Err(Away::Refused(script::unexpected())); decisions],
            // The run that is under way counts against Redis when its own time is up.
            Err(_elapsed) => vec![Err(self.asking.failed(Away::TimedOut)); decisions],
        }
    }
}

/// Asks what has gathered, until nothing has.
async fn run(asking: Arc<Asking>, mut turn: Turn<usize, Question>, each: usize) {
    while let Some(questions) = turn.next(some) {
        let (mut counters, mut answers) = (Vec::new(), Vec::new());
        for question in questions {
            answers.push((question.counters.len() / each, question.answer));
            counters.extend(question.counters);
        }
        let mut verdicts = asking.decide(&counters, each).await.into_iter();
        for (decisions, answer) in answers {
            // Whoever went away needs no answer.
            let _gone = answer.send(verdicts.by_ref().take(decisions).collect());
        }
    }
}

/// The questions that go together next.
fn some(waiting: &mut Vec<Question>) -> usize {
    // Whoever went away is not charged any more.
    waiting.retain(|question| !question.answer.is_closed());
    let mut counters = 0;
    let fits = |question: &&Question| {
        counters += question.counters.len();
        counters <= TOGETHER
    };
    waiting.iter().take_while(fits).count()
}
