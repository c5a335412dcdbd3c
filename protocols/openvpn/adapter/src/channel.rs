//! The types of an adapter whose handshake is in userspace.

use core::sync::atomic::AtomicBool;

use nic_miniport::adapter;
use nic_miniport::ring::Ring;
use nt::irp::FileId;
use tunic_ioctl::data_channel::Mode;
use tunic_ioctl::{Abi, ovpn_dco};

use crate::event::PendingEvent;
use crate::inbox::Inbox;
use crate::outbox::Outbox;

pub(crate) type Adapter = adapter::Adapter<OpenVpnAdapter>;
pub(crate) type State = adapter::State<OpenVpnAdapter>;
/// The engine under its control lock.
pub(crate) type Config<'a> = adapter::Config<'a, OpenVpnAdapter>;
pub(crate) type Sink<'a> = adapter::Sink<'a, OpenVpnAdapter>;

/// An adapter that carries OpenVPN's data channel.
pub struct OpenVpnAdapter;

/// An adapter's configuration outside the engine.
#[derive(Default)]
pub struct Settings {
    pub(crate) mode: Mode,
    /// The file that owns the adapter.
    pub(crate) owner: Option<Owner>,
    /// The baseline of ovpn-dco-win's statistics.
    pub(crate) baseline: Baseline,
}

/// An adapter's objects outside the engine.
pub struct Extension {
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    pub(crate) events: Ring<PendingEvent>,
    /// The only peer timed out, and no read has failed with `CONNECTION_DISCONNECTED` for it yet.
    pub(crate) is_disconnected: AtomicBool,
    /// The adapter can also be opened by ovpn-dco-win's names.
    pub(crate) has_ovpn_dco_name: bool,
}

/// A file that owns an adapter.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) file: FileId,
    /// The ABI by which it became the owner. Events are reported in this ABI.
    pub(crate) abi: Abi,
}

/// The counters at the start of ovpn-dco-win's statistics.
#[derive(Clone, Copy, Default)]
pub(crate) struct Baseline(pub(crate) ovpn_dco::Statistics);
