//! The configuration protocol, line by line.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::memory::{MemoryDriver, TAKEN_PORT};
use tunic::Adapter;
use tunic::hex::Hex;
use tunicd::uapi::Uapi;

fn uapi() -> Uapi<MemoryDriver> {
    Uapi::new(Adapter::new(MemoryDriver::default()), |_| Ok(()))
}

fn hex(byte: u8) -> String {
    Hex(&[byte; 32]).to_string()
}

const OK: &str = "errno=0\n\n";
const EINVAL: &str = "errno=-22\n\n";
/// To what is no set.
const EINVAL_OTHERWISE: &str = "errno=22\n\n";

#[test]
fn configuration_comes_back() {
    let uapi = uapi();
    let set = format!(
        "set=1\nprivate_key={}\nlisten_port=51820\nfwmark=51820\nreplace_peers=true\n\
         public_key={}\n\
         preshared_key={}\nendpoint=[2001:db8::1]:1\npersistent_keepalive_interval=25\n\
         replace_allowed_ips=true\nallowed_ip=10.1.2.3/8\nallowed_ip=fd00::/64\n\
         protocol_version=1\n\
         public_key={}\nendpoint=192.0.2.1:65535",
        hex(7),
        hex(1),
        hex(9),
        hex(0xAB).to_uppercase(),
    );
    assert_eq!(*uapi.answer(&set), OK);
    let counters =
        "last_handshake_time_sec=1\nlast_handshake_time_nsec=700\ntx_bytes=1\nrx_bytes=2";
    let expected = format!(
        "private_key={}\nlisten_port=51820\nfwmark=51820\npublic_key={}\npreshared_key={}\n\
         protocol_version=1\nendpoint=[2001:db8::1]:1\n{counters}\n\
         persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/64\n\
         public_key={}\nprotocol_version=1\nendpoint=192.0.2.1:65535\n{counters}\n\
         persistent_keepalive_interval=0\nerrno=0\n\n",
        hex(7),
        hex(1),
        hex(9),
        hex(0xAB),
    );
    assert_eq!(*uapi.answer("get=1"), expected);
}

#[test]
fn zeroes_clear_keys() {
    let uapi = uapi();
    let keys = |byte| {
        let (private, peer, preshared) = (hex(byte), hex(1), hex(byte));
        format!("set=1\nprivate_key={private}\npublic_key={peer}\npreshared_key={preshared}")
    };
    assert_eq!(*uapi.answer(&keys(7)), OK);
    let with_keys = uapi.answer("get=1");
    assert!(with_keys.contains("private_key=07") && with_keys.contains("preshared_key=07"));
    assert_eq!(*uapi.answer(&keys(0)), OK);
    let without = uapi.answer("get=1");
    assert!(!without.contains("private_key") && !without.contains("preshared_key"));
    assert!(without.contains("public_key=01"));
}

#[test]
fn a_public_key_of_zeroes_is_a_peer() {
    let uapi = uapi();
    let peer = format!("public_key={}", hex(0));
    assert_eq!(*uapi.answer(&format!("set=1\n{peer}\nallowed_ip=10.0.0.0/8")), OK);
    let answer = uapi.answer("get=1");
    assert!(answer.contains(&peer) && answer.contains("allowed_ip=10.0.0.0/8"), "{answer:?}");
    assert_eq!(*uapi.answer(&format!("set=1\n{peer}\nremove=true")), OK);
    assert!(!uapi.answer("get=1").contains("public_key"));
}

#[test]
fn a_port_of_zero_is_none() {
    let uapi = uapi();
    assert_eq!(*uapi.answer("set=1\nlisten_port=0"), OK);
    assert!(!uapi.answer("get=1").contains("listen_port"));
}

#[test]
fn peers_and_allowed_ips_go() {
    let uapi = uapi();
    let (first, second, unknown) = (hex(1), hex(2), hex(3));
    let set = format!(
        "set=1\npublic_key={first}\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/64\n\
         public_key={second}"
    );
    assert_eq!(*uapi.answer(&set), OK);
    let set = format!(
        "set=1\npublic_key={first}\nupdate_only=true\nallowed_ip=-10.0.0.0/8\n\
         public_key={second}\nremove=true\npublic_key={unknown}\nupdate_only=true\n\
         public_key={unknown}\nupdate_only=true\nremove=true"
    );
    assert_eq!(*uapi.answer(&set), OK);
    let answer = uapi.answer("get=1");
    assert_eq!(answer.matches("public_key").count(), 1);
    assert!(answer.contains("allowed_ip=fd00::/64\n") && !answer.contains("10.0.0.0"));

    let set = format!("set=1\npublic_key={first}\nreplace_allowed_ips=true\nallowed_ip=::/0");
    assert_eq!(*uapi.answer(&set), OK);
    let answer = uapi.answer("get=1");
    assert!(answer.contains("allowed_ip=::/0\n") && !answer.contains("fd00"));
    assert_eq!(*uapi.answer("set=1\nreplace_peers=true"), OK);
    assert!(!uapi.answer("get=1").contains("public_key"));
}

#[test]
fn malformed_requests_are_refused_and_change_nothing() {
    let uapi = uapi();
    let peer = format!("public_key={}", hex(1));
    let set = format!("set=1\nlisten_port=5\n{peer}\nallowed_ip=10.0.0.0/8");
    assert_eq!(*uapi.answer(&set), OK);
    let before = uapi.answer("get=1");
    let key = hex(7);
    let interface_lines = [
        "",
        " ",
        "listen_port",
        "listen_port=",
        "listen_port=65536",
        "listen_port=-1",
        "listen_port=+1",
        "listen_port= 1",
        "listen_port=1\r",
        "listen_port=0x1",
        "Listen_port=1",
        "listen_port=1\nlisten_port=1",
        "fwmark=",
        "fwmark=4294967296",
        "fwmark=1\nfwmark=1",
        "private_key=",
        "private_key=00",
        &format!("private_key={key}0"),
        &format!("private_key={key}00"),
        &format!("private_key={}g", &key[1..]),
        &format!("private_key={key}\nprivate_key={key}"),
        "replace_peers=",
        "replace_peers=false",
        "replace_peers=1",
        "replace_peers=true\nreplace_peers=true",
        "remove=true",
        "allowed_ip=10.0.0.0/8",
        "public_key=",
        "public_key=zz",
        "errno=0",
        "unknown=1",
        "set=1",
    ];
    for line in interface_lines {
        let set = format!("set=1\n{line}\n{peer}\nremove=true");
        assert_eq!(*uapi.answer(&set), EINVAL, "{line:?}");
    }
    let peer_lines = [
        "listen_port=1",
        "replace_peers=true",
        "remove=",
        "remove=false",
        "remove=true\nremove=true",
        "update_only=false",
        "update_only=true\nupdate_only=true",
        "preshared_key=1",
        "endpoint=",
        "endpoint=1.2.3.4",
        "endpoint=1.2.3.4:",
        "endpoint=1.2.3.4:0",
        "endpoint=1.2.3.4:65536",
        "endpoint=1.2.3:1",
        "endpoint=::1:1",
        "endpoint=[::1]:0",
        "endpoint=[::1]",
        "endpoint=[1.2.3.4]:1",
        "endpoint=example.org:1",
        "endpoint=[fe80::1%]:1",
        "endpoint=[fe80::1%no-such-interface]:1",
        "endpoint=[fe80::1%../lo]:1",
        "endpoint=[fe80::1%lo/]:1",
        "endpoint=[fe80::1%lo.7]:1",
        "endpoint=1.2.3.4:1\nendpoint=1.2.3.4:1",
        "persistent_keepalive_interval=",
        "persistent_keepalive_interval=65536",
        "persistent_keepalive_interval=off",
        "persistent_keepalive_interval=-1",
        "replace_allowed_ips=false",
        "allowed_ip=10.0.0.0/8\nreplace_allowed_ips=true",
        "allowed_ip=",
        "allowed_ip=10.0.0.0",
        "allowed_ip=10.0.0.0/33",
        "allowed_ip=::/129",
        "allowed_ip=10.0.0/8",
        "allowed_ip=10.0.0.0/-1",
        "allowed_ip=--10.0.0.0/8",
        "allowed_ip=10.0.0.0/8,::/0",
        "protocol_version=0",
        "protocol_version=2",
        "tx_bytes=1",
    ];
    for line in peer_lines {
        let set = format!("set=1\nlisten_port=6\n{peer}\n{line}\n{peer}\nremove=true");
        assert_eq!(*uapi.answer(&set), EINVAL, "{line:?}");
    }
    for request in ["set=2", "set"] {
        assert_eq!(*uapi.answer(request), EINVAL, "{request:?}");
    }
    for request in ["", "get", "get=2", "get=1\nlisten_port=1", "GET=1", "get=1 "] {
        assert_eq!(*uapi.answer(request), EINVAL_OTHERWISE, "{request:?}");
    }
    assert_eq!(*uapi.answer("get=1"), *before);
}

#[test]
fn scopes_may_be_names() {
    let uapi = uapi();
    let set = format!("set=1\npublic_key={}\nendpoint=[fe80::1%lo]:7", hex(1));
    assert_eq!(*uapi.answer(&set), OK);
    assert!(uapi.answer("get=1").contains("endpoint=[fe80::1%1]:7\n"));
}

#[test]
fn fwmark_is_applied_with_all_else_or_not_at_all() {
    let seen = Arc::new(AtomicU32::new(0));
    let uapi = Uapi::new(Adapter::new(MemoryDriver::default()), {
        let seen = Arc::clone(&seen);
        move |mark| match mark {
            66 => Err(io::Error::from_raw_os_error(libc::EPERM)),
            _ => {
                seen.store(mark, Ordering::Relaxed);
                Ok(())
            }
        }
    });
    let is = |mark: u32, port: u16| {
        assert_eq!(seen.load(Ordering::Relaxed), mark);
        let line = if mark == 0 { String::new() } else { format!("fwmark={mark}\n") };
        assert_eq!(*uapi.answer("get=1"), format!("listen_port={port}\n{line}{OK}"));
    };
    assert_eq!(*uapi.answer("set=1\nlisten_port=5"), OK);
    assert_eq!(*uapi.answer("set=1\nfwmark=7\nlisten_port=x"), EINVAL);
    is(0, 5);
    assert_eq!(*uapi.answer("set=1\nfwmark=7\nlisten_port=6"), OK);
    is(7, 6);
    assert_eq!(*uapi.answer("set=1\nfwmark=66\nlisten_port=8"), "errno=-1\n\n");
    is(7, 6);
    let set = format!("set=1\nfwmark=8\nlisten_port={TAKEN_PORT}");
    assert_eq!(*uapi.answer(&set), "errno=-98\n\n");
    is(7, 6);
    assert_eq!(*uapi.answer("set=1\nfwmark=0"), OK);
    is(0, 6);
}

#[test]
fn mutations_are_applied_whole_or_refused() {
    let good = format!(
        "set=1\nprivate_key={}\nlisten_port=51820\nfwmark=1\npublic_key={}\npreshared_key={}\n\
         endpoint=[2001:db8::1]:1\npersistent_keepalive_interval=25\nreplace_allowed_ips=true\n\
         allowed_ip=10.1.2.3/8\nallowed_ip=-fd00::/64\nprotocol_version=1\nremove=true",
        hex(7),
        hex(1),
        hex(9),
    );
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let (mut applied, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let uapi = uapi();
        let mut bytes = good.clone().into_bytes();
        for _ in 0..=next(2) {
            let place = next(bytes.len());
            match next(3) {
                0 => bytes[place] = b"\n=-/:%[]0aZ \xFF"[next(13)],
                1 => drop(bytes.drain(place..(place + 1 + next(20)).min(bytes.len()))),
                _ => bytes.insert(place, b'0'),
            }
        }
        match uapi.answer(&String::from_utf8_lossy(&bytes)).as_str() {
            OK => applied += 1,
            EINVAL | EINVAL_OTHERWISE => {
                refused += 1;
                assert_eq!(*uapi.answer("get=1"), OK, "nothing changed");
            }
            other => panic!("{other}"),
        }
    }
    assert!(applied > 100 && refused > 100, "{applied} {refused}");
}
