//! The endpoint of a received datagram.

use nic_engine::{Endpoint, LocalAddress};
use nt::wsk::Datagram;

/// The source of a datagram, and the local address that received it.
pub(super) fn of(datagram: &Datagram<'_>) -> Option<Endpoint> {
    let local = datagram.local().map(|local| LocalAddress {
        address: local.address,
        interface_index: local.interface_index,
    });
    Some(Endpoint::new(datagram.remote()?).with_local(local))
}
