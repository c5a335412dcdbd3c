//! Nonsense on the control device: each gets the status that is documented for it, and changes
//! nothing.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nt_host::MachineOptions;
use nt_host::handle::Handle;
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE};
use nt_sys::ntdef::NTSTATUS;
use nt_sys::status::{
    STATUS_ACCESS_DENIED, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED,
    STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND,
    STATUS_NOT_IMPLEMENTED, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SUCCESS,
};
use tunic::{
    AdapterState, AllowedIp, AllowedIpChange, ConfigurationChange, Key, PeerChange, Transport,
};
use tunic_ioctl::native::channel;
use tunic_ioctl::{AdapterId, KeyChange, native, wireguard_nt};
use tunic_tests::machine::{self, End, HostFile, Loaded, alone, boot, boot_with, connect};
use tunic_tests::random::Random;

const TIME: Duration = Duration::from_secs(120);

/// STATUS_TOO_MANY_NODES (ntstatus.h): more peers than an adapter can have.
const STATUS_TOO_MANY_NODES: NTSTATUS = tunic_ioctl::status::STATUS_TOO_MANY_NODES.cast_signed();

/// All that a SET may be refused with for what is in it.
const REFUSALS: [NTSTATUS; 3] =
    [STATUS_INVALID_PARAMETER, STATUS_NOT_IMPLEMENTED, STATUS_TOO_MANY_NODES];

/// What a native SET, which names an adapter, may be refused with besides.
const NATIVE_REFUSAL: NTSTATUS = STATUS_NOT_FOUND;

const MUTATIONS: usize = 50_000;

/// All control codes that the driver knows, but for those of ovpn-dco-win.
const KNOWN: [u32; 31] = [
    wireguard_nt::IOCTL_GET,
    wireguard_nt::IOCTL_SET,
    wireguard_nt::IOCTL_SET_ADAPTER_STATE,
    wireguard_nt::IOCTL_READ_LOG_LINE,
    native::IOCTL_QUERY_VERSION,
    native::IOCTL_LIST_ADAPTERS,
    native::IOCTL_QUERY_ADAPTER,
    native::IOCTL_QUERY_STATISTICS,
    native::IOCTL_SET_STATE,
    native::IOCTL_QUERY_CONFIGURATION,
    native::IOCTL_SET_CONFIGURATION,
    native::IOCTL_READ_EVENT,
    native::IOCTL_SET_TIMER_SCALE,
    native::IOCTL_QUERY_ROUTES,
    channel::IOCTL_CHANNEL_SET_MODE,
    channel::IOCTL_CHANNEL_LISTEN,
    channel::IOCTL_CHANNEL_NEW_PEER,
    channel::IOCTL_CHANNEL_DELETE_PEER,
    channel::IOCTL_CHANNEL_SET_PEER,
    channel::IOCTL_CHANNEL_INSTALL_KEY,
    channel::IOCTL_CHANNEL_SWAP_KEYS,
    channel::IOCTL_CHANNEL_DELETE_KEY,
    channel::IOCTL_CHANNEL_ADD_ROUTE,
    channel::IOCTL_CHANNEL_REMOVE_ROUTE,
    channel::IOCTL_CHANNEL_START,
    channel::IOCTL_CHANNEL_STOP,
    channel::IOCTL_CHANNEL_OWN,
    channel::IOCTL_CHANNEL_QUERY,
    channel::IOCTL_CHANNEL_READ_EVENT,
    channel::IOCTL_CHANNEL_SEND_CONTROL,
    channel::IOCTL_CHANNEL_READ_CONTROL,
];

/// The configuration as the driver writes it.
fn read(file: &Handle) -> Vec<u8> {
    let mut output = vec![0; 64 * 1024];
    let (status, length) = file.ioctl(wireguard_nt::IOCTL_GET, &[], &mut output);
    assert_eq!(status, STATUS_SUCCESS);
    output.truncate(length);
    output
}

/// A change with all that a change can have.
fn change(peers: u8) -> ConfigurationChange {
    let peer = |number: u8| {
        let mut peer = PeerChange::new(Key::from_bytes([number + 1; 32]));
        peer.preshared_key = Some(Some(Key::from_bytes([number + 100; 32])));
        peer.endpoint = Some((Ipv4Addr::LOCALHOST, 9).into());
        peer.persistent_keepalive_s = Some(25);
        peer.replace_allowed_ips = true;
        let networks = [
            AllowedIp::new([10, 1, number, 0].into(), 24),
            AllowedIp::new([0xfd01, number.into(), 0, 0, 0, 0, 0, 0].into(), 64),
        ];
        peer.allowed_ips = networks.into_iter().flatten().map(AllowedIpChange::from).collect();
        peer
    };
    ConfigurationChange {
        listen_port: Some(7000),
        private_key: Some(Some(Key::from_bytes([0x55; 32]))),
        replace_peers: true,
        peers: (0..peers).map(peer).collect(),
    }
}

/// A change as a request of WireGuardNT's ABI.
fn wireguard_nt_set(peers: u8) -> Vec<u8> {
    change(peers).encode_wireguard_nt().expect("it fits").to_vec()
}

/// The same as a request of the native ABI, and where its records begin.
fn native_set(peers: u8) -> (Vec<u8>, Vec<usize>) {
    let change = change(peers);
    let key = change.private_key.as_ref().and_then(Option::as_ref).map(Key::as_bytes);
    let mut starts = Vec::new();
    let mut bytes = native::encode_interface(
        AdapterId::default(),
        change.listen_port,
        key.map(KeyChange::Set),
        change.replace_peers,
    )
    .to_vec();
    for peer in &change.peers {
        starts.push(bytes.len());
        let mut record = tunic_ioctl::PeerChange::new(peer.public_key.as_bytes());
        let preshared_key = peer.preshared_key.as_ref().and_then(Option::as_ref);
        record.preshared_key = preshared_key.map(|key| KeyChange::Set(key.as_bytes()));
        record.endpoint = peer.endpoint;
        record.persistent_keepalive_s = peer.persistent_keepalive_s;
        record.replace_allowed_ips = peer.replace_allowed_ips;
        bytes.extend(native::encode_peer(&record));
        for AllowedIpChange { network, remove } in &peer.allowed_ips {
            starts.push(bytes.len());
            bytes.extend(native::encode_route(network.address(), network.prefix_length(), *remove));
        }
    }
    (bytes, starts)
}

/// Sends a SET; WireGuardNT's method takes it from the second buffer.
fn set(file: &Handle, code: u32, request: &[u8]) -> NTSTATUS {
    if code == wireguard_nt::IOCTL_SET {
        file.ioctl(code, &[], &mut request.to_vec()).0
    } else {
        file.ioctl(code, request, &mut []).0
    }
}

#[test]
fn unknown_codes() {
    alone("unknown_codes", TIME, || {
        // Without guard pages: nobody looks at what is sent, and there are many.
        let loaded = Loaded::load(boot_with(MachineOptions::default())).expect("it loads");
        let end = End::new(&loaded, 1);
        assert_eq!(set(&end.file, wireguard_nt::IOCTL_SET, &wireguard_nt_set(2)), STATUS_SUCCESS);
        let before = read(&end.file);
        // Every function, method and access of both device types.
        let ours = [wireguard_nt::IOCTL_GET, native::IOCTL_QUERY_VERSION];
        let near = ours.iter().flat_map(|code| (0..=0xffff).map(move |low| code & !0xffff | low));
        let mut random = Random::new(1);
        let far: Vec<u32> = (0..10_000).map(|_| random.next() as u32).collect();
        let (mut input, mut output) = ([0; 96], [0; 96]);
        let mut count = 0;
        for code in near.chain(far).filter(|code| !KNOWN.contains(code)) {
            random.fill(&mut input);
            let (status, information) = end.file.ioctl(code, &input, &mut output);
            assert_eq!(status, STATUS_INVALID_DEVICE_REQUEST, "{code:#010x}");
            assert_eq!(information, 0, "{code:#010x}");
            count += 1;
        }
        assert!(count > 100_000);
        assert!(read(&end.file) == before);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn truncated_sets() {
    alone("truncated_sets", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let end = End::new(&loaded, 1);
        let whole = wireguard_nt_set(3);
        assert_eq!(set(&end.file, wireguard_nt::IOCTL_SET, &wireguard_nt_set(2)), STATUS_SUCCESS);
        let before = read(&end.file);
        for length in 0..whole.len() {
            let status = set(&end.file, wireguard_nt::IOCTL_SET, &whole[..length]);
            assert_eq!(status, STATUS_INVALID_PARAMETER, "{length} bytes");
            assert!(read(&end.file) == before, "{length} bytes");
        }

        let (whole, starts) = native_set(3);
        for length in 0..whole.len() {
            let status = set(&end.file, native::IOCTL_SET_CONFIGURATION, &whole[..length]);
            // Cut between two records, it is a shorter change.
            if starts.contains(&length) {
                assert_eq!(status, STATUS_SUCCESS, "{length} bytes");
                let base = wireguard_nt_set(2);
                assert_eq!(set(&end.file, wireguard_nt::IOCTL_SET, &base), STATUS_SUCCESS);
            } else {
                assert_eq!(status, STATUS_INVALID_PARAMETER, "{length} bytes");
            }
            assert!(read(&end.file) == before, "{length} bytes");
        }
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn promised_counts() {
    alone("promised_counts", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let end = End::new(&loaded, 1);
        let base = wireguard_nt_set(2);
        assert_eq!(set(&end.file, wireguard_nt::IOCTL_SET, &base), STATUS_SUCCESS);
        let before = read(&end.file);
        let peers_count = 72;
        let allowed_ips_count = wireguard_nt::Interface::SIZE + 128;
        for (offset, true_count) in [(peers_count, 2), (allowed_ips_count, 2)] {
            let limits = [1 << 20, (1 << 20) + 1, 1 << 27, u32::MAX / 24, u32::MAX - 1, u32::MAX];
            for count in (true_count + 1..2_000).chain(limits) {
                let mut request = base.clone();
                request[offset..offset + 4].copy_from_slice(&count.to_le_bytes());
                let status = set(&end.file, wireguard_nt::IOCTL_SET, &request);
                assert!(REFUSALS.contains(&status), "{count} at {offset}: {status:#x}");
                assert!(read(&end.file) == before, "{count} at {offset}");
            }
        }
        // Answers that don't fit say how long they are, and write nothing behind the buffer.
        for length in 0..before.len() {
            let mut output = vec![0xa5; length];
            let (status, information) = end.file.ioctl(wireguard_nt::IOCTL_GET, &[], &mut output);
            assert_eq!(status, STATUS_BUFFER_OVERFLOW, "{length} bytes");
            assert_eq!(information, before.len());
        }
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn mutated_sets() {
    alone("mutated_sets", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        // It stays down: a change that is valid by chance must not send to strangers.
        let end = End::new(&loaded, 1);
        let originals = [
            (wireguard_nt::IOCTL_SET, wireguard_nt_set(2)),
            (native::IOCTL_SET_CONFIGURATION, native_set(2).0),
        ];
        let mut random = Random::new(2);
        let (mut applied, mut refused) = (0, 0);
        let mut before = read(&end.file);
        for number in 0..MUTATIONS {
            let (code, original) = &originals[number % 2];
            let request = mutate(original, &mut random);
            let status = set(&end.file, *code, &request);
            let after = read(&end.file);
            if status == STATUS_SUCCESS {
                applied += 1;
            } else {
                refused += 1;
                let is_known = REFUSALS.contains(&status)
                    || *code != wireguard_nt::IOCTL_SET && status == NATIVE_REFUSAL;
                assert!(is_known, "mutation {number}: {status:#x}");
                assert!(before == after, "mutation {number} was refused and half applied");
            }
            before = after;
            // What was applied adds up.
            if number % 500 == 499 {
                assert_eq!(set(&end.file, originals[0].0, &originals[0].1), STATUS_SUCCESS);
                before = read(&end.file);
            }
        }
        println!("{applied} applied, {refused} refused");
        assert!(applied > MUTATIONS / 20 && refused > MUTATIONS / 20);
        assert_eq!(set(&end.file, originals[0].0, &originals[0].1), STATUS_SUCCESS);
        end.remove(false);
        loaded.unload();
    });
}

/// Flips bits, writes interesting numbers, cuts, and doubles parts of a request: one to three of
/// these.
fn mutate(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut request = original.to_vec();
    for _ in 0..=random.below(3) {
        if request.len() < 8 {
            break;
        }
        let at = random.below(request.len());
        match random.below(6) {
            0 | 1 => request[at] ^= 1 << random.below(8),
            2 => request[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            3 => {
                let word = [0, 1, 8, u32::MAX, 1 << 31, random.next() as u32][random.below(6)];
                let at = (at & !3).min(request.len() - 4);
                request[at..at + 4].copy_from_slice(&word.to_le_bytes());
            }
            4 => request.truncate(at),
            _ => {
                let at = at & !7;
                let end = request.len().min(at + 8 * (1 + random.below(20)));
                let part = request[at..end].to_vec();
                let to = random.below(request.len()) & !7;
                request.splice(to..to, part);
            }
        }
    }
    request
}

#[test]
fn wrong_lengths_and_adapters() {
    alone("wrong_lengths_and_adapters", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let end = End::new(&loaded, 1);
        let file = &end.file;
        let root = loaded.machine().open(r"\Device\Tunic", GENERIC_READ | GENERIC_WRITE);
        let root = root.expect("the device itself opens");
        let none = native::encode_select(AdapterId::default());
        let stranger = native::encode_select(AdapterId([0x99; 16]));
        let mut answer = [0; 1024];

        // Of each buffered query, every wrong length of the input.
        for code in [native::IOCTL_QUERY_ADAPTER, native::IOCTL_QUERY_STATISTICS] {
            let (status, length) = file.ioctl(code, &none, &mut answer);
            assert_eq!(status, STATUS_SUCCESS);
            for cut in 0..none.len() {
                let (status, _) = file.ioctl(code, &none[..cut], &mut answer);
                assert_eq!(status, STATUS_INVALID_PARAMETER, "{code:#x}: {cut} bytes");
            }
            for room in 0..length {
                let (status, _) = file.ioctl(code, &none, &mut vec![0; room]);
                let is_short =
                    status == STATUS_BUFFER_TOO_SMALL || status == STATUS_BUFFER_OVERFLOW;
                assert!(is_short, "{code:#x}: room for {room} bytes: {status:#x}");
            }
            assert_eq!(file.ioctl(code, &stranger, &mut answer).0, STATUS_NOT_FOUND);
            assert_eq!(root.ioctl(code, &none, &mut answer).0, STATUS_NOT_FOUND);
        }

        // States: a word, and one of three values.
        let code = wireguard_nt::IOCTL_SET_ADAPTER_STATE;
        for length in (0..64).filter(|length| *length != 4) {
            assert_eq!(file.ioctl(code, &vec![0; length], &mut []).0, STATUS_INVALID_PARAMETER);
        }
        for state in [3, 4, 0x100, u32::MAX] {
            let status = file.ioctl(code, &state.to_le_bytes(), &mut []).0;
            assert_eq!(status, STATUS_INVALID_PARAMETER, "state {state}");
        }
        assert_eq!(root.ioctl(code, &1_u32.to_le_bytes(), &mut []).0, STATUS_NOT_FOUND);
        assert_eq!(end.control.state().expect("it is told"), AdapterState::Down);

        // Those who wait need room for what they wait for.
        let room = native::Event::SIZE - 1;
        let (status, _) = file.ioctl(native::IOCTL_READ_EVENT, &none, &mut vec![0; room]);
        assert_eq!(status, STATUS_BUFFER_TOO_SMALL);
        let room = wireguard_nt::LogEntry::SIZE - 1;
        let (status, _) = file.ioctl(wireguard_nt::IOCTL_READ_LOG_LINE, &[], &mut vec![0; room]);
        assert_eq!(status, STATUS_BUFFER_TOO_SMALL);

        // The registry does not allow this adapter's timers to be changed.
        let scale = native::encode_set_timer_scale(AdapterId::default(), 10);
        let (status, _) = file.ioctl(native::IOCTL_SET_TIMER_SCALE, &scale, &mut []);
        assert_eq!(status, STATUS_ACCESS_DENIED);

        for path in [r"\Device\Tunic\nobody", r"\Device\Tunic\{}", r"\Device\Tunic\\", r"\Device\T"]
        {
            let opened = loaded.machine().open(path, GENERIC_READ);
            assert_eq!(opened.err(), Some(STATUS_OBJECT_NAME_NOT_FOUND), "{path}");
        }
        drop(root);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn waiting_requests_end() {
    alone("waiting_requests_end", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let end = End::new(&loaded, 1);
        let select = native::encode_select(AdapterId::default());
        let wait_on = |file: &Handle| {
            [
                file.ioctl_async(native::IOCTL_READ_EVENT, &select, native::Event::SIZE),
                file.ioctl_async(
                    wireguard_nt::IOCTL_READ_LOG_LINE,
                    &[],
                    wireguard_nt::LogEntry::SIZE,
                ),
            ]
        };
        let status = |pending: &nt_host::PendingRequest| {
            pending.wait(Some(machine::TIMEOUT)).expect("it ends").status
        };
        for _ in 0..100 {
            // Cancelled, each by itself.
            for pending in wait_on(&end.file) {
                assert_eq!(pending.wait(Some(Duration::ZERO)), None, "nothing happened yet");
                assert!(pending.cancel(), "it can be cancelled");
                assert_eq!(status(&pending), STATUS_CANCELLED);
                assert!(!pending.cancel(), "it is cancelled once");
            }
            // By the close of their file, and of no other.
            let other = end.open(&loaded);
            let (kept, ended) = (wait_on(&end.file), [wait_on(&other), wait_on(&other)]);
            drop(other);
            for pending in ended.iter().flatten() {
                assert_eq!(status(pending), STATUS_CANCELLED);
            }
            for pending in &kept {
                assert_eq!(pending.wait(Some(Duration::ZERO)), None, "it waits on");
                pending.cancel();
                assert_eq!(status(pending), STATUS_CANCELLED);
            }
        }
        // By the adapter's end. Who asks then is told at once.
        let pending = wait_on(&end.file);
        let file = end.open(&loaded);
        end.remove(true);
        for pending in &pending {
            assert_eq!(status(pending), STATUS_CANCELLED);
        }
        for pending in &wait_on(&file) {
            assert_eq!(status(pending), STATUS_NOT_FOUND);
        }
        drop((pending, file));
        loaded.unload();
    });
}

#[test]
fn nine_threads_on_one_file() {
    alone("nine_threads_on_one_file", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| End::new(&loaded, number));
        connect(&first, &second);
        first.reach(&second);
        let session = first.peer().last_handshake;
        let ended = AtomicBool::new(false);
        let requests = AtomicU64::new(0);
        let mut delivered = 0;
        std::thread::scope(|scope| {
            for number in 0..9 {
                let (control, file) =
                    (tunic::Adapter::new(HostFile(first.file.clone())), &first.file);
                let (ended, requests) = (&ended, &requests);
                scope.spawn(move || {
                    let mut random = Random::new(100 + number);
                    while !ended.load(Ordering::Relaxed) {
                        act(&control, file, &mut random);
                        requests.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let packet = first.packet(&second, 500, 1);
            machine::wait_until(
                || {
                    first.offer(&packet, 16);
                    delivered += second.edge.take().len();
                    requests.load(Ordering::Relaxed) >= 20_000 && delivered >= 1_000
                },
                || format!("{} requests", requests.load(Ordering::Relaxed)),
            );
            ended.store(true, Ordering::Relaxed);
        });
        println!("{} requests, {delivered} packets", requests.load(Ordering::Relaxed));
        // The peer that carried packets all the time is as it was.
        let peers = first.control.configuration().expect("it is told").peers;
        let peer = peers.iter().find(|peer| peer.public_key == second.key.public());
        assert_eq!(peer.expect("the peer is there").last_handshake, session);
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

/// One of the things that a program does with an adapter; other peers come and go.
fn act(control: &tunic::Adapter<HostFile>, file: &Handle, random: &mut Random) {
    match random.below(8) {
        0 => drop(control.configuration().expect("the configuration is told")),
        1 => drop(control.statistics().expect("the statistics are told")),
        2 => assert_eq!(control.state().expect("the state is told"), AdapterState::Up),
        3 => drop(control.info().expect("it is told")),
        4 => {
            let select = native::encode_select(AdapterId::default());
            let pending = file.ioctl_async(native::IOCTL_READ_EVENT, &select, native::Event::SIZE);
            pending.cancel();
            let completed = pending.wait(Some(machine::TIMEOUT)).expect("it ends");
            assert!(matches!(completed.status, STATUS_CANCELLED | STATUS_SUCCESS));
        }
        5 => {
            let ioctls = HostFile(file.clone());
            let reply = ioctls.ioctl(random.next() as u32, &[1; 40], &mut [0; 40]);
            assert!(!reply.expect("it is answered").is_success());
        }
        6 => {
            let mut request = wireguard_nt_set(3);
            request.truncate(random.below(request.len()));
            let status = set(file, wireguard_nt::IOCTL_SET, &request);
            assert_eq!(status, STATUS_INVALID_PARAMETER);
        }
        _ => {
            let mut peer = change(1).peers.remove(0);
            peer.public_key = Key::from_bytes([40 + random.below(5) as u8; 32]);
            if random.below(2) == 0 {
                peer.action = tunic::PeerAction::Remove;
            }
            peer.endpoint = None;
            let change =
                ConfigurationChange { peers: vec![peer], ..ConfigurationChange::default() };
            control.set_configuration(&change).expect("the change is applied");
        }
    }
}

#[test]
fn others_than_administrators_are_refused() {
    alone("others_than_administrators_are_refused", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let end = End::new(&loaded, 1);
        let paths = [r"\Device\Tunic", r"\??\Tunic", r"\\.\Tunic"].map(str::to_owned).into_iter();
        for path in paths.chain([machine::path(1), r"\\.\Tunic\end1".to_owned()]) {
            for access in [0, GENERIC_READ, GENERIC_WRITE, GENERIC_READ | GENERIC_WRITE] {
                let refused = loaded.machine().open_as(&path, access, false);
                assert_eq!(refused.err(), Some(STATUS_ACCESS_DENIED), "{path}");
                let opened = loaded.machine().open_as(&path, access, true);
                assert!(opened.is_ok(), "{path}: {opened:?}");
            }
        }
        // A file that is open for reading reads no keys and changes nothing.
        let reader = loaded.machine().open(&machine::path(1), GENERIC_READ).expect("it opens");
        let before = read(&end.file);
        for code in [
            wireguard_nt::IOCTL_GET,
            wireguard_nt::IOCTL_SET,
            wireguard_nt::IOCTL_SET_ADAPTER_STATE,
            native::IOCTL_QUERY_CONFIGURATION,
            native::IOCTL_SET_CONFIGURATION,
            native::IOCTL_SET_STATE,
            native::IOCTL_SET_TIMER_SCALE,
        ] {
            let mut request = wireguard_nt_set(1);
            let (status, _) = reader.ioctl(code, &request.clone(), &mut request);
            assert_eq!(status, STATUS_ACCESS_DENIED, "{code:#x}");
        }
        assert!(read(&end.file) == before);
        drop(reader);
        end.remove(false);
        loaded.unload();
    });
}
