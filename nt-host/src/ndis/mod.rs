//! NDIS 6 for an `NdisMediumIP` miniport: what `ndis.sys` does between a miniport driver and the
//! stack above it.
//!
//! A driver registers ([`MiniportDriver`]); the owner of the machine adds adapters to it
//! ([`Adapter::add`]), each with an [`Edge`](crate::edge::Edge) as the stack above. An adapter goes
//! through the documented [`State`]s, gets OID requests, and carries packets: the edge transmits
//! batches through its [`AdapterPort`], and is handed what the driver indicates.
//!
//! Every NET_BUFFER_LIST knows who owns it, and every passage from one to another is checked. A
//! completed list is filled with a pattern that must still be there when it is used again, and with
//! [`Tuning::guard`] its pages are inaccessible meanwhile.

pub mod adapter;
pub mod attributes;
pub mod configuration;
pub mod device;
pub mod driver;
pub mod error_log;
pub(crate) mod guard;
pub(crate) mod interface;
pub mod life;
pub mod nbl_pool;
pub mod net_buffer;
mod object;
mod offload;
pub mod oid;
mod options;
mod port;
pub mod receive;
mod rule;
pub mod send;
mod send_pool;
mod state;
pub mod status;

use std::sync::atomic::{AtomicU8, Ordering};

pub use adapter::Adapter;
pub use configuration::ConfigValue;
pub use device::sddl;
pub use driver::{MiniportDriver, set_version};
pub use error_log::error_log;
pub use interface::{interface_mtu, set_interface_mtu};
pub use oid::{OidFailure, OidRequest};
pub use options::{AdapterOptions, MdlLayout, SendLevel, Tuning};
pub use port::{AdapterPort, PacketBatch, PortCounters, TransmitError};
pub use receive::{ReceivedBatch, ReceivedPacket};
pub use send::{Completion, CompletionLog};
pub use state::State;

/// Whether the costly checks are on: in debug builds, or as [`set_verification`] or
/// `NT_HOST_VERIFY=1` says.
#[must_use]
pub fn verification() -> bool {
    match VERIFICATION.load(Ordering::Relaxed) {
        1 => false,
        2 => true,
        _ => {
            let on = std::env::var_os("NT_HOST_VERIFY")
                .map_or(cfg!(debug_assertions), |value| value != "0");
            set_verification(on);
            on
        }
    }
}

/// Turns the costly checks on or off: all of a packet's data is filled after completion, free lists
/// of pools are checked.
pub fn set_verification(on: bool) {
    VERIFICATION.store(if on { 2 } else { 1 }, Ordering::Relaxed);
}

static VERIFICATION: AtomicU8 = AtomicU8::new(0);
