//! The requests that are the same for every protocol.

use nt::irp::{Dispatched, Irp, Origin};
use nt::pool::PoolBytes;
use nt::{Shared, Status};
use tunic_ioctl::native::reply::{self, AdapterEncoder, AdapterInfo, Traffic};
use tunic_ioctl::native::{Event, RoutesEncoder};
use tunic_ioctl::{AdapterState, Command, Encoded};

use super::{Adapter, AdapterProtocol, peer_count};
use crate::answer::{adapters_bytes, complete_encoded, complete_fixed};
use crate::status::Refusal;

/// The maximum length of an answer that is not a configuration.
const ANSWER_BYTES: usize = 1024;

/// The ABI names every discard counter of the engine.
const _: () =
    assert!(tunic_ioctl::native::DISCARD_NAMES.len() == nic_engine::protocol::Discard::COUNT);

/// Cancels the pending requests of a closed file, or of a device.
pub(super) fn cancel_of<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, origin: Origin) {
    adapter.events.cancel_of(origin);
    P::cancel_of(adapter, origin);
}

/// Performs a request; forwards those of the protocol.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn run<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    command: Command<'_>,
    mut irp: Irp,
) -> Dispatched {
    match command {
        Command::QueryVersion | Command::ListAdapters => {
            irp.complete(Status::INVALID_DEVICE_REQUEST, 0)
        }
        Command::QueryAdapter => {
            let result = answer_adapter(adapter, &mut irp);
            complete_encoded(irp, result)
        }
        Command::QueryStatistics => answer_statistics(adapter, irp),
        Command::QueryRoutes => {
            let result = answer_routes(adapter, &mut irp);
            complete_encoded(irp, result)
        }
        Command::QueryState => answer_state(adapter, irp),
        Command::SetState(state) => {
            let result = P::may_change(adapter, irp.file()).and_then(|()| match state {
                AdapterState::Up => P::up(adapter),
                AdapterState::Down => P::down(adapter),
            });
            let status = result.unwrap_or_else(Refusal::status);
            irp.complete(status, 0)
        }
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

/// Answers a request for one adapter.
fn answer_adapter<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    irp: &mut Irp,
) -> Result<Encoded, Refusal> {
    let mut answer = PoolBytes::zeroed(irp.output_bytes().min(adapters_bytes(1)))?;
    let mut encoder = AdapterEncoder::new(&mut answer);
    describe(adapter, &mut encoder);
    let encoded = encoder.finish();
    irp.write_output(answer.get(..encoded.written_bytes).unwrap_or_default())?;
    Ok(encoded)
}

/// Answers with the routes as text. The output's size bounds what is allocated.
fn answer_routes<P: AdapterProtocol>(
    adapter: &Adapter<P>,
    irp: &mut Irp,
) -> Result<Encoded, Refusal> {
    let mut answer = PoolBytes::zeroed(irp.output_bytes())?;
    let mut encoder = RoutesEncoder::new(&mut answer);
    // The encoder does not fail: it counts what does not fit.
    let _ = adapter.nic.write_graphviz(&mut encoder);
    let encoded = encoder.finish();
    if encoded.written_bytes == 0 {
        return Err(Status::BUFFER_TOO_SMALL.into());
    }
    irp.write_output(answer.get(..encoded.written_bytes).unwrap_or_default())?;
    Ok(encoded)
}

/// Encodes an adapter's record.
pub(super) fn describe<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    encoder: &mut AdapterEncoder<'_>,
) {
    let state = adapter.state.lock();
    let (is_connected, requested_port) = (state.is_connected, P::requested_port(&state.settings));
    drop(state);
    encoder.adapter(&AdapterInfo {
        adapter: adapter.id,
        luid: adapter.handle.interface_luid,
        mtu_bytes: u32::try_from(adapter.nic.mtu().longest()).unwrap_or(u32::MAX),
        protocol: P::NUMBER,
        state: if is_connected { AdapterState::Up } else { AdapterState::Down },
        is_connected,
        listen_port: adapter.sockets.port().unwrap_or(requested_port),
        peers_count: peer_count(adapter),
        name: adapter.name.as_bytes(),
    });
}
