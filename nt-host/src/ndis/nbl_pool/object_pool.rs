//! A pool of NET_BUFFER_LISTs or NET_BUFFERs: its objects, free or allocated.
//!
//! A freed object goes to one of several free lists. Each thread begins with its own, so that
//! threads rarely contend for a lock.

use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nt_sys::ndis::NDIS_HANDLE;
use nt_sys::ntdef::{DISPATCH_LEVEL, ULONG};

use crate::irql;
use crate::loaded;
use crate::ndis::object::{Object, ObjectShape, Owner};
use crate::ndis::verification::verification;
use crate::pool::{self, Tag};
use crate::retained;
use crate::violation::{Rule, stop};

const LISTS: usize = 4;
const LIVE: u64 = 0x4e42_4c50_4f4f_4c21;

/// The target of a pool handle.
pub(in crate::ndis) struct Pool {
    magic: AtomicU64,
    kind: Kind,
    pub(super) tag: ULONG,
    pub(super) shape: ObjectShape,
    lists: [Mutex<Vec<Object>>; LISTS],
    outstanding: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A pool of NET_BUFFER_LISTs.
    Lists,
    /// A pool of NET_BUFFERs: objects whose NET_BUFFER_LIST is not used.
    Buffers,
}

static POOLS: Mutex<Vec<Arc<Pool>>> = Mutex::new(Vec::new());

impl Pool {
    pub(super) fn create(kind: Kind, tag: ULONG, shape: ObjectShape) -> NDIS_HANDLE {
        loaded::at_unload(left_at_unload);
        let pool = Arc::new(Self {
            magic: AtomicU64::new(LIVE),
            kind,
            tag,
            shape,
            lists: Default::default(),
            outstanding: AtomicUsize::new(0),
        });
        retained::keep(Arc::clone(&pool));
        let handle = Arc::as_ptr(&pool).cast_mut().cast();
        POOLS.lock().unwrap_or_else(PoisonError::into_inner).push(pool);
        handle
    }

    /// The pool of a handle, which stays valid for the driver's call. Stops if the handle is not
    /// one.
    pub(super) fn of<'a>(function: &str, handle: NDIS_HANDLE, kind: Kind) -> &'a Self {
        irql::require_at_most(function, DISPATCH_LEVEL);
        let pool = handle.cast::<Self>();
        if pool.is_null() || !pool.is_aligned() {
            stop(Rule::BAD_NDIS_HANDLE, function, format_args!("{handle:p} is not a pool handle"));
        }
        // SAFETY: pools stay in memory while a driver is loaded. Any other pointer faults or fails
        // the next check.
        let pool = unsafe { &*pool };
        if pool.magic.load(Ordering::Relaxed) != LIVE || pool.kind != kind {
            stop(
                Rule::BAD_NDIS_HANDLE,
                function,
                format_args!("{handle:p} is not a pool handle, or the pool was freed"),
            );
        }
        pool
    }

    pub(super) fn allocate(&self, function: &str, shape: ObjectShape) -> Option<Object> {
        if !pool::admit() {
            return None;
        }
        let recycled = if shape == self.shape { self.pop() } else { None };
        let object = match recycled {
            Some(object) => {
                object.unprotect();
                if verification() {
                    // SAFETY: the object is free, so the pool owns it.
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
        // SAFETY: the object was taken from the pool.
        unsafe { object.initialize() };
        if shape.mdls > 0 {
            // SAFETY: the object was taken from the pool; the range is its data space.
            unsafe { object.describe(0, 0, shape.data_bytes, ptr::null_mut()) };
        }
        let _ = object.pass(Owner::Pool, Owner::Allocator);
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        Some(object)
    }

    pub(super) fn free(&self, function: &str, object: Object) {
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
            // SAFETY: the owner has freed the object.
            unsafe { object.release() };
            return;
        }
        if verification() {
            // SAFETY: the owner has freed the object.
            unsafe { object.poison(0) };
            object.protect();
        }
        self.list().lock().unwrap_or_else(PoisonError::into_inner).push(object);
    }

    fn pop(&self) -> Option<Object> {
        let own = self.list().lock().unwrap_or_else(PoisonError::into_inner).pop();
        own.or_else(|| self.lists.iter().find_map(|list| list.try_lock().ok()?.pop()))
    }

    /// The free list that this thread uses first.
    fn list(&self) -> &Mutex<Vec<Object>> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LISTS;
        }
        let [first, ..] = &self.lists;
        self.lists.get(OWN.with(|own| *own)).unwrap_or(first)
    }

    pub(super) fn destroy(&self, function: &str) {
        let left = self.outstanding.load(Ordering::Acquire);
        if left > 0 {
            stop(
                Rule::NBL_LEAK,
                function,
                format_args!("{left} of pool {} were not freed before the pool", Tag(self.tag)),
            );
        }
        self.magic.store(0, Ordering::Relaxed);
        POOLS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|pool| !ptr::eq(Arc::as_ptr(pool), self));
        for list in &self.lists {
            for object in list.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                // SAFETY: the object is free, and its pool was freed.
                unsafe { object.release() };
            }
        }
    }
}

/// Whether `object` is from a pool of a driver.
pub(in crate::ndis) fn is_from_driver_pool(object: Object) -> bool {
    let pool = ptr::with_exposed_provenance::<Pool>(object.pool());
    POOLS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .any(|known| ptr::eq(Arc::as_ptr(known), pool))
}

/// Lists the existing pools, one line each.
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
