//! A tunnel between `tunicd` and a real peer, both in network namespaces.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::link::{Link, Outer};
use crate::namespace::Namespace;
use crate::peer::{Implementation, Peer};
use crate::ping;
use crate::tunicd::Tunicd;
use crate::wg::{self, KeyPair};

/// Our inner addresses.
pub const OUR_V4: &str = "10.77.0.1";
/// Our inner IPv6 address.
pub const OUR_V6: &str = "fd77::1";
/// The peer's inner addresses.
pub const PEER_V4: &str = "10.77.0.2";
/// The peer's inner IPv6 address.
pub const PEER_V6: &str = "fd77::2";
/// The inner MTU: what a tunnel over IPv6 with an outer MTU of 1500 has room for.
pub const MTU: u32 = 1420;
/// Both sides' UDP port.
pub const PORT: u16 = 51820;

/// Who knows the other's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// We do.
    Us,
    /// The peer does.
    Peer,
}

/// What kind of tunnel.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The other side.
    pub implementation: Implementation,
    /// Family of the outer datagrams.
    pub outer: Outer,
    /// Whether there is a preshared key.
    pub preshared: bool,
    /// Who knows the other's address.
    pub initiator: Initiator,
    /// Where we believe the peer to be, instead of its address: a relay.
    pub via: Option<String>,
    /// Seconds between our keepalives.
    pub keepalive: Option<u16>,
    /// Further options of `tunicd`.
    pub options: Vec<&'static str>,
}

impl Setup {
    /// The plain case: we initiate over IPv4, no preshared key.
    pub fn new(implementation: Implementation) -> Self {
        Self {
            implementation,
            outer: Outer::V4,
            preshared: false,
            initiator: Initiator::Us,
            via: None,
            keepalive: None,
            options: Vec::new(),
        }
    }
}

/// Both ends, configured and up.
pub struct Tunnel {
    /// Us; dropped first.
    pub tunicd: Tunicd,
    /// The other side.
    pub peer: Peer,
    /// The namespace that `tunicd` runs in.
    pub namespace: Namespace,
    /// The namespace that the peer runs in, where it isn't a virtual machine.
    pub peer_namespace: Option<Namespace>,
    /// Our keys.
    pub our_keys: KeyPair,
    /// The peer's keys.
    pub peer_keys: KeyPair,
    setup: Setup,
    preshared_key: Option<String>,
}

impl Tunnel {
    /// Starts both sides and configures them; no packet has flowed yet.
    pub fn new(setup: Setup) -> Result<Self> {
        let (namespace, peer_namespace, peer) = match setup.implementation {
            Implementation::Kernel => {
                let namespace = Namespace::new()?;
                let peer = Peer::kernel(&namespace)?;
                (namespace, None, peer)
            }
            program => {
                let link = Link::new()?;
                let peer = Peer::start(program, &link)?;
                (link.left, Some(link.right), peer)
            }
        };
        let tunicd = Tunicd::start(&namespace, &setup.options)?;
        let preshared_key = setup.preshared.then(wg::preshared_key).transpose()?;
        let tunnel = Self {
            tunicd,
            peer,
            namespace,
            peer_namespace,
            our_keys: KeyPair::generate()?,
            peer_keys: KeyPair::generate()?,
            setup,
            preshared_key,
        };
        tunnel.configure_us()?;
        tunnel.raise_us()?;
        tunnel.configure_peer()?;
        tunnel.raise_peer()?;
        Ok(tunnel)
    }

    /// The text of our configuration.
    pub fn our_configuration(&self) -> String {
        let knows = self.setup.initiator == Initiator::Us;
        let endpoint = knows.then(|| {
            let address = Link::right_address(self.setup.outer);
            self.setup.via.clone().unwrap_or_else(|| format!("{address}:{PORT}"))
        });
        let mut text = configuration(
            &self.our_keys,
            &self.peer_keys,
            &[PEER_V4, PEER_V6],
            endpoint.as_deref(),
            self.preshared_key.as_deref(),
        );
        if let Some(seconds) = self.setup.keepalive {
            let _ = writeln!(text, "PersistentKeepalive = {seconds}");
        }
        text
    }

    /// Gives us our configuration.
    pub fn configure_us(&self) -> Result<()> {
        self.tunicd.configure(&self.our_configuration())
    }

    /// Gives our interface its addresses and brings it up.
    pub fn raise_us(&self) -> Result<()> {
        let interface = self.tunicd.interface();
        self.namespace.ip(&format!("addr add {OUR_V4}/24 dev {interface}"))?;
        self.namespace.ip(&format!("addr add {OUR_V6}/64 dev {interface} nodad"))?;
        self.namespace.ip(&format!("link set {interface} mtu {MTU} up"))?;
        Ok(())
    }

    /// The text of the peer's configuration.
    pub fn peer_configuration(&self) -> String {
        let knows = self.setup.initiator == Initiator::Peer;
        let endpoint = format!("{}:{PORT}", Link::left_address(self.setup.outer));
        configuration(
            &self.peer_keys,
            &self.our_keys,
            &[OUR_V4, OUR_V6],
            knows.then_some(endpoint.as_str()),
            self.preshared_key.as_deref(),
        )
    }

    /// Gives the peer its configuration.
    pub fn configure_peer(&self) -> Result<()> {
        self.peer.configure(&self.peer_configuration())
    }

    /// Gives the peer's interface its addresses and brings it up.
    pub fn raise_peer(&self) -> Result<()> {
        self.peer.up(&[&format!("{PEER_V4}/24"), &format!("{PEER_V6}/64")], MTU)
    }

    /// Starts our side anew after it has ended.
    pub fn replace_us(&mut self) -> Result<()> {
        let options = self.setup.options.clone();
        let tunicd = Tunicd::start(&self.namespace, &options)?;
        std::mem::replace(&mut self.tunicd, tunicd).stop()?;
        self.configure_us()?;
        self.raise_us()
    }

    /// Makes the first packet flow, from the side that knows the other's address, and waits for the
    /// handshake.
    pub fn connect(&self) -> Result<()> {
        match self.setup.initiator {
            Initiator::Us => {
                ensure!(
                    self.reaches_peer(Duration::from_secs(20))?,
                    "no reply: {}",
                    self.explain()
                );
            }
            Initiator::Peer => {
                let interface = self.peer.interface();
                // BusyBox's ping has no -i below a second for all; the retries are the handshake's.
                self.peer
                    .shell(&format!("ping -c 3 -W 5 -I {interface} {OUR_V4}"))
                    .with_context(|| self.explain())?;
            }
        }
        Ok(())
    }

    /// Whether the peer answers a ping of ours in time.
    pub fn reaches_peer(&self, timeout: Duration) -> Result<bool> {
        ping::reaches(&self.namespace, PEER_V4, timeout)
    }

    /// What both sides know, for a failed test.
    pub fn explain(&self) -> String {
        format!(
            "us: {:?}\npeer: {:?}\nlog: {}",
            self.tunicd.dump(),
            self.peer.dump(),
            self.tunicd.log()
        )
    }
}

/// A configuration with one peer, for `wg setconf`.
pub fn configuration(
    own: &KeyPair,
    other: &KeyPair,
    allowed_ips: &[&str],
    endpoint: Option<&str>,
    preshared_key: Option<&str>,
) -> String {
    let mut text = format!("[Interface]\nPrivateKey = {}\nListenPort = {PORT}\n", own.private);
    let _ = write!(text, "[Peer]\nPublicKey = {}\n", other.public);
    let _ = writeln!(text, "AllowedIPs = {}", allowed_ips.join(", "));
    if let Some(endpoint) = endpoint {
        let _ = writeln!(text, "Endpoint = {endpoint}");
    }
    if let Some(key) = preshared_key {
        let _ = writeln!(text, "PresharedKey = {key}");
    }
    text
}
