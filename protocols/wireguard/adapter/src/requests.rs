//! What only adapters that speak WireGuard are asked.

use nic_miniport::answer::complete_encoded;
use nt::irp::{Dispatched, Irp};
use nt::{Shared, Status};
use tunic_ioctl::{Abi, Command, Encoded, wireguard_nt};

use crate::{Adapter, configure, log};

/// Does what is asked.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn run(adapter: &Shared<Adapter>, command: Command<'_>, mut irp: Irp) -> Dispatched {
    match command {
        Command::QueryConfiguration(abi) => {
            let answer = configure::query(adapter, abi, irp.output_bytes());
            let (answer, encoded) = match answer {
                Ok(answer) => answer,
                Err(refusal) => return irp.complete(refusal.status(), 0),
            };
            let written = answer.get(..encoded.written_bytes).unwrap_or_default();
            if let Err(status) = irp.write_output(written) {
                return irp.complete(status, 0);
            }
            complete_configuration(irp, abi, encoded)
        }
        Command::Configure(change) => {
            let consumed_bytes = change.consumed_bytes();
            match configure::apply(adapter, &change) {
                // WireGuardNT tells how much it has read; a buffered request would get that many
                // bytes back.
                Ok(()) if irp.control_code() == wireguard_nt::IOCTL_SET => {
                    irp.complete(Status::SUCCESS, consumed_bytes)
                }
                Ok(()) => irp.complete(Status::SUCCESS, 0),
                Err(refusal) => irp.complete(refusal.status(), 0),
            }
        }
        Command::ReadLogLine => log::read(adapter, irp),
        _ => irp.complete(Status::INVALID_DEVICE_REQUEST, 0),
    }
}

/// Ends a request for the configuration. WireGuardNT's callers learn the size by the number of
/// bytes, which its direct method allows.
fn complete_configuration(irp: Irp, abi: Abi, encoded: Encoded) -> Dispatched {
    if abi == Abi::Native || encoded.is_complete() {
        return complete_encoded(irp, Ok(encoded));
    }
    match usize::try_from(encoded.required_bytes) {
        Ok(required) if u32::try_from(required).is_ok() => {
            irp.complete(Status::BUFFER_OVERFLOW, required)
        }
        _ => irp.complete(Status::INTEGER_OVERFLOW, 0),
    }
}
