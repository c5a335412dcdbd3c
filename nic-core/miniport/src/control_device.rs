//! The control device: IOCTLs are decoded whole, and then done.

use alloc::vec::Vec;

use nic_memory::Push;
use nt::device::ControlDevice;
use nt::irp::{Dispatched, FileId, Irp};
use nt::pool::PoolBytes;
use nt::{Shared, Status};
use tunic_ioctl::native::reply::{self, AdapterEncoder, AdapterInfo, Traffic, VersionInfo};
use tunic_ioctl::native::{self, CAPABILITY_EVENTS, CAPABILITY_TIMER_SCALE, Event};
use tunic_ioctl::{
    AdapterId, AdapterState, Command, Encoded, data_channel, decode, ovpn_dco, wireguard_nt,
};

use crate::VERSION;
use crate::adapter::{self, Adapter, AdapterProtocol};
use crate::driver::Core;
use crate::protocols::{AnyAdapter, CAPABILITIES};
use crate::status::Refusal;

/// What answers are written into before they are copied to the caller.
type Answer = PoolBytes;

/// The most bytes of an answer that is not a configuration.
const ANSWER_BYTES: usize = 1024;

/// The ABI has a name for every counter of the engine's.
const _: () = assert!(native::DISCARD_NAMES.len() == nic_engine::protocol::Discard::COUNT);

/// The control device.
pub(crate) struct ControlPoint {
    core: Shared<Core>,
}

/// An open handle.
pub(crate) struct File {
    /// The adapter that was named when it was opened. By its GUID: the handle doesn't keep the
    /// adapter.
    adapter: Option<AdapterId>,
}

impl File {
    /// A handle on an adapter.
    pub(crate) fn of(adapter: &AnyAdapter) -> Self {
        Self { adapter: Some(adapter.id()) }
    }
}

impl ControlPoint {
    pub(crate) fn new(core: Shared<Core>) -> Self {
        Self { core }
    }

    /// What the adapters are found in.
    pub(crate) fn core(&self) -> &Core {
        &self.core
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
        let request = match decode(code, &input) {
            Ok(request) => request,
            Err(error) => return irp.complete(Refusal::from(error).status_of_code(code), 0),
        };
        match request.command {
            Command::QueryVersion => return answer_version(irp),
            Command::ListAdapters => return self.list_adapters(irp),
            // ovpn-dco-win has a device of its own for this, which is no adapter's either.
            Command::DataChannel(_, data_channel::Command::QueryVersion)
                if file.adapter.is_none() =>
            {
                return answer_ovpn_dco_version(irp);
            }
            _ => {}
        }
        let Some(adapter) = self.adapter(file, request.adapter) else {
            return irp.complete(Status::NOT_FOUND, 0);
        };
        let owns = matches!(request.command, Command::DataChannel(_, data_channel::Command::Own));
        if owns && file.adapter != Some(adapter.id()) {
            // Its closing would not be heard of there.
            return irp.complete(Status::INVALID_DEVICE_REQUEST, 0);
        }
        with_adapter!(&adapter, adapter => run_for(adapter, request.command, irp))
    }

    /// Has an adapter send a control datagram. Its bytes stay with the request, which may have to
    /// wait.
    fn send_control(&self, file: &File, irp: Irp) -> Dispatched {
        let input = irp.buffered_input().map_err(Refusal::from);
        let request = input.and_then(|input| Ok(decode(irp.control_code(), input)?));
        let adapter = match request.map(|request| self.adapter(file, request.adapter)) {
            Ok(Some(adapter)) => adapter,
            Ok(None) => return irp.complete(Status::NOT_FOUND, 0),
            Err(refusal) => return irp.complete(refusal.status(), 0),
        };
        with_adapter!(&adapter, adapter => AdapterProtocol::write(adapter, irp))
    }

    /// The adapter that a request names, or that its file is of.
    fn adapter(&self, file: &File, named: Option<AdapterId>) -> Option<AnyAdapter> {
        self.core.find(named.or(file.adapter)?)
    }

    fn list_adapters(&self, mut irp: Irp) -> Dispatched {
        // Taken first: asking an adapter takes its locks.
        let mut adapters: Vec<AnyAdapter> = Vec::new();
        let mut is_complete = true;
        self.core.for_each(|adapter| {
            is_complete &= adapters.try_push(adapter.clone()).is_ok();
        });
        if !is_complete {
            return irp.complete(Status::INSUFFICIENT_RESOURCES, 0);
        }
        let result = answer_adapters(&mut irp, &adapters);
        complete_encoded(irp, result)
    }
}

impl ControlDevice for ControlPoint {
    type File = File;

    fn open(&self, name: &[u16], _id: FileId) -> nt::Result<File> {
        let Some(named) = self.core.find_path(name) else { return Ok(File { adapter: None }) };
        let adapter = named.ok_or(Status::OBJECT_NAME_NOT_FOUND)?;
        with_adapter!(&adapter, adapter => AdapterProtocol::may_open(adapter))?;
        Ok(File::of(&adapter))
    }

    fn control(&self, file: &File, irp: Irp) -> Dispatched {
        self.run(file, irp)
    }

    fn read(&self, file: &File, irp: Irp) -> Dispatched {
        match self.adapter(file, None) {
            Some(adapter) => {
                with_adapter!(&adapter, adapter => AdapterProtocol::read(adapter, irp))
            }
            None => irp.complete(Status::NOT_FOUND, 0),
        }
    }

    fn write(&self, file: &File, irp: Irp) -> Dispatched {
        match self.adapter(file, None) {
            Some(adapter) => {
                with_adapter!(&adapter, adapter => AdapterProtocol::write(adapter, irp))
            }
            None => irp.complete(Status::NOT_FOUND, 0),
        }
    }

    fn cleanup(&self, file: &File, id: FileId) {
        self.core.for_each(|adapter| with_adapter!(adapter, adapter => cancel_of(adapter, id)));
        if let Some(adapter) = self.adapter(file, None) {
            with_adapter!(&adapter, adapter => AdapterProtocol::closed(adapter, id));
        }
    }
}

/// Cancels what waits for a file that was closed.
fn cancel_of<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, file: FileId) {
    adapter.log.cancel_of(file);
    adapter.events.cancel_of(file);
    P::cancel_of(adapter, file);
}

/// Does what is asked of an adapter.
fn run_for<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    command: Command<'_>,
    mut irp: Irp,
) -> Dispatched {
    match command {
        Command::QueryVersion | Command::ListAdapters => {
            irp.complete(Status::INVALID_DEVICE_REQUEST, 0)
        }
        Command::QueryAdapter => {
            let adapter = P::any_adapter(adapter.clone());
            let result = answer_adapters(&mut irp, core::slice::from_ref(&adapter));
            complete_encoded(irp, result)
        }
        Command::QueryStatistics => answer_statistics(adapter, irp),
        Command::QueryState => answer_state(adapter, irp),
        Command::SetState(state) => {
            let result = P::may_change(adapter, irp.file()).and_then(|()| match state {
                AdapterState::Up => P::up(adapter),
                AdapterState::Down => P::down(adapter),
            });
            let status = result.unwrap_or_else(Refusal::status);
            irp.complete(status, 0)
        }
        Command::ReadLogLine if irp.output_bytes() < wireguard_nt::LogEntry::SIZE => {
            irp.complete(Status::BUFFER_TOO_SMALL, 0)
        }
        Command::ReadLogLine => adapter.log.read(irp),
        Command::ReadEvent if irp.output_bytes() < Event::SIZE => {
            irp.complete(Status::BUFFER_TOO_SMALL, 0)
        }
        Command::ReadEvent => adapter.events.read(irp),
        Command::SetTimerScale { permille } => {
            let status = P::scale_timers(adapter, permille)
                .map_or_else(Refusal::status, |()| Status::SUCCESS);
            irp.complete(status, 0)
        }
        command => P::request(adapter, command, irp),
    }
}

fn answer_version(irp: Irp) -> Dispatched {
    let info = VersionInfo {
        abi_version: reply::ABI_VERSION,
        driver_version: u32::from(VERSION.0) << 16 | u32::from(VERSION.1),
        capabilities: CAPABILITIES | CAPABILITY_EVENTS | CAPABILITY_TIMER_SCALE,
    };
    let mut answer = [0; ANSWER_BYTES];
    let length = reply::version(&info, &mut answer);
    complete_fixed(irp, length, &answer)
}

fn answer_statistics<P: AdapterProtocol>(adapter: &Adapter<P>, irp: Irp) -> Dispatched {
    let totals = adapter.nic.totals();
    let traffic = Traffic {
        tx_packets: totals.sent_packets,
        tx_bytes: totals.sent_bytes,
        rx_packets: totals.received_packets,
        rx_bytes: totals.received_bytes,
    };
    let mut answer = [0; ANSWER_BYTES];
    let length = reply::statistics(adapter.id, &traffic, &totals.discards, &mut answer);
    complete_fixed(irp, length, &answer)
}

fn answer_state<P: AdapterProtocol>(adapter: &Adapter<P>, mut irp: Irp) -> Dispatched {
    let state =
        if adapter.state.lock().is_connected { AdapterState::Up } else { AdapterState::Down };
    let mut answer = [0; 4];
    if irp.output_bytes() != answer.len()
        || !tunic_ioctl::configuration::encode_state(state, &mut answer)
    {
        return irp.complete(Status::INVALID_PARAMETER, 0);
    }
    match irp.write_output(&answer) {
        Ok(()) => irp.complete(Status::SUCCESS, answer.len()),
        Err(status) => irp.complete(status, 0),
    }
}

fn answer_adapters(irp: &mut Irp, adapters: &[AnyAdapter]) -> Result<Encoded, Refusal> {
    /// An adapter's record, and the one before all of them.
    const RECORD_BYTES: usize = 512;
    let most = adapters.len().saturating_add(1).saturating_mul(RECORD_BYTES);
    let mut answer = Answer::zeroed(irp.output_bytes().min(most))?;
    let mut encoder = AdapterEncoder::new(&mut answer);
    for adapter in adapters {
        with_adapter!(adapter, adapter => encode_adapter(adapter, &mut encoder));
    }
    let encoded = encoder.finish();
    irp.write_output(answer.get(..encoded.written_bytes).unwrap_or_default())?;
    Ok(encoded)
}

fn encode_adapter<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    encoder: &mut AdapterEncoder<'_>,
) {
    let state = adapter.state.lock();
    let (is_connected, asked_port) = (state.is_connected, P::asked_port(&state.settings));
    drop(state);
    encoder.adapter(&AdapterInfo {
        adapter: adapter.id,
        luid: adapter.handle.interface_luid,
        mtu_bytes: u32::try_from(adapter.nic.mtu().longest()).unwrap_or(u32::MAX),
        protocol: P::NUMBER,
        state: if is_connected { AdapterState::Up } else { AdapterState::Down },
        is_connected,
        listen_port: adapter.sockets.port().unwrap_or(asked_port),
        peers_count: adapter::peer_count(adapter),
        name: adapter.name.as_bytes(),
    });
}

/// Answers ovpn-dco-win's version.
pub(crate) fn answer_ovpn_dco_version(irp: Irp) -> Dispatched {
    let version = ovpn_dco::encode_version();
    complete_fixed(irp, Some(version.len()), &version)
}

/// Ends a request whose answer is one record, or `None` where it doesn't fit into anything.
fn complete_fixed(mut irp: Irp, length: Option<usize>, answer: &[u8]) -> Dispatched {
    let record = length.and_then(|length| answer.get(..length));
    let result = record.ok_or(Status::UNSUCCESSFUL).and_then(|record| {
        irp.write_output(record)?;
        Ok(record.len())
    });
    match result {
        Ok(length) => irp.complete(Status::SUCCESS, length),
        Err(status) => irp.complete(status, 0),
    }
}

/// Ends a request whose answer may be cut: that is a warning, with as many bytes as there are.
pub(crate) fn complete_encoded(irp: Irp, result: Result<Encoded, Refusal>) -> Dispatched {
    match result {
        Ok(encoded) if encoded.is_complete() => {
            irp.complete(Status::SUCCESS, encoded.written_bytes)
        }
        Ok(encoded) => irp.complete(Status::BUFFER_OVERFLOW, encoded.written_bytes),
        Err(refusal) => irp.complete(refusal.status(), 0),
    }
}
