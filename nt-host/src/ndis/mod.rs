//! NDIS 6 for an `NdisMediumIP` miniport: the part of `ndis.sys` between a miniport driver and the
//! stack above it.
//!
//! A driver registers ([`MiniportDriver`]). The owner of the machine adds adapters to it
//! ([`Adapter::add`]), each with an [`Edge`](crate::edge::Edge) as the stack above. An adapter goes
//! through the documented [`State`]s, gets OID requests, and carries packets: the edge transmits
//! batches through its [`AdapterPort`], and receives what the driver indicates.
//!
//! Every NET_BUFFER_LIST records its owner, and every change of ownership is checked. A completed
//! list is filled with a pattern that must be intact when the list is used again. With
//! [`Tuning::guard`] its pages are inaccessible in between.

pub mod adapter;
mod attributes;
mod binding;
mod config_value;
pub mod configuration;
pub mod device;
pub mod driver;
pub mod error_log;
pub mod fdo;
pub(crate) mod guard;
pub(crate) mod interface;
pub(crate) mod interface_mtu;
pub mod life;
mod miniport_adapter;
pub mod nbl_pool;
pub mod net_buffer;
mod object;
mod offload;
pub mod oid;
mod oid_slot;
pub(crate) mod port;
pub mod receive;
pub(crate) mod received;
mod rule;
pub mod send;
mod send_pool;
mod send_state;
pub mod set_attributes;
mod state;
pub mod status;
mod tuning;
mod verification;

pub use adapter::{Adapter, Vetoed};
pub use config_value::ConfigValue;
pub use device::sddl;
pub use driver::{MiniportDriver, set_version};
pub use error_log::error_log;
pub use interface::{interface_mtu, set_interface_mtu};
pub use miniport_adapter::AdapterOptions;
pub use oid::{OidFailure, OidRequest};
pub use port::{AdapterPort, PacketBatch, PortCounters, TransmitError};
pub use received::{ReceivedBatch, ReceivedPacket};
pub use send_state::{Completion, CompletionLog};
pub use state::State;
pub use tuning::{DeviceBuffers, MdlLayout, SendLevel, Tuning};
pub use verification::{set_verification, verification};
