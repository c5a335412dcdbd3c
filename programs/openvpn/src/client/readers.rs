//! Threads that read from the data channel.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::data_channel::{DataChannel, DataEvent};

/// Interval between checks for finished threads.
const POLL: Duration = Duration::from_millis(5);

/// An input of the client.
pub(super) struct Input {
    /// The number of its connection; `None` applies to any connection.
    pub(super) connection: Option<u64>,
    pub(super) what: InputKind,
}

/// Kinds of inputs.
pub(super) enum InputKind {
    /// A control datagram.
    Control(SocketAddr, Vec<u8>),
    /// An event of the data channel.
    Data(DataEvent),
    /// Reading from the data channel failed.
    Broken(io::Error),
    /// A signal.
    Signal(Signal),
}

/// The reader threads. They end when stopped, or when the receiver is dropped.
#[derive(Default)]
pub(super) struct Readers {
    /// The number of the connection that inputs belong to.
    connection: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(channel: &Arc<dyn DataChannel>, inputs: &Sender<Input>) -> Self {
        let mut readers = Self::default();
        let datagrams = channel.clone();
        readers.spawn(inputs, move || {
            datagrams.receive_control().map(|(from, datagram)| InputKind::Control(from, datagram))
        });
        let events = channel.clone();
        readers.spawn(inputs, move || events.next_event().map(InputKind::Data));
        readers
    }

    /// Inputs belong to the connection with this number from now on.
    pub(super) fn read_for(&self, connection: u64) {
        self.connection.store(connection, Ordering::Relaxed);
    }

    /// Stops the data channel by `stop` and waits until the threads have ended.
    pub(super) fn stop(self, stop: impl Fn() -> io::Result<()>) -> io::Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        loop {
            // Repeated: a thread that was between two reads has started the next one since.
            let stopped = stop();
            if self.threads.iter().all(JoinHandle::is_finished) {
                return stopped;
            }
            thread::park_timeout(POLL);
        }
    }

    fn spawn(
        &mut self,
        inputs: &Sender<Input>,
        read: impl Fn() -> io::Result<InputKind> + Send + 'static,
    ) {
        let (is_over, inputs) = (self.is_over.clone(), inputs.clone());
        let connection = self.connection.clone();
        self.threads.push(thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let what = read();
                let is_end = what.is_err();
                let what = what.unwrap_or_else(InputKind::Broken);
                let connection = Some(connection.load(Ordering::Relaxed));
                if inputs.send(Input { connection, what }).is_err() || is_end {
                    return;
                }
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A stop ends reads that block, and none that start later.
    #[test]
    fn a_read_that_begins_after_the_stop_is_ended_too() {
        let (stops, stopped) = mpsc::channel();
        let (begins, begun) = mpsc::channel();
        let (sender, _inputs) = mpsc::channel();
        let mut readers = Readers::default();
        readers.spawn(&sender, move || {
            begins.send(()).expect("the test waits for it");
            stopped.recv().map_err(io::Error::other)?;
            Err(io::ErrorKind::Interrupted.into())
        });
        let is_first = std::cell::Cell::new(true);
        let stop = || {
            // The first stop comes just before the read starts, and does not reach it.
            if !is_first.replace(false) {
                // The receiver is gone if the read has ended.
                let _ = stops.send(());
            }
            Ok(())
        };
        begun.recv().expect("it reads");
        readers.stop(stop).expect("it stops");
    }
}
