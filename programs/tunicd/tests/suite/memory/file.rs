//! Files on the driver in memory. Data that is written to a file can be read from it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use nt_host::{Completed, CompletionPort, Operation};
use tunic::Transport;
use tunic::status::{STATUS_ACCESS_DENIED, STATUS_CANCELLED};
use tunicd::ioctl_socket::{Device, File, Started};

use super::MemoryDriver;

impl Device for MemoryDriver {
    fn open(&self) -> Result<Box<dyn File>, i32> {
        let state = Arc::clone(&self.state);
        if state.lock().unwrap().is_locked {
            return Err(STATUS_ACCESS_DENIED.cast_signed());
        }
        Ok(Box::new(MemoryFile { driver: MemoryDriver { state }, queue: Arc::default() }))
    }
}

struct MemoryFile {
    driver: MemoryDriver,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    written: VecDeque<Vec<u8>>,
    reads: Vec<(Arc<CompletionPort>, u64)>,
}

struct Read {
    queue: Arc<Mutex<Queue>>,
    key: u64,
}

impl File for MemoryFile {
    fn start(
        &self,
        operation: Operation<'_>,
        port: &Arc<CompletionPort>,
        key: u64,
    ) -> Box<dyn Started> {
        let mut queue = self.queue.lock().unwrap();
        match operation {
            Operation::Ioctl { code, input, output } => {
                let mut output = output.to_vec();
                let reply = self.driver.ioctl(code, input, &mut output).unwrap();
                let information = usize::try_from(reply.information).unwrap();
                port.post(
                    key,
                    Completed {
                        status: reply.status.cast_signed(),
                        information,
                        output: output.into(),
                    },
                );
            }
            Operation::Read { .. } => {
                queue.reads.push((Arc::clone(port), key));
                queue.match_up();
            }
            Operation::Write { data } => {
                queue.written.push_back(data.to_vec());
                port.post(key, completed(0, data.len(), Vec::new()));
                queue.match_up();
            }
        }
        Box::new(Read { queue: Arc::clone(&self.queue), key })
    }
}

impl Queue {
    fn match_up(&mut self) {
        while !self.reads.is_empty()
            && let Some(data) = self.written.pop_front()
        {
            let (port, key) = self.reads.remove(0);
            port.post(key, completed(0, data.len(), data));
        }
    }
}

impl Started for Read {
    fn cancel(&self) {
        let reads = &mut self.queue.lock().unwrap().reads;
        if let Some(index) = reads.iter().position(|(_, key)| *key == self.key) {
            let (port, key) = reads.remove(index);
            port.post(key, completed(STATUS_CANCELLED.cast_signed(), 0, Vec::new()));
        }
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        for (port, key) in self.queue.lock().unwrap().reads.drain(..) {
            port.post(key, completed(STATUS_CANCELLED.cast_signed(), 0, Vec::new()));
        }
    }
}

fn completed(status: i32, information: usize, output: Vec<u8>) -> Completed {
    Completed { status, information, output: output.into() }
}
