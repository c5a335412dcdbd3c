//! A protocol that the driver doesn't know: the small one of docs/adding-a-protocol.md, as one
//! crate and one line of a driver's list. Its adapters carry packets over real UDP, linked and in
//! an image of its own.

use std::net::SocketAddr;
use std::time::Duration;

use nt_host::DriverSource;
use nt_sys::status::STATUS_INVALID_DEVICE_REQUEST;
use tunic::{AdapterState, Key, PeerChange, Protocol};
use tunic_ioctl::wireguard_nt;
use tunic_tests::machine::{End, Loaded, alone, boot};
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
            carry_packets(&DriverSource::Image(require::PRESHARED_IMAGE.into()));
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
    let peer = |end: &End, endpoint: Option<SocketAddr>, secret: &Key| PeerChange {
        preshared_key: Some(Some(secret.clone())),
        ..end.as_peer(endpoint)
    };
    right.configure(peer(&left, None, &secret));
    let endpoint = Some(right.endpoint());
    left.configure(peer(&right, endpoint, &secret));
    // It has the addresses of its own, and another secret.
    stranger.configure(peer(&right, endpoint, &wrong));
    let info = right.control.info().expect("it tells what it is");
    assert_eq!(info.listen_port, endpoint.map(|endpoint| endpoint.port()));
    assert_eq!(left.peer().endpoint, endpoint);

    left.carry(&right);
    right.carry(&left);
    stranger.offer(&stranger.probe(&right), 1);
    left.carry(&right);
    assert_eq!(right.statistics().traffic.rx_packets, 40);

    // The ABIs of other protocols are none of its adapters' requests.
    let (status, _) = left.file.ioctl(wireguard_nt::IOCTL_GET, &[], &mut [0; 64]);
    assert_eq!(status, STATUS_INVALID_DEVICE_REQUEST);
    for end in [left, right, stranger] {
        end.down();
        end.remove(false);
    }
    loaded.unload();
}
