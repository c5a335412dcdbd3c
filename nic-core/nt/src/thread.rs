//! System threads.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use nt_sys::ntdef::{HANDLE, KernelMode, OBJ_KERNEL_HANDLE, OBJECT_ATTRIBUTES, PVOID, ULONG};
use nt_sys::ob::{ObReferenceObjectByHandle, ObfDereferenceObject, ZwClose};
use nt_sys::ps::{PsCreateSystemThread, PsTerminateSystemThread, THREAD_ALL_ACCESS};
use nt_sys::status::STATUS_SUCCESS;

use crate::event::wait_for_object;
use crate::irql::Passive;
use crate::pool::PoolBox;
use crate::status::{Result, Status};

/// A system thread; dropping it waits for its end.
///
/// The thread must have been told to end before it is dropped.
pub struct Thread {
    object: NonNull<c_void>,
}

impl Thread {
    /// Starts a thread, which runs at PASSIVE_LEVEL.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`, for dropping it as well
    pub fn spawn<F: FnOnce(Passive) + Send + 'static>(body: F) -> Result<Self> {
        let body = PoolBox::into_raw(PoolBox::new(body)?);
        let mut attributes = OBJECT_ATTRIBUTES {
            Length: size_of::<OBJECT_ATTRIBUTES>() as ULONG,
            RootDirectory: ptr::null_mut(),
            ObjectName: ptr::null_mut(),
            // The caller may run in the context of any process (wdm.h, PsCreateSystemThread).
            Attributes: OBJ_KERNEL_HANDLE,
            SecurityDescriptor: ptr::null_mut(),
            SecurityQualityOfService: ptr::null_mut(),
        };
        let mut handle: HANDLE = ptr::null_mut();
        // SAFETY: `run::<F>` takes the body exactly once; all other pointers are to the stack.
        let status = unsafe {
            PsCreateSystemThread(
                &raw mut handle,
                THREAD_ALL_ACCESS,
                &raw mut attributes,
                ptr::null_mut(),
                ptr::null_mut(),
                run::<F>,
                body.as_ptr().cast(),
            )
        };
        if let Err(status) = Status(status).ok() {
            // SAFETY: no thread was started, so that nothing else has it.
            drop(unsafe { PoolBox::from_raw(body) });
            return Err(status);
        }

        let mut object: PVOID = ptr::null_mut();
        // SAFETY: the handle is a kernel handle to a thread, and is open with all access.
        let status = unsafe {
            ObReferenceObjectByHandle(
                handle,
                THREAD_ALL_ACCESS,
                ptr::null_mut(),
                KernelMode,
                &raw mut object,
                ptr::null_mut(),
            )
        };
        // SAFETY: the handle is not used afterwards.
        unsafe { ZwClose(handle) };
        match (Status(status).ok(), NonNull::new(object)) {
            (Ok(()), Some(object)) => Ok(Self { object }),
            (Err(status), _) => Err(status),
            (Ok(()), None) => Err(Status::UNSUCCESSFUL),
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        wait_for_object(self.object.as_ptr(), None);
        // SAFETY: `spawn` took this reference.
        unsafe { ObfDereferenceObject(self.object.as_ptr()) };
    }
}

// SAFETY: a thread object may be waited for on any thread.
unsafe impl Send for Thread {}
// SAFETY: a thread object may be waited for on any thread.
unsafe impl Sync for Thread {}

unsafe extern "efiapi" fn run<F: FnOnce(Passive) + Send + 'static>(context: PVOID) {
    if let Some(body) = NonNull::new(context.cast::<F>()) {
        // SAFETY: `spawn` gave this thread the body.
        let body = unsafe { PoolBox::from_raw(body) };
        PoolBox::into_inner(body)(Passive::by_contract());
    }
    // SAFETY: this is a system thread, and nothing on its stack is left to drop.
    unsafe { PsTerminateSystemThread(STATUS_SUCCESS) };
}
