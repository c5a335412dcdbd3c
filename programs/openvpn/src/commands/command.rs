//! Commands, their words, and which of them are permitted.

use std::io;
use std::net::IpAddr;

use crate::options::is_domain;

/// Something that another program does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// ip(8) with these arguments, in one of the forms of [`is_permitted`].
    Ip(Vec<String>),
    /// Sets the interface's name servers and search domains, by resolvconf(8).
    SetNames { servers: Vec<IpAddr>, domains: Vec<String> },
    /// Removes them.
    UnsetNames,
    /// Starts tunicd for the interface, and returns when it can be connected to.
    StartDaemon,
    /// Ends it.
    StopDaemon,
}

/// What a program has said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) is_success: bool,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Command {
    /// ip(8) with these arguments.
    pub(crate) fn ip<W: AsRef<str>>(arguments: &[W]) -> Self {
        Self::Ip(arguments.iter().map(|word| word.as_ref().to_owned()).collect())
    }

    pub(super) fn words(&self) -> Vec<String> {
        let word = |name: &str| vec![name.to_owned()];
        match self {
            Self::Ip(arguments) => [&word("ip")[..], arguments].concat(),
            Self::SetNames { servers, domains } => {
                let servers = servers.iter().map(IpAddr::to_string);
                let words = word("set-names").into_iter().chain(servers).chain(word("search"));
                words.chain(domains.clone()).collect()
            }
            Self::UnsetNames => word("unset-names"),
            Self::StartDaemon => word("start-daemon"),
            Self::StopDaemon => word("stop-daemon"),
        }
    }

    /// A command that is permitted for this interface.
    pub(super) fn of_words(words: &[String], interface: &str) -> Option<Self> {
        let (name, arguments) = words.split_first()?;
        match (name.as_str(), arguments) {
            ("ip", arguments) if is_permitted(arguments, interface) => {
                Some(Self::Ip(arguments.to_vec()))
            }
            ("set-names", arguments) => {
                let at = arguments.iter().position(|word| word == "search")?;
                let (servers, domains) = (&arguments[..at], &arguments[at + 1..]);
                let servers =
                    servers.iter().map(|word| word.parse().ok()).collect::<Option<_>>()?;
                domains
                    .iter()
                    .all(|domain| is_domain(domain))
                    .then(|| Self::SetNames { servers, domains: domains.to_vec() })
            }
            ("unset-names", []) => Some(Self::UnsetNames),
            ("start-daemon", []) => Some(Self::StartDaemon),
            ("stop-daemon", []) => Some(Self::StopDaemon),
            _ => None,
        }
    }
}

impl Answer {
    /// The words of a command's answer.
    pub(super) fn words(answer: io::Result<Self>) -> Vec<String> {
        let (name, one, other) = match answer {
            Ok(answer) => {
                let name = if answer.is_success { "success" } else { "failure" };
                (name, answer.output, answer.errors)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                ("missing", error.to_string(), String::new())
            }
            Err(error) => ("error", error.to_string(), String::new()),
        };
        vec![name.to_owned(), one, other]
    }

    pub(super) fn of_words(words: &[String]) -> io::Result<Self> {
        let [name, one, other] = words else { return Err(io::ErrorKind::InvalidData.into()) };
        let answer = |is_success| Self { is_success, output: one.clone(), errors: other.clone() };
        match name.as_str() {
            "success" => Ok(answer(true)),
            "failure" => Ok(answer(false)),
            "missing" => Err(io::Error::new(io::ErrorKind::NotFound, one.clone())),
            _ => Err(io::Error::other(one.clone())),
        }
    }
}

/// Whether ip(8) may be run with these arguments: addresses, MTU and state of the interface, and
/// routes. No option of ip(8) is among them that runs a program or reads a file.
fn is_permitted(arguments: &[String], interface: &str) -> bool {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let words = match words.split_first() {
        Some((&("-4" | "-6"), rest)) => rest,
        _ => &words,
    };
    match words {
        ["link", "set", "dev", device, changes @ ..] | ["link", "set", device, changes @ ..] => {
            *device == interface && are_options(changes, &[("mtu", is_number)], &["up", "down"])
        }
        ["addr" | "address", "flush", "dev", device] => *device == interface,
        ["addr" | "address", "add" | "del" | "delete" | "replace", local, options @ ..] => {
            let (peer, options) = match options {
                ["peer", peer, rest @ ..] => (Some(*peer), rest),
                options => (None, options),
            };
            let is_ours = match options {
                ["dev", device] | ["dev", device, "nodad"] => *device == interface,
                _ => false,
            };
            is_ours && is_prefix(local) && peer.is_none_or(is_prefix)
        }
        ["route", "add" | "replace" | "del", "blackhole", network, options @ ..]
        | ["route", "add" | "replace" | "del", network, options @ ..] => {
            let valued: &[Valued] =
                &[("via", is_address), ("dev", is_device), ("metric", is_number)];
            is_prefix(network) && are_options(options, valued, &[])
        }
        ["route", "get", address] | ["route", "show", "match", address] => is_address(address),
        ["route", "show", "default"] => true,
        _ => false,
    }
}

/// An option with a value, and what its value must be.
type Valued = (&'static str, fn(&str) -> bool);

fn are_options(words: &[&str], valued: &[Valued], flags: &[&str]) -> bool {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let is_option = match valued.iter().find(|(name, _)| name == word) {
            Some((_, is_value)) => words.next().is_some_and(|value| is_value(value)),
            None => flags.contains(word),
        };
        if !is_option {
            return false;
        }
    }
    true
}

fn is_address(word: &str) -> bool {
    word.parse::<IpAddr>().is_ok()
}

fn is_number(word: &str) -> bool {
    word.parse::<u32>().is_ok()
}

/// An address, or one with a length.
fn is_prefix(word: &str) -> bool {
    let (address, length) = word.split_once('/').unwrap_or((word, "0"));
    address.parse::<IpAddr>().is_ok() && length.parse::<u8>().is_ok_and(|length| length <= 128)
}

/// The name of an interface, as Linux has it, that is no option.
fn is_device(word: &str) -> bool {
    (1..=15).contains(&word.len())
        && !word.starts_with('-')
        && !word.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Command> {
        let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        Command::of_words(&words, "tun0")
    }

    #[test]
    fn what_is_needed_is_permitted() {
        for text in [
            "ip link set dev tun0 mtu 1400 up",
            "ip link set tun0 down",
            "ip addr flush dev tun0",
            "ip addr add 10.8.0.6 peer 10.8.0.5/32 dev tun0",
            "ip address replace fd00::2/64 dev tun0 nodad",
            "ip -4 route add 10.0.0.0/8 via 192.0.2.1 dev eth0.100 metric 7",
            "ip -6 route del blackhole ::/1 metric 1025",
            "ip route get 192.0.2.1",
            "ip -4 route show match 192.0.2.1",
            "ip -6 route show default",
            "set-names 10.8.0.1 fd00::1 search example.org 1.2.3.4",
            "set-names 10.8.0.1 search",
            "unset-names",
            "start-daemon",
        ] {
            let command = of(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(command.words().join(" "), text);
        }
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "ip",
            "ip -batch /etc/shadow",
            "ip -force link set dev tun0 up",
            "ip -4 -batch /etc/shadow",
            "ip netns exec x sh",
            "ip vrf exec x sh",
            "ip link set dev eth0 down",
            "ip link set dev tun0 netns x",
            "ip link set dev tun0 xdp object /tmp/x",
            "ip link set dev tun0 mtu",
            "ip addr add 10.8.0.6 dev eth0",
            "ip addr add 10.8.0.6 peer x dev tun0",
            "ip addr flush dev eth0",
            "ip route add 10.0.0.0/8 encap bpf in obj /tmp/x dev tun0",
            "ip route add 10.0.0.0/8 dev -batch",
            "ip route add default dev tun0",
            "ip route flush all",
            "ip rule add from all",
            "set-names 10.8.0.1 search a\nnameserver",
            "set-names 10.8.0.1\nx search",
            "set-names search -d",
            "set-names",
            "unset-names eth0",
            "start-daemon eth0",
            "sh -c id",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn answers_come_back() {
        let answer = Answer { is_success: false, output: "a".into(), errors: "b\n".into() };
        assert_eq!(Answer::of_words(&Answer::words(Ok(answer.clone()))).unwrap(), answer);
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::Other] {
            let error = io::Error::new(kind, "why");
            let back = Answer::of_words(&Answer::words(Err(error))).unwrap_err();
            assert_eq!((back.kind(), back.to_string()), (kind, "why".to_owned()));
        }
        assert!(Answer::of_words(&[]).is_err());
    }
}
