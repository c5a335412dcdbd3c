//! Received control datagrams for userspace: each completes a pending request, or is queued.

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

use crate::address::Naming;

/// Queued datagrams, and the sources that they are accepted from.
pub(crate) struct Inbox {
    pub(crate) ring: Ring<Received>,
    sources: SpinMutex<Sources>,
    pub(crate) received: AtomicU64,
}

/// The sources that datagrams are accepted from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sources {
    /// None: there is no peer.
    None,
    /// The only peer of point-to-point mode.
    OnlyPeer(SocketAddr),
    /// Any, in multi-peer mode: each datagram is delivered with its source.
    Any(Naming),
}

/// A received datagram.
pub(crate) struct Received {
    pub(crate) adapter: AdapterId,
    /// `None` for the only peer of point-to-point mode.
    pub(crate) from: Option<Source>,
    pub(crate) data: PoolBytes,
}

/// Where a datagram is from, in multi-peer mode.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) address: SocketAddr,
    /// How ovpn-dco-win's ABI names it.
    pub(crate) naming: Naming,
}

impl Inbox {
    /// An inbox that accepts no source.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            ring: Ring::new()?,
            sources: SpinMutex::new(Sources::None),
            received: AtomicU64::new(0),
        })
    }

    /// Changes the accepted sources.
    pub(crate) fn accept(&self, sources: Sources) {
        *self.sources.lock() = sources;
    }

    /// The accepted sources.
    pub(crate) fn sources(&self) -> Sources {
        *self.sources.lock()
    }

    /// How ovpn-dco-win's ABI names the sources.
    pub(crate) fn naming(&self) -> Naming {
        match self.sources() {
            Sources::Any(naming) => naming,
            Sources::OnlyPeer(_) | Sources::None => Naming::Plain,
        }
    }

    /// The number of received datagrams.
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
        let is_read = irp.kind() == RequestKind::Read;
        let address = self.from.map(|from| match is_read {
            true => from.naming.name(from.address),
            false => from.address,
        });
        let datagram = ControlDatagram { address, data: &self.data };
        // An address or a record header in front, and up to seven bytes of padding behind.
        let mut output = PoolBytes::zeroed(channel::Datagram::SIZE + self.data.len() + 8)?;
        let written = match is_read {
            true => ovpn_dco::encode_read(&datagram, &mut output),
            false => channel::encode_datagram(self.adapter, &datagram, &mut output),
        };
        let bytes = written.and_then(|length| output.get(..length));
        let bytes = bytes.ok_or(Status::BUFFER_TOO_SMALL)?;
        irp.write_output(bytes)?;
        Ok(bytes.len())
    }
}
