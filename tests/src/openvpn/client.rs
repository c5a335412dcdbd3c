//! Our client.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PATIENCE, Pki};
use crate::namespace::{Namespace, Running, unique};
use crate::{binary, command, image, wait};

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
        Self::start_as(namespace, pki, &unique("to"), options, arguments)
    }

    /// Like [`Client::start_with`], with the interface's name given.
    pub fn start_as(
        namespace: &Namespace,
        pki: &Pki,
        interface: &str,
        options: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        // It looks for tunicd beside itself.
        binary::tunicd()?;
        let interface = interface.to_owned();
        let folder = require::scratch().join(&interface);
        fs::create_dir(&folder)?;
        let remote = if options.contains("remote ") { "" } else { "remote 10.9.0.2 1194\n" };
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

    /// Its own: `ip netns exec` has become the client by exec.
    pub fn process_id(&self) -> u32 {
        self.process.0.id()
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

    /// Kills it, which gives it no time for anything.
    pub fn kill(mut self) -> Result<()> {
        self.process.0.kill()?;
        self.process.0.wait()?;
        Ok(())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        // `ip netns exec` has become the client by exec.
        kill(Pid::from_raw(i32::try_from(self.process.0.id())?), signal)?;
        Ok(())
    }

    /// Appends a line to its profile.
    pub fn append(&self, line: &str) -> Result<()> {
        let mut profile =
            fs::File::options().append(true).open(self.folder.join("profile.ovpn"))?;
        Ok(writeln!(profile, "{line}")?)
    }

    /// Ends it by SIGTERM; an error where it, or its tunicd, does not end well.
    pub fn stop(self) -> Result<String> {
        self.end(Signal::SIGTERM)
    }

    /// Like [`Client::stop`], by another signal.
    pub fn end(mut self, signal: Signal) -> Result<String> {
        self.signal(signal)?;
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
