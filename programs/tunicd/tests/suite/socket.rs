//! The socket of the UAPI, as clients see it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

use crate::directory::Directory;
use crate::memory::MemoryDriver;
use tunic::Adapter;
use tunicd::socket;
use tunicd::uapi::Uapi;

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
