//! Stock openvpn as server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PATIENCE, PORT, Pki, Stock};
use crate::namespace::{Namespace, Running, unique};
use crate::wait;

/// Stock openvpn as server, without DCO. Its log is read for what it did.
#[derive(Debug)]
pub struct StockServer {
    stock: Stock,
    folder: PathBuf,
    process: Running,
}

impl StockServer {
    /// Starts it in a namespace, with these options beside the usual ones, and waits until it
    /// serves.
    pub fn start(namespace: &Namespace, pki: &Pki, options: &str) -> Result<Self> {
        Self::start_as(Stock::Installed, namespace, pki, options)
    }

    /// Like [`StockServer::start`], of another version.
    pub fn start_as(stock: Stock, namespace: &Namespace, pki: &Pki, options: &str) -> Result<Self> {
        let folder = require::scratch().join(unique("ovs"));
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
        let process = Self::spawn(stock, namespace, &folder)?;
        let mut server = Self { stock, folder, process };
        server.await_start()?;
        Ok(server)
    }

    /// Ends it without a word to anybody, and starts it anew.
    pub fn restart(&mut self, namespace: &Namespace) -> Result<()> {
        self.kill();
        // The file is written anew.
        fs::remove_file(self.folder.join("log"))?;
        self.process = Self::spawn(self.stock, namespace, &self.folder)?;
        self.await_start()
    }

    /// Puts an option in place of another in its configuration, for the next start.
    pub fn replace(&self, old: &str, new: &str) -> Result<()> {
        let file = self.folder.join("conf");
        Ok(fs::write(&file, fs::read_to_string(&file)?.replace(old, new))?)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        // `ip netns exec` has become the server by exec.
        kill(Pid::from_raw(i32::try_from(self.process.0.id())?), signal)?;
        Ok(())
    }

    /// Ends it without a word to anybody.
    pub fn kill(&mut self) {
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
    }

    fn spawn(stock: Stock, namespace: &Namespace, folder: &Path) -> Result<Running> {
        let mut openvpn = namespace.command(stock.program()?);
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
