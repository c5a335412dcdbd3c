//! DPCs: each processor has a queue and a thread that runs it at DISPATCH_LEVEL.

use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use nt_sys::ke::{HighImportance, KDEFERRED_ROUTINE, KDPC, KDPC_IMPORTANCE, MediumImportance};
use nt_sys::ntdef::{
    BOOLEAN, DISPATCH_LEVEL, HIGH_LEVEL, NTSTATUS, PASSIVE_LEVEL, PROCESSOR_NUMBER, PVOID,
};
use nt_sys::status::{STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::callback;
use crate::irql;
use crate::ke::processor;
use crate::stack;
use crate::violation::{Rule, stop};

/// `KOBJECTS`: DpcObject.
const DPC_OBJECT: u8 = 19;

/// The next work of a processor's thread.
enum Work {
    Dpc(Queued),
    /// Reports to a flush that all earlier work is done.
    Marker(Arc<Marker>),
}

struct Queued(*mut KDPC);

// SAFETY: a queued DPC belongs to the queue until it is taken out.
unsafe impl Send for Queued {}

#[derive(Default)]
struct Marker {
    reached: Mutex<bool>,
    wake: Condvar,
}

#[derive(Default)]
struct Processor {
    queue: Mutex<VecDeque<Work>>,
    wake: Condvar,
}

static PROCESSORS: OnceLock<Vec<Processor>> = OnceLock::new();
static QUEUED: AtomicUsize = AtomicUsize::new(0);

export! { "ntoskrnl.exe";
    /// wdm.h, KeInitializeDpc.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `dpc` is writable and not queued.
    pub unsafe fn KeInitializeDpc(
        dpc: *mut KDPC,
        deferred_routine: KDEFERRED_ROUTINE,
        deferred_context: PVOID,
    ) {
        let function = "KeInitializeDpc";
        irql::require_at_most(function, HIGH_LEVEL);
        if queued_in(&(dpc.addr()..dpc.addr() + 1)).is_some() {
            stop(Rule::BAD_OBJECT, function, format_args!("the DPC at {dpc:p} is queued"));
        }
        // SAFETY: as the caller promises; all zeros is a value of this type.
        unsafe { dpc.write_bytes(0, 1) };
        // SAFETY: as the caller promises.
        let dpc = unsafe { &mut *dpc };
        dpc.Type = DPC_OBJECT;
        dpc.Importance = MediumImportance as u8;
        dpc.DeferredRoutine = Some(deferred_routine);
        dpc.DeferredContext = deferred_context;
    }

    /// wdm.h, KeInsertQueueDpc: returns false if the DPC is queued already.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `dpc` is initialized, and stays valid until it has run.
    pub unsafe fn KeInsertQueueDpc(dpc: *mut KDPC, argument1: PVOID, argument2: PVOID) -> BOOLEAN {
        let function = "KeInsertQueueDpc";
        irql::require_at_most(function, HIGH_LEVEL);
        // SAFETY: as the caller promises.
        BOOLEAN::from(unsafe { insert(function, dpc, argument1, argument2) })
    }

    /// wdm.h, KeRemoveQueueDpc: returns true if the DPC was queued. It will not run then.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `dpc` is initialized.
    pub unsafe fn KeRemoveQueueDpc(dpc: *mut KDPC) -> BOOLEAN {
        let function = "KeRemoveQueueDpc";
        irql::require_at_most(function, HIGH_LEVEL);
        // SAFETY: as the caller promises.
        let marked = unsafe { mark(function, dpc) };
        let Some(index) = marked.load(Ordering::Acquire).addr().checked_sub(1) else {
            return 0;
        };
        let Some(processor) = processors().get(index) else { return 0 };
        let mut queue = lock(&processor.queue);
        let is_dpc = |work: &Work| matches!(work, Work::Dpc(found) if found.0 == dpc);
        let place = queue.iter().position(is_dpc);
        let Some(place) = place else { return 0 };
        queue.remove(place);
        QUEUED.fetch_sub(1, Ordering::Relaxed);
        marked.store(ptr::null_mut(), Ordering::Release);
        1
    }

    /// wdm.h, KeFlushQueuedDpcs: returns when every DPC that was queued before the call has run.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// None.
    pub unsafe fn KeFlushQueuedDpcs() {
        irql::require_exactly("KeFlushQueuedDpcs", PASSIVE_LEVEL);
        stack::on_host(flush);
    }

    /// wdm.h, KeSetTargetProcessorDpcEx.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `dpc` is initialized and not queued; `processor_number` is readable.
    pub unsafe fn KeSetTargetProcessorDpcEx(
        dpc: *mut KDPC,
        processor_number: *const PROCESSOR_NUMBER,
    ) -> NTSTATUS {
        let function = "KeSetTargetProcessorDpcEx";
        irql::require_at_most(function, HIGH_LEVEL);
        // SAFETY: as the caller promises.
        let number = unsafe { *processor_number };
        // SAFETY: as the caller promises.
        unsafe { mark(function, dpc) };
        if number.Group != 0 || u32::from(number.Number) >= processor::count() {
            return STATUS_INVALID_PARAMETER;
        }
        // SAFETY: as the caller promises.
        unsafe { (*dpc).Number = u16::from(number.Number) + 1 };
        STATUS_SUCCESS
    }

    /// wdm.h, KeSetImportanceDpc: a DPC of high importance is queued at the front.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `dpc` is initialized and not queued.
    pub unsafe fn KeSetImportanceDpc(dpc: *mut KDPC, importance: KDPC_IMPORTANCE) {
        let function = "KeSetImportanceDpc";
        irql::require_at_most(function, HIGH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { mark(function, dpc) };
        if !(0..=3).contains(&importance) {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("importance {importance} is not valid"),
            );
        }
        // SAFETY: as the caller promises.
        unsafe { (*dpc).Importance = importance as u8 };
    }
}

/// Queues a DPC. Returns false if it is queued already.
///
/// # Safety
/// `dpc` is initialized, and stays valid until it has run.
pub(crate) unsafe fn insert(
    function: &str,
    dpc: *mut KDPC,
    argument1: PVOID,
    argument2: PVOID,
) -> bool {
    // SAFETY: as the caller promises.
    let marked = unsafe { mark(function, dpc) };
    // SAFETY: as the caller promises.
    let KDPC { Number: number, Importance: importance, .. } = unsafe { &*dpc };
    let index = usize::from(*number).checked_sub(1).unwrap_or(processor::current() as usize);
    let high = i32::from(*importance) == HighImportance;
    let processors = processors();
    let Some(processor) = processors.get(index % processors.len().max(1)) else { return false };
    let mut queue = lock(&processor.queue);
    let queued = ptr::without_provenance_mut(index % processors.len().max(1) + 1);
    if marked
        .compare_exchange(ptr::null_mut(), queued, Ordering::AcqRel, Ordering::Relaxed)
        .is_err()
    {
        return false;
    }
    // SAFETY: as the caller promises; the one that marked it owns these fields.
    unsafe { (*dpc).SystemArgument1 = argument1 };
    // SAFETY: the DPC is valid, and marked as queued by this thread.
    unsafe { (*dpc).SystemArgument2 = argument2 };
    QUEUED.fetch_add(1, Ordering::Relaxed);
    if high {
        queue.push_front(Work::Dpc(Queued(dpc)));
    } else {
        queue.push_back(Work::Dpc(Queued(dpc)));
    }
    drop(queue);
    processor.wake.notify_one();
    true
}

/// Finds a queued DPC whose memory begins in the range.
pub(crate) fn queued_in(range: &Range<usize>) -> Option<usize> {
    if QUEUED.load(Ordering::Relaxed) == 0 {
        return None;
    }
    PROCESSORS.get()?.iter().find_map(|processor| {
        lock(&processor.queue).iter().find_map(|work| match work {
            Work::Dpc(dpc) if range.contains(&dpc.0.addr()) => Some(dpc.0.addr()),
            _ => None,
        })
    })
}

/// Waits until every DPC that is queued now has run.
pub(crate) fn flush() {
    let Some(processors) = PROCESSORS.get() else { return };
    let markers: Vec<Arc<Marker>> = processors
        .iter()
        .map(|processor| {
            let marker = Arc::<Marker>::default();
            lock(&processor.queue).push_back(Work::Marker(Arc::clone(&marker)));
            processor.wake.notify_one();
            marker
        })
        .collect();
    for marker in markers {
        let reached = lock(&marker.reached);
        drop(marker.wake.wait_while(reached, |reached| !*reached));
    }
}

/// The field that says which queue a DPC is in: null, or 1 plus its index.
///
/// # Safety
/// `dpc` is valid for `'a`.
unsafe fn mark<'a>(function: &str, dpc: *mut KDPC) -> &'a AtomicPtr<core::ffi::c_void> {
    if dpc.is_null() || !dpc.is_aligned() {
        stop(Rule::BAD_OBJECT, function, format_args!("there is no DPC at {dpc:p}"));
    }
    // SAFETY: as the caller promises.
    if unsafe { (*dpc).Type } != DPC_OBJECT {
        stop(Rule::BAD_OBJECT, function, format_args!("the DPC at {dpc:p} is not initialized"));
    }
    // SAFETY: as the caller promises.
    let data = unsafe { &raw mut (*dpc).DpcData };
    // SAFETY: aligned; changed by atomic operations only.
    unsafe { AtomicPtr::from_ptr(data) }
}

/// The processors. The first call starts their threads.
fn processors() -> &'static [Processor] {
    let mut first = false;
    let processors = PROCESSORS.get_or_init(|| {
        first = true;
        (0..processor::count()).map(|_| Processor::default()).collect()
    });
    if first {
        for (index, processor) in processors.iter().enumerate() {
            let thread = std::thread::Builder::new().name(format!("dpc/{index}"));
            if let Err(error) = thread.spawn(move || run(index as u32, processor)) {
                stop(
                    Rule::LEFT_AT_UNLOAD,
                    "DPC",
                    format_args!("the thread for DPCs cannot be started: {error}"),
                );
            }
        }
    }
    processors
}

/// The main loop of a processor's thread.
fn run(index: u32, processor: &Processor) {
    processor::bind(index);
    let mut queue = lock(&processor.queue);
    loop {
        match queue.pop_front() {
            Some(Work::Dpc(dpc)) => {
                let dpc = dpc.0;
                // SAFETY: a queued DPC is valid.
                let copy = unsafe { *dpc };
                // SAFETY: a queued DPC is valid until it is taken out of its queue.
                unsafe { mark("DPC", dpc) }.store(ptr::null_mut(), Ordering::Release);
                QUEUED.fetch_sub(1, Ordering::Relaxed);
                drop(queue);
                if let Some(routine) = copy.DeferredRoutine {
                    irql::raised(DISPATCH_LEVEL, || {
                        callback::enter_driver(|| {
                            // SAFETY: the routine of an initialized DPC, with the DPC's own
                            // arguments.
                            unsafe {
                                routine(
                                    dpc,
                                    copy.DeferredContext,
                                    copy.SystemArgument1,
                                    copy.SystemArgument2,
                                );
                            };
                        });
                    });
                }
                queue = lock(&processor.queue);
            }
            Some(Work::Marker(marker)) => {
                *lock(&marker.reached) = true;
                marker.wake.notify_all();
            }
            None => queue = processor.wake.wait(queue).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
