//! What our OpenVPN programs give up after their start, with `user`, `group` and `chroot`, and that
//! they do their work afterwards. Needs root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Group, Pid, User};
use tunic_tests::link::Link;
use tunic_tests::namespace::unique;
use tunic_tests::openvpn::{Client, NEEDS, Network, OURS_V4, Pki, SERVER_V4, StockServer};
use tunic_tests::require::Need;
use tunic_tests::tunicd::Tunicd;
use tunic_tests::{binary, command, ping, require, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// The last line of a stock client that has connected.
const UP: &str = "Initialization Sequence Completed";

/// `CAP_IPC_LOCK`, which overrides a limit of locked memory that a program may not raise.
const IPC_LOCK: u64 = 1 << 14;

/// A folder to be the root folder, removed on drop.
struct Jail(PathBuf);

impl Jail {
    fn new() -> Result<Self> {
        let folder = require::scratch().join(unique("jail"));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    /// Copies a folder to the same path in it.
    fn copy(&self, folder: &Path) -> Result<()> {
        let inside = self.0.join(folder.strip_prefix("/")?);
        fs::create_dir_all(&inside)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), inside.join(entry.file_name()))?;
            }
        }
        Ok(())
    }
}

impl Drop for Jail {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Who a process must be.
struct Expected<'e> {
    user: u32,
    group: u32,
    root: &'e Path,
}

impl Expected<'_> {
    /// Compares all threads of the process.
    fn of(&self, process: u32) -> Result<()> {
        let folder = PathBuf::from(format!("/proc/{process}"));
        let limits = fs::read_to_string(folder.join("limits"))?;
        let limit = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().split_whitespace().take(2).collect::<Vec<_>>()
        };
        ensure!(limit("Max core file size") == ["0", "0"], "{limits}");
        let is_limited = limit("Max locked memory") != ["unlimited", "unlimited"];
        let kept = if is_limited { IPC_LOCK } else { 0 };
        for thread in fs::read_dir(folder.join("task"))? {
            // A thread may have ended.
            let Ok(status) = fs::read_to_string(thread?.path().join("status")) else { continue };
            let value = |name: &str| -> Result<&str> {
                let line =
                    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                Ok(line.with_context(|| format!("no {name}: {status}"))?.trim())
            };
            for (name, id) in [("Uid", self.user), ("Gid", self.group)] {
                let ids: Vec<_> = value(name)?.split_whitespace().collect();
                ensure!(ids == vec![id.to_string(); 4], "{name}: {status}");
            }
            if self.group != 0 {
                ensure!(value("Groups")? == self.group.to_string(), "{status}");
            }
            for (set, bits) in
                [("CapInh", 0), ("CapPrm", kept), ("CapEff", kept), ("CapBnd", kept), ("CapAmb", 0)]
            {
                ensure!(u64::from_str_radix(value(set)?, 16)? == bits, "{set}: {status}");
            }
            ensure!(value("NoNewPrivs")? == "1" && value("Seccomp")? == "2", "{status}");
            ensure!(value("VmLck")? != "0 kB", "{status}");
        }
        ensure!(fs::read_link(folder.join("root"))? == self.root, "{:?}", self.root);
        ensure!(fs::read_link(folder.join("cwd"))?.starts_with(self.root), "{:?}", self.root);
        // The files of a process that is not dumpable belong to root.
        ensure!(fs::metadata(folder.join("maps"))?.uid() == 0, "dumpable");
        Ok(())
    }
}

fn nobody() -> Result<(u32, u32)> {
    let user = User::from_name("nobody")?.context("nobody")?;
    let group = Group::from_name("nogroup")?.context("nogroup")?;
    Ok((user.uid.as_raw(), group.gid.as_raw()))
}

#[test]
fn a_client_with_another_user_and_root_folder_does_its_work() -> Result<()> {
    if !require::all("confined client", &NEEDS) {
        return Ok(());
    }
    let (link, pki, jail) = (Link::new()?, Pki::new()?, Jail::new()?);
    let server = StockServer::start(&link.right, &pki, "push \"route 10.77.0.0 255.255.0.0\"")?;
    let tunicd = Tunicd::start_openvpn(&link.left, &unique("tj"))?;
    let options = format!(
        "user nobody\ngroup nogroup\nchroot {}\nconnect-retry 1 1\nroute 10.78.0.0 255.255.0.0",
        jail.0.display()
    );
    let mut client = Client::start_as(&link.left, &pki, tunicd.interface(), &options, &[])?;
    client.await_connected(1)?;
    let (user, group) = nobody()?;
    let expected = Expected { user, group, root: &jail.0 };
    expected.of(client.process_id())?;
    ensure!(client.log().contains("SIGHUP will end this process"), "{}", client.log());
    ensure!(ping::reaches(&link.left, SERVER_V4, PATIENCE)?, "{}", server.log());
    let ours = || -> Result<usize> {
        let routes = link.left.ip("route show")?;
        Ok(routes.lines().filter(|line| line.contains("10.77.") || line.contains("10.78.")).count())
    };
    ensure!(ours()? == 2, "{}", client.log());

    client.signal(Signal::SIGUSR1)?;
    client.await_connected(2)?;
    ensure!(ping::reaches(&link.left, SERVER_V4, PATIENCE)?, "{}", server.log());
    ensure!(ours()? == 2, "{}", client.log());

    let said = client.stop()?;
    let left = link.left.ip(&format!("addr show dev {}", tunicd.interface()))?;
    ensure!(ours()? == 0 && !left.contains("inet 10.8."), "{left}\n{said}");
    tunicd.stop()?;

    // In the background, too, where /dev/null is not in its root folder.
    let interface = unique("tj");
    let options = format!(
        "client\ndev {interface}\ndev-type tun\nremote 10.9.0.2\nca ca.crt\ncert client.crt\n\
         key client.key\nremote-cert-tls server\n{options}\ndaemon\nlog log\nwritepid pid\n"
    );
    fs::write(pki.file("client.conf"), options)?;
    let mut program = link.left.command(binary::openvpn_client()?);
    command::run(program.arg(pki.file("client.conf")), b"", PATIENCE)?.success()?;
    let log = || fs::read_to_string(pki.file("log")).unwrap_or_default();
    wait::until("it is connected", PATIENCE, || log().contains(" connected: "))
        .with_context(log)?;
    let process: i32 = fs::read_to_string(pki.file("pid"))?.trim().parse()?;
    expected.of(process.cast_unsigned())?;
    ensure!(ping::reaches(&link.left, SERVER_V4, PATIENCE)?, "{}", log());
    kill(Pid::from_raw(process), Signal::SIGTERM)?;
    wait::until("the interface is gone", PATIENCE, || {
        link.left.ip(&format!("link show dev {interface}")).is_err()
    })
    .with_context(log)
}

/// The files that are read again are at the same place in the root folder.
#[test]
fn a_client_reads_its_profile_again_in_its_root_folder() -> Result<()> {
    if !require::all("confined client, SIGHUP", &NEEDS) {
        return Ok(());
    }
    let (link, pki, jail) = (Link::new()?, Pki::new()?, Jail::new()?);
    let server = StockServer::start(&link.right, &pki, "")?;
    let chroot = format!("chroot {}", jail.0.display());
    jail.copy(&pki.file(""))?;
    let mut client = Client::start(&link.left, &pki, &chroot)?;
    client.await_connected(1)?;
    Expected { user: 0, group: 0, root: &jail.0 }.of(client.process_id())?;
    jail.copy(&require::scratch().join(client.interface()))?;
    client.signal(Signal::SIGHUP)?;
    client.await_connected(2)?;
    ensure!(ping::reaches(&link.left, SERVER_V4, PATIENCE)?, "{}", server.log());
    // What is not there ends it, and leaves nothing.
    fs::remove_file(jail.0.join(pki.file("ca.crt").strip_prefix("/")?))?;
    client.signal(Signal::SIGHUP)?;
    let said = client.await_failure()?;
    ensure!(said.contains("ca.crt"), "{said}");
    let left = link.left.ip("addr show")?;
    ensure!(!left.contains(client.interface()), "{left}");
    // What cannot be done at all.
    for (option, why) in [
        ("user no-such-user", "there is no such user"),
        ("group no-such-group", "there is no such group"),
        ("chroot /nonexistent", "chroot /nonexistent"),
    ] {
        let said = Client::start(&link.left, &pki, option)?.await_failure()?;
        ensure!(said.contains(why), "{said}");
    }
    Ok(())
}

#[test]
fn a_server_with_another_user_and_root_folder_does_its_work() -> Result<()> {
    let needs = [&NEEDS[..], &[Need::Program("sysctl", "procps")]].concat();
    if !require::all("confined server", &needs) {
        return Ok(());
    }
    let (network, jail) = (Network::new()?, Jail::new()?);
    // Both are read as clients come, and so lie in the root folder.
    fs::create_dir(jail.0.join("clients"))?;
    fs::create_dir(jail.0.join("revoked"))?;
    fs::write(jail.0.join("clients/alice"), "ifconfig-push 10.8.0.77 255.255.255.0\n")?;
    let options = format!(
        "keepalive 1 20\nuser nobody\nchroot {}\nclient-config-dir clients\nccd-exclusive\n\
         crl-verify revoked dir\n",
        jail.0.display()
    );
    let server = network.serve(&options)?;
    let user = User::from_name("nobody")?.context("nobody")?;
    let expected = Expected { user: user.uid.as_raw(), group: user.gid.as_raw(), root: &jail.0 };
    expected.of(server.process_id())?;
    let mut alice = network.connect("alice", 11, "")?;
    alice.is_up()?;
    let addresses = alice.namespace.ip("addr show")?;
    ensure!(addresses.contains("10.8.0.77"), "{addresses}");
    ensure!(ping::reaches(&alice.namespace, OURS_V4, PATIENCE)?, "{}", server.log());
    ensure!(server.command("status")?.starts_with("NAME"), "{}", server.log());

    server.signal(Signal::SIGUSR1)?;
    wait::until("alice is back", PATIENCE, || alice.log().matches(UP).count() >= 2)
        .with_context(|| alice.log())?;
    ensure!(ping::reaches(&alice.namespace, OURS_V4, PATIENCE)?, "{}", server.log());
    expected.of(server.process_id())?;
    server.stop()?;
    let left = network.namespace.ip("addr show")?;
    ensure!(!left.contains("10.8.0.1/24"), "{left}");
    Ok(())
}
