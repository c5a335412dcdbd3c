//! When a ping is due, and when a peer is given up. Timers are time stamps, judged when somebody
//! looks.

use core::time::Duration;

use nic_engine::Instant;

/// What a peer's timers are judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timers {
    keepalive_s: u32,
    timeout_s: u32,
    last_sent: Instant,
    last_received: Instant,
    /// The silence that there is was told of.
    is_timeout_told: bool,
}

impl Timers {
    /// Both off.
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            keepalive_s: 0,
            timeout_s: 0,
            last_sent: now,
            last_received: now,
            is_timeout_told: false,
        }
    }

    /// Seconds of keepalive and timeout; 0 for never.
    pub(crate) const fn configured_s(&self) -> (u32, u32) {
        (self.keepalive_s, self.timeout_s)
    }

    /// Sets and restarts the keepalive; 0 for never.
    pub(crate) const fn set_keepalive(&mut self, seconds: u32, now: Instant) {
        self.keepalive_s = seconds;
        self.last_sent = now;
    }

    /// Sets and restarts the timeout; 0 for never.
    pub(crate) const fn set_timeout(&mut self, seconds: u32, now: Instant) {
        self.timeout_s = seconds;
        self.received(now);
    }

    /// Notes that something was sent, or that all was done to send it.
    pub(crate) const fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    /// Notes that something authentic came.
    pub(crate) const fn received(&mut self, now: Instant) {
        self.last_received = now;
        self.is_timeout_told = false;
    }

    /// Notes that the timeout was told.
    pub(crate) const fn timeout_told(&mut self) {
        self.is_timeout_told = true;
    }

    /// When a ping is due.
    pub(crate) fn keepalive_due(&self) -> Instant {
        after(self.last_sent, self.keepalive_s)
    }

    /// When the peer is to be given up.
    pub(crate) fn timeout_due(&self) -> Instant {
        if self.is_timeout_told {
            return Instant::NEVER;
        }
        after(self.last_received, self.timeout_s)
    }
}

fn after(start: Instant, seconds: u32) -> Instant {
    match seconds {
        0 => Instant::NEVER,
        seconds => start.after(Duration::from_secs(seconds.into())),
    }
}
