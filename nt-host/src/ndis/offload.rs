//! Task offloads: how the stack turns them on, and what a miniport owes it then
//! (windows-driver-docs, `OID_OFFLOAD_ENCAPSULATION` and `OID_TCP_OFFLOAD_PARAMETERS`).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nt_sys::ndis::{
    NDIS_ENCAPSULATION_NULL, NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_OFFLOAD_ENCAPSULATION,
    NDIS_OFFLOAD, NDIS_OFFLOAD_ENCAPSULATION, NDIS_OFFLOAD_ENCAPSULATION_FIELDS,
    NDIS_OFFLOAD_ENCAPSULATION_REVISION_1, NDIS_OFFLOAD_SET_ON, NDIS_OID,
    NDIS_SIZEOF_OFFLOAD_ENCAPSULATION_REVISION_1,
    NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO as Info, OID_OFFLOAD_ENCAPSULATION,
    OID_TCP_OFFLOAD_PARAMETERS,
};

use super::adapter::AdapterInner;
use super::attributes::Offload;
use super::oid::{OidRequest, bytes_of};
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

impl AdapterInner {
    /// As TCP/IP when it binds: turns on what there is. A miniport may refuse; then nothing is
    /// used.
    pub(super) fn turn_offloads_on(&self) {
        let Some((current, _)) = self.attributes().offload else { return };
        let [ipv4, ipv6] = offered(&current);
        if !ipv4 && !ipv6 {
            return;
        }
        let fields = |is_offered| match is_offered {
            true => NDIS_OFFLOAD_ENCAPSULATION_FIELDS {
                Enabled: NDIS_OFFLOAD_SET_ON,
                EncapsulationType: NDIS_ENCAPSULATION_NULL,
                HeaderSize: 0,
            },
            false => NDIS_OFFLOAD_ENCAPSULATION_FIELDS::default(),
        };
        let encapsulation = NDIS_OFFLOAD_ENCAPSULATION {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_OFFLOAD_ENCAPSULATION,
                Revision: NDIS_OFFLOAD_ENCAPSULATION_REVISION_1,
                Size: NDIS_SIZEOF_OFFLOAD_ENCAPSULATION_REVISION_1,
            },
            IPv4: fields(ipv4),
            IPv6: fields(ipv6),
        };
        let buffer = bytes_of(&encapsulation);
        let _ = self.oid(OidRequest::Set { oid: OID_OFFLOAD_ENCAPSULATION, buffer: &buffer });
    }

    /// The miniport is about to be asked to set something.
    pub(super) fn before_set(&self, oid: NDIS_OID) {
        // It may use them from the moment on that it has the request.
        if oid == OID_OFFLOAD_ENCAPSULATION {
            self.offloads.were_on.store(true, Ordering::Release);
        }
    }

    /// Stops where the miniport has taken a change of offloads and has not told what they are
    /// since.
    pub(super) fn require_told(&self, oid: NDIS_OID, told_before: usize) {
        if matches!(oid, OID_OFFLOAD_ENCAPSULATION | OID_TCP_OFFLOAD_PARAMETERS)
            && self.offloads.times_told() == told_before
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
}

/// Whether something is offered for packets without a link's header, by version of IP.
fn offered(current: &Offload) -> [bool; 2] {
    // SAFETY: it has the size of the struct, which is numbers.
    let current = unsafe { current.as_ptr().cast::<NDIS_OFFLOAD>().read_unaligned() };
    let checksum = current.Checksum;
    [
        [
            checksum.IPv4Transmit.Encapsulation,
            checksum.IPv4Receive.Encapsulation,
            current.LsoV2.IPv4.Encapsulation,
            current.UdpSegmentation.IPv4.Encapsulation,
        ],
        [
            checksum.IPv6Transmit.Encapsulation,
            checksum.IPv6Receive.Encapsulation,
            current.LsoV2.IPv6.Encapsulation,
            current.UdpSegmentation.IPv6.Encapsulation,
        ],
    ]
    .map(|offloads| offloads.iter().any(|types| types & NDIS_ENCAPSULATION_NULL != 0))
}
