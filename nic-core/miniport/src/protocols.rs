//! The protocols that a driver's adapters can speak.

use core::marker::PhantomData;

use nt::irp::{Dispatched, Irp};
use nt::miniport::{AdapterHandle, DriverHandle};
use nt::{Result, Shared, Status};
use tunic_ioctl::Command;

use crate::adapter::{self, AdapterProtocol, Keywords, Services};
use crate::any_adapter::AnyAdapter;
use crate::control_device::ControlPoint;

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
    fn initialize(&self, new: NewAdapter<'_>) -> Result<Shared<dyn AnyAdapter>>;

    /// The driver is unloaded: its devices go.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn unload(&self);
}

/// What an adapter is made from.
pub struct NewAdapter<'a> {
    pub(crate) driver: &'a DriverHandle,
    pub(crate) control: &'a ControlPoint,
    pub(crate) services: &'a Services,
    pub(crate) handle: AdapterHandle,
    pub(crate) keywords: &'a Keywords,
}

/// A protocol as an entry of the list.
pub struct Listed<P>(PhantomData<fn() -> P>);

impl<P> Listed<P> {
    /// The entry.
    pub const NEW: Self = Self(PhantomData);
}

impl<P: AdapterProtocol> DriverProtocol for Listed<P> {
    fn keyword(&self) -> &'static str {
        P::KEYWORD
    }

    fn capability(&self) -> u64 {
        P::CAPABILITY
    }

    fn decode<'a>(&self, code: u32, input: &'a [u8]) -> Result<Option<Command<'a>>> {
        P::decode(code, input).map_err(P::decode_status)
    }

    fn request_without_adapter(&self, command: Command<'_>, irp: Irp) -> Dispatched {
        P::request_without_adapter(command, irp)
    }

    fn load(&self) -> Result<Shared<dyn LoadedProtocol>> {
        let loaded = Shared::new(Loaded::<P> { devices: P::load()? })?;
        Ok(loaded.unsize::<dyn LoadedProtocol>(|inner| inner))
    }
}

struct Loaded<P: AdapterProtocol> {
    devices: P::Devices,
}

impl<P: AdapterProtocol> LoadedProtocol for Loaded<P> {
    fn keyword(&self) -> &'static str {
        P::KEYWORD
    }

    fn initialize(&self, new: NewAdapter<'_>) -> Result<Shared<dyn AnyAdapter>> {
        let NewAdapter { driver, control, services, handle, keywords } = new;
        let own_keywords = match handle.configuration() {
            Ok(configuration) => P::read_keywords(&configuration)?,
            Err(Status::INSUFFICIENT_RESOURCES) => return Err(Status::INSUFFICIENT_RESOURCES),
            // There is none.
            Err(_) => P::Keywords::default(),
        };
        P::initializing(&self.devices, driver, control, &own_keywords)?;
        let adapter = adapter::make::<P>(services, handle, keywords, &own_keywords)?;
        match Shared::new(adapter.clone()) {
            Ok(object) => Ok(object.unsize::<dyn AnyAdapter>(|inner| inner)),
            Err(status) => {
                let gone = adapter.halt();
                drop(adapter);
                gone.wait();
                Err(status)
            }
        }
    }

    fn unload(&self) {
        P::unload(&self.devices);
    }
}
