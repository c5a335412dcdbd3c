//! What the data path brings, from threads that wait for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use nix::sys::signal::Signal;

use crate::data_channel::{DataChannel, DataEvent};

/// Something that came from outside.
pub(super) struct Input {
    /// The number of the connection that it is for; `None` for whichever there is.
    pub(super) connection: Option<u64>,
    pub(super) what: What,
}

/// What came.
pub(super) enum What {
    /// A control datagram.
    Control(SocketAddr, Vec<u8>),
    /// An event of the data path.
    Data(DataEvent),
    /// The data path gives nothing more.
    Broken(io::Error),
    /// A signal.
    Signal(Signal),
}

/// The threads of one connection. They end when the data path is stopped, or the receiver is gone.
pub(super) struct Readers(Vec<JoinHandle<()>>);

impl Readers {
    pub(super) fn start(
        channel: &Arc<dyn DataChannel>,
        connection: u64,
        inputs: &Sender<Input>,
    ) -> Self {
        let control = |channel: &dyn DataChannel| {
            channel.receive_control().map(|(from, datagram)| What::Control(from, datagram))
        };
        let events = |channel: &dyn DataChannel| channel.next_event().map(What::Data);
        Self(vec![
            spawn(channel, connection, inputs, control),
            spawn(channel, connection, inputs, events),
        ])
    }

    /// Waits for their end; the data path has been stopped.
    pub(super) fn join(self) {
        for thread in self.0 {
            // A panic has ended the program.
            let _ = thread.join();
        }
    }
}

fn spawn(
    channel: &Arc<dyn DataChannel>,
    connection: u64,
    inputs: &Sender<Input>,
    read: impl Fn(&dyn DataChannel) -> io::Result<What> + Send + 'static,
) -> JoinHandle<()> {
    let (channel, inputs) = (channel.clone(), inputs.clone());
    let connection = Some(connection);
    thread::spawn(move || {
        loop {
            let what = read(&*channel);
            let is_end = what.is_err();
            let what = what.unwrap_or_else(What::Broken);
            if inputs.send(Input { connection, what }).is_err() || is_end {
                return;
            }
        }
    })
}
