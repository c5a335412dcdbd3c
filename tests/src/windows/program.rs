//! `openvpn.exe`, with its management interface.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use require::Need;

use super::{Adapter, PATIENCE, Windows};
use crate::namespace::{Running, unique};
use crate::{command, wait};

/// A version of `openvpn.exe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenVpnVersion {
    /// 2.6.
    V26,
    /// 2.7.
    V27,
}

impl OpenVpnVersion {
    /// The program.
    pub const fn need(self) -> Need {
        match self {
            Self::V26 => Need::Program("openvpn-2.6.exe", "built by .ci/peers"),
            Self::V27 => Need::Program("openvpn-2.7.exe", "built by .ci/peers"),
        }
    }

    fn program(self) -> Result<PathBuf> {
        let Need::Program(name, _) = self.need() else { unreachable!("it is a program") };
        require::program(name).with_context(|| format!("no {name}"))
    }
}

/// A running `openvpn.exe`. It is killed when it is dropped.
pub struct OpenVpn<'a> {
    windows: &'a Windows<'a>,
    process: Running,
    port: u16,
    log: PathBuf,
}

impl<'a> OpenVpn<'a> {
    /// Starts it on an adapter in a folder with its certificates, and waits for its management
    /// interface.
    pub fn start(
        windows: &'a Windows<'a>,
        version: OpenVpnVersion,
        adapter: &Adapter,
        folder: &Path,
        options: &str,
    ) -> Result<Self> {
        let name = unique("ov");
        let port = windows.namespace().enter(|| {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            Ok(listener.local_addr()?.port())
        })?;
        // The test gives the interface its addresses and routes: Wine can't.
        let text = format!(
            "dev tun\ndev-node {}\nwindows-driver ovpn-dco\nip-win32 manual\nifconfig-noexec\n\
             route-noexec\nmanagement 127.0.0.1 {port}\nverb 3\n{options}\n",
            adapter.interface()
        );
        fs::write(folder.join(format!("{name}.conf")), text)?;
        let log = folder.join(format!("{name}.log"));
        let mut command = windows.command(&version.program()?);
        command.current_dir(folder).args(["--config", &format!("{name}.conf")]);
        command.stdout(File::create(&log)?).stderr(Stdio::null());
        let process = windows.namespace().spawn(&mut command)?;
        let mut openvpn = Self { windows, process, port, log };
        openvpn.says(1, "TCP Socket listening on")?;
        Ok(openvpn)
    }

    /// Waits until its log has a text so many times.
    pub fn says(&mut self, times: usize, text: &str) -> Result<()> {
        let mut has_ended = false;
        wait::until(text, PATIENCE, || {
            has_ended = self.process.0.try_wait().is_ok_and(|status| status.is_some());
            has_ended || self.count(text) >= times
        })
        .with_context(|| self.log())?;
        ensure!(self.count(text) >= times, "it ended without {text:?}: {}", self.log());
        Ok(())
    }

    /// How often its log has a text.
    pub fn count(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// Its log.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into()).unwrap_or_default()
    }

    /// Gives its management interface a command, and returns the answer's lines up to one that
    /// begins with one of the last words of answers.
    pub fn manage(&self, command: &str) -> Result<Vec<String>> {
        let mut stream = self
            .windows
            .namespace()
            .enter(|| Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        let mut lines = Vec::new();
        for line in BufReader::new(&stream).lines() {
            let line = line.with_context(|| format!("no end of {lines:?} to {command}"))?;
            let is_last = ["SUCCESS", "ERROR", "END"].iter().any(|word| line.starts_with(word));
            lines.push(line);
            if is_last {
                return Ok(lines);
            }
        }
        bail!("the management interface closes after {lines:?} to {command}: {}", self.log())
    }

    /// Has it act as on a signal.
    pub fn signal(&self, name: &str) -> Result<()> {
        let answer = self.manage(&format!("signal {name}"))?;
        let is_done = answer.last().is_some_and(|line| line.starts_with("SUCCESS"));
        ensure!(is_done, "{answer:?}");
        Ok(())
    }

    /// Ends it without a word.
    pub fn kill(mut self) -> Result<()> {
        self.process.0.kill()?;
        self.process.0.wait()?;
        Ok(())
    }

    /// Ends it by SIGTERM; it must report success.
    pub fn terminate(mut self) -> Result<()> {
        self.signal("SIGTERM")?;
        let status = self.ended(PATIENCE)?;
        ensure!(status.success(), "it ended with {status}: {}", self.log());
        Ok(())
    }

    fn ended(&mut self, timeout: Duration) -> Result<ExitStatus> {
        command::wait(&mut self.process.0, timeout).with_context(|| self.log())
    }
}
