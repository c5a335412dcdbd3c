//! An entry of a driver's protocol list.

use core::marker::PhantomData;

use nt::irp::{Dispatched, Irp};
use nt::miniport::AdapterHandle;
use nt::{Passive, Result, Shared, Status};
use tunic_ioctl::Command;

use crate::adapter::{self, AdapterProtocol, Keywords};
use crate::any_adapter::AnyAdapter;
use crate::protocols::{DriverProtocol, LoadedProtocol, NewAdapter};
use crate::services::Services;

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
        let uses_devices = P::initializing(&self.devices, driver, dispatcher, &own_keywords)?;
        let made = make::<P>(services, handle, keywords, &own_keywords, passive);
        if made.is_err() && uses_devices {
            P::ended(&self.devices);
        }
        made
    }

    fn ended(&self, protocol: u32, used_devices: bool) {
        if protocol == P::NUMBER && used_devices {
            P::ended(&self.devices);
        }
    }
}

fn make<P: AdapterProtocol>(
    services: &Services,
    handle: AdapterHandle,
    keywords: &Keywords,
    own_keywords: &P::Keywords,
    passive: Passive,
) -> Result<Shared<dyn AnyAdapter>> {
    let adapter = adapter::make::<P>(services, handle, keywords, own_keywords)?;
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
