//! How the host uses an adapter.

use std::time::Duration;

/// How the host uses an adapter; the default is what a machine does.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Packets that may be with the miniport at a time.
    pub outstanding_packets: usize,
    /// How a packet's data lies in MDLs.
    pub mdl_layout: MdlLayout,
    /// The IRQL at which packets are sent.
    pub send_level: SendLevel,
    /// Whether sent packets lie in pages that are inaccessible after their completion.
    pub guard: bool,
    /// How long indicated packets stay with the stack before they are returned, from another
    /// thread.
    pub hold_indications: Option<Duration>,
    /// Whether completions of sends are logged for
    /// [`Adapter::completions`](super::Adapter::completions).
    pub log_completions: bool,
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
        }
    }
}

/// How the data of a sent packet lies in MDLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MdlLayout {
    /// In one MDL.
    Single,
    /// In MDLs of at most this many bytes, that are not adjacent in memory.
    Pieces(usize),
}

/// The IRQL at which MiniportSendNetBufferLists is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendLevel {
    /// PASSIVE_LEVEL.
    Passive,
    /// DISPATCH_LEVEL, with the flag that says so.
    Dispatch,
    /// One and the other in turn: tcpip.sys does both.
    Alternate,
}
