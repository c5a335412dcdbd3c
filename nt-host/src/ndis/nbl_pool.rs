//! Pools of NET_BUFFER_LISTs and of NET_BUFFERs (nblapi.h).

mod object_pool;

use std::ptr;

use nt_sys::mm::MDL;
use nt_sys::ndis::{
    NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEFAULT,
    NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
    NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1, NET_BUFFER, NET_BUFFER_LIST,
    NET_BUFFER_LIST_POOL_PARAMETERS, NET_BUFFER_POOL_PARAMETERS,
};
use nt_sys::ntdef::{DISPATCH_LEVEL, ULONG, USHORT};

pub(super) use self::object_pool::is_from_driver_pool;
use self::object_pool::{Kind, Pool};
use super::object::{Object, ObjectShape};
use crate::irql;
use crate::pool::{self, Tag};
use crate::violation::{Rule, stop};

// SAFETY 1: the driver passes valid parameters of a pool, as long as their header says.
// SAFETY 2: `require_header` was called, and the field is one of revision 1.

/// MEMORY_ALLOCATION_ALIGNMENT (ntdef.h) on 64-bit Windows.
const MEMORY_ALLOCATION_ALIGNMENT: usize = 16;
fn require_header(function: &str, header: NDIS_OBJECT_HEADER, min_bytes: USHORT) {
    if header.Type != NDIS_OBJECT_TYPE_DEFAULT || header.Revision == 0 || header.Size < min_bytes {
        stop(Rule::BAD_ARGUMENT, function, format_args!("the parameters begin with {header:?}"));
    }
}

/// The object of a NET_BUFFER that was allocated alone.
fn object_of_net_buffer(function: &str, net_buffer: *mut NET_BUFFER) -> Object {
    Object::of(function, net_buffer.cast::<u8>().wrapping_sub(size_of::<NET_BUFFER_LIST>()).cast())
}

fn pool_of<'a>(function: &str, object: Object, kind: Kind) -> &'a Pool {
    if !is_pool_address(object.pool()) {
        stop(
            Rule::NBL_BAD_FREE,
            function,
            format_args!("{:p} was not allocated by the driver", object.nbl()),
        );
    }
    Pool::of(function, ptr::with_exposed_provenance_mut(object.pool()), kind)
}

/// Objects of the host have the pool address 0.
fn is_pool_address(pool: usize) -> bool {
    pool != 0
}

/// Attaches an MDL chain to a NET_BUFFER.
///
/// # Safety
/// `net_buffer` and `mdl_chain` are valid, and owned by the caller.
unsafe fn attach(
    net_buffer: *mut NET_BUFFER,
    mdl_chain: *mut MDL,
    data_offset: ULONG,
    data_length: usize,
) {
    let mut current = mdl_chain;
    let mut offset = data_offset;
    while !current.is_null() {
        // SAFETY: an MDL of the caller's chain.
        let mdl = unsafe { &*current };
        if offset < mdl.ByteCount || mdl.Next.is_null() {
            break;
        }
        offset -= mdl.ByteCount;
        current = mdl.Next;
    }
    // SAFETY: as the caller promises.
    let net_buffer = unsafe { &mut *net_buffer };
    net_buffer.MdlChain = mdl_chain;
    net_buffer.CurrentMdl = current;
    net_buffer.CurrentMdlOffset = offset;
    net_buffer.DataOffset = data_offset;
    net_buffer.DataLength = u32::try_from(data_length).unwrap_or(u32::MAX);
}

export! { "ndis.sys";
    /// nblapi.h, NdisAllocateNetBufferListPool.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// `parameters` is valid.
    pub unsafe fn NdisAllocateNetBufferListPool(
        ndis_handle: NDIS_HANDLE,
        parameters: *const NET_BUFFER_LIST_POOL_PARAMETERS,
    ) -> NDIS_HANDLE {
        const FUNCTION: &str = "NdisAllocateNetBufferListPool";
        let _ = ndis_handle;
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        // SAFETY: 1.
        let header = unsafe { (*parameters).Header };
        require_header(FUNCTION, header, NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1);
        // SAFETY: 1 and 2.
        let data_bytes = unsafe { (*parameters).DataSize } as usize;
        // SAFETY: 1 and 2.
        let net_buffer = unsafe { (*parameters).fAllocateNetBuffer } != 0;
        // SAFETY: 1 and 2.
        let context_bytes = usize::from(unsafe { (*parameters).ContextSize });
        // SAFETY: 1 and 2.
        let tag = unsafe { (*parameters).PoolTag };
        if tag == 0
            || (data_bytes > 0 && !net_buffer)
            || !context_bytes.is_multiple_of(MEMORY_ALLOCATION_ALIGNMENT)
        {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!(
                    "tag {tag:#x}, {data_bytes} bytes of data, fAllocateNetBuffer {net_buffer}, \
                     {context_bytes} bytes of context"
                ),
            );
        }
        if !pool::admit() {
            return ptr::null_mut();
        }
        let mdls = usize::from(data_bytes > 0);
        let shape = ObjectShape { context_bytes, net_buffer, mdls, data_bytes, guard: false };
        Pool::create(Kind::Lists, tag, shape)
    }

    /// nblapi.h, NdisFreeNetBufferListPool.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The handle is not used again.
    pub unsafe fn NdisFreeNetBufferListPool(pool_handle: NDIS_HANDLE) {
        const FUNCTION: &str = "NdisFreeNetBufferListPool";
        Pool::of(FUNCTION, pool_handle, Kind::Lists).destroy(FUNCTION);
    }

    /// nblapi.h, NdisAllocateNetBufferList.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// None beyond the handle's validity.
    pub unsafe fn NdisAllocateNetBufferList(
        pool_handle: NDIS_HANDLE,
        context_size: USHORT,
        context_back_fill: USHORT,
    ) -> *mut NET_BUFFER_LIST {
        const FUNCTION: &str = "NdisAllocateNetBufferList";
        let pool = Pool::of(FUNCTION, pool_handle, Kind::Lists);
        allocate_list(FUNCTION, pool, context_size, context_back_fill)
            .map_or(ptr::null_mut(), Object::nbl)
    }

    /// nblapi.h, NdisAllocateNetBufferAndNetBufferList.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// `mdl_chain` is null or a valid chain.
    pub unsafe fn NdisAllocateNetBufferAndNetBufferList(
        pool_handle: NDIS_HANDLE,
        context_size: USHORT,
        context_back_fill: USHORT,
        mdl_chain: *mut MDL,
        data_offset: ULONG,
        data_length: usize,
    ) -> *mut NET_BUFFER_LIST {
        const FUNCTION: &str = "NdisAllocateNetBufferAndNetBufferList";
        let pool = Pool::of(FUNCTION, pool_handle, Kind::Lists);
        if !pool.shape.net_buffer || pool.shape.data_bytes != 0 {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!(
                    "pool {} is not one with fAllocateNetBuffer and no DataSize",
                    Tag(pool.tag)
                ),
            );
        }
        require_range(FUNCTION, mdl_chain, data_offset, data_length);
        let Some(object) = allocate_list(FUNCTION, pool, context_size, context_back_fill) else {
            return ptr::null_mut();
        };
        // SAFETY: just allocated; the chain is valid, as the driver promises.
        unsafe { attach(object.net_buffer(), mdl_chain, data_offset, data_length) };
        object.nbl()
    }

    /// nblapi.h, NdisFreeNetBufferList.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The list is not used again.
    pub unsafe fn NdisFreeNetBufferList(net_buffer_list: *mut NET_BUFFER_LIST) {
        const FUNCTION: &str = "NdisFreeNetBufferList";
        let object = Object::of(FUNCTION, net_buffer_list);
        pool_of(FUNCTION, object, Kind::Lists).free(FUNCTION, object);
    }

    /// nblapi.h, NdisAllocateNetBufferPool.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// `parameters` is valid.
    pub unsafe fn NdisAllocateNetBufferPool(
        ndis_handle: NDIS_HANDLE,
        parameters: *const NET_BUFFER_POOL_PARAMETERS,
    ) -> NDIS_HANDLE {
        const FUNCTION: &str = "NdisAllocateNetBufferPool";
        let _ = ndis_handle;
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        // SAFETY: 1.
        let header = unsafe { (*parameters).Header };
        require_header(FUNCTION, header, NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1);
        // SAFETY: 1 and 2.
        let data_bytes = unsafe { (*parameters).DataSize } as usize;
        // SAFETY: 1 and 2.
        let tag = unsafe { (*parameters).PoolTag };
        if tag == 0 {
            stop(Rule::BAD_ARGUMENT, FUNCTION, format_args!("the tag is 0"));
        }
        if !pool::admit() {
            return ptr::null_mut();
        }
        let mdls = usize::from(data_bytes > 0);
        let shape = ObjectShape {
            context_bytes: 0,
            net_buffer: true,
            mdls,
            data_bytes,
            guard: false,
        };
        Pool::create(Kind::Buffers, tag, shape)
    }

    /// nblapi.h, NdisFreeNetBufferPool.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The handle is not used again.
    pub unsafe fn NdisFreeNetBufferPool(pool_handle: NDIS_HANDLE) {
        const FUNCTION: &str = "NdisFreeNetBufferPool";
        Pool::of(FUNCTION, pool_handle, Kind::Buffers).destroy(FUNCTION);
    }

    /// nblapi.h, NdisAllocateNetBuffer.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// `mdl_chain` is null or a valid chain.
    pub unsafe fn NdisAllocateNetBuffer(
        pool_handle: NDIS_HANDLE,
        mdl_chain: *mut MDL,
        data_offset: ULONG,
        data_length: usize,
    ) -> *mut NET_BUFFER {
        const FUNCTION: &str = "NdisAllocateNetBuffer";
        let pool = Pool::of(FUNCTION, pool_handle, Kind::Buffers);
        require_range(FUNCTION, mdl_chain, data_offset, data_length);
        let Some(object) = pool.allocate(FUNCTION, pool.shape) else {
            return ptr::null_mut();
        };
        // SAFETY: just allocated; the chain is valid, as the driver promises.
        unsafe { attach(object.net_buffer(), mdl_chain, data_offset, data_length) };
        object.net_buffer()
    }

    /// nblapi.h, NdisAllocateNetBufferMdlAndData.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// None beyond the handle's validity.
    pub unsafe fn NdisAllocateNetBufferMdlAndData(pool_handle: NDIS_HANDLE) -> *mut NET_BUFFER {
        const FUNCTION: &str = "NdisAllocateNetBufferMdlAndData";
        let pool = Pool::of(FUNCTION, pool_handle, Kind::Buffers);
        let Some(object) = pool.allocate(FUNCTION, pool.shape) else {
            return ptr::null_mut();
        };
        attach_own_data(object);
        object.net_buffer()
    }

    /// nblapi.h, NdisFreeNetBuffer.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The NET_BUFFER is not used again.
    pub unsafe fn NdisFreeNetBuffer(net_buffer: *mut NET_BUFFER) {
        const FUNCTION: &str = "NdisFreeNetBuffer";
        let object = object_of_net_buffer(FUNCTION, net_buffer);
        pool_of(FUNCTION, object, Kind::Buffers).free(FUNCTION, object);
    }
}

fn allocate_list(
    function: &str,
    pool: &Pool,
    context_size: USHORT,
    context_back_fill: USHORT,
) -> Option<Object> {
    let wanted = usize::from(context_size) + usize::from(context_back_fill);
    if !usize::from(context_size).is_multiple_of(MEMORY_ALLOCATION_ALIGNMENT)
        || !usize::from(context_back_fill).is_multiple_of(MEMORY_ALLOCATION_ALIGNMENT)
    {
        stop(
            Rule::BAD_ARGUMENT,
            function,
            format_args!(
                "context of {context_size} and backfill of {context_back_fill} bytes are not \
                 multiples of 16"
            ),
        );
    }
    let shape = ObjectShape { context_bytes: pool.shape.context_bytes.max(wanted), ..pool.shape };
    let object = pool.allocate(function, shape)?;
    // SAFETY: just allocated.
    let context = unsafe { (*object.nbl()).Context };
    if !context.is_null() {
        // SAFETY: just allocated, with a context.
        let context = unsafe { &mut *context };
        context.Offset = context.Size.saturating_sub(context_size);
    }
    if shape.data_bytes > 0 {
        attach_own_data(object);
    }
    Some(object)
}

/// Attaches the MDL and the data that were allocated with the NET_BUFFER. All of it is unused data
/// space.
fn attach_own_data(object: Object) {
    // SAFETY: just allocated, and so is its MDL.
    unsafe { attach(object.net_buffer(), object.mdl(0), 0, 0) };
}

/// Stops unless an MDL chain has the bytes that its NET_BUFFER describes.
fn require_range(function: &str, mdl_chain: *mut MDL, data_offset: ULONG, data_length: usize) {
    let mut bytes = 0_usize;
    let mut next = mdl_chain;
    while !next.is_null() {
        // SAFETY: an MDL of the driver's chain.
        let mdl = unsafe { &*next };
        bytes += mdl.ByteCount as usize;
        next = mdl.Next;
    }
    if (data_offset as usize).saturating_add(data_length) > bytes {
        stop(
            Rule::BAD_ARGUMENT,
            function,
            format_args!("{data_length} bytes at {data_offset} of an MDL chain of {bytes} bytes"),
        );
    }
}
