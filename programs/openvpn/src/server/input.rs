//! Inputs of a running server.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;

use nix::sys::signal::Signal;

use crate::data_channel::DataEvent;

/// What the acting thread waits for.
pub(super) enum Input {
    Datagram(SocketAddr, Vec<u8>),
    Event(DataEvent),
    Command {
        command: String,
        answer: Sender<String>,
    },
    /// A signal asks us to end.
    Stop(Signal),
    /// The data path is gone.
    Gone(io::Error),
}
