//! Task offloads: how the stack turns them on, and what a miniport owes it then
//! (windows-driver-docs, `OID_OFFLOAD_ENCAPSULATION` and `OID_TCP_OFFLOAD_PARAMETERS`).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nt_sys::ndis::{
    NDIS_OID, NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO as Info, OID_OFFLOAD_ENCAPSULATION,
    OID_TCP_OFFLOAD_PARAMETERS,
};

use crate::violation::{Rule, stop};

/// What a packet says when the miniport has looked at its checksums.
const RECEIVE_CHECKSUMS: usize = Info::RECEIVE_TCP_CHECKSUM_FAILED
    | Info::RECEIVE_UDP_CHECKSUM_FAILED
    | Info::RECEIVE_IP_CHECKSUM_FAILED
    | Info::RECEIVE_TCP_CHECKSUM_SUCCEEDED
    | Info::RECEIVE_UDP_CHECKSUM_SUCCEEDED
    | Info::RECEIVE_IP_CHECKSUM_SUCCEEDED;

/// An adapter's offloads, as the stack has them.
#[derive(Default)]
pub(super) struct Offloads {
    /// The stack has turned them on once.
    were_on: AtomicBool,
    /// How often the miniport has told its current configuration.
    told: AtomicUsize,
}

impl Offloads {
    /// The miniport has told its current configuration.
    pub(super) fn tell(&self) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn times_told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }

    /// The miniport is about to be asked to set something.
    pub(super) fn before_set(&self, oid: NDIS_OID) {
        // It may use them from the moment on that it has the request.
        if oid == OID_OFFLOAD_ENCAPSULATION {
            self.were_on.store(true, Ordering::Release);
        }
    }

    /// Stops where the miniport has taken a change of offloads and has not told what they are
    /// since.
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

    /// Stops where a received packet says something of its checksums before the stack has asked for
    /// that.
    pub(super) fn require_on(&self, function: &str, info: usize) {
        if info & RECEIVE_CHECKSUMS != 0 && !self.were_on.load(Ordering::Acquire) {
            stop(
                Rule::OFFLOAD_NOT_ON,
                function,
                format_args!(
                    "a packet says {info:#x} of its checksums, and OID_OFFLOAD_ENCAPSULATION was not set"
                ),
            );
        }
    }
}
