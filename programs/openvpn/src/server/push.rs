//! Builds `PUSH_REPLY` messages.

use super::client_file::ClientFile;
use super::pool::{Lease, Pool};
use super::terms::Terms;
use crate::options::{Network, Route, RouteNetwork};
use crate::profile::ServerProfile;

/// Maximum length of a message before `push-continuation`. Stock clients read up to 1024 bytes with
/// the NUL.
const MAX_MESSAGE_BYTES: usize = 900;

/// The `PUSH_REPLY` messages for a client.
pub(super) fn push_reply(
    profile: &ServerProfile,
    pool: &Pool,
    file: &ClientFile,
    terms: &Terms,
    lease: &Lease,
    peer_id: u32,
) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    if !file.is_push_reset {
        let is_kept = |option: &&String| {
            let is_removed =
                file.removed_pushes.iter().any(|removed| names_option(option, removed));
            !is_removed && !is_own_network(option, &file.networks)
        };
        options.extend(profile.pushes.iter().filter(is_kept).cloned());
    }
    options.extend(file.pushes.iter().cloned());
    let (own, _) = pool.own();
    options.push(format!("route-gateway {own}"));
    options.push("topology subnet".into());
    let tunnel = &profile.common.tunnel;
    if let Some(interval) = tunnel.ping {
        options.push(format!("ping {}", interval.as_secs()));
    }
    if let Some(timeout) = tunnel.ping_restart {
        options.push(format!("ping-restart {}", timeout.as_secs()));
    }
    options.push(format!("ifconfig {} {}", lease.address, pool.mask()));
    if let (Some(address), Some((own, length))) = (lease.address_v6, pool.own_v6()) {
        options.push(format!("ifconfig-ipv6 {address}/{length} {own}"));
    }
    options.push(format!("peer-id {peer_id}"));
    options.extend(terms.options());
    if terms.is_mtu_pushed {
        options.push(format!("tun-mtu {}", tunnel.tun_mtu.unwrap_or(1500)));
    }
    messages(&options)
}

/// Whether a `push-remove` argument matches an option.
fn names_option(option: &str, removed: &str) -> bool {
    option.strip_prefix(removed).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Whether an option routes to a network behind the client itself (manual, `--iroute`).
fn is_own_network(option: &str, networks: &[Network]) -> bool {
    let words: Vec<&str> = option.split_whitespace().collect();
    let route = match &words[..] {
        ["route", words @ ..] => Route::parse_v4(words),
        ["route-ipv6", words @ ..] => Route::parse_v6(words),
        _ => None,
    };
    matches!(route, Some(Route { network: RouteNetwork::Network(network), .. })
        if networks.contains(&network))
}

/// Splits options into messages; all but the last announce a continuation.
fn messages(options: &[String]) -> Vec<String> {
    let mut messages = vec![String::from("PUSH_REPLY")];
    for option in options {
        let is_full = |message: &String| message.len() + 1 + option.len() > MAX_MESSAGE_BYTES;
        if messages.last().is_some_and(is_full) {
            messages.push(String::from("PUSH_REPLY"));
        }
        if let Some(message) = messages.last_mut() {
            message.push(',');
            message.push_str(option);
        }
    }
    if let [first @ .., last] = &mut messages[..]
        && !first.is_empty()
    {
        first.iter_mut().for_each(|message| message.push_str(",push-continuation 2"));
        last.push_str(",push-continuation 1");
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_replies_are_continued() {
        let options: Vec<String> =
            (0..100).map(|n| format!("route 10.{n}.0.0 255.255.0.0")).collect();
        let messages = messages(&options);
        assert!(messages.len() > 2);
        let mut found = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            assert!(message.len() < 1024);
            let number = if index + 1 == messages.len() { 1 } else { 2 };
            let rest = message.strip_prefix("PUSH_REPLY,").unwrap();
            let rest = rest.strip_suffix(&format!(",push-continuation {number}")).unwrap();
            found.extend(rest.split(',').map(String::from));
        }
        assert_eq!(found, options);
        assert_eq!(super::messages(&options[..1]), ["PUSH_REPLY,route 10.0.0.0 255.255.0.0"]);
    }

    #[test]
    fn options_are_left_out_by_their_words() {
        assert!(names_option("route 10.0.0.0 255.0.0.0", "route"));
        assert!(names_option("route-ipv6 fd00::/8", "route-ipv6 fd00::/8"));
        assert!(!names_option("route-ipv6 fd00::/8", "route"));
        let networks = [Network::new("192.168.4.0".parse().unwrap(), 24).unwrap()];
        assert!(is_own_network("route 192.168.4.0 255.255.255.0", &networks));
        assert!(!is_own_network("route 192.168.0.0 255.255.0.0", &networks));
    }
}
