//! Registration of WSK clients (wsk.h), and WskControlClient.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use nt_sys::io::IRP;
use nt_sys::ntdef::{DISPATCH_LEVEL, NTSTATUS, PASSIVE_LEVEL, PVOID, SIZE_T, ULONG};
use nt_sys::status::{
    STATUS_BUFFER_OVERFLOW, STATUS_DEVICE_NOT_READY, STATUS_INVALID_PARAMETER, STATUS_NOINTERFACE,
    STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use nt_sys::wsk::{
    AF_INET, AF_INET6, IPPROTO_UDP, MAKE_WSK_VERSION, NPI_WSK_INTERFACE_ID, SOCK_DGRAM,
    WSK_CLIENT_NPI, WSK_NO_WAIT, WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NPI, WSK_REGISTRATION,
    WSK_SET_STATIC_EVENT_CALLBACKS, WSK_TDI_BEHAVIOR, WSK_TRANSPORT, WSK_TRANSPORT_LIST_QUERY,
};

use super::address::Family;
use super::argument::bytes;
use super::client::{Client, State, registrations};
use super::dispatch;
use super::linux_socket::open_udp;
use super::request::Request;
use crate::violation::{Rule, stop};
use crate::{irql, loaded, stack};

/// The time after which `WskDeregister` reports that it would wait forever.
const DEREGISTER_LIMIT: Duration = Duration::from_secs(20);

/// The dispatch table of every client. Windows 7 and later implement version 1.0 of the NPI.
static DISPATCH: WSK_PROVIDER_DISPATCH = WSK_PROVIDER_DISPATCH {
    Version: MAKE_WSK_VERSION(1, 0),
    Reserved: 0,
    WskSocket: Some(dispatch::create_socket),
    WskSocketConnect: ptr::null(),
    WskControlClient: Some(control_client),
    WskGetAddressInfo: ptr::null(),
    WskFreeAddressInfo: ptr::null(),
    WskGetNameInfo: ptr::null(),
};

export! { "netio.sys";
    /// wsk.h, WskRegister.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// Both structures are valid; the registration and the NPI's dispatch table stay so until
    /// WskDeregister.
    pub unsafe fn WskRegister(
        wsk_client_npi: *mut WSK_CLIENT_NPI, wsk_registration: *mut WSK_REGISTRATION,
    ) -> NTSTATUS {
        irql::require_exactly("WskRegister", PASSIVE_LEVEL);
        if wsk_client_npi.is_null() || wsk_registration.is_null() {
            stop(Rule::BAD_ARGUMENT, "WskRegister", format_args!("a pointer is null"));
        }
        // SAFETY: as the caller promises.
        let npi = unsafe { *wsk_client_npi };
        if npi.Dispatch.is_null() {
            stop(
                Rule::BAD_ARGUMENT,
                "WskRegister",
                format_args!("there is no client dispatch table"),
            );
        }
        // SAFETY: as the caller promises.
        let client_dispatch = unsafe { *npi.Dispatch };
        if client_dispatch.Reserved != 0 {
            stop(Rule::BAD_ARGUMENT, "WskRegister", format_args!("Reserved is not zero"));
        }
        let client = Client::new(client_dispatch.Version);
        let context: *mut c_void = Arc::as_ptr(&client).cast_mut().cast();
        let before = registrations(|all| {
            all.retain(|_, known| known.strong_count() > 0);
            all.insert(wsk_registration.addr(), Arc::downgrade(&client))
        });
        let before = before.and_then(|before| before.upgrade());
        if before.is_some_and(|before| !before.state().deregistered) {
            stop(Rule::BAD_ARGUMENT, "WskRegister", format_args!("the registration is in use"));
        }
        loaded::at_unload(left_at_unload);
        // SAFETY: as the caller promises.
        unsafe {
            wsk_registration.write(WSK_REGISTRATION {
                ReservedRegistrationState: 1,
                ReservedRegistrationContext: context,
                ReservedRegistrationLock: 0,
            });
        };
        STATUS_SUCCESS
    }

    /// wsk.h, WskDeregister: waits for captured NPIs and sockets.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// None: the registration is only compared.
    pub unsafe fn WskDeregister(wsk_registration: *mut WSK_REGISTRATION) {
        irql::require_exactly("WskDeregister", PASSIVE_LEVEL);
        let client = registered("WskDeregister", wsk_registration);
        stack::on_host(|| {
            let mut state = client.state();
            if std::mem::replace(&mut state.deregistered, true) {
                stop(
                    Rule::BAD_ARGUMENT,
                    "WskDeregister",
                    format_args!("it is deregistered already"),
                );
            }
            client.changed.notify_all();
            let (state, waited) = client
                .changed
                .wait_timeout_while(state, DEREGISTER_LIMIT, |state| {
                    state.captured > 0 || state.sockets > 0
                })
                .unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() {
                stop(
                    Rule::LEFT_AT_UNLOAD,
                    "WskDeregister",
                    format_args!(
                        "would wait forever: {} captured NPIs, {} open sockets",
                        state.captured, state.sockets
                    ),
                );
            }
        });
    }

    /// wsk.h, WskCaptureProviderNPI. WSK is ready from the start, so that the call never waits.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL; <= DISPATCH_LEVEL with WSK_NO_WAIT.
    ///
    /// # Safety
    /// `wsk_provider_npi` is writable.
    pub unsafe fn WskCaptureProviderNPI(
        wsk_registration: *mut WSK_REGISTRATION, wait_timeout: ULONG,
        wsk_provider_npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        if wait_timeout == WSK_NO_WAIT {
            irql::require_at_most("WskCaptureProviderNPI", DISPATCH_LEVEL);
        } else {
            irql::require_exactly("WskCaptureProviderNPI", PASSIVE_LEVEL);
        }
        let client = registered("WskCaptureProviderNPI", wsk_registration);
        if client.version >> 8 != DISPATCH.Version >> 8 {
            return STATUS_NOINTERFACE;
        }
        let mut state = client.state();
        if state.deregistered {
            return STATUS_DEVICE_NOT_READY;
        }
        state.captured += 1;
        let npi = WSK_PROVIDER_NPI {
            Client: Arc::as_ptr(&client).cast_mut().cast(),
            Dispatch: &raw const DISPATCH,
        };
        // SAFETY: as the caller promises.
        unsafe { wsk_provider_npi.write(npi) };
        STATUS_SUCCESS
    }

    /// wsk.h, WskReleaseProviderNPI.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// None: the registration is only compared.
    pub unsafe fn WskReleaseProviderNPI(wsk_registration: *mut WSK_REGISTRATION) {
        irql::require_at_most("WskReleaseProviderNPI", DISPATCH_LEVEL);
        let client = registered("WskReleaseProviderNPI", wsk_registration);
        let mut state = client.state();
        let Some(captured) = state.captured.checked_sub(1) else {
            stop(Rule::BAD_ARGUMENT, "WskReleaseProviderNPI", format_args!("nothing is captured"));
        };
        state.captured = captured;
        drop(state);
        client.changed.notify_all();
    }
}

/// wsk.h, PFN_WSK_CONTROL_CLIENT: transports, static events, TDI.
unsafe extern "efiapi" fn control_client(
    client: PVOID,
    control_code: ULONG,
    input_size: SIZE_T,
    input_buffer: PVOID,
    output_size: SIZE_T,
    output_buffer: PVOID,
    output_size_returned: *mut SIZE_T,
    irp: *mut IRP,
) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    irql::require_at_most("WskControlClient", DISPATCH_LEVEL);
    let client = Client::from_driver("WskControlClient", client);
    // SAFETY: as the caller promises.
    let request = unsafe { Request::accept_optional("WskControlClient", irp) };
    // SAFETY: as the caller promises.
    let input = unsafe { bytes(input_buffer, input_size) };
    let mut returned = 0;
    let status = match control_code {
        WSK_TRANSPORT_LIST_QUERY => {
            let transports = stack::on_host(transports);
            returned = size_of_val(transports.as_slice());
            if output_size < returned {
                STATUS_BUFFER_OVERFLOW
            } else {
                let output = output_buffer.cast::<WSK_TRANSPORT>();
                // SAFETY: as the caller promises, and the size was checked.
                unsafe { output.copy_from_nonoverlapping(transports.as_ptr(), transports.len()) };
                STATUS_SUCCESS
            }
        }
        WSK_SET_STATIC_EVENT_CALLBACKS => client.set_static_events(input),
        // There is no TDI.
        WSK_TDI_BEHAVIOR if input_size == size_of::<ULONG>() => STATUS_SUCCESS,
        WSK_TDI_BEHAVIOR => STATUS_INVALID_PARAMETER,
        _ => STATUS_NOT_SUPPORTED,
    };
    if !output_size_returned.is_null() {
        // SAFETY: as the caller promises.
        unsafe { output_size_returned.write(returned) };
    }
    match request {
        Some(request) => request.complete(status, returned),
        None => status,
    }
}

/// The transports of this machine.
fn transports() -> Vec<WSK_TRANSPORT> {
    let families = [AF_INET, AF_INET6].into_iter().filter(|&family| {
        Family::from_windows(family).is_some_and(|family| open_udp(family).is_ok())
    });
    families
        .map(|family| WSK_TRANSPORT {
            Version: 0,
            SocketType: SOCK_DGRAM,
            Protocol: IPPROTO_UDP,
            AddressFamily: family,
            ProviderId: NPI_WSK_INTERFACE_ID,
        })
        .collect()
}

/// Registrations that a driver left.
fn left_at_unload() -> Vec<String> {
    registrations(|all| {
        let left = all.values().filter_map(Weak::upgrade);
        let left = left.filter(|client| !client.state().deregistered);
        left.map(|client| {
            let State { captured, sockets, .. } = *client.state();
            format!("a WSK registration with {captured} captured NPIs and {sockets} sockets")
        })
        .collect()
    })
}

/// The client of a registration. Stops if there is none.
fn registered(function: &str, registration: *mut WSK_REGISTRATION) -> Arc<Client> {
    registrations(|all| all.get(&registration.addr()).and_then(Weak::upgrade)).unwrap_or_else(
        || {
            stop(Rule::BAD_ARGUMENT, function, format_args!("the registration is unknown"));
        },
    )
}
