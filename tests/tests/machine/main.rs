//! The driver on nt-host, within the process: linked, or the image that `TUNIC_DRIVER` names.
//!
//! Needs nothing that a stock Rust lacks.
#![forbid(unsafe_code)]

mod busy_ovpn_dco;
mod checksums;
mod churn;
mod control;
mod data_channel;
mod hostile_control;
mod hostile_network;
mod hostile_oid;
mod hostile_ovpn_dco;
mod lifecycle;
mod low_resources;
mod low_resources_openvpn;
mod mtu;
mod outer_route;
mod ovpn_dco;
mod ovpn_dco_names;
mod stock_openvpn;
mod stock_wireguard;
mod third_protocol;
