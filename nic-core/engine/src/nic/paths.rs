//! Peers' paths: the local addresses that they are sent to from.

use crate::{
    Instant, Protocol, System,
    nic::Nic,
    path::{Path, PathQuestion},
    protocol::{Discard, PeerId},
};

impl<P: Protocol, S: System> Nic<P, S> {
    /// The network has changed: the path of each peer is asked for again. The control thread is to
    /// look at once.
    pub fn network_changed(&self) {
        let control = self.control.lock();
        let mut last = None;
        while let Some(peer) = control.directory.next(last) {
            self.peers.with_data(peer, |state| {
                if state.endpoint.is_some() {
                    state.path.network_changed();
                }
            });
            last = Some(peer);
        }
    }

    /// Sets a peer's path. True where the peer is to be pumped: something waits for it.
    pub fn set_path(&self, question: &PathQuestion, path: Path, now: Instant) -> bool {
        let set = self.peers.with_data(question.peer, |state| {
            let Some(endpoint) = &mut state.endpoint else { return false };
            // It moved meanwhile: another question is due.
            if endpoint.remote != question.endpoint.remote {
                return false;
            }
            endpoint.local = state.path.answer(question, path, now);
            state.has_queued()
        });
        set.is_some_and(|(is_waiting, _)| is_waiting)
    }

    /// A peer's local address may be why a send has failed. The control thread is to look at once.
    pub fn doubt_path(&self, peer: PeerId) {
        self.peers.with_data(peer, |state| state.path.doubt());
    }

    /// A control message that counts as sent was not.
    pub fn send_failed(&self, peer: Option<PeerId>, datagram_bytes: usize, reason: Discard) {
        let bytes = datagram_bytes as u64;
        if let Some(peer) = peer {
            self.peers.with(peer, |state| {
                let counters = &mut state.counters;
                counters.sent_packets = counters.sent_packets.saturating_sub(1);
                counters.sent_bytes = counters.sent_bytes.saturating_sub(bytes);
            });
        }
        self.statistics.not_sent(bytes);
        self.statistics.discarded(reason, 1);
    }

    /// The question for a peer's path that is due.
    pub(super) fn path_question(&self, peer: PeerId, now: Instant) -> Option<PathQuestion> {
        if !S::FINDS_PATHS {
            return None;
        }
        let question = self.peers.with_data(peer, |state| {
            let Some(endpoint) = state.endpoint else {
                state.path.ask_at = Instant::NEVER;
                return None;
            };
            state.path.question(peer, endpoint, now)
        });
        question.and_then(|(question, _)| question)
    }
}
