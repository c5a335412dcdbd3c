//! Everything that happens by time (WireGuard paper, section 6), as time stamps that are judged
//! when somebody looks.

use core::time::Duration;

use nic_engine::Instant;

/// The protocol's constants (WireGuard paper, section 6.1). [`TimerConstants::PAPER`] is what
/// interoperates; anything else is for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerConstants {
    /// REKEY_AFTER_TIME: age at which an initiator that sends begins a new handshake.
    pub rekey_after_time: Duration,
    /// REJECT_AFTER_TIME: age at which a session is no longer used.
    pub reject_after_time: Duration,
    /// REKEY_TIMEOUT: time between two initiations.
    pub rekey_timeout: Duration,
    /// Greatest random addition to it.
    pub rekey_timeout_jitter: Duration,
    /// REKEY_ATTEMPT_TIME: how long initiations are repeated.
    pub rekey_attempt_time: Duration,
    /// KEEPALIVE_TIMEOUT: time after which received data is answered by an empty packet if by
    /// nothing else.
    pub keepalive_timeout: Duration,
    /// How long a cookie secret is used.
    pub cookie_secret_max_age: Duration,
    /// How much earlier than that the holder of a cookie stops using it.
    pub cookie_secret_latency: Duration,
    /// Shortest time between two initiations that are accepted of a peer.
    pub initiation_interval: Duration,
    /// REKEY_AFTER_MESSAGES: packets after which a new handshake begins.
    pub rekey_after_messages: u64,
    /// REJECT_AFTER_MESSAGES: packets after which a session is no longer used.
    pub reject_after_messages: u64,
}

impl TimerConstants {
    /// The paper's.
    pub const PAPER: Self = Self {
        rekey_after_time: Duration::from_secs(120),
        reject_after_time: Duration::from_secs(180),
        rekey_timeout: Duration::from_secs(5),
        rekey_timeout_jitter: Duration::from_nanos(333_333_333),
        rekey_attempt_time: Duration::from_secs(90),
        keepalive_timeout: Duration::from_secs(10),
        cookie_secret_max_age: Duration::from_secs(120),
        cookie_secret_latency: Duration::from_secs(5),
        initiation_interval: Duration::from_millis(20),
        rekey_after_messages: 1 << 60,
        reject_after_messages: u64::MAX - (1 << 13),
    };

    /// The paper's with times (not counts) divided, so that a test sees rekeying without waiting
    /// for it.
    pub fn shortened(divisor: u32) -> Self {
        let divide = |time: Duration| time.checked_div(divisor).unwrap_or(time);
        let paper = Self::PAPER;
        Self {
            rekey_after_time: divide(paper.rekey_after_time),
            reject_after_time: divide(paper.reject_after_time),
            rekey_timeout: divide(paper.rekey_timeout),
            rekey_timeout_jitter: divide(paper.rekey_timeout_jitter),
            rekey_attempt_time: divide(paper.rekey_attempt_time),
            keepalive_timeout: divide(paper.keepalive_timeout),
            ..paper
        }
    }

    /// How many initiations are sent before giving up.
    fn greatest_tries(&self) -> u128 {
        self.rekey_attempt_time.as_nanos().checked_div(self.rekey_timeout.as_nanos()).unwrap_or(1)
    }

    /// Age at which an initiator that only receives begins a new handshake.
    fn last_minute(&self) -> Duration {
        self.reject_after_time
            .saturating_sub(self.keepalive_timeout)
            .saturating_sub(self.rekey_timeout)
    }

    /// Time after which key material is erased when no new session was made.
    fn erase_after(&self) -> Duration {
        self.reject_after_time.saturating_mul(3)
    }
}

impl Default for TimerConstants {
    fn default() -> Self {
        Self::PAPER
    }
}

/// A peer's timers. [`Instant::NEVER`] is a timer that does not run.
pub struct Timers {
    /// What they go by.
    pub constants: TimerConstants,
    /// Drawn anew for each initiation.
    jitter: Duration,
    persistent_keepalive: Option<Duration>,
    initiate_at: Instant,
    retry_at: Instant,
    keepalive_at: Instant,
    silence_at: Instant,
    persistent_at: Instant,
    erase_at: Instant,
    /// When a handshake message of ours was sent last.
    last_attempt: Option<Instant>,
    tries: u32,
    is_confirmed: bool,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The responder's session was confirmed by the first packet of the initiator.
    pub confirmed: bool,
    /// Erase all key material.
    pub erase: bool,
    /// Give up: nobody answers.
    pub abandon: bool,
    /// Send an initiation.
    pub initiate: bool,
    /// Our own address may be why we hear nothing: forget it.
    pub clear_local_address: bool,
    /// Send an empty packet.
    pub keepalive: bool,
}

impl Timers {
    /// Timers none of which runs.
    pub fn new(constants: TimerConstants) -> Self {
        Self {
            constants,
            jitter: Duration::ZERO,
            persistent_keepalive: None,
            initiate_at: Instant::NEVER,
            retry_at: Instant::NEVER,
            keepalive_at: Instant::NEVER,
            silence_at: Instant::NEVER,
            persistent_at: Instant::NEVER,
            erase_at: Instant::NEVER,
            last_attempt: None,
            tries: 0,
            is_confirmed: false,
        }
    }

    /// When [`Self::take_due`] has something to say next.
    pub fn deadline(&self) -> Instant {
        if self.is_confirmed {
            return Instant::ZERO;
        }
        self.initiate_at
            .min(self.retry_at)
            .min(self.keepalive_at)
            .min(self.silence_at)
            .min(self.persistent_at)
            .min(self.erase_at)
    }

    /// Takes what is due.
    pub fn take_due(&mut self, now: Instant) -> Due {
        let mut due = Due { confirmed: core::mem::take(&mut self.is_confirmed), ..Due::default() };
        due.erase = take(&mut self.erase_at, now);
        if take(&mut self.retry_at, now) {
            due.clear_local_address = true;
            if u128::from(self.tries) >= self.constants.greatest_tries() {
                self.abandon(now);
                due.abandon = true;
            } else {
                due.initiate = true;
            }
        }
        if take(&mut self.silence_at, now) {
            due.clear_local_address = true;
            due.initiate |= !due.abandon && self.retry_at == Instant::NEVER;
        }
        due.initiate |= take(&mut self.initiate_at, now);
        due.keepalive = take(&mut self.keepalive_at, now);
        if take(&mut self.persistent_at, now) {
            due.keepalive = true;
            self.arm_persistent(now);
        }
        due
    }

    /// Stops all timers, and allows a handshake at once.
    pub fn stop(&mut self) {
        *self =
            Self { persistent_keepalive: self.persistent_keepalive, ..Self::new(self.constants) };
    }

    /// Stops all timers but that of persistent keepalives, and allows a handshake at once: the
    /// sessions are gone.
    pub fn restart(&mut self) {
        let persistent_at = self.persistent_at;
        self.stop();
        self.persistent_at = persistent_at;
    }

    /// Somebody wants to send and there is no good key, or it will soon be too old: asks for a
    /// handshake as soon as the last initiation is long enough ago. If one is under way already, it
    /// gets its full time again.
    pub fn want_initiation(&mut self, now: Instant) {
        self.tries = 0;
        if self.retry_at != Instant::NEVER {
            return;
        }
        let earliest =
            self.last_attempt.map_or(now, |last| last.after(self.constants.rekey_timeout).max(now));
        self.initiate_at = self.initiate_at.min(earliest);
    }

    /// An initiation was sent, or would have been if the peer's address were known.
    pub fn initiation_sent(&mut self, now: Instant, random: u32) {
        self.jitter = scale(self.constants.rekey_timeout_jitter, random);
        self.last_attempt = Some(now);
        self.tries = self.tries.saturating_add(1);
        self.initiate_at = Instant::NEVER;
        self.retry_at = now.after(self.constants.rekey_timeout).after(self.jitter);
        // It doesn't stand in for a keepalive: it may never be answered while the old session still
        // works.
        self.arm_persistent(now);
    }

    /// No initiation could be made for want of memory or random numbers: later.
    pub fn initiation_failed(&mut self, now: Instant) {
        self.initiate_at = Instant::NEVER;
        self.retry_at = now.after(self.constants.rekey_timeout);
    }

    /// No initiation can be made as we are configured.
    pub fn initiation_impossible(&mut self) {
        self.initiate_at = Instant::NEVER;
        self.retry_at = Instant::NEVER;
        self.silence_at = Instant::NEVER;
        self.tries = 0;
    }

    /// A response to the peer's initiation was sent: there is a session, though not yet confirmed.
    pub fn response_sent(&mut self, now: Instant) {
        self.session_made(now);
        // The session will be confirmed in a round trip or so: no handshake of our own meanwhile.
        self.last_attempt = Some(now);
        if self.initiate_at != Instant::NEVER {
            self.initiate_at = now.after(self.constants.rekey_timeout);
        }
        self.authentic_received(now);
        self.authentic_sent(now);
    }

    /// A response to our initiation came in: there is a session.
    pub fn response_received(&mut self, now: Instant) {
        self.session_made(now);
        self.handshake_completed();
        self.authentic_received(now);
    }

    /// The first data packet of a session that the peer began came in.
    pub fn session_confirmed(&mut self) {
        self.handshake_completed();
        self.is_confirmed = true;
    }

    /// Data packets were sent, and keepalives.
    pub fn sent(&mut self, data_packets: u32, keepalives: u32, now: Instant) {
        if data_packets > 0 && self.silence_at == Instant::NEVER {
            self.silence_at = now
                .after(self.constants.keepalive_timeout)
                .after(self.constants.rekey_timeout)
                .after(self.jitter);
        }
        if data_packets > 0 || keepalives > 0 {
            self.authentic_sent(now);
        }
    }

    /// An authentic data packet came in; `session_age` is that of its session where we began it and
    /// send by it.
    pub fn received(&mut self, is_keepalive: bool, session_age: Option<Duration>, now: Instant) {
        self.authentic_received(now);
        if !is_keepalive && self.keepalive_at == Instant::NEVER {
            self.keepalive_at = now.after(self.constants.keepalive_timeout);
        }
        if session_age.is_some_and(|age| age >= self.constants.last_minute()) {
            self.want_initiation(now);
        }
    }

    /// Sets the interval of persistent keepalives.
    pub fn set_persistent_keepalive(&mut self, interval: Option<Duration>) {
        self.persistent_keepalive = interval;
        if interval.is_none() {
            self.persistent_at = Instant::NEVER;
        }
    }

    /// The interval of persistent keepalives.
    pub fn persistent_keepalive(&self) -> Option<Duration> {
        self.persistent_keepalive
    }

    /// Runs the timer of persistent keepalives.
    pub fn arm_persistent(&mut self, now: Instant) {
        self.persistent_at =
            self.persistent_keepalive.map_or(Instant::NEVER, |interval| now.after(interval));
    }

    fn authentic_sent(&mut self, now: Instant) {
        self.keepalive_at = Instant::NEVER;
        self.arm_persistent(now);
    }

    fn authentic_received(&mut self, now: Instant) {
        self.silence_at = Instant::NEVER;
        self.arm_persistent(now);
    }

    fn session_made(&mut self, now: Instant) {
        self.erase_at = now.after(self.constants.erase_after());
    }

    fn handshake_completed(&mut self) {
        self.initiate_at = Instant::NEVER;
        self.retry_at = Instant::NEVER;
        self.tries = 0;
    }

    fn abandon(&mut self, now: Instant) {
        self.initiate_at = Instant::NEVER;
        self.silence_at = Instant::NEVER;
        self.keepalive_at = Instant::NEVER;
        self.tries = 0;
        if self.erase_at == Instant::NEVER {
            self.erase_at = now.after(self.constants.erase_after());
        }
    }
}

/// Whether a timer has run out, and stops it if so.
fn take(timer: &mut Instant, now: Instant) -> bool {
    let is_due = *timer <= now && *timer != Instant::NEVER;
    if is_due {
        *timer = Instant::NEVER;
    }
    is_due
}

/// A random part of a time.
fn scale(time: Duration, random: u32) -> Duration {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(((u128::from(nanos) * u128::from(random)) >> 32) as u64)
}
