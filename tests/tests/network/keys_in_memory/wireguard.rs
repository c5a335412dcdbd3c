//! `tunicd` with WireGuard: private keys, preshared keys, and what is agreed by them.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Result, ensure};
use nic_crypto::x25519::{self, PublicKey, StaticSecret};
use tunic::{Adapter, ConfigurationChange, Key, PeerAction, PeerChange, Transport, UnixTransport};
use tunic_ioctl::{frame, native, wireguard_nt};
use tunic_tests::link::Link;
use tunic_tests::random::Random;
use tunic_tests::require::{self, Need};
use tunic_tests::secrets::Secrets;
use tunic_tests::tunicd::Tunicd;
use tunic_tests::wg::wg;
use tunic_tests::{ping, uapi, wait};

const NEEDS: [Need; 4] = [
    Need::Root,
    Need::Program("ip", "iproute2"),
    Need::Program("wg", "wireguard-tools"),
    Need::Program("ping", "iputils-ping"),
];

const PORT: u16 = 51820;

/// How many peers are there at a time.
const PEERS: usize = 100;

/// How often keys are replaced.
const ROUNDS: usize = 1000;

/// Keys that a daemon was given, and a source of new ones.
struct Keys {
    random: Random,
    secrets: Secrets,
    /// The private key, and the public keys that it has met.
    private: [u8; 32],
    count: usize,
}

impl Keys {
    fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), secrets: Secrets::default(), private: [0; 32], count: 0 }
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        bytes
    }

    fn preshared(&mut self) -> Key {
        let bytes = self.bytes();
        self.secrets.add_key(&format!("preshared key {}", self.count), &bytes);
        self.count += 1;
        Key::from_bytes(bytes)
    }

    /// A private key, which is not clamped.
    fn private(&mut self) -> Key {
        self.private = self.bytes();
        self.secrets.add_private_key(&format!("private key {}", self.count), &self.private);
        self.count += 1;
        Key::from_bytes(self.private)
    }

    /// The secret that the private key has in common with a peer.
    fn meets(&mut self, public: &Key) {
        let secret = StaticSecret::from_bytes(self.private);
        if let Some(shared) = x25519::diffie_hellman(&secret, &PublicKey(*public.as_bytes())) {
            self.secrets.add_key(&format!("static secret {}", self.count), shared.as_bytes());
        }
    }
}

fn hex(key: &Key) -> String {
    key.as_bytes().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The whole of what a daemon's life may bring: by `wg`, by its text protocol, by both ABIs.
#[test]
fn no_key_of_wireguard_outlives_its_use() {
    let name = "no_key_of_wireguard_outlives_its_use";
    if require::all(name, &NEEDS)
        && let Err(error) = run()
    {
        panic!("{name}: {error:#}");
    }
}

fn run() -> Result<()> {
    let link = Link::new()?;
    let left = Tunicd::start(&link.left, &[])?;
    let right = Tunicd::start(&link.right, &[])?;
    let mut keys = Keys::new(1);
    connect(&link, &left, &right, &mut keys)?;
    query(&left)?;
    // Connections that stay open have buffers that stay, too.
    let _open = churn(&left, &mut keys)?;
    spoil(&left, &mut keys)?;

    // While they are in use, they are found.
    let last = keys.preshared();
    let last_name = format!("preshared key {}", keys.count - 1);
    let mut change = ConfigurationChange { replace_peers: true, ..Default::default() };
    let mut peer = PeerChange::new(Key::from_bytes([9; 32]));
    peer.preshared_key = Some(Some(last));
    change.peers.push(peer);
    Adapter::open(left.interface())?.set_configuration(&change)?;
    ensure!(keys.secrets.find(left.process_id())?.of(&last_name) >= 2, "nothing is found");

    clear(&left)?;
    for line in ["set=1\nprivate_key=", "set=1\nreplace_peers=true\nprivate_key="] {
        let zeros = "0".repeat(64);
        uapi::request(right.interface(), &format!("{line}{zeros}"))?;
    }
    keys.secrets.require_gone("left", left.process_id())?;
    keys.secrets.require_gone("right", right.process_id())?;
    left.stop()?;
    right.stop()
}

/// A tunnel with a preshared key that carries packets, and many more peers.
fn connect(link: &Link, left: &Tunicd, right: &Tunicd, keys: &mut Keys) -> Result<()> {
    let their_private = keys.private();
    let our_private = keys.private();
    let preshared = keys.preshared();
    keys.meets(&their_private.public());
    let mut ours = format!(
        "[Interface]\nPrivateKey = {our_private}\nListenPort = {PORT}\n[Peer]\nPublicKey = {}\n\
         PresharedKey = {preshared}\nEndpoint = 10.9.0.2:{PORT}\nAllowedIPs = 10.77.0.2/32\n",
        their_private.public()
    );
    for _ in 0..PEERS {
        let (public, preshared) = (Key::from_bytes(keys.bytes()), keys.preshared());
        keys.meets(&public);
        write!(ours, "[Peer]\nPublicKey = {public}\nPresharedKey = {preshared}\n")?;
    }
    left.configure(&ours)?;
    right.configure(&format!(
        "[Interface]\nPrivateKey = {their_private}\nListenPort = {PORT}\n[Peer]\n\
         PublicKey = {}\nPresharedKey = {preshared}\nAllowedIPs = 10.77.0.1/32\n",
        our_private.public()
    ))?;
    for (namespace, tunicd, host) in [(&link.left, left, 1), (&link.right, right, 2)] {
        let interface = tunicd.interface();
        namespace.ip(&format!("addr add 10.77.0.{host}/24 dev {interface}"))?;
        namespace.ip(&format!("link set {interface} up"))?;
    }
    let is_there = ping::reaches(&link.left, "10.77.0.2", Duration::from_secs(20))?;
    ensure!(is_there, "no reply: {}", left.log());
    super::flood(&link.left, "10.77.0.2")
}

/// Reads the configuration in every way.
fn query(tunicd: &Tunicd) -> Result<()> {
    let interface = tunicd.interface();
    for what in ["dump", "preshared-keys", "private-key"] {
        wg(&["show", interface, what], "")?.success()?;
    }
    let shown = wg(&["showconf", interface], "")?.success()?;
    wg(&["syncconf", interface, "/dev/stdin"], &shown)?.success()?;
    let lines = uapi::request(interface, "get=1")?;
    ensure!(lines.iter().filter(|line| line.starts_with("preshared_key=")).count() > PEERS);
    let adapter = Adapter::open(interface)?;
    ensure!(adapter.configuration()?.peers.len() > PEERS);
    let transport = UnixTransport::open(interface)?;
    for room in [0, 100, 1000, 1 << 20] {
        transport.ioctl(wireguard_nt::IOCTL_GET, &[], &mut vec![0; room])?;
        let select = native::encode_select(Default::default());
        transport.ioctl(native::IOCTL_QUERY_CONFIGURATION, &select, &mut vec![0; room])?;
    }
    Ok(())
}

/// Replaces keys, and removes peers. Gives the connections by which it did so.
fn churn(tunicd: &Tunicd, keys: &mut Keys) -> Result<(Adapter<UnixTransport>, UnixStream)> {
    let interface = tunicd.interface();
    let adapter = Adapter::open(interface)?;
    let mut stream = UnixStream::connect(format!("/var/run/wireguard/{interface}.sock"))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    for round in 0..ROUNDS {
        let public = Key::from_bytes([u8::try_from(round % 50)? + 1; 32]);
        let mut peer = PeerChange::new(public.clone());
        peer.preshared_key = (round % 7 != 0).then(|| (round % 5 != 0).then(|| keys.preshared()));
        if round % 9 == 0 {
            peer.action = PeerAction::Remove;
        }
        let mut change = ConfigurationChange::default();
        if round % 50 == 0 {
            change.private_key = Some((round % 100 == 0).then(|| keys.private()));
        }
        change.peers.push(peer.clone());
        match round % 3 {
            0 => adapter.set_configuration(&change)?,
            1 => adapter.set_wireguard_configuration(&change)?,
            _ => {
                let mut text = "set=1\n".to_owned();
                if let Some(Some(key)) = &change.private_key {
                    writeln!(text, "private_key={}", hex(key))?;
                }
                writeln!(text, "public_key={}", hex(&public))?;
                if peer.action == PeerAction::Remove {
                    text.push_str("remove=true\n");
                }
                if let Some(Some(key)) = &peer.preshared_key {
                    writeln!(text, "preshared_key={}", hex(key))?;
                }
                text.push('\n');
                stream.write_all(text.as_bytes())?;
                let mut answer = [0; 9];
                stream.read_exact(&mut answer)?;
                ensure!(answer == *b"errno=0\n\n", "{}", String::from_utf8_lossy(&answer));
            }
        }
        if round % 100 == 99 {
            query_some(&adapter, interface)?;
        }
    }
    Ok((adapter, stream))
}

fn query_some<T: Transport>(adapter: &Adapter<T>, interface: &str) -> Result<()> {
    adapter.configuration()?;
    uapi::request(interface, "get=1")?;
    wg(&["show", interface, "dump"], "")?.success()?;
    Ok(())
}

/// Requests with keys that are refused, or that end in their middle.
fn spoil(tunicd: &Tunicd, keys: &mut Keys) -> Result<()> {
    let interface = tunicd.interface();
    for (start, end) in [
        ("set=1\npublic_key=", "\npreshared_key=00\n\n"),
        ("set=1\nprivate_key=", "\nlisten_port=70000\n\n"),
        ("set=1\nprivate_key=", "\nprivate_key=00\n\n"),
        ("set=1\nprivate_key=", ""),
        ("set=1\nprivate_key=", "00\n\n"),
        ("get=1\nprivate_key=", "\n\n"),
        ("", "\n\n"),
    ] {
        let path = format!("/var/run/wireguard/{interface}.sock");
        let mut stream = UnixStream::connect(path)?;
        let key = keys.private();
        write!(stream, "{start}{}{end}", hex(&key))?;
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_end(&mut Vec::new())?;
    }

    // Whole requests that the driver refuses, and part of one.
    let transport = UnixTransport::open(interface)?;
    let mut change =
        ConfigurationChange { private_key: Some(Some(keys.private())), ..Default::default() };
    let mut peer = PeerChange::new(Key::from_bytes([9; 32]));
    peer.preshared_key = Some(Some(keys.preshared()));
    change.peers.push(peer);
    let mut native_request = change.encode();
    let mut other_request = change.encode_wireguard_nt()?;
    let last = native_request.len() - 1;
    native_request[last] = 0xff;
    other_request.truncate(last);
    for code in [native::IOCTL_SET_CONFIGURATION, native::IOCTL_QUERY_ADAPTER, 0, 0x9999_9999] {
        transport.ioctl(code, &native_request, &mut [])?;
    }
    transport.ioctl(wireguard_nt::IOCTL_SET, &[], &mut other_request)?;
    transport.ioctl(wireguard_nt::IOCTL_GET, &native_request, &mut [0; 8])?;

    let mut stream = UnixStream::connect(format!("/var/run/tunic/{interface}.sock"))?;
    stream.read_exact(&mut [0; frame::ReplyHeader::SIZE])?;
    let operation = frame::Operation::Ioctl { code: native::IOCTL_SET_CONFIGURATION };
    let header = frame::RequestHeader { id: 1, operation, input_bytes: 100_000, output_bytes: 0 };
    stream.write_all(&header.encode())?;
    for _ in 0..20 {
        stream.write_all(&native_request)?;
    }
    drop(stream);
    Ok(())
}

/// Removes all peers and the private key.
fn clear(tunicd: &Tunicd) -> Result<()> {
    let adapter = Adapter::open(tunicd.interface())?;
    let change = ConfigurationChange {
        private_key: Some(None),
        replace_peers: true,
        ..ConfigurationChange::default()
    };
    adapter.set_configuration(&change)?;
    wait::until("the adapter is empty", Duration::from_secs(10), || {
        adapter.configuration().is_ok_and(|configuration| configuration.peers.is_empty())
    })
}
