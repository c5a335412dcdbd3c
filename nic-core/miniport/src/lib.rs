//! The Tunic NDIS miniport: a network adapter for IP packets, each of which is sealed for a peer
//! and sent as UDP from inside the kernel, and back.
//!
//! NDIS's calls arrive at `driver`, which hands them to an `adapter`. Packets of the stack go
//! through `transmit`, datagrams through `receive`; what is large is shared among the `workers`.
//! Between them stands the engine (`nic-engine`) with the protocol, which know nothing of NT. The
//! `control_thread` of an adapter runs handshakes and timers; the `control` device takes IOCTLs.
//! All of this is the same for every protocol; what isn't, is in a folder for each, and `protocols`
//! is the list of them.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[macro_use]
mod protocols;

mod adapter;
mod control;
mod control_thread;
mod driver;
mod guid;
mod log;
mod openvpn;
mod ovpn_dco;
mod receive;
mod recycler;
mod ring;
mod sockets;
mod status;
mod system;
mod time;
mod transmit;
mod wireguard;
mod workers;

// The functions that nt-sys imports.
#[cfg(test)]
use nt_host as _;

/// The driver's version: major and minor.
pub const VERSION: (u8, u8) = (0, 1);

/// The driver's entry point.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Safety
/// To be called as NT calls DriverEntry.
#[expect(non_upper_case_globals, reason = "it is used as the function that it is")]
pub const driver_entry: nt::miniport::DriverEntry = nt::miniport::entry::<driver::Tunic>;
