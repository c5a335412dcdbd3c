//! A client of the server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;

use super::pool::Lease;
use crate::session::Session;

/// How long the session of a dismissed client is kept for retransmissions.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// Repeated push requests within this time are ignored: the reply is still in flight.
const PUSH_INTERVAL: Duration = Duration::from_secs(30);

/// A client, from the packet on that returned our cookie.
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) session: Session,
    pub(super) begun: Instant,
    pub(super) stage: Stage,
}

/// Stage of a client.
pub(super) enum Stage {
    /// Not authenticated yet.
    Handshake,
    /// Authenticated, with addresses and a peer in the data channel.
    Connected(Connected),
    /// Dismissed.
    Leaving {
        /// When its session is dropped.
        until: Instant,
    },
}

/// State of a connected client.
pub(super) struct Connected {
    pub(super) name: String,
    /// Its certificate, which stays the same until it connects anew.
    pub(super) certificate: Option<CertificateDer<'static>>,
    pub(super) lease: Lease,
    pub(super) since: Instant,
    /// The `PUSH_REPLY` messages.
    pub(super) push: Vec<String>,
    pub(super) pushed_at: Option<Instant>,
}

impl Client {
    /// Name in log lines.
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

    /// Its next deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let leaving = match self.stage {
            Stage::Leaving { until } => Some(until),
            Stage::Handshake | Stage::Connected(_) => None,
        };
        leaving.into_iter().chain(self.session.deadline()).min()
    }

    /// Sends the push reply, unless it has just been sent.
    pub(super) fn push(&mut self, now: Instant) {
        let Stage::Connected(connected) = &mut self.stage else { return };
        if connected.pushed_at.is_some_and(|at| now.duration_since(at) < PUSH_INTERVAL) {
            return;
        }
        connected.pushed_at = Some(now);
        for message in &connected.push {
            // Fails only for a failed session, which is reported by its own event.
            let _ = self.session.send_message(message);
        }
    }

    /// Sends a final message.
    pub(super) fn dismiss(&mut self, word: &str, now: Instant) {
        let _ = self.session.send_message(word);
        self.stage = Stage::Leaving { until: now + LEAVE_TIMEOUT };
    }
}
