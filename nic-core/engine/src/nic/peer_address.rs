//! Where peers are.

use core::net::{IpAddr, SocketAddr};

use crate::{
    Endpoint, Protocol, System,
    nic::Nic,
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
        match P::ADDRESSES {
            Addresses::Shared => self.peers.with(peer, |state| state.endpoint.replace(endpoint)),
            Addresses::Exclusive => {
                let mut book = self.addresses.lock();
                self.peers.with(peer, |state| {
                    let before = state.endpoint.replace(endpoint);
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
        }
    }

    /// Follows a peer to where an authentic packet came from. False where that is another's, or
    /// can't be a peer's.
    pub(super) fn follow(&self, peer: PeerId, to: Endpoint) -> bool {
        if !is_unicast(to.remote) {
            return false;
        }
        let mut book = self.addresses.lock();
        self.peers
            .with(peer, |state| {
                let from = state.endpoint.map(|endpoint| endpoint.remote);
                let is_free = book.move_peer(peer, from, to.remote);
                if is_free {
                    state.endpoint = Some(to);
                }
                is_free
            })
            .unwrap_or(false)
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
