//! wsk.h: Winsock Kernel, for datagram sockets.

mod client;
mod provider;
mod ws2def;
mod ws2ipdef;

pub use client::*;
pub use provider::*;
pub use ws2def::*;
pub use ws2ipdef::*;

use crate::ntdef::{GUID, NTSTATUS, ULONG, USHORT};

/// The version number of a WSK NPI (wsk.h, `MAKE_WSK_VERSION`).
pub const fn MAKE_WSK_VERSION(major: u8, minor: u8) -> USHORT {
    ((major as USHORT) << 8) | minor as USHORT
}

/// `WskCaptureProviderNPI` returns at once.
pub const WSK_NO_WAIT: ULONG = 0;
/// `WskCaptureProviderNPI` waits for the provider.
pub const WSK_INFINITE_WAIT: ULONG = 0xffff_ffff;

/// The NPI identifier of WSK, for `WSK_EVENT_CALLBACK_CONTROL::NpiId`.
///
/// The WDK defines it in a static library (netio.lib). A driver that does not link that library
/// needs its own copy.
pub static NPI_WSK_INTERFACE_ID: GUID = GUID {
    Data1: 0x2227_e803,
    Data2: 0x8d8b,
    Data3: 0x11d4,
    Data4: [0xab, 0xad, 0x00, 0x90, 0x27, 0x71, 0x9e, 0x09],
};

crate::import! { "netio.sys";
    /// Registers a WSK application.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn WskRegister(
        wsk_client_npi: *mut WSK_CLIENT_NPI, wsk_registration: *mut WSK_REGISTRATION,
    ) -> NTSTATUS;

    /// Ends a registration. Waits for captured NPIs, calls in progress and sockets.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn WskDeregister(wsk_registration: *mut WSK_REGISTRATION);

    /// Captures the provider's NPI; `wait_timeout` is in milliseconds.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`; `<= DISPATCH_LEVEL` with `WSK_NO_WAIT`
    pub fn WskCaptureProviderNPI(
        wsk_registration: *mut WSK_REGISTRATION, wait_timeout: ULONG,
        wsk_provider_npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS;

    /// Releases what `WskCaptureProviderNPI` captured.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn WskReleaseProviderNPI(wsk_registration: *mut WSK_REGISTRATION);
}
