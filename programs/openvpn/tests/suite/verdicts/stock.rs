//! Verdicts of stock OpenVPN, which runs as a process without a tunnel device.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use tunic_openvpn::Role;
use tunic_openvpn::packet::{ControlPacket, Opcode};
use tunic_openvpn::session::{Session, SessionConfig};
use tunic_openvpn::wrap::Plain;

use super::ours::{SERVER_ID, reset, verdict};

const TIMEOUT: Duration = Duration::from_secs(60);
const PORT: u16 = 11940;
/// Limit for the start of a process.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A stock OpenVPN.
#[derive(Clone, Debug)]
pub(crate) struct Stock {
    pub(crate) version: &'static str,
    program: PathBuf,
}

impl Stock {
    /// A program that is there, on the path or of `.ci/peers`.
    pub(crate) fn new(version: &'static str, program: &str) -> Self {
        Self { version, program: require::program(program).unwrap() }
    }

    /// Whether stock OpenVPN, with this configuration, accepts the peer, and its log. `address` is
    /// an address of this host for its socket, which no other process uses.
    pub(crate) fn accepts(
        &self,
        role: Role,
        configuration: &str,
        peer: SessionConfig,
        address: Ipv4Addr,
        file: &Path,
    ) -> (bool, String) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let common = "dev null\nproto udp4\nverb 3\ntls-exit\n";
        let text = match role {
            Role::Client => {
                format!("client\nnobind\nremote 127.0.0.1 {port}\nconnect-retry-max 1\n")
            }
            Role::Server => format!("tls-server\ndh none\nlocal {address}\nport {PORT}\n"),
        };
        std::fs::write(file, format!("{text}{common}{configuration}")).unwrap();
        let mut process = Command::new(&self.program)
            .arg("--config")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = lines(process.stdout.take().unwrap());
        let mut log = String::new();
        // Its socket is open from this line on.
        if !read_until(&output, "link remote", START_TIMEOUT, &mut log) {
            let _ = process.kill();
            process.wait().unwrap();
            panic!("it does not start: {log}");
        }
        let deadline = Instant::now() + TIMEOUT;
        let is_accepted = match role {
            Role::Client => serve(&socket, peer, &mut process, deadline),
            Role::Server => connect(&socket, (address, PORT).into(), peer, &mut process, deadline),
        };
        let _ = process.kill();
        process.wait().unwrap();
        log.extend(output.iter());
        (is_accepted.unwrap_or_else(|| panic!("no verdict: {log}")), log)
    }
}

/// Reads a process's output on a thread, which ends with the output.
fn lines(output: ChildStdout) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|bytes| bytes > 0)
            && sender.send(std::mem::take(&mut line)).is_ok()
        {}
    });
    lines
}

/// Appends lines to `log` up to the one that contains `text`, or to the end of the output. Returns
/// false after `limit`.
fn read_until(lines: &Receiver<String>, text: &str, limit: Duration, log: &mut String) -> bool {
    let deadline = Instant::now() + limit;
    while !log.contains(text) {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => log.push_str(&line),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => return false,
        }
    }
    true
}

/// Plays the server.
fn serve(
    socket: &UdpSocket,
    config: SessionConfig,
    process: &mut Child,
    deadline: Instant,
) -> Option<bool> {
    let mut config = Some(config);
    let mut session: Option<Session> = None;
    let mut client = None;
    while Instant::now() < deadline {
        let now = Instant::now();
        if let Some((from, datagram)) = receive(socket) {
            let packet = ControlPacket::decode(&datagram).unwrap();
            client = Some(from);
            if packet.opcode == Opcode::HardResetClientV2 {
                socket.send_to(&reset(packet.session_id), from).unwrap();
            } else if let Some(session) = &mut session {
                let _ = session.datagram_in(&datagram, now);
            } else if let Some(config) = config.take() {
                let ids = (SERVER_ID, packet.session_id);
                let mut accepted = Session::accept(config, Box::new(Plain), ids, 1, now).unwrap();
                let _ = accepted.datagram_in(&datagram, now);
                session = Some(accepted);
            }
        } else if process.try_wait().unwrap().is_some() {
            return Some(false);
        }
        if let (Some(session), Some(client)) = (&mut session, client)
            && let Some(verdict) = step(socket, session, client)
        {
            return Some(verdict);
        }
    }
    None
}

/// Plays the client.
fn connect(
    socket: &UdpSocket,
    server: SocketAddr,
    config: SessionConfig,
    process: &mut Child,
    deadline: Instant,
) -> Option<bool> {
    let mut session = Session::connect(config, Box::new(Plain), 1, Instant::now()).unwrap();
    while Instant::now() < deadline {
        if let Some(verdict) = step(socket, &mut session, server) {
            return Some(verdict);
        }
        if let Some((_, datagram)) = receive(socket) {
            let _ = session.datagram_in(&datagram, Instant::now());
        } else if process.try_wait().unwrap().is_some() {
            return Some(false);
        }
    }
    None
}

fn step(socket: &UdpSocket, session: &mut Session, to: SocketAddr) -> Option<bool> {
    let now = Instant::now();
    session.timer(now);
    let verdict = verdict(session);
    while let Some(datagram) = session.poll_datagram(now) {
        // The process may have ended.
        let _ = socket.send_to(&datagram, to);
    }
    verdict
}

fn receive(socket: &UdpSocket) -> Option<(SocketAddr, Vec<u8>)> {
    let mut buffer = [0; 2048];
    match socket.recv_from(&mut buffer) {
        Ok((length, from)) => Some((from, buffer[..length].to_vec())),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        // The process has ended: its port is closed.
        Err(_) => None,
    }
}

#[test]
fn a_silent_process_is_given_up() {
    // Silent while its input is open.
    let mut process =
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let output = lines(process.stdout.take().unwrap());
    let mut log = String::new();
    assert!(!read_until(&output, "link remote", Duration::from_millis(100), &mut log));
    drop(process.stdin.take());
    assert!(read_until(&output, "link remote", START_TIMEOUT, &mut log));
    process.wait().unwrap();
}
