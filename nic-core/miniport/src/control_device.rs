//! The control device: decodes each IOCTL completely, and then performs it.

use alloc::vec::Vec;

use nic_memory::{Push, wipe_stack};
use nt::device::{ControlDevice, DeviceName, DeviceRegistration};
use nt::irp::{Dispatched, FileId, Irp};
use nt::miniport::DriverHandle;
use nt::pool::PoolBytes;
use nt::{Result, Shared, Status};
use tunic_ioctl::native::reply::{self, AdapterEncoder, VersionInfo};
use tunic_ioctl::native::{self, CAPABILITY_EVENTS, CAPABILITY_TIMER_SCALE};
use tunic_ioctl::{AdapterId, Command, Encoded, data_channel};

use crate::answer::{adapters_bytes, complete_encoded, complete_fixed};
use crate::any_adapter::AnyAdapter;
use crate::protocols::ProtocolList;
use crate::registry::Registry;
use crate::status::Refusal;
use crate::{STACK_FRAMES, VERSION, utf16};

/// An upper bound of the version record.
const VERSION_BYTES: usize = 256;

/// Opens adapters by name, and dispatches requests to them. The handler of the control device, and
/// of the devices that a protocol has of its own.
#[derive(Clone)]
pub struct RequestDispatcher {
    registry: Shared<Registry>,
    protocols: ProtocolList,
}

/// Makes the control device.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(crate) fn register(
    driver: &DriverHandle,
    dispatcher: &RequestDispatcher,
) -> Result<DeviceRegistration> {
    let name = DeviceName {
        device: &utf16!("\\Device\\Tunic"),
        symbolic_link: &utf16!("\\DosDevices\\Tunic"),
        // SYSTEM and Administrators only.
        sddl: &utf16!("D:P(A;;GA;;;SY)(A;;GA;;;BA)"),
    };
    DeviceRegistration::new(driver, &name, Shared::new(dispatcher.clone())?)
}

/// An open file.
pub struct File {
    /// The adapter that was named on open. Its GUID, so that the file holds no reference to the
    /// adapter.
    adapter: Option<AdapterId>,
}

impl File {
    /// A file that is opened on an adapter.
    pub fn of(adapter: &dyn AnyAdapter) -> Self {
        Self { adapter: Some(adapter.id()) }
    }
}

impl RequestDispatcher {
    /// Dispatches to the adapters in `registry`, with the ABIs of `protocols`.
    pub(crate) fn new(registry: Shared<Registry>, protocols: ProtocolList) -> Self {
        Self { registry, protocols }
    }

    /// The driver's adapters.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn run(&self, file: &File, mut irp: Irp) -> Dispatched {
        let code = irp.control_code();
        if code == native::channel::IOCTL_CHANNEL_SEND_CONTROL {
            return self.send_control(file, irp);
        }
        let input = match irp.take_input() {
            Ok(input) => input,
            Err(status) => return irp.complete(status, 0),
        };
        let request = match native::decode(code, &input) {
            Ok(Some(request)) => request,
            Ok(None) => return self.run_of_protocol(self.adapter(file, None), code, &input, irp),
            Err(error) => return irp.complete(Refusal::from(error).status(), 0),
        };
        match request.command {
            Command::QueryVersion => return self.answer_version(irp),
            Command::ListAdapters => return self.list_adapters(irp),
            _ => {}
        }
        let Some(adapter) = self.adapter(file, request.adapter) else {
            return irp.complete(Status::NOT_FOUND, 0);
        };
        let owns = matches!(request.command, Command::DataChannel(_, data_channel::Command::Own));
        if owns && file.adapter != Some(adapter.id()) {
            // The adapter would not be notified when this file is closed.
            return irp.complete(Status::INVALID_DEVICE_REQUEST, 0);
        }
        adapter.request(request.command, irp)
    }

    /// Performs a request of a protocol's own ABI for this adapter.
    pub(crate) fn request_of(&self, adapter: &Shared<dyn AnyAdapter>, mut irp: Irp) -> Dispatched {
        let code = irp.control_code();
        match irp.take_input() {
            Ok(input) => self.run_of_protocol(Some(adapter.clone()), code, &input, irp),
            Err(status) => irp.complete(status, 0),
        }
    }

    /// Performs a request of a protocol's own ABI.
    fn run_of_protocol(
        &self,
        adapter: Option<Shared<dyn AnyAdapter>>,
        code: u32,
        input: &[u8],
        irp: Irp,
    ) -> Dispatched {
        for protocol in self.protocols {
            let command = match protocol.decode(code, input) {
                Ok(Some(command)) => command,
                Ok(None) => continue,
                Err(status) => return irp.complete(status, 0),
            };
            return match adapter {
                Some(adapter) => adapter.request(command, irp),
                None => protocol.request_without_adapter(command, irp),
            };
        }
        irp.complete(Status::INVALID_DEVICE_REQUEST, 0)
    }

    /// Sends a control datagram through an adapter. The bytes stay in the IRP, which may be queued.
    fn send_control(&self, file: &File, irp: Irp) -> Dispatched {
        let decoded = irp.stable_input().and_then(|input| {
            native::decode(irp.control_code(), &input)
                .map(|request| request.and_then(|request| request.adapter))
                .map_err(|error| Refusal::from(error).status())
        });
        let named = match decoded {
            Ok(named) => named,
            Err(status) => return irp.complete(status, 0),
        };
        match self.adapter(file, named) {
            Some(adapter) => adapter.write(irp),
            None => irp.complete(Status::NOT_FOUND, 0),
        }
    }

    /// The adapter that the request names, or else the one its file was opened on.
    fn adapter(&self, file: &File, named: Option<AdapterId>) -> Option<Shared<dyn AnyAdapter>> {
        self.registry.find_id(named.or(file.adapter)?)
    }

    fn answer_version(&self, irp: Irp) -> Dispatched {
        let capabilities = self.protocols.iter().map(|protocol| protocol.capability());
        let info = VersionInfo {
            abi_version: reply::ABI_VERSION,
            driver_version: u32::from(VERSION.0) << 16 | u32::from(VERSION.1),
            capabilities: capabilities
                .fold(CAPABILITY_EVENTS | CAPABILITY_TIMER_SCALE, |all, one| all | one),
        };
        let mut answer = [0; VERSION_BYTES];
        let length = reply::version(&info, &mut answer);
        complete_fixed(irp, length, &answer)
    }

    fn list_adapters(&self, mut irp: Irp) -> Dispatched {
        // Collected first: `describe` takes adapter locks, which may not nest in the list's lock.
        let mut adapters: Vec<Shared<dyn AnyAdapter>> = Vec::new();
        let mut is_complete = true;
        self.registry.for_each(|adapter| {
            is_complete &= adapters.try_push(adapter.clone()).is_ok();
        });
        if !is_complete {
            return irp.complete(Status::INSUFFICIENT_RESOURCES, 0);
        }
        let result = answer_adapters(&mut irp, &adapters);
        complete_encoded(irp, result)
    }
}

impl ControlDevice for RequestDispatcher {
    type File = File;

    fn open(&self, name: &[u16], _id: FileId) -> Result<File> {
        let Some(named) = self.registry.find_path(name) else { return Ok(File { adapter: None }) };
        let adapter = named.ok_or(Status::OBJECT_NAME_NOT_FOUND)?;
        adapter.may_open()?;
        Ok(File::of(&*adapter))
    }

    fn control(&self, file: &File, irp: Irp) -> Dispatched {
        let dispatched = self.run(file, irp);
        // The request may have brought keys, or asked for them.
        wipe_stack(STACK_FRAMES);
        dispatched
    }

    fn read(&self, file: &File, irp: Irp) -> Dispatched {
        match self.adapter(file, None) {
            Some(adapter) => adapter.read(irp),
            None => irp.complete(Status::NOT_FOUND, 0),
        }
    }

    fn write(&self, file: &File, irp: Irp) -> Dispatched {
        match self.adapter(file, None) {
            Some(adapter) => adapter.write(irp),
            None => irp.complete(Status::NOT_FOUND, 0),
        }
    }

    fn cleanup(&self, file: &File, id: FileId) {
        self.registry.for_each(|adapter| adapter.cancel_of(id.into()));
        if let Some(adapter) = self.adapter(file, None) {
            adapter.closed(id);
        }
    }
}

fn answer_adapters(
    irp: &mut Irp,
    adapters: &[Shared<dyn AnyAdapter>],
) -> core::result::Result<Encoded, Refusal> {
    let bytes = irp.output_bytes().min(adapters_bytes(adapters.len()));
    let mut answer = PoolBytes::zeroed(bytes)?;
    let mut encoder = AdapterEncoder::new(&mut answer);
    for adapter in adapters {
        adapter.describe(&mut encoder);
    }
    let encoded = encoder.finish();
    irp.write_output(answer.get(..encoded.written_bytes).unwrap_or_default())?;
    Ok(encoded)
}
