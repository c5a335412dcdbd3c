//! An adapter, controlled by IOCTLs.

use std::{fmt, io};

use tunic_ioctl::native::{self, reply};
use tunic_ioctl::protocol::{self, ProtocolName};
use tunic_ioctl::status::STATUS_BUFFER_OVERFLOW;
use tunic_ioctl::{AdapterId, AdapterState, wireguard_nt};
use zeroize::Zeroizing;

use crate::{Configuration, ConfigurationChange, Error, IoctlReply, Routes, Transport};

/// The maximum number of attempts to read an answer that outgrows the buffer.
const ATTEMPTS: usize = 10;

/// An adapter.
pub struct Adapter<T> {
    transport: T,
}

/// Identity and state of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterInfo {
    /// Its name.
    pub name: String,
    /// Its GUID.
    pub id: AdapterId,
    /// Its `NET_LUID`.
    pub luid: u64,
    /// MTU in bytes.
    pub mtu_bytes: u32,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its state.
    pub state: AdapterState,
    /// Whether its link is connected.
    pub is_connected: bool,
    /// The UDP port that is bound or requested; `None` if neither is.
    pub listen_port: Option<u16>,
}

/// The protocol of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// WireGuard.
    WireGuard,
    /// OpenVPN's data channel, [`DataChannel`](crate::DataChannel).
    OpenVpn,
    /// A protocol that this version does not know, by its number in the ABI. Numbers from
    /// 0x8000_0000 are those of third parties.
    Other(u32),
}

impl Protocol {
    const fn from_number(number: u32) -> Self {
        const WIREGUARD: u32 = protocol::WIREGUARD.number;
        const OPENVPN: u32 = protocol::OPENVPN.number;
        match number {
            WIREGUARD => Self::WireGuard,
            OPENVPN => Self::OpenVpn,
            number => Self::Other(number),
        }
    }

    /// Its number in the ABI.
    pub const fn number(self) -> u32 {
        match self {
            Self::WireGuard => protocol::WIREGUARD.number,
            Self::OpenVpn => protocol::OPENVPN.number,
            Self::Other(number) => number,
        }
    }
}

/// The protocol's name, or `protocol 0x...` where this version does not know it.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ProtocolName(self.number()).fmt(f)
    }
}

/// An adapter's counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets and bytes in each direction.
    pub traffic: reply::Traffic,
    /// Discarded packets, by the name of the reason.
    pub discards: Vec<(&'static str, u64)>,
}

#[cfg(unix)]
impl Adapter<crate::UnixTransport> {
    /// Opens the adapter of this name.
    pub fn open(name: &str) -> Result<Self, Error> {
        Ok(Self::new(crate::UnixTransport::open(name)?))
    }

    /// The names of the adapters that are served.
    pub fn names() -> io::Result<Vec<String>> {
        let directory = match std::fs::read_dir(crate::SOCKET_DIRECTORY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            directory => directory?,
        };
        let mut names = Vec::new();
        for entry in directory {
            let name = entry?.file_name();
            names.extend(
                name.to_str().and_then(|name| name.strip_suffix(".sock")).map(str::to_owned),
            );
        }
        names.sort();
        Ok(names)
    }
}

impl<T: Transport> Adapter<T> {
    /// The adapter that this transport reaches.
    pub const fn new(transport: T) -> Self {
        Self { transport }
    }

    /// Its configuration, keys included, and its peers' counters.
    pub fn configuration(&self) -> Result<Configuration, Error> {
        let select = native::encode_select(AdapterId::default());
        let code = native::IOCTL_QUERY_CONFIGURATION;
        Configuration::decode(&query_records(&self.transport, code, &select)?)
    }

    /// Changes its configuration: all of the change, or nothing.
    pub fn set_configuration(&self, change: &ConfigurationChange) -> Result<(), Error> {
        let request = change.encode();
        let code = native::IOCTL_SET_CONFIGURATION;
        require_success(self.transport.ioctl(code, &request, &mut [])?)
    }

    /// As [`set_configuration`](Self::set_configuration), by WireGuardNT's ABI, which only adapters
    /// of WireGuard have. Unlike the native ABI, it accepts a peer whose public key is all zeros.
    pub fn set_wireguard_configuration(&self, change: &ConfigurationChange) -> Result<(), Error> {
        let mut request = change.encode_wireguard_nt()?;
        require_success(self.transport.ioctl(wireguard_nt::IOCTL_SET, &[], &mut request)?)
    }

    /// Whether it is up.
    pub fn state(&self) -> Result<AdapterState, Error> {
        Ok(self.info()?.state)
    }

    /// Brings it up or down; being there already is success.
    pub fn set_state(&self, state: AdapterState) -> Result<(), Error> {
        let request = native::encode_set_state(AdapterId::default(), state);
        require_success(self.transport.ioctl(native::IOCTL_SET_STATE, &request, &mut [])?)
    }

    /// Its identity and state.
    pub fn info(&self) -> Result<AdapterInfo, Error> {
        let mut output = [0; native::Reply::SIZE + native::Adapter::SIZE];
        let select = native::encode_select(AdapterId::default());
        let bytes = self.query(native::IOCTL_QUERY_ADAPTER, &select, &mut output)?;
        let info = reply::decode_adapters(bytes)?.next().ok_or(Error::Unstable)?;
        Ok(AdapterInfo {
            name: String::from_utf8_lossy(info.name).into_owned(),
            id: info.adapter,
            luid: info.luid,
            mtu_bytes: info.mtu_bytes,
            protocol: Protocol::from_number(info.protocol),
            state: info.state,
            is_connected: info.is_connected,
            listen_port: (info.listen_port != 0).then_some(info.listen_port),
        })
    }

    /// Its counters.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        // Room for counters that this version does not know.
        let mut output = [0; native::Statistics::SIZE + 8 * 256];
        let select = native::encode_select(AdapterId::default());
        let bytes = self.query(native::IOCTL_QUERY_STATISTICS, &select, &mut output)?;
        let (traffic, counters) = reply::decode_statistics(bytes)?;
        let discards = native::DISCARD_NAMES.into_iter().zip(counters).collect();
        Ok(Statistics { traffic, discards })
    }

    /// Its routes.
    pub fn routes(&self) -> Result<Routes, Error> {
        let request = native::encode_select(AdapterId::default());
        let answer = query_records(&self.transport, native::IOCTL_QUERY_ROUTES, &request)?;
        Ok(Routes(native::decode_routes(&answer)?.to_owned()))
    }

    /// Waits for the next event. Each event is delivered once. `None` for a kind of event that this
    /// version does not know.
    pub fn next_event(&self) -> Result<Option<reply::EventInfo>, Error> {
        let mut output = [0; native::Event::SIZE];
        let select = native::encode_select(AdapterId::default());
        let bytes = self.query(native::IOCTL_READ_EVENT, &select, &mut output)?;
        Ok(reply::decode_event(bytes)?)
    }

    /// Scales the timers of its protocol. For tests: the driver refuses it unless it is enabled.
    pub fn set_timer_scale(&self, permille: u32) -> Result<(), Error> {
        let request = native::encode_set_timer_scale(AdapterId::default(), permille);
        require_success(self.transport.ioctl(native::IOCTL_SET_TIMER_SCALE, &request, &mut [])?)
    }

    /// Sends a buffered IOCTL and returns the bytes of the answer.
    fn query<'o>(&self, code: u32, input: &[u8], output: &'o mut [u8]) -> Result<&'o [u8], Error> {
        let reply = self.transport.ioctl(code, input, output)?;
        require_success(reply)?;
        usize::try_from(reply.information)
            .ok()
            .and_then(|length| output.get(..length))
            .ok_or(Error::TooLarge)
    }
}

/// Sends a query whose answer starts with a [`native::Reply`], and returns the whole answer. The
/// buffer grows until the answer fits. It is erased when dropped, as the answer may contain keys.
pub(crate) fn query_records(
    transport: &impl Transport,
    code: u32,
    request: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut output = Zeroizing::new(vec![0; 4096]);
    for _ in 0..ATTEMPTS {
        let answer = transport.ioctl(code, request, &mut output)?;
        if answer.status == STATUS_BUFFER_OVERFLOW {
            let required = native::reply::required_bytes(&output).ok_or(Error::Unstable)?;
            let required = usize::try_from(required).map_err(|_| Error::TooLarge)?;
            // The answer may have grown by the next attempt.
            output = Zeroizing::new(vec![0; required.saturating_mul(2)]);
            continue;
        }
        require_success(answer)?;
        let length = usize::try_from(answer.information).map_err(|_| Error::TooLarge)?;
        if length > output.len() {
            return Err(Error::TooLarge);
        }
        output.truncate(length);
        return Ok(output);
    }
    Err(Error::Unstable)
}

pub(crate) fn require_success(reply: IoctlReply) -> Result<(), Error> {
    if reply.is_success() { Ok(()) } else { Err(Error::Refused(reply.status)) }
}
