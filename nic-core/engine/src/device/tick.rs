//! Timers: one look at all deadlines whenever the earliest has passed.

use core::time::Duration;

use crate::{
    Instant, Now, Protocol, System,
    device::{ControlSink, ControlState, Device, host::Host},
};

impl<P: Protocol, S: System> Device<P, S> {
    /// Does what is due, for a limited number of peers, and returns when it is to be called next: not after `now` where peers
    /// are left. The control thread also calls it whenever something says `control_due`.
    pub fn tick(&self, now: Now, sink: &mut dyn ControlSink) -> Instant {
        let mut control = self.control.lock();
        if !self.is_up() {
            return Instant::NEVER;
        }
        if now.instant >= control.next_adapter_timeout {
            let [protocol] = &mut *control.protocol;
            P::adapter_timeout(protocol, now);
            control.next_adapter_timeout = now.instant.after(ADAPTER_PERIOD);
            self.renew_judge(&control);
        }
        if self.peers.earliest() <= now.instant && !self.visit_due_peers(&mut control, now, sink) {
            self.peers.lower_earliest(now.instant);
            return now.instant;
        }
        // A peer that is still due can't be helped now. It must not keep the thread from sleeping.
        self.next_due(&control).max(now.instant.after(SHORTEST_SLEEP))
    }

    /// Calls the protocol for each peer that is due. False where some are left.
    fn visit_due_peers(
        &self,
        control: &mut ControlState<P>,
        now: Now,
        sink: &mut dyn ControlSink,
    ) -> bool {
        let ControlState { protocol, directory, scan_from, .. } = control;
        let [protocol] = &mut **protocol;
        let mut host = Host { device: self, directory, sink };
        let slots = host.directory.slots();
        let start = *scan_from;
        let mut earliest = Instant::NEVER;
        let mut visited = 0;
        // A deadline that is set from here on is noted as the earliest, or seen below.
        self.peers.reset_earliest();
        for index in (start..slots).chain(0..start.min(slots)) {
            let mut deadline = self.peers.deadline(index);
            if deadline <= now.instant
                && let Some(peer) = host.directory.id(index)
            {
                if visited == PEERS_PER_TICK {
                    *scan_from = index;
                    return false;
                }
                visited += 1;
                P::timeout(protocol, &mut host, peer, now);
                deadline = self.peers.deadline(index).max(now.instant.after(SHORTEST_SLEEP));
            }
            earliest = earliest.min(deadline);
        }
        self.peers.lower_earliest(earliest);
        true
    }
}

/// How often the adapter itself is looked after.
const ADAPTER_PERIOD: Duration = Duration::from_secs(1);
/// The control lock is free again after so many peers: some milliseconds of handshakes.
const PEERS_PER_TICK: u32 = 32;
/// How soon a peer that is still due is tried again.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
