//! `openvpn-client` and `openvpn-server`: what they were given in files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tunic_tests::link::Link;
use tunic_tests::openvpn::{Client, NEEDS, Network, Pki, StockServer};
use tunic_tests::secrets::Secrets;
use tunic_tests::{require, wait};

const PASSWORD: &str = "correct horse battery";

/// How long it may take to serve again.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn no_key_outlives_its_use_in_a_client() {
    let name = "no_key_outlives_its_use_in_a_client";
    if require::all(name, &NEEDS)
        && let Err(error) = client()
    {
        panic!("{name}: {error:#}");
    }
}

#[test]
fn no_key_outlives_its_use_in_a_server() {
    let name = "no_key_outlives_its_use_in_a_server";
    if require::all(name, &NEEDS)
        && let Err(error) = server()
    {
        panic!("{name}: {error:#}");
    }
}

/// It connects, connects anew, and reads its profile again.
fn client() -> Result<()> {
    let (link, pki) = (Link::new()?, Pki::new()?);
    seal(&pki, "client")?;
    let options = format!("tls-crypt {}\nkeepalive 1 20", pki.file("ta.key").display());
    let _server = StockServer::start(&link.right, &pki, &options)?;
    let options = format!(
        "key {}\naskpass {}\ntls-crypt {}",
        pki.file("client.sealed").display(),
        pki.file("password").display(),
        pki.file("ta.key").display(),
    );
    let mut client = Client::start(&link.left, &pki, &options)?;
    client.await_connected(1)?;
    let given = secrets(&pki, "client")?;
    let mut needed = Secrets::default();
    needed.add_key("the static key", &static_key(&pki.file("ta.key"))?);
    let found = needed.find(client.process_id())?.of("the static key");
    ensure!(found > 0, "what it needs is not found");
    require_gone("connected", client.process_id(), &given)?;
    client.signal(Signal::SIGUSR1)?;
    client.await_connected(2)?;
    require_gone("connected anew", client.process_id(), &given)?;
    client.signal(Signal::SIGHUP)?;
    client.await_connected(3)?;
    require_gone("with the profile read again", client.process_id(), &given)?;
    client.stop()?;
    Ok(())
}

/// A client connects and leaves; the server reads its configuration again.
fn server() -> Result<()> {
    let network = Network::new()?;
    seal(&network.pki, "server")?;
    let options = "key server.sealed\naskpass password\ntls-crypt ta.key\nkeepalive 1 20";
    let mut server = network.serve(options)?;
    let given = secrets(&network.pki, "server")?;
    let mut client = network.connect("first", 11, "tls-crypt ta.key")?;
    client.is_up()?;
    require_gone("with a client", server.process_id(), &given)?;
    client.leave()?;
    require_gone("without a client", server.process_id(), &given)?;
    server.signal(Signal::SIGHUP)?;
    server.says("reading the configuration again")?;
    wait::until("it listens again", PATIENCE, || server.log().matches("listens on").count() == 2)?;
    require_gone("with its configuration read again", server.process_id(), &given)?;
    server.stop()
}

/// Makes an encrypted copy of a private key, and a file with its password.
fn seal(pki: &Pki, name: &str) -> Result<()> {
    fs::write(pki.file("password"), format!("{PASSWORD}\n"))?;
    pki.openssl(&format!("pkcs8 -topk8 -in {name}.key -passout file:password -out {name}.sealed"))
}

/// What a program reads from files and needs in another form from then on.
fn secrets(pki: &Pki, name: &str) -> Result<Secrets> {
    let mut secrets = Secrets::default();
    secrets.add_text("the password of the private key", PASSWORD);
    secrets.add_key("the private key", &scalar(pki, name)?);
    for line in fs::read_to_string(pki.file(&format!("{name}.sealed")))?.lines() {
        if !line.starts_with('-') {
            secrets.add_text("the file of the private key", line);
        }
    }
    for line in hex_lines(&pki.file("ta.key"))? {
        secrets.add_text("the file of the static key", &line);
    }
    Ok(secrets)
}

/// The private number in an unencrypted key of P-256.
fn scalar(pki: &Pki, name: &str) -> Result<Vec<u8>> {
    pki.openssl(&format!("pkey -in {name}.key -outform DER -out {name}.der"))?;
    let der = fs::read(pki.file(&format!("{name}.der")))?;
    // ECPrivateKey (RFC 5915): version 1, then an octet string of 32 bytes.
    let start = [2, 1, 1, 4, 32];
    let at = der.windows(5).position(|bytes| bytes == start).context("no private number")?;
    Ok(der[at + 5..at + 37].to_vec())
}

fn hex_lines(file: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(file)?;
    let is_hex = |line: &&str| line.len() == 32 && line.bytes().all(|it| it.is_ascii_hexdigit());
    Ok(text.lines().filter(is_hex).map(str::to_owned).collect())
}

/// The first 16 bytes of a static key.
fn static_key(file: &Path) -> Result<Vec<u8>> {
    let line = hex_lines(file)?.into_iter().next().context("no line of digits")?;
    let number = u128::from_str_radix(&line, 16)?;
    Ok(number.to_be_bytes().to_vec())
}

/// Requires that what a program was given is in no memory of it and its children.
fn require_gone(what: &str, process_id: u32, given: &Secrets) -> Result<()> {
    let children = fs::read_to_string(format!("/proc/{process_id}/task/{process_id}/children"))?;
    let children = children.split_whitespace().map(str::parse).collect::<Result<Vec<_>, _>>()?;
    for process_id in [vec![process_id], children].concat() {
        given.require_gone(what, process_id)?;
    }
    Ok(())
}
