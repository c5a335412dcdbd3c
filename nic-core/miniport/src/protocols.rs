//! The list of protocols of a driver.

use nt::irp::{Dispatched, Irp};
use nt::miniport::{AdapterHandle, DriverHandle};
use nt::{Passive, Result, Shared};
use tunic_ioctl::Command;

use crate::adapter::Keywords;
use crate::any_adapter::AnyAdapter;
use crate::control_device::RequestDispatcher;
use crate::services::Services;

/// A driver's protocols, one line each: `&Listed::<MyProtocol>::NEW`. The first is the default of
/// an adapter without the keyword `TunicProtocol`.
pub type ProtocolList = &'static [&'static dyn DriverProtocol];

/// A protocol in a driver's list. Called at `PASSIVE_LEVEL` under no lock.
pub trait DriverProtocol: Sync {
    /// Its bit in the native ABI's capabilities.
    fn capability(&self) -> u64;

    /// Decodes a request of the protocol's own ABI; `None` if the control code is not one of its
    /// codes.
    fn decode<'a>(&self, code: u32, input: &'a [u8]) -> Result<Option<Command<'a>>>;

    /// Completes a decoded request on a file that was opened on no adapter.
    fn request_without_adapter(&self, command: Command<'_>, irp: Irp) -> Dispatched;

    /// Creates the per-driver objects, from DriverEntry.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn load(&self) -> Result<Shared<dyn LoadedProtocol>>;
}

/// A protocol of a loaded driver.
pub trait LoadedProtocol: Send + Sync {
    /// The value of the registry keyword `TunicProtocol` that selects it.
    fn keyword(&self) -> &'static str;

    /// Creates an adapter, for MiniportInitializeEx.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn initialize(&self, new: NewAdapter<'_>, passive: Passive) -> Result<Shared<dyn AnyAdapter>>;

    /// An adapter of any protocol is halted and gone; this is its number, and whether it used the
    /// devices of its protocol.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn ended(&self, protocol: u32, used_devices: bool);
}

/// The arguments of [`LoadedProtocol::initialize`].
pub struct NewAdapter<'a> {
    pub(crate) driver: &'a DriverHandle,
    pub(crate) dispatcher: &'a RequestDispatcher,
    pub(crate) services: &'a Services,
    pub(crate) handle: AdapterHandle,
    pub(crate) keywords: &'a Keywords,
}
