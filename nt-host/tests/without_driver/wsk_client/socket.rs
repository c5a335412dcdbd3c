//! Sockets.

use std::net::SocketAddr;
use std::ptr;

use nt_host as _;
use nt_sys::io::IRP;
use nt_sys::mm::MDL;
use nt_sys::ntdef::{NTSTATUS, ULONG};
use nt_sys::status::STATUS_SUCCESS;
use nt_sys::wsk::*;

use super::{event, mdl, request, sockaddr, socket_address};

#[derive(Clone, Copy)]
pub(crate) struct Socket(pub(crate) *mut WSK_SOCKET);

impl Socket {
    pub(crate) fn dispatch(self) -> WSK_PROVIDER_DATAGRAM_DISPATCH {
        // SAFETY: a socket of `Client::socket`.
        let table = unsafe { (*self.0).Dispatch };
        // SAFETY: that of a datagram socket.
        unsafe { *table.cast::<WSK_PROVIDER_DATAGRAM_DISPATCH>() }
    }

    pub(crate) fn bind(self, address: SocketAddr) -> NTSTATUS {
        let Some(bind) = self.dispatch().WskBind else { panic!("no WskBind") };
        let mut address = sockaddr(address);
        // SAFETY: the address is there until the request is over.
        request(|irp| unsafe { bind(self.0, (&raw mut address).cast(), 0, irp) }).0
    }

    pub(crate) fn local_address(self) -> SocketAddr {
        let Some(local) = self.dispatch().WskGetLocalAddress else { panic!("no address") };
        let mut address = sockaddr(SocketAddr::from(([0; 16], 0)));
        // SAFETY: the address is there until the request is over.
        let (status, _) = request(|irp| unsafe { local(self.0, (&raw mut address).cast(), irp) });
        assert_eq!(status, STATUS_SUCCESS);
        // SAFETY: it was filled in.
        unsafe { socket_address((&raw const address).cast()) }
    }

    pub(crate) fn control(
        self,
        kind: WSK_CONTROL_SOCKET_TYPE,
        level: ULONG,
        option: ULONG,
        input: &[u8],
        output: &mut [u8],
        irp: *mut IRP,
    ) -> NTSTATUS {
        let Some(control) = self.dispatch().Basic.WskControlSocket else { panic!("no control") };
        // SAFETY: the buffers are as long as is said, and there until the request is over.
        unsafe {
            control(
                self.0,
                kind,
                option,
                level,
                input.len(),
                input.as_ptr().cast_mut().cast(),
                output.len(),
                output.as_mut_ptr().cast(),
                ptr::null_mut(),
                irp,
            )
        }
    }

    pub(crate) fn set(self, level: ULONG, option: ULONG, value: ULONG) -> NTSTATUS {
        let input = value.to_ne_bytes();
        request(|irp| self.control(WskSetOption, level, option, &input, &mut [], irp)).0
    }

    pub(crate) fn get(self, level: ULONG, option: ULONG) -> (NTSTATUS, ULONG) {
        let mut output = [0; 4];
        let (status, length) =
            request(|irp| self.control(WskGetOption, level, option, &[], &mut output, irp));
        assert_eq!(length, if status == STATUS_SUCCESS { 4 } else { 0 });
        (status, ULONG::from_ne_bytes(output))
    }

    pub(crate) fn set_event(self, mask: ULONG) -> NTSTATUS {
        let input = event(mask);
        self.control(
            WskSetOption,
            SOL_SOCKET,
            SO_WSK_EVENT_CALLBACK,
            &input,
            &mut [],
            ptr::null_mut(),
        )
    }

    /// Disables the event, and waits until no callback is in progress.
    pub(crate) fn disable_event(self) {
        while self.set_event(WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE) != STATUS_SUCCESS {
            std::thread::yield_now();
        }
    }

    /// Sends datagrams by one WskSendMessages. Returns the status and the bytes sent.
    pub(crate) fn send(
        self,
        datagrams: &[Vec<u8>],
        to: SocketAddr,
        control: &[u8],
    ) -> (NTSTATUS, usize) {
        let Some(send) = self.dispatch().WskSendMessages else { panic!("no WskSendMessages") };
        let mut mdls: Vec<MDL> = datagrams.iter().map(|datagram| mdl(datagram)).collect();
        let mut list: Vec<WSK_BUF_LIST> = Vec::with_capacity(datagrams.len());
        for (mdl, datagram) in mdls.iter_mut().zip(datagrams) {
            let buffer = WSK_BUF { Mdl: mdl, Offset: 0, Length: datagram.len() };
            list.push(WSK_BUF_LIST { Next: ptr::null_mut(), Buffer: buffer });
        }
        for index in 1..list.len() {
            let next = &raw mut list[index];
            list[index - 1].Next = next;
        }
        let mut to = sockaddr(to);
        request(|irp| {
            // SAFETY: all is there until the request is over.
            unsafe {
                send(
                    self.0,
                    list.as_mut_ptr(),
                    0,
                    (&raw mut to).cast(),
                    control.len() as ULONG,
                    control.as_ptr().cast_mut().cast(),
                    irp,
                )
            }
        })
    }

    /// Sends one datagram in two MDLs by WskSendTo.
    pub(crate) fn send_to(self, datagram: &[u8], to: SocketAddr) -> (NTSTATUS, usize) {
        let Some(send) = self.dispatch().WskSendTo else { panic!("no WskSendTo") };
        // The bytes before the offset of the first MDL are not a part of the datagram.
        let (head, tail) = datagram.split_at(datagram.len() / 2);
        let padded = [&[0xee; 7], head].concat();
        let mut second = mdl(tail);
        let mut first = mdl(&padded);
        first.Next = &raw mut second;
        let mut buffer = WSK_BUF { Mdl: &raw mut first, Offset: 7, Length: datagram.len() };
        let mut to = sockaddr(to);
        // SAFETY: all is there until the request is over.
        request(|irp| unsafe {
            send(self.0, &raw mut buffer, 0, (&raw mut to).cast(), 0, ptr::null_mut(), irp)
        })
    }

    pub(crate) fn release(self, indication: *mut WSK_DATAGRAM_INDICATION) {
        let Some(release) = self.dispatch().WskRelease else { panic!("no WskRelease") };
        // SAFETY: retained from this socket, or the test is about what happens otherwise.
        assert_eq!(unsafe { release(self.0, indication) }, STATUS_SUCCESS);
    }

    pub(crate) fn close(self) {
        let Some(close) = self.dispatch().Basic.WskCloseSocket else { panic!("no WskCloseSocket") };
        // SAFETY: the socket is not used afterwards, or the test is about what happens otherwise.
        assert_eq!(request(|irp| unsafe { close(self.0, irp) }).0, STATUS_SUCCESS);
    }
}
