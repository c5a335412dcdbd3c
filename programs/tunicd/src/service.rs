//! The daemon's main loop: serves the sockets, brings the adapter up and down with the interface,
//! and ends on a signal.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;
use std::{fmt, io};

use anyhow::Context;
use tunic::{Adapter, AdapterState, Transport};

use crate::link::{LinkEvent, LinkWatch};
use crate::protocol::Protocol;
use crate::server::Server;
use crate::signal::Signals;
use crate::uapi::Uapi;
use crate::{ioctl_socket, log, privilege, socket};

/// How often the presence of the sockets is checked.
const PRESENCE_INTERVAL: Duration = Duration::from_millis(500);

/// The driver, as the service needs it.
pub trait Driver: Transport + ioctl_socket::Device + 'static {
    /// The adapter's protocol.
    fn protocol(&self) -> Protocol {
        Protocol::default()
    }
    /// The driver's other devices, each with its Win32 name, `\\.\NAME`.
    fn named_devices(&self) -> Vec<(&'static str, Arc<dyn ioctl_socket::Device>)> {
        Vec::new()
    }
    /// The interface's state or MTU has changed.
    fn link_changed(&self) {}
}

/// Why the service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A signal.
    Signal(i32),
    /// The interface was deleted.
    InterfaceDeleted,
    /// A socket was deleted or replaced.
    SocketDeleted,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::InterfaceDeleted => f.write_str("the interface was deleted"),
            Self::SocketDeleted => f.write_str("the socket was deleted"),
        }
    }
}

enum Event {
    Signal(i32),
    Link(LinkEvent),
    /// The interface can no longer be watched.
    LinkLost,
}

/// Serves an interface until a [`Stop`]. `ready` is called when the sockets exist. On return, the
/// sockets are removed and no request uses the driver.
pub fn serve<D: Driver>(
    interface: &str,
    driver: &Arc<D>,
    signals: Signals,
    set_mark: impl Fn(u32) -> io::Result<()> + Send + Sync + 'static,
    ready: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Stop> {
    let (sender, events) = mpsc::channel();
    watch_link(interface, sender.clone())?;
    watch_signals(signals, sender)?;

    let mut servers = Vec::new();
    // wg(8) configures WireGuard, and the adapter is up while the interface is. Adapters of other
    // protocols are controlled by a client of the SDK.
    let mut follower = None;
    if driver.protocol() == Protocol::Wireguard {
        let uapi = Uapi::new(Adapter::new(Arc::clone(driver)), set_mark);
        let path = socket::path(interface);
        let server = socket::serve(&path, Arc::new(uapi));
        servers.push(server.map_err(|error| cannot_serve(&path, error))?);
        follower = Some(Follower::new(Adapter::new(Arc::clone(driver))));
    }
    let path = ioctl_socket::path(interface);
    let server = ioctl_socket::serve(&path, Arc::clone(driver) as _);
    servers.push(server.map_err(|error| cannot_serve(&path, error))?);
    for (name, device) in driver.named_devices() {
        let path = ioctl_socket::device_path(name);
        match ioctl_socket::serve(&path, device) {
            // One daemon serves a name, as one driver owns it on Windows.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                log::info(format_args!("another daemon serves the device name {name}"));
            }
            server => servers.push(server.map_err(|error| cannot_serve(&path, error))?),
        }
    }
    ready()?;

    let stop = loop {
        let event = events.recv_timeout(PRESENCE_INTERVAL);
        match event {
            Ok(Event::Signal(signal)) => break Stop::Signal(signal),
            Ok(Event::Link(LinkEvent::Gone) | Event::LinkLost)
            | Err(RecvTimeoutError::Disconnected) => break Stop::InterfaceDeleted,
            Ok(Event::Link(link)) => {
                driver.link_changed();
                let wanted =
                    if link == LinkEvent::Up { AdapterState::Up } else { AdapterState::Down };
                if let Some(follower) = &mut follower {
                    follower.wanted = wanted;
                    follower.follow(true);
                }
            }
            // Retry: a port that was in use may be free now, or another one was set.
            Err(RecvTimeoutError::Timeout) => {
                if let Some(follower) = &mut follower {
                    follower.follow(false);
                }
            }
        }
        if !servers.iter().all(Server::is_present) {
            break Stop::SocketDeleted;
        }
    };
    drop(servers);
    if let Some(follower) = &mut follower {
        follower.wanted = AdapterState::Down;
        follower.follow(true);
    }
    Ok(stop)
}

/// Brings the adapter up and down with the interface.
struct Follower<D> {
    adapter: Adapter<D>,
    state: AdapterState,
    wanted: AdapterState,
}

impl<D: Transport> Follower<D> {
    const fn new(adapter: Adapter<D>) -> Self {
        Self { adapter, state: AdapterState::Down, wanted: AdapterState::Down }
    }

    /// Brings the adapter to the wanted state. Logs a failure if `tell_failure`.
    fn follow(&mut self, tell_failure: bool) {
        if self.state == self.wanted {
            return;
        }
        let word = match self.wanted {
            AdapterState::Down => "down",
            AdapterState::Up => "up",
        };
        match self.adapter.set_state(self.wanted) {
            Ok(()) => {
                self.state = self.wanted;
                log::info(format_args!("interface {word}"));
            }
            Err(error) if tell_failure => {
                log::error(format_args!("cannot bring the adapter {word}: {error}"));
            }
            Err(_) => {}
        }
    }
}

/// Sends changes of the interface; ends with it.
fn watch_link(interface: &str, events: Sender<Event>) -> anyhow::Result<()> {
    let mut watch =
        LinkWatch::new(interface).with_context(|| format!("cannot watch {interface}"))?;
    thread::Builder::new().name("link".into()).spawn(move || {
        loop {
            let event = match watch.wait() {
                Ok(event) => Event::Link(event),
                Err(error) => {
                    log::error(format_args!("cannot watch the interface: {error}"));
                    Event::LinkLost
                }
            };
            let is_last = matches!(event, Event::Link(LinkEvent::Gone) | Event::LinkLost);
            if events.send(event).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(())
}

/// Sends signals as they arrive, for the life of the process.
fn watch_signals(signals: Signals, events: Sender<Event>) -> anyhow::Result<()> {
    thread::Builder::new().name("signals".into()).spawn(move || {
        while let Ok(signal) = signals.wait() {
            if events.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

fn cannot_serve(path: &Path, error: io::Error) -> anyhow::Error {
    privilege::explain(error, &format!("create the socket {}", path.display()))
}
