//! Control datagrams on their way up: each goes to a request that waits for it, or waits for one.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};

use nic_miniport::ring::{Record, Ring};
use nt::irp::{Irp, RequestKind};
use nt::lock::SpinMutex;
use nt::pool::PoolBytes;
use nt::{Result, Status};
use tunic_ioctl::AdapterId;
use tunic_ioctl::data_channel::ControlDatagram;
use tunic_ioctl::native::channel;
use tunic_ioctl::ovpn_dco;

/// Datagrams that wait to be read, and from whom they may come.
pub(crate) struct Inbox {
    pub(crate) ring: Ring<Received>,
    sources: SpinMutex<Sources>,
    pub(crate) received: AtomicU64,
}

/// From whom datagrams are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sources {
    /// There is no peer.
    None,
    /// From the only peer of point-to-point mode.
    OnlyPeer(SocketAddr),
    /// Multi-peer mode: each is told with its source.
    Any,
}

/// A datagram.
pub(crate) struct Received {
    pub(crate) adapter: AdapterId,
    /// `None` for the only peer of point-to-point mode.
    pub(crate) from: Option<SocketAddr>,
    pub(crate) data: PoolBytes,
}

impl Inbox {
    /// Takes datagrams from nobody.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            ring: Ring::new()?,
            sources: SpinMutex::new(Sources::None),
            received: AtomicU64::new(0),
        })
    }

    /// Takes datagrams from others than before.
    pub(crate) fn accept(&self, sources: Sources) {
        *self.sources.lock() = sources;
    }

    /// From whom datagrams are taken.
    pub(crate) fn sources(&self) -> Sources {
        *self.sources.lock()
    }

    /// How many datagrams were received.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Record for Received {
    const MAX_ENTRIES: usize = 1024;
    const MAX_BYTES: usize = 1 << 20;

    fn bytes(&self) -> usize {
        self.data.len()
    }

    fn answer(&self, irp: &mut Irp) -> Result<usize> {
        let datagram = ControlDatagram { address: self.from, data: &self.data };
        // An address, or a record's header, and up to seven zeroes behind.
        let mut output = PoolBytes::zeroed(channel::Datagram::SIZE + self.data.len() + 8)?;
        let written = match irp.kind() {
            RequestKind::Read => ovpn_dco::encode_read(&datagram, &mut output),
            _ => channel::encode_datagram(self.adapter, &datagram, &mut output),
        };
        let bytes = written.and_then(|length| output.get(..length));
        let bytes = bytes.ok_or(Status::BUFFER_TOO_SMALL)?;
        irp.write_output(bytes)?;
        Ok(bytes.len())
    }
}
