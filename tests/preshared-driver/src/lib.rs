//! A driver of the Tunic miniport whose one protocol is the tests' small one.
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
/// To be called as NT calls DriverEntry.
#[expect(non_upper_case_globals, reason = "it is used as the function that it is")]
pub const driver_entry: nt::miniport::DriverEntry = nt::miniport::entry::<Tunic<PresharedSys>>;
