//! A Unix socket server with a thread for each connection and an orderly shutdown.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::sys::socket;
use tunic_confinement::private_socket;

/// Serves a connection until either side ends it.
pub type Handler = dyn Fn(&UnixStream) + Send + Sync;

/// What a connection wipes of its stack after a request, by [`nic_memory::wipe_stack`].
pub(crate) const STACK_FRAMES: usize = 32;

/// A served socket. Dropping it ends every connection and removes the socket.
pub struct Server {
    path: PathBuf,
    /// Device and inode of the socket, to detect that another one has replaced it.
    identity: (u64, u64),
    listener: UnixListener,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    stopping: AtomicBool,
    connections: Mutex<Vec<Connection>>,
}

struct Connection {
    stream: UnixStream,
    thread: JoinHandle<()>,
}

impl Server {
    /// Serves a socket at `path`, mode 0600, and replaces a stale one. Fails while another process
    /// serves it.
    pub fn bind(path: &Path, handler: Arc<Handler>) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
        }
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(ErrorKind::AddrInUse, "another process serves the socket"));
        }
        // Created under a temporary name, so that it replaces a stale one at once.
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = private_socket::create(&temporary)?;
        let renamed = fs::rename(&temporary, path).and_then(|()| identity(path));
        let identity = renamed.inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })?;
        let accepted = listener.try_clone()?;
        let shared = Arc::new(Shared {
            stopping: AtomicBool::new(false),
            connections: Mutex::new(Vec::new()),
        });
        let accepting = thread::Builder::new().name("accept".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&accepted, &handler)
        })?;
        Ok(Self { path: path.to_owned(), identity, listener, shared, accepting: Some(accepting) })
    }

    /// Whether the socket still exists and was not replaced.
    pub fn is_present(&self) -> bool {
        identity(&self.path).is_ok_and(|found| found == self.identity)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Shutting the listener down ends `accept`.
        let _ = socket::shutdown(self.listener.as_raw_fd(), socket::Shutdown::Both);
        if self.is_present() {
            let _ = fs::remove_file(&self.path);
        }
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let connections = std::mem::take(&mut *self.shared.connections());
        for connection in &connections {
            let _ = connection.stream.shutdown(Shutdown::Both);
        }
        for connection in connections {
            let _ = connection.thread.join();
        }
    }
}

impl Shared {
    fn accept(&self, listener: &UnixListener, handler: &Arc<Handler>) {
        for stream in listener.incoming() {
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else {
                // Probably out of descriptors: retry after other connections have ended.
                thread::sleep(std::time::Duration::from_millis(100));
                continue;
            };
            let mut connections = self.connections();
            connections.retain(|connection| !connection.thread.is_finished());
            let Ok(clone) = stream.try_clone() else { continue };
            let handler = Arc::clone(handler);
            let thread = thread::Builder::new().name("connection".into()).spawn(move || {
                handler(&clone);
                // The other clone is kept until the next connection: shut the socket down.
                let _ = clone.shutdown(Shutdown::Both);
            });
            if let Ok(thread) = thread {
                connections.push(Connection { stream, thread });
            }
        }
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}
