//! The daemon's work once there is an interface and a driver: serve, follow the interface, end when
//! told to.

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
use crate::{ioctl_socket, log, socket};

/// How often is looked whether the sockets are still there.
const PRESENCE_INTERVAL: Duration = Duration::from_millis(500);

/// What the service needs of a driver.
pub trait Driver: Transport + ioctl_socket::Device + 'static {
    /// What the adapter speaks.
    fn protocol(&self) -> Protocol {
        Protocol::default()
    }
    /// Other devices that have a name for Win32, as `\\.\NAME`, with that name.
    fn named_devices(&self) -> Vec<(&'static str, Arc<dyn ioctl_socket::Device>)> {
        Vec::new()
    }
    /// Something about the interface changed: its state or its MTU.
    fn link_changed(&self) {}
}

/// Why the service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// This signal came.
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
    /// Nothing more will be heard of the interface.
    LinkLost,
}

/// Serves an interface until something ends it. `ready` is called when the sockets are there. When
/// this returns, the sockets are gone and nobody uses the driver any more.
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
    // wg(8) configures WireGuard, and the adapter is up when the interface is. Of other protocols,
    // the SDK's client says all.
    let mut follower = None;
    if driver.protocol() == Protocol::Wireguard {
        let uapi = Uapi::new(Adapter::new(Arc::clone(driver)), set_mark);
        let path = socket::path(interface);
        let server = socket::serve(&path, Arc::new(uapi));
        servers.push(server.with_context(|| path.display().to_string())?);
        follower = Some(Follower::new(Adapter::new(Arc::clone(driver))));
    }
    let path = ioctl_socket::path(interface);
    let server = ioctl_socket::serve(&path, Arc::clone(driver) as _);
    servers.push(server.with_context(|| path.display().to_string())?);
    for (name, device) in driver.named_devices() {
        let path = ioctl_socket::device_path(name);
        match ioctl_socket::serve(&path, device) {
            // A name is one daemon's, as it is one driver's on Windows.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                log::info(format_args!("another daemon has the name {name}"));
            }
            server => servers.push(server.with_context(|| path.display().to_string())?),
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
            // What failed may go now: the port that was taken is free, or another one was set.
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

/// Brings the adapter to where the interface is.
struct Follower<D> {
    adapter: Adapter<D>,
    state: AdapterState,
    wanted: AdapterState,
}

impl<D: Transport> Follower<D> {
    const fn new(adapter: Adapter<D>) -> Self {
        Self { adapter, state: AdapterState::Down, wanted: AdapterState::Down }
    }

    /// Does what is to be done, and tells a failure where asked to.
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
                log::error(format_args!("interface not {word}: {error}"));
            }
            Err(_) => {}
        }
    }
}

/// Sends what becomes of the interface; ends with it.
fn watch_link(interface: &str, events: Sender<Event>) -> anyhow::Result<()> {
    let mut watch = LinkWatch::new(interface).with_context(|| interface.to_owned())?;
    thread::Builder::new().name("link".into()).spawn(move || {
        loop {
            let event = match watch.wait() {
                Ok(event) => Event::Link(event),
                Err(error) => {
                    log::error(format_args!("the interface cannot be watched: {error}"));
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

/// Sends the signals that come, as long as the process lives.
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
