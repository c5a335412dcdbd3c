//! `wg.exe` by WireGuardNT's ABI.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tunic_tests::cases::at_once;
use tunic_tests::link::{Link, Outer};
use tunic_tests::namespace::unique;
use tunic_tests::peer::{Implementation, Peer};
use tunic_tests::ping;
use tunic_tests::require::{self, Need};
use tunic_tests::tunnel::{self, OUR_V4, OUR_V6, PEER_V4, PEER_V6, PORT};
use tunic_tests::wg::{Dump, KeyPair};
use tunic_tests::windows::{Adapter, Form, Kind, NEEDS, WG, Windows};

/// What it is given at once.
const PEERS: u32 = 1000;
const PATIENCE: Duration = Duration::from_secs(30);
/// How often two dumps are compared: a counter may change between them.
const DUMPS: u32 = 10;

#[test]
fn wg_exe_configures_adapters() -> Result<()> {
    let more = [
        WG,
        Need::Program("wg", "wireguard-tools"),
        Need::Program("wireguard-go", "wireguard-go"),
        Need::Program("ping", "iputils-ping"),
    ];
    if !require::all("wg_exe_configures_adapters", &[&NEEDS[..], &more].concat()) {
        return Ok(());
    }
    let link = Link::new()?;
    let start = |form| Adapter::start(&link.left, Kind::WireGuard, form);
    let windows = Windows::boot(&link.left, vec![start(Form::Image)?, start(Form::Linked)?])?;
    let shown = Wg::new(&windows, &windows.adapters()[0])?.run(&["show", "interfaces"], "")?;
    for adapter in windows.adapters() {
        ensure!(shown.contains(adapter.interface()), "{shown}");
    }
    at_once(&[0, 1], |index| {
        let wg = Wg::new(&windows, &windows.adapters()[*index])?;
        many_peers(&wg)?;
        one_peer_at_a_time(&wg)
    })?;
    a_tunnel(&Wg::new(&windows, &windows.adapters()[0])?, &link)?;
    windows.stop()
}

/// `wg.exe` for one adapter.
struct Wg<'a> {
    windows: &'a Windows<'a>,
    interface: &'a str,
    folder: PathBuf,
}

impl<'a> Wg<'a> {
    fn new(windows: &'a Windows<'a>, adapter: &'a Adapter) -> Result<Self> {
        let folder = require::scratch().join(unique("wgx"));
        fs::create_dir(&folder)?;
        Ok(Self { windows, interface: adapter.interface(), folder })
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        let output = self.windows.wg(&self.folder, arguments, input)?.success();
        // Its files are in text mode.
        Ok(output.with_context(|| format!("{arguments:?}"))?.replace("\r\n", "\n"))
    }

    /// `setconf` or `syncconf` with this text.
    fn configure(&self, how: &str, text: &str) -> Result<()> {
        fs::write(self.folder.join("conf"), text)?;
        self.run(&[how, self.interface, "conf"], "").map(|_| ())
    }

    /// `show dump`, which must be what the stock `wg` of Linux shows of the adapter by its socket.
    fn dump(&self) -> Result<Dump> {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        for _ in 0..DUMPS {
            let dump = self.run(&["show", self.interface, "dump"], "")?;
            let on_linux = tunic_tests::wg::wg(&["show", self.interface, "dump"], "")?.success()?;
            if lines(&dump) == lines(&on_linux) {
                return Dump::parse(&dump);
            }
        }
        bail!("wg.exe and wg never show the same of {}", self.interface)
    }

    fn key_pair(&self) -> Result<KeyPair> {
        let private = self.run(&["genkey"], "")?.trim().to_owned();
        let public = self.run(&["pubkey"], &format!("{private}\n"))?.trim().to_owned();
        let on_linux = tunic_tests::wg::wg(&["pubkey"], &private)?.success()?;
        ensure!(on_linux.trim() == public, "{private} has {public}, not {on_linux}");
        Ok(KeyPair { private, public })
    }
}

impl Drop for Wg<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A thousand peers are set at once, shown, saved, and set again from what was saved.
fn many_peers(wg: &Wg<'_>) -> Result<()> {
    let ours = wg.key_pair()?;
    let mut text = format!("[Interface]\nPrivateKey = {}\n", ours.private);
    for number in 0..PEERS {
        let (high, low) = (number >> 8, number & 0xff);
        let _ = writeln!(
            text,
            "[Peer]\nPublicKey = {}\nAllowedIPs = 10.{high}.{low}.0/24, fd00:{number:x}::/64\n\
             Endpoint = 192.0.2.{low}:{}\nPersistentKeepalive = {}",
            public_key(number),
            1 + number,
            1 + number,
        );
    }
    wg.configure("setconf", &text)?;
    let dump = wg.dump()?;
    ensure!(dump.peers.len() == PEERS as usize, "{} peers", dump.peers.len());
    for number in [0, 1, 255, 256, PEERS - 1] {
        let key = public_key(number);
        let peer = dump.peers.iter().find(|peer| peer.public_key == key).context("it is shown")?;
        let (high, low) = (number >> 8, number & 0xff);
        ensure!(peer.endpoint == format!("192.0.2.{low}:{}", 1 + number), "{peer:?}");
        let mut ips: Vec<_> = peer.allowed_ips.split(',').collect();
        ips.sort_unstable();
        ensure!(ips == [format!("10.{high}.{low}.0/24"), net6(number)], "{peer:?}");
        ensure!(peer.keepalive == (1 + number).to_string(), "{peer:?}");
    }
    let saved = wg.run(&["showconf", wg.interface], "")?;
    ensure!(saved.contains(&ours.private) && saved.matches("[Peer]").count() == PEERS as usize);
    wg.configure("setconf", &saved)?;
    ensure!(format!("{:?}", wg.dump()?.peers) == format!("{:?}", dump.peers));
    Ok(())
}

/// Peers come, change and go by `set`, and by `syncconf`, which touches only what differs.
fn one_peer_at_a_time(wg: &Wg<'_>) -> Result<()> {
    let (stays, goes) = (public_key(1), public_key(2));
    let text = |keepalive: u32| {
        format!(
            "[Peer]\nPublicKey={stays}\nAllowedIPs=10.0.1.0/24\nPersistentKeepalive={keepalive}\n"
        )
    };
    let two = format!("{}[Peer]\nPublicKey={goes}\nAllowedIPs=10.0.2.0/24\n", text(5));
    wg.configure("syncconf", &two)?;
    ensure!(wg.dump()?.peers.len() == 2);
    wg.configure("syncconf", &text(9))?;
    let dump = wg.dump()?;
    ensure!(dump.peers.len() == 1 && dump.peer()?.keepalive == "9", "{dump:?}");
    // `set` adds, changes and removes.
    let psk = wg.run(&["genpsk"], "")?;
    fs::write(wg.folder.join("psk"), &psk)?;
    let set = |arguments: &[&str]| wg.run(&[&["set", wg.interface][..], arguments].concat(), "");
    set(&["peer", &goes, "allowed-ips", "10.0.1.128/25,::/0", "endpoint", "[2001:db8::1]:7"])?;
    set(&["peer", &goes, "preshared-key", "psk", "persistent-keepalive", "off"])?;
    let dump = wg.dump()?;
    let peer = dump.peers.iter().find(|peer| peer.public_key == goes).context("it is there")?;
    ensure!(peer.endpoint == "[2001:db8::1]:7" && peer.preshared_key == psk.trim(), "{peer:?}");
    set(&["peer", &goes, "remove", "peer", &stays, "remove"])?;
    ensure!(wg.dump()?.peers.is_empty());
    // What is wrong is refused, and changes nothing.
    let wrong = wg.windows.wg(&wg.folder, &["set", "none", "listen-port", "1"], "")?;
    ensure!(!wrong.status.success(), "there is no such interface: {wrong:?}");
    Ok(())
}

/// The tunnel that it configured carries packets.
fn a_tunnel(wg: &Wg<'_>, link: &Link) -> Result<()> {
    let peer = Peer::start(Implementation::WireguardGo, link)?;
    let (ours, theirs) = (wg.key_pair()?, wg.key_pair()?);
    let endpoint = format!("{}:{PORT}", Link::right_address(Outer::V4));
    wg.configure(
        "setconf",
        &tunnel::configuration(&ours, &theirs, &[PEER_V4, PEER_V6], Some(&endpoint), None),
    )?;
    peer.configure(&tunnel::configuration(&theirs, &ours, &[OUR_V4, OUR_V6], None, None))?;
    peer.up(&[&format!("{PEER_V4}/24"), &format!("{PEER_V6}/64")], tunnel::MTU)?;
    let namespace = wg.windows.namespace();
    namespace.ip(&format!("addr add {OUR_V4}/24 dev {}", wg.interface))?;
    namespace.ip(&format!("addr add {OUR_V6}/64 dev {} nodad", wg.interface))?;
    namespace.ip(&format!("link set {} mtu {} up", wg.interface, tunnel::MTU))?;
    for inner in [PEER_V4, PEER_V6] {
        ensure!(ping::reaches(namespace, inner, PATIENCE)?, "no reply from {inner}");
        let lost = ping::lost(namespace, inner, 20, &[])?;
        ensure!(lost.is_empty(), "no reply from {inner} to {lost:?}");
    }
    let dump = wg.dump()?;
    let peer = dump.peer()?;
    ensure!(peer.latest_handshake > 0 && peer.received > 2000 && peer.sent > 2000, "{peer:?}");
    let shown = wg.run(&["show", wg.interface], "")?;
    ensure!(shown.contains("latest handshake:"), "{shown}");
    Ok(())
}

/// A public key for a number: any 32 bytes are one.
fn public_key(number: u32) -> String {
    let mut bytes = [9; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    tunic::Key::from_bytes(bytes).to_string()
}

fn net6(number: u32) -> String {
    if number == 0 { "fd00::/64".into() } else { format!("fd00:{number:x}::/64") }
}
