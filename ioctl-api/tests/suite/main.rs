//! Both control ABIs, and their C header.

mod channel;
mod configuration;
mod header;
mod mutation;
mod native;
mod ovpn_dco;
mod wireguard_nt;
