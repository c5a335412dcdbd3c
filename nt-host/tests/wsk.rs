//! A small kernel client of WSK, on raw declarations.

use std::ffi::c_void;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;
use std::ptr;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use nt_host as _;
use nt_sys::io::{
    IO_STACK_LOCATION, IRP, IoAllocateIrp, IoFreeIrp, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR,
    SL_INVOKE_ON_SUCCESS,
};
use nt_sys::mm::{MDL, MDL_SOURCE_IS_NONPAGED_POOL};
use nt_sys::ntdef::{DISPATCH_LEVEL, FALSE, NTSTATUS, PVOID, ULONG};
use nt_sys::status::{
    STATUS_ADDRESS_ALREADY_EXISTS, STATUS_DATA_NOT_ACCEPTED, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_MORE_PROCESSING_REQUIRED, STATUS_NOT_SUPPORTED,
    STATUS_PENDING, STATUS_SUCCESS,
};
use nt_sys::wsk::*;

/// How long a test waits for what must happen.
const LIMIT: Duration = Duration::from_secs(10);

// Requests

/// The outcome of a request, for whom waits for it.
#[derive(Default)]
struct Completion {
    outcome: Mutex<Option<(NTSTATUS, usize)>>,
    changed: Condvar,
}

unsafe extern "system" fn completed(
    _: *mut nt_sys::io::DEVICE_OBJECT,
    irp: *mut IRP,
    context: PVOID,
) -> NTSTATUS {
    // SAFETY: the context of `request`, which waits.
    let completion = unsafe { &*context.cast::<Completion>() };
    // SAFETY: the IRP is this routine's.
    let status = unsafe { (*irp).IoStatus };
    let mut outcome = lock(&completion.outcome);
    *outcome = Some((status.Status, status.Information));
    // With the lock: who waits may end the completion once it has it.
    completion.changed.notify_all();
    STATUS_MORE_PROCESSING_REQUIRED
}

/// An IRP that tells `completion`.
fn irp(completion: &Completion) -> *mut IRP {
    // SAFETY: one stack location, no quota.
    let irp = unsafe { IoAllocateIrp(1, FALSE) };
    assert!(!irp.is_null());
    // SAFETY: a new IRP.
    let tail = unsafe { &mut (*irp).Tail };
    // SAFETY: the view of the union that drivers use.
    let current = unsafe { tail.Overlay.CurrentStackLocation };
    let next: *mut IO_STACK_LOCATION = current.wrapping_sub(1);
    // SAFETY: it has one location.
    let next = unsafe { &mut *next };
    next.CompletionRoutine = Some(completed);
    next.Context = ptr::from_ref(completion).cast_mut().cast();
    next.Control = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;
    irp
}

/// Makes a request and waits for its outcome.
fn request(call: impl FnOnce(*mut IRP) -> NTSTATUS) -> (NTSTATUS, usize) {
    let completion = Completion::default();
    let irp = irp(&completion);
    let returned = call(irp);
    let outcome = wait(&completion.outcome, &completion.changed, Option::is_some);
    let outcome = outcome.unwrap_or_default();
    // A request is completed exactly once, whatever is returned; and says the same.
    assert!(returned == STATUS_PENDING || returned == outcome.0, "{returned:#x} {outcome:x?}");
    // SAFETY: its completion routine has taken it back.
    unsafe { IoFreeIrp(irp) };
    outcome
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until the value is `ready`, and takes it.
fn wait<T: Default>(mutex: &Mutex<T>, changed: &Condvar, ready: impl Fn(&T) -> bool) -> T {
    let (mut value, waited) = changed
        .wait_timeout_while(lock(mutex), LIMIT, |value| !ready(value))
        .unwrap_or_else(PoisonError::into_inner);
    assert!(!waited.timed_out(), "waited in vain");
    std::mem::take(&mut value)
}

// The client

static CLIENT_DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: MAKE_WSK_VERSION(1, 0), Reserved: 0, WskClientEvent: None };

/// A registered client.
struct Client {
    registration: Box<WSK_REGISTRATION>,
    provider: WSK_PROVIDER_NPI,
}

impl Client {
    fn new() -> Self {
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

    fn dispatch(&self) -> &'static WSK_PROVIDER_DISPATCH {
        // SAFETY: the provider's table.
        unsafe { &*self.provider.Dispatch }
    }

    fn control(&self, code: ULONG, input: &[u8], output: &mut [u8]) -> (NTSTATUS, usize) {
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

    fn enable_receive_for_all(&self) {
        let control = event(WSK_EVENT_RECEIVE_FROM);
        assert_eq!(
            self.control(WSK_SET_STATIC_EVENT_CALLBACKS, &control, &mut []).0,
            STATUS_SUCCESS
        );
    }

    /// A socket whose datagrams go to `receiver`, or nowhere.
    fn socket(&self, ip: IpAddr, receiver: Option<&'static Receiver>) -> Socket {
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
    fn bound(
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

// Sockets

#[derive(Clone, Copy)]
struct Socket(*mut WSK_SOCKET);

impl Socket {
    fn dispatch(self) -> WSK_PROVIDER_DATAGRAM_DISPATCH {
        // SAFETY: a socket of `Client::socket`.
        let table = unsafe { (*self.0).Dispatch };
        // SAFETY: that of a datagram socket.
        unsafe { *table.cast::<WSK_PROVIDER_DATAGRAM_DISPATCH>() }
    }

    fn bind(self, address: SocketAddr) -> NTSTATUS {
        let Some(bind) = self.dispatch().WskBind else { panic!("no WskBind") };
        let mut address = sockaddr(address);
        // SAFETY: the address is there until the request is over.
        request(|irp| unsafe { bind(self.0, (&raw mut address).cast(), 0, irp) }).0
    }

    fn local_address(self) -> SocketAddr {
        let Some(local) = self.dispatch().WskGetLocalAddress else { panic!("no address") };
        let mut address = sockaddr(SocketAddr::from(([0; 16], 0)));
        // SAFETY: the address is there until the request is over.
        let (status, _) = request(|irp| unsafe { local(self.0, (&raw mut address).cast(), irp) });
        assert_eq!(status, STATUS_SUCCESS);
        // SAFETY: it was filled in.
        unsafe { socket_address((&raw const address).cast()) }
    }

    fn control(
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

    fn set(self, level: ULONG, option: ULONG, value: ULONG) -> NTSTATUS {
        let input = value.to_ne_bytes();
        request(|irp| self.control(WskSetOption, level, option, &input, &mut [], irp)).0
    }

    fn get(self, level: ULONG, option: ULONG) -> (NTSTATUS, ULONG) {
        let mut output = [0; 4];
        let (status, length) =
            request(|irp| self.control(WskGetOption, level, option, &[], &mut output, irp));
        assert_eq!(length, if status == STATUS_SUCCESS { 4 } else { 0 });
        (status, ULONG::from_ne_bytes(output))
    }

    fn set_event(self, mask: ULONG) -> NTSTATUS {
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
    fn disable_event(self) {
        while self.set_event(WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE) != STATUS_SUCCESS {
            std::thread::yield_now();
        }
    }

    /// Sends datagrams by one WskSendMessages; gives status and bytes sent.
    fn send(self, datagrams: &[Vec<u8>], to: SocketAddr, control: &[u8]) -> (NTSTATUS, usize) {
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
    fn send_to(self, datagram: &[u8], to: SocketAddr) -> (NTSTATUS, usize) {
        let Some(send) = self.dispatch().WskSendTo else { panic!("no WskSendTo") };
        // The first MDL has bytes in front that are no part of the datagram.
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

    fn release(self, indication: *mut WSK_DATAGRAM_INDICATION) {
        let Some(release) = self.dispatch().WskRelease else { panic!("no WskRelease") };
        // SAFETY: retained from this socket, or the test is about what happens otherwise.
        assert_eq!(unsafe { release(self.0, indication) }, STATUS_SUCCESS);
    }

    fn close(self) {
        let Some(close) = self.dispatch().Basic.WskCloseSocket else { panic!("no WskCloseSocket") };
        // SAFETY: the socket is not used afterwards, or the test is about what happens otherwise.
        assert_eq!(request(|irp| unsafe { close(self.0, irp) }).0, STATUS_SUCCESS);
    }
}

/// An MDL of non-paged memory.
fn mdl(bytes: &[u8]) -> MDL {
    MDL {
        Next: ptr::null_mut(),
        Size: size_of::<MDL>() as i16,
        MdlFlags: MDL_SOURCE_IS_NONPAGED_POOL,
        Process: ptr::null_mut(),
        MappedSystemVa: bytes.as_ptr().cast_mut().cast(),
        StartVa: ptr::null_mut(),
        ByteCount: bytes.len() as ULONG,
        ByteOffset: 0,
    }
}

fn sockaddr(address: SocketAddr) -> SOCKADDR_INET {
    match address {
        SocketAddr::V4(address) => SOCKADDR_INET {
            Ipv4: SOCKADDR_IN {
                sin_family: AF_INET,
                sin_port: address.port().to_be(),
                sin_addr: IN_ADDR { S_addr: u32::from_ne_bytes(address.ip().octets()) },
                sin_zero: [0; 8],
            },
        },
        SocketAddr::V6(address) => SOCKADDR_INET {
            Ipv6: SOCKADDR_IN6 {
                sin6_family: AF_INET6,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: IN6_ADDR { Byte: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            },
        },
    }
}

/// # Safety
/// `address` is as long as its family says.
unsafe fn socket_address(address: *const SOCKADDR) -> SocketAddr {
    // SAFETY: the caller's word.
    match unsafe { (*address).sa_family } {
        AF_INET => {
            // SAFETY: the caller's word.
            let v4 = unsafe { address.cast::<SOCKADDR_IN>().read_unaligned() };
            let ip = Ipv4Addr::from(v4.sin_addr.S_addr.to_ne_bytes());
            SocketAddr::from((ip, u16::from_be(v4.sin_port)))
        }
        AF_INET6 => {
            // SAFETY: the caller's word.
            let v6 = unsafe { address.cast::<SOCKADDR_IN6>().read_unaligned() };
            SocketAddr::from((Ipv6Addr::from(v6.sin6_addr.Byte), u16::from_be(v6.sin6_port)))
        }
        other => panic!("family {other}"),
    }
}

/// A `WSK_EVENT_CALLBACK_CONTROL`, as bytes.
fn event(mask: ULONG) -> [u8; 16] {
    let npi: *const nt_sys::ntdef::GUID = &raw const NPI_WSK_INTERFACE_ID;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&npi.expose_provenance().to_ne_bytes());
    bytes[8..12].copy_from_slice(&mask.to_ne_bytes());
    bytes
}

/// A control data object.
fn object(level: ULONG, kind: ULONG, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; CMSG_SPACE(data.len())];
    bytes[..8].copy_from_slice(&CMSG_LEN(data.len()).to_ne_bytes());
    bytes[8..12].copy_from_slice(&level.to_ne_bytes());
    bytes[12..16].copy_from_slice(&kind.to_ne_bytes());
    bytes[16..16 + data.len()].copy_from_slice(data);
    bytes
}

// Receiving

static RECEIVE_DISPATCH: WSK_CLIENT_DATAGRAM_DISPATCH =
    WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent: Some(received) };

/// What a receiver does with indications.
#[derive(Clone, Copy, Default, PartialEq)]
enum Behavior {
    #[default]
    Copy,
    Retain,
    RefuseOnce,
}

/// A datagram that was received.
#[derive(Debug, PartialEq)]
struct Datagram {
    bytes: Vec<u8>,
    from: SocketAddr,
    control: Vec<u8>,
}

/// Where a socket's datagrams go.
#[derive(Default)]
struct Receiver {
    behavior: Mutex<Behavior>,
    datagrams: Mutex<Vec<Datagram>>,
    /// Chains that are retained, as addresses.
    retained: Mutex<Vec<usize>>,
    refused: Mutex<Option<usize>>,
    changed: Condvar,
}

impl Receiver {
    fn new(behavior: Behavior) -> &'static Self {
        Box::leak(Box::new(Self { behavior: Mutex::new(behavior), ..Self::default() }))
    }

    /// Waits for so many datagrams.
    fn wait(&self, count: usize) -> Vec<Datagram> {
        wait(&self.datagrams, &self.changed, |datagrams| datagrams.len() >= count)
    }

    fn retained(&self) -> Vec<*mut WSK_DATAGRAM_INDICATION> {
        let chains = std::mem::take(&mut *lock(&self.retained));
        chains.into_iter().map(ptr::with_exposed_provenance_mut).collect()
    }
}

unsafe extern "system" fn received(
    context: PVOID,
    flags: ULONG,
    first: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    // SAFETY: the context of `Client::socket`, which lives forever.
    let receiver = unsafe { &*context.cast::<Receiver>() };
    assert_eq!(flags & WSK_FLAG_AT_DISPATCH_LEVEL, WSK_FLAG_AT_DISPATCH_LEVEL);
    assert_eq!(nt_host::irql::current(), DISPATCH_LEVEL);
    let mut behavior = lock(&receiver.behavior);
    if *behavior == Behavior::RefuseOnce {
        *behavior = Behavior::Copy;
        *lock(&receiver.refused) = Some(1);
        receiver.changed.notify_all();
        return STATUS_DATA_NOT_ACCEPTED;
    }
    let mut datagrams = lock(&receiver.datagrams);
    let mut next = first;
    while !next.is_null() {
        // SAFETY: the indication is the callback's.
        datagrams.push(unsafe { copy(next) });
        // SAFETY: as above.
        next = unsafe { (*next).Next };
    }
    let status = if *behavior == Behavior::Retain {
        lock(&receiver.retained).push(first.expose_provenance());
        STATUS_PENDING
    } else {
        STATUS_SUCCESS
    };
    receiver.changed.notify_all();
    status
}

/// # Safety
/// The indication is the caller's.
unsafe fn copy(indication: *const WSK_DATAGRAM_INDICATION) -> Datagram {
    // SAFETY: the caller's word.
    let indication = unsafe { &*indication };
    // SAFETY: as above.
    let mdl = unsafe { &*indication.Buffer.Mdl };
    assert!(mdl.MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL != 0);
    let start = mdl.MappedSystemVa.cast::<u8>().wrapping_add(indication.Buffer.Offset as usize);
    let length = indication.Buffer.Length;
    assert!(indication.Buffer.Offset as usize + length <= mdl.ByteCount as usize);
    // SAFETY: as above.
    let bytes = unsafe { std::slice::from_raw_parts(start, length) }.to_vec();
    let control = if indication.ControlInfo.is_null() {
        Vec::new()
    } else {
        let length = indication.ControlInfoLength as usize;
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(indication.ControlInfo.cast(), length) }.to_vec()
    };
    // SAFETY: as above.
    let from = unsafe { socket_address(indication.RemoteAddress) };
    Datagram { bytes, from, control }
}

const LOOPBACK_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const LOOPBACK_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

/// Datagrams that can be told from each other.
fn datagrams(lengths: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
    lengths
        .enumerate()
        .map(|(index, length)| (0..length).map(|at| (index * 31 + at * 7) as u8).collect())
        .collect()
}

fn bytes_of(received: Vec<Datagram>) -> Vec<Vec<u8>> {
    received.into_iter().map(|datagram| datagram.bytes).collect()
}

// Tests

#[test]
fn a_batch_arrives_in_order_and_whole() {
    for address in [LOOPBACK_V4, LOOPBACK_V6] {
        let client = Client::new();
        client.enable_receive_for_all();
        let receiver = Receiver::new(Behavior::Copy);
        let (to, to_address) = client.bound(address, Some(receiver));
        let (from, from_address) = client.bound(address, None);

        // Runs of one length, with a shorter last one, and lengths that fit into no run; some empty.
        let batches = [
            datagrams((0..200).map(|index| index * 37 % 1300)),
            datagrams((0..200).map(|index| if index % 70 == 69 { 5 } else { 1000 })),
            datagrams([1, 0, 0, 1].into_iter()),
        ];
        for sent in batches {
            let bytes: usize = sent.iter().map(Vec::len).sum();
            assert_eq!(from.send(&sent, to_address, &[]), (STATUS_SUCCESS, bytes));
            let received = receiver.wait(sent.len());
            assert!(received.iter().all(|datagram| datagram.from == from_address));
            assert_eq!(bytes_of(received), sent);
        }

        let one = datagrams([1401].into_iter());
        assert_eq!(from.send_to(&one[0], to_address), (STATUS_SUCCESS, 1401));
        assert_eq!(bytes_of(receiver.wait(1)), one);
        to.close();
        from.close();
    }
}

#[test]
fn packet_information_selects_and_tells_the_local_address() {
    let client = Client::new();
    client.enable_receive_for_all();
    let receiver = Receiver::new(Behavior::Copy);
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    let (to, to_address) = client.bound(any, Some(receiver));
    let (from, from_address) = client.bound(any, None);
    assert_eq!(to.set(IPPROTO_IP, IP_PKTINFO, 1), STATUS_SUCCESS);
    assert_eq!(to.set(IPPROTO_IP, IP_RECVECN, 1), STATUS_SUCCESS);
    assert_eq!(to.get(IPPROTO_IP, IP_PKTINFO), (STATUS_SUCCESS, 1));

    let mut control = object(IPPROTO_IP, IP_PKTINFO, &[127, 0, 0, 2, 0, 0, 0, 0]);
    control.extend(object(IPPROTO_IP, IP_ECN, &1_i32.to_ne_bytes()));
    let sent = datagrams([10, 20].into_iter());
    let target = SocketAddr::from(([127, 0, 0, 3], to_address.port()));
    assert_eq!(from.send(&sent, target, &control), (STATUS_SUCCESS, 30));

    let index: [u8; 4] = std::fs::read_to_string("/sys/class/net/lo/ifindex")
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok())
        .unwrap_or_default()
        .to_ne_bytes();
    for datagram in receiver.wait(2) {
        assert_eq!(datagram.from, SocketAddr::from(([127, 0, 0, 2], from_address.port())));
        let info = object(IPPROTO_IP, IP_PKTINFO, &[[127, 0, 0, 3], index].concat());
        let ecn = object(IPPROTO_IP, IP_ECN, &1_i32.to_ne_bytes());
        assert!(
            [[info.clone(), ecn.clone()].concat(), [ecn, info].concat()]
                .contains(&datagram.control)
        );
    }
    // An address that is not ours, and control data that nobody knows.
    let foreign = object(IPPROTO_IP, IP_PKTINFO, &[192, 0, 2, 1, 0, 0, 0, 0]);
    assert_ne!(from.send(&sent, target, &foreign).0, STATUS_SUCCESS);
    assert_eq!(from.send(&sent, target, &[1; 16]).0, STATUS_INVALID_PARAMETER);
    to.close();
    from.close();

    let v6 = SocketAddr::from(([0_u16; 8], 0));
    let (to, to_address) = client.bound(v6, Some(receiver));
    let (from, _) = client.bound(v6, None);
    assert_eq!(to.set(IPPROTO_IPV6, IPV6_PKTINFO, 1), STATUS_SUCCESS);
    let local = Ipv6Addr::LOCALHOST;
    let info = object(IPPROTO_IPV6, IPV6_PKTINFO, &[&local.octets()[..], &index].concat());
    assert_eq!(from.send(&sent, (local, to_address.port()).into(), &info), (STATUS_SUCCESS, 30));
    assert!(receiver.wait(2).iter().all(|datagram| datagram.control == info));
    to.close();
    from.close();
}

/// Marks need a right that this test doesn't have, or gives up.
#[test]
fn marks_need_the_right_to_mark() {
    // linux/capability.h: _LINUX_CAPABILITY_VERSION_3, this thread; no capabilities, in two words of three sets.
    let (header, none) = ([0x2008_0522_u32, 0], [0_u32; 6]);
    // SAFETY: the structs are as long as version 3 has them. Only this thread is concerned.
    let dropped = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    assert_eq!(dropped, 0);
    let refused = |mark| nt_host::wsk::set_mark(mark).unwrap_err().raw_os_error();
    assert_eq!(refused(1), Some(libc::EPERM));
    assert_eq!(refused(u32::MAX), Some(libc::EPERM));
    // There is none to be taken off.
    nt_host::wsk::set_mark(0).unwrap();
}

#[test]
fn sockets_say_what_is_wrong() {
    let client = Client::new();
    let (first, address) = client.bound(LOOPBACK_V4, None);
    let second = client.socket(address.ip(), None);
    let some = datagrams([1].into_iter());
    assert_eq!(second.send(&some, address, &[]).0, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(second.bind(address), STATUS_ADDRESS_ALREADY_EXISTS);
    assert_eq!(second.bind(LOOPBACK_V6), STATUS_INVALID_PARAMETER);
    // The port is free again once the first is closed.
    first.close();
    assert_eq!(second.bind(address), STATUS_SUCCESS);
    assert_eq!(second.bind(address), STATUS_INVALID_DEVICE_STATE);
    // Nobody listens: a datagram socket does not hear of it.
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    for _ in 0..3 {
        let nobody = nobody.as_ref().map_or(address, |nobody| *nobody);
        assert_eq!(second.send(&some, nobody, &[]), (STATUS_SUCCESS, 1));
    }
    let too_long = datagrams([65_508].into_iter());
    assert_ne!(second.send(&too_long, address, &[]).0, STATUS_SUCCESS);
    assert_eq!(second.set(IPPROTO_IP, 9999, 1), STATUS_NOT_SUPPORTED);
    assert_eq!(second.set(IPPROTO_IP, IP_MTU_DISCOVER, 7), STATUS_INVALID_PARAMETER);
    assert_eq!(second.set(IPPROTO_IP, IP_DONTFRAGMENT, 1), STATUS_SUCCESS);
    assert_eq!(second.get(IPPROTO_IP, IP_MTU_DISCOVER), (STATUS_SUCCESS, IP_PMTUDISC_DO));
    second.close();
}

#[test]
fn transports_are_listed() {
    let client = Client::new();
    let mut output = [0; 2 * size_of::<WSK_TRANSPORT>()];
    let (status, length) = client.control(WSK_TRANSPORT_LIST_QUERY, &[], &mut output);
    assert_eq!(status, STATUS_SUCCESS);
    // SAFETY: one transport at least, which any bytes are.
    let first = unsafe { output.as_ptr().cast::<WSK_TRANSPORT>().read_unaligned() };
    assert!(length % size_of::<WSK_TRANSPORT>() == 0 && length > 0);
    assert_eq!(
        (first.SocketType, first.Protocol, first.AddressFamily),
        (SOCK_DGRAM, IPPROTO_UDP, AF_INET)
    );
    let (status, needed) = client.control(WSK_TRANSPORT_LIST_QUERY, &[], &mut []);
    assert_eq!((status, needed), (nt_sys::status::STATUS_BUFFER_OVERFLOW, length));
    let bypass = WSK_TDI_BEHAVIOR_BYPASS_TDI.to_ne_bytes();
    assert_eq!(client.control(WSK_TDI_BEHAVIOR, &bypass, &mut []).0, STATUS_SUCCESS);
}

#[test]
fn retained_indications_stay_until_they_are_released_in_parts() {
    let client = Client::new();
    client.enable_receive_for_all();
    let receiver = Receiver::new(Behavior::Retain);
    let (to, to_address) = client.bound(LOOPBACK_V4, Some(receiver));
    let (from, _) = client.bound(LOOPBACK_V4, None);
    // The second half has one length, so that it comes in few buffers.
    let sent = datagrams((0..80).map(|index| if index < 40 { 10 + index } else { 900 }));
    assert_eq!(from.send(&sent, to_address, &[]).0, STATUS_SUCCESS);
    assert_eq!(bytes_of(receiver.wait(sent.len())), sent);

    let mut indications = Vec::new();
    for mut next in receiver.retained() {
        while !next.is_null() {
            indications.push(next);
            // SAFETY: retained.
            next = unsafe { (*next).Next };
        }
    }
    assert_eq!(indications.len(), sent.len());
    // Every other one first: the rest is untouched.
    for &indication in indications.iter().step_by(2) {
        // SAFETY: retained.
        unsafe { (*indication).Next = ptr::null_mut() };
        // SAFETY: retained.
        let mdl = unsafe { (*indication).Buffer.Mdl };
        to.release(indication);
        // Who still looks at it finds nothing.
        // SAFETY: nt-host never unmaps it.
        assert_ne!(unsafe { (*indication).Buffer.Mdl }, mdl);
    }
    let mut rest = ptr::null_mut();
    for (index, &indication) in indications.iter().enumerate().skip(1).step_by(2) {
        // SAFETY: retained.
        assert_eq!(unsafe { copy(indication) }.bytes, sent[index]);
        // SAFETY: retained.
        unsafe { (*indication).Next = rest };
        rest = indication;
    }
    to.release(rest);
    to.close();
    from.close();
}

#[test]
fn a_driver_that_retains_too_much_is_sent_no_more() {
    let client = Client::new();
    client.enable_receive_for_all();
    let receiver = Receiver::new(Behavior::Retain);
    let (to, to_address) = client.bound(LOOPBACK_V4, Some(receiver));
    let (from, _) = client.bound(LOOPBACK_V4, None);
    // Each is longer than the one before, so that Linux joins none: one buffer each, of which a socket has 1024.
    let sent = datagrams(1..101);
    for _ in 0..10 {
        assert_eq!(from.send(&sent, to_address, &[]).0, STATUS_SUCCESS);
        assert_eq!(bytes_of(receiver.wait(100)), sent);
    }
    assert_eq!(from.send(&sent, to_address, &[]).0, STATUS_SUCCESS);
    let first = bytes_of(receiver.wait(24));
    assert_eq!(first, sent[..24]);
    // Nothing is lost: the rest comes as soon as there are buffers.
    let mut rest = Vec::new();
    while rest.len() < 76 {
        receiver.retained().into_iter().for_each(|chain| to.release(chain));
        rest.append(&mut bytes_of(receiver.wait(1)));
    }
    assert_eq!(rest, sent[24..]);
    from.close();
    receiver.retained().into_iter().for_each(|chain| to.release(chain));
    to.close();
}

#[test]
fn a_disabled_event_keeps_datagrams_for_later() {
    let client = Client::new();
    let receiver = Receiver::new(Behavior::RefuseOnce);
    let unbound = client.socket(LOOPBACK_V4.ip(), Some(receiver));
    assert_eq!(unbound.set_event(WSK_EVENT_RECEIVE_FROM), STATUS_INVALID_DEVICE_STATE);
    unbound.close();

    let (to, to_address) = client.bound(LOOPBACK_V4, Some(receiver));
    let (from, _) = client.bound(LOOPBACK_V4, None);
    let sent = datagrams([100, 200, 300].into_iter());
    // Not enabled yet; then refused; then accepted.
    assert_eq!(from.send(&sent, to_address, &[]).0, STATUS_SUCCESS);
    assert_eq!(to.set_event(WSK_EVENT_RECEIVE_FROM), STATUS_SUCCESS);
    wait(&receiver.refused, &receiver.changed, Option::is_some);
    // Re-enabling is lost when it comes before the refusal has disabled the event, as on Windows.
    to.disable_event();
    assert!(lock(&receiver.datagrams).is_empty());
    assert_eq!(to.set_event(WSK_EVENT_RECEIVE_FROM), STATUS_SUCCESS);
    assert_eq!(bytes_of(receiver.wait(3)), sent);

    // Disabled by the driver: nothing comes until it is enabled again.
    to.disable_event();
    assert_eq!(from.send(&sent, to_address, &[]).0, STATUS_SUCCESS);
    assert_eq!(to.set_event(WSK_EVENT_RECEIVE_FROM), STATUS_SUCCESS);
    assert_eq!(bytes_of(receiver.wait(3)), sent);
    to.close();
    from.close();
}

#[test]
fn segments_are_cut_and_joined_on_request() {
    let client = Client::new();
    client.enable_receive_for_all();
    let receiver = Receiver::new(Behavior::Copy);
    let (to, to_address) = client.bound(LOOPBACK_V4, Some(receiver));
    let (from, _) = client.bound(LOOPBACK_V4, None);
    let cut = object(IPPROTO_UDP, UDP_SEND_MSG_SIZE, &1000_u32.to_ne_bytes());
    let one = datagrams([10_500].into_iter());
    assert_eq!(from.send(&one, to_address, &cut), (STATUS_SUCCESS, 10_500));
    let received = bytes_of(receiver.wait(11));
    assert!(received.iter().take(10).all(|datagram| datagram.len() == 1000));
    assert_eq!(received.concat(), one[0]);

    // Joined ones say what they are made of.
    assert_eq!(to.set(IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, 60_000), STATUS_SUCCESS);
    assert_eq!(from.send(&one, to_address, &cut), (STATUS_SUCCESS, 10_500));
    let mut bytes = Vec::new();
    while bytes.len() < 10_500 {
        for datagram in receiver.wait(1) {
            let info = object(IPPROTO_UDP, UDP_COALESCED_INFO, &1000_u32.to_ne_bytes());
            assert!(datagram.bytes.len() <= 1000 || datagram.control == info);
            bytes.extend(datagram.bytes);
        }
    }
    assert_eq!(bytes, one[0]);
    to.close();
    from.close();
}

#[test]
fn closing_amid_traffic_ends() {
    let client = Client::new();
    client.enable_receive_for_all();
    for _ in 0..20 {
        let receiver = Receiver::new(Behavior::Copy);
        let (to, to_address) = client.bound(LOOPBACK_V4, Some(receiver));
        let (from, _) = client.bound(LOOPBACK_V4, None);
        let sent = datagrams((0..50).map(|_| 500));
        assert_eq!(from.send(&sent, to_address, &[]).0, STATUS_SUCCESS);
        receiver.wait(1);
        to.close();
        from.close();
    }
}

// Rules

/// Runs `misuse` in a process of its own, which must be stopped with `complaint`.
fn is_stopped(test: &str, complaint: &str, misuse: impl FnOnce()) {
    if std::env::var_os("WSK_MISUSE").is_some() {
        misuse();
        return;
    }
    let Ok(this) = std::env::current_exe() else { panic!("no path to this program") };
    let output = Command::new(this)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("WSK_MISUSE", "1")
        .output();
    let Ok(output) = output else { panic!("can't run") };
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(86), "{said}");
    assert!(said.contains(complaint), "{said}");
}

/// A socket that has retained a chain, which is given too.
fn retaining(client: &Client) -> (Socket, *mut WSK_DATAGRAM_INDICATION) {
    let receiver = Receiver::new(Behavior::Retain);
    let (to, to_address) = client.bound(LOOPBACK_V4, Some(receiver));
    let (from, _) = client.bound(LOOPBACK_V4, None);
    assert_eq!(to.set_event(WSK_EVENT_RECEIVE_FROM), STATUS_SUCCESS);
    assert_eq!(from.send(&datagrams([9].into_iter()), to_address, &[]).0, STATUS_SUCCESS);
    receiver.wait(1);
    to.disable_event();
    (to, receiver.retained()[0])
}

#[test]
fn a_second_release_is_stopped() {
    is_stopped("a_second_release_is_stopped", "STOP DOUBLE FREE: WskRelease:", || {
        let client = Client::new();
        let (socket, chain) = retaining(&client);
        socket.release(chain);
        socket.release(chain);
    });
}

#[test]
fn closing_with_retained_indications_is_stopped() {
    let test = "closing_with_retained_indications_is_stopped";
    is_stopped(test, "STOP BAD ARGUMENT: WskCloseSocket: 1 indications are retained", || {
        let client = Client::new();
        let (socket, _) = retaining(&client);
        socket.close();
    });
}

#[test]
fn use_after_close_is_stopped() {
    is_stopped("use_after_close_is_stopped", "STOP USE AFTER FREE: WskBind:", || {
        let client = Client::new();
        let socket = client.socket(LOOPBACK_V4.ip(), None);
        socket.close();
        socket.bind(LOOPBACK_V4);
    });
}

#[test]
fn an_irp_without_completion_routine_is_stopped() {
    let test = "an_irp_without_completion_routine_is_stopped";
    is_stopped(test, "STOP BAD IRP: WskCloseSocket:", || {
        let client = Client::new();
        let socket = client.socket(LOOPBACK_V4.ip(), None);
        // SAFETY: one stack location, no quota.
        let irp = unsafe { IoAllocateIrp(1, FALSE) };
        let Some(close) = socket.dispatch().Basic.WskCloseSocket else { return };
        // SAFETY: what is wrong with it is what is tested.
        unsafe { close(socket.0, irp) };
    });
}
