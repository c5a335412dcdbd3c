//! The attributes of an adapter of `NdisMediumIP`.

use core::mem::MaybeUninit;
use core::ptr;

use nt_sys::ndis::{
    IF_TYPE_PROP_VIRTUAL, MediaConnectStateConnected, MediaConnectStateDisconnected,
    MediaDuplexStateFull, NDIS_HANDLE, NDIS_LINK_STATE, NDIS_LINK_STATE_DUPLEX_AUTO_NEGOTIATED,
    NDIS_LINK_STATE_PAUSE_FUNCTIONS_AUTO_NEGOTIATED,
    NDIS_LINK_STATE_RCV_LINK_SPEED_AUTO_NEGOTIATED, NDIS_LINK_STATE_REVISION_1,
    NDIS_LINK_STATE_XMIT_LINK_SPEED_AUTO_NEGOTIATED, NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA,
    NDIS_MAC_OPTION_NO_LOOPBACK, NDIS_MAC_OPTION_TRANSFERS_NOT_PEND, NDIS_MAKE_VERSION,
    NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES, NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
    NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES, NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES_REVISION_1,
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
    NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND, NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK,
    NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEFAULT,
    NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
    NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES,
    NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, NDIS_OBJECT_TYPE_OFFLOAD,
    NDIS_OFFLOAD, NDIS_OFFLOAD_REVISION_4, NDIS_OFFLOAD_REVISION_5, NDIS_OFFLOAD_REVISION_6,
    NDIS_OFFLOAD_REVISION_7, NDIS_OID, NDIS_PACKET_TYPE_ALL_FUNCTIONAL, NDIS_PACKET_TYPE_ALL_LOCAL,
    NDIS_PACKET_TYPE_ALL_MULTICAST, NDIS_PACKET_TYPE_BROADCAST, NDIS_PACKET_TYPE_DIRECTED,
    NDIS_PM_CAPABILITIES, NDIS_PM_CAPABILITIES_REVISION_2, NDIS_SIZEOF_LINK_STATE_REVISION_1,
    NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
    NDIS_SIZEOF_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES_REVISION_1,
    NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
    NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_4, NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_5,
    NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_6, NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_7,
    NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_2, NDIS_STATISTICS_GEN_STATISTICS_SUPPORTED,
    NDIS_STATISTICS_RCV_OK_SUPPORTED, NDIS_STATISTICS_XMIT_OK_SUPPORTED, NET_IF_ACCESS_BROADCAST,
    NET_IF_CONNECTION_DEDICATED, NET_IF_DIRECTION_SENDRECEIVE, NdisInterfaceInternal,
    NdisMSetMiniportAttributes, NdisMediumIP, NdisPauseFunctionsUnsupported,
    NdisPhysicalMediumUnspecified,
};
use nt_sys::ntdef::ULONG;

use crate::checksums::ReceiveChecksums;
use crate::status::{Result, Status};

/// Link speed, duplex and flow control are not configured by hand.
const AUTO_NEGOTIATED: ULONG = NDIS_LINK_STATE_XMIT_LINK_SPEED_AUTO_NEGOTIATED
    | NDIS_LINK_STATE_RCV_LINK_SPEED_AUTO_NEGOTIATED
    | NDIS_LINK_STATE_DUPLEX_AUTO_NEGOTIATED
    | NDIS_LINK_STATE_PAUSE_FUNCTIONS_AUTO_NEGOTIATED;

/// Attributes that the driver sets.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    /// The largest IP packet that the stack may send, in bytes.
    pub mtu_bytes: u32,
    /// The speed of the link in both directions.
    pub bits_per_second: u64,
    /// The OIDs that the driver handles.
    pub oids: &'static [NDIS_OID],
    /// The enabled receive checksum offloads; all are capabilities.
    pub receive_checksums: ReceiveChecksums,
}

impl Attributes {
    /// Sets registration, general and offload attributes, in this order (ndis docs,
    /// MiniportInitializeEx).
    ///
    /// # Safety
    /// The handle must be the one that MiniportInitializeEx was called with, and the context the
    /// one that all other callbacks expect.
    pub(super) unsafe fn set(
        &self,
        handle: NDIS_HANDLE,
        context: NDIS_HANDLE,
        ndis_version: u32,
    ) -> Result<()> {
        let registration = registration(context);
        // SAFETY: by the caller's promise.
        unsafe { set(handle, &registration.Header) }?;
        let mut power = power();
        let mut oids = [0; MAX_OIDS];
        let general = self.general(&mut power, &mut oids)?;
        // SAFETY: by the caller's promise.
        unsafe { set(handle, &general.Header) }?;
        let (mut current, mut capabilities) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        let current = offload(&mut current, ndis_version, self.receive_checksums);
        let capabilities = offload(&mut capabilities, ndis_version, ReceiveChecksums::all());
        let offload = NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES,
                Revision: NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES_REVISION_1,
                Size: NDIS_SIZEOF_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES_REVISION_1,
            },
            DefaultOffloadConfiguration: current,
            HardwareOffloadCapabilities: capabilities,
            DefaultTcpConnectionOffloadConfiguration: ptr::null_mut(),
            TcpConnectionOffloadHardwareCapabilities: ptr::null_mut(),
        };
        // SAFETY: by the caller's promise.
        unsafe { set(handle, &offload.Header) }
    }

    fn general(
        &self,
        power: &mut NDIS_PM_CAPABILITIES,
        oids: &mut [NDIS_OID; MAX_OIDS],
    ) -> Result<NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES> {
        let oids = oids.get_mut(..self.oids.len()).ok_or(Status::INVALID_PARAMETER)?;
        oids.copy_from_slice(self.oids);
        // SAFETY: the struct consists of integers and pointers, for which zeros are valid values.
        let zeroed: NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES = unsafe { core::mem::zeroed() };
        Ok(NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
                Revision: NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
                Size: NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
            },
            MediaType: NdisMediumIP,
            PhysicalMediumType: NdisPhysicalMediumUnspecified,
            MtuSize: self.mtu_bytes,
            MaxXmitLinkSpeed: self.bits_per_second,
            XmitLinkSpeed: self.bits_per_second,
            MaxRcvLinkSpeed: self.bits_per_second,
            RcvLinkSpeed: self.bits_per_second,
            MediaConnectState: MediaConnectStateDisconnected,
            MediaDuplexState: MediaDuplexStateFull,
            LookaheadSize: self.mtu_bytes,
            MacOptions: NDIS_MAC_OPTION_TRANSFERS_NOT_PEND
                | NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA
                | NDIS_MAC_OPTION_NO_LOOPBACK,
            SupportedPacketFilters: NDIS_PACKET_TYPE_DIRECTED
                | NDIS_PACKET_TYPE_ALL_MULTICAST
                | NDIS_PACKET_TYPE_BROADCAST
                | NDIS_PACKET_TYPE_ALL_LOCAL
                | NDIS_PACKET_TYPE_ALL_FUNCTIONAL,
            AccessType: NET_IF_ACCESS_BROADCAST,
            DirectionType: NET_IF_DIRECTION_SENDRECEIVE,
            ConnectionType: NET_IF_CONNECTION_DEDICATED,
            IfType: IF_TYPE_PROP_VIRTUAL,
            SupportedStatistics: NDIS_STATISTICS_XMIT_OK_SUPPORTED
                | NDIS_STATISTICS_RCV_OK_SUPPORTED
                | NDIS_STATISTICS_GEN_STATISTICS_SUPPORTED,
            SupportedPauseFunctions: NdisPauseFunctionsUnsupported,
            SupportedOidList: oids.as_mut_ptr(),
            SupportedOidListLength: size_of_val(oids) as ULONG,
            AutoNegotiationFlags: AUTO_NEGOTIATED,
            PowerManagementCapabilitiesEx: power,
            ..zeroed
        })
    }
}

/// The maximum number of supported OIDs.
const MAX_OIDS: usize = 32;

/// The link state of an indication.
pub(super) fn link_state(is_connected: bool, bits_per_second: u64) -> NDIS_LINK_STATE {
    NDIS_LINK_STATE {
        Header: NDIS_OBJECT_HEADER {
            Type: NDIS_OBJECT_TYPE_DEFAULT,
            Revision: NDIS_LINK_STATE_REVISION_1,
            Size: NDIS_SIZEOF_LINK_STATE_REVISION_1,
        },
        MediaConnectState: if is_connected {
            MediaConnectStateConnected
        } else {
            MediaConnectStateDisconnected
        },
        MediaDuplexState: MediaDuplexStateFull,
        XmitLinkSpeed: bits_per_second,
        RcvLinkSpeed: bits_per_second,
        PauseFunctions: NdisPauseFunctionsUnsupported,
        AutoNegotiationFlags: AUTO_NEGOTIATED,
    }
}

fn registration(context: NDIS_HANDLE) -> NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES {
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES {
        Header: NDIS_OBJECT_HEADER {
            Type: NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
            Revision: NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
            Size: NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
        },
        MiniportAdapterContext: context,
        AttributeFlags: NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND
            | NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK,
        CheckForHangTimeInSeconds: 0,
        InterfaceType: NdisInterfaceInternal,
    }
}

/// A virtual adapter has no wake-up capability.
fn power() -> NDIS_PM_CAPABILITIES {
    NDIS_PM_CAPABILITIES {
        Header: NDIS_OBJECT_HEADER {
            Type: NDIS_OBJECT_TYPE_DEFAULT,
            Revision: NDIS_PM_CAPABILITIES_REVISION_2,
            Size: NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_2,
        },
        ..NDIS_PM_CAPABILITIES::default()
    }
}

/// The offload structure: receive checksums are the only offload. It is filled in place, so that
/// its padding is zeros, which a copy need not keep: NDIS returns all of its bytes for an OID.
pub(super) fn offload(
    place: &mut MaybeUninit<NDIS_OFFLOAD>,
    ndis_version: u32,
    checksums: ReceiveChecksums,
) -> &mut NDIS_OFFLOAD {
    let (revision, size) = match ndis_version {
        version if version < NDIS_MAKE_VERSION(6, 70) => {
            (NDIS_OFFLOAD_REVISION_4, NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_4)
        }
        version if version < NDIS_MAKE_VERSION(6, 83) => {
            (NDIS_OFFLOAD_REVISION_5, NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_5)
        }
        version if version < NDIS_MAKE_VERSION(6, 85) => {
            (NDIS_OFFLOAD_REVISION_6, NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_6)
        }
        _ => (NDIS_OFFLOAD_REVISION_7, NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_7),
    };
    // SAFETY: the place has the size of one struct.
    unsafe { place.as_mut_ptr().write_bytes(0, 1) };
    // SAFETY: the struct consists of integers, for which zeros are valid values.
    let offload = unsafe { place.assume_init_mut() };
    offload.Header =
        NDIS_OBJECT_HEADER { Type: NDIS_OBJECT_TYPE_OFFLOAD, Revision: revision, Size: size };
    offload.Checksum = checksums.offload();
    offload
}

/// # Safety
/// The handle must be one that MiniportInitializeEx was called with, and the header must be part of
/// a complete attributes structure.
unsafe fn set(handle: NDIS_HANDLE, header: &NDIS_OBJECT_HEADER) -> Result<()> {
    // SAFETY: by the caller's promise.
    Status(unsafe { NdisMSetMiniportAttributes(handle, header) }).ok()
}
