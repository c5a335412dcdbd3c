//! UDP sockets.
//!
//! # Safety conditions
//! 1. The socket is open, and stays open while it has uses.
//! 2. The pointers stay valid until the request has ended, which is waited for.

use core::ffi::c_void;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use nt_sys::ntdef::{NTSTATUS, PVOID, ULONG};
use nt_sys::status::{STATUS_PENDING, STATUS_SUCCESS};
use nt_sys::wsk::{
    AF_INET, AF_INET6, IP_PKTINFO, IP_RECVECN, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IPV6_PKTINFO,
    IPV6_RECVECN, IPV6_V6ONLY, SOCK_DGRAM, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_DATAGRAM_INDICATION,
    WSK_FLAG_DATAGRAM_SOCKET, WSK_PROVIDER_DATAGRAM_DISPATCH, WSK_SOCKET, WskSetOption,
};

use super::address::{from_sockaddr, to_sockaddr};
use super::client::WskClient;
use super::datagrams::Datagrams;
use super::request::{Request, synchronously};
use crate::pool::PoolBox;
use crate::rundown::Rundown;
use crate::shared::Shared;
use crate::status::{Result, Status};

/// The IP version of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: &SocketAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The unspecified address with this port.
    pub const fn any(self, port: u16) -> SocketAddr {
        match self {
            Self::V4 => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
            Self::V6 => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
        }
    }
}

/// The receiver of a socket's datagrams.
pub trait ReceiveFrom: Send + Sync + 'static {
    /// Takes datagrams as they arrive. It is called at up to `DISPATCH_LEVEL`, on any thread, never
    /// after the socket was closed. It may call WSK, but must not wait.
    fn receive(&self, datagrams: Datagrams);

    /// The socket has failed and should be closed soon. The context is that of
    /// [`ReceiveFrom::receive`].
    fn failed(&self) {}
}

/// A UDP socket. Dropping it closes it: this waits until all received datagrams are released and
/// all sends are completed.
///
/// # IRQL
/// `PASSIVE_LEVEL` for all but sending.
pub struct UdpSocket<R: ReceiveFrom> {
    core: Shared<Core>,
    family: Family,
    /// Allocated in advance, so that closing can't fail.
    close_request: Request,
    /// WSK has its address. It is declared before the client, and thus dropped before it.
    _state: PoolBox<State<R>>,
    _client: WskClient,
}

/// The context of the receive callback.
struct State<R> {
    receiver: R,
    core: Shared<Core>,
}

/// The part of a socket that datagrams and batches share.
pub(super) struct Core {
    /// Null until the socket is opened.
    socket: AtomicPtr<WSK_SOCKET>,
    /// One use for each received datagram, batch that is being sent, and call in progress. Closed
    /// until the socket is open.
    pub(super) rundown: Rundown,
}

impl<R: ReceiveFrom> UdpSocket<R> {
    /// Opens a socket. Nothing is received before it is bound.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn open(client: &WskClient, family: Family, receiver: R) -> Result<Self> {
        let close_request = Request::new()?;
        let core = Shared::new(Core {
            socket: AtomicPtr::new(ptr::null_mut()),
            rundown: Rundown::closed()?,
        })?;
        let state = PoolBox::new(State { receiver, core: core.clone() })?;
        let context: *const State<R> = &raw const *state;
        let table: &'static WSK_CLIENT_DATAGRAM_DISPATCH = &Callbacks::<R>::TABLE;
        let create = client.dispatch().WskSocket.ok_or(Status::NOT_SUPPORTED)?;
        let address_family = match family {
            Family::V4 => AF_INET,
            Family::V6 => AF_INET6,
        };
        let socket = synchronously(|irp| {
            // SAFETY: 2. The context lives until the socket is closed, the table forever.
            unsafe {
                create(
                    client.client(),
                    address_family,
                    SOCK_DGRAM,
                    IPPROTO_UDP,
                    WSK_FLAG_DATAGRAM_SOCKET,
                    context.cast_mut().cast::<c_void>(),
                    ptr::from_ref(table).cast(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    irp,
                )
            }
        })?;
        core.socket.store(ptr::with_exposed_provenance_mut(socket), Ordering::Release);
        core.rundown.open();
        // From here on, dropping it closes the socket.
        let socket = Self { core, family, close_request, _state: state, _client: client.clone() };
        match family {
            Family::V4 => {
                socket.core.set_option(IPPROTO_IP, IP_PKTINFO, 1)?;
                // Windows Server 2022 and later support it.
                let _ = socket.core.set_option(IPPROTO_IP, IP_RECVECN, 1);
            }
            Family::V6 => {
                socket.core.set_option(IPPROTO_IPV6, IPV6_V6ONLY, 1)?;
                socket.core.set_option(IPPROTO_IPV6, IPV6_PKTINFO, 1)?;
                let _ = socket.core.set_option(IPPROTO_IPV6, IPV6_RECVECN, 1);
            }
        }
        Ok(socket)
    }

    /// Binds to an address of its family, and starts to receive. The unspecified address means all
    /// local ones, and port 0 a free port. Returns the address that it is bound to, or
    /// [`Status::ADDRESS_ALREADY_EXISTS`] if the port is in use.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn bind(&self, address: SocketAddr) -> Result<SocketAddr> {
        if Family::of(&address) != self.family {
            return Err(Status::INVALID_PARAMETER);
        }
        let dispatch = self.core.dispatch();
        let bind = dispatch.WskBind.ok_or(Status::NOT_SUPPORTED)?;
        let local_address = dispatch.WskGetLocalAddress.ok_or(Status::NOT_SUPPORTED)?;
        let socket = self.core.socket();
        let mut address = to_sockaddr(address);
        let pointer = &raw mut address;
        // SAFETY: 1, 2.
        synchronously(|irp| unsafe { bind(socket, pointer.cast(), 0, irp) })?;
        // SAFETY: 1, 2.
        synchronously(|irp| unsafe { local_address(socket, pointer.cast(), irp) })?;
        // SAFETY: WSK has filled in an address.
        unsafe { from_sockaddr(pointer.cast()) }.ok_or(Status::UNSUCCESSFUL)
    }

    /// The IP version.
    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// Closes the socket, as dropping does. It waits until all [`Datagrams`] are dropped and all
    /// batches are sent, and receives nothing meanwhile.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn close(self) {
        drop(self);
    }

    pub(super) fn core(&self) -> &Shared<Core> {
        &self.core
    }
}

impl<R: ReceiveFrom> Drop for UdpSocket<R> {
    fn drop(&mut self) {
        self.core.rundown.close();
        self.core.rundown.wait();
        let Some(close) = self.core.dispatch().Basic.WskCloseSocket else { return };
        let socket = self.core.socket();
        // SAFETY: 1. No use is left, and nothing uses the socket afterwards. WSK waits for
        // callbacks in progress.
        let _ = self.close_request.call(|irp| unsafe { close(socket, irp) });
    }
}

impl Core {
    pub(super) fn socket(&self) -> *mut WSK_SOCKET {
        self.socket.load(Ordering::Acquire)
    }

    /// The functions of the socket, which must be open.
    pub(super) fn dispatch(&self) -> &WSK_PROVIDER_DATAGRAM_DISPATCH {
        // SAFETY: 1.
        let table = unsafe { (*self.socket()).Dispatch };
        // SAFETY: 1. It is the table of a datagram socket.
        unsafe { &*table.cast::<WSK_PROVIDER_DATAGRAM_DISPATCH>() }
    }

    /// Releases datagrams, for which the socket has uses.
    pub(super) fn release(&self, first: *mut WSK_DATAGRAM_INDICATION) {
        if let Some(release) = self.dispatch().WskRelease {
            // SAFETY: 1. The datagrams were retained from this socket.
            unsafe { release(self.socket(), first) };
        }
    }

    /// Sets an integer option of the transport.
    ///
    /// # IRQL
    /// `<= APC_LEVEL`
    fn set_option(&self, level: ULONG, option: ULONG, mut value: ULONG) -> Result<()> {
        let control = self.dispatch().Basic.WskControlSocket.ok_or(Status::NOT_SUPPORTED)?;
        let input = &raw mut value;
        synchronously(|irp| {
            // SAFETY: 1, 2.
            unsafe {
                control(
                    self.socket(),
                    WskSetOption,
                    option,
                    level,
                    size_of::<ULONG>(),
                    input.cast(),
                    0,
                    ptr::null_mut(),
                    ptr::null_mut(),
                    irp,
                )
            }
        })
        .map(|_| ())
    }
}

/// The dispatch table of a socket with receiver `R`.
struct Callbacks<R>(core::marker::PhantomData<R>);

impl<R: ReceiveFrom> Callbacks<R> {
    const TABLE: WSK_CLIENT_DATAGRAM_DISPATCH =
        WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent: Some(receive_from_event::<R>) };
}

/// wsk.h, PFN_WSK_RECEIVE_FROM_EVENT.
unsafe extern "efiapi" fn receive_from_event<R: ReceiveFrom>(
    context: PVOID,
    _flags: ULONG,
    first: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    // SAFETY: the context is that of `UdpSocket::open`, which lives until the socket is closed.
    let state = unsafe { &*context.cast::<State<R>>() };
    if first.is_null() {
        state.receiver.failed();
        return STATUS_SUCCESS;
    }
    // SAFETY: WSK indicates the chain, and STATUS_PENDING says that it is retained.
    match unsafe { Datagrams::retain(&state.core, first) } {
        Some(datagrams) => {
            state.receiver.receive(datagrams);
            STATUS_PENDING
        }
        // The socket is being closed: WSK keeps the datagrams.
        None => STATUS_SUCCESS,
    }
}
