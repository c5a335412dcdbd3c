//! Attributes of an adapter, set by NdisMSetMiniportAttributes (ndis.h).

use nt_sys::ndis::{NDIS_OBJECT_TYPE_OFFLOAD, NDIS_OFFLOAD, NDIS_OID, NDIS_PM_CAPABILITIES};

/// The attributes that the driver has set.
#[derive(Default)]
pub(super) struct Attributes {
    pub(super) is_registered: bool,
    /// `NDIS_MINIPORT_ATTRIBUTES_*`
    pub(super) flags: u32,
    pub(super) general: Option<General>,
    pub(super) supported_oids: Vec<NDIS_OID>,
    /// Default configuration and hardware capabilities.
    pub(super) offload: Option<(Offload, Offload)>,
}

/// An `NDIS_OFFLOAD`, with its padding.
pub(super) type Offload = [u8; size_of::<NDIS_OFFLOAD>()];

/// The general attributes that the host uses.
#[derive(Clone, Copy)]
pub(super) struct General {
    pub(super) mtu: u32,
    pub(super) lookahead: u32,
    pub(super) packet_filters: u32,
    pub(super) mac_options: u32,
    pub(super) physical_medium: u32,
    pub(super) data_back_fill_bytes: u32,
    pub(super) context_back_fill_bytes: u32,
    pub(super) power: Option<NDIS_PM_CAPABILITIES>,
}

/// Reads an `NDIS_OFFLOAD` of any revision. Returns `None` if its header is wrong.
///
/// # Safety
/// `from` is null, or points to as many initialized bytes as its header says, padding included.
pub(super) unsafe fn read_offload(from: *const NDIS_OFFLOAD) -> Option<Offload> {
    if from.is_null() {
        return None;
    }
    // SAFETY: every revision has a header.
    let header = unsafe { (*from).Header };
    // ntddndis.h, NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_n
    let min_bytes = match header.Revision {
        1 => 112,
        2 => 144,
        3 => 156,
        4 => 177,
        5 => 188,
        6 | 7 => 216,
        _ => return None,
    };
    if header.Type != NDIS_OBJECT_TYPE_OFFLOAD || header.Size < min_bytes {
        return None;
    }
    let mut offload = [0; size_of::<NDIS_OFFLOAD>()];
    let bytes = usize::from(header.Size).min(offload.len());
    // SAFETY: both have at least that many bytes.
    unsafe { std::ptr::copy_nonoverlapping(from.cast::<u8>(), offload.as_mut_ptr(), bytes) };
    Some(offload)
}
