//! What outlasts a connection.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::client::log::Log;
use crate::client::network::{Applied, OwnRoutes};
use crate::client::readers::{Input, Readers};
use crate::data_channel::{DataChannel, Peer};

/// The interface with its addresses and routes, and the threads that read from the data channel.
///
/// With `persist-tun` it stays while the client connects anew: packets for the tunnel still go to
/// its interface, and are dropped there as long as no peer has keys.
pub(super) struct Tunnel {
    channel: Arc<dyn DataChannel>,
    interface: String,
    inputs: Sender<Input>,
    log: Log,
    readers: Option<Readers>,
    /// The configuration of the interface, from the first connection on.
    pub(super) network: Option<Applied>,
}

impl Tunnel {
    pub(super) fn new(
        channel: Arc<dyn DataChannel>,
        interface: &str,
        inputs: Sender<Input>,
        log: Log,
    ) -> Self {
        let interface = interface.to_owned();
        Self { channel, interface, inputs, log, readers: None, network: None }
    }

    /// Reads for the connection with this number from now on.
    pub(super) fn read_for(&mut self, connection: u64) {
        let start = || Readers::start(&self.channel, &self.inputs);
        self.readers.get_or_insert_with(start).read_for(connection);
    }

    /// Removes the peer with its keys and its socket. The interface's link stays up.
    pub(super) fn hold(&self) {
        // Fails if there is none.
        let _ = self.channel.delete_peer(Peer::Only);
    }

    /// Undoes the configuration of the interface and sets its link down.
    pub(super) fn release(&mut self) {
        self.network = None;
        let Some(readers) = self.readers.take() else { return };
        if let Err(error) = readers.stop(|| self.channel.stop()) {
            self.log.error(format_args!("can not stop the data channel: {error}"));
        }
    }

    /// The tunnel's own routes.
    pub(super) fn own_routes(&self) -> OwnRoutes<'_> {
        match &self.network {
            Some(network) => network.own_routes(),
            None => OwnRoutes { interface: &self.interface, way: None },
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.release();
    }
}
