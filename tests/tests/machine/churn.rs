//! Everything at once: packets flow both ways while adapters pause, go down, change ports, keys and
//! peers, and sleep. Nothing hangs, breaks a rule of the kernel's, or is left behind.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nt_host::MachineOptions;
use nt_host::ndis::Tuning;
use tunic::{AdapterState, ConfigurationChange, Key, PeerChange};
use tunic_tests::machine::{End, Loaded, TIMEOUT, alone, boot_with, connect};

/// How long the test may take.
const TEST_TIMEOUT: Duration = Duration::from_secs(240);

/// The changes that are made while packets flow.
const CHANGES: u64 = 900;

#[test]
fn an_adapter_may_change_while_packets_flow() {
    alone("an_adapter_may_change_while_packets_flow", TEST_TIMEOUT, || {
        let loaded = Loaded::load(boot_with(MachineOptions::default())).expect("the driver loads");
        let hold_indications = Some(Duration::from_millis(1));
        let [first, second] = [1, 2].map(|number| {
            End::with_tuning(&loaded, number, Tuning { hold_indications, ..Tuning::default() })
        });
        churn(&first, &second);
        first.remove(true);
        second.remove(true);
        loaded.unload();
    });
}

fn churn(first: &End, second: &End) {
    connect(first, second);

    let (is_over, batches) = (AtomicBool::new(false), Batches::default());
    let carried = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (from, to) in [(first, second), (second, first)] {
            let (is_over, batches, carried) = (&is_over, &batches, &carried);
            scope.spawn(|| send(from, to, is_over, batches));
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let received = to.edge.wait_for(1, Duration::from_millis(100)).len();
                    carried.fetch_add(received, Ordering::Relaxed);
                }
            });
        }
        let start = Instant::now();
        for step in 0_u64.. {
            let is_carried = carried.load(Ordering::Relaxed) > 0;
            if step >= CHANGES && is_carried || start.elapsed() > 2 * TIMEOUT {
                break;
            }
            change(first, second, step);
            batches.wait_for_more(step % 7);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(carried.load(Ordering::Relaxed) > 0, "packets got through meanwhile");

    connect(first, second);
    let last = first.packet(second, 100, 0xee);
    let start = Instant::now();
    while !second.edge.wait_for(1, Duration::from_millis(100)).contains(&last) {
        assert!(start.elapsed() < TIMEOUT, "packets flow again: {:?}", first.control.statistics());
        let _ = first.edge.send(&[&last]);
    }
}

/// The batches that the stacks above have offered: the clock by which changes are made.
#[derive(Default)]
struct Batches {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Batches {
    fn offered(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits until so many more were offered, or [`TIMEOUT`].
    fn wait_for_more(&self, more: u64) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = *count + more;
        let waited = self.changed.wait_timeout_while(count, TIMEOUT, |count| *count < wanted);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Sends until it is over, as fast as it goes.
fn send(from: &End, to: &End, is_over: &AtomicBool, batches: &Batches) {
    let packets: Vec<Vec<u8>> =
        (0..40).map(|number| from.packet(to, 20 * usize::from(number), number)).collect();
    while !is_over.load(Ordering::Relaxed) {
        let Some(port) = from.edge.port() else { return };
        let mut batch = port.batch();
        let count = packets.iter().take_while(|packet| batch.push(packet)).count();
        if count < packets.len() {
            let _ = from.edge.wait_for_room(Duration::from_millis(5));
        }
        // Refused while the adapter is paused.
        let _ = port.transmit(&mut batch);
        batches.offered();
    }
}

/// One change of many kinds. Each may be refused by the state that the one before has left.
fn change(first: &End, second: &End, step: u64) {
    match step % 9 {
        0 => {
            first.adapter.pause().expect("it pauses");
            first.adapter.restart().expect("it restarts");
        }
        1 => {
            let port = ConfigurationChange { listen_port: Some(0), ..Default::default() };
            first.control.set_configuration(&port).expect("a free port is found");
        }
        2 => first.control.set_state(AdapterState::Down).expect("it goes down"),
        3 | 7 => connect(first, second),
        4 => {
            // The native ABI refuses a public key of zeros.
            let byte = step.to_le_bytes()[0].max(1);
            let peers = vec![PeerChange::new(Key::from_bytes([byte; 32]))];
            let change = ConfigurationChange { peers, ..Default::default() };
            second.control.set_configuration(&change).expect("a peer is added");
        }
        5 => {
            second.adapter.sleep().expect("it sleeps");
            second.adapter.wake().expect("it wakes");
        }
        6 => {
            let change = ConfigurationChange { replace_peers: true, ..Default::default() };
            first.control.set_configuration(&change).expect("all peers are removed");
        }
        _ => {
            let _ = second.control.configuration().expect("the configuration is told");
            let _ = first.control.statistics().expect("statistics are told");
        }
    }
}
