//! Pools of packets of one size.
//!
//! # Safety conditions
//! 1. The list is free or newly allocated, and so owned by the size class, with its NET_BUFFER, MDL
//!    and data. No other thread accesses them.
//! 2. The pool is the size class's own.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

use nt_sys::ndis::{
    NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEFAULT, NDIS_PROTOCOL_ID_DEFAULT,
    NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1, NDIS_STATUS_SUCCESS, NET_BUFFER_LIST,
    NET_BUFFER_LIST_POOL_PARAMETERS, NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
    NdisAllocateNetBufferList, NdisAllocateNetBufferListPool, NdisFreeNetBufferList,
    NdisFreeNetBufferListPool,
};
use nt_sys::ntdef::TRUE;

use super::packet::ReceivePacket;
use crate::lock::SpinMutex;
use crate::mdl;
use crate::pool::TAG;
use crate::status::{Result, Status};

/// The number of bytes of returned packets that each pool keeps for reuse.
const KEPT_BYTES: usize = 4 << 20;

/// Packets of one size.
pub(super) struct SizeClass {
    adapter: NDIS_HANDLE,
    pool: NDIS_HANDLE,
    pub(super) data_bytes: u32,
    free: SpinMutex<FreeList>,
    /// The number of packets, free or not.
    allocated: AtomicUsize,
}

struct FreeList {
    first: *mut NET_BUFFER_LIST,
    length: usize,
}

impl SizeClass {
    pub(super) fn new(adapter: NDIS_HANDLE, data_bytes: u32) -> Result<Self> {
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

    pub(super) fn allocate(&self) -> Result<ReceivePacket> {
        if let Some(list) = self.free.lock().pop() {
            return Ok(ReceivePacket::of(list));
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
        Ok(ReceivePacket::of(list))
    }

    /// Keeps a packet for its next use, or frees it if enough are kept.
    pub(super) fn give_back(&self, list: NonNull<NET_BUFFER_LIST>) {
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

/// The address of a list's data.
fn data_of(list: NonNull<NET_BUFFER_LIST>) -> Option<NonNull<u8>> {
    // SAFETY: 1.
    let buffer = NonNull::new(unsafe { (*list.as_ptr()).FirstNetBuffer })?;
    // SAFETY: 1.
    let mdl = NonNull::new(unsafe { (*buffer.as_ptr()).MdlChain })?;
    // SAFETY: NDIS built the MDL for non-paged pool.
    unsafe { mdl::system_address(mdl) }
}
