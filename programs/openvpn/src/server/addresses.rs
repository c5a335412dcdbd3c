//! The clients at each UDP address.

use std::collections::HashMap;
use std::net::SocketAddr;

/// Ids of clients by address. A client that connects anew has two sessions at its address until the
/// new one is authenticated.
#[derive(Default)]
pub(super) struct Addresses(HashMap<SocketAddr, Vec<u32>>);

impl Addresses {
    pub(super) fn insert(&mut self, address: SocketAddr, id: u32) {
        self.0.entry(address).or_default().push(id);
    }

    pub(super) fn remove(&mut self, address: SocketAddr, id: u32) {
        if let Some(ids) = self.0.get_mut(&address) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.0.remove(&address);
            }
        }
    }

    /// The ids at an address.
    pub(super) fn at(&self, address: SocketAddr) -> &[u32] {
        self.0.get(&address).map_or(&[], Vec::as_slice)
    }
}
