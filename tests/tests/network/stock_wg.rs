//! Stock `wg` drives `tunicd`. Needs root.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Result, ensure};
use tunic_tests::namespace::Namespace;
use tunic_tests::peer::Implementation;
use tunic_tests::require::{self, Need};
use tunic_tests::tunicd::Tunicd;
use tunic_tests::tunnel::{Setup, Tunnel};
use tunic_tests::wg::{self, Dump, KeyPair};
use tunic_tests::{command, ping, uapi};

const NEEDS: [Need; 3] =
    [Need::Root, Need::Program("ip", "iproute2"), Need::Program("wg", "wireguard-tools")];

fn run(name: &str, test: fn() -> Result<()>) {
    if require::all(name, &NEEDS)
        && let Err(error) = test()
    {
        panic!("{name}: {error:#}");
    }
}

/// 32 bytes that look like a key, different for each number.
fn key(number: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |shift: u32| char::from(DIGITS[(number >> shift) & 63]);
    // 43 digits and a filler; the last carries four bits.
    format!("{}{}{}{}A=", digit(12), digit(6), digit(0), "Tunic".repeat(8).split_at(39).0)
}

/// A configuration with this many peers, four allowed IPs each, and what a dump of it must hold.
fn large_configuration(own: &KeyPair, peers: usize) -> (String, BTreeMap<String, [String; 4]>) {
    let mut text = format!("[Interface]\nPrivateKey = {}\nListenPort = 51820\n", own.private);
    let mut expected = BTreeMap::new();
    for number in 0..peers {
        let (high, low) = (number / 256, number % 256);
        let ips = BTreeSet::from([
            format!("10.{high}.{low}.0/28"),
            format!("10.{high}.{low}.128/25"),
            format!("172.16.{high}.{low}/32"),
            // A group of zeros would be printed otherwise.
            format!("fd00:{:x}:{:x}::/48", high + 1, low + 1),
        ]);
        // Any 32 bytes will do as a public key here; 0 would be none.
        let public = key(number + 1);
        let ips = ips.into_iter().collect::<Vec<_>>().join(",");
        let _ = write!(text, "[Peer]\nPublicKey = {public}\nAllowedIPs = {ips}\n");
        let preshared = if number % 3 == 0 { key(number + 100_000) } else { "(none)".into() };
        if number % 3 == 0 {
            let _ = writeln!(text, "PresharedKey = {preshared}");
        }
        let keepalive = if number % 5 == 0 { "25" } else { "off" };
        if number % 5 == 0 {
            text.push_str("PersistentKeepalive = 25\n");
        }
        let endpoint = match number % 4 {
            0 => "(none)".to_owned(),
            1 => format!("[2001:db8::{low:x}]:{}", 1000 + number),
            _ => format!("192.0.2.{}:{}", low.max(1), 1000 + number),
        };
        if number % 4 != 0 {
            let _ = writeln!(text, "Endpoint = {endpoint}");
        }
        expected.insert(public, [preshared, endpoint, ips, keepalive.to_owned()]);
    }
    (text, expected)
}

fn comparable(dump: &Dump) -> BTreeMap<String, [String; 4]> {
    dump.peers
        .iter()
        .map(|peer| {
            let ips: BTreeSet<&str> = peer.allowed_ips.split(',').collect();
            let ips = ips.into_iter().collect::<Vec<_>>().join(",");
            let (psk, keepalive) = (peer.preshared_key.clone(), peer.keepalive.clone());
            (peer.public_key.clone(), [psk, peer.endpoint.clone(), ips, keepalive])
        })
        .collect()
}

fn ensure_same(
    actual: &BTreeMap<String, [String; 4]>,
    expected: &BTreeMap<String, [String; 4]>,
) -> Result<()> {
    ensure!(actual.len() == expected.len(), "{} of {} peers", actual.len(), expected.len());
    for (key, peer) in expected {
        ensure!(actual.get(key) == Some(peer), "{key}: {:?} is not {peer:?}", actual.get(key));
    }
    Ok(())
}

/// What is set is what is shown: 1,000 peers with 4,000 allowed IPs.
#[test]
fn a_thousand_peers_come_back_as_they_were_set() {
    run("a_thousand_peers_come_back_as_they_were_set", || {
        let namespace = Namespace::new()?;
        let tunicd = Tunicd::start(&namespace, &[])?;
        let own = KeyPair::generate()?;
        let (text, expected) = large_configuration(&own, 1000);
        tunicd.configure(&text)?;
        let dump = tunicd.dump()?;
        ensure!(dump.listen_port == 51820, "port {}", dump.listen_port);
        ensure_same(&comparable(&dump), &expected)?;
        // The other half of the round trip: what showconf prints is taken again as it is.
        let shown = wg::wg(&["showconf", tunicd.interface()], "")?.success()?;
        tunicd.configure("[Interface]\n")?;
        ensure!(tunicd.dump()?.peers.is_empty(), "setconf without peers leaves peers");
        tunicd.configure(&shown)?;
        ensure_same(&comparable(&tunicd.dump()?), &expected)?;
        tunicd.stop()
    });
}

/// `wg syncconf` to another configuration leaves the session of a peer alone that is in both.
#[test]
fn syncconf_keeps_the_sessions_of_unchanged_peers() {
    let implementation = Implementation::WireguardGo;
    let name = "syncconf_keeps_the_sessions_of_unchanged_peers";
    if !require::all(name, &implementation.needs()) {
        return;
    }
    let test = || {
        let tunnel = Tunnel::new(Setup::new(implementation))?;
        tunnel.connect()?;
        let interface = tunnel.tunicd.interface();
        let before = tunnel.tunicd.dump()?.peer()?.clone();
        for number in [7, 8] {
            let text = format!(
                "{}[Peer]\nPublicKey = {}\nAllowedIPs = 10.99.0.{number}/32\n",
                tunnel.our_configuration(),
                key(number)
            );
            wg::configure("syncconf", interface, &text)?.success()?;
            let dump = tunnel.tunicd.dump()?;
            let keys: BTreeSet<&str> = dump.peers.iter().map(|p| p.public_key.as_str()).collect();
            ensure!(
                keys == BTreeSet::from([before.public_key.as_str(), key(number).as_str()]),
                "{keys:?}"
            );
            let kept = dump.peers.iter().find(|peer| peer.public_key == before.public_key);
            ensure!(
                kept.is_some_and(|peer| peer.latest_handshake == before.latest_handshake
                    && peer.received >= before.received),
                "the session is gone: {kept:?}, before: {before:?}"
            );
        }
        let lost = ping::lost(&tunnel.namespace, tunic_tests::tunnel::PEER_V4, 5, &[])?;
        ensure!(lost.is_empty(), "no reply to {lost:?} of 5 after syncconf");
        tunnel.tunicd.stop()
    };
    if let Err(error) = test() {
        panic!("{name}: {error:#}");
    }
}

/// Every kind of bad request is refused with EINVAL, and nothing changes.
#[test]
fn bad_requests_change_nothing() {
    run("bad_requests_change_nothing", || {
        let namespace = Namespace::new()?;
        let tunicd = Tunicd::start(&namespace, &[])?;
        let (text, _) = large_configuration(&KeyPair::generate()?, 3);
        tunicd.configure(&text)?;
        let interface = tunicd.interface();
        let before = uapi::request(interface, "get=1")?;
        let key = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33";
        let good = format!("replace_peers=true\nlisten_port=5000\npublic_key={key}\n");
        let bad_tails = [
            "private_key=00",
            "unknown=1",
            "allowed_ip=10.0.0.0/33",
            "allowed_ip=fd00::/129",
            "allowed_ip=10.0.0.0",
            "allowed_ip=banana/8",
            "endpoint=10.0.0.1",
            "endpoint=10.0.0.1:65536",
            "endpoint=[fd00::1:51820",
            "persistent_keepalive_interval=65536",
            "persistent_keepalive_interval=-1",
            "preshared_key=zz5996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33",
            "protocol_version=2",
            "replace_allowed_ips=maybe",
            "remove=yes",
            "public_key=b859",
            "no equals sign",
            "listen_port=65536",
        ];
        for tail in bad_tails {
            let answer = uapi::request(interface, &format!("set=1\n{good}{tail}"))?;
            ensure!(uapi::errno(&answer)? == 22, "{tail}: {answer:?}");
            ensure!(uapi::request(interface, "get=1")? == before, "{tail} has changed something");
        }
        for request in ["get=2", "set=2", "bananas=1", "get=1\npublic_key=00"] {
            let answer = uapi::request(interface, request)?;
            ensure!(uapi::errno(&answer)? == 22, "{request}: {answer:?}");
        }
        ensure!(uapi::request(interface, "get=1")? == before, "something has changed");
        tunicd.stop()
    });
}

/// A port that somebody else has is refused with EADDRINUSE, the old one stays, and nothing else is
/// applied.
#[test]
fn a_port_in_use_is_refused() {
    run("a_port_in_use_is_refused", || {
        let namespace = Namespace::new()?;
        let tunicd = Tunicd::start(&namespace, &[])?;
        let (text, _) = large_configuration(&KeyPair::generate()?, 3);
        tunicd.configure(&text)?;
        let interface = tunicd.interface();
        namespace.ip(&format!("link set {interface} up"))?;
        let before = uapi::request(interface, "get=1")?;
        let holder = namespace.enter(|| Ok(std::net::UdpSocket::bind("0.0.0.0:7777")?))?;
        let answer = uapi::request(interface, "set=1\nreplace_peers=true\nlisten_port=7777")?;
        ensure!(uapi::errno(&answer)? == 98, "{answer:?}");
        ensure!(uapi::request(interface, "get=1")? == before, "something has changed");
        drop(holder);
        let answer = uapi::request(interface, "set=1\nlisten_port=7777")?;
        ensure!(uapi::errno(&answer)? == 0, "{answer:?}");
        ensure!(tunicd.dump()?.listen_port == 7777, "the free port is not taken");
        tunicd.stop()
    });
}

/// `wg-quick up` and `down` with `tunicd` as the implementation.
#[test]
fn wg_quick_brings_it_up() {
    run("wg_quick_brings_it_up", || {
        let namespace = Namespace::new()?;
        let interface = tunic_tests::namespace::unique("tq");
        let folder = tunic_tests::require::scratch().join(format!("{interface}.d"));
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{interface}.conf"));
        let own = KeyPair::generate()?;
        std::fs::write(
            &file,
            format!(
                "[Interface]\nPrivateKey = {}\nAddress = 10.78.0.1/24\nListenPort = 51999\n\
                 [Peer]\nPublicKey = {}\nAllowedIPs = 10.78.0.2/32\nEndpoint = 127.0.0.1:5\n",
                own.private,
                key(1)
            ),
        )?;
        let program = tunic_tests::binary::tunicd()?;
        let quick = |how: &str| {
            let mut command = namespace.command("wg-quick");
            command.arg(how).arg(&file).env("WG_QUICK_USERSPACE_IMPLEMENTATION", &program);
            tunic_tests::image::hand_on(&mut command);
            command::run(&mut command, b"", std::time::Duration::from_secs(30))?.success()
        };
        quick("up")?;
        let dump = Dump::of(&interface)?;
        ensure!(dump.listen_port == 51999 && dump.peers.len() == 1, "{dump:?}");
        ensure!(
            namespace.ip(&format!("addr show {interface}"))?.contains("10.78.0.1/24"),
            "address"
        );
        quick("down")?;
        tunic_tests::wait::until("the daemon is gone", std::time::Duration::from_secs(20), || {
            !std::path::Path::new(&format!("/var/run/wireguard/{interface}.sock")).exists()
                && namespace.ip(&format!("link show {interface}")).is_err()
        })?;
        std::fs::remove_dir_all(&folder)?;
        Ok(())
    });
}
