//! NdisMSetMiniportAttributes (ndis.h).

use std::sync::atomic::Ordering;

use nt_sys::ndis::{
    MediaConnectStateConnected, NDIS_HANDLE, NDIS_LINK_STATE, NDIS_LINK_STATE_REVISION_1,
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES, NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
    NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES, NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
    NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEFAULT,
    NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
    NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES,
    NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, NDIS_OID,
    NDIS_SIZEOF_LINK_STATE_REVISION_1, NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1,
    NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
    NDIS_SIZEOF_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES_REVISION_1,
    NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1, NDIS_STATUS,
    NDIS_STATUS_BAD_VERSION, NDIS_STATUS_INVALID_PARAMETER, NDIS_STATUS_NOT_SUPPORTED,
    NDIS_STATUS_SUCCESS, NDIS_STATUS_UNSUPPORTED_MEDIA, NdisMediumIP,
};
use nt_sys::ntdef::PASSIVE_LEVEL;

use super::attributes::{Attributes, General, read_offload};
use super::miniport_adapter::MiniportAdapter;
use super::state::State;
use crate::irql;
use crate::violation::{Rule, stop};

export! { "ndis.sys";
    /// ndis.h, NdisMSetMiniportAttributes.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// `miniport_attributes` points to as many bytes as its header says, and its own pointers are
    /// valid.
    pub unsafe fn NdisMSetMiniportAttributes(
        ndis_miniport_adapter_handle: NDIS_HANDLE,
        miniport_attributes: *const NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
    ) -> NDIS_STATUS {
        const FUNCTION: &str = "NdisMSetMiniportAttributes";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        let adapter = MiniportAdapter::of(FUNCTION, ndis_miniport_adapter_handle);
        if adapter.states.state() != State::Initializing {
            stop(
                Rule::WRONG_ADAPTER_STATE,
                FUNCTION,
                format_args!(
                    "called outside of MiniportInitializeEx, in state {:?}",
                    adapter.states.state()
                ),
            );
        }
        // SAFETY: as the driver promises.
        let header = unsafe { *miniport_attributes };
        match header.Type {
            NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES => {
                // SAFETY: the header has this type.
                unsafe { set_registration(adapter, header, miniport_attributes.cast()) }
            }
            NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES => {
                // SAFETY: the header has this type.
                unsafe { set_general(adapter, header, miniport_attributes.cast()) }
            }
            NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES => {
                // SAFETY: the header has this type.
                unsafe { set_offload(adapter, header, miniport_attributes.cast()) }
            }
            _ => NDIS_STATUS_NOT_SUPPORTED,
        }
    }
}

unsafe fn set_registration(
    adapter: &MiniportAdapter,
    header: NDIS_OBJECT_HEADER,
    registration: *const NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
) -> NDIS_STATUS {
    if !matches!(header.Revision, 1 | 2)
        || header.Size < NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1
    {
        return NDIS_STATUS_BAD_VERSION;
    }
    // SAFETY: the header's type and size say so.
    let context = unsafe { (*registration).MiniportAdapterContext };
    // SAFETY: the header's type and size say so.
    let flags = unsafe { (*registration).AttributeFlags };
    adapter.set_context(context);
    let mut attributes = adapter.attributes();
    attributes.is_registered = true;
    attributes.flags = flags;
    NDIS_STATUS_SUCCESS
}

unsafe fn set_general(
    adapter: &MiniportAdapter,
    header: NDIS_OBJECT_HEADER,
    general: *const NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
) -> NDIS_STATUS {
    let min_bytes = match header.Revision {
        1 => NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1,
        2 => NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
        _ => return NDIS_STATUS_BAD_VERSION,
    };
    if header.Size < min_bytes {
        return NDIS_STATUS_BAD_VERSION;
    }
    let mut attributes = adapter.attributes();
    require_registration(&attributes, "general");
    // SAFETY: the header's type and size say so. Revision 1 ends before the last field, which is
    // read for revision 2 only.
    let general = unsafe { &*general };
    if general.MediaType != NdisMediumIP {
        return NDIS_STATUS_UNSUPPORTED_MEDIA;
    }
    let oid_bytes = general.SupportedOidListLength as usize;
    if !oid_bytes.is_multiple_of(size_of::<NDIS_OID>())
        || (oid_bytes > 0 && general.SupportedOidList.is_null())
        || general.MtuSize == 0
    {
        return NDIS_STATUS_INVALID_PARAMETER;
    }
    let mut power = None;
    if header.Revision >= 2 && !general.PowerManagementCapabilitiesEx.is_null() {
        // SAFETY: as the driver promises.
        power = Some(unsafe { *general.PowerManagementCapabilitiesEx });
    }
    attributes.supported_oids.clear();
    if oid_bytes > 0 {
        let count = oid_bytes / size_of::<NDIS_OID>();
        // SAFETY: as the driver promises.
        let oids = unsafe { std::slice::from_raw_parts(general.SupportedOidList, count) };
        attributes.supported_oids.extend_from_slice(oids);
    }
    attributes.general = Some(General {
        mtu: general.MtuSize,
        lookahead: general.LookaheadSize,
        packet_filters: general.SupportedPacketFilters,
        mac_options: general.MacOptions,
        physical_medium: general.PhysicalMediumType,
        data_back_fill_bytes: general.DataBackFillSize,
        context_back_fill_bytes: general.ContextBackFillSize,
        power,
    });
    drop(attributes);
    let is_up = general.MediaConnectState == MediaConnectStateConnected;
    adapter.link_is_up.store(u32::from(is_up), Ordering::Release);
    *adapter.link.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = NDIS_LINK_STATE {
        Header: NDIS_OBJECT_HEADER {
            Type: NDIS_OBJECT_TYPE_DEFAULT,
            Revision: NDIS_LINK_STATE_REVISION_1,
            Size: NDIS_SIZEOF_LINK_STATE_REVISION_1,
        },
        MediaConnectState: general.MediaConnectState,
        MediaDuplexState: general.MediaDuplexState,
        XmitLinkSpeed: general.XmitLinkSpeed,
        RcvLinkSpeed: general.RcvLinkSpeed,
        PauseFunctions: general.SupportedPauseFunctions,
        AutoNegotiationFlags: general.AutoNegotiationFlags,
    };
    NDIS_STATUS_SUCCESS
}

unsafe fn set_offload(
    adapter: &MiniportAdapter,
    header: NDIS_OBJECT_HEADER,
    offload: *const NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES,
) -> NDIS_STATUS {
    if header.Revision != 1
        || header.Size < NDIS_SIZEOF_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES_REVISION_1
    {
        return NDIS_STATUS_BAD_VERSION;
    }
    let mut attributes = adapter.attributes();
    require_registration(&attributes, "offload");
    if attributes.general.is_none() {
        stop(
            Rule::ATTRIBUTES_MISSING,
            "NdisMSetMiniportAttributes",
            format_args!("offload attributes before general attributes"),
        );
    }
    // SAFETY: the header's type and size say so.
    let offload = unsafe { &*offload };
    // SAFETY: as the driver promises.
    let default = unsafe { read_offload(offload.DefaultOffloadConfiguration) };
    // SAFETY: as the driver promises.
    let hardware = unsafe { read_offload(offload.HardwareOffloadCapabilities) };
    let (Some(default), Some(hardware)) = (default, hardware) else {
        return NDIS_STATUS_INVALID_PARAMETER;
    };
    attributes.offload = Some((default, hardware));
    NDIS_STATUS_SUCCESS
}

fn require_registration(attributes: &Attributes, which: &str) {
    if !attributes.is_registered {
        stop(
            Rule::ATTRIBUTES_MISSING,
            "NdisMSetMiniportAttributes",
            format_args!("{which} attributes before registration attributes"),
        );
    }
}
