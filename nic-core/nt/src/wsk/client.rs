//! The attachment to WSK.

use core::cell::UnsafeCell;
use core::ptr;

use nt_sys::ntdef::{NTSTATUS, PVOID, ULONG};
use nt_sys::wsk::{
    MAKE_WSK_VERSION, NPI_WSK_INTERFACE_ID, WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI,
    WSK_EVENT_CALLBACK_CONTROL, WSK_EVENT_RECEIVE_FROM, WSK_INFINITE_WAIT, WSK_PROVIDER_DISPATCH,
    WSK_PROVIDER_NPI, WSK_REGISTRATION, WSK_SET_STATIC_EVENT_CALLBACKS, WSK_TDI_BEHAVIOR,
    WSK_TDI_BEHAVIOR_BYPASS_TDI, WskCaptureProviderNPI, WskDeregister, WskRegister,
    WskReleaseProviderNPI,
};

use crate::pool::PoolBox;
use crate::shared::Shared;
use crate::status::{Result, Status};

/// WSK may read it while the client is registered.
static DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: MAKE_WSK_VERSION(1, 0), Reserved: 0, WskClientEvent: None };

/// An attachment to WSK, with several owners. Each socket is an owner.
///
/// # IRQL
/// `PASSIVE_LEVEL`, for dropping the last owner as well
#[derive(Clone)]
pub struct WskClient {
    attachment: Shared<Attachment>,
}

impl WskClient {
    /// Attaches to WSK, and waits for it if it has not started. Not to be called while the system
    /// starts drivers, such as in MiniportInitializeEx: WSK may start after them.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn attach() -> Result<Self> {
        let attachment = Attachment::new(Registration::new()?)?;
        // Enabling events for all sockets is faster (WSK_SET_STATIC_EVENT_CALLBACKS). Bypassing TDI
        // filters may be refused.
        let mut events = WSK_EVENT_CALLBACK_CONTROL {
            NpiId: &raw const NPI_WSK_INTERFACE_ID,
            EventMask: WSK_EVENT_RECEIVE_FROM,
        };
        attachment.control(WSK_SET_STATIC_EVENT_CALLBACKS, &mut events).ok()?;
        let mut behavior: ULONG = WSK_TDI_BEHAVIOR_BYPASS_TDI;
        let _ = attachment.control(WSK_TDI_BEHAVIOR, &mut behavior);
        Ok(Self { attachment: Shared::new(attachment)? })
    }

    /// The client object of WSK.
    pub(super) fn client(&self) -> PVOID {
        self.attachment.provider.Client
    }

    pub(super) fn dispatch(&self) -> &WSK_PROVIDER_DISPATCH {
        self.attachment.dispatch()
    }
}

/// The captured provider.
struct Attachment {
    registration: Registration,
    provider: WSK_PROVIDER_NPI,
}

impl Attachment {
    fn new(registration: Registration) -> Result<Self> {
        let mut provider = WSK_PROVIDER_NPI { Client: ptr::null_mut(), Dispatch: ptr::null() };
        // SAFETY: the client is registered.
        let status = unsafe {
            WskCaptureProviderNPI(registration.as_ptr(), WSK_INFINITE_WAIT, &raw mut provider)
        };
        Status(status).ok()?;
        Ok(Self { registration, provider })
    }

    fn dispatch(&self) -> &WSK_PROVIDER_DISPATCH {
        // SAFETY: WSK's table lives for as long as the provider is captured.
        unsafe { &*self.provider.Dispatch }
    }

    /// Performs a control operation without an IRP.
    fn control<T>(&self, code: ULONG, input: &mut T) -> Status {
        let Some(control) = self.dispatch().WskControlClient else {
            return Status::NOT_SUPPORTED;
        };
        // SAFETY: the input is valid until the call returns, which ends an operation without an
        // IRP.
        let status: NTSTATUS = unsafe {
            control(
                self.provider.Client,
                code,
                size_of::<T>(),
                ptr::from_mut(input).cast(),
                0,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        Status(status)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // SAFETY: captured once.
        unsafe { WskReleaseProviderNPI(self.registration.as_ptr()) };
    }
}

// SAFETY: WSK's functions may be called on any thread.
unsafe impl Send for Attachment {}
// SAFETY: WSK's functions may be called on any thread.
unsafe impl Sync for Attachment {}

/// A registration with WSK.
struct Registration {
    state: PoolBox<UnsafeCell<WSK_REGISTRATION>>,
}

impl Registration {
    fn new() -> Result<Self> {
        let state = PoolBox::new(UnsafeCell::new(WSK_REGISTRATION {
            ReservedRegistrationState: 0,
            ReservedRegistrationContext: ptr::null_mut(),
            ReservedRegistrationLock: 0,
        }))?;
        let mut npi =
            WSK_CLIENT_NPI { ClientContext: ptr::null_mut(), Dispatch: &raw const DISPATCH };
        // SAFETY: the registration is at its final place.
        Status(unsafe { WskRegister(&raw mut npi, state.get()) }).ok()?;
        Ok(Self { state })
    }

    fn as_ptr(&self) -> *mut WSK_REGISTRATION {
        self.state.get()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: registered once.
        unsafe { WskDeregister(self.as_ptr()) };
    }
}
