//! What an adapter has for a data channel whose handshake is in userspace.

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

/// What the driver notes of an adapter's configuration.
#[derive(Default)]
pub struct Settings {
    pub(crate) mode: Mode,
    /// Who owns the adapter.
    pub(crate) owner: Option<Owner>,
    /// Counters start here, as ovpn-dco-win tells them.
    pub(crate) baseline: Baseline,
}

/// What an adapter has beside the engine.
pub struct Extension {
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    pub(crate) events: Ring<PendingEvent>,
    /// The only peer was silent for too long, and the adapter's owner is still to be told so by a
    /// read.
    pub(crate) is_disconnected: AtomicBool,
    /// It is found by ovpn-dco-win's names as well.
    pub(crate) has_ovpn_dco_name: bool,
}

/// An owner.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) file: FileId,
    /// By which ABI it became one, and so is told what happens.
    pub(crate) abi: Abi,
}

/// Counters at the time from which ovpn-dco-win's count.
#[derive(Clone, Copy, Default)]
pub(crate) struct Baseline(pub(crate) ovpn_dco::Statistics);
