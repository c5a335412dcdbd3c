//! The validated commands, whichever ABI they came by.

use core::net::{IpAddr, SocketAddr};

use crate::{
    Abi, DecodeError, DecodeErrorKind, KEY_BYTES, data_channel, native, ovpn_dco, wireguard_nt,
};

/// An adapter's GUID, in the byte order of the Windows `GUID` struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct AdapterId(pub [u8; 16]);

/// Whether an adapter carries packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum AdapterState {
    /// No sockets, no sessions, link disconnected.
    Down = 0,
    /// Sockets bound, link connected.
    Up = 1,
}

/// A decoded IOCTL.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Which adapter; `None` is that of the device that the IOCTL was sent to.
    pub adapter: Option<AdapterId>,
    /// What is to be done.
    pub command: Command<'a>,
}

/// What is to be done.
#[derive(Clone, Copy)]
pub enum Command<'a> {
    /// Answer with [`native::reply::version`].
    QueryVersion,
    /// Answer with an adapter record each, [`native::reply::AdapterEncoder`].
    ListAdapters,
    /// Answer with one adapter record, [`native::reply::AdapterEncoder`].
    QueryAdapter,
    /// Answer with [`native::reply::statistics`].
    QueryStatistics,
    /// Answer by [`crate::configuration::encode_state`].
    QueryState,
    /// Bring the adapter up or down.
    SetState(AdapterState),
    /// Answer by a [`crate::ConfigurationEncoder`] of this ABI.
    QueryConfiguration(Abi),
    /// Change the configuration: all of it or nothing.
    Configure(Configure<'a>),
    /// Wait for a log line; answer by [`wireguard_nt::encode_log_entry`].
    ReadLogLine,
    /// Wait for an event; answer with [`native::reply::event`].
    ReadEvent,
    /// Scale the protocol's timers: a test knob, refused unless the driver was told to allow it.
    SetTimerScale {
        /// Thousandths of the real durations, 1 to 1000.
        permille: u32,
    },
    /// A command for an adapter whose handshake is in userspace. The answer has the form of this ABI.
    DataChannel(Abi, data_channel::Command<'a>),
}

/// Decodes an IOCTL. The control codes of the ABIs have nothing in common, so the code alone says
/// which it is.
///
/// `input` is what the code's method reads: the system buffer of a buffered one (input length), the
/// mapped second buffer of the in-direct one (the kernel's copy of it, see the crate's page),
/// nothing for the out-direct one.
pub fn decode(code: u32, input: &[u8]) -> Result<Request<'_>, DecodeError> {
    if let Some(command) = wireguard_nt::decode(code, input)? {
        return Ok(Request { adapter: None, command });
    }
    if let Some(command) = ovpn_dco::decode(code, input)? {
        let command = Command::DataChannel(Abi::OvpnDco, command);
        return Ok(Request { adapter: None, command });
    }
    native::decode(code, input)?.ok_or(DecodeError::new(DecodeErrorKind::UnknownCode, 0))
}

/// What becomes of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyChange<'a> {
    /// It is replaced by this one, which is not all zeroes.
    Set(&'a [u8; KEY_BYTES]),
    /// It is forgotten.
    Clear,
}

/// A change of an adapter's configuration, in the order in which its parts take effect.
#[derive(Clone, Copy)]
pub struct Configure<'a> {
    /// The new UDP port; 0 lets the system choose.
    pub listen_port: Option<u16>,
    /// All peers go before any is added.
    pub replace_peers: bool,
    /// What becomes of the private key.
    pub private_key: Option<KeyChange<'a>>,
    pub(crate) peers: Peers<'a>,
    pub(crate) consumed_bytes: usize,
}

impl<'a> Configure<'a> {
    /// The peers in order; the same public key may come several times. Can be walked any number of
    /// times.
    pub fn peers(&self) -> Peers<'a> {
        self.peers
    }

    /// Bytes of the buffer that the records take.
    pub const fn consumed_bytes(&self) -> usize {
        self.consumed_bytes
    }

    /// Walks every record once; `Ok` means that the iterators will meet no error.
    pub(crate) fn validate(&mut self) -> Result<(), DecodeError> {
        let mut peers = self.peers;
        while let Some(peer) = peers.step()? {
            let mut allowed_ips = peer.allowed_ips();
            while allowed_ips.step()?.is_some() {}
        }
        self.consumed_bytes = peers.offset;
        Ok(())
    }
}

/// Whether a peer comes, stays or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAction {
    /// Change the peer, making it first where it is not there.
    CreateOrUpdate,
    /// Change the peer where it is there.
    UpdateOnly,
    /// Remove the peer where it is there; nothing else in the change counts.
    Remove,
}

/// A change of one peer, in the order in which its parts take effect.
#[derive(Clone, Copy)]
pub struct PeerChange<'a> {
    /// Which peer. That with the adapter's own public key is to be skipped.
    pub public_key: &'a [u8; KEY_BYTES],
    /// Whether it comes, stays or goes.
    pub action: PeerAction,
    /// What becomes of the preshared key.
    pub preshared_key: Option<KeyChange<'a>>,
    /// The peer's new address.
    pub endpoint: Option<SocketAddr>,
    /// All allowed IPs go before any is added.
    pub replace_allowed_ips: bool,
    /// The new interval in seconds; 0 is off.
    pub persistent_keepalive_s: Option<u16>,
    pub(crate) allowed_ips: AllowedIps<'a>,
}

impl<'a> PeerChange<'a> {
    /// A change that makes the peer where it is not there, and nothing else; to be filled in and
    /// encoded.
    pub fn new(public_key: &'a [u8; KEY_BYTES]) -> Self {
        let allowed_ips = AllowedIps { abi: Abi::WireGuardNt, bytes: &[], offset: 0, remaining: 0 };
        Self {
            public_key,
            action: PeerAction::CreateOrUpdate,
            preshared_key: None,
            endpoint: None,
            replace_allowed_ips: false,
            persistent_keepalive_s: None,
            allowed_ips,
        }
    }

    /// The allowed IPs in order. Can be walked any number of times.
    pub fn allowed_ips(&self) -> AllowedIps<'a> {
        self.allowed_ips
    }
}

/// A change of one allowed IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedIpChange {
    /// The network: bits behind the prefix are zero.
    pub address: IpAddr,
    /// The prefix, at most 32 or 128 bits.
    pub prefix_length: u8,
    /// It goes, where it belongs to this peer; otherwise it comes, moving here from any other peer.
    pub remove: bool,
}

impl AllowedIpChange {
    /// Judges the prefix length and clears the host's bits. `None` where the prefix is too long.
    pub fn new(address: IpAddr, prefix_length: u8, remove: bool) -> Option<Self> {
        let prefix = u32::from(prefix_length);
        let address = match address {
            IpAddr::V4(v4) => {
                let host_bits = 32_u32.checked_sub(prefix)?;
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V4((u32::from(v4) & mask).into())
            }
            IpAddr::V6(v6) => {
                let host_bits = 128_u32.checked_sub(prefix)?;
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V6((u128::from(v6) & mask).into())
            }
        };
        Some(Self { address, prefix_length, remove })
    }
}

/// The peers of a [`Configure`].
#[derive(Clone, Copy)]
pub struct Peers<'a> {
    pub(crate) abi: Abi,
    pub(crate) bytes: &'a [u8],
    pub(crate) offset: usize,
    /// Peers still to come; the native ABI counts none and ends with the buffer.
    pub(crate) remaining: u32,
}

impl<'a> Peers<'a> {
    /// The next peer, or what is wrong with it.
    pub(crate) fn step(&mut self) -> Result<Option<PeerChange<'a>>, DecodeError> {
        match self.abi {
            Abi::WireGuardNt => wireguard_nt::next_peer(self),
            Abi::Native => native::next_peer(self),
            Abi::OvpnDco => Ok(None),
        }
    }
}

impl<'a> Iterator for Peers<'a> {
    type Item = PeerChange<'a>;

    fn next(&mut self) -> Option<PeerChange<'a>> {
        self.step().ok().flatten()
    }
}

/// The allowed IPs of a [`PeerChange`].
#[derive(Clone, Copy)]
pub struct AllowedIps<'a> {
    pub(crate) abi: Abi,
    pub(crate) bytes: &'a [u8],
    pub(crate) offset: usize,
    /// Records still to come.
    pub(crate) remaining: u32,
}

impl AllowedIps<'_> {
    /// The next allowed IP, or what is wrong with it.
    pub(crate) fn step(&mut self) -> Result<Option<AllowedIpChange>, DecodeError> {
        match self.abi {
            Abi::WireGuardNt => wireguard_nt::next_allowed_ip(self),
            Abi::Native => native::next_allowed_ip(self),
            Abi::OvpnDco => Ok(None),
        }
    }
}

impl Iterator for AllowedIps<'_> {
    type Item = AllowedIpChange;

    fn next(&mut self) -> Option<AllowedIpChange> {
        self.step().ok().flatten()
    }
}
