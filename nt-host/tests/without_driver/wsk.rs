//! WSK, as a driver sees it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr;

use nt_host as _;
use nt_sys::io::IoAllocateIrp;
use nt_sys::ntdef::FALSE;
use nt_sys::status::{
    STATUS_ADDRESS_ALREADY_EXISTS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use nt_sys::wsk::*;

use crate::child;
use crate::wsk_client::*;

const LOOPBACK_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const LOOPBACK_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

/// Datagrams that differ from each other.
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

        // Runs of one length with a shorter last one, and lengths that fit no run, some of them 0.
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
    // An address that is not local, and unknown control messages.
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

/// Marks need a capability that this test lacks or drops.
#[test]
fn marks_need_the_right_to_mark() {
    // linux/capability.h: _LINUX_CAPABILITY_VERSION_3, this thread; no capabilities, in two words
    // of three sets.
    let (header, none) = ([0x2008_0522_u32, 0], [0_u32; 6]);
    // SAFETY: the structs are as long as version 3 has them. Only this thread is concerned.
    let dropped = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    assert_eq!(dropped, 0);
    let refused = |mark| nt_host::wsk::set_mark(mark).unwrap_err().raw_os_error();
    assert_eq!(refused(1), Some(libc::EPERM));
    assert_eq!(refused(u32::MAX), Some(libc::EPERM));
    // There is no capability to drop.
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
    // No one listens: a datagram socket does not report that.
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
    // The second half has one length, so that it arrives in few buffers.
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
        // A late access finds the poison.
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
    // Each is longer than the one before, so that Linux coalesces none: one buffer each, of which a
    // socket has 1024.
    let sent = datagrams(1..101);
    for _ in 0..10 {
        assert_eq!(from.send(&sent, to_address, &[]).0, STATUS_SUCCESS);
        assert_eq!(bytes_of(receiver.wait(100)), sent);
    }
    assert_eq!(from.send(&sent, to_address, &[]).0, STATUS_SUCCESS);
    let first = bytes_of(receiver.wait(24));
    assert_eq!(first, sent[..24]);
    // Nothing is lost: the rest arrives once buffers are free.
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
    // As on Windows, an enable is lost if it comes before the refusal has disabled the event.
    to.disable_event();
    assert!(lock(&receiver.datagrams).is_empty());
    assert_eq!(to.set_event(WSK_EVENT_RECEIVE_FROM), STATUS_SUCCESS);
    assert_eq!(bytes_of(receiver.wait(3)), sent);

    // Disabled by the driver: nothing arrives until it is enabled again.
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

    // Coalesced datagrams state their size.
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

/// Runs `misuse` in a process of its own, which must stop with `complaint`.
fn is_stopped(test: &str, complaint: &str, misuse: impl FnOnce()) {
    let (code, said) = child::run(&format!("wsk::{test}"), None, misuse);
    assert_eq!(code, Some(nt_host::violation::EXIT_CODE), "{said}");
    assert!(said.contains(complaint), "{said}");
}

/// A socket that has retained a chain, and the chain.
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
