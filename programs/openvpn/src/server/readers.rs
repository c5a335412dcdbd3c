//! Threads that read from the data channel.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::input::Input;
use crate::data_channel::DataChannel;

/// Interval between checks for finished threads.
const POLL: Duration = Duration::from_millis(5);

/// The reader threads.
pub(super) struct Readers {
    data: Arc<dyn DataChannel>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(data: &Arc<dyn DataChannel>, sender: &SyncSender<Input>) -> Self {
        let mut readers = Self { data: data.clone(), threads: Vec::new() };
        let events = data.clone();
        readers.spawn(sender, move || events.next_event().map(Input::Event));
        let datagrams = data.clone();
        readers.spawn(sender, move || {
            datagrams.receive_control().map(|(from, datagram)| Input::Datagram(from, datagram))
        });
        readers
    }

    fn spawn(
        &mut self,
        sender: &SyncSender<Input>,
        next: impl Fn() -> io::Result<Input> + Send + 'static,
    ) {
        let sender = sender.clone();
        self.threads.push(thread::spawn(move || {
            loop {
                let input = next();
                let is_last = input.is_err();
                if sender.send(input.unwrap_or_else(Input::Gone)).is_err() || is_last {
                    return;
                }
            }
        }));
    }

    /// Stops the data channel, and waits until the threads have ended.
    pub(super) fn stop(self, inputs: Receiver<Input>) -> io::Result<()> {
        // Ends threads that wait for room in the queue.
        drop(inputs);
        loop {
            // Repeated: a thread that was between two reads has started the next one since.
            let stopped = self.data.stop();
            if self.threads.iter().all(JoinHandle::is_finished) {
                return stopped;
            }
            thread::park_timeout(POLL);
        }
    }
}
