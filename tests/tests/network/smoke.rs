//! Two adapters of the driver on one machine: they agree on keys and carry packets over real UDP,
//! and everything ends clean.

use std::time::Duration;

use nt_host::ndis::{MdlLayout, SendLevel, Tuning};
use tunic::ConfigurationChange;
use tunic_tests::machine::{End, Loaded, alone, boot, connect};

/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(120);

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
    alone("two_adapters_talk", TIMEOUT, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        for tuning in tunings() {
            talk(&loaded, &tuning);
        }
        loaded.unload();
    });
}

fn talk(loaded: &Loaded, tuning: &Tuning) {
    let [first, second] = [1, 2].map(|number| End::with_tuning(loaded, number, tuning.clone()));
    connect(&first, &second);
    let to_second = second.endpoint();

    carry(&first, &second);
    carry(&second, &first);

    let statistics = first.statistics();
    let corners = [statistics.traffic.tx_packets, statistics.traffic.rx_packets];
    assert_eq!(corners, [128, 128], "{statistics:?}");
    let peer = first.peer();
    assert!(peer.last_handshake.is_some(), "a handshake was done");
    assert_eq!(peer.endpoint, Some(to_second));

    // Paused and restarted, they go on with the same keys.
    first.adapter.pause().expect("it pauses");
    first.adapter.restart().expect("it restarts");
    carry(&first, &second);
    assert_eq!(first.peer().last_handshake, peer.last_handshake);

    // On another port the second is still found by the first, which follows it.
    let change = ConfigurationChange { listen_port: Some(0), ..ConfigurationChange::default() };
    second.control.set_configuration(&change).expect("the port changes");
    assert_ne!(second.endpoint(), to_second);
    carry(&second, &first);
    carry(&first, &second);

    first.down();
    first.up();
    carry(&first, &second);

    first.remove(false);
    second.remove(false);
}

/// Packets of all sizes that matter: empty, odd, full.
fn carry(from: &End, to: &End) {
    from.carry_sizes(to, &[0, 1, 15, 16, 17, 500, 1300, 1372].repeat(8));
}
