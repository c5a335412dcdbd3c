//! Miniport drivers: registration and unload (ndis.h).

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nt_sys::io::DRIVER_OBJECT;
use nt_sys::ndis::{
    NDIS_HANDLE, NDIS_MAKE_VERSION, NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
    NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
    NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1,
    NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
    NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3, NDIS_STATUS,
    NDIS_STATUS_BAD_CHARACTERISTICS, NDIS_STATUS_BAD_VERSION, NDIS_STATUS_SUCCESS,
};
use nt_sys::ntdef::{DISPATCH_LEVEL, PASSIVE_LEVEL, ULONG, UNICODE_STRING};

use super::fdo;
use crate::callback;
use crate::irql;
use crate::retained;
use crate::violation::{Rule, stop};

/// The reported version of NDIS. The default is that of Windows 11 24H2.
static VERSION: AtomicU32 = AtomicU32::new(NDIS_MAKE_VERSION(6, 89));

static DRIVERS: Mutex<Vec<Arc<Registration>>> = Mutex::new(Vec::new());

/// Sets the version that NdisGetVersion returns, before a driver is loaded.
pub fn set_version(major: u8, minor: u8) {
    VERSION.store(NDIS_MAKE_VERSION(major, minor), Ordering::Relaxed);
}

/// A registered miniport driver.
#[derive(Clone)]
pub struct MiniportDriver(pub(super) Arc<Registration>);

/// The target of a driver handle.
pub(super) struct Registration {
    magic: u64,
    is_registered: AtomicBool,
    pub(super) driver_object: usize,
    /// MiniportDriverContext.
    context: usize,
    pub(super) characteristics: NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
    /// The number of adapters that are not halted.
    pub(super) adapters: AtomicUsize,
}

const MAGIC: u64 = 0x4e44_4953_4d50_4452;

impl MiniportDriver {
    /// The driver that a driver object registered.
    #[must_use]
    pub fn of(driver_object: *const DRIVER_OBJECT) -> Option<Self> {
        let drivers = DRIVERS.lock().unwrap_or_else(PoisonError::into_inner);
        drivers
            .iter()
            .find(|driver| driver.driver_object == driver_object.addr())
            .cloned()
            .map(Self)
    }

    /// All registered drivers, in the order of their registrations.
    #[must_use]
    pub fn all() -> Vec<Self> {
        DRIVERS.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().map(Self).collect()
    }

    pub(super) fn driver_object(&self) -> *mut DRIVER_OBJECT {
        ptr::with_exposed_provenance_mut(self.0.driver_object)
    }

    pub(super) fn context(&self) -> NDIS_HANDLE {
        ptr::with_exposed_provenance_mut(self.0.context)
    }
}

impl Registration {
    /// The registration of a driver handle, which stays valid for the driver's call. Stops if the
    /// handle is not one.
    pub(super) fn of<'a>(function: &str, handle: NDIS_HANDLE) -> &'a Self {
        let registration = handle.cast::<Self>();
        if !registration.is_null() && registration.is_aligned() {
            // SAFETY: registrations stay in memory while a driver is loaded. Any other pointer
            // faults or fails the next check.
            let registration = unsafe { &*registration };
            if registration.magic == MAGIC && registration.is_registered.load(Ordering::Acquire) {
                return registration;
            }
        }
        stop(
            Rule::BAD_NDIS_HANDLE,
            function,
            format_args!("{handle:p} is not a miniport driver handle"),
        )
    }
}

/// The routine that NDIS puts into `DRIVER_OBJECT::DriverUnload`. Calls MiniportDriverUnload.
unsafe extern "efiapi" fn unload(driver_object: *mut DRIVER_OBJECT) {
    let Some(driver) = MiniportDriver::of(driver_object) else {
        return;
    };
    let left = driver.0.adapters.load(Ordering::Acquire);
    if left > 0 {
        stop(
            Rule::LEFT_AT_UNLOAD,
            "MiniportDriverUnload",
            format_args!("{left} adapters are not halted"),
        );
    }
    if let Some(handler) = driver.0.characteristics.UnloadHandler {
        // SAFETY: the driver's handler, called as documented.
        callback::enter_driver(|| unsafe { handler(driver_object) });
    }
    if driver.0.is_registered.load(Ordering::Acquire) {
        stop(
            Rule::LEFT_AT_UNLOAD,
            "MiniportDriverUnload",
            format_args!("the driver did not call NdisMDeregisterMiniportDriver"),
        );
    }
}

/// Checks characteristics against the documentation. Returns the status for wrong ones.
fn check(characteristics: &NDIS_MINIPORT_DRIVER_CHARACTERISTICS) -> Result<(), NDIS_STATUS> {
    let version =
        NDIS_MAKE_VERSION(characteristics.MajorNdisVersion, characteristics.MinorNdisVersion);
    if characteristics.MajorNdisVersion != 6 || version > VERSION.load(Ordering::Relaxed) {
        return Err(NDIS_STATUS_BAD_VERSION);
    }
    // ndis.h, NDIS_MINIPORT_DRIVER_CHARACTERISTICS: the NDIS version of each revision.
    let (min_version, min_bytes) = match characteristics.Header.Revision {
        1 => (NDIS_MAKE_VERSION(6, 0), NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1),
        2 => (NDIS_MAKE_VERSION(6, 1), NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2),
        3 => (NDIS_MAKE_VERSION(6, 80), NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3),
        _ => return Err(NDIS_STATUS_BAD_CHARACTERISTICS),
    };
    let has_mandatory_handlers = characteristics.InitializeHandlerEx.is_some()
        && characteristics.HaltHandlerEx.is_some()
        && characteristics.UnloadHandler.is_some()
        && characteristics.PauseHandler.is_some()
        && characteristics.RestartHandler.is_some()
        && characteristics.OidRequestHandler.is_some()
        && characteristics.SendNetBufferListsHandler.is_some()
        && characteristics.ReturnNetBufferListsHandler.is_some()
        && characteristics.CancelSendHandler.is_some()
        && characteristics.DevicePnPEventNotifyHandler.is_some()
        && characteristics.ShutdownHandlerEx.is_some()
        && characteristics.CancelOidRequestHandler.is_some();
    let has_half_a_reset =
        characteristics.CheckForHangHandlerEx.is_some() != characteristics.ResetHandlerEx.is_some();
    if characteristics.Header.Type != NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS
        || characteristics.Header.Size < min_bytes
        || version < min_version
        || !has_mandatory_handlers
        || has_half_a_reset
    {
        return Err(NDIS_STATUS_BAD_CHARACTERISTICS);
    }
    Ok(())
}

export! { "ndis.sys";
    /// ndis.h, NdisGetVersion.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// None.
    pub unsafe fn NdisGetVersion() -> ULONG {
        irql::require_at_most("NdisGetVersion", DISPATCH_LEVEL);
        VERSION.load(Ordering::Relaxed)
    }

    /// ndis.h, NdisMRegisterMiniportDriver.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The pointers are valid.
    pub unsafe fn NdisMRegisterMiniportDriver(
        driver_object: *mut DRIVER_OBJECT,
        registry_path: *mut UNICODE_STRING,
        miniport_driver_context: NDIS_HANDLE,
        miniport_driver_characteristics: *const NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
        ndis_miniport_driver_handle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS {
        const FUNCTION: &str = "NdisMRegisterMiniportDriver";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        if driver_object.is_null() || registry_path.is_null() {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!("there is no driver object or no registry path"),
            );
        }
        if MiniportDriver::of(driver_object).is_some() {
            stop(Rule::BAD_ARGUMENT, FUNCTION, format_args!("the driver has registered already"));
        }
        // SAFETY: as the driver promises.
        let header = unsafe { (*miniport_driver_characteristics).Header };
        let bytes = usize::from(header.Size).min(size_of::<NDIS_MINIPORT_DRIVER_CHARACTERISTICS>());
        let mut characteristics =
            MaybeUninit::<NDIS_MINIPORT_DRIVER_CHARACTERISTICS>::zeroed();
        let from = miniport_driver_characteristics.cast::<u8>();
        let to = characteristics.as_mut_ptr().cast::<u8>();
        // SAFETY: the driver says that the struct has `Size` bytes.
        unsafe { ptr::copy_nonoverlapping(from, to, bytes) };
        // SAFETY: all zeros is a valid value, and the driver's bytes overwrite a part of it.
        let characteristics = unsafe { characteristics.assume_init() };
        if let Err(status) = check(&characteristics) {
            return status;
        }
        let registration = Arc::new(Registration {
            magic: MAGIC,
            is_registered: AtomicBool::new(true),
            driver_object: driver_object.expose_provenance(),
            context: miniport_driver_context.expose_provenance(),
            characteristics,
            adapters: AtomicUsize::new(0),
        });
        retained::keep(Arc::clone(&registration));
        // SAFETY: as the driver promises.
        let object = unsafe { &mut *driver_object };
        object.DriverUnload = Some(unload);
        object.MajorFunction = [Some(fdo::dispatch); nt_sys::io::IRP_MJ_COUNT];
        let handle = Arc::as_ptr(&registration).cast_mut().cast();
        // SAFETY: as the driver promises.
        unsafe { ndis_miniport_driver_handle.write(handle) };
        DRIVERS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&registration));
        if let Some(set_options) = characteristics.SetOptionsHandler {
            // SAFETY: the driver's handler, called as documented.
            let status =
                callback::enter_driver(|| unsafe { set_options(handle, miniport_driver_context) });
            if status != NDIS_STATUS_SUCCESS {
                deregister(&registration);
                return status;
            }
        }
        NDIS_STATUS_SUCCESS
    }

    /// ndis.h, NdisMDeregisterMiniportDriver.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The handle is not used again.
    pub unsafe fn NdisMDeregisterMiniportDriver(ndis_miniport_driver_handle: NDIS_HANDLE) {
        const FUNCTION: &str = "NdisMDeregisterMiniportDriver";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        let registration = Registration::of(FUNCTION, ndis_miniport_driver_handle);
        let left = registration.adapters.load(Ordering::Acquire);
        if left > 0 {
            stop(Rule::LEFT_AT_UNLOAD, FUNCTION, format_args!("{left} adapters are not halted"));
        }
        deregister(registration);
    }
}

fn deregister(registration: &Registration) {
    registration.is_registered.store(false, Ordering::Release);
    DRIVERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|known| !ptr::eq(Arc::as_ptr(known), registration));
}
