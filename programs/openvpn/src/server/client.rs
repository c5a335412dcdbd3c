//! One client of the server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::pool::Lease;
use crate::session::Session;

/// How long a client that must go is still answered, so that what it was told arrives.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// A client that asks for its configuration again so soon has not got what is on its way.
const PUSH_INTERVAL: Duration = Duration::from_secs(30);

/// A client, from the packet with which it brought our cookie back.
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) session: Session,
    pub(super) stage: Stage,
}

/// How far a client is.
pub(super) enum Stage {
    /// Who it is is not known yet.
    Handshake,
    /// It has its addresses, and a peer in the data path.
    Connected(Connected),
    /// It was told to go.
    Leaving {
        /// When it is forgotten.
        until: Instant,
    },
}

/// A client that has what it needs.
pub(super) struct Connected {
    pub(super) name: String,
    pub(super) lease: Lease,
    pub(super) since: Instant,
    /// The messages of the push, and when they were sent last.
    pub(super) push: Vec<String>,
    pub(super) pushed_at: Option<Instant>,
}

impl Client {
    /// How it is called in log lines.
    pub(super) fn label(&self) -> String {
        match &self.stage {
            Stage::Connected(connected) => format!("{}/{}", connected.name, self.address),
            Stage::Handshake | Stage::Leaving { .. } => self.address.to_string(),
        }
    }

    pub(super) fn connected(&self) -> Option<&Connected> {
        match &self.stage {
            Stage::Connected(connected) => Some(connected),
            Stage::Handshake | Stage::Leaving { .. } => None,
        }
    }

    /// When its time comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let leaving = match self.stage {
            Stage::Leaving { until } => Some(until),
            Stage::Handshake | Stage::Connected(_) => None,
        };
        leaving.into_iter().chain(self.session.deadline()).min()
    }

    /// Sends the configuration, unless it has just been sent.
    pub(super) fn push(&mut self, now: Instant) {
        let Stage::Connected(connected) = &mut self.stage else { return };
        if connected.pushed_at.is_some_and(|at| now.duration_since(at) < PUSH_INTERVAL) {
            return;
        }
        connected.pushed_at = Some(now);
        for message in &connected.push {
            // It fails only for a session that is over, which is an event of its own.
            let _ = self.session.send_message(message);
        }
    }

    /// Says a last word.
    pub(super) fn dismiss(&mut self, word: &str, now: Instant) {
        let _ = self.session.send_message(word);
        self.stage = Stage::Leaving { until: now + LEAVE_TIMEOUT };
    }
}
