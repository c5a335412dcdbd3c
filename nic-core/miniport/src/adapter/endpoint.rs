//! Where a datagram came from.

use nic_engine::{Endpoint, LocalAddress};
use nt::wsk::Datagram;

/// Where a datagram came from, and to which of our addresses.
pub(super) fn of(datagram: &Datagram<'_>) -> Option<Endpoint> {
    let local = datagram.local().map(|local| LocalAddress {
        address: local.address,
        interface_index: local.interface_index,
    });
    Some(Endpoint::new(datagram.remote()?).with_local(local))
}
