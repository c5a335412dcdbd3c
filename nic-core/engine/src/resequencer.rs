//! Puts batches that are processed in parallel back into order.

use nic_memory::{NoMemory, Queue};

/// The position of a batch in its peer's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "later batches wait until the ticket is returned"]
pub(crate) struct SequenceTicket(u64);

/// Whether the caller has to drain the resequencer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "batches stall if nobody drains them"]
pub enum Drain {
    /// The caller drains now, until nothing is left.
    Required,
    /// Another thread drains, or an earlier batch is not finished.
    NotRequired,
}

/// Why no ticket was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IssueError {
    /// The limit of outstanding batches or of their weight is reached.
    Full,
    /// Memory ran out.
    NoMemory,
}

/// Releases batches in the order in which their tickets were issued, on one thread at a time.
///
/// A batch takes a ticket when its processing starts, and may finish at any time. The thread that
/// finishes the oldest outstanding batch drains it and all finished batches that follow. The caller
/// locks.
pub(crate) struct Resequencer<T> {
    /// The outstanding batches, oldest first.
    entries: Queue<Entry<T>>,
    /// The ticket of the first entry.
    first: u64,
    /// The sum of the outstanding weights.
    weight: u32,
    is_draining: bool,
}

struct Entry<T> {
    state: State<T>,
    weight: u32,
}

enum State<T> {
    InProgress,
    Finished(T),
    Abandoned,
}

impl<T> Resequencer<T> {
    /// A resequencer without outstanding batches. The first ticket allocates.
    pub(crate) const fn new() -> Self {
        Self { entries: Queue::new(), first: 0, weight: 0, is_draining: false }
    }

    /// Reserves memory for the next [`Resequencer::issue`]. Fails if `max_batches` batches or
    /// `max_weight` are outstanding.
    pub(crate) fn prepare(
        &mut self,
        max_batches: usize,
        max_weight: u32,
    ) -> Result<(), IssueError> {
        if self.entries.len() >= max_batches || self.weight >= max_weight {
            return Err(IssueError::Full);
        }
        self.entries.try_reserve(1).map_err(|_| IssueError::NoMemory)
    }

    /// Issues the next ticket, after [`Resequencer::prepare`].
    pub(crate) fn issue(&mut self, weight: u32) -> Result<SequenceTicket, NoMemory> {
        let ticket = SequenceTicket(self.first.wrapping_add(self.entries.len() as u64));
        let entry = Entry { state: State::InProgress, weight };
        self.entries.push_back(entry).map_err(|_| NoMemory)?;
        self.weight = self.weight.saturating_add(weight);
        Ok(ticket)
    }

    /// Marks a batch as finished, or as abandoned if `value` is `None`. Returns `value` if the
    /// ticket is not outstanding.
    pub(crate) fn finish(
        &mut self,
        ticket: SequenceTicket,
        value: Option<T>,
    ) -> (Drain, Option<T>) {
        let position = ticket.0.wrapping_sub(self.first);
        let entry = usize::try_from(position).ok().and_then(|at| self.entries.get_mut(at));
        match entry {
            Some(entry) if matches!(entry.state, State::InProgress) => {
                entry.state = value.map_or(State::Abandoned, State::Finished);
            }
            _ => return (Drain::NotRequired, value),
        }
        if position != 0 || self.is_draining {
            return (Drain::NotRequired, None);
        }
        self.is_draining = true;
        (Drain::Required, None)
    }

    /// Takes the next finished batch; `None` ends the drain.
    pub(crate) fn next(&mut self) -> Option<T> {
        loop {
            if matches!(
                self.entries.front().map(|entry| &entry.state),
                None | Some(State::InProgress)
            ) {
                self.is_draining = false;
                return None;
            }
            let entry = self.entries.pop_front()?;
            self.first = self.first.wrapping_add(1);
            self.weight = self.weight.saturating_sub(entry.weight);
            if let State::Finished(value) = entry.state {
                return Some(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(resequencer: &mut Resequencer<u32>) -> SequenceTicket {
        resequencer.prepare(4, 100).unwrap();
        resequencer.issue(1).unwrap()
    }

    #[test]
    fn batches_leave_in_order_however_they_finish() {
        let mut resequencer = Resequencer::new();
        let [a, b, c] = [(); 3].map(|()| ticket(&mut resequencer));
        assert_eq!(resequencer.finish(c, Some(3)), (Drain::NotRequired, None));
        assert_eq!(resequencer.finish(a, Some(1)), (Drain::Required, None));
        assert_eq!(resequencer.next(), Some(1));
        // While one thread drains, the next in order is left to it.
        assert_eq!(resequencer.finish(b, Some(2)), (Drain::NotRequired, None));
        assert_eq!(resequencer.next(), Some(2));
        assert_eq!(resequencer.next(), Some(3));
        assert_eq!(resequencer.next(), None);
        let d = ticket(&mut resequencer);
        assert_eq!(resequencer.finish(d, Some(4)), (Drain::Required, None));
    }

    #[test]
    fn an_abandoned_batch_holds_nobody_up() {
        let mut resequencer = Resequencer::new();
        let [a, b] = [(); 2].map(|()| ticket(&mut resequencer));
        assert_eq!(resequencer.finish(b, Some(2)), (Drain::NotRequired, None));
        assert_eq!(resequencer.finish(a, None), (Drain::Required, None));
        assert_eq!(resequencer.next(), Some(2));
        assert_eq!(resequencer.next(), None);
    }

    #[test]
    fn it_is_bounded_in_batches_and_weight() {
        let mut resequencer = Resequencer::new();
        let first = ticket(&mut resequencer);
        for _ in 0..3 {
            _ = ticket(&mut resequencer);
        }
        assert_eq!(resequencer.prepare(4, 100), Err(IssueError::Full));
        assert_eq!(resequencer.prepare(5, 4), Err(IssueError::Full));
        assert_eq!(resequencer.finish(first, Some(1)).0, Drain::Required);
        assert_eq!(resequencer.next(), Some(1));
        assert_eq!(resequencer.prepare(4, 4), Ok(()));
    }

    #[test]
    fn a_ticket_counts_once() {
        let mut resequencer = Resequencer::new();
        let [a, b] = [(); 2].map(|()| ticket(&mut resequencer));
        assert_eq!(resequencer.finish(b, Some(2)), (Drain::NotRequired, None));
        assert_eq!(resequencer.finish(b, Some(9)), (Drain::NotRequired, Some(9)));
        assert_eq!(resequencer.finish(a, Some(1)), (Drain::Required, None));
        assert_eq!(resequencer.next(), Some(1));
        assert_eq!(resequencer.next(), Some(2));
        assert_eq!(resequencer.finish(a, Some(9)), (Drain::NotRequired, Some(9)));
        assert_eq!(resequencer.next(), None);
    }
}
