//! Our OpenVPN programs in the background: `daemon`, `log`, `log-append`, `writepid`. Needs root.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use tunic_tests::link::Link;
use tunic_tests::namespace::unique;
use tunic_tests::openvpn::{NEEDS, Network, Pki, SERVER_V4, StockServer};
use tunic_tests::require::Need;
use tunic_tests::{binary, command, ping, require, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// A process in the background, known by its file. It ends with its namespace.
struct Daemon {
    pid: Pid,
    log: std::path::PathBuf,
    pid_file: std::path::PathBuf,
}

impl Daemon {
    /// Finds the daemon that has just started, whose files have these names.
    fn find(folder: &Path) -> Result<Self> {
        let pid_file = folder.join("pid");
        let pid = Pid::from_raw(fs::read_to_string(&pid_file)?.trim().parse()?);
        ensure!(getsid(Some(pid))? == pid, "it is in another session");
        ensure!(fs::read_link(format!("/proc/{pid}/cwd"))? == Path::new("/"), "it holds a folder");
        Ok(Self { pid, log: folder.join("log"), pid_file })
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn says(&self, text: &str, times: usize) -> Result<()> {
        wait::until(text, PATIENCE, || self.log().matches(text).count() >= times)
            .with_context(|| self.log())
    }

    /// Ends it, which its log and its files show.
    fn stop(self) -> Result<()> {
        kill(self.pid, Signal::SIGTERM)?;
        // Of a process that has ended and is not waited for, too, there is no program.
        let program = format!("/proc/{}/exe", self.pid);
        wait::until("it has ended", PATIENCE, || fs::read_link(&program).is_err())
            .with_context(|| self.log())?;
        ensure!(!self.pid_file.exists(), "its file is left");
        Ok(())
    }
}

/// Runs a program until it has ended or is in the background.
fn run(mut program: Command) -> Result<command::Output> {
    command::run(&mut program, b"", PATIENCE)
}

/// Whether every line begins with a time.
fn has_times(log: &str) -> bool {
    let is_timed = |line: &str| {
        let form = "2026-01-02 03:04:05 ".bytes().map(|byte| byte.is_ascii_digit());
        line.len() > 20 && form.eq(line.bytes().take(20).map(|byte| byte.is_ascii_digit()))
    };
    !log.is_empty() && log.lines().all(is_timed)
}

#[test]
fn a_client_goes_into_the_background_when_it_has_started() -> Result<()> {
    if !require::all("daemon", &NEEDS) {
        return Ok(());
    }
    let (link, pki) = (Link::new()?, Pki::new()?);
    let server = StockServer::start(&link.right, &pki, "keepalive 1 20")?;
    binary::tunicd()?;
    let program = binary::openvpn_client()?;
    let interface = unique("td");
    let start = |options: &str| -> Result<command::Output> {
        let profile = format!(
            "client\ndev {interface}\ndev-type tun\nremote 10.9.0.2\nca ca.crt\ncert client.crt\n\
             key client.key\nremote-cert-tls server\nconnect-retry 1 1\n{options}\n"
        );
        fs::write(pki.file("client.conf"), profile)?;
        let mut client = link.left.command(&program);
        // Paths are relative to the profile, and it is found again from another folder.
        client.current_dir(pki.file("")).arg("client.conf");
        run(client)
    };
    // A start that fails is told by the code, and in words.
    let failed = start("daemon\nwritepid pid\nkey server.key")?;
    ensure!(!failed.status.success() && failed.stderr.contains("KeyMismatch"), "{failed:?}");
    ensure!(!pki.file("pid").exists());

    for (number, log) in ["log log", "log-append log"].into_iter().enumerate() {
        let started = start(&format!("daemon office\nwritepid pid\n{log}"))?;
        ensure!(started.status.success(), "{started:?}\n{}", server.log());
        let daemon = Daemon::find(&pki.file(""))?;
        daemon.says(" connected: ", 1 + number)?;
        ensure!(ping::reaches(&link.left, SERVER_V4, PATIENCE)?, "{}", daemon.log());
        kill(daemon.pid, Signal::SIGHUP)?;
        daemon.says(" connected: ", 2 + number)?;
        let log = daemon.log();
        daemon.stop()?;
        ensure!(has_times(&log), "{log}");
        ensure!(link.left.ip(&format!("link show {interface}")).is_err(), "{interface} is left");
        // The second one appends to what this one said.
        if number == 0 {
            fs::write(pki.file("log"), "2026-01-02 03:04:05 connected: before\n")?;
        }
    }
    // Without a file, nothing of it holds our standard error either: `run` waits for its end.
    let started = start("daemon\nwritepid pid")?;
    ensure!(started.status.success(), "{started:?}");
    let daemon = Daemon::find(&pki.file(""))?;
    wait::until("the tunnel carries packets", PATIENCE, || {
        ping::reaches(&link.left, SERVER_V4, Duration::from_secs(1)).unwrap_or(false)
    })
    .with_context(|| server.log())?;
    daemon.stop()
}

#[test]
fn a_server_goes_into_the_background_when_it_serves() -> Result<()> {
    let needs = [&NEEDS[..], &[Need::Program("sysctl", "procps")]].concat();
    if !require::all("server as a daemon", &needs) {
        return Ok(());
    }
    let network = Network::new()?;
    binary::tunicd()?;
    let program = binary::openvpn_server()?;
    let start = |arguments: &[&str]| -> Result<command::Output> {
        let configuration = format!(
            "dev {}\ndev-type tun\nlocal 10.9.0.1\nca ca.crt\ncert server.crt\nkey server.key\n\
             dh none\ntopology subnet\nserver 10.8.0.0 255.255.255.0\nkeepalive 1 20\n",
            unique("td")
        );
        let configuration = network.write("daemon.conf", &configuration)?;
        let mut server = network.namespace.command(&program);
        server.current_dir(network.pki.file("")).args(arguments).arg(configuration);
        run(server)
    };
    let arguments = ["--daemon", "--log", "log", "--writepid", "pid"];
    let started = start(&arguments)?;
    ensure!(started.status.success(), "{started:?}");
    let daemon = Daemon::find(&network.pki.file(""))?;
    // Its port is taken.
    let failed =
        start(&["--daemon", "--log", "second", "--suppress-timestamps", "--writepid", "pid"])?;
    let second = fs::read_to_string(network.pki.file("second"))?;
    ensure!(!failed.status.success(), "{failed:?}");
    ensure!(second.lines().any(|line| line.starts_with("UDP socket")), "{second}");
    ensure!(fs::read_to_string(network.pki.file("pid"))?.trim() == daemon.pid.to_string());

    let mut alice = network.connect("alice", 11, "")?;
    alice.is_up()?;
    kill(daemon.pid, Signal::SIGHUP)?;
    daemon.says(": connects", 2)?;
    let log = daemon.log();
    ensure!(has_times(&log), "{log}");
    daemon.stop()
}
