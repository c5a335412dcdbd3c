//! Both sockets, as clients see them.

mod memory;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memory::MemoryDriver;
use tunic::{
    Adapter, AdapterState, AllowedIp, AllowedIpChange, ConfigurationChange, Key, PeerChange,
    UnixTransport,
};
use tunicd::uapi::Uapi;
use tunicd::{ioctl_socket, socket};

/// A directory of the test's own, removed with it.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tunicd-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn uapi() -> Arc<Uapi<MemoryDriver>> {
    Arc::new(Uapi::new(Adapter::new(MemoryDriver::default()), |_| Ok(())))
}

fn exchange(stream: &mut UnixStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    while !answer.ends_with("\n\n") {
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).unwrap();
        assert_ne!(length, 0, "ended after {answer:?}");
        answer.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
    }
    answer
}

#[test]
fn several_requests_on_several_connections() {
    let directory = Directory::new("connections");
    let path = directory.0.join("wg0.sock");
    let uapi = uapi();
    let server = socket::serve(&path, Arc::clone(&uapi)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut first = UnixStream::connect(&path).unwrap();
    let mut second = UnixStream::connect(&path).unwrap();
    assert_eq!(exchange(&mut first, "set=1\nlisten_port=1\n\n"), "errno=0\n\n");
    assert_eq!(exchange(&mut second, "get=1\n\n"), "listen_port=1\nerrno=0\n\n");
    assert_eq!(exchange(&mut second, "set=1\nlisten_port=x\n\n"), "errno=-22\n\n");
    assert_eq!(exchange(&mut second, "set=1\n\n"), "errno=0\n\n");
    assert_eq!(exchange(&mut first, "get=1\n\n"), "listen_port=1\nerrno=0\n\n");
    second.write_all(b"set=1\n\xFF=1\n\n").unwrap();
    assert_eq!(exchange(&mut second, ""), "errno=22\n\n");

    drop(server);
    assert!(!path.exists());
    assert_eq!(Arc::strong_count(&uapi), 1, "nothing of it is left behind");
    assert_eq!(first.read(&mut [0]).unwrap(), 0, "connections end with the server");
    assert!(UnixStream::connect(&path).is_err());
}

#[test]
fn a_request_cut_short_changes_nothing() {
    let directory = Directory::new("short");
    let path = directory.0.join("wg0.sock");
    let _server = socket::serve(&path, uapi()).unwrap();
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"set=1\nlisten_port=1\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty());
    let mut stream = UnixStream::connect(&path).unwrap();
    assert_eq!(exchange(&mut stream, "get=1\n\n"), "errno=0\n\n");
}

#[test]
fn stale_sockets_are_replaced_and_live_ones_are_not() {
    let directory = Directory::new("stale");
    let path = directory.0.join("wg0.sock");
    fs::create_dir_all(&directory.0).unwrap();
    drop(UnixListener::bind(&path).unwrap());
    let server = socket::serve(&path, uapi()).unwrap();
    assert!(socket::serve(&path, uapi()).is_err());
    assert!(server.is_present());

    fs::remove_file(&path).unwrap();
    assert!(!server.is_present());
    let other = socket::serve(&path, uapi()).unwrap();
    assert!(!server.is_present());
    drop(server);
    assert!(other.is_present(), "a server removes only its own socket");
}

#[test]
fn the_sdk_reaches_the_driver() {
    let directory = Directory::new("sdk");
    let path = directory.0.join("wg0.sock");
    let _server = ioctl_socket::serve(&path, Arc::new(MemoryDriver::default())).unwrap();
    let adapter = Adapter::new(UnixTransport::connect(&path).unwrap());
    let key = Key::generate_private().unwrap();
    let mut peer = PeerChange::new(Key::from_bytes([1; 32]));
    let networks: Vec<AllowedIp> =
        (0..=255).map(|byte| format!("10.{byte}.0.0/16").parse().unwrap()).collect();
    peer.allowed_ips.extend(networks.iter().copied().map(AllowedIpChange::from));
    adapter
        .set_configuration(&ConfigurationChange {
            private_key: Some(Some(key.clone())),
            listen_port: Some(51820),
            peers: vec![peer],
            ..ConfigurationChange::default()
        })
        .unwrap();
    let configuration = adapter.configuration().unwrap();
    assert_eq!(configuration.listen_port, Some(51820));
    assert!(configuration.public_key == Some(key.public()));
    assert_eq!(configuration.peers.len(), 1);
    assert_eq!(configuration.peers[0].allowed_ips, networks);
    assert!(matches!(adapter.set_timer_scale(1), Err(tunic::Error::Refused(0xC000_0010))));
    adapter.set_state(AdapterState::Up).unwrap();
    assert_eq!(adapter.state().unwrap(), AdapterState::Up);
}

#[test]
fn malformed_frames_end_the_connection() {
    let directory = Directory::new("frames");
    let path = directory.0.join("wg0.sock");
    let _server = ioctl_socket::serve(&path, Arc::new(MemoryDriver::default())).unwrap();
    let ended = |bytes: &[u8], path: &Path| {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(bytes).unwrap();
        stream.read(&mut [0; 64]).map_or(true, |length| length == 0)
    };
    assert!(ended(&[0; 16], &path));
    let huge = [b"TNC1".as_slice(), &[6, 0xC5, 0x98, 0xB0], &[0xFF; 8]].concat();
    assert!(ended(&huge, &path));
}
