//! How a peer is reached: the local address that its datagrams are sent from.
//!
//! Where a system finds paths ([`crate::System::FINDS_PATHS`]), the control plane asks for that of
//! each peer: when its address becomes known, when an authentic datagram arrives at another local
//! address, when a send has failed, and when the network has changed.

use core::time::Duration;

use crate::{
    Endpoint, Instant, LocalAddress,
    protocol::{Discard, PeerId},
};

/// The answer to a [`PathQuestion`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// By this local address; `None` lets the network stack choose.
    Local(Option<LocalAddress>),
    /// There is none. What is to be sent is dropped for this reason.
    Blocked(Discard),
}

/// A question for a peer's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathQuestion {
    /// Whose.
    pub peer: PeerId,
    /// Its address, and the local address so far.
    pub endpoint: Endpoint,
    /// The local address at which its last datagrams arrived, if it is another one.
    pub learnt: Option<LocalAddress>,
    /// A send from the local address so far has failed, or may have.
    pub has_failed: bool,
}

/// A peer's path on the data path. Peer lock.
pub(crate) struct PathState {
    pub(crate) is_open: IsOpen,
    /// When the control plane asks.
    pub(crate) ask_at: Instant,
    learnt: Option<LocalAddress>,
    /// A learnt address that was not taken.
    refused: Option<LocalAddress>,
    has_failed: bool,
    /// When a send last failed.
    failed_at: Instant,
    /// A keepalive that failed is sent again.
    pub(crate) is_repeating: bool,
}

/// Whether datagrams can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IsOpen {
    /// They wait for the answer.
    Unknown,
    Yes,
    No(Discard),
}

impl PathState {
    pub(crate) const fn new() -> Self {
        Self {
            is_open: IsOpen::Yes,
            ask_at: Instant::NEVER,
            learnt: None,
            refused: None,
            has_failed: false,
            failed_at: Instant::ZERO,
            is_repeating: false,
        }
    }

    /// The peer is at another address. `local` is where its datagram arrived, if one did.
    pub(crate) const fn moved(&mut self, local: Option<LocalAddress>) {
        self.is_open = if local.is_some() { IsOpen::Yes } else { IsOpen::Unknown };
        self.ask_at = Instant::ZERO;
        self.learnt = local;
        self.refused = None;
        self.has_failed = false;
    }

    /// A datagram arrived at a local address; `current` is sent from.
    pub(crate) fn arrived(&mut self, at: Option<LocalAddress>, current: Option<LocalAddress>) {
        if at.is_some() && at != current && at != self.refused && at != self.learnt {
            self.learnt = at;
            self.ask_at = Instant::ZERO;
        }
    }

    /// The network has changed.
    pub(crate) const fn network_changed(&mut self) {
        self.refused = None;
        self.ask_at = Instant::ZERO;
    }

    /// The local address may be why nothing comes back.
    pub(crate) const fn doubt(&mut self) {
        self.has_failed = true;
        self.ask_at = Instant::ZERO;
    }

    /// A send has failed.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.has_failed = true;
        // Not at each of many failures.
        let earliest = self.failed_at.after(FAILURE_INTERVAL);
        self.ask_at = self.ask_at.min(earliest.max(now));
        self.failed_at = self.ask_at;
    }

    /// Whether what can wait should, as another local address may be found.
    pub(crate) const fn is_in_doubt(&self) -> bool {
        self.has_failed
    }

    /// The question, if it is time for it. It comes again if it isn't answered.
    pub(crate) fn question(
        &mut self,
        peer: PeerId,
        endpoint: Endpoint,
        now: Instant,
    ) -> Option<PathQuestion> {
        if self.ask_at > now {
            return None;
        }
        self.ask_at = now.after(RETRY);
        Some(PathQuestion { peer, endpoint, learnt: self.learnt, has_failed: self.has_failed })
    }

    /// Takes the answer to a question about the present address. Returns the local address to send
    /// from.
    pub(crate) fn answer(
        &mut self,
        question: &PathQuestion,
        path: Path,
        now: Instant,
    ) -> Option<LocalAddress> {
        let is_newer = self.learnt != question.learnt;
        self.ask_at = if is_newer { Instant::ZERO } else { Instant::NEVER };
        self.has_failed = false;
        let local = match path {
            Path::Local(local) => {
                self.is_open = IsOpen::Yes;
                local
            }
            Path::Blocked(reason) => {
                self.is_open = IsOpen::No(reason);
                self.ask_at = self.ask_at.min(now.after(RETRY));
                question.endpoint.local
            }
        };
        if !is_newer {
            self.refused = self.learnt.take().filter(|_| question.learnt != local);
        }
        local
    }
}

/// How soon a question is repeated that got no answer, or none that opens the path.
const RETRY: Duration = Duration::from_secs(1);
/// The shortest time between two questions because of failed sends.
const FAILURE_INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId { index: 0, generation: 0 };

    fn local(last: u8) -> Option<LocalAddress> {
        Some(LocalAddress { address: [10, 0, 0, last].into(), interface_index: last.into() })
    }

    fn endpoint(by: Option<LocalAddress>) -> Endpoint {
        Endpoint::new("192.0.2.1:1".parse().unwrap()).with_local(by)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO.after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_learnt_address_is_asked_for_once() {
        let mut path = PathState::new();
        path.moved(None);
        assert_eq!(path.is_open, IsOpen::Unknown);
        let question = path.question(PEER, endpoint(None), at(1)).unwrap();
        assert_eq!((question.learnt, question.has_failed), (None, false));
        assert!(path.question(PEER, endpoint(None), at(1)).is_none(), "it is asked already");
        assert_eq!(path.answer(&question, Path::Local(local(1)), at(1)), local(1));
        assert_eq!((path.is_open, path.ask_at), (IsOpen::Yes, Instant::NEVER));

        // What arrives elsewhere is refused, until the network changes.
        path.arrived(local(2), local(1));
        let question = path.question(PEER, endpoint(local(1)), at(2)).unwrap();
        assert_eq!(question.learnt, local(2));
        assert_eq!(path.answer(&question, Path::Local(local(1)), at(2)), local(1));
        path.arrived(local(2), local(1));
        assert_eq!(path.ask_at, Instant::NEVER);
        path.network_changed();
        let question = path.question(PEER, endpoint(local(1)), at(3)).unwrap();
        path.answer(&question, Path::Local(local(1)), at(3));
        path.arrived(local(2), local(1));
        assert_eq!(path.question(PEER, endpoint(local(1)), at(3)).unwrap().learnt, local(2));
    }

    #[test]
    fn what_is_learnt_meanwhile_is_asked_for_as_well() {
        let mut path = PathState::new();
        path.moved(local(1));
        assert_eq!(path.is_open, IsOpen::Yes, "an answer goes where the datagram came from");
        let question = path.question(PEER, endpoint(local(1)), at(1)).unwrap();
        path.arrived(local(2), local(1));
        path.answer(&question, Path::Local(local(1)), at(1));
        assert_eq!(path.question(PEER, endpoint(local(1)), at(1)).unwrap().learnt, local(2));
    }

    #[test]
    fn failures_are_followed_up_but_not_each() {
        let mut path = PathState::new();
        path.failed(at(5));
        assert!(path.is_in_doubt());
        let question = path.question(PEER, endpoint(local(1)), at(5)).unwrap();
        assert!(question.has_failed);
        path.answer(&question, Path::Local(local(2)), at(5));
        assert!(!path.is_in_doubt());
        path.failed(at(5));
        assert!(path.question(PEER, endpoint(local(2)), at(5)).is_none());
        assert_eq!(path.ask_at, at(5).after(FAILURE_INTERVAL));
    }

    #[test]
    fn a_blocked_path_is_tried_again() {
        let mut path = PathState::new();
        path.moved(None);
        let question = path.question(PEER, endpoint(None), at(1)).unwrap();
        let blocked = Path::Blocked(Discard::OuterRouteLoop);
        assert_eq!(path.answer(&question, blocked, at(1)), None);
        assert_eq!(path.is_open, IsOpen::No(Discard::OuterRouteLoop));
        assert!(path.question(PEER, endpoint(None), at(1)).is_none());
        let question = path.question(PEER, endpoint(None), at(2)).unwrap();
        path.answer(&question, Path::Local(local(1)), at(2));
        assert_eq!((path.is_open, path.ask_at), (IsOpen::Yes, Instant::NEVER));
    }
}
