//! The registry keywords of an adapter of any protocol.
//!
//! | keyword | type | meaning |
//! |---|---|---|
//! | `NetCfgInstanceId` | string | the GUID by which it is opened; without it, the LUID |
//! | `TunicName` | string | a name by which it can be opened as well |
//! | `TunicProtocol` | string | the keyword of its protocol; without it, the driver's first |
//! | `MTU` | number | the MTU that interfaces start with, 576 to 65 455 bytes; default 1420 |
//! | `*...ChecksumOffloadIPv4`, `*...ChecksumOffloadIPv6` | number | see below; default 2 |
//! | `TunicTestTimers` | number | for tests: the protocol's times are divided by it |
//!
//! An adapter whose `TunicProtocol` is unknown is not made. The standard keywords for checksums are
//! `*IPChecksumOffloadIPv4` and those of TCP and UDP for both versions of IP; with 2, received
//! packets say that this checksum is right, with 0 they don't. With `TunicTestTimers`, an IOCTL may
//! scale the times, too.
//!
//! A protocol reads its own keywords by `AdapterProtocol::read_keywords`.

use nt::checksums::ReceiveChecksums;
use nt::configuration::Configuration;
use nt::miniport::AdapterHandle;
use nt::{Result, Status};
use tunic_ioctl::AdapterId;

use super::packet_size::MAXIMUM_MTU_BYTES;
use crate::guid;
use crate::name::Name;
use crate::utf16;

/// What 1500 bytes leave for a packet in a tunnel over IPv6.
const DEFAULT_MTU_BYTES: u32 = 1420;

/// The minimum datagram size of IPv4 hosts (RFC 791).
const MIN_MTU_BYTES: u32 = 576;

/// The bit of an offload keyword that enables receive offload.
const OFFLOAD_RECEIVE: u32 = 2;

/// The values of an adapter's keywords.
pub struct Keywords {
    pub(super) id: AdapterId,
    pub(super) name: Name,
    /// The keyword of its protocol; empty for the default.
    protocol: Name,
    pub(super) mtu_bytes: u32,
    pub(crate) receive_checksums: ReceiveChecksums,
    /// The divisor of the protocol's timers; 0 if the registry does not allow tests to change them.
    pub test_timers: u32,
}

impl Keywords {
    /// Whether the registry selects the protocol with this keyword. Without a value, any matches.
    pub(crate) fn asks_for(&self, protocol: &str) -> bool {
        let asked = self.protocol.as_bytes();
        asked.is_empty() || asked.eq_ignore_ascii_case(protocol.as_bytes())
    }

    /// Reads the keywords. A missing or invalid value gets its default. An allocation failure is an
    /// error: an adapter with defaults would not be the configured one.
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
            test_timers: 0,
        };
        match handle.configuration() {
            Ok(configuration) => keywords.take(&configuration)?,
            Err(Status::INSUFFICIENT_RESOURCES) => return Err(Status::INSUFFICIENT_RESOURCES),
            // The adapter has no registry key.
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
            self.mtu_bytes = mtu_bytes.clamp(MIN_MTU_BYTES, MAXIMUM_MTU_BYTES);
        }
        if let Some(divisor) = configuration.integer(&utf16!("TunicTestTimers"))? {
            self.test_timers = divisor;
        }
        self.take_checksums(configuration)
    }

    /// The values are those of "Using Registry Values to Enable and Disable Task Offloading" (NDIS
    /// documentation).
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
