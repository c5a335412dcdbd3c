//! nt-host with drivers: what it does for them, and which broken rules stop the process.

mod child;
mod devnode;
mod driver;
mod image;
mod io;
mod machine;
mod miniport;
mod nbl_rules;
mod ndis;
mod netio;
mod probe;
mod rules;
