//! Inputs of the server's event loop.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;

use nix::sys::signal::Signal;

use crate::data_channel::DataEvent;

/// An input of the event loop.
pub(super) enum Input {
    Datagram(SocketAddr, Vec<u8>),
    Event(DataEvent),
    Command {
        command: String,
        answer: Sender<String>,
    },
    Signal(Signal),
    /// The data channel failed.
    Gone(io::Error),
}
