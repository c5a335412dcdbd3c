//! Task offloads: how the stack enables them, and the rules for a miniport (windows-driver-docs,
//! `OID_OFFLOAD_ENCAPSULATION` and `OID_TCP_OFFLOAD_PARAMETERS`).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nt_sys::ndis::{
    NDIS_OID, NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO as Info, OID_OFFLOAD_ENCAPSULATION,
    OID_TCP_OFFLOAD_PARAMETERS,
};

use crate::violation::{Rule, stop};

/// The flags of a packet whose checksums the miniport has verified.
const RECEIVE_CHECKSUMS: usize = Info::RECEIVE_TCP_CHECKSUM_FAILED
    | Info::RECEIVE_UDP_CHECKSUM_FAILED
    | Info::RECEIVE_IP_CHECKSUM_FAILED
    | Info::RECEIVE_TCP_CHECKSUM_SUCCEEDED
    | Info::RECEIVE_UDP_CHECKSUM_SUCCEEDED
    | Info::RECEIVE_IP_CHECKSUM_SUCCEEDED;

/// The state of an adapter's offloads.
#[derive(Default)]
pub(super) struct Offloads {
    /// Whether the stack has ever enabled them.
    were_on: AtomicBool,
    /// The number of times that the miniport has indicated its current configuration.
    told: AtomicUsize,
}

impl Offloads {
    /// Records that the miniport has indicated its current configuration.
    pub(super) fn tell(&self) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn times_told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }

    /// Called before the miniport gets a set request.
    pub(super) fn before_set(&self, oid: NDIS_OID) {
        // The miniport may use the offloads as soon as it has the request.
        if oid == OID_OFFLOAD_ENCAPSULATION {
            self.were_on.store(true, Ordering::Release);
        }
    }

    /// Stops if the miniport has accepted a change of offloads without indicating its new
    /// configuration.
    pub(super) fn require_told(&self, oid: NDIS_OID, told_before: usize) {
        if matches!(oid, OID_OFFLOAD_ENCAPSULATION | OID_TCP_OFFLOAD_PARAMETERS)
            && self.times_told() == told_before
        {
            stop(
                Rule::OFFLOAD_NOT_TOLD,
                "MiniportOidRequest",
                format_args!(
                    "OID {oid:#010x} was set without NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG"
                ),
            );
        }
    }

    /// Stops if a received packet has checksum flags before the stack has enabled the offload.
    pub(super) fn require_on(&self, function: &str, info: usize) {
        if info & RECEIVE_CHECKSUMS != 0 && !self.were_on.load(Ordering::Acquire) {
            stop(
                Rule::OFFLOAD_NOT_ON,
                function,
                format_args!(
                    "a packet has checksum flags {info:#x} without OID_OFFLOAD_ENCAPSULATION"
                ),
            );
        }
    }
}
