//! A protocol that the driver doesn't know: the small one of docs/adding-a-protocol.md, as one crate
//! and one line of a driver's list. Its adapters carry packets over real UDP, linked and in an image
//! of its own.

use std::net::Ipv4Addr;
use std::time::Duration;

use nt_host::DriverSource;
use nt_sys::status::{STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS};
use tunic::{AdapterState, Key, Protocol};
use tunic_ioctl::{AdapterId, Command, KeyChange, PeerChange, native, wireguard_nt};
use tunic_tests::machine::{self, End, Loaded, alone, boot};
use tunic_tests::require::{self, Need};

/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The number of the protocol, of the range for third parties.
const NUMBER: u32 = 0x8000_0001;

#[test]
fn an_adapter_of_one_crate_and_one_line_carries_packets() {
    alone("an_adapter_of_one_crate_and_one_line_carries_packets", TIMEOUT, || {
        let entry = preshared_driver::driver_entry;
        carry_packets(&DriverSource::Linked { name: "preshared", entry });
    });
}

#[test]
fn it_does_so_in_an_image_too() {
    if require::all("it_does_so_in_an_image_too", &[Need::PresharedImage]) {
        alone("it_does_so_in_an_image_too", TIMEOUT, || {
            carry_packets(&DriverSource::Image(require::PRESHARED_IMAGE.into()))
        });
    }
}

fn carry_packets(source: &DriverSource) {
    let loaded = Loaded::load_from(boot(), source).expect("the driver loads");
    let [left, right, stranger] = [1, 2, 3].map(|number| End::new(&loaded, number));
    let info = left.control.info().expect("it tells what it is");
    assert_eq!((info.protocol, info.state), (Protocol::Other(NUMBER), AdapterState::Down));

    let secret = Key::generate_preshared().expect("random numbers");
    let wrong = Key::generate_preshared().expect("random numbers");
    bring_up(&right, &left, &secret, None);
    bring_up(&left, &right, &secret, Some(port(&right)));
    // It has the addresses of its own, and another secret.
    bring_up(&stranger, &right, &wrong, Some(port(&right)));

    left.carry(&right);
    right.carry(&left);
    stranger.offer(&stranger.probe(&right), 1);
    left.carry(&right);
    assert_eq!(right.statistics().traffic.rx_packets, 40);

    // The ABIs of other protocols are none of its adapters' requests.
    let (status, _) = left.file.ioctl(wireguard_nt::IOCTL_GET, &[], &mut [0; 64]);
    assert_eq!(status, STATUS_INVALID_DEVICE_REQUEST);
    for end in [left, right, stranger] {
        set_state(&end, AdapterState::Down);
        end.remove(false);
    }
    loaded.unload();
}

/// Gives an adapter its key and one peer, by the native ABI, and brings it up.
fn bring_up(end: &End, other: &End, secret: &Key, port: Option<u16>) {
    let key = |key: &Key| *key.as_bytes();
    let (private_key, peer_name, secret) = (key(&end.key), key(&other.key.public()), key(secret));
    let mut peer = PeerChange::new(&peer_name);
    peer.preshared_key = Some(KeyChange::Set(&secret));
    peer.endpoint = port.map(|port| (Ipv4Addr::LOCALHOST, port).into());
    let private_key = Some(KeyChange::Set(&private_key));
    let mut change =
        native::encode_interface(AdapterId::default(), Some(0), private_key, true).to_vec();
    change.extend(native::encode_peer(&peer));
    for (address, length) in [(other.v4.into(), 32), (other.v6.into(), 128)] {
        change.extend(native::encode_route(address, length, false));
    }
    let (status, _) = end.file.ioctl(native::IOCTL_SET_CONFIGURATION, &change, &mut []);
    assert_eq!(status, STATUS_SUCCESS, "{status:#x}");
    set_state(end, AdapterState::Up);
}

fn set_state(end: &End, state: AdapterState) {
    let request = native::encode_set_state(AdapterId::default(), state);
    let (status, _) = end.file.ioctl(native::IOCTL_SET_STATE, &request, &mut []);
    assert_eq!(status, STATUS_SUCCESS, "{status:#x}");
    assert!(end.edge.wait_for_link(state == AdapterState::Up, machine::TIMEOUT));
}

/// The port that an adapter has, by the native ABI.
fn port(end: &End) -> u16 {
    let select = native::encode_select(AdapterId::default());
    let mut answer = [0; 4096];
    let code = native::IOCTL_QUERY_CONFIGURATION;
    let (status, bytes) = end.file.ioctl(code, &select, &mut answer);
    assert_eq!(status, STATUS_SUCCESS, "{status:#x}");
    let records = &answer[native::Reply::SIZE..bytes];
    match native::configure(records).expect("an answer has the form of a request").command {
        Command::Configure(configuration) => configuration.listen_port.expect("a port is bound"),
        _ => panic!("it is no configuration"),
    }
}
