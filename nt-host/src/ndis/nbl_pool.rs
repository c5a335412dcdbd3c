//! Pools of NET_BUFFER_LISTs and of NET_BUFFERs (nblapi.h).
//!
//! A freed object goes to a list of its pool; threads use different lists first, so that they seldom meet at a lock.

use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use nt_sys::mm::MDL;
use nt_sys::ndis::{
    NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEFAULT,
    NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
    NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1, NET_BUFFER, NET_BUFFER_LIST,
    NET_BUFFER_LIST_POOL_PARAMETERS, NET_BUFFER_POOL_PARAMETERS,
};
use nt_sys::ntdef::{DISPATCH_LEVEL, ULONG, USHORT};

use super::object::{Object, ObjectShape, Owner};
use super::verification;
use crate::irql;
use crate::pool::{self, Tag};
use crate::violation::{Rule, stop};

const LISTS: usize = 4;
/// MEMORY_ALLOCATION_ALIGNMENT (ntdef.h) on 64-bit Windows.
const MEMORY_ALLOCATION_ALIGNMENT: usize = 16;
const LIVE: u64 = 0x4e42_4c50_4f4f_4c21;

/// What a pool's handle points at. Never given back to the allocator, so a stale handle is recognized.
pub(super) struct Pool {
    magic: AtomicU64,
    kind: Kind,
    tag: ULONG,
    shape: ObjectShape,
    lists: [Mutex<Vec<Object>>; LISTS],
    outstanding: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of NET_BUFFER_LISTs.
    Lists,
    /// Of NET_BUFFERs: those of objects whose NET_BUFFER_LIST is not used.
    Buffers,
}

static POOLS: Mutex<Vec<&'static Pool>> = Mutex::new(Vec::new());

impl Pool {
    fn create(kind: Kind, tag: ULONG, shape: ObjectShape) -> NDIS_HANDLE {
        crate::driver::at_unload(left_at_unload);
        let pool = Box::leak(Box::new(Self {
            magic: AtomicU64::new(LIVE),
            kind,
            tag,
            shape,
            lists: Default::default(),
            outstanding: AtomicUsize::new(0),
        }));
        POOLS.lock().unwrap_or_else(PoisonError::into_inner).push(pool);
        ptr::from_ref(pool).cast_mut().cast()
    }

    fn of(function: &str, handle: NDIS_HANDLE, kind: Kind) -> &'static Self {
        let pool = handle.cast::<Self>();
        if pool.is_null() || !pool.is_aligned() {
            stop(Rule::BAD_NDIS_HANDLE, function, format_args!("{handle:p} is no pool"));
        }
        // SAFETY: pools are never freed; another pointer of a driver faults or fails the next check.
        let pool = unsafe { &*pool };
        if pool.magic.load(Ordering::Relaxed) != LIVE || pool.kind != kind {
            stop(Rule::BAD_NDIS_HANDLE, function, format_args!("{handle:p} is no pool, or freed"));
        }
        pool
    }

    fn allocate(&'static self, function: &str, shape: ObjectShape) -> Option<Object> {
        irql::require_at_most(function, DISPATCH_LEVEL);
        if !pool::admit() {
            return None;
        }
        let recycled = if shape == self.shape { self.pop() } else { None };
        let object = match recycled {
            Some(object) => {
                object.unprotect();
                if verification() {
                    // SAFETY: free, so the pool's.
                    if let Some((part, at)) = unsafe { object.touched() } {
                        stop(
                            Rule::USE_AFTER_FREE,
                            function,
                            format_args!(
                                "{part} of a free {:?} object was written at byte {at} (pool {})",
                                self.kind,
                                Tag(self.tag)
                            ),
                        );
                    }
                }
                object
            }
            None => Object::allocate(ptr::from_ref(self).addr(), shape)?,
        };
        // SAFETY: taken out of the pool.
        unsafe { object.initialize() };
        if shape.mdls > 0 {
            // SAFETY: taken out of the pool; the range is the data space.
            unsafe { object.describe(0, 0, shape.data_bytes, ptr::null_mut()) };
        }
        let _ = object.pass(Owner::Pool, Owner::Allocator);
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        Some(object)
    }

    fn free(&self, function: &str, object: Object) {
        irql::require_at_most(function, DISPATCH_LEVEL);
        if let Err(owner) = object.pass(Owner::Allocator, Owner::Pool) {
            let state = match owner {
                Owner::Pool => "free already",
                Owner::Allocator => "allocated",
                Owner::Miniport => "being sent",
                Owner::Stack => "indicated and not returned",
            };
            stop(
                Rule::NBL_BAD_FREE,
                function,
                format_args!("{:p} is {state} (pool {})", object.nbl(), Tag(self.tag)),
            );
        }
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
        if object.shape() != self.shape {
            // SAFETY: its owner has given it back.
            unsafe { object.release() };
            return;
        }
        if verification() {
            // SAFETY: its owner has given it back.
            unsafe { object.poison(0) };
            object.protect();
        }
        self.list().lock().unwrap_or_else(PoisonError::into_inner).push(object);
    }

    fn pop(&self) -> Option<Object> {
        let own = self.list().lock().unwrap_or_else(PoisonError::into_inner).pop();
        own.or_else(|| self.lists.iter().find_map(|list| list.try_lock().ok()?.pop()))
    }

    /// The list that this thread uses first.
    fn list(&self) -> &Mutex<Vec<Object>> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LISTS;
        }
        let [first, ..] = &self.lists;
        self.lists.get(OWN.with(|own| *own)).unwrap_or(first)
    }

    fn destroy(&'static self, function: &str) {
        irql::require_at_most(function, DISPATCH_LEVEL);
        let left = self.outstanding.load(Ordering::Acquire);
        if left > 0 {
            stop(
                Rule::NBL_LEAK,
                function,
                format_args!("{left} of pool {} were not freed before the pool", Tag(self.tag)),
            );
        }
        self.magic.store(0, Ordering::Relaxed);
        POOLS.lock().unwrap_or_else(PoisonError::into_inner).retain(|pool| !ptr::eq(*pool, self));
        for list in &self.lists {
            for object in list.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                // SAFETY: free, and the pool is gone.
                unsafe { object.release() };
            }
        }
    }
}

/// Whether `object` is from a pool of a driver.
pub(super) fn is_from_driver_pool(object: Object) -> bool {
    let pool = ptr::with_exposed_provenance::<Pool>(object.pool());
    POOLS.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|known| ptr::eq(*known, pool))
}

/// The pools that exist, one line for each.
fn left_at_unload() -> Vec<String> {
    let pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools
        .iter()
        .map(|pool| {
            let what = match pool.kind {
                Kind::Lists => "NET_BUFFER_LIST",
                Kind::Buffers => "NET_BUFFER",
            };
            format!(
                "{what} pool with tag {} and {} of its objects",
                Tag(pool.tag),
                pool.outstanding.load(Ordering::Relaxed)
            )
        })
        .collect()
}

fn require_header(function: &str, header: NDIS_OBJECT_HEADER, least_bytes: USHORT) {
    if header.Type != NDIS_OBJECT_TYPE_DEFAULT || header.Revision == 0 || header.Size < least_bytes
    {
        stop(Rule::BAD_ARGUMENT, function, format_args!("the parameters begin with {header:?}"));
    }
}

/// The object of a NET_BUFFER that was allocated alone.
fn object_of_net_buffer(function: &str, net_buffer: *mut NET_BUFFER) -> Object {
    Object::of(function, net_buffer.cast::<u8>().wrapping_sub(size_of::<NET_BUFFER_LIST>()).cast())
}

fn pool_of(function: &str, object: Object, kind: Kind) -> &'static Pool {
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

/// Points a NET_BUFFER at an MDL chain.
///
/// # Safety
/// `net_buffer` and `mdl_chain` are valid and the caller's.
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
    // SAFETY: the caller's promise.
    let net_buffer = unsafe { &mut *net_buffer };
    net_buffer.MdlChain = mdl_chain;
    net_buffer.CurrentMdl = current;
    net_buffer.CurrentMdlOffset = offset;
    net_buffer.DataOffset = data_offset;
    net_buffer.DataLength = u32::try_from(data_length).unwrap_or(u32::MAX);
}

export! {
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
        // SAFETY: the driver's promise. Revision 1 ends before `Flags`, which is not read.
        let header = unsafe { (*parameters).Header };
        require_header(FUNCTION, header, NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1);
        // SAFETY: as above.
        let data_bytes = unsafe { (*parameters).DataSize } as usize;
        // SAFETY: as above.
        let net_buffer = unsafe { (*parameters).fAllocateNetBuffer } != 0;
        // SAFETY: as above.
        let context_bytes = usize::from(unsafe { (*parameters).ContextSize });
        // SAFETY: as above.
        let tag = unsafe { (*parameters).PoolTag };
        if tag == 0 || (data_bytes > 0 && !net_buffer) || !context_bytes.is_multiple_of(MEMORY_ALLOCATION_ALIGNMENT) {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!(
                    "tag {tag:#x}, {data_bytes} bytes of data, fAllocateNetBuffer {net_buffer}, {context_bytes} bytes of context"
                ),
            );
        }
        if !pool::admit() {
            return ptr::null_mut();
        }
        let mdls = usize::from(data_bytes > 0);
        Pool::create(Kind::Lists, tag, ObjectShape { context_bytes, net_buffer, mdls, data_bytes, guard: false })
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
        allocate_list(FUNCTION, pool, context_size, context_back_fill).map_or(ptr::null_mut(), Object::nbl)
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
                format_args!("pool {} is not one with fAllocateNetBuffer and no DataSize", Tag(pool.tag)),
            );
        }
        require_range(FUNCTION, mdl_chain, data_offset, data_length);
        let Some(object) = allocate_list(FUNCTION, pool, context_size, context_back_fill) else {
            return ptr::null_mut();
        };
        // SAFETY: just allocated; the chain is valid by the driver's promise.
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
        // SAFETY: the driver's promise. Revision 1 ends before `Flags`, which is not read.
        let header = unsafe { (*parameters).Header };
        require_header(FUNCTION, header, NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1);
        // SAFETY: as above.
        let data_bytes = unsafe { (*parameters).DataSize } as usize;
        // SAFETY: as above.
        let tag = unsafe { (*parameters).PoolTag };
        if tag == 0 {
            stop(Rule::BAD_ARGUMENT, FUNCTION, format_args!("no tag"));
        }
        if !pool::admit() {
            return ptr::null_mut();
        }
        let mdls = usize::from(data_bytes > 0);
        let shape = ObjectShape { context_bytes: 0, net_buffer: true, mdls, data_bytes, guard: false };
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
        // SAFETY: just allocated; the chain is valid by the driver's promise.
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
    pool: &'static Pool,
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
                "context of {context_size} and backfill of {context_back_fill} bytes are not multiples of 16"
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

/// Points the NET_BUFFER at the MDL and data that were allocated with it; all of it is unused data space.
fn attach_own_data(object: Object) {
    // SAFETY: just allocated, and so is its MDL.
    unsafe { attach(object.net_buffer(), object.mdl(0), 0, 0) };
}

/// Stops unless an MDL chain has the bytes that a NET_BUFFER over it claims.
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
