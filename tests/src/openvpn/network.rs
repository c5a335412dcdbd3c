//! A server of ours and stock clients, each in a namespace of its own, around a bridge.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PATIENCE, Pki, Stock};
use crate::command::{self, shell};
use crate::namespace::{Namespace, Running, unique};
use crate::tunicd::Tunicd;
use crate::{binary, iperf, ping, wait};

/// The inner address of our server.
pub const OURS_V4: &str = "10.8.0.1";

/// The server's namespace: a bridge with 10.9.0.1 on which clients are, and files.
#[derive(Debug)]
pub struct Network {
    /// The server's.
    pub namespace: Namespace,
    /// Whose certificates all have.
    pub pki: Pki,
}

impl Network {
    /// A network without anybody.
    pub fn new() -> Result<Self> {
        let namespace = Namespace::new()?;
        // Without an address of its own it takes one of its ports, another with a new port: then
        // clients send to the old one.
        namespace.ip("link add br0 address 02:00:00:00:00:01 type bridge")?;
        namespace.ip("addr add 10.9.0.1/24 dev br0")?;
        namespace.ip("link set br0 up")?;
        let sysctl = "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1";
        namespace.shell(&format!("sysctl -qw {sysctl}"), PATIENCE)?;
        Ok(Self { namespace, pki: Pki::new()? })
    }

    /// Writes a file beside certificates and keys.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.pki.file(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Starts our server with more options, on an adapter of its own.
    pub fn serve(&self, options: &str) -> Result<Server> {
        let interface = unique("ts");
        let tunicd = Tunicd::start_openvpn(&self.namespace, &interface)?;
        let management = self.pki.file("management");
        let configuration = format!(
            "dev {interface}\ndev-type tun\nlocal 10.9.0.1\nca ca.crt\n\
             cert server.crt\nkey server.key\n\
             dh none\n\
             topology subnet\nserver 10.8.0.0 255.255.255.0\nserver-ipv6 fd08::/64\n\
             management {} unix\n{options}\n",
            management.display()
        );
        let configuration = self.write("server.conf", &configuration)?;
        let log = self.pki.file("server.log");
        let mut command = self.namespace.command(binary::openvpn_server()?);
        command
            .arg(&configuration)
            .stdout(File::create(&log)?)
            .stderr(File::create(self.pki.file("server.err"))?);
        let process = self.namespace.spawn(&mut command)?;
        let mut server = Server { interface, process, log, management, tunicd: Some(tunicd) };
        server.says("listens on")?;
        Ok(server)
    }

    /// Starts iperf3's server beside ours.
    pub fn serve_iperf(&self) -> Result<Running> {
        let mut command = self.namespace.command("iperf3");
        command.args(["--server", "--port", &iperf::PORT.to_string()]);
        let server = self.namespace.spawn(command.stdout(Stdio::null()))?;
        let listening = format!("ss -Hltn 'sport = :{}' | grep -q .", iperf::PORT);
        wait::until("iperf3 listens", PATIENCE, || {
            self.namespace.shell(&listening, PATIENCE).is_ok()
        })?;
        Ok(server)
    }

    /// Starts a stock client in a namespace of its own, at 10.9.0.`host`.
    pub fn connect(&self, name: &str, host: u8, options: &str) -> Result<StockClient> {
        self.connect_as(Stock::Installed, name, host, options)
    }

    /// Like [`Network::connect`], of another version.
    pub fn connect_as(
        &self,
        stock: Stock,
        name: &str,
        host: u8,
        options: &str,
    ) -> Result<StockClient> {
        let namespace = Namespace::new()?;
        let (here, there) = (unique("vc"), unique("vs"));
        shell(&format!("ip link add {here} type veth peer name {there}"))?;
        shell(&format!("ip link set {there} netns {}", self.namespace.name()))?;
        self.namespace.ip(&format!("link set {there} master br0 up"))?;
        shell(&format!("ip link set {here} netns {} name v0", namespace.name()))?;
        namespace.ip(&format!("addr add 10.9.0.{host}/24 dev v0"))?;
        namespace.ip("link set v0 up")?;
        self.pki.certify(name)?;
        let remote = if options.lines().any(|line| line.starts_with("remote ")) {
            ""
        } else {
            "remote 10.9.0.1\n"
        };
        let configuration = format!(
            "client\ndev tun\nproto udp\n{remote}nobind\ndisable-dco\nverb 3\nca ca.crt\n\
             cert {name}.crt\nkey {name}.key\nremote-cert-tls server\n\
             connect-retry 1 1\nexplicit-exit-notify\n{options}\n"
        );
        self.write(&format!("{name}.conf"), &configuration)?;
        let log = self.pki.file(&format!("{name}.log"));
        let mut command = namespace.command(stock.program()?);
        command.arg("--cd").arg(self.pki.file("")).args(["--config", &format!("{name}.conf")]);
        command.stdout(File::create(&log)?).stderr(Stdio::null());
        let process = namespace.spawn(&mut command)?;
        Ok(StockClient { namespace, process, log })
    }
}

/// Our server.
#[derive(Debug)]
pub struct Server {
    interface: String,
    process: Running,
    log: PathBuf,
    management: PathBuf,
    tunicd: Option<Tunicd>,
}

impl Server {
    /// Waits until it has said something.
    pub fn says(&mut self, text: &str) -> Result<()> {
        says(&mut self.process, &self.log, text)
    }

    /// Everything that it said.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Its own: `ip netns exec` has become the server by exec.
    pub fn process_id(&self) -> u32 {
        self.process.0.id()
    }

    /// The first line of its answer to a command.
    pub fn command(&self, command: &str) -> Result<String> {
        let mut stream = UnixStream::connect(&self.management)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// What its adapter dropped, by reason.
    pub fn discards(&self) -> Result<String> {
        let statistics = tunic::Adapter::open(&self.interface)?.statistics()?;
        let counts = statistics.discards.iter().filter(|(_, count)| *count > 0);
        Ok(format!("{:?}", counts.collect::<Vec<_>>()))
    }

    /// Answers all pings of one client while TCP flows both ways between it and another, for some
    /// seconds.
    pub fn carries_pings_beside_a_stream(
        &self,
        pings: &StockClient,
        stream: &StockClient,
        seconds: u32,
    ) -> Result<()> {
        let count = 20 * seconds;
        std::thread::scope(|scope| {
            let lost = scope.spawn(|| ping::lost(&pings.namespace, OURS_V4, count, &[]));
            let rates = iperf::tcp_both_ways(&stream.namespace, OURS_V4, seconds, &iperf::GENTLE)?;
            ensure!(rates.iter().all(|rate| *rate > 2.0), "{rates:?} Mbit/s");
            let lost = lost.join().ok().context("the pings panicked")??;
            let (discards, log) = (self.discards()?, pings.log());
            ensure!(lost.is_empty(), "no reply to {lost:?} of {count}: {discards}\n{log}");
            Ok(())
        })
    }

    /// Whether the keys that it sends to its clients by have epochs, in the order of their ids.
    pub fn has_epochs(&self) -> Result<Vec<bool>> {
        let (_, peers) = tunic::DataChannel::open(&self.interface)?.status()?;
        let primaries = peers.iter().filter_map(|peer| peer.primary);
        Ok(primaries.map(|slot| slot.is_epoch).collect())
    }

    /// Kills it, waits until nothing of it is left in its adapter, and ends its daemon.
    pub fn kill(mut self) -> Result<()> {
        self.process.0.kill()?;
        self.process.0.wait()?;
        wait::until("nothing is left", PATIENCE, || {
            let status = tunic::DataChannel::open(&self.interface).and_then(|it| it.status());
            let info = tunic::Adapter::open(&self.interface).and_then(|it| it.info());
            let has_peers =
                status.map_or(true, |(info, peers)| info.local.is_some() || !peers.is_empty());
            !has_peers && info.is_ok_and(|info| !info.is_connected)
        })?;
        self.tunicd.take().context("it was started")?.stop()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.process.0.id())?), signal)?;
        Ok(())
    }

    /// Waits for its end, which is to be an error, gives what it said of it, and ends its daemon.
    pub fn fails(mut self) -> Result<String> {
        let status = command::wait(&mut self.process.0, PATIENCE).with_context(|| self.log())?;
        ensure!(!status.success(), "ended well: {}", self.log());
        self.tunicd.take().context("it was started")?.stop()?;
        Ok(read(&self.log.with_extension("err")))
    }

    /// Ends it by SIGTERM, then its daemon.
    pub fn stop(self) -> Result<()> {
        self.end(Signal::SIGTERM)
    }

    /// Like [`Server::stop`], by another signal.
    pub fn end(mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        let status = command::wait(&mut self.process.0, PATIENCE)?;
        if !status.success() {
            bail!("the server ended with {status}: {}", self.log());
        }
        self.tunicd.take().context("it was started")?.stop()
    }
}

/// A stock client.
#[derive(Debug)]
pub struct StockClient {
    /// Where it is.
    pub namespace: Namespace,
    process: Running,
    log: PathBuf,
}

impl StockClient {
    /// Waits until its tunnel carries packets: it says that it is up some time before it has its
    /// keys.
    pub fn is_up(&mut self) -> Result<()> {
        self.says("Initialization Sequence Completed")?;
        let is_there = ping::reaches(&self.namespace, OURS_V4, PATIENCE)?;
        ensure!(is_there, "no reply: {}", self.log());
        Ok(())
    }

    /// Waits until it has said something.
    pub fn says(&mut self, text: &str) -> Result<()> {
        says(&mut self.process, &self.log, text)
    }

    /// Everything that it said.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Ends it without a farewell.
    pub fn die(&mut self) -> Result<()> {
        self.process.0.kill()?;
        self.process.0.wait()?;
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub fn ends(&mut self) -> Result<()> {
        command::wait(&mut self.process.0, PATIENCE).map(|_| ()).with_context(|| self.log())
    }

    /// Asks it to end.
    pub fn leave(&mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.process.0.id())?), Signal::SIGTERM)?;
        self.ends()
    }
}

/// Waits until a program's log has a text; an error with the log where the program ends before.
fn says(process: &mut Running, log: &Path, text: &str) -> Result<()> {
    let mut has_ended = false;
    wait::until(text, PATIENCE, || {
        has_ended = process.0.try_wait().is_ok_and(|status| status.is_some());
        read(log).contains(text) || has_ended
    })
    .with_context(|| read(log))?;
    if !read(log).contains(text) {
        let errors = read(&log.with_extension("err"));
        bail!("it ended without having said {text:?}: {}\n{errors}", read(log));
    }
    Ok(())
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}
