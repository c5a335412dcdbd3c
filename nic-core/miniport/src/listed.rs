//! An entry of a driver's protocol list.

use core::marker::PhantomData;

use nt::irp::{Dispatched, Irp};
use nt::{Passive, Result, Shared, Status};
use tunic_ioctl::Command;

use crate::adapter::{self, AdapterProtocol};
use crate::any_adapter::AnyAdapter;
use crate::protocols::{DriverProtocol, LoadedProtocol, NewAdapter};

/// The list entry of protocol `P`.
pub struct Listed<P>(PhantomData<fn() -> P>);

impl<P> Listed<P> {
    /// The entry.
    pub const NEW: Self = Self(PhantomData);
}

impl<P: AdapterProtocol> DriverProtocol for Listed<P> {
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

    fn initialize(&self, new: NewAdapter<'_>, passive: Passive) -> Result<Shared<dyn AnyAdapter>> {
        let NewAdapter { driver, dispatcher, services, handle, keywords } = new;
        let own_keywords = match handle.configuration() {
            Ok(configuration) => P::read_keywords(&configuration)?,
            Err(Status::INSUFFICIENT_RESOURCES) => return Err(Status::INSUFFICIENT_RESOURCES),
            // The adapter has no registry key.
            Err(_) => P::Keywords::default(),
        };
        P::initializing(&self.devices, driver, dispatcher, &own_keywords)?;
        let adapter = adapter::make::<P>(services, handle, keywords, &own_keywords)?;
        match Shared::new(adapter.clone()) {
            Ok(object) => Ok(object.unsize::<dyn AnyAdapter>(|inner| inner)),
            Err(status) => {
                let released = adapter.halt();
                drop(adapter);
                released.wait(passive);
                Err(status)
            }
        }
    }

    fn unload(&self) {
        P::unload(&self.devices);
    }
}
