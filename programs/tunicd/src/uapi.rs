//! The cross-platform configuration protocol of WireGuard, <https://www.wireguard.com/xplatform/>,
//! over IOCTLs.
//!
//! A request is the line `get=1` or `set=1`, then for a set one `key=value` line each, then an
//! empty line. Every answer ends with an `errno=` line and an empty line.
//!
//! A set is read to its end and validated as a whole before the driver sees any of it; the driver
//! applies all of it or nothing. Where the specification leaves a choice, this is strict: a key
//! that may occur once may not be repeated, and `replace_allowed_ips` stands before the new allowed
//! IPs.

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use nix::net::if_::if_nametoindex;
use tunic::hex::Hex;
use tunic::status::{
    STATUS_ACCESS_DENIED, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_ADDRESS_COMPONENT, STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY,
    STATUS_NO_SUCH_DEVICE, STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SHARING_VIOLATION,
    STATUS_TOO_MANY_NODES,
};
use tunic::{
    Adapter, AllowedIpChange, Configuration, ConfigurationChange, Error, Key, PeerAction,
    PeerChange, Transport,
};
use zeroize::Zeroizing;

/// An error number of Linux's `errno.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// The request is malformed.
    pub const EINVAL: Self = Self(libc::EINVAL);

    /// The error number for an error of the SDK.
    fn of(error: &Error) -> Self {
        Self(match error {
            Error::NoAdapter(_) => libc::ENODEV,
            Error::Transport(error) => error.raw_os_error().unwrap_or(libc::EIO),
            Error::TooLarge => libc::E2BIG,
            Error::Refused(status) => match *status {
                STATUS_NOT_IMPLEMENTED | STATUS_NOT_SUPPORTED => libc::EOPNOTSUPP,
                STATUS_INVALID_PARAMETER => libc::EINVAL,
                STATUS_NO_MEMORY | STATUS_INSUFFICIENT_RESOURCES => libc::ENOMEM,
                STATUS_ACCESS_DENIED => libc::EACCES,
                STATUS_OBJECT_NAME_NOT_FOUND | STATUS_NO_SUCH_DEVICE => libc::ENODEV,
                STATUS_INVALID_ADDRESS_COMPONENT => libc::EADDRNOTAVAIL,
                STATUS_OBJECT_NAME_COLLISION
                | STATUS_SHARING_VIOLATION
                | STATUS_ADDRESS_ALREADY_EXISTS => libc::EADDRINUSE,
                STATUS_TOO_MANY_NODES => libc::ENOSPC,
                _ => libc::EIO,
            },
            _ => libc::EIO,
        })
    }
}

/// Sets the firewall mark of the sockets.
type SetMark = Box<dyn Fn(u32) -> io::Result<()> + Send + Sync>;

/// The server side of the protocol.
pub struct Uapi<T> {
    adapter: Adapter<T>,
    fwmark: Mutex<u32>,
    set_mark: SetMark,
}

impl<T: Transport> Uapi<T> {
    /// Serves this adapter. The driver has no firewall mark: it is kept here, and `set_mark` sets
    /// it on the sockets.
    pub fn new(
        adapter: Adapter<T>,
        set_mark: impl Fn(u32) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { adapter, fwmark: Mutex::new(0), set_mark: Box::new(set_mark) }
    }

    /// Answers a request, given as its lines without the empty line at the end.
    pub fn answer(&self, request: &str) -> Zeroizing<String> {
        let (text, errno) = match self.try_answer(request) {
            Ok(text) => (text, 0),
            // The specification leaves the sign open. wg(8) names the error of a set only where it
            // is negative, as wireguard-go has it, and that of a get only where it is positive
            // ("Unknown error", "Protocol error" otherwise).
            Err(Errno(errno)) if request.starts_with("set") => (Zeroizing::default(), -errno),
            Err(Errno(errno)) => (Zeroizing::default(), errno),
        };
        let mut answer = text;
        let _ = write!(answer, "errno={errno}\n\n");
        answer
    }

    fn try_answer(&self, request: &str) -> Result<Zeroizing<String>, Errno> {
        let (operation, lines) = request.split_once('\n').unwrap_or((request, ""));
        match operation {
            "get=1" if lines.is_empty() => {
                let configuration =
                    self.adapter.configuration().map_err(|error| Errno::of(&error))?;
                Ok(print(&configuration, *self.fwmark()))
            }
            "set=1" => self.set(&parse(lines)?).map(|()| Zeroizing::default()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Applies a set. The mark comes first, as it can be undone and the driver's part cannot.
    fn set(&self, set: &Set) -> Result<(), Errno> {
        let mut current = self.fwmark();
        let fwmark = set.fwmark.unwrap_or(*current);
        (self.set_mark)(fwmark)
            .map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EIO)))?;
        // WireGuardNT's ABI, unlike the native one, accepts every peer that wg(8) may name.
        let result = self.adapter.set_wireguard_configuration(&set.change);
        if let Err(error) = result {
            // The previous mark was accepted before.
            let _ = (self.set_mark)(*current);
            return Err(Errno::of(&error));
        }
        *current = fwmark;
        Ok(())
    }

    fn fwmark(&self) -> MutexGuard<'_, u32> {
        self.fwmark.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A parsed set.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The change for the driver.
    pub change: ConfigurationChange,
    /// The mark of outgoing UDP packets; 0 for none.
    pub fwmark: Option<u32>,
}

/// Parses the lines of a set: all of them, or an error.
pub fn parse(lines: &str) -> Result<Set, Errno> {
    let mut set = Set::default();
    for line in lines.split_terminator('\n') {
        let (key, value) = line.split_once('=').ok_or(Errno::EINVAL)?;
        if key == "public_key" {
            set.change.peers.push(PeerChange::new(parse_key(value)?));
        } else if let Some(peer) = set.change.peers.last_mut() {
            parse_peer_line(peer, key, value)?;
        } else {
            parse_interface_line(&mut set, key, value)?;
        }
    }
    Ok(set)
}

fn parse_interface_line(set: &mut Set, key: &str, value: &str) -> Result<(), Errno> {
    let change = &mut set.change;
    match key {
        "private_key" => once(&mut change.private_key, parse_optional_key(value)?),
        "listen_port" => once(&mut change.listen_port, parse_number(value)?),
        "fwmark" => once(&mut set.fwmark, parse_number(value)?),
        "replace_peers" => once_true(&mut change.replace_peers, value),
        _ => Err(Errno::EINVAL),
    }
}

fn parse_peer_line(peer: &mut PeerChange, key: &str, value: &str) -> Result<(), Errno> {
    match key {
        "remove" => {
            let mut remove = peer.action == PeerAction::Remove;
            once_true(&mut remove, value)?;
            peer.action = PeerAction::Remove;
            Ok(())
        }
        "update_only" => {
            let mut update_only = peer.action == PeerAction::UpdateOnly;
            once_true(&mut update_only, value)?;
            // Removing a peer that does not exist has no effect, either.
            if peer.action == PeerAction::CreateOrUpdate {
                peer.action = PeerAction::UpdateOnly;
            }
            Ok(())
        }
        "preshared_key" => once(&mut peer.preshared_key, parse_optional_key(value)?),
        "endpoint" => once(&mut peer.endpoint, parse_endpoint(value)?),
        "persistent_keepalive_interval" => {
            once(&mut peer.persistent_keepalive_s, parse_number(value)?)
        }
        "replace_allowed_ips" if peer.allowed_ips.is_empty() => {
            once_true(&mut peer.replace_allowed_ips, value)
        }
        "allowed_ip" => {
            // The prefix length is mandatory here, unlike in the SDK.
            let change = value.parse::<AllowedIpChange>().map_err(|_| Errno::EINVAL)?;
            if !value.contains('/') {
                return Err(Errno::EINVAL);
            }
            peer.allowed_ips.push(change);
            Ok(())
        }
        "protocol_version" if value == "1" => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

fn once<V>(place: &mut Option<V>, value: V) -> Result<(), Errno> {
    if place.is_some() {
        return Err(Errno::EINVAL);
    }
    *place = Some(value);
    Ok(())
}

fn once_true(place: &mut bool, value: &str) -> Result<(), Errno> {
    if *place || value != "true" {
        return Err(Errno::EINVAL);
    }
    *place = true;
    Ok(())
}

fn parse_key(digits: &str) -> Result<Key, Errno> {
    Key::from_hex(digits).map_err(|_| Errno::EINVAL)
}

/// A key; all zeroes mean none.
fn parse_optional_key(digits: &str) -> Result<Option<Key>, Errno> {
    Ok(Some(parse_key(digits)?).filter(|key| !key.is_zero()))
}

/// A decimal number without sign.
fn parse_number<N: std::str::FromStr>(digits: &str) -> Result<N, Errno> {
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Errno::EINVAL);
    }
    digits.parse().map_err(|_| Errno::EINVAL)
}

/// `1.2.3.4:5`, `[2001:db8::1]:5` or `[fe80::1%eth0]:5`.
fn parse_endpoint(text: &str) -> Result<SocketAddr, Errno> {
    let endpoint = text.parse().or_else(|_| parse_scoped_endpoint(text))?;
    if endpoint.port() == 0 {
        return Err(Errno::EINVAL);
    }
    Ok(endpoint)
}

/// An IPv6 endpoint whose scope is an interface name.
fn parse_scoped_endpoint(text: &str) -> Result<SocketAddr, Errno> {
    let parse = || {
        let (host, port) = text.strip_prefix('[')?.split_once("]:")?;
        let (address, interface) = host.split_once('%')?;
        let scope_id = if_nametoindex(interface).ok()?;
        let port = parse_number(port).ok()?;
        Some(SocketAddrV6::new(address.parse().ok()?, port, 0, scope_id).into())
    };
    parse().ok_or(Errno::EINVAL)
}

/// Writes the lines of the answer to a get.
pub fn print(configuration: &Configuration, fwmark: u32) -> Zeroizing<String> {
    // Allocated once: growing would leave copies of the keys in freed memory.
    let allowed_ips: usize = configuration.peers.iter().map(|peer| peer.allowed_ips.len()).sum();
    let capacity = 256 + configuration.peers.len() * 512 + allowed_ips * 64;
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    if let Some(key) = &configuration.private_key {
        print_key(&mut text, "private_key", key);
    }
    if let Some(port) = configuration.listen_port {
        print_line(&mut text, "listen_port", port);
    }
    if fwmark != 0 {
        print_line(&mut text, "fwmark", fwmark);
    }
    for peer in &configuration.peers {
        print_key(&mut text, "public_key", &peer.public_key);
        if let Some(key) = &peer.preshared_key {
            print_key(&mut text, "preshared_key", key);
        }
        print_line(&mut text, "protocol_version", 1);
        if let Some(endpoint) = peer.endpoint {
            print_line(&mut text, "endpoint", unmapped(endpoint));
        }
        let handshake = peer
            .last_handshake
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
            .unwrap_or_default();
        print_line(&mut text, "last_handshake_time_sec", handshake.as_secs());
        print_line(&mut text, "last_handshake_time_nsec", handshake.subsec_nanos());
        print_line(&mut text, "tx_bytes", peer.tx_bytes);
        print_line(&mut text, "rx_bytes", peer.rx_bytes);
        print_line(&mut text, "persistent_keepalive_interval", peer.persistent_keepalive_s);
        for network in &peer.allowed_ips {
            print_line(&mut text, "allowed_ip", network);
        }
    }
    text
}

fn print_line(text: &mut String, key: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{key}={value}");
}

fn print_key(text: &mut String, name: &str, key: &Key) {
    print_line(text, name, Hex(key.as_bytes()));
}

/// Writes an IPv4-mapped address as an IPv4 address.
fn unmapped(endpoint: SocketAddr) -> SocketAddr {
    match endpoint.ip().to_canonical() {
        address @ IpAddr::V4(_) => SocketAddr::new(address, endpoint.port()),
        IpAddr::V6(_) => endpoint,
    }
}
