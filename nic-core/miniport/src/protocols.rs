//! The protocols that a driver's adapters can speak.

use nt::irp::{Dispatched, Irp};
use nt::miniport::{AdapterHandle, DriverHandle};
use nt::{Passive, Result, Shared};
use tunic_ioctl::Command;

use crate::adapter::Keywords;
use crate::any_adapter::AnyAdapter;
use crate::control_device::RequestDispatcher;
use crate::services::Services;

/// The list of a driver's protocols, a line each: `&Listed::<MyProtocol>::NEW`. The first is that
/// of adapters whose registry key names none.
pub type ProtocolList = &'static [&'static dyn DriverProtocol];

/// A protocol in a driver's list.
pub trait DriverProtocol: Sync {
    /// What the registry calls it (`TunicProtocol`).
    fn keyword(&self) -> &'static str;

    /// Its bit among the native ABI's capabilities.
    fn capability(&self) -> u64;

    /// Decodes a request of an ABI that it brings; `None` where the control code is none of its
    /// codes.
    fn decode<'a>(&self, code: u32, input: &'a [u8]) -> Result<Option<Command<'a>>>;

    /// Answers a request that it has decoded, by a file that is no adapter's.
    fn request_without_adapter(&self, command: Command<'_>, irp: Irp) -> Dispatched;

    /// Makes what a driver that is being loaded has for it.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn load(&self) -> Result<Shared<dyn LoadedProtocol>>;
}

/// A protocol of a driver that is loaded.
pub trait LoadedProtocol: Send + Sync {
    /// What the registry calls it.
    fn keyword(&self) -> &'static str;

    /// Makes an adapter.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn initialize(&self, new: NewAdapter<'_>, passive: Passive) -> Result<Shared<dyn AnyAdapter>>;

    /// The driver is unloaded: its devices go.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn unload(&self);
}

/// What an adapter is made from.
pub struct NewAdapter<'a> {
    pub(crate) driver: &'a DriverHandle,
    pub(crate) dispatcher: &'a RequestDispatcher,
    pub(crate) services: &'a Services,
    pub(crate) handle: AdapterHandle,
    pub(crate) keywords: &'a Keywords,
}
