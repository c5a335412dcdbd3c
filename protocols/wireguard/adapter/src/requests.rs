//! The requests of the WireGuard protocol.

use nic_miniport::answer::complete_encoded;
use nt::irp::{Dispatched, Irp};
use nt::{Shared, Status};
use tunic_ioctl::{Abi, Command, Encoded, wireguard_nt};

use crate::{Adapter, configure, log};

/// Performs a request.
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
                // WireGuardNT returns the number of bytes read. In a buffered request, the I/O
                // manager would copy that many bytes back.
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

/// Completes a query of the configuration. WireGuardNT's callers get the required size as the
/// number of bytes, which is possible with its direct I/O method.
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
