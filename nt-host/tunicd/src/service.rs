//! The daemon's work once there is an interface and a driver: serve, follow the interface, end when told to.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tunic::{Adapter, AdapterState, Transport};

use crate::link::{LinkEvent, LinkWatch};
use crate::server::Server;
use crate::signal::Signals;
use crate::uapi::Uapi;
use crate::{ioctl_socket, log, socket};

/// How often is looked whether the sockets are still there.
const PRESENCE_INTERVAL: Duration = Duration::from_millis(500);

/// What the service needs of a driver.
pub trait Driver: Transport + Send + Sync + 'static {
    /// Something about the interface changed: its state or its MTU.
    fn link_changed(&self) {}
    /// Ends every IOCTL that waits for something to happen, now and from now on.
    fn cancel_pending(&self) {}
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

/// Serves an interface until something ends it. `ready` is called when the sockets are there. When this returns, the sockets
/// are gone and nobody uses the driver any more.
pub fn serve<D: Driver>(
    interface: &str,
    driver: &Arc<D>,
    signals: Signals,
    on_fwmark: impl Fn(u32) + Send + Sync + 'static,
    ready: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Stop> {
    let (sender, events) = mpsc::channel();
    watch_link(interface, sender.clone())?;
    watch_signals(signals, sender)?;

    let uapi = Uapi::new(Adapter::new(Arc::clone(driver)), on_fwmark);
    let path = socket::path(interface);
    let uapi_server =
        socket::serve(&path, Arc::new(uapi)).with_context(|| path.display().to_string())?;
    let path = ioctl_socket::path(interface);
    let ioctl_server = ioctl_socket::serve(&path, Arc::clone(driver) as _)
        .with_context(|| path.display().to_string())?;
    let servers = [uapi_server, ioctl_server];
    ready()?;

    let adapter = Adapter::new(Arc::clone(driver));
    let mut state = AdapterState::Down;
    let stop = loop {
        let event = events.recv_timeout(PRESENCE_INTERVAL);
        if let Ok(Event::Link(LinkEvent::Up | LinkEvent::Down)) = event {
            driver.link_changed();
        }
        match event {
            Ok(Event::Signal(signal)) => break Stop::Signal(signal),
            Ok(Event::Link(LinkEvent::Gone) | Event::LinkLost)
            | Err(RecvTimeoutError::Disconnected) => break Stop::InterfaceDeleted,
            Ok(Event::Link(LinkEvent::Up)) => follow(&adapter, &mut state, AdapterState::Up),
            Ok(Event::Link(LinkEvent::Down)) => follow(&adapter, &mut state, AdapterState::Down),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if !servers.iter().all(Server::is_present) {
            break Stop::SocketDeleted;
        }
    };
    driver.cancel_pending();
    drop(servers);
    if state == AdapterState::Up {
        follow(&adapter, &mut state, AdapterState::Down);
    }
    Ok(stop)
}

/// Brings the adapter to where the interface is. Where that fails, the next change of the interface tries again.
fn follow<T: Transport>(adapter: &Adapter<T>, state: &mut AdapterState, wanted: AdapterState) {
    if *state == wanted {
        return;
    }
    let word = match wanted {
        AdapterState::Down => "down",
        AdapterState::Up => "up",
    };
    match adapter.set_state(wanted) {
        Ok(()) => {
            *state = wanted;
            log::info(format_args!("interface {word}"));
        }
        Err(error) => log::error(format_args!("interface not {word}: {error}")),
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
