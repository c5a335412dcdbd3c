//! Replay protection of wrapped control packets.

use super::error::WrapError;

/// Size of the replay window: OpenVPN's default for `--replay-window`.
const WINDOW: u32 = 64;
/// Base of the numbers of a client that can resend its wrapped key (doc/tls-crypt-v2.txt, "HMAC
/// Cookie support").
const EARLY_NEGOTIATION: u32 = 0x0f00_0000;

/// Replay id: a 32-bit counter, and the sender's time at the counter's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReplayId {
    /// Counts from 1.
    pub(super) number: u32,
    /// Seconds since 1970.
    pub(super) time: u32,
}

impl ReplayId {
    /// Whether a client's first packet announces early negotiation.
    pub(super) fn is_early_negotiation(self) -> bool {
        self.number & 0xff00_0000 == EARLY_NEGOTIATION
    }

    pub(super) fn from_bytes(bytes: [u8; 8]) -> Self {
        let value = u64::from_be_bytes(bytes);
        // CAST: the upper and the lower half.
        Self { number: (value >> 32) as u32, time: value as u32 }
    }

    pub(super) fn to_bytes(self) -> [u8; 8] {
        (u64::from(self.number) << 32 | u64::from(self.time)).to_be_bytes()
    }
}

/// Replay ids of sent packets.
#[derive(Debug)]
pub(super) struct SendCounter {
    next: u32,
    time: Option<u32>,
}

impl Default for SendCounter {
    fn default() -> Self {
        Self { next: 1, time: None }
    }
}

impl SendCounter {
    pub(super) fn with_early_negotiation() -> Self {
        Self { next: EARLY_NEGOTIATION + 1, time: None }
    }

    /// Skips a number.
    pub(super) fn skip(&mut self) {
        self.next = self.next.saturating_add(1);
    }

    /// The next id. The counter saturates: the peer then drops our packets as replays.
    pub(super) fn next(&mut self, unix_time_s: u32) -> ReplayId {
        let number = self.next;
        self.skip();
        ReplayId { number, time: *self.time.get_or_insert(unix_time_s) }
    }
}

/// Replay window of received packets: the newest id, and a bit for each of the numbers before it.
#[derive(Debug, Default)]
pub(super) struct ReplayWindow {
    newest: Option<ReplayId>,
    /// Bit n is set if number `newest - n` was received.
    seen: u64,
}

impl ReplayWindow {
    /// Accepts the id of an authentic packet, or rejects it as a replay.
    pub(super) fn accept(&mut self, id: ReplayId) -> Result<(), WrapError> {
        let newest = match self.newest {
            // A sender that restarts its counter has a later time.
            Some(newest) if id.time == newest.time => newest,
            Some(newest) if id.time < newest.time => return Err(WrapError::Replayed),
            Some(_) | None => return self.move_to(id, 0),
        };
        if id.number > newest.number {
            let seen = self.seen.checked_shl(id.number - newest.number).unwrap_or(0);
            return self.move_to(id, seen);
        }
        let behind = newest.number - id.number;
        if behind >= WINDOW || self.seen >> behind & 1 == 1 {
            return Err(WrapError::Replayed);
        }
        self.seen |= 1 << behind;
        Ok(())
    }

    fn move_to(&mut self, id: ReplayId, seen: u64) -> Result<(), WrapError> {
        if id.number == 0 {
            return Err(WrapError::Replayed);
        }
        self.newest = Some(id);
        self.seen = seen | 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_each_number_once_also_out_of_order() {
        let mut replay_window = ReplayWindow::default();
        let id = |number, time| ReplayId { number, time };
        for (number, time, accepted) in [
            (0, 9, false),
            (1, 9, true),
            (1, 9, false),
            (5, 9, true),
            (3, 9, true),
            (3, 9, false),
            (68, 9, true),
            (4, 9, false),
            (6, 9, true),
            (1000, 9, true),
            (936, 9, false),
            (937, 9, true),
            (1001, 8, false),
            (1, 10, true),
            (1001, 9, false),
        ] {
            let result = replay_window.accept(id(number, time));
            assert_eq!(result.is_ok(), accepted, "number {number} of time {time}");
        }
    }

    #[test]
    fn counts_and_keeps_the_time_of_the_first_packet() {
        let mut send_counter = SendCounter::default();
        assert_eq!(send_counter.next(7), ReplayId { number: 1, time: 7 });
        assert_eq!(send_counter.next(8), ReplayId { number: 2, time: 7 });
        send_counter.next = u32::MAX;
        assert_eq!(send_counter.next(8).number, u32::MAX);
        assert_eq!(send_counter.next(8).number, u32::MAX);
    }
}
