//! Where peers are.

use core::net::{IpAddr, SocketAddr};

use crate::{
    Endpoint, Protocol, System, Transport,
    nic::Nic,
    peer::Peer,
    protocol::{Addresses, PeerId},
};

impl<P: Protocol, S: System> Nic<P, S> {
    /// Notes where a peer is, as it was told to us. Says where it was; `None` where the peer is
    /// gone.
    pub(super) fn set_endpoint(
        &self,
        peer: PeerId,
        endpoint: Endpoint,
    ) -> Option<Option<Endpoint>> {
        let replace = |state: &mut Peer<P, S>| {
            let before = state.endpoint.replace(endpoint);
            if S::FINDS_PATHS && endpoint.transport == Transport::Datagram {
                state.path.moved(endpoint.local);
            }
            before
        };
        let changed = match P::ADDRESSES {
            Addresses::Shared => self.peers.with_data(peer, replace),
            Addresses::Exclusive => {
                let mut book = self.addresses.lock();
                self.peers.with_data(peer, |state| {
                    let before = replace(state);
                    let from = before.map(|before| before.remote);
                    // Userspace's word counts; but where another has the address, that one keeps
                    // its claim to it.
                    if !book.move_peer(peer, from, endpoint.remote)
                        && let Some(from) = from
                    {
                        book.remove(peer, &from);
                    }
                    before
                })
            }
        };
        changed.map(|(before, _)| before)
    }

    /// Follows a peer to where an authentic packet came from. False where that is another's, or
    /// can't be a peer's.
    pub(super) fn follow(&self, peer: PeerId, to: Endpoint) -> bool {
        if !is_unicast(to.remote) {
            return false;
        }
        let mut book = self.addresses.lock();
        let followed = self.peers.with_data(peer, |state| {
            let from = state.endpoint.map(|endpoint| endpoint.remote);
            let is_free = book.move_peer(peer, from, to.remote);
            if is_free {
                state.heard_from(to);
            }
            is_free
        });
        followed.is_some_and(|(is_free, _)| is_free)
    }

    /// Forgets where a peer was that is gone.
    pub(super) fn forget_address(&self, peer: PeerId, last: Option<Endpoint>) {
        if let (Addresses::Exclusive, Some(last)) = (P::ADDRESSES, last) {
            self.addresses.lock().remove(peer, &last.remote);
        }
    }
}

/// Whether it is one machine's address and port.
const fn is_unicast(address: SocketAddr) -> bool {
    let is_for_many = match address.ip().to_canonical() {
        IpAddr::V4(v4) => v4.is_broadcast() || v4.is_multicast() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_multicast() || v6.is_unspecified(),
    };
    !is_for_many && address.port() != 0
}
