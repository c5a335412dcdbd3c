//! Timers: a look at who is due whenever the earliest deadline has passed.

use core::time::Duration;

use crate::{
    Instant, Now, Protocol, System,
    nic::{ControlSink, ControlState, Nic, host::Host},
    protocol::ControlPlane,
};

impl<P: Protocol, S: System> Nic<P, S> {
    /// Does what is due, for a limited number of peers, and returns when it is to be called next:
    /// not after `now` where peers are left. The control thread also calls it whenever something
    /// says `control_due`.
    pub fn tick(&self, now: Now, sink: &mut dyn ControlSink) -> Instant {
        let mut control = self.control.lock();
        if !self.is_up() {
            return Instant::NEVER;
        }
        if now.instant >= control.next_adapter_timeout {
            control.protocol.adapter_timeout(now);
            control.next_adapter_timeout = now.instant.after(ADAPTER_PERIOD);
            self.renew_address_validator(&control);
        }
        if self.peers.deadlines.earliest() <= now.instant
            && !self.visit_due_peers(&mut control, now, sink)
        {
            return now.instant;
        }
        // A peer that is still due can't be helped now. It must not keep the thread from sleeping.
        self.next_due(&control).max(now.instant.after(SHORTEST_SLEEP))
    }

    /// Calls the protocol for each peer that is due. False where some may be left.
    fn visit_due_peers(
        &self,
        control: &mut ControlState<P>,
        now: Now,
        sink: &mut dyn ControlSink,
    ) -> bool {
        let ControlState { protocol, directory, scan_from, .. } = control;
        let mut host = Host { nic: self, directory, sink };
        let deadlines = &self.peers.deadlines;
        for _ in 0..PEERS_PER_TICK {
            // On from the last one, so that nobody waits for those in front.
            let due = deadlines.next_due(*scan_from, now.instant);
            let Some(index) = due.or_else(|| deadlines.next_due(0, now.instant)) else {
                deadlines.raise_earliest();
                return true;
            };
            *scan_from = index.saturating_add(1);
            if let Some(peer) = host.directory.id(index) {
                protocol.timeout(&mut host, peer, now);
                if let Some(question) = self.path_question(peer, now.instant) {
                    host.sink.find_path(&question);
                }
            }
            deadlines.put_off(index, now.instant, now.instant.after(SHORTEST_SLEEP));
        }
        false
    }
}

/// How often the adapter itself is looked after.
const ADAPTER_PERIOD: Duration = Duration::from_secs(1);
/// The control lock is free again after so many peers: some milliseconds of handshakes.
const PEERS_PER_TICK: u32 = 32;
/// How soon a peer that is still due is tried again.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
