//! The way from Wine to `tunicd`: a driver in Wine, whose files are connections to TCP ports of the
//! loopback interface, and a relay from there to `tunicd`'s Unix sockets.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;
use std::{fs, process};

use anyhow::{Context, Result, anyhow};

use super::prefix::Prefix;
use super::registry;
use super::{Adapter, Kind};
use crate::command;
use crate::namespace::Namespace;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/windows");
const COMPILER: &str = "x86_64-w64-mingw32-gcc";

/// The relay, and what the driver is told. It ends when it is dropped.
pub(super) struct Bridge {
    devices: Vec<String>,
    listeners: Vec<Arc<Relay>>,
}

impl Bridge {
    /// Starts to relay for the adapters of a namespace.
    pub(super) fn start(namespace: &Namespace, adapters: &[Adapter]) -> Result<Self> {
        // By this one, the keeper sees that the driver has started.
        let mut bridge = Self { devices: vec![r"0 \??\tunic-bridge".into()], listeners: vec![] };
        let mut has_names = false;
        for (number, adapter) in (0..).zip(adapters) {
            let link = registry::Path::new(number, adapter).link();
            let (device, is_first) = match adapter.kind() {
                Kind::WireGuard => (None, false),
                Kind::OpenVpn => (Some("ovpn-dco"), !has_names),
            };
            let port = bridge.relay(namespace, adapter.socket(device))?;
            bridge.devices.push(format!(r"{port} \??\{link}"));
            if is_first {
                // On Windows, the first adapter has these names.
                has_names = true;
                bridge.devices.push(format!(r"{port} \??\ovpn-dco"));
                let port = bridge.relay(namespace, adapter.socket(Some("ovpn-dco-ver")))?;
                bridge.devices.push(format!(r"{port} \??\ovpn-dco-ver"));
            }
        }
        Ok(bridge)
    }

    /// The driver's devices: for each the port, and the link that opens it.
    pub(super) fn devices(&self) -> &[String] {
        &self.devices
    }

    /// Relays from a new port to a socket.
    fn relay(&mut self, namespace: &Namespace, to: PathBuf) -> Result<u16> {
        let listener =
            namespace.enter(|| Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map(Arc::new)?))?;
        let port = listener.local_addr()?.port();
        let relay = Arc::new(Relay { listener, connections: Mutex::new(Some(Vec::new())) });
        self.listeners.push(Arc::clone(&relay));
        thread::spawn(move || relay.run(&to));
        Ok(port)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        for relay in &self.listeners {
            relay.end();
        }
    }
}

/// A port, and its connections.
struct Relay {
    listener: Arc<TcpListener>,
    /// `None` at the end.
    connections: Mutex<Option<Vec<TcpStream>>>,
}

impl Relay {
    fn run(&self, to: &Path) {
        for stream in self.listener.incoming() {
            let Ok(stream) = stream else { return };
            match &mut *self.lock() {
                Some(connections) => connections.extend(stream.try_clone()),
                None => return,
            }
            if connect(&stream, to).is_err() {
                // The daemon has ended.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    fn end(&self) {
        let connections = self.lock().take();
        for connection in connections.into_iter().flatten() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Ends `incoming`.
        let _ = nix::sys::socket::shutdown(
            std::os::fd::AsRawFd::as_raw_fd(&*self.listener),
            nix::sys::socket::Shutdown::Both,
        );
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Vec<TcpStream>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries both directions of a connection, on threads that end with it.
fn connect(from: &TcpStream, to: &Path) -> io::Result<()> {
    from.set_nodelay(true)?;
    let to = UnixStream::connect(to)?;
    let (mut in_from, mut in_to) = (from.try_clone()?, to.try_clone()?);
    let (mut out_from, mut out_to) = (from.try_clone()?, to);
    thread::spawn(move || {
        let _ = carry(&mut in_from, &mut in_to);
        let _ = in_to.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = carry(&mut out_to, &mut out_from);
        let _ = out_from.shutdown(Shutdown::Both);
    });
    Ok(())
}

fn carry(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    io::copy(from, to).map(|_| ())
}

/// Puts the driver into a prefix.
pub(super) fn install(prefix: &Prefix) -> Result<()> {
    let built = built()?;
    let drivers = prefix.folder().join("drive_c/windows/system32/drivers");
    fs::copy(built.join("tunicbridge.sys"), drivers.join("tunicbridge.sys"))?;
    Ok(())
}

/// The program that keeps Wine running.
pub(super) fn keeper() -> Result<PathBuf> {
    Ok(built()?.join("keeper.exe"))
}

/// The folder with the driver and the keeper, which a process builds once.
fn built() -> Result<PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    folder.clone().map_err(|error| anyhow!(error))
}

fn build() -> Result<PathBuf> {
    let folder = require::scratch().join("windows-bridge");
    fs::create_dir_all(&folder)?;
    let driver = "-shared -nostdlib -I/usr/share/mingw-w64/include/ddk -Wl,--subsystem,native \
                  -Wl,--entry,DriverEntry -Wl,--dynamicbase";
    let libraries = ["-lntoskrnl", "-lws2_32", "-lgcc"];
    compile(&folder, "bridge.c", "tunicbridge.sys", driver, &libraries)?;
    compile(&folder, "keeper.c", "keeper.exe", "", &[])?;
    Ok(folder)
}

fn compile(
    folder: &Path,
    source: &str,
    target: &str,
    options: &str,
    libraries: &[&str],
) -> Result<()> {
    // Another process may use the file.
    let new = folder.join(format!("{target}.{}", process::id()));
    let mut command = Command::new(COMPILER);
    command.args(["-O1", "-s", "-Wall", "-Werror"]).args(options.split_whitespace());
    command.arg("-o").arg(&new).arg(Path::new(SOURCES).join(source)).args(libraries);
    command::run(&mut command, b"", Duration::from_secs(60))?
        .success()
        .context(source.to_owned())?;
    fs::rename(new, folder.join(target))?;
    Ok(())
}
