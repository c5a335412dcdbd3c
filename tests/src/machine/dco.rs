//! A client of ovpn-dco-win's ABI, as OpenVPN is one: its structs byte by byte, from its header's
//! layout and from nothing of ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nt_host::{Completed, Handle, Operation, PendingRequest};

use super::TIMEOUT;

/// What an answer was before it was written.
const POISON: u8 = 0xa5;
/// Bytes of a read, as OpenVPN has them.
const READ_BYTES: usize = 2048;
const MINUS_ONE: [u8; 4] = [0xff; 4];

/// The control code of this number.
#[must_use]
pub const fn code(number: u32) -> u32 {
    0x0022_0000 | number << 2
}

/// A handle on an adapter.
#[derive(Clone)]
pub struct Dco(pub Handle);

/// A key for both directions.
#[derive(Clone, Copy, Debug)]
pub struct DcoKey {
    /// All bytes of the secrets differ by this.
    pub seed: u8,
    /// 1 AES-GCM, 2 CHACHA20-POLY1305.
    pub cipher: u32,
    /// Bytes of the cipher's keys.
    pub key_bytes: u8,
    /// The id on packets.
    pub key_id: u8,
    /// 0 primary, 1 secondary.
    pub slot: u32,
    /// Secrets of epoch 1, by NEW_KEY_V2.
    pub is_epoch: bool,
}

/// What NOTIFY_EVENT told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A peer is gone, for this reason.
    Deleted(i32, u32),
    /// A peer has another address.
    Floated(i32, SocketAddr),
}

/// A status, and the bytes that were answered.
pub type Answer = (u32, Vec<u8>);

impl Dco {
    /// Sends a request of this number. What room the answer has is poisoned first.
    pub fn call(&self, number: u32, input: &[u8], output_bytes: usize) -> Answer {
        let mut output = vec![POISON; output_bytes];
        let (status, information) = self.0.ioctl(code(number), input, &mut output);
        output.truncate(information);
        (status.cast_unsigned(), output)
    }

    /// Sends a request without an answer, and gives its status.
    pub fn set(&self, number: u32, input: &[u8]) -> u32 {
        self.call(number, input, 0).0
    }

    /// NEW_PEER over UDP, from any address.
    pub fn new_peer(&self, remote: SocketAddr) -> u32 {
        self.set(1, &new_peer(remote, 0))
    }

    /// NEW_KEY or NEW_KEY_V2. `is_client` tells the directions apart.
    pub fn new_key(&self, peer: i32, key: &DcoKey, is_client: bool) -> u32 {
        let input = crypto_data(peer, key, is_client);
        self.set(if key.is_epoch { 9 } else { 3 }, &input)
    }

    /// SET_PEER; `None` is -1.
    pub fn set_peer(&self, interval: Option<u32>, timeout: Option<u32>, mss: Option<u32>) -> u32 {
        self.set(5, &words(&[interval, timeout, mss]))
    }

    /// MP_SET_PEER; `None` is -1.
    pub fn mp_set_peer(&self, peer: i32, interval: Option<u32>, timeout: Option<u32>) -> u32 {
        self.set(13, &[&peer.to_le_bytes()[..], &words(&[interval, timeout, None])].concat())
    }

    /// MP_START_VPN; where it listens.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn listen(&self, local: SocketAddr) -> SocketAddr {
        self.listen_as(local, 0)
    }

    /// MP_START_VPN, with its field IPv6Only; where it listens.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn listen_as(&self, local: SocketAddr, ipv6_only: u32) -> SocketAddr {
        let input = [sa(local).as_slice(), &ipv6_only.to_le_bytes()].concat();
        let (status, answer) = self.call(11, &input, 32);
        assert_eq!((status, answer.len()), (0, 32));
        sockaddr(&answer)
    }

    /// MP_NEW_PEER.
    pub fn mp_new_peer(&self, id: i32, remote: SocketAddr, vpn4: Ipv4Addr, vpn6: Ipv6Addr) -> u32 {
        self.set(12, &mp_new_peer(id, remote, vpn4, vpn6))
    }

    /// MP_ADD_IROUTE (17) or MP_DEL_IROUTE (18).
    pub fn iroute(&self, number: u32, peer: i32, address: IpAddr, netbits: i32) -> u32 {
        self.set(number, &iroute(peer, address, netbits))
    }

    /// Starts to read.
    #[must_use]
    pub fn start_read(&self) -> PendingRequest {
        self.0.start(Operation::Read { bytes: READ_BYTES })
    }

    /// Waits for a datagram of point-to-point mode.
    #[must_use]
    pub fn read(&self) -> Vec<u8> {
        let (status, datagram) = ended(&self.start_read());
        assert_eq!(status, 0);
        datagram
    }

    /// Waits for a datagram of multi-peer mode, and says from where it is.
    #[must_use]
    pub fn mp_read(&self) -> (SocketAddr, Vec<u8>) {
        let mut datagram = self.read();
        let from = sockaddr(&datagram);
        let data = datagram.split_off(if from.is_ipv4() { 16 } else { 28 });
        (from, data)
    }

    /// Writes, in multi-peer mode with an address before it. The status, and how much was written.
    pub fn write(&self, to: Option<SocketAddr>, data: &[u8]) -> (u32, usize) {
        let prefix = to.map(prefix).unwrap_or_default();
        let data = [&prefix[..], data].concat();
        let completed = wait(&self.0.start(Operation::Write { data: &data }));
        (completed.status.cast_unsigned(), completed.information)
    }

    /// Starts to wait for an event.
    #[must_use]
    pub fn start_notify(&self) -> PendingRequest {
        self.0.ioctl_async(code(14), &[], 144)
    }

    /// What an event told.
    ///
    /// # Panics
    /// When it is none, or holds what it should not.
    #[must_use]
    pub fn notice(pending: &PendingRequest) -> Notice {
        let (status, event) = ended(pending);
        assert_eq!((status, event.len()), (0, 144));
        let word = |offset: usize| u32::from_le_bytes(event[offset..][..4].try_into().unwrap());
        assert_eq!(word(12), 0, "the hole is zero");
        let peer = word(4).cast_signed();
        match word(0) {
            0 => {
                assert_eq!(event[16..], [0; 128], "there is no address");
                Notice::Deleted(peer, word(8))
            }
            2 => {
                let address = sockaddr(&event[16..]);
                let length = if address.is_ipv4() { 8 } else { 28 };
                assert!(event[16 + length..].iter().all(|&byte| byte == 0), "nothing behind it");
                assert_eq!(word(8), 0);
                Notice::Floated(peer, address)
            }
            other => panic!("event {other}"),
        }
    }
}

/// How a request ended.
///
/// # Panics
/// When it does not.
#[must_use]
pub fn ended(pending: &PendingRequest) -> Answer {
    let Completed { status, information, mut output } = wait(pending);
    output.truncate(information);
    (status.cast_unsigned(), output.to_vec())
}

fn wait(pending: &PendingRequest) -> Completed {
    pending.wait(Some(TIMEOUT)).expect("the request ends")
}

/// A struct NEW_PEER.
#[must_use]
pub fn new_peer(remote: SocketAddr, proto: u32) -> Vec<u8> {
    [sa(any(remote)), sa(remote), proto.to_le_bytes().to_vec()].concat()
}

/// A struct MP_NEW_PEER.
#[must_use]
pub fn mp_new_peer(id: i32, remote: SocketAddr, vpn4: Ipv4Addr, vpn6: Ipv6Addr) -> Vec<u8> {
    let mut input = [sa(any(remote)), sa(remote)].concat();
    input.extend(vpn4.octets());
    input.extend(vpn6.octets());
    input.extend(id.to_le_bytes());
    input
}

/// A struct CRYPTO_DATA, or CRYPTO_DATA_V2.
#[must_use]
pub fn crypto_data(peer: i32, key: &DcoKey, is_client: bool) -> Vec<u8> {
    let direction = |is_to_server: bool| {
        let byte = key.seed ^ u8::from(is_to_server);
        [&[byte; 32][..], &[key.key_bytes], &[byte ^ 0x80; 8]].concat()
    };
    let mut input = [direction(is_client), direction(!is_client)].concat();
    input.extend([0; 2]);
    input.extend(key.slot.to_le_bytes());
    input.extend(key.cipher.to_le_bytes());
    input.extend([key.key_id, 0, 0, 0]);
    input.extend(peer.to_le_bytes());
    if key.is_epoch {
        input.extend(2_u32.to_le_bytes());
    }
    input
}

/// A struct MP_IROUTE.
#[must_use]
pub fn iroute(peer: i32, address: IpAddr, netbits: i32) -> Vec<u8> {
    let (mut input, ipv6) = match address {
        IpAddr::V4(v4) => (v4.octets().to_vec(), 0_u32),
        IpAddr::V6(v6) => (v6.octets().to_vec(), 1),
    };
    input.resize(16, 0);
    input.extend(netbits.to_le_bytes());
    input.extend(peer.to_le_bytes());
    input.extend(ipv6.to_le_bytes());
    input
}

/// The wildcard of an address's family.
fn any(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// The union of sockaddr_in and sockaddr_in6.
fn sa(address: SocketAddr) -> Vec<u8> {
    let mut bytes = prefix(address);
    bytes.resize(28, 0);
    bytes
}

/// A sockaddr_in or a sockaddr_in6.
#[must_use]
pub fn prefix(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(v4) => [&[2, 0][..], &port, &v4.octets(), &[0; 8]].concat(),
        IpAddr::V6(v6) => [&[23, 0][..], &port, &[0; 4], &v6.octets(), &[0; 4]].concat(),
    }
}

/// What a sockaddr says.
fn sockaddr(bytes: &[u8]) -> SocketAddr {
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    let ip = match (bytes[0], bytes[1]) {
        (2, 0) => IpAddr::from(<[u8; 4]>::try_from(&bytes[4..8]).unwrap()),
        (23, 0) => IpAddr::from(<[u8; 16]>::try_from(&bytes[8..24]).unwrap()),
        family => panic!("address family {family:?}"),
    };
    (ip, port).into()
}

fn words(values: &[Option<u32>]) -> Vec<u8> {
    values.iter().flat_map(|value| value.map_or(MINUS_ONE, u32::to_le_bytes)).collect()
}
