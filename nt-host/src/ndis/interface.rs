//! The network interface of the stack above an adapter.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::interface_mtu::IpVersion;
use super::miniport_adapter::{MiniportAdapter, by_luid, find};

/// An interface of the stack: there is one above each adapter that has been initialized.
pub(crate) struct Interface(Arc<MiniportAdapter>);

impl Interface {
    pub(crate) fn by_luid(luid: u64) -> Option<Self> {
        by_luid(luid).map(Self)
    }

    pub(crate) fn by_index(index: u32) -> Option<Self> {
        find(|adapter| adapter.if_index == index).map(Self)
    }

    pub(crate) fn luid(&self) -> u64 {
        self.0.luid
    }

    pub(crate) fn index(&self) -> u32 {
        self.0.if_index
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.0.link_is_up.load(Ordering::Acquire) != 0
    }

    /// What the miniport said to be its own (`NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES::MtuSize`).
    pub(crate) fn max_mtu(&self) -> u32 {
        self.0.attributes().general.map_or(0, |general| general.mtu)
    }

    pub(crate) fn mtu(&self, version: IpVersion) -> u32 {
        self.0.mtu.of(version)
    }

    /// Sets it, and tells the edge where packets may be of another length now.
    pub(crate) fn set_mtu(&self, version: IpVersion, bytes: u32) {
        let before = self.0.mtu.longest();
        self.0.mtu.set(version, bytes);
        let longest = self.0.mtu.longest();
        if longest != before {
            self.0.edge.mtu(longest);
        }
    }
}

/// The MTU that the stack above has on the interface of a `NET_LUID`; the greater one where it has
/// two.
#[must_use]
pub fn interface_mtu(luid: u64) -> Option<u32> {
    by_luid(luid).map(|adapter| adapter.mtu.longest())
}

/// Notes that the stack above has this MTU on the interface of a `NET_LUID` now, for both versions
/// of IP. The edge is not told: it is from there that the news come. False when there is no such
/// interface.
pub fn set_interface_mtu(luid: u64, mtu: u32) -> bool {
    by_luid(luid).is_some_and(|adapter| {
        adapter.mtu.set_both(mtu);
        true
    })
}
