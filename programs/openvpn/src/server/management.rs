//! Commands to a running server over a Unix socket, similar to OpenVPN's management interface.

use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, Result};
use tunic_confinement::private_socket;

use super::Server;
use super::input::Input;

/// Maximum length of a command.
const MAX_LINE_BYTES: u64 = 1024;

/// The listening socket. Closed on drop.
pub struct Management {
    listener: UnixListener,
    /// The same socket; `shutdown` is a method of streams only.
    handle: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Management {
    /// Makes the socket.
    ///
    /// # Errors
    ///
    /// When there is another file, or a server that lives, at its path.
    pub fn bind(path: &Path) -> Result<Self> {
        let bind = || {
            let listener = private_socket::replace(path)?;
            let handle = UnixStream::from(OwnedFd::from(listener.try_clone()?));
            io::Result::Ok(Self { listener, handle, thread: None })
        };
        bind().with_context(|| format!("management {}", path.display()))
    }

    /// Passes each line to the server as a command.
    pub(super) fn serve(mut self, inputs: SyncSender<Input>) -> io::Result<Self> {
        let listener = self.listener.try_clone()?;
        self.thread = Some(thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let inputs = inputs.clone();
                thread::spawn(move || serve(stream, &inputs));
            }
        }));
        Ok(self)
    }
}

impl Drop for Management {
    fn drop(&mut self) {
        // Ends the thread's wait for connections.
        if self.handle.shutdown(Shutdown::Both).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Serves one connection.
fn serve(stream: UnixStream, inputs: &SyncSender<Input>) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if io::Read::take(&mut reader, MAX_LINE_BYTES).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let command = line.trim();
        if matches!(command, "quit" | "exit") {
            return Ok(());
        }
        let (answer, answered) = mpsc::channel();
        let input = Input::Command { command: command.to_owned(), answer };
        let Some(text) = inputs.send(input).ok().and_then(|()| answered.recv().ok()) else {
            return Ok(());
        };
        writer.write_all(text.as_bytes())?;
    }
}

/// Executes a command and returns its reply; `None` if the server must stop.
pub(super) fn execute(server: &mut Server, command: &str, now: Instant) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    Some(match &words[..] {
        [] => String::new(),
        ["status"] => {
            let mut lines = server.status(now);
            lines.insert(0, "NAME\tADDRESS\tINNER\tINNER6\tRECEIVED\tSENT\tSECONDS".into());
            lines.push("END\r\n".into());
            lines.join("\r\n")
        }
        ["kill", target, rest @ ..] if matches!(rest, [] | ["RESTART" | "HALT"]) => {
            match server.kill(target, rest.first().unwrap_or(&"RESTART"), now) {
                0 => format!("ERROR: no such client: {target}\r\n"),
                count => format!("SUCCESS: {target}: {count} client(s) killed\r\n"),
            }
        }
        ["signal", "SIGTERM"] => return None,
        ["help"] => {
            "status\r\nkill NAME|ADDRESS:PORT [RESTART|HALT]\r\nsignal SIGTERM\r\nquit\r\nEND\r\n"
                .into()
        }
        _ => "ERROR: unknown command, try help\r\n".into(),
    })
}
