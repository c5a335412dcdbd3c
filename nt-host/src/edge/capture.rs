//! An edge for tests, which stores indicated packets and sends packets of the test.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::edge::Edge;
use crate::ndis::{AdapterPort, ReceivedBatch, TransmitError};

/// A capturing edge. Clones share its state.
#[derive(Clone, Default)]
pub struct Capture {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    port: Option<AdapterPort>,
    received: Vec<Vec<u8>>,
    /// The checksum flags of the last received packet.
    checksums: usize,
    /// The number of lists in each indication.
    indications: Vec<usize>,
    link: Option<bool>,
    mtu: Option<u32>,
    room: usize,
}

impl Capture {
    /// A new edge.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The adapter's port, while it is attached.
    #[must_use]
    pub fn port(&self) -> Option<AdapterPort> {
        self.state().port.clone()
    }

    /// Sends packets as one batch.
    ///
    /// # Errors
    /// As [`AdapterPort::transmit`]; `NotRunning` when no adapter is attached.
    ///
    /// # Panics
    /// Panics if a packet is not an IP packet, or if there is no room for all packets.
    pub fn send(&self, packets: &[&[u8]]) -> Result<usize, TransmitError> {
        let port = self.port().ok_or(TransmitError::NotRunning)?;
        let mut batch = port.batch();
        for packet in packets {
            assert!(batch.push(packet), "a packet that cannot be sent");
        }
        port.transmit(&mut batch)
    }

    /// Takes the packets received so far.
    #[must_use]
    pub fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.state().received)
    }

    /// Waits for `count` packets, and takes all that have been received: fewer after the timeout.
    #[must_use]
    pub fn wait_for(&self, count: usize, timeout: Duration) -> Vec<Vec<u8>> {
        let mut state = self.wait_until(timeout, |state| state.received.len() >= count);
        std::mem::take(&mut state.received)
    }

    /// Waits until the link is up or down. Returns false after the timeout.
    #[must_use]
    pub fn wait_for_link(&self, up: bool, timeout: Duration) -> bool {
        self.wait_until(timeout, |state| state.link == Some(up)).link == Some(up)
    }

    /// Waits until room is announced. Returns false after the timeout.
    #[must_use]
    pub fn wait_for_room(&self, timeout: Duration) -> bool {
        let mut state = self.wait_until(timeout, |state| state.room > 0);
        std::mem::take(&mut state.room) > 0
    }

    /// The checksum flags of the last received packet
    /// (`NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO::RECEIVE_*`).
    #[must_use]
    pub fn checksums(&self) -> usize {
        self.state().checksums
    }

    /// The number of lists in each indication so far.
    #[must_use]
    pub fn indications(&self) -> Vec<usize> {
        self.state().indications.clone()
    }

    /// The MTU that was set last.
    #[must_use]
    pub fn mtu(&self) -> Option<u32> {
        self.state().mtu
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until(
        &self,
        timeout: Duration,
        is_done: impl Fn(&State) -> bool,
    ) -> MutexGuard<'_, State> {
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(self.state(), timeout, |state| !is_done(state))
            .unwrap_or_else(PoisonError::into_inner);
        state
    }
}

impl Edge for Capture {
    fn attach(&self, port: AdapterPort) -> io::Result<()> {
        self.state().port = Some(port);
        Ok(())
    }

    fn receive(&self, packets: &ReceivedBatch<'_>) {
        let mut state = self.state();
        state.indications.push(packets.lists());
        packets.for_each(|packet| {
            state.checksums = packet.checksum.Value;
            state.received.push(packet.data.to_vec());
        });
        self.shared.changed.notify_all();
    }

    fn room(&self) {
        self.state().room += 1;
        self.shared.changed.notify_all();
    }

    fn link(&self, up: bool) {
        self.state().link = Some(up);
        self.shared.changed.notify_all();
    }

    fn mtu(&self, mtu: u32) {
        self.state().mtu = Some(mtu);
    }

    fn detach(&self) {
        self.state().port = None;
    }
}
