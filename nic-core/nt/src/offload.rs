//! Changes of offloads while an adapter runs (ndis docs, `OID_TCP_OFFLOAD_PARAMETERS` and
//! `OID_OFFLOAD_ENCAPSULATION`).

use nt_sys::ndis::{
    NDIS_ENCAPSULATION_NULL, NDIS_OFFLOAD_ENCAPSULATION, NDIS_OFFLOAD_ENCAPSULATION_FIELDS,
    NDIS_OFFLOAD_PARAMETERS, NDIS_OFFLOAD_PARAMETERS_NO_CHANGE,
    NDIS_OFFLOAD_PARAMETERS_RX_ENABLED_TX_DISABLED, NDIS_OFFLOAD_PARAMETERS_TX_ENABLED_RX_DISABLED,
    NDIS_OFFLOAD_PARAMETERS_TX_RX_DISABLED, NDIS_OFFLOAD_PARAMETERS_TX_RX_ENABLED,
    NDIS_OFFLOAD_SET_NO_CHANGE, NDIS_OFFLOAD_SET_OFF, NDIS_OFFLOAD_SET_ON,
    NDIS_STATUS_INVALID_DATA, NDIS_STATUS_INVALID_PARAMETER,
};
use nt_sys::ntdef::{UCHAR, ULONG};

use crate::checksums::ReceiveChecksums;
use crate::status::{Result, Status};

/// The largest value of a field of an offload that the adapter lacks (ntddndis.h,
/// `NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED` and others).
const DISABLED: UCHAR = 1;

/// A change of the offload configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffloadChange {
    on: ReceiveChecksums,
    off: ReceiveChecksums,
}

impl OffloadChange {
    /// `NDIS_STATUS_INVALID_DATA` if a value is undefined, or turns on an offload that the adapter
    /// lacks.
    pub(crate) fn of(parameters: &NDIS_OFFLOAD_PARAMETERS) -> Result<Self> {
        let others = [
            parameters.LsoV1,
            parameters.IPsecV1,
            parameters.LsoV2IPv4,
            parameters.LsoV2IPv6,
            parameters.TcpConnectionIPv4,
            parameters.TcpConnectionIPv6,
            parameters.IPsecV2,
            parameters.IPsecV2IPv4,
            parameters.RscIPv4,
            parameters.RscIPv6,
            parameters.UdpSegmentationIPv4,
            parameters.UdpSegmentationIPv6,
        ];
        // The field for encapsulated packets has another value for off.
        let encapsulated = ULONG::from(parameters.EncapsulatedPacketTaskOffload);
        if others.iter().any(|wanted| *wanted > DISABLED)
            || !matches!(encapsulated, NDIS_OFFLOAD_SET_NO_CHANGE | NDIS_OFFLOAD_SET_OFF)
        {
            return Err(Status(NDIS_STATUS_INVALID_DATA));
        }
        let mut change = Self { on: ReceiveChecksums::empty(), off: ReceiveChecksums::empty() };
        for (wanted, checksum) in [
            (parameters.IPv4Checksum, ReceiveChecksums::IPV4),
            (parameters.TCPIPv4Checksum, ReceiveChecksums::TCP_IPV4),
            (parameters.UDPIPv4Checksum, ReceiveChecksums::UDP_IPV4),
            (parameters.TCPIPv6Checksum, ReceiveChecksums::TCP_IPV6),
            (parameters.UDPIPv6Checksum, ReceiveChecksums::UDP_IPV6),
        ] {
            match received(wanted)? {
                None => {}
                Some(true) => change.on |= checksum,
                Some(false) => change.off |= checksum,
            }
        }
        Ok(change)
    }

    /// The checksums after the change.
    pub fn apply(self, to: ReceiveChecksums) -> ReceiveChecksums {
        (to - self.off) | self.on
    }
}

/// Whether the checksum of received packets is wanted; `None` for no change. The adapter does not
/// offer transmit checksums, so that the setting for transmission is ignored.
fn received(wanted: UCHAR) -> Result<Option<bool>> {
    match wanted {
        NDIS_OFFLOAD_PARAMETERS_NO_CHANGE => Ok(None),
        NDIS_OFFLOAD_PARAMETERS_TX_RX_DISABLED | NDIS_OFFLOAD_PARAMETERS_TX_ENABLED_RX_DISABLED => {
            Ok(Some(false))
        }
        NDIS_OFFLOAD_PARAMETERS_RX_ENABLED_TX_DISABLED | NDIS_OFFLOAD_PARAMETERS_TX_RX_ENABLED => {
            Ok(Some(true))
        }
        _ => Err(Status(NDIS_STATUS_INVALID_DATA)),
    }
}

/// Turns configured offloads on or off, by version of IP; `None` for no change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffloadSwitch {
    /// Those of IPv4.
    pub ipv4: Option<bool>,
    /// Those of IPv6.
    pub ipv6: Option<bool>,
}

impl OffloadSwitch {
    /// `NDIS_STATUS_INVALID_PARAMETER` for an encapsulation that the adapter lacks.
    pub(crate) fn of(encapsulation: &NDIS_OFFLOAD_ENCAPSULATION) -> Result<Self> {
        Ok(Self { ipv4: switch(&encapsulation.IPv4)?, ipv6: switch(&encapsulation.IPv6)? })
    }
}

fn switch(fields: &NDIS_OFFLOAD_ENCAPSULATION_FIELDS) -> Result<Option<bool>> {
    match fields.Enabled {
        NDIS_OFFLOAD_SET_NO_CHANGE => Ok(None),
        NDIS_OFFLOAD_SET_OFF => Ok(Some(false)),
        NDIS_OFFLOAD_SET_ON if fields.EncapsulationType & NDIS_ENCAPSULATION_NULL != 0 => {
            Ok(Some(true))
        }
        NDIS_OFFLOAD_SET_ON => Err(Status(NDIS_STATUS_INVALID_PARAMETER)),
        _ => Err(Status(NDIS_STATUS_INVALID_DATA)),
    }
}
