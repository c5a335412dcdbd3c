//! What the engine says of control messages follows the adapter's state.

use crate::adapter::{Adapter, NO_KEY, at, seconds};
use nic_engine::conformance::Opened;
use nic_engine::plain::Plain;
use nic_engine::protocol::{AddressValidation, Discard, Event, PeerId};
use nic_engine::{ControlSink, Endpoint, Nic};
use nic_wireguard::{Control, TimerConstants, WireGuard, configure};

type Server = Nic<WireGuard, Plain<Opened<WireGuard>>>;

/// Under load; keeps the last message.
#[derive(Default)]
struct Sink {
    sent: Vec<u8>,
}

impl ControlSink for Sink {
    fn send(&mut self, _: Option<PeerId>, _to: &Endpoint, datagram: &[u8]) -> bool {
        self.sent = datagram.to_vec();
        true
    }

    fn hand_up(&mut self, _from: &Endpoint, _datagram: &[u8]) -> bool {
        false
    }

    fn pump(&mut self, _peer: PeerId) {}

    fn event(&mut self, _event: Event) {}

    fn fill_random(&mut self, bytes: &mut [u8]) -> bool {
        bytes.fill(7);
        true
    }

    fn is_under_load(&self) -> bool {
        true
    }
}

#[test]
fn keys_and_cookies_count_at_once() {
    let mut sink = Sink::default();
    let control = nic_memory::boxed(Control::new(TimerConstants::PAPER)).unwrap();
    let server = Server::new(control, [1; 16]);
    server.set_up(true);
    let mut client = Adapter::new("192.0.2.1:1001", [0x11; 32], TimerConstants::PAPER);
    let from = Endpoint::new(client.host.address);
    let now = at(seconds(1006));
    let set_key = |key: Option<[u8; 32]>| {
        server.configure(now, &mut Sink::default(), |configuration| {
            configuration.with_protocol(|control, host| {
                assert_eq!(configure::set_private_key(control, host, key.as_ref()), None);
                control.identity().map(|identity| identity.public_key().0)
            })
        })
    };

    let key = set_key(Some([0x22; 32])).expect("a key");
    let to_server = client.add_peer(&key, &NO_KEY, Some("192.0.2.2:1002".parse().unwrap()));
    client.send(to_server, b"x");
    let first = client.take_outbox().remove(0).bytes;
    assert_eq!(
        server.validate_address(&first, &from, now.instant),
        Ok(AddressValidation::Unvalidated)
    );
    server.control_message(&first, &from, now, &mut sink);
    let cookie = crate::adapter::Datagram {
        from: "192.0.2.2:1002".parse().unwrap(),
        to: client.host.address,
        bytes: std::mem::take(&mut sink.sent),
    };
    assert_eq!(cookie.kind(), 3);
    client.receive(&cookie);
    client.set_time(seconds(1006));
    client.settle();
    let second = client.take_outbox().remove(0).bytes;
    assert_eq!(
        server.validate_address(&second, &from, now.instant),
        Ok(AddressValidation::Validated)
    );
    assert_eq!(
        server.validate_address(&first, &from, now.instant),
        Ok(AddressValidation::Unvalidated)
    );
    // Its secret lives for two minutes.
    let later = at(seconds(1006 + 120));
    assert_eq!(
        server.validate_address(&second, &from, later.instant),
        Ok(AddressValidation::Unvalidated)
    );

    set_key(Some([0x33; 32]));
    let refused = Err(Discard::BadAuthenticator);
    assert_eq!(server.validate_address(&second, &from, now.instant), refused);
    assert_eq!(server.totals().discarded(Discard::BadAuthenticator), 1);
    set_key(None);
    assert_eq!(server.validate_address(&second, &from, now.instant), refused);
}
