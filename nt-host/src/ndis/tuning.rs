//! How the host uses an adapter.

use std::time::Duration;

/// How the host uses an adapter. The default resembles a real machine.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// The maximum number of packets that the miniport has at a time.
    pub outstanding_packets: usize,
    /// The layout of a packet's data in MDLs.
    pub mdl_layout: MdlLayout,
    /// The IRQL at which packets are sent.
    pub send_level: SendLevel,
    /// Whether sent packets lie in pages that become inaccessible after their completion.
    pub guard: bool,
    /// How long the stack keeps indicated packets. They are then returned from another thread. The
    /// default is to return them at once.
    pub hold_indications: Option<Duration>,
    /// Whether completions of sends are logged for
    /// [`Adapter::completions`](super::Adapter::completions).
    pub log_completions: bool,
    /// How reads and writes of the adapter's own device pass their buffers.
    pub device_buffers: DeviceBuffers,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            outstanding_packets: 1024,
            mdl_layout: MdlLayout::Single,
            send_level: SendLevel::Alternate,
            guard: false,
            hold_indications: None,
            log_completions: false,
            device_buffers: DeviceBuffers::Direct,
        }
    }
}

/// The flags of the device object that NDIS makes for an adapter. Which of them it has, no page of
/// Microsoft's says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceBuffers {
    /// DO_DIRECT_IO.
    Direct,
    /// DO_BUFFERED_IO.
    Buffered,
    /// Neither: addresses of the caller's memory.
    Neither,
}

/// The layout of a sent packet's data in MDLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MdlLayout {
    /// In one MDL.
    Single,
    /// In MDLs of at most this many bytes, which are not adjacent in memory.
    Pieces(usize),
}

/// The IRQL at which MiniportSendNetBufferLists is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendLevel {
    /// PASSIVE_LEVEL.
    Passive,
    /// DISPATCH_LEVEL, with the flag for it.
    Dispatch,
    /// Both in turn, as tcpip.sys does.
    Alternate,
}
