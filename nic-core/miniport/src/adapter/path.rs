//! The paths of an adapter's peers, and the control messages that take them.

use nic_engine::protocol::Discard;
use nic_engine::{Endpoint, Path, PathQuestion};
use nt::wsk::OneSent;
use nt::{Shared, Status};

use super::message::Message;
use super::{Adapter, AdapterProtocol};
use crate::outer_route::{Finder, Wanted};
use crate::time;

impl<P: AdapterProtocol> Adapter<P> {
    /// A destination with the local address by which it is reached now; `None` if it is not.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// None may be held.
    pub fn reach(&self, to: Endpoint) -> Option<Endpoint> {
        match self.find(&Wanted { endpoint: to, learnt: None, has_failed: false }) {
            Path::Local(local) => Some(to.with_local(local)),
            Path::Blocked(reason) => {
                self.nic.count(reason, 1);
                None
            }
        }
    }

    /// Finds a peer's path. True where something waits for it.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// None may be held.
    pub(super) fn answer(&self, question: &PathQuestion) -> bool {
        let PathQuestion { endpoint, learnt, has_failed, .. } = *question;
        let path = self.find(&Wanted { endpoint, learnt, has_failed });
        self.nic.set_path(question, path, time::instant())
    }

    /// Sends a control message, which counts as sent already. `is_again`: it has failed from the
    /// local address of its endpoint.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// None may be held.
    pub(super) fn send_message(adapter: &Shared<Self>, message: &Message, is_again: bool) {
        let wanted = Wanted { endpoint: message.endpoint, learnt: None, has_failed: is_again };
        let (bytes, peer) = (message.as_slice(), message.peer);
        let to = match adapter.find(&wanted) {
            Path::Local(local) => message.endpoint.with_local(local),
            Path::Blocked(reason) => return adapter.nic.send_failed(peer, bytes.len(), reason),
        };
        let context = SentMessage { adapter: adapter.clone(), message: *message, is_again };
        if let Err((status, context)) = adapter.sockets.send_one(bytes, &to, context) {
            context.sent(status);
        }
    }

    fn find(&self, wanted: &Wanted) -> Path {
        let bound = self.sockets.bound().map(|bound| bound.ip());
        let finder = Finder {
            network: &self.network,
            registry: &self.registry,
            own_luid: self.handle.interface_luid,
            bound: bound.filter(|bound| {
                !bound.is_unspecified() && bound.is_ipv4() == wanted.endpoint.remote.is_ipv4()
            }),
        };
        finder.find(wanted)
    }
}

/// A control message in flight.
struct SentMessage<P: AdapterProtocol> {
    adapter: Shared<Adapter<P>>,
    message: Message,
    is_again: bool,
}

impl<P: AdapterProtocol> OneSent for SentMessage<P> {
    fn sent(self, status: Status) {
        let Self { adapter, message, is_again } = self;
        if status.is_success() || (!is_again && adapter.control.send_again(message)) {
            return;
        }
        let bytes = message.as_slice().len();
        adapter.nic.send_failed(message.peer, bytes, Discard::SendFailed);
    }
}
