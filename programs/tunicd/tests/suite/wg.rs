//! Stock wg(8) on the UAPI socket.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::memory::MemoryDriver;
use require::Need;
use tunic::{Adapter, Key};
use tunicd::socket;
use tunicd::uapi::Uapi;

/// Runs `wg`, with `/dev/stdin` as its file; its output, or what it says when it fails.
fn wg(arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new("wg")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// A configuration of so many peers with four allowed IPs each, and what `wg show dump` is to say
/// of the peers.
fn configuration(peers: u32, shift: u32) -> (String, Vec<String>) {
    let private_key = Key::from_bytes([0x48; 32]);
    let mut text = format!("[Interface]\nPrivateKey = {private_key}\nListenPort = 51820\n");
    let mut dump = Vec::new();
    for index in 0..peers {
        let number = index + shift + 1;
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        let key = Key::from_bytes(bytes);
        let [_, _, high, low] = number.to_be_bytes();
        let allowed_ips = format!(
            "10.{high}.{low}.0/24,192.168.{high}.{low}/32,\
             fd00::{number:x}:0/112,2001:db8:{number:x}::/48"
        );
        let endpoint = format!("192.0.2.{}:{}", number % 256, 1000 + number);
        let keepalive = number % 100 + 1;
        writeln!(
            text,
            "[Peer]\nPublicKey = {key}\nPresharedKey = {key}\nEndpoint = {endpoint}\n\
             PersistentKeepalive = {keepalive}\nAllowedIPs = {allowed_ips}"
        )
        .unwrap();
        dump.push(format!("{key}\t{key}\t{endpoint}\t{allowed_ips}\t1\t2\t1\t{keepalive}"));
    }
    (text, dump)
}

#[test]
fn setconf_showconf_and_syncconf() {
    let interface = format!("tt{}", std::process::id());
    let path = socket::path(&interface);
    let uapi = Uapi::new(Adapter::new(MemoryDriver::default()), |_| Ok(()));
    let test = "setconf_showconf_and_syncconf";
    if !require::all(test, &[Need::Program("wg", "wireguard-tools")]) {
        return;
    }
    let _server = match socket::serve(&path, Arc::new(uapi)) {
        Ok(server) => server,
        Err(error) => {
            let reason = format!("{}: {error}", path.display());
            require::skip(test, &reason, &["run as root".into()]);
            return;
        }
    };
    let peers_of_dump = || -> Vec<String> {
        wg(&["show", &interface, "dump"], "").unwrap().lines().skip(1).map(str::to_owned).collect()
    };
    let setconf = |text: &str| wg(&["setconf", &interface, "/dev/stdin"], text);

    let (text, dump) = configuration(1000, 0);
    setconf(&text).unwrap();
    assert_eq!(peers_of_dump(), dump);
    let shown = wg(&["showconf", &interface], "").unwrap();
    setconf(&shown).unwrap();
    assert_eq!(wg(&["showconf", &interface], "").unwrap(), shown);

    let (text, mut dump) = configuration(10, 995);
    wg(&["syncconf", &interface, "/dev/stdin"], &text).unwrap();
    let mut found = peers_of_dump();
    found.sort();
    dump.sort();
    assert_eq!(found, dump);

    let before = wg(&["showconf", &interface], "").unwrap();
    for bad in ["[Interface]\nListenPort = http\n", "[Interface]\nUnknown = 1\n"] {
        assert!(setconf(bad).is_err());
    }
    assert_eq!(wg(&["showconf", &interface], "").unwrap(), before);
}
