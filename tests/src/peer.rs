//! The other side of a tunnel: a WireGuard that nobody here wrote.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::{self, shell};
use crate::guest::{Guest, WIRE};
use crate::iperf;
use crate::link::Link;
use crate::namespace::{Namespace, Running, unique};
use crate::wait;
use crate::wg::Dump;
use require::Need;

/// Which WireGuard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implementation {
    /// Debian's wireguard-go.
    WireguardGo,
    /// Cloudflare's boringtun, as its command.
    Boringtun,
    /// The Linux kernel's, in a virtual machine.
    Kernel,
}

impl Implementation {
    /// What a test with this peer needs.
    pub fn needs(self) -> Vec<Need> {
        let mut needs = vec![
            Need::Root,
            Need::Program("ip", "iproute2"),
            Need::Program("wg", "wireguard-tools"),
            Need::Program("iperf3", "iperf3"),
            Need::Program("ping", "iputils-ping"),
        ];
        needs.push(match self {
            Self::WireguardGo => Need::Program("wireguard-go", "wireguard-go"),
            Self::Boringtun => Need::Program("boringtun-cli", "the crate, by .ci/peers"),
            Self::Kernel => Need::Guest,
        });
        needs
    }
}

/// A running peer with an interface that is configured through `wg`.
#[derive(Debug)]
pub struct Peer {
    interface: String,
    home: Home,
}

/// Where its commands run.
#[derive(Debug)]
enum Home {
    /// A program in a namespace.
    Namespace { name: String, process: Option<Running>, program: PathBuf },
    /// A virtual machine.
    Guest(Guest),
}

const TIMEOUT: Duration = Duration::from_secs(60);

impl Peer {
    /// Starts a program in the link's right namespace.
    pub fn start(implementation: Implementation, link: &Link) -> Result<Self> {
        let program = match implementation {
            Implementation::WireguardGo => "wireguard-go",
            Implementation::Boringtun => "boringtun-cli",
            Implementation::Kernel => bail!("a kernel peer has a wire of its own"),
        };
        let mut peer = Self {
            interface: unique("tp"),
            home: Home::Namespace {
                name: link.right.name().to_owned(),
                process: None,
                program: require::program(program).context(program)?,
            },
        };
        peer.restart()?;
        Ok(peer)
    }

    /// The guest's kernel, its wire in `namespace`, with the addresses of a [`Link`] on both ends.
    pub fn kernel(namespace: &Namespace) -> Result<Self> {
        let guest = Guest::connect(namespace)?;
        let peer = Self { interface: "wg0".into(), home: Home::Guest(guest) };
        namespace.ip(&format!("addr add 10.9.0.1/24 dev {WIRE}"))?;
        namespace.ip(&format!("addr add fd09::1/64 dev {WIRE} nodad"))?;
        peer.shell(
            "ip link add wg0 type wireguard; \
             for n in 2 3; do ip addr add 10.9.0.$n/24 dev eth0; \
             ip addr add fd09::$n/64 dev eth0; done",
        )?;
        wait::until("the guest answers over IPv6", TIMEOUT, || {
            namespace.shell("ping -6 -c 1 -W 1 fd09::2", TIMEOUT).is_ok()
        })?;
        Ok(peer)
    }

    /// The interface's name, there where [`Peer::shell`] runs.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Runs a shell line beside the peer's interface that must succeed.
    pub fn shell(&self, line: &str) -> Result<String> {
        match &self.home {
            Home::Namespace { name, .. } => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name, "sh", "-ec", line]);
                command::run(&mut command, b"", TIMEOUT)?.success().with_context(|| line.to_owned())
            }
            Home::Guest(guest) => guest.shell(line),
        }
    }

    /// `wg setconf` with this text.
    pub fn configure(&self, text: &str) -> Result<()> {
        let interface = &self.interface;
        let folder = match &self.home {
            Home::Namespace { .. } => require::scratch(),
            Home::Guest(_) => "/tmp".into(),
        };
        let file = folder.join(interface).display().to_string();
        self.shell(&format!(
            "cat >{file} <<'EOF'\n{text}\nEOF\nwg setconf {interface} {file}\nrm {file}"
        ))?;
        Ok(())
    }

    /// Gives the interface addresses and brings it up.
    pub fn up(&self, addresses: &[&str], mtu: u32) -> Result<()> {
        let interface = &self.interface;
        let mut line = format!("ip link set {interface} mtu {mtu} up");
        for address in addresses {
            line.push_str("\nip addr add ");
            line.push_str(address);
            line.push_str(" dev ");
            line.push_str(interface);
        }
        self.shell(&line)?;
        Ok(())
    }

    /// `wg show dump`.
    pub fn dump(&self) -> Result<Dump> {
        Dump::parse(&self.shell(&format!("wg show {} dump", self.interface))?)
    }

    /// Starts a TCP server on port 9000 beside the interface that sends back all it gets, for
    /// [`crate::bulk::echo`].
    pub fn start_echo(&self) -> Result<()> {
        self.shell("setsid busybox nc -ll -p 9000 -e busybox cat >/dev/null 2>&1 </dev/null &")?;
        wait::until("the echo server listens", TIMEOUT, || {
            self.shell("busybox nc -w 1 127.0.0.1 9000 </dev/null").is_ok()
        })
    }

    /// Starts an iperf3 server beside the interface, a new process for every run: on the slow guest
    /// one that serves several in a row at times resets the next.
    pub fn start_iperf(&self) -> Result<()> {
        let port = iperf::PORT;
        self.shell(&format!(
            "setsid sh -c 'while iperf3 --server --one-off --port {port}; do :; done' \
             >/dev/null 2>&1 </dev/null &"
        ))?;
        Ok(())
    }

    /// Ends and starts it anew, without configuration. A kernel's interface is deleted and made
    /// again.
    pub fn restart(&mut self) -> Result<()> {
        let interface = self.interface.clone();
        match &mut self.home {
            Home::Guest(_) => {
                self.shell("ip link del wg0; ip link add wg0 type wireguard")?;
            }
            Home::Namespace { name, process, program } => {
                *process = None;
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(&*program).arg("--foreground");
                if program.ends_with("boringtun-cli") {
                    command.args(["--disable-drop-privileges", "--verbosity", "error"]);
                }
                command.arg(&interface).env("WG_PROCESS_FOREGROUND", "1").env("LOG_LEVEL", "error");
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                *process = Some(Running(command.spawn()?));
                wait::until("the peer answers wg", TIMEOUT, || {
                    shell(&format!("wg show {interface}")).is_ok()
                })?;
            }
        }
        Ok(())
    }
}
