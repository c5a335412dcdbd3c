//! The binding of TCP/IP to an adapter, and the OIDs that it sets (windows-driver-docs,
//! `OID_GEN_CURRENT_PACKET_FILTER` and `OID_OFFLOAD_ENCAPSULATION`).

use nt_sys::ndis::{
    NDIS_ENCAPSULATION_NULL, NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_OFFLOAD_ENCAPSULATION,
    NDIS_OFFLOAD, NDIS_OFFLOAD_ENCAPSULATION, NDIS_OFFLOAD_ENCAPSULATION_FIELDS,
    NDIS_OFFLOAD_ENCAPSULATION_REVISION_1, NDIS_OFFLOAD_SET_ON, NDIS_PACKET_TYPE_ALL_MULTICAST,
    NDIS_PACKET_TYPE_BROADCAST, NDIS_PACKET_TYPE_DIRECTED,
    NDIS_SIZEOF_OFFLOAD_ENCAPSULATION_REVISION_1, NDIS_STATUS, NDIS_STATUS_FAILURE,
    NdisDevicePnPEventPowerProfileChanged, OID_GEN_CURRENT_LOOKAHEAD,
    OID_GEN_CURRENT_PACKET_FILTER, OID_OFFLOAD_ENCAPSULATION,
};
use nt_sys::ntdef::ULONG;

use super::attributes::Offload;
use super::miniport_adapter::MiniportAdapter;
use super::oid::{OidRequest, bytes_of};

impl MiniportAdapter {
    /// Sets the OIDs that TCP/IP sets when it binds.
    pub(super) fn bind(&self) -> Result<(), NDIS_STATUS> {
        let (lookahead, filters) = {
            let attributes = self.attributes();
            let Some(general) = attributes.general.as_ref() else {
                return Err(NDIS_STATUS_FAILURE);
            };
            (general.lookahead, general.packet_filters)
        };
        self.set_ulong(OID_GEN_CURRENT_LOOKAHEAD, lookahead)?;
        let wanted =
            NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_ALL_MULTICAST | NDIS_PACKET_TYPE_BROADCAST;
        self.set_ulong(OID_GEN_CURRENT_PACKET_FILTER, wanted & filters)?;
        self.turn_offloads_on();
        self.pnp_event(NdisDevicePnPEventPowerProfileChanged);
        Ok(())
    }

    pub(super) fn set_ulong(&self, oid: ULONG, value: ULONG) -> Result<(), NDIS_STATUS> {
        self.oid(OidRequest::Set { oid, buffer: &value.to_ne_bytes() })
            .map(drop)
            .map_err(|failure| failure.status)
    }

    /// Enables the offered offloads. The miniport may refuse; then none is used.
    fn turn_offloads_on(&self) {
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
}

/// Whether any offload is offered for packets without a link-layer header, by version of IP.
fn offered(current: &Offload) -> [bool; 2] {
    // SAFETY: the array has the size of the struct, which consists of integers.
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
