//! A control message between the sockets and the control thread.

use nic_engine::Endpoint;
use nic_engine::protocol::PeerId;
use nt::wsk::Datagram;

use super::endpoint;

/// The maximum of `MAX_CONTROL_BYTES` over all protocols.
pub(super) const MESSAGE_BYTES: usize = 160;

/// A control message and its source or destination.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    pub(crate) endpoint: Endpoint,
    /// The peer that sealed it, or that it is sent to; `None` for a control datagram that came in,
    /// and for a reply.
    pub(super) peer: Option<PeerId>,
    bytes: [u8; MESSAGE_BYTES],
    length: usize,
}

impl Message {
    /// Copies a message; `None` if it is too long.
    pub(crate) fn new(endpoint: Endpoint, message: &[u8]) -> Option<Self> {
        let mut bytes = [0; MESSAGE_BYTES];
        bytes.get_mut(..message.len())?.copy_from_slice(message);
        Some(Self { endpoint, peer: None, bytes, length: message.len() })
    }

    /// Copies a datagram; `None` if it is too long.
    pub(super) fn received(datagram: &Datagram<'_>) -> Option<Self> {
        let mut bytes = [0; MESSAGE_BYTES];
        let length = datagram.copy_to(&mut bytes).ok()?.len();
        let endpoint = endpoint::of(datagram)?;
        (length == datagram.len()).then_some(Self { endpoint, peer: None, bytes, length })
    }

    /// The message.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
