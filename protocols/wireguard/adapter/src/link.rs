//! Up and down.

use nic_miniport::status::Refusal;
use nic_wireguard::configure;
use nt::{Shared, Status};

use crate::Adapter;
use crate::log::{self, Level};

/// Brings an adapter up: binds the sockets and connects the link.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn up(adapter: &Shared<Adapter>) -> Result<Status, Refusal> {
    Adapter::connect(
        adapter,
        |state| {
            let port = state.settings.listen_port;
            Adapter::bind(adapter, port).inspect_err(|status| {
                let text = format_args!("UDP port {port} can't be bound: {status}");
                log::write(adapter, Level::Error, text);
            })
        },
        |config| config.with_protocol(|_, host| configure::start(host)),
    )
}

/// Brings an adapter down: ends sessions, disconnects the link and closes the sockets.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn down(adapter: &Shared<Adapter>) -> Result<Status, Refusal> {
    Adapter::disconnect(adapter, |config| config.with_protocol(|_, host| configure::stop(host)))
}
