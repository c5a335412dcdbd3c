//! What an adapter computes for the stack: checksums of received packets.
//!
//! The peer's authentication covers the packet that its stack built, so all checksums are valid.
//! The registry or the stack can turn the offload off. No offload is used before the stack turns it
//! on (NDIS documentation, `OID_OFFLOAD_ENCAPSULATION`).

use core::sync::atomic::{AtomicU8, Ordering};

use nt::checksums::ReceiveChecksums;
use nt::lock::SleepMutex;
use nt::offload::{OffloadChange, OffloadSwitch};

/// Offloads of an adapter.
pub(super) struct Offloads {
    settings: SleepMutex<Settings>,
    /// The checksums that received packets are marked valid for: bits of [`ReceiveChecksums`].
    in_use: AtomicU8,
}

struct Settings {
    configured: ReceiveChecksums,
    ipv4: Switch,
    ipv6: Switch,
}

/// The stack's setting for one IP version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Switch {
    /// Not set yet: offloads are advertised and not used.
    Offered,
    On,
    Off,
}

impl Offloads {
    pub(super) fn new(configured: ReceiveChecksums) -> Self {
        let settings = Settings { configured, ipv4: Switch::Offered, ipv6: Switch::Offered };
        Self { settings: SleepMutex::new(settings), in_use: AtomicU8::new(0) }
    }

    /// The checksums that received packets are marked valid for.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(super) fn receive_checksums(&self) -> ReceiveChecksums {
        ReceiveChecksums::from_bits_truncate(self.in_use.load(Ordering::Relaxed))
    }

    /// Configures offloads; returns the state to indicate to the stack.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(super) fn change(&self, change: OffloadChange) -> ReceiveChecksums {
        self.update(|settings| settings.configured = change.apply(settings.configured))
    }

    /// Turns offloads on or off; returns the state to indicate to the stack.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(super) fn switch(&self, switch: OffloadSwitch) -> ReceiveChecksums {
        self.update(|settings| {
            settings.ipv4.set(switch.ipv4);
            settings.ipv6.set(switch.ipv6);
        })
    }

    fn update(&self, update: impl FnOnce(&mut Settings)) -> ReceiveChecksums {
        let mut settings = self.settings.lock();
        update(&mut settings);
        let Settings { configured, ipv4, ipv6 } = *settings;
        let in_use = configured.of_versions(ipv4 == Switch::On, ipv6 == Switch::On);
        self.in_use.store(in_use.bits(), Ordering::Relaxed);
        configured.of_versions(ipv4 != Switch::Off, ipv6 != Switch::Off)
    }
}

impl Switch {
    fn set(&mut self, wanted: Option<bool>) {
        *self = match wanted {
            None => return,
            Some(true) => Self::On,
            Some(false) => Self::Off,
        };
    }
}
