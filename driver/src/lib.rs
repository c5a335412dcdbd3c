//! The Tunic driver: the miniport of `nic-core` with its list of protocols.
#![no_std]
#![forbid(unsafe_code)]

use nic_miniport::{Driver, Listed, ProtocolList, Tunic};
use nic_openvpn_adapter::OpenVpnAdapter;
use nic_wireguard_adapter::WireGuardAdapter;

pub use nic_miniport::VERSION;

/// The driver.
struct TunicSys;

impl Driver for TunicSys {
    const PROTOCOLS: ProtocolList = &[
        // The first is the protocol of adapters whose registry key names none.
        &Listed::<WireGuardAdapter>::NEW,
        &Listed::<OpenVpnAdapter>::NEW,
    ];
}

/// The driver's entry point.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Safety
/// The arguments must be those of DriverEntry.
#[expect(non_upper_case_globals, reason = "it is used as the function that it is")]
pub const driver_entry: nt::miniport::DriverEntry = nt::miniport::entry::<Tunic<TunicSys>>;
