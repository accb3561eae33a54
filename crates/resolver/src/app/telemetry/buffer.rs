//! Rows that wait in memory. A scan pushes its row and goes on; the writer is woken once a segment, not once a row: at
//! tens of thousands of rows a second, waking it would cost more than the rows.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::ScanEvent;
use super::segment::MAX_ROWS;

/// Rows that wait at most; about 32 MB. At 60,000 scans a second it outlasts a disk that stands still for four.
const CAPACITY: usize = 262_144;

/// A bounded buffer with many ends for scans and one for the writer.
#[derive(Default)]
pub struct Buffer {
    waiting: Mutex<Waiting>,
    /// Told when a row comes to an empty buffer.
    first: Notify,
    /// Told when a segment is full.
    full: Notify,
}

#[derive(Default)]
struct Waiting {
    whole: VecDeque<Vec<ScanEvent>>,
    last: Vec<ScanEvent>,
    rows: usize,
    closed: bool,
}

impl Buffer {
    /// Leaves a row, and never waits for more than a moment; false when there is no room, or the end has come.
    #[must_use]
    pub fn push(&self, event: ScanEvent) -> bool {
        let mut waiting = self.waiting();
        if waiting.closed || waiting.rows >= CAPACITY {
            return false;
        }
        waiting.last.push(event);
        waiting.rows += 1;
        let first = waiting.rows == 1;
        let full = waiting.last.len() == MAX_ROWS;
        if full {
            let next = Vec::with_capacity(MAX_ROWS);
            let whole = mem::replace(&mut waiting.last, next);
            waiting.whole.push_back(whole);
        }
        drop(waiting);
        if first {
            self.first.notify_one();
        }
        if full {
            self.full.notify_one();
        }
        true
    }

    /// The rows of the next segment, the oldest first; none when nothing waits.
    pub fn take(&self) -> Vec<ScanEvent> {
        let mut waiting = self.waiting();
        let taken = waiting.whole.pop_front().unwrap_or_else(|| mem::take(&mut waiting.last));
        waiting.rows -= taken.len();
        taken
    }

    /// Returns when a row waits.
    pub async fn has_some(&self) {
        while self.rows() == 0 {
            self.first.notified().await;
        }
    }

    /// Returns when a whole segment waits.
    pub async fn has_segment(&self) {
        while self.waiting().whole.is_empty() {
            self.full.notified().await;
        }
    }

    /// Takes no more rows; answers whether none waits.
    pub fn close(&self) -> bool {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.rows == 0
    }

    /// How many rows wait.
    pub fn rows(&self) -> usize {
        self.waiting().rows
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Whoever panicked under this lock left whole rows.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::tests::segment;
    use super::*;

    #[test]
    fn take_yields_whole_segments_in_order_and_then_the_rest() {
        let buffer = Buffer::default();
        let rows = segment(MAX_ROWS + 3).events;
        assert!(rows.iter().all(|row| buffer.push(*row)));
        assert_eq!(buffer.rows(), MAX_ROWS + 3);
        assert_eq!(buffer.take(), rows[..MAX_ROWS]);
        assert_eq!(buffer.take(), rows[MAX_ROWS..]);
        assert!(buffer.take().is_empty());
        assert_eq!(buffer.rows(), 0);
    }

    #[test]
    fn push_to_a_full_or_closed_buffer_is_refused() {
        let buffer = Buffer::default();
        let row = segment(1).events[0];
        assert!((0..CAPACITY).all(|_| buffer.push(row)));
        assert!(!buffer.push(row));
        buffer.take();
        assert!(buffer.push(row), "there is room again");
        assert!(!buffer.close(), "rows wait");
        assert!(!buffer.push(row));
    }

    #[tokio::test]
    async fn has_some_and_has_segment_wait_for_no_more_than_they_say() {
        let buffer = Buffer::default();
        let rows = segment(MAX_ROWS).events;
        assert!(buffer.push(rows[0]));
        buffer.has_some().await;
        assert!(rows[1..].iter().all(|row| buffer.push(*row)));
        buffer.has_segment().await;
        assert_eq!(buffer.take().len(), MAX_ROWS);
        assert!(buffer.close());
    }
}
