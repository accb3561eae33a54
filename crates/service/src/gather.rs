//! Questions to another server that go together.
//!
//! A question goes out at once while none is under way; those that come meanwhile gather, and go together with the next one.
//! So a lone question waits for one round trip of its own, and a crowd costs one round trip for many.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::RecvError;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// Questions that wait, apart by what they are about; `()` where all go together.
pub struct Gather<K, Q> {
    at_once: usize,
    held_up: Duration,
    waiting: Mutex<HashMap<K, Waiting<Q>>>,
}

struct Waiting<Q> {
    questions: Vec<Q>,
    turns: usize,
    /// When questions went out last.
    asked: Option<Instant>,
}

impl<K: Clone + Eq + Hash, Q> Gather<K, Q> {
    /// At most `at_once` turns about one thing, and another beside one that is under way only when that one asked at least
    /// `held_up` ago: what is held up must not hold up everybody.
    #[must_use]
    pub fn new(at_once: usize, held_up: Duration) -> Arc<Self> {
        Arc::new(Self { at_once, held_up, waiting: Mutex::default() })
    }

    /// Adds a question; a turn when nobody is there to take it. Let the turn run in a task of its own: a request that is
    /// given up must not take the others' questions along.
    pub fn add(self: &Arc<Self>, about: &K, question: Q) -> Option<Turn<K, Q>> {
        let mut waiting = self.waiting();
        if !waiting.contains_key(about) {
            let none = Waiting { questions: Vec::new(), turns: 0, asked: None };
            waiting.insert(about.clone(), none);
        }
        let here = waiting.get_mut(about)?;
        here.questions.push(question);
        self.turn(about, here)
    }

    /// Adds a question and waits for its answer, for so long. `begin` starts a task that takes a turn.
    ///
    /// # Errors
    /// No answer in time. An answer that nobody will give any more is the inner error: a turn has panicked.
    pub async fn ask<A>(
        self: &Arc<Self>,
        about: &K,
        question: Q,
        mut answered: Receiver<A>,
        within: Duration,
        begin: impl Fn(Turn<K, Q>),
    ) -> Result<Result<A, RecvError>, Elapsed> {
        self.add(about, question).map(&begin);
        let until_held_up = self.held_up.min(within);
        if let Ok(answer) = timeout(until_held_up, &mut answered).await {
            return Ok(answer);
        }
        // It may still wait, and nobody come whose question would begin a turn: two round trips in a row to a server that is
        // far away may take more time than there is.
        self.overdue(about).map(&begin);
        timeout(within.saturating_sub(until_held_up), answered).await
    }

    /// A turn when questions still wait beside one that is held up.
    fn overdue(self: &Arc<Self>, about: &K) -> Option<Turn<K, Q>> {
        let mut waiting = self.waiting();
        let here = waiting.get_mut(about).filter(|here| !here.questions.is_empty())?;
        self.turn(about, here)
    }

    fn turn(self: &Arc<Self>, about: &K, here: &mut Waiting<Q>) -> Option<Turn<K, Q>> {
        let held_up = here.turns < self.at_once && here.asked.is_some_and(|at| at.elapsed() >= self.held_up);
        (here.turns == 0 || held_up).then(|| {
            here.turns += 1;
            Turn { gather: Arc::clone(self), about: about.clone(), held: true }
        })
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<K, Waiting<Q>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have questions under way.
#[must_use = "nobody else takes the questions that have gathered"]
pub struct Turn<K: Clone + Eq + Hash, Q> {
    gather: Arc<Gather<K, Q>>,
    about: K,
    held: bool,
}

impl<K: Clone + Eq + Hash, Q> Turn<K, Q> {
    /// Questions to ask now, the oldest first. `some` may take out what nobody waits for any more, and says how many of the
    /// others go together (at least one does). With none left the turn ends under the same lock: whoever adds a question
    /// afterwards gets a turn.
    pub fn next(&mut self, some: impl FnOnce(&mut Vec<Q>) -> usize) -> Option<Vec<Q>> {
        let gather = Arc::clone(&self.gather);
        let mut waiting = gather.waiting();
        let here = waiting.get_mut(&self.about)?;
        let many = some(&mut here.questions).max(1);
        if here.questions.is_empty() {
            self.end(&mut waiting);
            return None;
        }
        here.asked = Some(Instant::now());
        if many >= here.questions.len() {
            return Some(mem::take(&mut here.questions));
        }
        Some(here.questions.drain(..many).collect())
    }

    fn end(&mut self, waiting: &mut HashMap<K, Waiting<Q>>) {
        if mem::replace(&mut self.held, false)
            && let Some(here) = waiting.get_mut(&self.about)
        {
            here.turns -= 1;
            if here.turns == 0 && here.questions.is_empty() {
                waiting.remove(&self.about);
            }
        }
    }
}

impl<K: Clone + Eq + Hash, Q> Drop for Turn<K, Q> {
    /// A panic must not keep the right for ever.
    fn drop(&mut self) {
        if self.held {
            let gather = Arc::clone(&self.gather);
            self.end(&mut gather.waiting());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: fn(&mut Vec<u32>) -> usize = |waiting| waiting.len();

    #[test]
    fn add_gives_one_turn_to_whoever_comes_first() {
        let gather = Gather::new(4, Duration::from_secs(3_600));
        let mut turn = gather.add(&(), 1).expect("nobody asks yet");
        assert!(gather.add(&(), 2).is_none());
        assert_eq!(turn.next(ALL), Some(vec![1, 2]));
        assert!(gather.add(&(), 3).is_none(), "a question is under way");
        assert_eq!(turn.next(ALL), Some(vec![3]));
        assert_eq!(turn.next(ALL), None);
        assert!(gather.waiting().is_empty());
        assert!(gather.add(&(), 4).is_some(), "the turn has ended");
    }

    #[test]
    fn add_gives_another_turn_beside_one_that_is_held_up() {
        let gather = Gather::new(2, Duration::ZERO);
        let mut first = gather.add(&(), 1).unwrap();
        assert!(gather.add(&(), 2).is_none(), "the first has not asked yet");
        assert_eq!(first.next(ALL), Some(vec![1, 2]));
        let mut second = gather.add(&(), 3).expect("the first is under way");
        assert!(gather.add(&(), 4).is_none(), "no more than two");
        assert_eq!(second.next(ALL), Some(vec![3, 4]));
        assert_eq!(first.next(ALL), None);
        assert!(gather.add(&(), 5).is_some(), "one has ended");
    }

    #[test]
    fn overdue_gives_a_turn_to_what_waits_beside_one_that_is_held_up() {
        let gather = Gather::new(2, Duration::ZERO);
        assert!(gather.overdue(&()).is_none(), "nothing waits");
        let mut first = gather.add(&(), 1).unwrap();
        assert_eq!(first.next(ALL), Some(vec![1]));
        assert!(gather.overdue(&()).is_none(), "nothing waits");
        drop(gather.add(&(), 2));
        let mut second = gather.overdue(&()).expect("the first is under way");
        assert!(gather.overdue(&()).is_none(), "no more than two");
        assert_eq!(second.next(ALL), Some(vec![2]));

        let patient = Gather::new(2, Duration::from_secs(3_600));
        let mut only = patient.add(&(), 1).unwrap();
        assert_eq!(only.next(ALL), Some(vec![1]));
        assert!(patient.add(&(), 2).is_none() && patient.overdue(&()).is_none(), "it is not held up yet");
    }

    #[test]
    fn next_takes_as_many_as_go_together_and_none_that_nobody_waits_for() {
        let gather = Gather::new(1, Duration::ZERO);
        let mut turn = gather.add(&(), 1).unwrap();
        for number in 2..=6 {
            assert!(gather.add(&(), number).is_none());
        }
        let odd_and_two = |waiting: &mut Vec<u32>| {
            waiting.retain(|number| number % 2 == 1);
            2
        };
        assert_eq!(turn.next(odd_and_two), Some(vec![1, 3]));
        assert_eq!(turn.next(|_| 0), Some(vec![5]), "one goes, or nobody would ever be asked");
        assert_eq!(turn.next(ALL), None);
    }

    #[test]
    fn drop_gives_a_turn_back() {
        let gather = Gather::new(1, Duration::ZERO);
        drop(gather.add(&"one", 1));
        let mut other = gather.add(&"other", 7).expect("another thing");
        let mut turn = gather.add(&"one", 2).expect("the turn that was dropped is free");
        assert_eq!(turn.next(ALL), Some(vec![1, 2]));
        assert_eq!(other.next(ALL), Some(vec![7]));
    }
}
