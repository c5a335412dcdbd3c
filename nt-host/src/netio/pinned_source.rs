//! Whether Linux sends IPv6 datagrams by the interface that they name.
//!
//! Linux takes the interface of `IPV6_PKTINFO` as a wish where the local address is named as well:
//! a route of a lower metric by another interface wins. Windows sends by the interface that is
//! named. Without a local address Linux does the same, and chooses one of that interface.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{linux_network, notification};

/// How long an answer holds.
const LIFETIME: Duration = Duration::from_secs(1);
/// The maximum number of answers that are kept.
const MAX_ANSWERS: usize = 4096;

/// Local address, destination and interface.
type Question = (Ipv6Addr, Ipv6Addr, u32);

static ANSWERS: Mutex<Option<Answers>> = Mutex::new(None);

struct Answers {
    /// When the network was as it is here.
    generation: u64,
    known: HashMap<Question, (bool, Instant)>,
}

/// Whether Linux sends by this interface from this local address.
pub(crate) fn is_pinned(source: Ipv6Addr, destination: Ipv6Addr, interface_index: u32) -> bool {
    let question = (source, destination, interface_index);
    let generation = notification::generation();
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    let answers = answers.get_or_insert_with(|| Answers { generation, known: HashMap::new() });
    if answers.generation != generation || answers.known.len() >= MAX_ANSWERS {
        answers.known.clear();
        answers.generation = generation;
    }
    let now = Instant::now();
    if let Some((answer, made)) = answers.known.get(&question)
        && now.duration_since(*made) < LIFETIME
    {
        return *answer;
    }
    let source = Some(IpAddr::V6(source));
    let route = linux_network::route_to(IpAddr::V6(destination), source, interface_index);
    // An error is the send's to report.
    let answer = route.map_or(true, |route| route.interface_index == interface_index);
    answers.known.insert(question, (answer, now));
    answer
}
