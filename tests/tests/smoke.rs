//! Two adapters of the driver on one machine: they agree on keys and carry packets over real UDP, and everything ends clean.

mod end;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use end::{End, packet};
use nt_host::ndis::{MdlLayout, MiniportDriver, SendLevel, Tuning};
use nt_host::{Machine, MachineOptions};
use tunic::{AdapterState, ConfigurationChange};

const TIMEOUT: Duration = Duration::from_secs(20);

fn carry(from: &End, to: &End) {
    // Of all sizes that matter: empty, odd, full.
    let mut packets = Vec::new();
    for (number, payload_bytes) in (0_u8..).zip([0, 1, 15, 16, 17, 500, 1300, 1372].repeat(8)) {
        packets.push(packet(from.v4.into(), to.v4.into(), payload_bytes, number));
        packets.push(packet(from.v6.into(), to.v6.into(), payload_bytes, number));
    }
    let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    let sent = from.edge.send(&slices).expect("the adapter takes packets");
    assert_eq!(sent, packets.len());
    let received = to.edge.wait_for(packets.len(), TIMEOUT);
    assert_eq!(received.len(), packets.len(), "{:?}", from.control.statistics());
    assert!(received == packets, "packets arrive whole and in order");
}

fn port(end: &End) -> u16 {
    end.port().expect("a port is bound")
}

/// The ways in which a stack may hand packets over and take them.
fn tunings() -> [Tuning; 5] {
    [
        Tuning::default(),
        // A header in pieces, and more pieces than are sealed in place.
        Tuning {
            mdl_layout: MdlLayout::Pieces(7),
            send_level: SendLevel::Passive,
            ..Tuning::default()
        },
        Tuning { mdl_layout: MdlLayout::Pieces(600), guard: true, ..Tuning::default() },
        Tuning { send_level: SendLevel::Dispatch, ..Tuning::default() },
        Tuning { hold_indications: Some(Duration::from_millis(5)), ..Tuning::default() },
    ]
}

#[test]
fn two_adapters_talk() {
    let machine = Machine::boot(MachineOptions { guard_pages: true, ..MachineOptions::default() });
    let driver =
        machine.load_linked("tunic", tunic_driver::driver_entry).expect("the driver loads");
    let miniport = MiniportDriver::of(driver.object()).expect("it is a miniport");
    for tuning in tunings() {
        talk(machine, miniport, &tuning);
    }
    driver.unload();
}

fn talk(machine: Machine, miniport: MiniportDriver, tuning: &Tuning) {
    let [first, second] = [1, 2].map(|number| {
        End::new(machine, miniport, number, tuning.clone()).expect("the adapter starts and opens")
    });
    assert!(second.configure(first.peer(None)), "it is configured and comes up");
    let to_second = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&second)));
    assert!(first.configure(second.peer(Some(to_second))), "it is configured and comes up");
    assert!(first.edge.wait_for_link(true, TIMEOUT), "the link is up");

    carry(&first, &second);
    carry(&second, &first);

    let statistics = first.control.statistics().expect("statistics are told");
    let corners = [statistics.traffic.tx_packets, statistics.traffic.rx_packets];
    assert_eq!(corners, [128, 128], "{statistics:?}");
    let peer = &first.control.configuration().expect("the configuration is told").peers[0];
    assert!(peer.last_handshake.is_some(), "a handshake was done");
    assert_eq!(peer.endpoint, Some(to_second));

    // Paused and restarted, they go on with the same keys.
    let handshake = peer.last_handshake;
    first.adapter.pause().expect("it pauses");
    first.adapter.restart().expect("it restarts");
    carry(&first, &second);
    let peer = &first.control.configuration().expect("the configuration is told").peers[0];
    assert_eq!(peer.last_handshake, handshake);

    // On another port the second is still found by the first, which follows it.
    let change = ConfigurationChange { listen_port: Some(0), ..ConfigurationChange::default() };
    second.control.set_configuration(&change).expect("the port changes");
    assert_ne!(port(&second), to_second.port());
    carry(&second, &first);
    carry(&first, &second);

    first.control.set_state(AdapterState::Down).expect("it goes down");
    assert!(first.edge.wait_for_link(false, TIMEOUT), "the link is down");
    first.control.set_state(AdapterState::Up).expect("it comes up again");
    carry(&first, &second);

    for End { adapter, handle, control, .. } in [first, second] {
        drop((handle, control));
        adapter.remove(false);
    }
}
