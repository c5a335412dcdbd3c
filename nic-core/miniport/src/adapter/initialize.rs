//! MiniportInitializeEx: an adapter appears.
//!
//! Its keywords in the registry:
//!
//! | keyword | type | meaning |
//! |---|---|---|
//! | `NetCfgInstanceId` | string | Windows' GUID of the adapter, by which it is opened; the LUID where there is none |
//! | `TunicName` | string | a name by which it can be opened as well |
//! | `TunicProtocol` | string | what it speaks: `wireguard` where there is none; with another one that is not known, there is no adapter |
//! | `TunicOvpnDco` | number | 1: an adapter that speaks OpenVPN is found by ovpn-dco-win's names as well; 0 where there is none |
//! | `MTU` | number | the MTU that the stack's interfaces start with, in bytes, 576 to 65 455; 1420 where there is none |
//! | `*IPChecksumOffloadIPv4`, `*TCPChecksumOffloadIPv4`, `*UDPChecksumOffloadIPv4`, `*TCPChecksumOffloadIPv6`, `*UDPChecksumOffloadIPv6` | number | 2 where there is none: received packets say that this checksum is right; 0: they don't |
//! | `TunicTestTimers` | number | for tests alone: the protocol's times are divided by it, and may be scaled by IOCTL |

use alloc::boxed::Box;

use nic_engine::Mtu;
use nic_memory::{NoMemory, boxed};
use nic_openvpn::OpenVpn;
use nt::checksums::ReceiveChecksums;
use nt::configuration::Configuration;
use nt::event::{Event, EventKind};
use nt::lock::SleepMutex;
use nt::miniport::{AdapterHandle, Attributes};
use nt::{PoolBox, Result, Shared, Status, random};
use tunic_ioctl::AdapterId;

use super::mtu::{self, Interfaces, MAXIMUM_MTU_BYTES};
use super::offloads::Offloads;
use super::{Adapter, AdapterProtocol, BITS_PER_SECOND, Gone, Name, Nic, State, oid};
use crate::control_thread::Control;
use crate::driver::Core;
use crate::guid::{self, utf16};
use crate::protocols::AnyAdapter;
use crate::recycler::{Recycler, Sizes};
use crate::ring::Ring;
use crate::sockets::SocketPlace;
use crate::transmit::Sending;

/// What remains of 1500 bytes for a packet in a tunnel over IPv6.
const DEFAULT_MTU_BYTES: u32 = 1420;

/// IPv4 needs no less (RFC 791).
const MINIMUM_MTU_BYTES: u32 = 576;

/// The bit of a keyword for an offload that is about received packets.
const OFFLOAD_RECEIVE: u32 = 2;

/// Batches that are kept for reuse; of each kind.
const KEPT_BATCHES: usize = 32;

/// Makes an adapter that speaks what its keywords ask for.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(crate) fn initialize(
    core: &Shared<Core>,
    handle: AdapterHandle,
    keywords: &Keywords,
) -> Result<(AnyAdapter, Attributes)> {
    let adapter = AnyAdapter::new(core, handle, keywords)?;
    let attributes = Attributes {
        mtu_bytes: MAXIMUM_MTU_BYTES,
        bits_per_second: BITS_PER_SECOND,
        oids: &oid::SUPPORTED,
        receive_checksums: keywords.receive_checksums,
    };
    Ok((adapter, attributes))
}

/// Makes an adapter that speaks `P`. Its control thread runs; it has no sockets yet.
///
/// # IRQL
/// `PASSIVE_LEVEL`
#[inline(never)]
pub(crate) fn make<P: AdapterProtocol>(
    core: &Shared<Core>,
    handle: AdapterHandle,
    keywords: &Keywords,
) -> Result<Shared<Adapter<P>>> {
    let nic = make_nic::<P>(keywords)?;
    let packet_bytes = mtu::slot_bytes::<P>(keywords.mtu_bytes as usize);
    let packets = nic_engine::nic::BATCH_PACKETS as usize;
    let sizes = Sizes { packets, packet_bytes };
    let gone = Shared::new(Event::new(EventKind::Manual)?)?;
    let adapter = Shared::new(Adapter {
        id: keywords.id,
        name: keywords.name,
        handle,
        core: core.clone(),
        work: core.work.clone(),
        nic,
        state: SleepMutex::new(State::default()),
        sockets: SocketPlace::new(),
        send_batches: Recycler::new(KEPT_BATCHES, sizes)?,
        sending: Sending::default(),
        interfaces: Interfaces::new(keywords.mtu_bytes),
        opened: Recycler::new(KEPT_BATCHES, Sizes { packet_bytes: 0, ..sizes })?,
        offloads: Offloads::new(keywords.receive_checksums),
        control: Control::new()?,
        log: Ring::new()?,
        events: Ring::new()?,
        extension: P::new_extension()?,
        allows_test_timers: keywords.test_timers > 0,
        is_ovpn_dco: keywords.is_ovpn_dco(),
        gone: Gone(gone),
    })?;
    Control::start(&adapter)?;
    if let Err(status) = core.add(P::any_adapter(adapter.clone())) {
        super::halt(core, adapter);
        return Err(status);
    }
    Ok(adapter)
}

/// Makes an adapter's engine. A function of its own, as it is large.
#[inline(never)]
fn make_nic<P: AdapterProtocol>(keywords: &Keywords) -> Result<PoolBox<Nic<P>>> {
    let mut hash_key = [0; 16];
    random::fill(&mut hash_key)?;
    let nic = PoolBox::new(Nic::<P>::new(make_control::<P>(keywords)?, hash_key))?;
    nic.set_mtu(Mtu::of_both(keywords.mtu_bytes));
    Ok(nic)
}

/// Makes the protocol's state of an adapter. As above.
#[inline(never)]
fn make_control<P: AdapterProtocol>(keywords: &Keywords) -> Result<Box<P::Control>> {
    boxed(P::new_control(keywords)).map_err(|NoMemory| Status::INSUFFICIENT_RESOURCES)
}

/// What the registry says of an adapter.
pub(crate) struct Keywords {
    id: AdapterId,
    name: Name,
    /// What it is to speak; empty where nothing is said.
    protocol: Name,
    mtu_bytes: u32,
    receive_checksums: ReceiveChecksums,
    /// It is to be found as ovpn-dco-win's adapters are.
    is_ovpn_dco: bool,
    /// What the times of the protocol's timers are divided by; 0 where the registry doesn't allow
    /// tests to change them.
    pub(crate) test_timers: u32,
}

impl Keywords {
    /// Whether the adapter is to speak the protocol with this name; where the registry has none,
    /// any will do.
    pub(crate) fn asks_for(&self, protocol: &str) -> bool {
        let asked = self.protocol.as_bytes();
        asked.is_empty() || asked.eq_ignore_ascii_case(protocol.as_bytes())
    }

    /// Whether it is to be found as ovpn-dco-win's adapters are, which speak OpenVPN.
    pub(crate) fn is_ovpn_dco(&self) -> bool {
        self.is_ovpn_dco && !self.protocol.as_bytes().is_empty() && self.asks_for(OpenVpn::KEYWORD)
    }

    /// Reads them; what is missing or makes no sense has its default. Without memory to read them
    /// with, there can be no adapter: it would be another one than was asked for.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn read(handle: &AdapterHandle) -> Result<Self> {
        let mut keywords = Self {
            id: guid::of_luid(handle.interface_luid),
            name: Name::from_utf16(&[]),
            protocol: Name::from_utf16(&[]),
            mtu_bytes: DEFAULT_MTU_BYTES,
            receive_checksums: ReceiveChecksums::all(),
            is_ovpn_dco: false,
            test_timers: 0,
        };
        match handle.configuration() {
            Ok(configuration) => keywords.take(&configuration)?,
            Err(Status::INSUFFICIENT_RESOURCES) => return Err(Status::INSUFFICIENT_RESOURCES),
            // There is none.
            Err(_) => {}
        }
        Ok(keywords)
    }

    fn take(&mut self, configuration: &Configuration) -> Result<()> {
        if let Some(Some(id)) = configuration.string(&utf16!("NetCfgInstanceId"), guid::parse)? {
            self.id = id;
        }
        if let Some(name) = configuration.string(&utf16!("TunicName"), Name::from_utf16)? {
            self.name = name;
        }
        if let Some(name) = configuration.string(&utf16!("TunicProtocol"), Name::from_utf16)? {
            self.protocol = name;
        }
        if let Some(mtu_bytes) = configuration.integer(&utf16!("MTU"))? {
            self.mtu_bytes = mtu_bytes.clamp(MINIMUM_MTU_BYTES, MAXIMUM_MTU_BYTES);
        }
        if let Some(value) = configuration.integer(&utf16!("TunicOvpnDco"))? {
            self.is_ovpn_dco = value != 0;
        }
        if let Some(divisor) = configuration.integer(&utf16!("TunicTestTimers"))? {
            self.test_timers = divisor;
        }
        self.take_checksums(configuration)
    }

    /// The values are those of "Using Registry Values to Enable and Disable Task Offloading" (ndis
    /// docs).
    fn take_checksums(&mut self, configuration: &Configuration) -> Result<()> {
        for (keyword, checksum) in [
            (&utf16!("*IPChecksumOffloadIPv4") as &[u16], ReceiveChecksums::IPV4),
            (&utf16!("*TCPChecksumOffloadIPv4"), ReceiveChecksums::TCP_IPV4),
            (&utf16!("*UDPChecksumOffloadIPv4"), ReceiveChecksums::UDP_IPV4),
            (&utf16!("*TCPChecksumOffloadIPv6"), ReceiveChecksums::TCP_IPV6),
            (&utf16!("*UDPChecksumOffloadIPv6"), ReceiveChecksums::UDP_IPV6),
        ] {
            if let Some(value) = configuration.integer(keyword)? {
                self.receive_checksums.set(checksum, value & OFFLOAD_RECEIVE != 0);
            }
        }
        Ok(())
    }
}
