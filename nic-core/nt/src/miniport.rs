//! An NDIS miniport driver.
//!
//! A driver implements [`Miniport`]; its entry point is [`entry`]. NDIS calls the functions of
//! `callbacks`, which check their arguments and call the safe methods of the trait.

mod attributes;
mod callbacks;
mod hook;
mod indication;

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use nt_sys::io::DRIVER_OBJECT;
use nt_sys::ndis::{
    NDIS_HANDLE, NDIS_MAKE_VERSION, NDIS_STATUS_BAD_VERSION, NdisGetVersion,
    NdisMRegisterMiniportDriver,
};
use nt_sys::ntdef::{NTSTATUS, UNICODE_STRING};

pub use attributes::Attributes;
pub use hook::{Opened, Opening, Removal};

use crate::configuration::Configuration;
use crate::device_interface::{AdapterDevice, DeviceId};
use crate::irp::{Dispatched, FileId, Irp};
use crate::irql::Passive;
use crate::nbl::{ReceivePath, TransmitPath, TransmitQueue};
use crate::oid::OidRequest;
use crate::pool::PoolBox;
use crate::shared::Shared;
use crate::status::{Result, Status};

/// A driver's entry point.
pub type DriverEntry = nt_sys::io::DRIVER_INITIALIZE;

/// The oldest supported NDIS: Windows 10.
const MIN_NDIS: u32 = NDIS_MAKE_VERSION(6, 50);
/// The newest supported NDIS: Windows 11 24H2.
const MAX_NDIS: u32 = NDIS_MAKE_VERSION(6, 89);

/// A miniport driver. Methods are called at PASSIVE_LEVEL unless they say otherwise.
pub trait Miniport: Send + Sync + Sized + 'static {
    /// The version of the driver: major and minor.
    const VERSION: (u8, u8);
    /// An adapter. NDIS may call its methods on several processors at once.
    type Adapter: Send + Sync + 'static;

    /// Makes the state of the driver. NDIS cannot be called yet.
    fn load(passive: Passive) -> Result<Self>;
    /// Ends the driver. There are no adapters and no devices any more.
    fn unload(&self);

    /// Initializes an adapter, which is paused at first. Its handle is valid until the end of
    /// [`Miniport::halt`].
    fn initialize(
        &self,
        driver: &DriverHandle,
        handle: AdapterHandle,
        passive: Passive,
    ) -> Result<(Self::Adapter, Attributes)>;
    /// Called at the end of MiniportInitializeEx, with the adapter's device. If it fails, the
    /// adapter is halted.
    fn initialized(&self, adapter: &Self::Adapter, device: &AdapterDevice) -> Result<()>;
    /// Halts an adapter, which is paused.
    fn halt(&self, adapter: Self::Adapter, passive: Passive);
    /// Restarts a paused adapter. The stack sends packets afterwards.
    fn restart(&self, adapter: &Self::Adapter) -> Result<()>;
    /// Pauses an adapter. When this returns, all packets from the stack have been completed, and
    /// all indicated packets have been returned.
    fn pause(&self, adapter: &Self::Adapter, passive: Passive);
    /// Handles an OID request.
    fn oid_request(&self, adapter: &Self::Adapter, request: OidRequest<'_>) -> Status;
    /// Sends packets of the stack.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    fn send(&self, adapter: &Self::Adapter, packets: TransmitQueue);
    /// The device of the adapter was removed, by surprise or not.
    fn removed(&self, adapter: &Self::Adapter);

    /// A file is being opened on the device that NDIS made for an adapter, or on another device of
    /// NDIS's.
    fn open_on_device(&self, device: DeviceId, opening: &Opening<'_>) -> Opened;
    /// Handles a control, read or write of a file that [`Miniport::open_on_device`] opened. The
    /// adapter may be gone.
    fn file_request(&self, device: DeviceId, irp: Irp) -> Dispatched;
    /// The last handle to such a file was closed: its requests must be cancelled.
    fn file_closed(&self, device: DeviceId, file: FileId);
    /// Handles a control of another file, or gives it back for NDIS.
    fn device_control(&self, device: DeviceId, irp: Irp) -> core::result::Result<Dispatched, Irp>;
    /// The last handle to such a file was closed: its requests must be cancelled.
    fn device_file_closed(&self, device: DeviceId, file: FileId);
    /// A step of the removal of a device. The adapter's methods are called besides.
    fn device_removal(&self, device: DeviceId, step: Removal);
}

/// NDIS's handle of a registered driver.
#[derive(Clone, Copy)]
pub struct DriverHandle {
    handle: NDIS_HANDLE,
}

impl DriverHandle {
    pub(crate) fn as_ptr(&self) -> NDIS_HANDLE {
        self.handle
    }
}

/// NDIS's handle of an adapter, and the paths of its packets.
#[derive(Clone)]
pub struct AdapterHandle {
    handle: NDIS_HANDLE,
    ndis_version: u32,
    /// The index of its network interface.
    pub interface_index: u32,
    /// The LUID of its network interface.
    pub interface_luid: u64,
    /// The path of packets that the stack sends.
    pub transmit: Shared<TransmitPath>,
    /// The path of packets that the stack receives.
    pub receive: Shared<ReceivePath>,
}

impl AdapterHandle {
    /// The adapter's device objects.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn device(&self) -> AdapterDevice {
        // SAFETY: the handle is valid until the end of `halt`.
        unsafe { AdapterDevice::of(self.handle) }
    }

    /// Opens the adapter's configuration in the registry.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn configuration(&self) -> Result<Configuration> {
        // SAFETY: the handle is valid until the end of `halt`.
        unsafe { Configuration::open(self.handle) }
    }
}

// SAFETY: NDIS accepts the handle on any thread.
unsafe impl Send for AdapterHandle {}
// SAFETY: NDIS accepts the handle on any thread.
unsafe impl Sync for AdapterHandle {}

/// The driver while it is loaded.
struct Driver<M: Miniport> {
    miniport: M,
    handle: NDIS_HANDLE,
    ndis_version: u32,
}

/// An adapter while it exists: the context that NDIS passes to callbacks.
struct Context<M: Miniport> {
    driver: NonNull<Driver<M>>,
    transmit: Shared<TransmitPath>,
    receive: Shared<ReceivePath>,
    adapter: M::Adapter,
}

/// The one driver of this image. NDIS passes no context to `unload`.
static DRIVER: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// The `DriverEntry` of a driver that is a miniport and nothing else.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Safety
/// The arguments must be those of DriverEntry.
pub unsafe extern "efiapi" fn entry<M: Miniport>(
    driver_object: *mut DRIVER_OBJECT,
    registry_path: *mut UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: by the caller's promise.
    Status::of(unsafe { load::<M>(driver_object, registry_path) }).0
}

/// # Safety
/// The arguments must be those of DriverEntry.
unsafe fn load<M: Miniport>(
    driver_object: *mut DRIVER_OBJECT,
    registry_path: *mut UNICODE_STRING,
) -> Result<()> {
    // SAFETY: no condition.
    let ndis_version = unsafe { NdisGetVersion() };
    if ndis_version < MIN_NDIS {
        return Err(Status(NDIS_STATUS_BAD_VERSION));
    }
    let ndis_version = ndis_version.min(MAX_NDIS);
    let miniport = M::load(Passive::by_contract())?;
    let driver = PoolBox::new(Driver { miniport, handle: ptr::null_mut(), ndis_version })?;
    let characteristics = callbacks::characteristics::<M>(ndis_version);

    let driver = PoolBox::into_raw(driver);
    DRIVER.store(driver.as_ptr().cast(), Ordering::Release);
    let mut handle: NDIS_HANDLE = ptr::null_mut();
    // SAFETY: the first two arguments are those of DriverEntry; NDIS copies the characteristics;
    // the context lives until `unload`.
    let status = unsafe {
        NdisMRegisterMiniportDriver(
            driver_object,
            registry_path,
            driver.as_ptr().cast(),
            &raw const characteristics,
            &raw mut handle,
        )
    };
    if let Err(status) = Status(status).ok() {
        DRIVER.store(ptr::null_mut(), Ordering::Release);
        // SAFETY: registration failed, so that NDIS does not use the context.
        drop(unsafe { PoolBox::from_raw(driver) });
        return Err(status);
    }
    // SAFETY: no adapter is added before DriverEntry returns (ndis docs, "Initializing a Miniport
    // Driver"), so nobody reads it.
    unsafe { (*driver.as_ptr()).handle = handle };
    // SAFETY: the object is that of DriverEntry.
    unsafe { hook::install::<M>(driver_object) };
    Ok(())
}
