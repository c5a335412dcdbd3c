//! A driver with the Tunic miniport and one protocol, the tests' small one.
#![no_std]
#![forbid(unsafe_code)]

use nic_miniport::{Driver, Listed, ProtocolList, Tunic};
use preshared::adapter::PresharedAdapter;

/// The driver.
struct PresharedSys;

impl Driver for PresharedSys {
    const PROTOCOLS: ProtocolList = &[&Listed::<PresharedAdapter>::NEW];
}

/// The driver's entry point.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Safety
/// The arguments must be those of DriverEntry.
#[expect(non_upper_case_globals, reason = "it is used as the function that it is")]
pub const driver_entry: nt::miniport::DriverEntry = nt::miniport::entry::<Tunic<PresharedSys>>;
