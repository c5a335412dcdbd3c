//! The ABI of WireGuardNT: what `wg.exe` and `wireguard.dll` send to the adapter's own device.
//!
//! A configuration is one interface record, and then for each peer its record followed at once by its allowed IPs. Sizes are
//! multiples of 8, so there are no gaps.
//!
//! Where this decoder is stricter than WireGuardNT, which skips or half-applies: unknown flags of interface and peer,
//! endpoints of unknown family (`AF_UNSPEC` is no endpoint) and endpoints with port 0 are refused. An all-zero private key clears
//! the identity, as on Linux.

use core::mem::offset_of;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::bytes::{array, put, u8_at, u16_at, u32_at};
use crate::code::{Method, READ_ACCESS, WRITE_ACCESS, control_code};
use crate::command::{
    Abi, AdapterState, AllowedIpChange, AllowedIps, Command, Configure, KeyChange, PeerAction,
    PeerChange, Peers,
};
use crate::configuration::{InterfaceInfo, PeerInfo};
use crate::{DecodeError, DecodeErrorKind, KEY_BYTES};

const DEVICE_TYPE: u32 = 0xB098;
const READ_WRITE: u32 = READ_ACCESS | WRITE_ACCESS;

/// Reads the configuration.
pub const IOCTL_GET: u32 = control_code(DEVICE_TYPE, 321, Method::OutDirect, READ_WRITE);
/// Changes the configuration.
pub const IOCTL_SET: u32 = control_code(DEVICE_TYPE, 322, Method::InDirect, READ_WRITE);
/// Brings the adapter up or down, or asks whether it is up.
pub const IOCTL_SET_ADAPTER_STATE: u32 =
    control_code(DEVICE_TYPE, 323, Method::Buffered, READ_WRITE);
/// Waits for a log line.
pub const IOCTL_READ_LOG_LINE: u32 = control_code(DEVICE_TYPE, 324, Method::Buffered, READ_WRITE);

const _: () = {
    assert!(IOCTL_GET == 0xB098_C506);
    assert!(IOCTL_SET == 0xB098_C509);
    assert!(IOCTL_SET_ADAPTER_STATE == 0xB098_C50C);
    assert!(IOCTL_READ_LOG_LINE == 0xB098_C510);
};

record! {
    /// An interface.
    pub struct Interface = "TUNIC_WG_INTERFACE", 80 {
        /// INTERFACE_* bits.
        flags: u32 = 0,
        /// UDP port, host byte order.
        listen_port: u16 = 4,
        /// Private key.
        private_key: [u8; 32] = 6,
        /// Public key; output only.
        public_key: [u8; 32] = 38,
        /// Peers that follow.
        peers_count: u32 = 72,
    }
}

/// A `SOCKADDR_INET` (ws2ipdef.h): family in host order, port in network order, then for IPv4 the address, for IPv6 flow
/// information, address and scope.
#[derive(Clone, Copy)]
#[repr(C, align(4))]
pub struct SockaddrInet(pub [u8; 28]);

record! {
    /// A peer.
    pub struct Peer = "TUNIC_WG_PEER", 136 {
        /// PEER_* bits.
        flags: u32 = 0,
        /// 0 for the latest, or 1.
        protocol_version: u32 = 4,
        /// Public key: which peer.
        public_key: [u8; 32] = 8,
        /// Preshared key; zeroes for none.
        preshared_key: [u8; 32] = 40,
        /// Seconds; 0 is off.
        persistent_keepalive: u16 = 72,
        /// SOCKADDR_INET.
        endpoint: SockaddrInet = 76,
        /// Bytes sent.
        tx_bytes: u64 = 104,
        /// Bytes received.
        rx_bytes: u64 = 112,
        /// 100 ns units since 1601-01-01 UTC; 0 for never.
        last_handshake: u64 = 120,
        /// Allowed IPs that follow.
        allowed_ips_count: u32 = 128,
    }
}

record! {
    /// An allowed IP.
    pub struct AllowedIp = "TUNIC_WG_ALLOWED_IP", 24 {
        /// 4 or 16 bytes, network byte order.
        address: [u8; 16] = 0,
        /// AF_INET or AF_INET6.
        address_family: u16 = 16,
        /// Prefix length.
        cidr: u8 = 18,
        /// ALLOWED_IP_* bits.
        flags: u32 = 20,
    }
}

record! {
    /// A line of the log.
    pub struct LogEntry = "TUNIC_WG_LOG_ENTRY", 128 {
        /// 100 ns units since 1601-01-01 UTC.
        timestamp: u64 = 0,
        /// '1' error, '2' warning or '3' information, then the text, NUL-terminated.
        message: [u8; 120] = 8,
    }
}

/// The identity is known.
pub const INTERFACE_HAS_PUBLIC_KEY: u32 = 0x1;
/// The private key counts.
pub const INTERFACE_HAS_PRIVATE_KEY: u32 = 0x2;
/// The port counts.
pub const INTERFACE_HAS_LISTEN_PORT: u32 = 0x4;
/// Remove all peers first.
pub const INTERFACE_REPLACE_PEERS: u32 = 0x8;
const INTERFACE_FLAGS: u32 = 0xF;

/// The public key counts; mandatory.
pub const PEER_HAS_PUBLIC_KEY: u32 = 0x1;
/// The preshared key counts.
pub const PEER_HAS_PRESHARED_KEY: u32 = 0x2;
/// The keepalive interval counts.
pub const PEER_HAS_PERSISTENT_KEEPALIVE: u32 = 0x4;
/// The endpoint counts.
pub const PEER_HAS_ENDPOINT: u32 = 0x8;
/// The protocol version counts.
pub const PEER_HAS_PROTOCOL_VERSION: u32 = 0x10;
/// Remove all allowed IPs first.
pub const PEER_REPLACE_ALLOWED_IPS: u32 = 0x20;
/// Remove the peer.
pub const PEER_REMOVE: u32 = 0x40;
/// Skip the peer where it is not known.
pub const PEER_UPDATE_ONLY: u32 = 0x80;
const PEER_FLAGS: u32 = 0xFF;

/// Remove the allowed IP.
pub const ALLOWED_IP_REMOVE: u32 = 0x1;

/// Bring down.
pub const STATE_DOWN: u32 = 0;
/// Bring up.
pub const STATE_UP: u32 = 1;
/// Ask.
pub const STATE_QUERY: u32 = 2;

/// The most peers of an adapter.
pub const MAX_PEERS: u32 = 1 << 20;

/// Windows' `AF_INET`.
pub const AF_INET: u16 = 2;
/// Windows' `AF_INET6`.
pub const AF_INET6: u16 = 23;

/// Decodes an IOCTL of this ABI; `None` where the code is not of it.
pub fn decode(code: u32, input: &[u8]) -> Result<Option<Command<'_>>, DecodeError> {
    Ok(Some(match code {
        IOCTL_GET => Command::QueryConfiguration(Abi::WireGuardNt),
        IOCTL_SET => Command::Configure(configure(input)?),
        IOCTL_SET_ADAPTER_STATE => state(input)?,
        IOCTL_READ_LOG_LINE => Command::ReadLogLine,
        _ => return Ok(None),
    }))
}

/// Decodes and judges a whole configuration. Bytes behind the last record are allowed.
pub fn configure(bytes: &[u8]) -> Result<Configure<'_>, DecodeError> {
    let flags = u32_at(bytes, offset_of!(Interface, flags))?;
    require_flags(flags, INTERFACE_FLAGS, 0)?;
    let listen_port = u16_at(bytes, offset_of!(Interface, listen_port))?;
    let private_key = array(bytes, offset_of!(Interface, private_key))?;
    let peers_count_offset = offset_of!(Interface, peers_count);
    let peers_count = u32_at(bytes, peers_count_offset)?;
    array::<{ Interface::SIZE }>(bytes, 0)?;
    if peers_count > MAX_PEERS {
        return Err(DecodeError::new(DecodeErrorKind::TooManyPeers, peers_count_offset));
    }
    let mut configure = Configure {
        listen_port: (flags & INTERFACE_HAS_LISTEN_PORT != 0).then_some(listen_port),
        replace_peers: flags & INTERFACE_REPLACE_PEERS != 0,
        private_key: (flags & INTERFACE_HAS_PRIVATE_KEY != 0).then(|| key_change(private_key)),
        peers: Peers {
            abi: Abi::WireGuardNt,
            bytes,
            offset: Interface::SIZE,
            remaining: peers_count,
        },
        consumed_bytes: 0,
    };
    configure.validate()?;
    Ok(configure)
}

/// Writes a log entry; `text` is cut to 119 bytes. False where `output` is shorter than 128 bytes.
pub fn encode_log_entry(timestamp_filetime: u64, text: &[u8], output: &mut [u8]) -> bool {
    let Some(record) = output.first_chunk_mut::<{ LogEntry::SIZE }>() else {
        return false;
    };
    record.fill(0);
    put(record, offset_of!(LogEntry, timestamp), &timestamp_filetime.to_le_bytes());
    let text = text.get(..119).unwrap_or(text);
    put(record, offset_of!(LogEntry, message), text);
    true
}

pub(crate) fn next_peer<'a>(peers: &mut Peers<'a>) -> Result<Option<PeerChange<'a>>, DecodeError> {
    let Some(remaining) = peers.remaining.checked_sub(1) else {
        return Ok(None);
    };
    let (bytes, start) = (peers.bytes, peers.offset);
    let record: &[u8; Peer::SIZE] = array(bytes, start)?;
    let flags = u32_at(record, offset_of!(Peer, flags))?;
    require_flags(flags, PEER_FLAGS, start)?;
    if flags & PEER_HAS_PUBLIC_KEY == 0 {
        return Err(DecodeError::new(DecodeErrorKind::MissingPublicKey, start));
    }
    let version = u32_at(record, offset_of!(Peer, protocol_version))?;
    if flags & PEER_HAS_PROTOCOL_VERSION != 0 && version > 1 {
        return Err(DecodeError::new(
            DecodeErrorKind::UnsupportedVersion,
            start.saturating_add(offset_of!(Peer, protocol_version)),
        ));
    }
    let endpoint = if flags & PEER_HAS_ENDPOINT != 0 {
        decode_sockaddr(bytes, start.saturating_add(offset_of!(Peer, endpoint)))?
    } else {
        None
    };
    let keepalive = u16_at(record, offset_of!(Peer, persistent_keepalive))?;
    let preshared_key = array(record, offset_of!(Peer, preshared_key))?;
    let count = u32_at(record, offset_of!(Peer, allowed_ips_count))?;
    let first = start.saturating_add(Peer::SIZE);
    let end = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(AllowedIp::SIZE))
        .and_then(|size| first.checked_add(size))
        .filter(|&end| end <= bytes.len())
        .ok_or(DecodeError::new(
            DecodeErrorKind::Truncated,
            start.saturating_add(offset_of!(Peer, allowed_ips_count)),
        ))?;
    peers.remaining = remaining;
    peers.offset = end;
    Ok(Some(PeerChange {
        public_key: array(record, offset_of!(Peer, public_key))?,
        action: match flags & (PEER_REMOVE | PEER_UPDATE_ONLY) {
            0 => PeerAction::CreateOrUpdate,
            PEER_UPDATE_ONLY => PeerAction::UpdateOnly,
            _ => PeerAction::Remove,
        },
        preshared_key: (flags & PEER_HAS_PRESHARED_KEY != 0).then(|| key_change(preshared_key)),
        endpoint,
        replace_allowed_ips: flags & PEER_REPLACE_ALLOWED_IPS != 0,
        persistent_keepalive_s: (flags & PEER_HAS_PERSISTENT_KEEPALIVE != 0).then_some(keepalive),
        allowed_ips: AllowedIps { abi: Abi::WireGuardNt, bytes, offset: first, remaining: count },
    }))
}

pub(crate) fn next_allowed_ip(
    allowed_ips: &mut AllowedIps<'_>,
) -> Result<Option<AllowedIpChange>, DecodeError> {
    let Some(remaining) = allowed_ips.remaining.checked_sub(1) else {
        return Ok(None);
    };
    let start = allowed_ips.offset;
    let record: &[u8; AllowedIp::SIZE] = array(allowed_ips.bytes, start)?;
    let address: &[u8; 16] = array(record, offset_of!(AllowedIp, address))?;
    let address = match u16_at(record, offset_of!(AllowedIp, address_family))? {
        AF_INET => IpAddr::V4(Ipv4Addr::from(*array::<4>(address, 0)?)),
        AF_INET6 => IpAddr::V6(Ipv6Addr::from(*address)),
        _ => {
            return Err(DecodeError::new(
                DecodeErrorKind::BadAddressFamily,
                start.saturating_add(offset_of!(AllowedIp, address_family)),
            ));
        }
    };
    let prefix_length = u8_at(record, offset_of!(AllowedIp, cidr))?;
    // Only the one bit counts: callers built before the word had a meaning leave garbage in it.
    let remove = u32_at(record, offset_of!(AllowedIp, flags))? & ALLOWED_IP_REMOVE != 0;
    let change = AllowedIpChange::new(address, prefix_length, remove).ok_or(DecodeError::new(
        DecodeErrorKind::BadPrefixLength,
        start.saturating_add(offset_of!(AllowedIp, cidr)),
    ))?;
    allowed_ips.remaining = remaining;
    allowed_ips.offset = start.saturating_add(AllowedIp::SIZE);
    Ok(Some(change))
}

/// A change of an interface as a record, for [`IOCTL_SET`]; `peers_count` records of peers are to follow.
pub fn encode_interface(
    listen_port: Option<u16>,
    private_key: Option<KeyChange<'_>>,
    replace_peers: bool,
    peers_count: u32,
) -> [u8; Interface::SIZE] {
    let mut record = [0; Interface::SIZE];
    let mut flags = 0;
    if let Some(port) = listen_port {
        flags |= INTERFACE_HAS_LISTEN_PORT;
        put(&mut record, offset_of!(Interface, listen_port), &port.to_le_bytes());
    }
    if let Some(change) = private_key {
        flags |= INTERFACE_HAS_PRIVATE_KEY;
        put_key(&mut record, offset_of!(Interface, private_key), change);
    }
    if replace_peers {
        flags |= INTERFACE_REPLACE_PEERS;
    }
    put(&mut record, offset_of!(Interface, flags), &flags.to_le_bytes());
    put(&mut record, offset_of!(Interface, peers_count), &peers_count.to_le_bytes());
    record
}

/// A change of a peer as a record, for [`IOCTL_SET`]; its own allowed IPs do not count, but `allowed_ips_count`, which
/// says how many records are to follow.
pub fn encode_peer(peer: &PeerChange<'_>, allowed_ips_count: u32) -> [u8; Peer::SIZE] {
    let mut record = [0; Peer::SIZE];
    let mut flags = PEER_HAS_PUBLIC_KEY;
    put(&mut record, offset_of!(Peer, public_key), peer.public_key);
    if let Some(change) = peer.preshared_key {
        flags |= PEER_HAS_PRESHARED_KEY;
        put_key(&mut record, offset_of!(Peer, preshared_key), change);
    }
    if let Some(seconds) = peer.persistent_keepalive_s {
        flags |= PEER_HAS_PERSISTENT_KEEPALIVE;
        put(&mut record, offset_of!(Peer, persistent_keepalive), &seconds.to_le_bytes());
    }
    if let Some(endpoint) = &peer.endpoint {
        flags |= PEER_HAS_ENDPOINT;
        put(&mut record, offset_of!(Peer, endpoint), &encode_sockaddr(endpoint));
    }
    if peer.replace_allowed_ips {
        flags |= PEER_REPLACE_ALLOWED_IPS;
    }
    flags |= match peer.action {
        PeerAction::CreateOrUpdate => 0,
        PeerAction::UpdateOnly => PEER_UPDATE_ONLY,
        PeerAction::Remove => PEER_REMOVE,
    };
    put(&mut record, offset_of!(Peer, flags), &flags.to_le_bytes());
    put(&mut record, offset_of!(Peer, allowed_ips_count), &allowed_ips_count.to_le_bytes());
    record
}

/// An allowed IP as a record.
pub fn encode_allowed_ip(
    address: IpAddr,
    prefix_length: u8,
    remove: bool,
) -> [u8; AllowedIp::SIZE] {
    let mut record = [0; AllowedIp::SIZE];
    let family = match address {
        IpAddr::V4(v4) => {
            put(&mut record, offset_of!(AllowedIp, address), &v4.octets());
            AF_INET
        }
        IpAddr::V6(v6) => {
            put(&mut record, offset_of!(AllowedIp, address), &v6.octets());
            AF_INET6
        }
    };
    put(&mut record, offset_of!(AllowedIp, address_family), &family.to_le_bytes());
    put(&mut record, offset_of!(AllowedIp, cidr), &[prefix_length]);
    let flags = if remove { ALLOWED_IP_REMOVE } else { 0 };
    put(&mut record, offset_of!(AllowedIp, flags), &flags.to_le_bytes());
    record
}

/// An interface as a record, for the answer to [`IOCTL_GET`].
pub(crate) fn encode_interface_info(interface: &InterfaceInfo<'_>) -> [u8; Interface::SIZE] {
    let mut record = [0; Interface::SIZE];
    let mut flags = 0;
    if let Some(port) = interface.listen_port.filter(|&port| port != 0) {
        flags |= INTERFACE_HAS_LISTEN_PORT;
        put(&mut record, offset_of!(Interface, listen_port), &port.to_le_bytes());
    }
    if let Some(key) = interface.private_key {
        flags |= INTERFACE_HAS_PRIVATE_KEY;
        put(&mut record, offset_of!(Interface, private_key), key);
    }
    if let Some(key) = interface.public_key {
        flags |= INTERFACE_HAS_PUBLIC_KEY;
        put(&mut record, offset_of!(Interface, public_key), key);
    }
    put(&mut record, offset_of!(Interface, flags), &flags.to_le_bytes());
    record
}

/// A peer as a record, for the answer to [`IOCTL_GET`].
pub(crate) fn encode_peer_info(peer: &PeerInfo<'_>) -> [u8; Peer::SIZE] {
    let mut record = [0; Peer::SIZE];
    let mut flags = PEER_HAS_PUBLIC_KEY | PEER_HAS_PERSISTENT_KEEPALIVE;
    put(&mut record, offset_of!(Peer, protocol_version), &1_u32.to_le_bytes());
    put(&mut record, offset_of!(Peer, public_key), peer.public_key);
    if let Some(key) = peer.preshared_key.filter(|key| !is_zero(key)) {
        flags |= PEER_HAS_PRESHARED_KEY;
        put(&mut record, offset_of!(Peer, preshared_key), key);
    }
    let keepalive = peer.persistent_keepalive_s.to_le_bytes();
    put(&mut record, offset_of!(Peer, persistent_keepalive), &keepalive);
    if let Some(endpoint) = peer.endpoint.filter(|endpoint| endpoint.port() != 0) {
        flags |= PEER_HAS_ENDPOINT;
        put(&mut record, offset_of!(Peer, endpoint), &encode_sockaddr(&endpoint));
    }
    put(&mut record, offset_of!(Peer, tx_bytes), &peer.tx_bytes.to_le_bytes());
    put(&mut record, offset_of!(Peer, rx_bytes), &peer.rx_bytes.to_le_bytes());
    let handshake = peer.last_handshake_filetime.to_le_bytes();
    put(&mut record, offset_of!(Peer, last_handshake), &handshake);
    put(&mut record, offset_of!(Peer, flags), &flags.to_le_bytes());
    record
}

fn put_key(record: &mut [u8], offset: usize, change: KeyChange<'_>) {
    if let KeyChange::Set(key) = change {
        put(record, offset, key);
    }
}

/// A `SOCKADDR_INET` (ws2ipdef.h): family in host order, port in network order.
pub(crate) fn encode_sockaddr(endpoint: &SocketAddr) -> [u8; 28] {
    let mut bytes = [0; 28];
    match endpoint {
        SocketAddr::V4(v4) => {
            put(&mut bytes, 0, &AF_INET.to_le_bytes());
            put(&mut bytes, 4, &v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            put(&mut bytes, 0, &AF_INET6.to_le_bytes());
            put(&mut bytes, 4, &v6.flowinfo().to_le_bytes());
            put(&mut bytes, 8, &v6.ip().octets());
            put(&mut bytes, 24, &v6.scope_id().to_le_bytes());
        }
    }
    put(&mut bytes, 2, &endpoint.port().to_be_bytes());
    bytes
}

/// Reads a `SOCKADDR_INET`; `None` where its family is `AF_UNSPEC`.
pub(crate) fn decode_sockaddr(
    bytes: &[u8],
    start: usize,
) -> Result<Option<SocketAddr>, DecodeError> {
    let record: &[u8; 28] = array(bytes, start)?;
    let family = u16_at(record, 0)?;
    let port = u16::from_be_bytes(*array(record, 2)?);
    let endpoint = match family {
        0 => return Ok(None),
        AF_INET => SocketAddrV4::new(Ipv4Addr::from(*array::<4>(record, 4)?), port).into(),
        AF_INET6 => SocketAddrV6::new(
            Ipv6Addr::from(*array::<16>(record, 8)?),
            port,
            u32_at(record, 4)?,
            u32_at(record, 24)?,
        )
        .into(),
        _ => return Err(DecodeError::new(DecodeErrorKind::BadAddressFamily, start)),
    };
    if port == 0 {
        return Err(DecodeError::new(DecodeErrorKind::BadPort, start.saturating_add(2)));
    }
    Ok(Some(endpoint))
}

fn state(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    let Ok(word) = <[u8; 4]>::try_from(input) else {
        return Err(DecodeError::new(DecodeErrorKind::BadSize, 0));
    };
    match u32::from_le_bytes(word) {
        STATE_DOWN => Ok(Command::SetState(AdapterState::Down)),
        STATE_UP => Ok(Command::SetState(AdapterState::Up)),
        STATE_QUERY => Ok(Command::QueryState),
        _ => Err(DecodeError::new(DecodeErrorKind::BadState, 0)),
    }
}

fn key_change(key: &[u8; KEY_BYTES]) -> KeyChange<'_> {
    if is_zero(key) { KeyChange::Clear } else { KeyChange::Set(key) }
}

/// Whether a key is all zeroes, in constant time.
pub(crate) fn is_zero(key: &[u8; KEY_BYTES]) -> bool {
    key.iter().fold(0, |seen, byte| seen | byte) == 0
}

fn require_flags(flags: u32, known: u32, offset: usize) -> Result<(), DecodeError> {
    if flags & !known != 0 {
        return Err(DecodeError::new(DecodeErrorKind::BadFlags, offset));
    }
    Ok(())
}
