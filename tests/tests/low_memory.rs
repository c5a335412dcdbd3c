//! Memory runs out, once, at every place where it can: the driver refuses what it can't do, drops what it can't carry, and
//! leaves nothing behind.

mod end;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use end::{End, packet};
use nt_host::ndis::{MiniportDriver, Tuning};
use nt_host::{Machine, MachineOptions, pool};

/// Sends packets, and waits a moment for those that get through.
fn carry(from: &End, to: &End) -> usize {
    let packets: Vec<Vec<u8>> =
        (0..4).map(|number| packet(from.v4.into(), to.v4.into(), 100, number)).collect();
    let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    if from.edge.send(&slices).is_err() {
        return 0;
    }
    to.edge.wait_for(packets.len(), Duration::from_millis(50)).len()
}

/// The life of a driver with two adapters. How many packets got through.
fn live(machine: Machine) -> usize {
    let Ok(driver) = machine.load_linked("tunic", tunic_driver::driver_entry) else { return 0 };
    let Some(miniport) = MiniportDriver::of(driver.object()) else {
        driver.unload();
        return 0;
    };
    let ends = [1, 2].map(|number| End::new(machine, miniport, number, Tuning::default()));
    let mut carried = 0;
    if let [Some(first), Some(second)] = &ends {
        second.configure(first.peer(None));
        let port = second.port().unwrap_or(9);
        first.configure(second.peer(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))));
        carried = carry(first, second) + carry(second, first);
    }
    for End { adapter, handle, control, .. } in ends.into_iter().flatten() {
        drop((handle, control));
        adapter.remove(false);
    }
    driver.unload();
    carried
}

#[test]
fn every_allocation_may_fail() {
    let machine = Machine::boot(MachineOptions::default());
    assert_eq!(live(machine), 8, "all packets get through while there is memory");
    for failing in 1.. {
        let before = pool::allocation_count();
        pool::fail_allocation(failing);
        live(machine);
        pool::fail_allocation(0);
        if pool::allocation_count() - before < failing {
            println!("{failing} places");
            return;
        }
    }
}
