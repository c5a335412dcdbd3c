//! nt-host as drivers see it: what each function does, and which broken rules stop the process.

mod child;
mod driver;
mod image;
mod io;
mod kernel;
mod machine;
mod miniport;
mod nbl_rules;
mod ndis;
mod probe;
mod rules;
mod wsk;
mod wsk_client;
