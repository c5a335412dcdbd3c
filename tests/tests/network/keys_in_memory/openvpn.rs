//! `openvpn-client` and `openvpn-server`: what they were given in files, and the keys of their data
//! channels.

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
const DATA_KEY: &str = "a key of the data channel";

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
    // At verbosity 7, stock OpenVPN logs the keys of its data channels.
    let options = format!("tls-crypt {}\nkeepalive 1 20\nverb 7", pki.file("ta.key").display());
    let server = StockServer::start(&link.right, &pki, &options)?;
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
    // The driver, in tunicd, has them now.
    let first = data_keys(&server.log())?;
    first.require_gone("connected", client.process_id())?;
    let processes = family(client.process_id())?;
    let found = processes.iter().map(|process_id| Ok(first.find(*process_id)?.of(DATA_KEY)));
    ensure!(found.sum::<Result<usize>>()? > 0, "what the driver needs is not found");
    client.signal(Signal::SIGUSR1)?;
    client.await_connected(2)?;
    require_gone("connected anew", client.process_id(), &given)?;
    require_gone("connected anew", client.process_id(), &first)?;
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
    let mut client = network.connect("first", 11, "tls-crypt ta.key\nverb 7")?;
    client.is_up()?;
    require_gone("with a client", server.process_id(), &given)?;
    let data_keys = data_keys(&client.log())?;
    data_keys.require_gone("with a client", server.process_id())?;
    client.leave()?;
    require_gone("without a client", server.process_id(), &given)?;
    require_gone("without a client", server.process_id(), &data_keys)?;
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

/// The keys of the data channels that a stock program has logged.
fn data_keys(log: &str) -> Result<Secrets> {
    let mut keys = Secrets::default();
    let logged = log.lines().filter(|line| line.contains("Data Channel"));
    let mut count = 0;
    for (_, digits) in logged.filter_map(|line| line.split_once("CIPHER KEY: ")) {
        let digits: String = digits.chars().filter(char::is_ascii_hexdigit).collect();
        let bytes = |from: usize| u8::from_str_radix(digits.get(from..from + 2)?, 16).ok();
        let key: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(bytes).collect();
        keys.add_key(DATA_KEY, &key.context("a key in hexadecimal")?);
        count += 1;
    }
    ensure!(count >= 2, "the log has {count} keys of data channels");
    Ok(keys)
}

/// The first 16 bytes of a static key.
fn static_key(file: &Path) -> Result<Vec<u8>> {
    let line = hex_lines(file)?.into_iter().next().context("no line of digits")?;
    let number = u128::from_str_radix(&line, 16)?;
    Ok(number.to_be_bytes().to_vec())
}

/// Requires that what a program was given is in no memory of it and its children.
fn require_gone(what: &str, process_id: u32, given: &Secrets) -> Result<()> {
    for process_id in family(process_id)? {
        given.require_gone(what, process_id)?;
    }
    Ok(())
}

/// A process, its children, and theirs.
fn family(process_id: u32) -> Result<Vec<u32>> {
    let children = fs::read_to_string(format!("/proc/{process_id}/task/{process_id}/children"))?;
    let mut family = vec![process_id];
    for child in children.split_whitespace() {
        family.extend(self::family(child.parse()?)?);
    }
    Ok(family)
}
