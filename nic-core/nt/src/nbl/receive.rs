//! Received packets for the IP stack.
//!
//! A [`ReceivePacket`] is a NET_BUFFER_LIST with one NET_BUFFER, MDL and data, all from one NDIS
//! pool. It is filled, chained and indicated. MiniportReturnNetBufferLists returns it, and it is
//! kept for its next use.
//!
//! | field | content |
//! |---|---|
//! | `NET_BUFFER_LIST::MiniportReserved[0]` | the [`SizeClass`] |
//! | `NET_BUFFER_LIST::MiniportReserved[1]` | the address of the data |
//!
//! # Safety conditions
//! 1. The packet, chain or free list owns the NET_BUFFER_LIST, and with it its NET_BUFFER, MDL and
//!    data. No other thread accesses them.
//! 2. The pool is the size class's own.
//! 3. MiniportReserved holds what `SizeClass::allocate` stored there. The size class outlives its
//!    packets, which its drop asserts.

use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

use nt_sys::ndis::{
    NDIS_DEFAULT_PORT_NUMBER, NDIS_HANDLE, NDIS_NBL_FLAGS_IS_IPV4, NDIS_NBL_FLAGS_IS_IPV6,
    NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEFAULT, NDIS_PROTOCOL_ID_DEFAULT,
    NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL, NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
    NDIS_STATUS_SUCCESS, NET_BUFFER_LIST, NET_BUFFER_LIST_POOL_PARAMETERS,
    NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1, NdisAllocateNetBufferList,
    NdisAllocateNetBufferListPool, NdisFreeNetBufferList, NdisFreeNetBufferListPool,
    NdisMIndicateReceiveNetBufferLists, NetBufferListFrameType, TcpIpChecksumNetBufferListInfo,
};
use nt_sys::ntdef::TRUE;

use crate::checksums::ReceiveChecksums;
use crate::lock::SpinMutex;
use crate::mdl;
use crate::pool::TAG;
use crate::processor;
use crate::rundown::Rundown;
use crate::shared::Shared;
use crate::status::{Result, Status};

/// The data sizes of the pools, in bytes: for acknowledgements, full packets, jumbo packets, and
/// all that fits into a datagram.
const SIZES: [u32; 4] = [256, 2048, 9216, 65_536];

/// The number of bytes of returned packets that each pool keeps for reuse.
const KEPT_BYTES: usize = 4 << 20;

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The receive path of one adapter: packet pools, and indications to NDIS.
pub struct ReceivePath {
    adapter: NDIS_HANDLE,
    classes: [SizeClass; SIZES.len()],
    /// One use for each packet that NDIS has; closed while the adapter is paused.
    indicated: Rundown,
}

/// Packets of one size.
struct SizeClass {
    adapter: NDIS_HANDLE,
    pool: NDIS_HANDLE,
    data_bytes: u32,
    free: SpinMutex<FreeList>,
    /// The number of packets, free or not.
    allocated: AtomicUsize,
}

struct FreeList {
    first: *mut NET_BUFFER_LIST,
    length: usize,
}

impl ReceivePath {
    /// Makes the path of an adapter, which is paused.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn new(adapter: NDIS_HANDLE) -> Result<Shared<Self>> {
        let [small, full, jumbo, huge] = SIZES;
        Shared::new(Self {
            adapter,
            classes: [
                SizeClass::new(adapter, small)?,
                SizeClass::new(adapter, full)?,
                SizeClass::new(adapter, jumbo)?,
                SizeClass::new(adapter, huge)?,
            ],
            indicated: Rundown::closed()?,
        })
    }

    /// A packet with room for `bytes` bytes; one that was used before, if there is one.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn allocate(&self, bytes: usize) -> Result<ReceivePacket> {
        self.classes
            .iter()
            .find(|class| class.data_bytes as usize >= bytes)
            .ok_or(Status::INVALID_PARAMETER)?
            .allocate()
    }

    /// Starts to accept indications.
    pub fn resume(&self) {
        self.indicated.open();
    }

    /// Stops to accept indications.
    pub fn pause(&self) {
        self.indicated.close();
    }

    /// Waits until NDIS has returned all packets of a paused path.
    ///
    /// # IRQL
    /// `<= APC_LEVEL`
    pub fn drain(&self) {
        self.indicated.wait();
    }

    /// Indicates a chain by one call. If the path is paused, it drops the packets and returns false.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Locks
    /// None may be held: overlying drivers send from their receive handlers.
    pub fn indicate(&self, chain: ReceiveChain) -> bool {
        let length = chain.length;
        let Ok(count) = u32::try_from(length) else { return false };
        if count == 0 {
            return true;
        }
        if !self.indicated.enter(length) {
            return false;
        }
        let flags = if processor::is_dispatch() { NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL } else { 0 };
        let first = ManuallyDrop::new(chain).first;
        // SAFETY: 1. NDIS owns the packets until it returns them.
        unsafe {
            NdisMIndicateReceiveNetBufferLists(
                self.adapter,
                first,
                NDIS_DEFAULT_PORT_NUMBER,
                count,
                flags,
            );
        }
        true
    }

    /// Takes back packets that NDIS returns.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// NDIS must have passed the chain to MiniportReturnNetBufferLists of this adapter.
    pub(crate) unsafe fn take_back(&self, chain: *mut NET_BUFFER_LIST) {
        let mut length = 0_usize;
        let mut returned = ReceiveChain { first: chain, last: None, length: 0 };
        while let Some(packet) = returned.pop_unchecked() {
            drop(packet);
            length = length.wrapping_add(1);
        }
        self.indicated.leave(length);
    }
}

// SAFETY: NDIS accepts the handles on any thread; all other fields are locks or atomics.
unsafe impl Send for ReceivePath {}
// SAFETY: NDIS accepts the handles on any thread; all other fields are locks or atomics.
unsafe impl Sync for ReceivePath {}

impl SizeClass {
    fn new(adapter: NDIS_HANDLE, data_bytes: u32) -> Result<Self> {
        let parameters = NET_BUFFER_LIST_POOL_PARAMETERS {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_DEFAULT,
                Revision: NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
                Size: NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
            },
            ProtocolId: NDIS_PROTOCOL_ID_DEFAULT,
            fAllocateNetBuffer: TRUE,
            ContextSize: 0,
            PoolTag: TAG,
            DataSize: data_bytes,
            Flags: 0,
        };
        // SAFETY: the parameters are on the stack.
        let pool = unsafe { NdisAllocateNetBufferListPool(adapter, &raw const parameters) };
        if pool.is_null() {
            return Err(Status::INSUFFICIENT_RESOURCES);
        }
        let free = SpinMutex::new(FreeList { first: ptr::null_mut(), length: 0 });
        Ok(Self { adapter, pool, data_bytes, free, allocated: AtomicUsize::new(0) })
    }

    fn allocate(&self) -> Result<ReceivePacket> {
        if let Some(list) = self.free.lock().pop() {
            return Ok(ReceivePacket { list });
        }
        // SAFETY: 2.
        let list = unsafe { NdisAllocateNetBufferList(self.pool, 0, 0) };
        let list = NonNull::new(list).ok_or(Status::INSUFFICIENT_RESOURCES)?;
        let Some(data) = data_of(list) else {
            // SAFETY: 1, 2. The list is not used any more.
            unsafe { NdisFreeNetBufferList(list.as_ptr()) };
            return Err(Status::INSUFFICIENT_RESOURCES);
        };
        self.allocated.fetch_add(1, Ordering::Relaxed);
        let raw = list.as_ptr();
        // SAFETY: 1.
        unsafe {
            (*raw).MiniportReserved = [ptr::from_ref(self).cast_mut().cast(), data.as_ptr().cast()];
        };
        // NdisMIndicateReceiveNetBufferLists (ndis.h) requires the miniport adapter handle here.
        // SAFETY: 1.
        unsafe { (*raw).SourceHandle = self.adapter };
        // SAFETY: 1.
        unsafe { (*raw).Status = NDIS_STATUS_SUCCESS };
        Ok(ReceivePacket { list })
    }

    /// Keeps a packet for its next use, or frees it if enough are kept.
    fn give_back(&self, list: NonNull<NET_BUFFER_LIST>) {
        let kept = self.free.lock().push(list, KEPT_BYTES / self.data_bytes as usize);
        if !kept {
            self.free_list(list);
        }
    }

    fn free_list(&self, list: NonNull<NET_BUFFER_LIST>) {
        // SAFETY: 1, 2. The list is not used any more.
        unsafe { NdisFreeNetBufferList(list.as_ptr()) };
        self.allocated.fetch_sub(1, Ordering::Release);
    }
}

impl Drop for SizeClass {
    fn drop(&mut self) {
        while let Some(list) = self.free.get_mut().pop() {
            self.free_list(list);
        }
        // A packet that still exists would access the pool when it is dropped.
        assert_eq!(self.allocated.load(Ordering::Acquire), 0, "packets outlive their path");
        // SAFETY: 2. All lists are freed.
        unsafe { NdisFreeNetBufferListPool(self.pool) };
    }
}

impl FreeList {
    fn pop(&mut self) -> Option<NonNull<NET_BUFFER_LIST>> {
        let list = NonNull::new(self.first)?;
        // SAFETY: 1.
        self.first = unsafe { (*list.as_ptr()).Next };
        // SAFETY: 1.
        unsafe { (*list.as_ptr()).Next = ptr::null_mut() };
        self.length = self.length.wrapping_sub(1);
        Some(list)
    }

    fn push(&mut self, list: NonNull<NET_BUFFER_LIST>, limit: usize) -> bool {
        if self.length >= limit {
            return false;
        }
        // SAFETY: 1.
        unsafe { (*list.as_ptr()).Next = self.first };
        self.first = list.as_ptr();
        self.length = self.length.wrapping_add(1);
        true
    }
}

// SAFETY: 1, on any thread.
unsafe impl Send for FreeList {}

/// An owned packet that is to be filled and indicated.
pub struct ReceivePacket {
    list: NonNull<NET_BUFFER_LIST>,
}

impl ReceivePacket {
    /// The data buffer. It is initialized, but its content is undefined: it may be that of an
    /// earlier packet.
    pub fn data_mut(&mut self) -> &mut [u8] {
        let Some(class) = self.class() else { return &mut [] };
        // SAFETY: 1.
        let data = unsafe { (*self.list.as_ptr()).MiniportReserved[1] };
        // SAFETY: 1, 3. The pool allocated this many bytes for each of its lists.
        unsafe { core::slice::from_raw_parts_mut(data.cast(), class.data_bytes as usize) }
    }

    /// Sets the length of the IP packet that was filled in, its version, and which of its checksums
    /// are right. Fails if `length` exceeds the buffer.
    pub fn set_content(
        &mut self,
        length: usize,
        version: IpVersion,
        checksums: ReceiveChecksums,
    ) -> Result<()> {
        let length = u32::try_from(length).map_err(|_| Status::INVALID_PARAMETER)?;
        if self.class().is_none_or(|class| length > class.data_bytes) {
            return Err(Status::INVALID_PARAMETER);
        }
        let raw = self.list.as_ptr();
        // Flags and frame type of packets without a link header: ndis/nbl.h.
        let (flag, frame_type) = match version {
            IpVersion::V4 => (NDIS_NBL_FLAGS_IS_IPV4, 0x0800_u16),
            IpVersion::V6 => (NDIS_NBL_FLAGS_IS_IPV6, 0x86dd_u16),
        };
        // SAFETY: 1.
        unsafe { (*raw).NblFlags = flag };
        // SAFETY: 1. Every supported version of NDIS has these slots.
        unsafe {
            (*raw).NetBufferListInfo[NetBufferListFrameType] =
                ptr::without_provenance_mut(usize::from(frame_type.to_be()));
        };
        // SAFETY: 1.
        unsafe {
            (*raw).NetBufferListInfo[TcpIpChecksumNetBufferListInfo] =
                ptr::without_provenance_mut(checksums.info(version));
        };
        // SAFETY: 1.
        let buffer = unsafe { (*raw).FirstNetBuffer };
        // SAFETY: 1.
        unsafe { (*buffer).DataLength = length };
        Ok(())
    }

    fn class(&self) -> Option<&SizeClass> {
        // SAFETY: 1.
        let class = unsafe { (*self.list.as_ptr()).MiniportReserved[0] };
        // SAFETY: 3.
        unsafe { class.cast::<SizeClass>().as_ref() }
    }
}

impl Drop for ReceivePacket {
    fn drop(&mut self) {
        if let Some(class) = self.class() {
            class.give_back(self.list);
        }
    }
}

// SAFETY: 1, on any thread.
unsafe impl Send for ReceivePacket {}
// SAFETY: a shared packet has no methods.
unsafe impl Sync for ReceivePacket {}

/// Filled packets in order, to be indicated together. Dropping the chain drops them.
pub struct ReceiveChain {
    first: *mut NET_BUFFER_LIST,
    last: Option<NonNull<NET_BUFFER_LIST>>,
    length: usize,
}

impl ReceiveChain {
    /// No packets.
    pub const fn new() -> Self {
        Self { first: ptr::null_mut(), last: None, length: 0 }
    }

    /// Adds a packet at the end.
    pub fn push_back(&mut self, packet: ReceivePacket) {
        let list = ManuallyDrop::new(packet).list;
        // SAFETY: 1.
        unsafe { (*list.as_ptr()).Next = ptr::null_mut() };
        match self.last.replace(list) {
            // SAFETY: 1.
            Some(last) => unsafe { (*last.as_ptr()).Next = list.as_ptr() },
            None => self.first = list.as_ptr(),
        }
        self.length = self.length.wrapping_add(1);
    }

    /// The number of packets.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether the chain is empty.
    pub fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// Removes the first packet, without regard to `last` and `length`.
    fn pop_unchecked(&mut self) -> Option<ReceivePacket> {
        let list = NonNull::new(self.first)?;
        // SAFETY: 1.
        self.first = unsafe { (*list.as_ptr()).Next };
        // SAFETY: 1.
        unsafe { (*list.as_ptr()).Next = ptr::null_mut() };
        Some(ReceivePacket { list })
    }
}

impl Default for ReceiveChain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ReceiveChain {
    fn drop(&mut self) {
        while let Some(packet) = self.pop_unchecked() {
            drop(packet);
        }
    }
}

// SAFETY: 1, on any thread.
unsafe impl Send for ReceiveChain {}

/// The address of a list's data.
fn data_of(list: NonNull<NET_BUFFER_LIST>) -> Option<NonNull<u8>> {
    // SAFETY: 1.
    let buffer = NonNull::new(unsafe { (*list.as_ptr()).FirstNetBuffer })?;
    // SAFETY: 1.
    let mdl = NonNull::new(unsafe { (*buffer.as_ptr()).MdlChain })?;
    // SAFETY: NDIS built the MDL for non-paged pool.
    unsafe { mdl::system_address(mdl) }
}
