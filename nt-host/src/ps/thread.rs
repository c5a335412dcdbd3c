//! System threads.

use core::cell::Cell;
use core::ffi::c_void;
use core::ptr;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nt_sys::ke::DISPATCHER_HEADER;
use nt_sys::ntdef::{
    ACCESS_MASK, CLIENT_ID, HANDLE, HIGH_LEVEL, KTHREAD, LIST_ENTRY, NTSTATUS, OBJECT_ATTRIBUTES,
    PASSIVE_LEVEL, PVOID,
};
use nt_sys::ps::KSTART_ROUTINE;
use nt_sys::status::{STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::callback;
use crate::irql;
use crate::ke::{dispatcher, saved_states, spin_lock};
use crate::ob;
use crate::pool;
use crate::ps::escape;
use crate::stack;
use crate::violation::{Rule, stop};

/// The type name of system threads, as objects.
pub(crate) const SYSTEM_THREAD: &str = "thread";

/// The object of a thread, which is signalled when the thread has ended.
#[repr(C)]
struct Thread {
    header: DISPATCHER_HEADER,
}

// SAFETY: the fields are only changed by the dispatcher, with its lock held.
unsafe impl Send for Thread {}

/// The start parameters of a new thread.
struct Start {
    thread: *mut Thread,
    routine: KSTART_ROUTINE,
    context: PVOID,
}

// SAFETY: the new thread has a reference to its object; the context is the driver's to share.
unsafe impl Send for Start {}

/// Running threads: from their objects to their start routines.
static RUNNING: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

thread_local! {
    static CURRENT: Cell<*mut Thread> = const { Cell::new(ptr::null_mut()) };
    /// The object of a thread that the host created.
    static HOST: HostThread = HostThread(new_object("host thread"));
    static ESCAPE: Cell<usize> = const { Cell::new(0) };
}

/// Lists the system threads that still run, one line each.
pub(crate) fn left() -> Vec<String> {
    lock().values().map(|routine| format!("thread started at {routine:#x} still runs")).collect()
}

export! { "ntoskrnl.exe";
    /// wdm.h, PsCreateSystemThread.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// `thread_handle` is writable, `client_id` null or writable, and the routine may be called
    /// with the context on another thread.
    pub unsafe fn PsCreateSystemThread(
        thread_handle: *mut HANDLE,
        _desired_access: ACCESS_MASK,
        _object_attributes: *mut OBJECT_ATTRIBUTES,
        process_handle: HANDLE,
        client_id: *mut CLIENT_ID,
        start_routine: KSTART_ROUTINE,
        start_context: PVOID,
    ) -> NTSTATUS {
        irql::require_exactly("PsCreateSystemThread", PASSIVE_LEVEL);
        if !process_handle.is_null() {
            return STATUS_INVALID_PARAMETER;
        }
        if !pool::admit() {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        let created = stack::on_host(|| create(start_routine, start_context));
        let Some(thread) = created else { return STATUS_INSUFFICIENT_RESOURCES };
        // SAFETY: as the caller promises.
        if let Some(client_id) = unsafe { client_id.as_mut() } {
            client_id.UniqueProcess = ptr::without_provenance_mut(4);
            client_id.UniqueThread = thread.cast();
        }
        // SAFETY: as the caller promises.
        unsafe { thread_handle.write(ob::insert(thread.cast())) };
        STATUS_SUCCESS
    }

    /// wdm.h, PsTerminateSystemThread: does not return when called on a system thread.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// No frame of the thread's stack has cleanup to do.
    pub unsafe fn PsTerminateSystemThread(_exit_status: NTSTATUS) -> NTSTATUS {
        let function = "PsTerminateSystemThread";
        irql::require_exactly(function, PASSIVE_LEVEL);
        let place = ESCAPE.get();
        if place == 0 {
            // Not a system thread.
            return STATUS_INVALID_PARAMETER;
        }
        if spin_lock::held() != 0 || saved_states::depth() != 0 {
            stop(
                Rule::SPIN_LOCK_HELD,
                function,
                format_args!("the thread holds spin locks or has saved processor state"),
            );
        }
        stack::abandon();
        // SAFETY: the thread's own frames below are those of `run`, the switch of stacks and the
        // driver.
        unsafe { escape::leave(place) }
    }

    /// wdm.h, PsGetCurrentThread.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// None.
    pub unsafe fn PsGetCurrentThread() -> *mut KTHREAD {
        irql::require_at_most("PsGetCurrentThread", HIGH_LEVEL);
        current()
    }
}

/// The object of this thread.
pub(crate) fn current() -> *mut KTHREAD {
    if CURRENT.get().is_null() {
        // A thread of the host.
        CURRENT.set(HOST.with(|host| host.0));
    }
    CURRENT.get().cast()
}

/// The reference of a host thread to its object, which is released with the thread.
struct HostThread(*mut Thread);

impl Drop for HostThread {
    fn drop(&mut self) {
        CURRENT.set(ptr::null_mut());
        // SAFETY: the reference of the creation.
        unsafe { ob::dereference("PsGetCurrentThread", self.0.cast()) };
    }
}

/// Creates the object with a reference for the caller and one for the thread, and starts the
/// thread.
fn create(routine: KSTART_ROUTINE, context: PVOID) -> Option<*mut Thread> {
    let thread = new_object(SYSTEM_THREAD);
    // SAFETY: the object was just made.
    unsafe { ob::reference("PsCreateSystemThread", thread.cast()) };
    lock().insert(thread.addr(), (routine as *const ()).addr());
    let start = Start { thread, routine, context };
    let spawned = std::thread::Builder::new().name("system".to_owned()).spawn(move || {
        // Captures the whole struct: its fields are not `Send` by themselves.
        let start = start;
        run(&start);
    });
    if spawned.is_ok() {
        return Some(thread);
    }
    lock().remove(&thread.addr());
    for _ in 0..2 {
        // SAFETY: no other code knows the object.
        unsafe { ob::dereference("PsCreateSystemThread", thread.cast()) };
    }
    None
}

fn new_object(kind: &'static str) -> *mut Thread {
    let empty = LIST_ENTRY { Flink: ptr::null_mut(), Blink: ptr::null_mut() };
    let header = DISPATCHER_HEADER {
        Type: 0,
        Signalling: 0,
        Size: 0,
        Reserved1: 0,
        SignalState: 0,
        WaitListHead: empty,
    };
    let thread = ob::create(kind, Thread { header });
    // SAFETY: the object was just made; its address is final.
    unsafe { dispatcher::initialize(thread.cast(), dispatcher::THREAD, 6, 0) };
    thread
}

/// The body of a system thread, from its start to its end.
fn run(start: &Start) {
    CURRENT.set(start.thread);
    let mut place = 0_usize;
    let context = (&raw mut place, ptr::from_ref(start));
    // SAFETY: `body` gets the argument that it expects, which lives until it ends.
    unsafe { escape::call(&raw mut place, body, (&raw const context).cast_mut().cast()) };
    ESCAPE.set(0);
    lock().remove(&start.thread.addr());
    // SAFETY: the thread has a reference to its object.
    unsafe { dispatcher::signal(start.thread.cast()) };
    CURRENT.set(ptr::null_mut());
    // SAFETY: nothing uses the thread's reference any more.
    unsafe { ob::dereference("PsTerminateSystemThread", start.thread.cast()) };
}

/// Runs the driver's routine.
///
/// # Safety
/// `context` points to the pair that [`run`] makes.
unsafe extern "sysv64" fn body(context: *mut c_void) {
    // SAFETY: as the caller promises.
    let (place, start) = unsafe { *context.cast::<(*mut usize, *const Start)>() };
    // SAFETY: written by the call of this function.
    ESCAPE.set(unsafe { place.read() });
    // SAFETY: valid until the thread ends.
    let start = unsafe { &*start };
    callback::enter_driver(|| {
        // SAFETY: as the creator of the thread promises.
        unsafe { (start.routine)(start.context) };
    });
}

fn lock() -> MutexGuard<'static, BTreeMap<usize, usize>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
