//! `tunicd` itself, with the driver. Needs root, ip(8) and wg(8).

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tunic::data_channel::{
    ControlDatagram, DeleteReason, EventKind, Listen, Mode, NewPeer, PeerSelector, PeerTransport,
};
use tunic::status::{STATUS_ACCESS_DENIED, STATUS_CANCELLED, STATUS_INVALID_DEVICE_REQUEST};
use tunic::{
    Adapter, AdapterState, ConfigurationChange, DataChannel, Error, Key, Protocol, Transport,
    UnixTransport,
};
use tunic_ioctl::ovpn_dco;
use tunicd::{ioctl_socket, socket};

use crate::directory::Directory;

const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn tunicd(arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_tunicd"), arguments)
}

pub(crate) fn await_true(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The name of an interface of the test's own; `None` where there may be none.
pub(crate) fn interface(test: &str) -> Option<String> {
    let name = format!("t{test}{}", std::process::id());
    if run("ip", &["tuntap", "add", &name, "mode", "tun"]).status.success() {
        assert!(run("ip", &["link", "del", &name]).status.success());
        return Some(name);
    }
    require::skip(test, "no interface can be made", &["run as root".into()]);
    None
}

fn exists(interface: &str) -> bool {
    Path::new("/sys/class/net").join(interface).exists()
}

/// Processes with this argument.
fn processes(argument: &str) -> usize {
    let has = |directory: &Path| {
        fs::read(directory.join("cmdline"))
            .is_ok_and(|line| line.split(|&byte| byte == 0).any(|word| word == argument.as_bytes()))
    };
    fs::read_dir("/proc").unwrap().filter(|entry| has(&entry.as_ref().unwrap().path())).count()
}

/// Deletes an interface at the end, however the test ends: its daemon goes with it.
struct Deleted<'a>(&'a str);

impl Drop for Deleted<'_> {
    fn drop(&mut self) {
        run("ip", &["link", "del", self.0]);
    }
}

/// A daemon in the foreground, which is killed with the test.
pub(crate) struct Foreground(pub(crate) Child);

impl Foreground {
    pub(crate) fn start(interface: &str) -> Self {
        Self::start_with(&[], interface)
    }

    pub(crate) fn start_with(options: &[&str], interface: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tunicd"));
        let command = command.arg("--foreground").args(options).arg(interface);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let daemon = Self(child);
        await_true("sockets", || Adapter::open(interface).is_ok());
        daemon
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(run("kill", &[signal, &self.0.id().to_string()]).status.success());
    }

    pub(crate) fn succeeds(&mut self) {
        let mut status = None;
        await_true("end", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        assert!(status.unwrap().success(), "{status:?}");
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_that_is_no_driver_is_named() {
    let Some(name) = interface("f") else { return };
    let _deleted = Deleted(&name);
    for (file, reason) in [
        ("/nonexistent/tunic.sys", "the image cannot be read: No such file"),
        (env!("CARGO_BIN_EXE_tunicd"), "not an image of a driver: "),
    ] {
        // Foreground and background say the same.
        for (options, who) in [(&["-f"][..], format!("tunicd({name})")), (&[], "tunicd".to_owned())]
        {
            let output = tunicd(&[options, &["--driver", file, &name]].concat());
            let errors = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{errors}");
            let start = format!("{who}: the image {file} does not load: {reason}");
            assert!(errors.starts_with(&start) && errors.lines().count() == 1, "{errors}");
            await_true("no interface is left", || !exists(&name));
        }
    }
}

#[test]
fn in_the_background_until_the_interface_is_deleted() {
    let Some(name) = interface("d") else { return };
    let output = tunicd(&[&name]);
    let _deleted = Deleted(&name);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(exists(&name), "there as soon as the parent ends");
    let adapter = Adapter::open(&name).unwrap();

    let second = tunicd(&[&name]);
    assert!(!second.status.success(), "a second daemon of the same name");
    assert!(String::from_utf8_lossy(&second.stderr).contains(&name));

    let change = ConfigurationChange {
        private_key: Some(Some(Key::generate_private().unwrap())),
        ..ConfigurationChange::default()
    };
    adapter.set_configuration(&change).unwrap();
    assert!(run("ip", &["link", "set", &name, "up"]).status.success());
    await_true("up", || adapter.state().unwrap() == AdapterState::Up);
    let port = adapter.configuration().unwrap().listen_port.unwrap();
    let shown = run("wg", &["show", &name, "listen-port"]);
    assert_eq!(String::from_utf8_lossy(&shown.stdout).trim(), port.to_string());
    assert_eq!(adapter.info().unwrap().name, name);
    assert!(run("ip", &["link", "set", &name, "down"]).status.success());
    await_true("down", || adapter.state().unwrap() == AdapterState::Down);

    assert!(run("ip", &["link", "del", &name]).status.success());
    await_true("end of the process", || processes(&name) == 0);
    assert!(!socket::path(&name).exists() && !ioctl_socket::path(&name).exists());
}

#[test]
fn signals_end_it_cleanly_even_while_a_client_waits() {
    let Some(name) = interface("e") else { return };
    for signal in ["-TERM", "-INT"] {
        let mut daemon = Foreground::start(&name);
        assert!(run("ip", &["link", "set", &name, "up"]).status.success());
        let waiting = Adapter::open(&name).unwrap();
        let waiter = thread::spawn(move || waiting.next_event());
        // The event that is waited for never comes: the daemon must end it.
        Adapter::open(&name).unwrap().configuration().unwrap();
        daemon.signal(signal);
        daemon.succeeds();
        assert!(waiter.join().unwrap().is_err());
        assert!(!exists(&name) && !socket::path(&name).exists());
    }
}

#[test]
fn the_end_of_the_socket_is_the_end_of_the_daemon() {
    let Some(name) = interface("h") else { return };
    let mut daemon = Foreground::start(&name);
    fs::remove_file(socket::path(&name)).unwrap();
    daemon.succeeds();
    assert!(!exists(&name));
}

#[test]
fn an_openvpn_adapter_is_the_sdks() {
    let Some(name) = interface("g") else { return };
    let mut daemon = Foreground::start_with(&["--protocol", "openvpn"], &name);
    assert!(!socket::path(&name).exists(), "there is nothing that wg could configure");
    assert_eq!(Adapter::open(&name).unwrap().info().unwrap().protocol, Protocol::OpenVpn);
    let channel = DataChannel::open(&name).unwrap();
    channel.set_mode(Mode::MultiPeer).unwrap();
    let any = Listen { local: "127.0.0.1:0".parse().unwrap(), v6_only: false };
    let at = channel.listen(&any).unwrap();

    // Six threads exchange datagrams with a client each, over one connection, while three ask and
    // change.
    thread::scope(|scope| {
        let echoes: Vec<_> = (0..6_u8)
            .map(|number| {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.set_read_timeout(Some(DEADLINE)).unwrap();
                scope.spawn(move || {
                    for round in 0..100 {
                        let hello = [0x38, number, round];
                        client.send_to(&hello, at).unwrap();
                        let mut answer = [0; 64];
                        let length = client.recv(&mut answer).unwrap();
                        assert_eq!(answer[..length], hello);
                    }
                })
            })
            .collect();
        for _ in 0..6 {
            let channel = &channel;
            scope.spawn(move || {
                for _ in 0..100 {
                    let datagram = channel.receive_control(Some(DEADLINE)).unwrap().unwrap();
                    let (address, data) = (datagram.from, datagram.data.as_slice());
                    channel.send_control(&ControlDatagram { address, data }).unwrap();
                }
            });
        }
        for id in 0..3 {
            let channel = &channel;
            scope.spawn(move || {
                for round in 0..100 {
                    let peer = NewPeer {
                        receive_id: Some(id),
                        transmit_id: Some(id),
                        transport: PeerTransport::Udp,
                        local: None,
                        remote: ([127, 0, 0, 1], 2000 + round).into(),
                        vpn4: None,
                        vpn6: None,
                    };
                    channel.new_peer(&peer).unwrap();
                    let status = channel.status().unwrap();
                    assert!(status.1.iter().any(|peer| peer.receive_id == Some(id)));
                    channel.delete_peer(PeerSelector::Id(id)).unwrap();
                    let event = channel.next_event(Some(DEADLINE)).unwrap().unwrap().event;
                    assert_eq!(event.kind, EventKind::Deleted(DeleteReason::Userspace));
                }
            });
        }
        echoes.into_iter().for_each(|echo| echo.join().unwrap());
    });

    // What waits ends when all is stopped, and when the daemon is.
    let waits = |channel: &DataChannel<_>| channel.receive_control(None).err();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| waits(&channel));
        while channel.receive_control(Some(Duration::from_millis(1))).unwrap().is_some() {}
        await_true("the end of the wait", || {
            channel.stop().unwrap();
            waiting.is_finished()
        });
        assert!(matches!(waiting.join().unwrap(), Some(Error::Refused(STATUS_CANCELLED))));
    });
    thread::scope(|scope| {
        let waiting = scope.spawn(|| waits(&channel));
        daemon.signal("-TERM");
        daemon.succeeds();
        assert!(matches!(waiting.join().unwrap(), Some(Error::Transport(_) | Error::Refused(_))));
    });
    assert!(!exists(&name) && !ioctl_socket::path(&name).exists());
}

#[test]
fn programs_find_the_adapter_as_ovpn_dco_win_s() {
    let Some(name) = interface("n") else { return };
    // There is one of each name on this machine.
    let names = fs::File::create(require::scratch().join("tunic-device-names")).unwrap();
    names.lock().unwrap();
    let refused = tunicd(&["--foreground", "--ovpn-dco", &name]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--protocol openvpn"));
    let mut daemon = Foreground::start_with(&["--protocol", "openvpn", "--ovpn-dco"], &name);
    let _deleted = Deleted(&name);
    let open = |device| UnixTransport::connect(ioctl_socket::device_path(device));

    let owner = open("ovpn-dco").unwrap();
    assert!(matches!(open("ovpn-dco"), Err(Error::Refused(STATUS_ACCESS_DENIED))));
    assert!(matches!(DataChannel::open(&name), Err(Error::Refused(STATUS_ACCESS_DENIED))));
    for transport in [open("ovpn-dco-ver").unwrap(), open("ovpn-dco-ver").unwrap()] {
        let mut version = [0; ovpn_dco::Version::SIZE];
        let reply = transport.ioctl(ovpn_dco::IOCTL_GET_VERSION, &[], &mut version).unwrap();
        assert_eq!((reply.status, version), (0, ovpn_dco::encode_version()));
        let reply = transport.ioctl(ovpn_dco::IOCTL_DEL_PEER, &[], &mut []).unwrap();
        assert_eq!(reply.status, STATUS_INVALID_DEVICE_REQUEST);
    }
    let multi_peer = 1_u32.to_le_bytes();
    let reply = owner.ioctl(ovpn_dco::IOCTL_SET_MODE, &multi_peer, &mut []).unwrap();
    assert_eq!(reply.status, 0);
    drop(owner);
    await_true("the end of what the connection has set up", || {
        Adapter::open(&name).is_ok_and(|adapter| !adapter.info().unwrap().is_connected)
    });

    // Another daemon does without the names, and leaves them alone when it ends.
    let Some(second_name) = interface("o") else { return };
    let options = ["--protocol", "openvpn", "--ovpn-dco"];
    let mut second = Foreground::start_with(&options, &second_name);
    let _second_deleted = Deleted(&second_name);
    second.signal("-TERM");
    second.succeeds();
    drop(open("ovpn-dco").unwrap());
    daemon.signal("-TERM");
    daemon.succeeds();
    assert!(!ioctl_socket::device_path("ovpn-dco").exists());
}

#[test]
fn names_that_linux_would_not_take_are_refused() {
    for name in ["", ".", "a/b", "a b", "sixteen-bytes-16", "a:b"] {
        let output = tunicd(&["--foreground", "--", name]);
        assert_eq!(output.status.code(), Some(2), "{name:?}");
    }
}

#[test]
fn an_ordinary_user_learns_what_is_missing() {
    /// The user and group `nobody`.
    const NOBODY: u32 = 65534;
    let Some(name) = interface("user") else { return };
    let directory = Directory::new("user");
    fs::create_dir_all(&directory.0).unwrap();
    fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o755)).unwrap();
    // A copy, as the build's folder may be closed to others. cp(1) makes it: a child that another
    // test forks meanwhile would inherit a file of this process that is open for writing, and Linux
    // executes no such file (ETXTBSY).
    let program = directory.0.join("tunicd");
    let copy = run("cp", &[env!("CARGO_BIN_EXE_tunicd"), program.to_str().unwrap()]);
    assert!(copy.status.success(), "{}", String::from_utf8_lossy(&copy.stderr));
    for arguments in [vec!["--foreground", name.as_str()], vec![name.as_str()]] {
        let mut command = Command::new(&program);
        let command = command.args(arguments).stdin(Stdio::null()).uid(NOBODY).gid(NOBODY);
        let output = command.current_dir("/").output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        for part in [&format!("cannot create the interface {name}"), "CAP_NET_ADMIN", "root"] {
            assert!(errors.contains(part), "{errors}");
        }
        // EACCES by the mode of /dev/net/tun, or EPERM by its TUNSETIFF.
        assert_eq!(errors.matches("(os error ").count(), 1, "the cause once: {errors}");
        assert!(!exists(&name));
    }
}
