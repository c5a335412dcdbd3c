//! WireGuard against its specification and against implementations that nobody here wrote.

mod adapter;
mod address_validation;
mod boringtun;
mod conformance;
mod cookies;
mod data;
mod handshake;
mod noise;
mod timers;
