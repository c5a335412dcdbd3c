//! The service follows its interface, and ends with it or with its socket. Needs root, and ip(8).

use std::fs;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::memory::MemoryDriver;
use tunic::{Adapter, AdapterState};
use tunicd::service::{Driver, Stop, serve};
use tunicd::signal::Signals;
use tunicd::{ioctl_socket, socket};

impl Driver for MemoryDriver {}

const DEADLINE: Duration = Duration::from_secs(20);

/// Runs ip(8), and says whether it succeeded.
fn ip(arguments: &[&str]) -> bool {
    let status = Command::new("ip").args(arguments).output();
    status.is_ok_and(|output| output.status.success())
}

/// An interface with a service, served by another thread.
struct Served {
    name: String,
    stop: mpsc::Receiver<Stop>,
}

impl Served {
    /// `None` where there may be no interface.
    fn start(test: &str) -> Option<Self> {
        let name = format!("t{test}{}", std::process::id());
        if !ip(&["tuntap", "add", &name, "mode", "tun"]) {
            require::skip(test, "no interface can be made", &["run as root".into()]);
            return None;
        }
        let (ready_sender, ready) = mpsc::channel();
        let (stop_sender, stop) = mpsc::channel();
        let interface = name.clone();
        thread::spawn(move || {
            let driver = Arc::new(MemoryDriver::default());
            let signals = Signals::block().unwrap();
            let ready = || Ok(ready_sender.send(())?);
            stop_sender
                .send(serve(&interface, &driver, signals, |_| Ok(()), ready).unwrap())
                .unwrap();
        });
        ready.recv_timeout(DEADLINE).unwrap();
        Some(Self { name, stop })
    }

    fn stopped(&self) -> Stop {
        self.stop.recv_timeout(DEADLINE).unwrap()
    }

    fn await_state(&self, wanted: AdapterState) {
        let adapter = Adapter::open(&self.name).unwrap();
        let deadline = Instant::now() + DEADLINE;
        while adapter.state().unwrap() != wanted {
            assert!(Instant::now() < deadline, "never {wanted:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        ip(&["link", "del", &self.name]);
    }
}

#[test]
fn the_adapter_follows_the_interface_until_it_is_deleted() {
    let Some(served) = Served::start("a") else { return };
    assert!(Adapter::names().unwrap().contains(&served.name));
    for (word, state) in [("up", AdapterState::Up), ("down", AdapterState::Down)].repeat(2) {
        assert!(ip(&["link", "set", &served.name, word]));
        served.await_state(state);
    }
    assert!(ip(&["link", "del", &served.name]));
    assert_eq!(served.stopped(), Stop::InterfaceDeleted);
    assert!(!socket::path(&served.name).exists());
    assert!(!ioctl_socket::path(&served.name).exists());
}

#[test]
fn the_service_ends_with_its_socket() {
    let Some(served) = Served::start("b") else { return };
    fs::remove_file(socket::path(&served.name)).unwrap();
    assert_eq!(served.stopped(), Stop::SocketDeleted);
    assert!(!ioctl_socket::path(&served.name).exists());
}
