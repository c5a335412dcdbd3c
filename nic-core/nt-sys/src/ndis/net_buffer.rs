//! ndis/nbl.h: one packet's data.

use super::NDIS_HANDLE;
use crate::mm::MDL;
use crate::ntdef::{BOOLEAN, LONGLONG, PVOID, ULONG, USHORT};

/// One packet: a chain of MDLs, and where in it the data is.
///
/// C's `NET_BUFFER_HEADER` and `NET_BUFFER_DATA` are flattened into it (NDIS alone uses
/// their union with an `SLIST_HEADER`). The used data space begins `DataOffset` bytes into
/// `MdlChain`, which is `CurrentMdlOffset` bytes into `CurrentMdl`, and is `DataLength` bytes long.
#[repr(C, align(16))]
pub struct NET_BUFFER {
    /// The next packet of the same NET_BUFFER_LIST.
    pub Next: *mut NET_BUFFER,
    /// The MDL in which the used data space begins.
    pub CurrentMdl: *mut MDL,
    /// Offset of the used data space in `CurrentMdl`, in bytes.
    pub CurrentMdlOffset: ULONG,
    /// Padding before C's union with a `SIZE_T`.
    pub Padding: ULONG,
    /// Length of the used data space in bytes.
    pub DataLength: ULONG,
    /// The upper half of C's `stDataLength`; 0.
    pub DataLengthHigh: ULONG,
    /// The first MDL.
    pub MdlChain: *mut MDL,
    /// Offset of the used data space in `MdlChain`, in bytes.
    pub DataOffset: ULONG,
    /// Padding to C's union with an `SLIST_HEADER`, 16 bytes aligned.
    pub Padding2: ULONG,
    /// Correction of a checksum over the data, unused by miniports.
    pub ChecksumBias: USHORT,
    /// Reserved.
    pub Reserved: USHORT,
    /// The pool that it came from.
    pub NdisPoolHandle: NDIS_HANDLE,
    /// Reserved for NDIS.
    pub NdisReserved: [PVOID; 2],
    /// For the protocol driver that owns it.
    pub ProtocolReserved: [PVOID; 6],
    /// For the miniport that owns it.
    pub MiniportReserved: [PVOID; 4],
    /// Physical address of the data, for hardware.
    pub DataPhysicalAddress: LONGLONG,
    /// C's union of `SharedMemoryInfo` and `ScatterGatherList`.
    pub SharedMemoryInfo: PVOID,
}

/// [`NET_BUFFER`] as C's NET_BUFFER_DATA names it.
pub type NET_BUFFER_DATA = NET_BUFFER;

/// Allocates an MDL and its memory if the data must grow at the front. The size is in and out: the
/// requested one, and the actual one.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`
pub type NET_BUFFER_ALLOCATE_MDL_HANDLER =
    Option<unsafe extern "efiapi" fn(buffer_size: *mut ULONG) -> *mut MDL>;

/// Frees what a [`NET_BUFFER_ALLOCATE_MDL_HANDLER`] allocated.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`
pub type NET_BUFFER_FREE_MDL_HANDLER = Option<unsafe extern "efiapi" fn(mdl: *mut MDL)>;

/// Parameters of a NET_BUFFER pool.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NET_BUFFER_POOL_PARAMETERS {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: super::NDIS_OBJECT_HEADER,
    /// Pool tag.
    pub PoolTag: ULONG,
    /// Bytes of data space that each NET_BUFFER gets with an MDL, or 0.
    pub DataSize: ULONG,
    /// Revision 2.
    pub Flags: ULONG,
}

/// Of [`NET_BUFFER_POOL_PARAMETERS`].
pub const NET_BUFFER_POOL_PARAMETERS_REVISION_1: u8 = 1;
/// Of [`NET_BUFFER_POOL_PARAMETERS`].
pub const NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1: USHORT = 12;

crate::import! { "ndis.sys";
    /// Makes a pool of NET_BUFFERs. Null when memory is short.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisAllocateNetBufferPool(
        ndis_handle: NDIS_HANDLE, parameters: *const NET_BUFFER_POOL_PARAMETERS,
    ) -> NDIS_HANDLE;

    /// Frees a pool; all its NET_BUFFERs must have been freed.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisFreeNetBufferPool(pool_handle: NDIS_HANDLE);

    /// Allocates a NET_BUFFER over `mdl_chain`. Null when memory is short.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisAllocateNetBuffer(
        pool_handle: NDIS_HANDLE, mdl_chain: *mut MDL, data_offset: ULONG, data_length: usize,
    ) -> *mut NET_BUFFER;

    /// Allocates a NET_BUFFER with an MDL and memory of the pool's `DataSize`.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisAllocateNetBufferMdlAndData(pool_handle: NDIS_HANDLE) -> *mut NET_BUFFER;

    /// Frees a NET_BUFFER; an MDL chain that the caller attached still belongs to the caller.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisFreeNetBuffer(net_buffer: *mut NET_BUFFER);

    /// A pointer to the first `bytes_needed` contiguous bytes of data: in place when they are
    /// contiguous, else copied to `storage`. Null when there are fewer bytes, or they are split and
    /// `storage` is null, or mapping failed.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisGetDataBuffer(
        net_buffer: *mut NET_BUFFER, bytes_needed: ULONG, storage: PVOID, align_multiple: ULONG,
        align_offset: ULONG,
    ) -> PVOID;

    /// Moves the start of the used data space forward by `data_offset_delta` bytes.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisAdvanceNetBufferDataStart(
        net_buffer: *mut NET_BUFFER, data_offset_delta: ULONG, free_mdl: BOOLEAN,
        free_mdl_handler: NET_BUFFER_FREE_MDL_HANDLER,
    );

    /// Moves the start of the used data space backward by `data_offset_delta` bytes; when the
    /// unused space before it is too small, allocates an MDL with `data_back_fill` bytes more.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisRetreatNetBufferDataStart(
        net_buffer: *mut NET_BUFFER, data_offset_delta: ULONG, data_back_fill: ULONG,
        allocate_mdl_handler: NET_BUFFER_ALLOCATE_MDL_HANDLER,
    ) -> super::NDIS_STATUS;
}
