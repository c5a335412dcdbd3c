//! Commands to a running server, over a Unix socket, in the manner of OpenVPN's management
//! interface.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::time::Instant;
use std::{fs, thread};

use super::Server;
use super::input::Input;

/// The longest command.
const MAX_LINE_BYTES: u64 = 1024;

/// Listens; each line becomes a command to the server.
pub(super) fn listen(path: &Path, inputs: SyncSender<Input>) -> io::Result<()> {
    // What a server before us left behind; anything but a socket is somebody else's.
    if fs::symlink_metadata(path)
        .is_ok_and(|metadata| std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()))
    {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let inputs = inputs.clone();
            thread::spawn(move || serve(stream, &inputs));
        }
    });
    Ok(())
}

/// Answers one connection until it ends.
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

/// What a command does, and its answer's lines; `None` where the server is to end.
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
                0 => format!("ERROR: no client is {target}\r\n"),
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
