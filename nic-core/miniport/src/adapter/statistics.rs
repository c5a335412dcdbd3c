//! The adapter's counters for NDIS.

use nic_engine::protocol::Discard;
use nt::oid::Statistics;

use super::{Adapter, AdapterProtocol};

/// Reasons for dropping a packet to send.
const SEND_DISCARDS: [Discard; 10] = [
    Discard::NoRoute,
    Discard::NoEndpoint,
    Discard::NotAdmitted,
    Discard::QueueFull,
    Discard::QueuedTooLong,
    Discard::NoKey,
    Discard::Down,
    Discard::NoMemory,
    Discard::NoOuterRoute,
    Discard::OuterRouteLoop,
];

/// Reasons that count as receive errors.
const RECEIVE_ERRORS: [Discard; 6] = [
    Discard::Malformed,
    Discard::UnknownContext,
    Discard::Forged,
    Discard::Replayed,
    Discard::BadAuthenticator,
    Discard::BadHandshake,
];

/// Reasons that count as receive discards.
const RECEIVE_DISCARDS: [Discard; 5] = [
    Discard::SourceNotAllowed,
    Discard::AddressTaken,
    Discard::ForeignControl,
    Discard::CookieRequired,
    Discard::RateLimited,
];

/// Reads the counters. Bytes are UDP payload; every packet counts as directed.
pub fn statistics<P: AdapterProtocol>(adapter: &Adapter<P>) -> Statistics {
    let totals = adapter.nic.totals();
    let sum = |reasons: &[Discard]| {
        reasons.iter().fold(0_u64, |sum, reason| sum.saturating_add(totals.discarded(*reason)))
    };
    Statistics {
        received_packets: totals.received_packets,
        received_bytes: totals.received_bytes,
        receive_errors: sum(&RECEIVE_ERRORS),
        receive_discards: sum(&RECEIVE_DISCARDS),
        sent_packets: totals.sent_packets,
        sent_bytes: totals.sent_bytes,
        send_errors: sum(&[Discard::SendFailed, Discard::NotIp]),
        send_discards: sum(&SEND_DISCARDS),
    }
}
