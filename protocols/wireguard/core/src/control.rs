//! What an adapter has beside its peers.

use nic_engine::Instant;

use crate::Identity;
use crate::cookie::CookieChecker;
use crate::rate_limiter::RateLimiter;
use crate::timers::TimerConstants;
use crate::timestamp::TimestampClock;

/// An adapter's identity, its cookies and its rate limiter. Belongs to the control lock.
pub struct Control {
    pub(crate) constants: TimerConstants,
    pub(crate) identity: Option<Identity>,
    /// There as long as the identity is.
    pub(crate) cookies: Option<CookieChecker>,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) timestamps: TimestampClock,
}

impl Control {
    /// An adapter without an identity. Its peers go by the same constants:
    /// [`TimerConstants::PAPER`], but in tests.
    pub fn new(constants: TimerConstants) -> Self {
        Self {
            constants,
            identity: None,
            cookies: None,
            rate_limiter: RateLimiter::default(),
            timestamps: TimestampClock::default(),
        }
    }

    /// An adapter with an identity, and no peers yet.
    pub fn with_identity(constants: TimerConstants, identity: Identity) -> Self {
        let mut control = Self::new(constants);
        control.set_identity(Some(identity));
        control
    }

    /// Sets or clears the identity; sessions and peers are the caller's.
    pub(crate) fn set_identity(&mut self, identity: Option<Identity>) {
        self.cookies = identity.as_ref().map(|new| CookieChecker::new(new.public_key()));
        self.identity = identity;
    }

    /// Who we are, if set.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// What peers that are made now go by.
    pub fn constants(&self) -> &TimerConstants {
        &self.constants
    }

    /// Erases and gives back what is no longer of use.
    pub(crate) fn collect(&mut self, now: Instant) {
        self.rate_limiter.collect(now);
        if let Some(cookies) = &mut self.cookies {
            cookies.erase_expired(now);
        }
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new(TimerConstants::PAPER)
    }
}
