//! Puts batches that were worked on in parallel back in order.

use nic_memory::{NoMemory, Queue};

/// A place in the order, to be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "batches behind it wait until it is given back"]
pub struct Ticket(u64);

/// Whether the caller has to drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "batches stall when nobody drains them"]
pub enum Turn {
    /// The caller drains now, until nothing is left.
    Mine,
    /// Another thread drains, or an earlier batch isn't finished.
    NotMine,
}

/// Why there is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoTicket {
    /// As much is outstanding as may be.
    Full,
    /// Memory ran out.
    NoMemory,
}

/// Lets batches through in the order in which their tickets were given, one thread at a time.
///
/// A batch takes a ticket when work on it starts, and finishes when it may. Whoever finishes the
/// batch that is next drains it and all finished ones behind it. The caller locks.
pub(crate) struct Turnstile<T> {
    /// From the oldest outstanding ticket on.
    places: Queue<Place<T>>,
    /// The oldest outstanding ticket.
    first: u64,
    /// The sum of the outstanding weights.
    weight: u32,
    is_draining: bool,
}

struct Place<T> {
    state: State<T>,
    weight: u32,
}

enum State<T> {
    Working,
    Finished(T),
    Abandoned,
}

impl<T> Turnstile<T> {
    /// One with nothing outstanding; takes memory with the first ticket.
    pub(crate) const fn new() -> Self {
        Self { places: Queue::new(), first: 0, weight: 0, is_draining: false }
    }

    /// Makes sure that [`Turnstile::issue`] succeeds: fewer than `most` batches and `most_weight`
    /// are outstanding.
    pub(crate) fn prepare(&mut self, most: usize, most_weight: u32) -> Result<(), NoTicket> {
        if self.places.len() >= most || self.weight >= most_weight {
            return Err(NoTicket::Full);
        }
        self.places.try_reserve(1).map_err(|_| NoTicket::NoMemory)
    }

    /// Gives the next ticket, after [`Turnstile::prepare`].
    pub(crate) fn issue(&mut self, weight: u32) -> Result<Ticket, NoMemory> {
        let ticket = Ticket(self.first.wrapping_add(self.places.len() as u64));
        let place = Place { state: State::Working, weight };
        self.places.push_back(place).map_err(|_| NoMemory)?;
        self.weight = self.weight.saturating_add(weight);
        Ok(ticket)
    }

    /// Notes that a batch is finished, or is given up where it has no value. A ticket that is not
    /// outstanding gives the value back.
    pub(crate) fn finish(&mut self, ticket: Ticket, value: Option<T>) -> (Turn, Option<T>) {
        let ahead = ticket.0.wrapping_sub(self.first);
        let place = usize::try_from(ahead).ok().and_then(|ahead| self.places.get_mut(ahead));
        match place {
            Some(place) if matches!(place.state, State::Working) => {
                place.state = value.map_or(State::Abandoned, State::Finished);
            }
            _ => return (Turn::NotMine, value),
        }
        if ahead != 0 || self.is_draining {
            return (Turn::NotMine, None);
        }
        self.is_draining = true;
        (Turn::Mine, None)
    }

    /// Takes the next finished batch; `None` ends the turn.
    pub(crate) fn next(&mut self) -> Option<T> {
        loop {
            if matches!(self.places.front().map(|place| &place.state), None | Some(State::Working))
            {
                self.is_draining = false;
                return None;
            }
            let place = self.places.pop_front()?;
            self.first = self.first.wrapping_add(1);
            self.weight = self.weight.saturating_sub(place.weight);
            if let State::Finished(value) = place.state {
                return Some(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(turnstile: &mut Turnstile<u32>) -> Ticket {
        turnstile.prepare(4, 100).unwrap();
        turnstile.issue(1).unwrap()
    }

    #[test]
    fn batches_leave_in_order_however_they_finish() {
        let mut turnstile = Turnstile::new();
        let [a, b, c] = [(); 3].map(|()| ticket(&mut turnstile));
        assert_eq!(turnstile.finish(c, Some(3)), (Turn::NotMine, None));
        assert_eq!(turnstile.finish(a, Some(1)), (Turn::Mine, None));
        assert_eq!(turnstile.next(), Some(1));
        // While one thread drains, the next in order is left to it.
        assert_eq!(turnstile.finish(b, Some(2)), (Turn::NotMine, None));
        assert_eq!(turnstile.next(), Some(2));
        assert_eq!(turnstile.next(), Some(3));
        assert_eq!(turnstile.next(), None);
        let d = ticket(&mut turnstile);
        assert_eq!(turnstile.finish(d, Some(4)), (Turn::Mine, None));
    }

    #[test]
    fn an_abandoned_batch_holds_nobody_up() {
        let mut turnstile = Turnstile::new();
        let [a, b] = [(); 2].map(|()| ticket(&mut turnstile));
        assert_eq!(turnstile.finish(b, Some(2)), (Turn::NotMine, None));
        assert_eq!(turnstile.finish(a, None), (Turn::Mine, None));
        assert_eq!(turnstile.next(), Some(2));
        assert_eq!(turnstile.next(), None);
    }

    #[test]
    fn it_is_bounded_in_batches_and_weight() {
        let mut turnstile = Turnstile::new();
        let first = ticket(&mut turnstile);
        for _ in 0..3 {
            _ = ticket(&mut turnstile);
        }
        assert_eq!(turnstile.prepare(4, 100), Err(NoTicket::Full));
        assert_eq!(turnstile.prepare(5, 4), Err(NoTicket::Full));
        assert_eq!(turnstile.finish(first, Some(1)).0, Turn::Mine);
        assert_eq!(turnstile.next(), Some(1));
        assert_eq!(turnstile.prepare(4, 4), Ok(()));
    }

    #[test]
    fn a_ticket_counts_once() {
        let mut turnstile = Turnstile::new();
        let [a, b] = [(); 2].map(|()| ticket(&mut turnstile));
        assert_eq!(turnstile.finish(b, Some(2)), (Turn::NotMine, None));
        assert_eq!(turnstile.finish(b, Some(9)), (Turn::NotMine, Some(9)));
        assert_eq!(turnstile.finish(a, Some(1)), (Turn::Mine, None));
        assert_eq!(turnstile.next(), Some(1));
        assert_eq!(turnstile.next(), Some(2));
        assert_eq!(turnstile.finish(a, Some(9)), (Turn::NotMine, Some(9)));
        assert_eq!(turnstile.next(), None);
    }
}
