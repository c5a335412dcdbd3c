//! The driver's control device: changes are whole or not at all, requests that wait end, and
//! nothing outlives an adapter.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use nic_engine::protocol::Discard;
use tunic::{
    AdapterState, AllowedIp, AllowedIpChange, Configuration, ConfigurationChange, Error, Key,
    PeerAction, PeerChange, Transport,
};
use tunic_ioctl::native::{self, reply};
use tunic_ioctl::status::{
    STATUS_ACCESS_DENIED, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_ALREADY_COMPLETE,
    STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED,
    STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND,
    STATUS_OBJECT_NAME_NOT_FOUND,
};
use tunic_ioctl::{AdapterId, wireguard_nt};
use tunic_tests::machine::{End, HostFile, Loaded, TIMEOUT, alone, boot};

/// How long the test may take.
const TEST_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a request is watched before it counts as one that waits.
const PENDING_TIME: Duration = Duration::from_millis(50);

#[test]
fn the_control_device_keeps_its_promises() {
    alone("the_control_device_keeps_its_promises", TEST_TIMEOUT, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let end = End::new(&loaded, 1);

        adapters_are_found_by_name_and_guid(&loaded);
        a_change_is_whole_or_not_at_all(&end);
        routes_are_told_as_a_graph(&end);
        a_taken_port_changes_nothing(&end);
        many_peers_come_and_go(&end);
        the_own_key_is_no_peer(&end);
        states_change_once(&end);
        nonsense_is_refused(&end);
        events_and_lines_are_waited_for(&loaded, end);
        loaded.unload();
    });
}

/// An IPv4-mapped endpoint is one of IPv4: the driver's socket for IPv6 sends to IPv6 alone.
#[test]
fn an_ipv4_mapped_endpoint_is_reached() {
    alone("an_ipv4_mapped_endpoint_is_reached", TEST_TIMEOUT, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (first, second) = (End::new(&loaded, 1), End::new(&loaded, 2));
        second.configure(first.as_peer(None));
        let at = second.endpoint();
        let mapped = SocketAddr::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), at.port());
        first.configure(second.as_peer(Some(mapped)));
        first.carry(&second);
        assert_eq!(first.peer().endpoint, Some(at));
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

fn adapters_are_found_by_name_and_guid(loaded: &Loaded) {
    let file = loaded.open("end1").expect("its name opens it");
    let info = tunic::Adapter::new(HostFile(file)).info().expect("it tells what it is");
    assert_eq!(info.name, "end1");
    assert_eq!(info.mtu_bytes, 1420);
    let nobody = loaded.open("nobody").err().map(i32::cast_unsigned);
    assert_eq!(nobody, Some(STATUS_OBJECT_NAME_NOT_FOUND));

    let root = HostFile(loaded.open("").expect("the driver itself opens"));
    let mut output = [0; 1024];
    let answer = root.ioctl(native::IOCTL_LIST_ADAPTERS, &[], &mut output).unwrap();
    assert!(answer.is_success());
    let length = usize::try_from(answer.information).unwrap();
    let names: Vec<_> =
        reply::decode_adapters(&output[..length]).unwrap().map(|adapter| adapter.name).collect();
    assert_eq!(names, [b"end1"]);
    // Without an adapter there is nothing to ask.
    let answer = root.ioctl(wireguard_nt::IOCTL_GET, &[], &mut output).unwrap();
    assert_eq!(answer.status, STATUS_NOT_FOUND);
    let id = info.id;
    let select = native::encode_select(id);
    let answer = root.ioctl(native::IOCTL_QUERY_STATISTICS, &select, &mut output).unwrap();
    assert!(answer.is_success());
}

fn network(text: &str) -> AllowedIpChange {
    let (address, length) = text.split_once('/').unwrap();
    let network = AllowedIp::new(address.parse().unwrap(), length.parse().unwrap()).unwrap();
    AllowedIpChange { network, remove: false }
}

fn configuration(end: &End) -> Configuration {
    end.control.configuration().expect("the configuration is told")
}

fn a_change_is_whole_or_not_at_all(end: &End) {
    let change = ConfigurationChange {
        listen_port: Some(0),
        private_key: Some(Some(end.key.clone())),
        peers: vec![PeerChange {
            preshared_key: Some(Some(Key::from_bytes([7; 32]))),
            endpoint: Some(SocketAddr::from(([192, 0, 2, 1], 7))),
            persistent_keepalive_s: Some(25),
            allowed_ips: vec![network("10.0.0.0/8"), network("fd00::/8")],
            ..PeerChange::new(Key::from_bytes([1; 32]))
        }],
        ..ConfigurationChange::default()
    };
    end.control.set_configuration(&change).expect("a good change is applied");
    let before = configuration(end);
    assert_eq!(before.public_key, Some(end.key.public()));
    let [peer] = &before.peers[..] else { panic!("one peer") };
    assert_eq!(peer.preshared_key, Some(Key::from_bytes([7; 32])));
    assert_eq!(peer.endpoint, Some(SocketAddr::from(([192, 0, 2, 1], 7))));
    assert_eq!(peer.persistent_keepalive_s, 25);
    assert_eq!(peer.allowed_ips, [network("10.0.0.0/8").network, network("fd00::/8").network]);

    // The last record is bad: none of the others counts.
    let bad = ConfigurationChange {
        private_key: Some(Some(Key::generate_private().unwrap())),
        replace_peers: true,
        peers: [2, 3].map(|byte| PeerChange::new(Key::from_bytes([byte; 32]))).to_vec(),
        ..ConfigurationChange::default()
    };
    let mut bytes = bad.encode_wireguard_nt().expect("it can be written");
    let last_peer = bytes.len() - wireguard_nt::Peer::SIZE;
    bytes[last_peer..last_peer + 4].fill(0);
    let file = HostFile(end.file.clone());
    let answer = file.ioctl(wireguard_nt::IOCTL_SET, &[], &mut bytes).unwrap();
    assert_eq!(answer.status, STATUS_INVALID_PARAMETER);
    assert_eq!(configuration(end), before);

    // A prefix moves to whom it was given last, and comes back.
    let taker = PeerChange {
        allowed_ips: vec![network("10.0.0.0/8")],
        ..PeerChange::new(Key::from_bytes([2; 32]))
    };
    change_peers(end, vec![taker]);
    let networks: Vec<usize> =
        configuration(end).peers.iter().map(|peer| peer.allowed_ips.len()).collect();
    assert_eq!(networks, [1, 1]);
    // Removed, made again and asked to be updated only, in one change.
    let key = Key::from_bytes([2; 32]);
    let with = |action| PeerChange { action, ..PeerChange::new(key.clone()) };
    change_peers(
        end,
        vec![
            with(PeerAction::Remove),
            with(PeerAction::UpdateOnly),
            with(PeerAction::CreateOrUpdate),
            with(PeerAction::Remove),
        ],
    );
    assert_eq!(configuration(end).peers.len(), 1);
}

fn change_peers(end: &End, peers: Vec<PeerChange>) {
    let change = ConfigurationChange { peers, ..ConfigurationChange::default() };
    end.control.set_configuration(&change).expect("a good change is applied");
}

fn routes_are_told_as_a_graph(end: &End) {
    let before = configuration(end);
    let mut networks: Vec<String> = (0..200).map(|index| format!("10.{index}.0.0/16")).collect();
    networks.extend(["10.0.0.0/8", "fd00::/8"].map(str::to_owned));
    let key = Key::from_bytes([9; 32]);
    let allowed_ips = networks.iter().map(|text| network(text)).collect();
    change_peers(end, vec![PeerChange { allowed_ips, ..PeerChange::new(key.clone()) }]);

    let routes = end.control.routes().expect("the routes are told");
    assert!(routes.graphviz().starts_with("digraph routes {"), "{}", routes.graphviz());
    let owner = |wanted: &str| {
        let wanted = network(wanted).network;
        routes.iter().find(|(prefix, _)| *prefix == wanted).map(|(_, peer)| peer)
    };
    let peer = owner("10.7.0.0/16");
    assert!(peer.is_some());
    assert!(networks.iter().all(|network| owner(network) == peer));
    assert_eq!(owner("10.200.0.0/16"), None);

    // Too little room: how much there is, or nothing.
    let file = HostFile(end.file.clone());
    let select = native::encode_select(AdapterId::default());
    for (room, status, length) in
        [(16, STATUS_BUFFER_OVERFLOW, 16), (4096, STATUS_BUFFER_OVERFLOW, 16)]
    {
        let mut output = vec![0; room];
        let answer = file.ioctl(native::IOCTL_QUERY_ROUTES, &select, &mut output).unwrap();
        assert_eq!((answer.status, answer.information), (status, length));
        assert!(reply::required_bytes(&output).unwrap() > routes.graphviz().len() as u64);
    }
    let answer = file.ioctl(native::IOCTL_QUERY_ROUTES, &select, &mut [0; 8]).unwrap();
    assert_eq!((answer.status, answer.information), (STATUS_BUFFER_TOO_SMALL, 0));

    change_peers(end, vec![PeerChange { action: PeerAction::Remove, ..PeerChange::new(key) }]);
    // The network that moved here has nobody now.
    let public_keys = |configuration: &Configuration| {
        configuration.peers.iter().map(|peer| peer.public_key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(public_keys(&configuration(end)), public_keys(&before));
    let routes = end.control.routes().expect("the routes are told");
    assert_eq!(routes.iter().filter(|(prefix, _)| prefix.address().is_ipv4()).count(), 0);
}

fn a_taken_port_changes_nothing(end: &End) {
    let blocker = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let taken = blocker.local_addr().unwrap().port();
    end.control.set_state(AdapterState::Up).expect("it comes up");
    let before = configuration(end);
    assert!(before.listen_port.is_some_and(|port| port != 0));
    let change = ConfigurationChange {
        listen_port: Some(taken),
        replace_peers: true,
        ..ConfigurationChange::default()
    };
    let refused = end.control.set_configuration(&change);
    assert!(matches!(refused, Err(Error::Refused(STATUS_ADDRESS_ALREADY_EXISTS))), "{refused:?}");
    let keys = |told: &Configuration| {
        told.peers.iter().map(|peer| peer.public_key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&configuration(end)), keys(&before));
    assert_eq!(configuration(end).listen_port, before.listen_port);

    // While it is down, a port is only noted; then it can't come up, and can be told another one.
    end.control.set_state(AdapterState::Down).expect("it goes down");
    end.control.set_configuration(&ConfigurationChange { replace_peers: false, ..change }).unwrap();
    let refused = end.control.set_state(AdapterState::Up);
    assert!(matches!(refused, Err(Error::Refused(STATUS_ADDRESS_ALREADY_EXISTS))), "{refused:?}");
    let any = ConfigurationChange { listen_port: Some(0), ..ConfigurationChange::default() };
    end.control.set_configuration(&any).unwrap();
    end.control.set_state(AdapterState::Up).expect("it comes up");
    end.control.set_state(AdapterState::Down).expect("it goes down");
}

fn many_peers_come_and_go(end: &End) {
    let peers: Vec<PeerChange> = (0..1000_u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            let mut key = [9; 32];
            key[..2].copy_from_slice(&[high, low]);
            let network = AllowedIp::new(IpAddr::from([10, high, low, 0]), 24).unwrap();
            PeerChange {
                allowed_ips: vec![AllowedIpChange { network, remove: false }],
                ..PeerChange::new(Key::from_bytes(key))
            }
        })
        .collect();
    let change = ConfigurationChange {
        replace_peers: true,
        peers: peers.clone(),
        ..ConfigurationChange::default()
    };
    end.control.set_configuration(&change).expect("a thousand peers are added");
    let told = configuration(end);
    assert_eq!(told.peers.len(), peers.len());
    for (told, asked) in told.peers.iter().zip(&peers) {
        assert_eq!(told.public_key, asked.public_key);
        assert_eq!(told.allowed_ips, [asked.allowed_ips[0].network]);
    }
    // What doesn't fit is cut behind a whole record, and the size is told.
    let mut output = vec![0; 1000];
    let answer =
        HostFile(end.file.clone()).ioctl(wireguard_nt::IOCTL_GET, &[], &mut output).unwrap();
    assert_eq!(answer.status, STATUS_BUFFER_OVERFLOW);
    assert_eq!(answer.information, 80 + 1000 * (136 + 24));

    let nobody = ConfigurationChange { replace_peers: true, ..ConfigurationChange::default() };
    end.control.set_configuration(&nobody).expect("all peers are removed");
    assert!(configuration(end).peers.is_empty());
}

fn the_own_key_is_no_peer(end: &End) {
    change_peers(end, vec![PeerChange::new(end.key.public())]);
    assert!(configuration(end).peers.is_empty());
    // A peer whose key becomes our own goes, one with our old key may come in the same change.
    let new_key = Key::generate_private().unwrap();
    let change = ConfigurationChange {
        private_key: Some(Some(new_key.clone())),
        peers: vec![PeerChange::new(end.key.public()), PeerChange::new(new_key.public())],
        ..ConfigurationChange::default()
    };
    end.control.set_configuration(&change).expect("the key changes");
    let told = configuration(end);
    assert_eq!(told.private_key, Some(new_key));
    let keys: Vec<&Key> = told.peers.iter().map(|peer| &peer.public_key).collect();
    assert_eq!(keys, [&end.key.public()]);
    let clear = ConfigurationChange {
        private_key: Some(None),
        replace_peers: true,
        ..ConfigurationChange::default()
    };
    end.control.set_configuration(&clear).expect("the key is forgotten");
    assert_eq!(configuration(end).private_key, None);
}

fn states_change_once(end: &End) {
    let file = HostFile(end.file.clone());
    let code = wireguard_nt::IOCTL_SET_ADAPTER_STATE;
    let set = |state: u32| file.ioctl(code, &state.to_le_bytes(), &mut []).unwrap().status;
    assert_eq!(set(wireguard_nt::STATE_UP), 0);
    assert!(end.edge.wait_for_link(true, TIMEOUT), "the link is up");
    assert_eq!(set(wireguard_nt::STATE_UP), STATUS_ALREADY_COMPLETE);
    assert_eq!(end.control.state().unwrap(), AdapterState::Up);
    assert_eq!(set(wireguard_nt::STATE_DOWN), 0);
    assert!(end.edge.wait_for_link(false, TIMEOUT), "the link is down");
    assert_eq!(set(wireguard_nt::STATE_DOWN), STATUS_ALREADY_COMPLETE);
    assert_eq!(set(3), STATUS_INVALID_PARAMETER);
}

fn nonsense_is_refused(end: &End) {
    let file = HostFile(end.file.clone());
    let status = |code: u32, input: &[u8], output: &mut [u8]| {
        file.ioctl(code, input, output).unwrap().status
    };
    assert_eq!(status(0x1234_5678, &[], &mut []), STATUS_INVALID_DEVICE_REQUEST);
    assert_eq!(status(wireguard_nt::IOCTL_SET, &[], &mut [0; 79]), STATUS_INVALID_PARAMETER);
    assert_eq!(
        status(wireguard_nt::IOCTL_READ_LOG_LINE, &[], &mut [0; 127]),
        STATUS_BUFFER_TOO_SMALL
    );
    let other = native::encode_select(AdapterId([0xee; 16]));
    assert_eq!(status(native::IOCTL_QUERY_STATISTICS, &other, &mut [0; 512]), STATUS_NOT_FOUND);
    // The registry doesn't allow it.
    let refused = end.control.set_timer_scale(10);
    assert!(matches!(refused, Err(Error::Refused(STATUS_ACCESS_DENIED))), "{refused:?}");
}

fn events_and_lines_are_waited_for(loaded: &Loaded, first: End) {
    let second = End::new(loaded, 2);
    let waiting = loaded.open("end1").expect("it opens again");
    // The taken port was worth a line: an error, by its first character.
    let mut line = [0; 128];
    let file = HostFile(first.file.clone());
    let answer = file.ioctl(wireguard_nt::IOCTL_READ_LOG_LINE, &[], &mut line).unwrap();
    assert_eq!((answer.status, line[8]), (0, b'1'));
    let event = waiting.ioctl_async(
        native::IOCTL_READ_EVENT,
        &native::encode_select(AdapterId::default()),
        256,
    );
    let line = waiting.ioctl_async(wireguard_nt::IOCTL_READ_LOG_LINE, &[], 128);
    assert!(event.wait(Some(PENDING_TIME)).is_none(), "nothing has happened yet");

    second.configure(first.as_peer(None));
    let peer = second.as_peer(Some(second.endpoint()));
    first.configure(PeerChange { persistent_keepalive_s: Some(1), ..peer });
    let event = event.wait(Some(TIMEOUT)).expect("an event");
    assert_eq!(event.status, 0);
    let line = line.wait(Some(TIMEOUT)).expect("a line");
    assert_eq!((line.status, line.information), (0, 128));
    assert_eq!(line.output[8], b'3', "{}", String::from_utf8_lossy(&line.output[8..]));

    // A request that waits ends when it is cancelled, and with the adapter.
    first.control.set_state(AdapterState::Down).expect("nothing happens any more");
    let read_line = || waiting.ioctl_async(wireguard_nt::IOCTL_READ_LOG_LINE, &[], 128);
    let pending = loop {
        let pending = read_line();
        if pending.wait(Some(PENDING_TIME)).is_none() {
            break pending;
        }
    };
    assert!(pending.cancel(), "it can be cancelled");
    let status = pending.wait(Some(TIMEOUT)).expect("it ends").status;
    assert_eq!(status.cast_unsigned(), STATUS_CANCELLED);
    let pending = read_line();
    let End { adapter, control, .. } = first;
    adapter.remove(true);
    let status = pending.wait(Some(TIMEOUT)).expect("it ends with the adapter").status;
    assert_eq!(status.cast_unsigned(), STATUS_CANCELLED);
    // The files outlive the adapter, which is gone for them.
    assert!(matches!(control.state(), Err(Error::Refused(STATUS_NOT_FOUND))));
    drop((file, control, waiting));
    second.remove(false);
}

#[test]
fn every_reason_for_a_discard_has_its_name() {
    use Discard as D;
    let reasons = [
        D::NotIp,
        D::NoRoute,
        D::NoEndpoint,
        D::NotAdmitted,
        D::QueueFull,
        D::QueuedTooLong,
        D::NoKey,
        D::Down,
        D::NoMemory,
        D::Malformed,
        D::UnknownContext,
        D::Forged,
        D::Replayed,
        D::SourceNotAllowed,
        D::AddressTaken,
        D::ForeignControl,
        D::BadAuthenticator,
        D::CookieRequired,
        D::RateLimited,
        D::BadHandshake,
        D::SendFailed,
        D::NoOuterRoute,
        D::OuterRouteLoop,
    ];
    let names = reasons.map(|reason| {
        let name = format!("{reason:?}");
        let dashed = name.chars().enumerate().flat_map(|(index, letter)| {
            let dash = (letter.is_uppercase() && index > 0).then_some('-');
            dash.into_iter().chain(letter.to_lowercase())
        });
        dashed.collect::<String>()
    });
    assert_eq!(names.len(), Discard::COUNT, "a reason is not in this list");
    assert_eq!(reasons.map(|reason| reason as usize), std::array::from_fn(|index| index));
    assert_eq!(names.as_slice(), native::DISCARD_NAMES);
}
