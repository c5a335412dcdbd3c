//! `ndis.h` and the headers it includes: what an NDIS 6.50 to 6.89 miniport of `NdisMediumIP` uses.
//!
//! NDIS grows its structs by revisions: `NDIS_SIZEOF_*_REVISION_n` are the sizes that go into
//! `NDIS_OBJECT_HEADER::Size`.

mod attributes;
mod configuration;
mod device;
mod functions;
mod link;
mod miniport;
mod net_buffer;
mod net_buffer_list;
mod object;
mod offload;
mod oid;
mod request;
mod statistics;
mod status;

pub use attributes::*;
pub use configuration::*;
pub use device::*;
pub use functions::*;
pub use link::*;
pub use miniport::*;
pub use net_buffer::*;
pub use net_buffer_list::*;
pub use object::*;
pub use offload::*;
pub use oid::*;
pub use request::*;
pub use statistics::*;
pub use status::*;
