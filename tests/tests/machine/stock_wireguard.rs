//! Adapters as `wg.exe` and `wireguard.dll` find and use them: the devices of the enumerator
//! `SWD\WireGuard` with a name among their properties, the first interface of network adapters that
//! such a device has, and WireGuardNT's requests on that.

use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nt_host::ndis::State;
use nt_host::{DevnodeOptions, Handle, PendingRequest, Token, pool, setup};
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE, GUID_DEVINTERFACE_NET};
use tunic::{AllowedIp, AllowedIpChange, ConfigurationChange, PeerChange};
use tunic_ioctl::status::{
    STATUS_ACCESS_DENIED, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_DEVICE_REMOVED,
    STATUS_INVALID_DEVICE_REQUEST, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SUCCESS,
};
use tunic_tests::command;
use tunic_tests::machine::{self, End, Loaded, Setup, TIMEOUT, alone, boot, boot_with, guid};
use tunic_tests::require::{self, Need};

const TIME: Duration = Duration::from_secs(120);
const BOTH: u32 = GENERIC_READ | GENERIC_WRITE;
/// The key of the property that holds an adapter's name.
const NAME: (u128, u32) = (0x6572_6957_7547_7261_644e_616d_654b_6579, 3);
const ENUMERATOR: &str = r"SWD\WireGuard";
/// GET, SET, SET_ADAPTER_STATE and READ_LOG_LINE.
const CODES: [u32; 4] = [0xb098_c506, 0xb098_c509, 0xb098_c50c, 0xb098_c510];
const GET: u32 = CODES[0];
const SET: u32 = CODES[1];
const SET_STATE: u32 = CODES[2];
const READ_LOG_LINE: u32 = CODES[3];

/// Makes an adapter as wireguard.dll does: a software device with the hardware ID `WireGuard`, and
/// its name.
fn create(loaded: &Loaded, number: u8, name: &str) -> End {
    let device = DevnodeOptions::software("WireGuard", &guid(number));
    let end = End::create(loaded, &Setup { device: Some(device), ..Setup::new(number) });
    assert!(setup::set_property(&end.adapter.instance_id(), NAME, name));
    end
}

/// The path by which wg.exe opens the adapter of this name.
fn path_of(name: &str) -> Option<String> {
    let found = setup::devices(Some(ENUMERATOR)).into_iter().find(|device| {
        device.is_started && setup::property(&device.instance_id, NAME).as_deref() == Some(name)
    })?;
    assert_eq!(found.hardware_ids, ["WireGuard"]);
    setup::interfaces(&GUID_DEVINTERFACE_NET, &found.instance_id).into_iter().next()
}

/// Opens an adapter, as wg.exe does.
fn open(loaded: &Loaded, name: &str, token: &Token) -> Client {
    let path = path_of(name).expect("it is found");
    Client(loaded.machine().open_by(&path, BOTH, token).expect("everybody may open it"))
}

/// Two adapters, `home` and `work`, each opened by an administrator.
fn two(loaded: &Loaded) -> [(End, Client); 2] {
    [(1, "home"), (2, "work")].map(|(number, name)| {
        let end = create(loaded, number, name);
        (end, open(loaded, name, &Token::administrator()))
    })
}

/// A handle of wg.exe or wireguard.dll.
#[derive(Clone)]
struct Client(Handle);

impl Client {
    fn call(&self, code: u32, input: &[u8], output: &mut [u8]) -> (u32, usize) {
        let (status, information) = self.0.ioctl(code, input, output);
        (status.cast_unsigned(), information)
    }

    /// The configuration, read as wg.exe reads it: it asks again with the room that was missing.
    fn get(&self) -> Vec<u8> {
        let mut output = vec![0; 80];
        loop {
            match self.call(GET, &[], &mut output) {
                (STATUS_SUCCESS, length) => {
                    output.truncate(length);
                    return output;
                }
                (STATUS_BUFFER_OVERFLOW, needed) => output.resize(needed, 0),
                (status, _) => panic!("{status:#x}"),
            }
        }
    }

    fn set(&self, change: &ConfigurationChange) {
        let mut request = change.encode_wireguard_nt().expect("it fits").to_vec();
        assert_eq!(self.call(SET, &[], &mut request), (STATUS_SUCCESS, request.len()));
    }

    fn set_state(&self, state: u32) {
        assert_eq!(self.call(SET_STATE, &state.to_le_bytes(), &mut []).0, STATUS_SUCCESS);
    }

    fn state(&self) -> u32 {
        let mut state = [0; 4];
        assert_eq!(self.call(SET_STATE, &2_u32.to_le_bytes(), &mut state), (STATUS_SUCCESS, 4));
        u32::from_le_bytes(state)
    }

    /// Waits for a line of the log, in the background.
    fn read_log(&self) -> PendingRequest {
        self.0.ioctl_async(READ_LOG_LINE, &[], 128)
    }

    /// Reads the log until a request has to wait.
    fn read_whole_log(&self) -> PendingRequest {
        loop {
            let pending = self.read_log();
            if pending.wait(Some(Duration::from_millis(20))).is_none() {
                return pending;
            }
        }
    }
}

/// How a request ended.
fn status(pending: &PendingRequest) -> u32 {
    pending.wait(Some(TIMEOUT)).expect("the request ends").status.cast_unsigned()
}

/// Connects two adapters by requests of WireGuardNT alone, and sends packets both ways.
fn connect(first: (&End, &Client), second: (&End, &Client)) {
    let peer = |end: &End| {
        let networks = [AllowedIp::new(end.v4.into(), 32), AllowedIp::new(end.v6.into(), 128)];
        let allowed_ips = networks.into_iter().flatten().map(AllowedIpChange::from).collect();
        PeerChange { allowed_ips, replace_allowed_ips: true, ..PeerChange::new(end.key.public()) }
    };
    let change = |own: &End, peer: PeerChange| ConfigurationChange {
        private_key: Some(Some(own.key.clone())),
        replace_peers: true,
        peers: vec![peer],
        ..ConfigurationChange::default()
    };
    second.1.set(&change(second.0, peer(first.0)));
    second.1.set_state(1);
    // The port is at offset 4 of the interface.
    let configuration = second.1.get();
    let port = u16::from_le_bytes([configuration[4], configuration[5]]);
    let mut known = peer(second.0);
    known.endpoint = Some(([127, 0, 0, 1], port).into());
    first.1.set(&change(first.0, known));
    first.1.set_state(1);
    assert_eq!((first.1.state(), second.1.state()), (1, 1));
    first.0.carry(second.0);
    second.0.carry(first.0);
}

#[test]
fn wg_configures_what_it_finds() {
    alone("wg_configures_what_it_finds", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = two(&loaded);
        // WireGuard's adapters have NDIS's interface alone: clients take the first.
        let interfaces = setup::interfaces(&GUID_DEVINTERFACE_NET, &first.0.adapter.instance_id());
        assert_eq!(interfaces.len(), 1);
        assert_eq!(path_of("elsewhere"), None);
        connect((&first.0, &first.1), (&second.0, &second.1));
        let configuration = first.1.get();
        assert_eq!(configuration.len(), 80 + 136 + 2 * 24);
        assert!(configuration[6..38] == *first.0.key.as_bytes(), "an administrator gets the key");
        let service = open(&loaded, "home", &Token::system());
        assert!(service.get().len() == configuration.len() && service.state() == 1);
        // wireguard.dll waits for it so.
        drop(loaded.machine().open_as(&path_of("home").expect("it is found"), 0, false).unwrap());
        // Users open it, and get nothing by it.
        let user = open(&loaded, "home", &Token::user());
        let before = first.1.get();
        for code in CODES {
            let mut request = before.clone();
            assert_eq!(user.call(code, &request.clone(), &mut request).0, STATUS_ACCESS_DENIED);
            assert_eq!(request, before, "{code:#x}");
        }
        assert_eq!(first.1.state(), 1);
        // Everything else is NDIS's.
        for code in [0, 0x0017_0002, GET + 4, SET ^ 3, 0x0022_0004, 0x0022_0020] {
            let answered = first.1.call(code, &[], &mut [0; 64]).0;
            assert_eq!(answered, STATUS_INVALID_DEVICE_REQUEST, "{code:#x}");
        }
        for name in [r"\ovpn-dco", r"\home", r"\"] {
            let path = format!("{}{name}", path_of("home").expect("it is found"));
            let refused = loaded.machine().open(&path, BOTH).err().map(i32::cast_unsigned);
            assert_eq!(refused, Some(STATUS_OBJECT_NAME_NOT_FOUND), "{path}");
        }
        // A file for reading alone has no access to the codes.
        let path = path_of("home").expect("it is found");
        let reader = Client(loaded.machine().open(&path, GENERIC_READ).expect("it opens"));
        assert_eq!(reader.call(GET, &[], &mut [0; 80]).0, STATUS_ACCESS_DENIED);
        first.1.set_state(0);
        assert_eq!(first.1.state(), 0);
        drop((reader, user, service, first.1, second.1));
        first.0.remove(false);
        second.0.remove(false);
        assert_eq!(path_of("home"), None);
        loaded.unload();
    });
}

#[test]
fn a_log_that_is_read_does_not_keep_an_adapter() {
    alone("a_log_that_is_read_does_not_keep_an_adapter", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = two(&loaded);
        connect((&first.0, &first.1), (&second.0, &second.1));
        let reading = first.1.read_whole_log();
        let other = second.1.read_whole_log();
        // Requests of other devices wait on.
        let events = first.0.file.ioctl_async(tunic_ioctl::native::IOCTL_READ_EVENT, &[], 4096);
        let path = path_of("home").expect("it is found");
        first.0.adapter.ask_removal(|| {
            assert_eq!(status(&reading), STATUS_CANCELLED, "a waiting request ends");
            let refused = loaded.machine().open(&path, BOTH).err().map(i32::cast_unsigned);
            assert_eq!(refused, Some(STATUS_DEVICE_REMOVED));
            for code in CODES {
                let answered = first.1.call(code, &[], &mut [0; 128]).0;
                assert_eq!(answered, STATUS_DEVICE_REMOVED, "{code:#x}");
            }
        });
        assert!(other.wait(Some(Duration::ZERO)).is_none(), "the other adapter stays");
        // It was called off: all is as before.
        first.0.carry(&second.0);
        let reading = first.1.read_whole_log();
        let (end, client) = first;
        let End { adapter, control, file, .. } = end;
        drop((control, file, events));
        let vetoed = adapter.try_remove().expect_err("the client has not closed its handle");
        assert_eq!((vetoed.files, vetoed.adapter.state()), (1, State::Running));
        assert_eq!(status(&reading), STATUS_CANCELLED);
        // wireguard.dll closes its handle when it can't read the log any more.
        drop(client);
        vetoed.adapter.try_remove().map_err(|vetoed| vetoed.files).expect("nothing is open");
        drop((other, second.1));
        second.0.remove(false);
        loaded.unload();
    });
}

#[test]
fn its_creator_ends_with_handles_open() {
    alone("its_creator_ends_with_handles_open", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = two(&loaded);
        connect((&first.0, &first.1), (&second.0, &second.1));
        let reading = first.1.read_whole_log();
        // SwDeviceClose, or the end of the process that called SwDeviceCreate.
        first.0.remove(true);
        assert_eq!(status(&reading), STATUS_CANCELLED);
        assert_eq!(path_of("home"), None);
        second.1.set_state(0);
        for code in CODES {
            let answered = first.1.call(code, &[], &mut [0; 128]).0;
            assert_eq!(answered, STATUS_INVALID_DEVICE_REQUEST, "{code:#x}");
        }
        // A new adapter of the same name is another device, of which the old handle is none.
        let again = create(&loaded, 1, "home");
        assert_eq!(first.1.call(GET, &[], &mut [0; 80]).0, STATUS_INVALID_DEVICE_REQUEST);
        let client = open(&loaded, "home", &Token::administrator());
        connect((&again, &client), (&second.0, &second.1));
        second.0.remove(true);
        again.remove(true);
        drop((first.1, second.1, client));
        assert!(setup::devices(Some(ENUMERATOR)).is_empty());
        loaded.unload();
    });
}

#[test]
fn two_hundred_lives_leave_nothing() {
    alone("two_hundred_lives_leave_nothing", TIME, || live(200, |_| {}));
}

/// In a network of their own, whose routes change in each life.
#[test]
fn a_thousand_lives_with_changes_of_routes_leave_nothing() {
    const TEST: &str = "a_thousand_lives_with_changes_of_routes_leave_nothing";
    if !require::all(TEST, &[Need::Root, Need::Program("ip", "iproute2")]) {
        return;
    }
    alone(TEST, TIME, || {
        // The machine's threads are made by this one, and so are in the same network.
        unshare(CloneFlags::CLONE_NEWNET).expect("root may");
        command::shell("ip link set lo up").expect("it is there");
        live(1_000, |cycle| {
            let change = if cycle % 2 == 0 { "add" } else { "del" };
            let line = format!("ip route {change} 198.18.0.0/24 dev lo");
            command::shell(&line).expect("the route changes");
        });
    });
}

/// Repeats the cycle of an adapter's life.
fn live(cycles: usize, change_routes: impl Fn(usize)) {
    // Without guard pages, which are slow to make and to remove.
    let options = nt_host::MachineOptions::default();
    let loaded = Loaded::load(boot_with(options)).expect("it loads");
    let administrator = Token::administrator();
    let second = create(&loaded, 2, "work");
    let server = open(&loaded, "work", &administrator);
    let mut most = 0;
    for cycle in 0..cycles {
        let first = create(&loaded, 1, "home");
        let client = open(&loaded, "home", &administrator);
        let user = open(&loaded, "home", &Token::user());
        connect((&first, &client), (&second, &server));
        let reading = client.read_log();
        change_routes(cycle);
        client.set_state(0);
        // In every fourth life, nobody closes anything before the adapter is gone.
        if cycle % 4 == 0 {
            first.remove(true);
            drop((client, user));
        } else {
            drop((client, user));
            first.remove(cycle % 4 == 1);
        }
        drop(reading);
        server.set_state(0);
        if cycle < cycles / 10 {
            most = pool::usage().0.max(most);
        }
    }
    machine::wait_for_blocks(most + cycles / 10);
    drop(server);
    second.remove(false);
    machine::wait_until(|| pool::usage().0 < 100, || format!("{:?}", pool::usage()));
    loaded.unload();
    assert_eq!(pool::usage(), (0, 0));
}
