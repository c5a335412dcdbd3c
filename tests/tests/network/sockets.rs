//! The table of docs/sockets.md, against what running programs have made. Needs root.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tunic_tests::namespace::{Namespace, Running, unique};
use tunic_tests::openvpn::{NEEDS, PATIENCE, Pki};
use tunic_tests::require::{self, Need};
use tunic_tests::{binary, image, wait};

/// The page with the table.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sockets.md");

/// Path, kind and mode of a row, or of what a program has made.
type Entry = (String, String, String);

/// The rows of the page.
fn rows() -> Result<BTreeSet<Entry>> {
    let text = fs::read_to_string(PAGE)?;
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|row| {
        let mut cells = row.split('|').skip(1).map(|cell| cell.trim().trim_matches('`').to_owned());
        let mut next = || cells.next().with_context(|| row.to_owned());
        Ok((next()?, next()?, next()?))
    });
    rows.collect()
}

/// A program with a `/run` of its own, which is empty at first, and a umask of 0.
fn start(namespace: &Namespace, program: &Path, arguments: &str) -> Result<Running> {
    let program = program.display();
    let mut command = namespace.command("unshare");
    let line = format!("mount -t tmpfs run /run; umask 0; exec {program} {arguments}");
    command.args(["-m", "sh", "-ec", &line]).stdout(Stdio::null());
    image::hand_on(&mut command);
    namespace.spawn(&mut command)
}

/// What a program has made in its `/run`, once `last` is there.
fn made(program: &Running, interface: &str, last: &str) -> Result<BTreeSet<Entry>> {
    let root = PathBuf::from(format!("/proc/{}/root", program.0.id()));
    wait::until(last, PATIENCE, || root.join(&last[1..]).exists())?;
    let mut entries = BTreeSet::new();
    let mut folders = vec![root.join("run")];
    while let Some(folder) = folders.pop() {
        for found in fs::read_dir(folder)? {
            let path = found?.path();
            let (_, kind, mode) = entry(&path)?;
            if kind == "folder" {
                folders.push(path.clone());
            }
            let name = format!("/{}", path.strip_prefix(&root)?.display());
            let name = name.replace(interface, "NAME").replace("/run/MANAGEMENT", "MANAGEMENT");
            entries.insert((name, kind, mode));
        }
    }
    Ok(entries)
}

/// The entry of a file, which is to be root's.
fn entry(path: &Path) -> Result<Entry> {
    let metadata = fs::symlink_metadata(path)?;
    ensure!(metadata.uid() == 0 && metadata.gid() == 0, "{} is not root's", path.display());
    let kind = metadata.file_type();
    let kind = match (kind.is_dir(), kind.is_socket(), kind.is_file()) {
        (true, ..) => "folder",
        (_, true, _) => "socket",
        (.., true) => "file",
        _ => "other",
    };
    let mode = format!("{:04o}", metadata.mode() & 0o7777);
    Ok((path.display().to_string(), kind.to_owned(), mode))
}

#[test]
fn the_table_of_sockets_is_true() -> Result<()> {
    let needs = [&NEEDS[..], &[Need::DriverImage, Need::Program("unshare", "util-linux")]].concat();
    if !require::all("the_table_of_sockets_is_true", &needs) {
        return Ok(());
    }
    let (namespace, pki) = (Namespace::new()?, Pki::new()?);
    let mut found = BTreeSet::new();
    // WireGuard, with the file for perf.
    let interface = unique("tw");
    let arguments = format!("-f --driver {} --perf-map {interface}", image::BUILT);
    let program = binary::tunicd()?;
    let tunicd = start(&namespace, &program, &arguments)?;
    found.extend(made(&tunicd, &interface, &format!("/run/tunic/{interface}.sock"))?);
    let map = PathBuf::from(format!("/tmp/perf-{}.map", tunicd.0.id()));
    let (_, kind, mode) = entry(&map)?;
    found.insert(("/tmp/perf-PID.map".into(), kind, mode));
    fs::remove_file(&map)?;
    drop(tunicd);
    // OpenVPN, with the names of ovpn-dco-win.
    let interface = unique("to");
    let arguments = format!("-f --protocol openvpn --ovpn-dco {interface}");
    let tunicd = start(&namespace, &program, &arguments)?;
    found.extend(made(&tunicd, &interface, "/run/tunic/devices/ovpn-dco-ver.sock")?);
    drop(tunicd);
    // The server, with a daemon that it starts.
    let interface = unique("ts");
    let configuration = pki.file("server.conf");
    fs::write(
        &configuration,
        format!(
            "dev {interface}\ndev-type tun\nlocal 127.0.0.1\ntopology subnet\n\
             server 10.8.0.0 255.255.255.0\nca ca.crt\ncert server.crt\nkey server.key\n\
             management /run/MANAGEMENT unix\n"
        ),
    )?;
    let program = binary::openvpn_server()?;
    let server = start(&namespace, &program, &configuration.display().to_string())?;
    found.extend(made(&server, &interface, "/run/MANAGEMENT")?);

    let rows = rows()?;
    ensure!(rows == found, "the page says {rows:#?}, and the programs have made {found:#?}");
    Ok(())
}
