//! Stock `openvpn` and our own client, each in a namespace, with throwaway certificates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::namespace::{Namespace, Running, unique};
use crate::require::Need;
use crate::{binary, command, image, wait};

/// The server's inner address.
pub const SERVER_V4: &str = "10.98.0.1";
/// The inner address of the first client.
pub const CLIENT_V4: &str = "10.98.0.2";
/// The server's UDP port.
pub const PORT: u16 = 1194;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a test with stock openvpn needs.
pub const NEEDS: [Need; 5] = [
    Need::Root,
    Need::Program("ip", "iproute2"),
    Need::Program("ping", "iputils-ping"),
    Need::Program("openssl", "openssl"),
    Need::Program("openvpn", "openvpn"),
];

/// A folder with a CA, certificates of a server and a client, and keys for tls-auth and tls-crypt. Goes when dropped.
#[derive(Debug)]
pub struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Makes one.
    pub fn new() -> Result<Self> {
        let pki = Self { folder: std::env::temp_dir().join(unique("pki")) };
        fs::create_dir(&pki.folder)?;
        pki.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
             -subj /CN=CA -keyout ca.key -out ca.crt",
        )?;
        pki.issue("server", "serverAuth")?;
        pki.certify("client")?;
        pki.openvpn("--genkey secret ta.key")?;
        pki.openvpn("--genkey tls-crypt-v2-server v2-server.key")?;
        pki.openvpn("--tls-crypt-v2 v2-server.key --genkey tls-crypt-v2-client v2-client.key")?;
        Ok(pki)
    }

    /// Makes a client's certificate and key, `NAME.crt` and `NAME.key`.
    pub fn certify(&self, name: &str) -> Result<()> {
        self.issue(name, "clientAuth")
    }

    fn issue(&self, name: &str, usage: &str) -> Result<()> {
        // Stock openvpn wants both.
        let usages = format!("keyUsage=digitalSignature\nextendedKeyUsage={usage}\n");
        fs::write(self.file("usages"), usages)?;
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
             -keyout {name}.key -out {name}.csr"
        ))?;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 \
             -extfile usages -out {name}.crt"
        ))
    }

    fn openssl(&self, arguments: &str) -> Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(&self.folder).args(arguments.split_whitespace());
        command::run(&mut openssl, b"", PATIENCE)?.success()?;
        Ok(())
    }

    /// Runs stock openvpn in the folder, to make a key.
    pub fn openvpn(&self, arguments: &str) -> Result<()> {
        let mut openvpn = Command::new("openvpn");
        openvpn.current_dir(&self.folder).args(arguments.split(' '));
        command::run(&mut openvpn, b"", PATIENCE)?.success()?;
        Ok(())
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Stock openvpn as server, without DCO. Its log is read for what it did.
#[derive(Debug)]
pub struct StockServer {
    folder: PathBuf,
    process: Running,
}

impl StockServer {
    /// Starts it in a namespace, with these options beside the usual ones, and waits until it serves.
    pub fn start(namespace: &Namespace, pki: &Pki, options: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(unique("ovs"));
        fs::create_dir(&folder)?;
        let configuration = format!(
            "dev tunserver\ndev-type tun\nserver 10.98.0.0 255.255.255.0\ntopology subnet\n\
             proto udp\nport {PORT}\nca {ca}\ncert {certificate}\nkey {key}\ndh none\n\
             verb 4\nsuppress-timestamps\n{options}\n",
            ca = pki.file("ca.crt").display(),
            certificate = pki.file("server.crt").display(),
            key = pki.file("server.key").display(),
        );
        fs::write(folder.join("conf"), configuration)?;
        let process = Self::spawn(namespace, &folder)?;
        let mut server = Self { folder, process };
        server.await_start()?;
        Ok(server)
    }

    /// Ends it without a word to anybody, and starts it anew.
    pub fn restart(&mut self, namespace: &Namespace) -> Result<()> {
        self.kill();
        // The file is written anew.
        fs::remove_file(self.folder.join("log"))?;
        self.process = Self::spawn(namespace, &self.folder)?;
        self.await_start()
    }

    /// Ends it without a word to anybody.
    pub fn kill(&mut self) {
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
    }

    fn spawn(namespace: &Namespace, folder: &Path) -> Result<Running> {
        let mut openvpn = namespace.command("openvpn");
        openvpn.current_dir(folder).args(["--config", "conf", "--disable-dco"]);
        openvpn.stdout(fs::File::create(folder.join("log"))?).stderr(Stdio::null());
        namespace.spawn(&mut openvpn)
    }

    fn await_start(&mut self) -> Result<()> {
        self.await_line("Initialization Sequence Completed")
    }

    /// Waits until its log has this.
    pub fn await_line(&self, text: &str) -> Result<()> {
        wait::until(text, PATIENCE, || self.log().contains(text)).with_context(|| self.log())
    }

    /// What it logged since it started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for StockServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Our client, with a `tunicd` that it starts by itself.
#[derive(Debug)]
pub struct Client {
    interface: String,
    folder: PathBuf,
    process: Running,
}

impl Client {
    /// Starts it in a namespace, with these options beside the usual ones; it is not connected yet.
    pub fn start(namespace: &Namespace, pki: &Pki, options: &str) -> Result<Self> {
        Self::start_with(namespace, pki, options, &[])
    }

    /// Like [`Client::start`], with arguments for the program.
    pub fn start_with(
        namespace: &Namespace,
        pki: &Pki,
        options: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        // It looks for tunicd beside itself.
        binary::tunicd()?;
        let interface = unique("to");
        let folder = std::env::temp_dir().join(&interface);
        fs::create_dir(&folder)?;
        let remote = if options.contains("remote 1") { "" } else { "remote 10.9.0.2 1194\n" };
        let profile = format!(
            "client\ndev tun\nremote-cert-tls server\nca {}\ncert {}\nkey {}\n{remote}{options}\n",
            pki.file("ca.crt").display(),
            pki.file("client.crt").display(),
            pki.file("client.key").display(),
        );
        fs::write(folder.join("profile.ovpn"), profile)?;
        let mut client = namespace.command(binary::openvpn_client()?);
        client.args(["--verb", "3", "--interface", &interface]).args(arguments);
        client.arg(folder.join("profile.ovpn"));
        image::hand_on(&mut client);
        client.stdout(Stdio::null()).stderr(fs::File::create(folder.join("log"))?);
        let process = namespace.spawn(&mut client)?;
        Ok(Self { interface, folder, process })
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// How often it said this.
    pub fn count(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// Waits until it has connected so often, and gives what it said.
    pub fn await_connected(&mut self, times: usize) -> Result<String> {
        // A line of its own, not the end of "disconnected: ".
        self.await_count("\nconnected: ", times)
    }

    /// Waits until it has said this so often.
    pub fn await_count(&mut self, text: &str, times: usize) -> Result<String> {
        wait::until(text, PATIENCE, || {
            self.count(text) >= times || matches!(self.process.0.try_wait(), Ok(Some(_)))
        })
        .with_context(|| self.log())?;
        if self.count(text) < times {
            bail!("{text:?} not {times} times: {}", self.log());
        }
        Ok(self.log())
    }

    /// Waits for its end, which is to be an error, and gives what it said.
    pub fn await_failure(&mut self) -> Result<String> {
        let status = command::wait(&mut self.process.0, PATIENCE).with_context(|| self.log())?;
        if status.success() {
            bail!("ended well: {}", self.log());
        }
        Ok(self.log())
    }

    /// How many packets its adapter dropped for a reason, as `tunic show` names it.
    pub fn discards(&self, reason: &str) -> Result<u64> {
        let statistics = tunic::Adapter::open(&self.interface)?.statistics()?;
        let count = statistics.discards.iter().find(|(name, _)| *name == reason);
        count.map(|(_, count)| *count).with_context(|| format!("no reason {reason}"))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        // `ip netns exec` has become the client by exec.
        kill(Pid::from_raw(i32::try_from(self.process.0.id())?), signal)?;
        Ok(())
    }

    /// Ends it by SIGTERM; an error where it, or its tunicd, does not end well.
    pub fn stop(mut self) -> Result<String> {
        self.signal(Signal::SIGTERM)?;
        let status = command::wait(&mut self.process.0, PATIENCE).with_context(|| self.log())?;
        if !status.success() {
            bail!("ended with {status}: {}", self.log());
        }
        Ok(self.log())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
