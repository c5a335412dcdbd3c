//! The control plane: handshakes, timers, configuration.

use super::{ClaimError, ControlHost, Discard, PeerId, Protocol, ReceiverId};
use crate::{Endpoint, Instant, Now};

/// Whether the sender of a control message has proved that it receives at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressValidation {
    /// It has not: the address may be spoofed.
    Unvalidated,
    /// It has.
    Validated,
}

/// Validates the source address of a control message before the message is queued.
///
/// The engine keeps a copy, so that messages are validated on arrival without the control lock.
pub trait AddressValidator: Clone + Send {
    /// Validates a datagram of [`super::Class::Control`]. An error drops the datagram. No lock;
    /// must be cheap and bounded. `is_assigned` returns whether a receiver ID belongs to a peer.
    fn validate(
        &self,
        datagram: &[u8],
        from: &Endpoint,
        is_assigned: &dyn Fn(ReceiverId) -> bool,
        now: Instant,
    ) -> Result<AddressValidation, Discard>;
}

/// Accepts every message as unvalidated.
impl AddressValidator for () {
    #[inline]
    fn validate(
        &self,
        _datagram: &[u8],
        _from: &Endpoint,
        _is_assigned: &dyn Fn(ReceiverId) -> bool,
        _now: Instant,
    ) -> Result<AddressValidation, Discard> {
        Ok(AddressValidation::Unvalidated)
    }
}

/// An adapter's control state. All methods are called under the control lock.
pub trait ControlPlane<P: Protocol>: Send {
    /// A copy of the state that address validation needs. Called after every call that may have
    /// changed it.
    fn address_validator(&self) -> P::AddressValidator;

    /// Handles a datagram of [`super::Class::Control`]. Must repeat the validation of its address
    /// if it depends on it: the state may have changed since.
    fn control_message(
        &mut self,
        host: &mut dyn ControlHost<P>,
        datagram: &[u8],
        from: &Endpoint,
        now: Now,
    );

    /// Handles the payload of an authentic packet with [`super::Disposition::Control`]. It may pass
    /// it to userspace with [`ControlHost::hand_up`], and answer with [`ControlHost::send_sealed`].
    /// The default counts it as malformed.
    fn authenticated_message(
        &mut self,
        host: &mut dyn ControlHost<P>,
        peer: PeerId,
        message: &[u8],
        from: &Endpoint,
        now: Now,
    ) {
        _ = (peer, message, from, now);
        host.count(Discard::Malformed);
    }

    /// Performs what is due for a peer whose deadline has passed.
    fn timeout(&mut self, host: &mut dyn ControlHost<P>, peer: PeerId, now: Now);

    /// Claims the receiver IDs that a new peer needs from the start. On failure it must leave none
    /// claimed, and the peer is not added.
    fn peer_added(
        &mut self,
        host: &mut dyn ControlHost<P>,
        peer: PeerId,
    ) -> Result<(), ClaimError> {
        _ = (host, peer);
        Ok(())
    }

    /// Releases the receiver IDs of a peer that is being removed, and erases its secrets.
    fn peer_removed(&mut self, host: &mut dyn ControlHost<P>, peer: PeerId);

    /// Maintains the adapter's own state, about once a second.
    fn adapter_timeout(&mut self, now: Now) {
        _ = now;
    }
}
