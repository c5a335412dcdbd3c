//! Pushes keys into two adapters, so that they are the ends of one tunnel.
//!
//! The example stands in for a handshake: it draws the keys itself and gives each to both ends.
//! A real client and a real server agree on them by messages, which travel through the same
//! adapters (`send_control`, `receive_control`).
//!
//! Two adapters, for example in two network namespaces that reach each other at these addresses:
//!
//! ```text
//! ip netns exec left  tunicd --protocol openvpn ovpn0
//! ip netns exec right tunicd --protocol openvpn ovpn1
//! cargo run -p tunic --example push-keys -- ovpn0 192.0.2.1:1194 ovpn1 192.0.2.2:1194
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use tunic::data_channel::{
    DirectionKey, InstallKey, KeyMaterial, NewPeer, PeerSelector, PeerTransport, SetPeer, Slot,
    Suite,
};
use tunic::{DataChannel, Key, OverlappedTransport};

/// How long keys are in use.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(3600);

/// An end of the tunnel: its adapter, and the UDP address of its socket.
pub(crate) struct End<T> {
    pub(crate) channel: DataChannel<T>,
    pub(crate) address: SocketAddr,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [left, left_address, right, right_address] = arguments.as_slice() else {
        return Err("usage: push-keys ADAPTER ADDRESS:PORT ADAPTER ADDRESS:PORT".into());
    };
    let ends = [
        End { channel: DataChannel::open(left)?, address: left_address.parse()? },
        End { channel: DataChannel::open(right)?, address: right_address.parse()? },
    ];
    connect(&ends)?;
    println!("{left} and {right} are connected; the tunnel ends with this program");
    for key_id in (0..=7).cycle().skip(1) {
        std::thread::sleep(RENEWAL_INTERVAL);
        renew(&ends, key_id)?;
    }
    Ok(())
}

/// Creates the peer of each end, installs the first keys, and connects the links.
pub(crate) fn connect<T: OverlappedTransport>(ends: &[End<T>; 2]) -> Result<(), Box<dyn Error>> {
    let [left, right] = ends;
    for (end, other) in [(left, right), (right, left)] {
        // The adapter drops its peer and keys when this program ends.
        end.channel.own()?;
        end.channel.new_peer(&NewPeer {
            receive_id: None,
            transmit_id: None,
            transport: PeerTransport::Udp,
            local: Some(end.address),
            remote: other.address,
            vpn4: None,
            vpn6: None,
        })?;
    }
    install(ends, Slot::Primary, 0)?;
    for End { channel, .. } in ends {
        channel.set_peer(&SetPeer {
            peer: PeerSelector::Only,
            keepalive_s: Some(10),
            timeout_s: Some(60),
            mss_bytes: None,
        })?;
        channel.start()?;
    }
    Ok(())
}

/// Replaces the keys without a gap: both ends can open packets of the new keys before either seals
/// with them.
pub(crate) fn renew<T: OverlappedTransport>(
    ends: &[End<T>; 2],
    key_id: u8,
) -> Result<(), Box<dyn Error>> {
    install(ends, Slot::Secondary, key_id)?;
    for End { channel, .. } in ends {
        channel.swap_keys(PeerSelector::Only)?;
    }
    Ok(())
}

/// Draws a key for each direction and installs both at both ends.
fn install<T: OverlappedTransport>(
    ends: &[End<T>; 2],
    slot: Slot,
    key_id: u8,
) -> Result<(), Box<dyn Error>> {
    let (keys, nonces) = ([random()?, random()?], [random()?, random()?]);
    let direction = |index: usize| DirectionKey {
        key: keys[index].as_bytes(),
        nonce_tail: nonces[index].as_bytes().first_chunk().expect("32 bytes"),
    };
    for (index, End { channel, .. }) in ends.iter().enumerate() {
        channel.install_key(&InstallKey {
            peer: PeerSelector::Only,
            slot,
            key_id,
            suite: Suite::Aes256Gcm,
            material: KeyMaterial::Fixed {
                encrypt: direction(index),
                decrypt: direction(1 - index),
            },
            transmit_id: None,
            packet_limit: None,
        })?;
    }
    Ok(())
}

/// 32 random bytes, erased when dropped.
fn random() -> Result<Key, Box<dyn Error>> {
    Ok(Key::generate_preshared()?)
}
