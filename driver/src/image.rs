//! `tunic.sys`: the driver as an image that Windows loads. `cargo xtask driver` builds it.
#![no_std]
#![no_main]

#[cfg(not(windows))]
compile_error!("tunic.sys is an image for Windows: build it by `cargo xtask driver`");

use core::panic::PanicInfo;

use nt::pool::PoolAllocator;
use nt_sys::io::DRIVER_OBJECT;
use nt_sys::ntdef::{NTSTATUS, UNICODE_STRING};

#[global_allocator]
static POOL: PoolAllocator = PoolAllocator;

#[panic_handler]
fn on_panic(panic: &PanicInfo<'_>) -> ! {
    nt::bugcheck::on_panic(panic)
}

/// The image's entry point.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Safety
/// Called by NT, once.
#[unsafe(export_name = "DriverEntry")]
unsafe extern "efiapi" fn driver_entry(
    driver: *mut DRIVER_OBJECT,
    registry_path: *mut UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: by the caller's promise.
    unsafe { tunic_driver::driver_entry(driver, registry_path) }
}

/// The exception handler that the unwind data of some compiler built-ins (`__udivti3`) names. It
/// handles no exception (`ExceptionContinueSearch`, excpt.h). wdk-sys defines one as well.
#[cfg(not(feature = "wdk"))]
#[unsafe(no_mangle)]
extern "C" fn __CxxFrameHandler3() -> i32 {
    1
}
