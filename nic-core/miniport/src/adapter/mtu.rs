//! The MTU of the stack's interfaces on an adapter, per IP version.
//!
//! An administrator can change it at any time without a notification (NotifyIpInterfaceChange
//! reports other changes of an interface), so it is polled once a second while the adapter is up. A
//! late value loses no packet: the MTU only bounds padding and sizes buffers, and a longer packet
//! is sent nevertheless.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use nic_engine::{Instant, Mtu};
use nt::interface;
use nt::nbl::IpVersion;

use super::packet_size::{MAXIMUM_MTU_BYTES, slot_bytes};
use super::{Adapter, AdapterProtocol};
use crate::time;

const INTERVAL: Duration = Duration::from_secs(1);

/// The state of the stack's interfaces on an adapter.
pub(crate) struct Interfaces {
    /// The MTU that a new interface is set to.
    default_mtu_bytes: u32,
    v4_was_seen: AtomicBool,
    v6_was_seen: AtomicBool,
}

impl Interfaces {
    /// None seen yet.
    pub(super) fn new(default_mtu_bytes: u32) -> Self {
        Self {
            default_mtu_bytes,
            v4_was_seen: AtomicBool::new(false),
            v6_was_seen: AtomicBool::new(false),
        }
    }
}

impl<P: AdapterProtocol> Adapter<P> {
    /// Reads the stack's MTU; returns when to read it again.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// None may be held: the stack may send an OID request.
    pub fn poll_mtu(&self) -> Instant {
        let interfaces = &self.interfaces;
        let last = self.nic.mtu();
        let v4 = query_mtu(self, IpVersion::V4, &interfaces.v4_was_seen);
        let v6 = query_mtu(self, IpVersion::V6, &interfaces.v6_was_seen);
        let mtu =
            Mtu { v4_bytes: v4.unwrap_or(last.v4_bytes), v6_bytes: v6.unwrap_or(last.v6_bytes) };
        self.nic.set_mtu(mtu);
        // Always: a longer packet may have raised it since.
        self.send_batches.set_packet_bytes(slot_bytes::<P::Protocol>(mtu.longest()));

        let is_known = v4.is_some() && v6.is_some();
        if is_known && !self.nic.is_up() {
            // Coming up wakes the control thread.
            return Instant::NEVER;
        }
        time::instant().after(INTERVAL)
    }
}

/// The MTU of one interface; `None` if it does not exist.
fn query_mtu<P: AdapterProtocol>(
    adapter: &Adapter<P>,
    version: IpVersion,
    was_seen: &AtomicBool,
) -> Option<u32> {
    let luid = adapter.handle.interface_luid;
    let mtu_bytes = interface::mtu_bytes(luid, version).ok()?;
    let is_new = !was_seen.swap(true, Ordering::Relaxed);
    // A new interface starts with the adapter's maximum, unless it was set otherwise. Most networks
    // cannot carry that.
    if is_new && mtu_bytes >= MAXIMUM_MTU_BYTES {
        let default = adapter.interfaces.default_mtu_bytes;
        if interface::set_mtu_bytes(luid, version, default).is_ok() {
            return Some(default);
        }
    }
    Some(mtu_bytes.min(MAXIMUM_MTU_BYTES))
}
