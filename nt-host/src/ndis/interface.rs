//! The network interface of the stack above an adapter.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::interface_mtu::IpVersion;
use super::miniport_adapter::{MiniportAdapter, adapters, by_luid, find};

/// An IP interface. There is one above each adapter that has been initialized.
pub(crate) struct Interface(Arc<MiniportAdapter>);

impl Interface {
    pub(crate) fn by_luid(luid: u64) -> Option<Self> {
        by_luid(luid).map(Self)
    }

    pub(crate) fn by_index(index: u32) -> Option<Self> {
        find(|adapter| adapter.if_index == index).map(Self)
    }

    /// The one that is an interface of Linux.
    pub(crate) fn of_linux(index: u32) -> Option<Self> {
        find(|adapter| adapter.edge.linux_interface() == Some(index)).map(Self)
    }

    /// All.
    pub(crate) fn all() -> Vec<Self> {
        adapters().iter().cloned().map(Self).collect()
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

    /// The miniport's own MTU (`NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES::MtuSize`).
    pub(crate) fn max_mtu(&self) -> u32 {
        self.0.attributes().general.map_or(0, |general| general.mtu)
    }

    pub(crate) fn mtu(&self, version: IpVersion) -> u32 {
        self.0.mtu.of(version)
    }

    /// Sets it. Notifies the edge if the largest packet changes.
    pub(crate) fn set_mtu(&self, version: IpVersion, bytes: u32) {
        let before = self.0.mtu.longest();
        self.0.mtu.set(version, bytes);
        let longest = self.0.mtu.longest();
        if longest != before {
            self.0.edge.mtu(longest);
        }
    }
}

/// The MTU of the interface with a `NET_LUID`: the larger one, if IPv4 and IPv6 differ.
#[must_use]
pub fn interface_mtu(luid: u64) -> Option<u32> {
    by_luid(luid).map(|adapter| adapter.mtu.longest())
}

/// Records the MTU of the interface with a `NET_LUID`, for both versions of IP. The edge is not
/// notified, because it is the source of the change. Returns false if there is no such interface.
pub fn set_interface_mtu(luid: u64, mtu: u32) -> bool {
    by_luid(luid).is_some_and(|adapter| {
        adapter.mtu.set_both(mtu);
        true
    })
}
