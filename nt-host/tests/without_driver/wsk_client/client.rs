//! A registered client.

use std::ffi::c_void;
use std::net::{IpAddr, SocketAddr};
use std::ptr;

use nt_host as _;
use nt_sys::ntdef::{NTSTATUS, ULONG};
use nt_sys::status::STATUS_SUCCESS;
use nt_sys::wsk::*;

use super::{RECEIVE_DISPATCH, Receiver, Socket, event, request};

pub(crate) static CLIENT_DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: MAKE_WSK_VERSION(1, 0), Reserved: 0, WskClientEvent: None };

/// A registered client.
pub(crate) struct Client {
    pub(crate) registration: Box<WSK_REGISTRATION>,
    pub(crate) provider: WSK_PROVIDER_NPI,
}

impl Client {
    pub(crate) fn new() -> Self {
        let mut registration = Box::new(WSK_REGISTRATION {
            ReservedRegistrationState: 0,
            ReservedRegistrationContext: ptr::null_mut(),
            ReservedRegistrationLock: 0,
        });
        let mut npi =
            WSK_CLIENT_NPI { ClientContext: ptr::null_mut(), Dispatch: &raw const CLIENT_DISPATCH };
        // SAFETY: both outlive the registration.
        let status = unsafe { WskRegister(&raw mut npi, &raw mut *registration) };
        assert_eq!(status, STATUS_SUCCESS);
        let mut provider = WSK_PROVIDER_NPI { Client: ptr::null_mut(), Dispatch: ptr::null() };
        // SAFETY: it is registered.
        let status = unsafe {
            WskCaptureProviderNPI(&raw mut *registration, WSK_INFINITE_WAIT, &raw mut provider)
        };
        assert_eq!(status, STATUS_SUCCESS);
        Self { registration, provider }
    }

    pub(crate) fn dispatch(&self) -> &'static WSK_PROVIDER_DISPATCH {
        // SAFETY: the provider's table.
        unsafe { &*self.provider.Dispatch }
    }

    pub(crate) fn control(
        &self,
        code: ULONG,
        input: &[u8],
        output: &mut [u8],
    ) -> (NTSTATUS, usize) {
        let Some(control) = self.dispatch().WskControlClient else { panic!("no WskControlClient") };
        let mut returned = 0;
        // SAFETY: the buffers are as long as is said.
        let status = unsafe {
            control(
                self.provider.Client,
                code,
                input.len(),
                input.as_ptr().cast_mut().cast(),
                output.len(),
                output.as_mut_ptr().cast(),
                &raw mut returned,
                ptr::null_mut(),
            )
        };
        (status, returned)
    }

    pub(crate) fn enable_receive_for_all(&self) {
        let control = event(WSK_EVENT_RECEIVE_FROM);
        assert_eq!(
            self.control(WSK_SET_STATIC_EVENT_CALLBACKS, &control, &mut []).0,
            STATUS_SUCCESS
        );
    }

    /// A socket whose datagrams go to `receiver`, or nowhere.
    pub(crate) fn socket(&self, ip: IpAddr, receiver: Option<&'static Receiver>) -> Socket {
        let Some(create) = self.dispatch().WskSocket else { panic!("no WskSocket") };
        let family = if ip.is_ipv4() { AF_INET } else { AF_INET6 };
        let context: *const c_void =
            receiver.map_or(ptr::null(), |receiver| ptr::from_ref(receiver).cast());
        let table = &raw const RECEIVE_DISPATCH;
        let (status, socket) = request(|irp| {
            // SAFETY: the receiver and the table live forever.
            unsafe {
                create(
                    self.provider.Client,
                    family,
                    SOCK_DGRAM,
                    IPPROTO_UDP,
                    WSK_FLAG_DATAGRAM_SOCKET,
                    context.cast_mut().cast(),
                    if receiver.is_some() { table.cast() } else { ptr::null() },
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    irp,
                )
            }
        });
        assert_eq!(status, STATUS_SUCCESS);
        Socket(ptr::with_exposed_provenance_mut(socket))
    }

    /// A socket that is bound.
    pub(crate) fn bound(
        &self,
        address: SocketAddr,
        receiver: Option<&'static Receiver>,
    ) -> (Socket, SocketAddr) {
        let socket = self.socket(address.ip(), receiver);
        assert_eq!(socket.bind(address), STATUS_SUCCESS);
        let local = socket.local_address();
        (socket, local)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // SAFETY: captured once.
        unsafe { WskReleaseProviderNPI(&raw mut *self.registration) };
        // SAFETY: registered once.
        unsafe { WskDeregister(&raw mut *self.registration) };
    }
}
