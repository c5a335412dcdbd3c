//! A TCP stream whose every byte is checked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::namespace::Namespace;

const CHUNK_BYTES: usize = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends `megabytes` to an echo server (see [`Peer::start_echo`](crate::peer::Peer::start_echo))
/// and checks what comes back.
///
/// # Errors
///
/// When a byte differs or is missing, or the stream stalls for 30 seconds.
pub fn echo(from: &Namespace, server: SocketAddr, megabytes: usize) -> Result<()> {
    let bytes = megabytes * 1024 * 1024;
    from.enter(|| {
        let stream = TcpStream::connect_timeout(&server, TIMEOUT).context("connecting")?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| send(&stream, bytes).context("sending"));
            receive(&stream, bytes).context("receiving")?;
            sender.join().map_err(|_| anyhow!("the sender panicked"))?
        })
    })
}

fn send(mut stream: &TcpStream, bytes: usize) -> Result<()> {
    let mut pattern = Pattern::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let length = left.min(CHUNK_BYTES);
        pattern.fill(&mut chunk[..length]);
        stream.write_all(&chunk[..length])?;
        left -= length;
    }
    Ok(())
}

fn receive(mut stream: &TcpStream, bytes: usize) -> Result<()> {
    let mut pattern = Pattern::default();
    let (mut chunk, mut expected) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    let mut received = 0;
    while received < bytes {
        let length = stream.read(&mut chunk)?;
        ensure!(length > 0, "{received} of {bytes} bytes came back");
        pattern.fill(&mut expected[..length]);
        ensure!(chunk[..length] == expected[..length], "a corrupt byte after {received}");
        received += length;
    }
    Ok(())
}

/// A stream of bytes without a short period (xorshift64*).
struct Pattern {
    state: u64,
    word: [u8; 8],
    used: usize,
}

impl Default for Pattern {
    fn default() -> Self {
        Self { state: 0x9E37_79B9_7F4A_7C15, word: [0; 8], used: 8 }
    }
}

impl Pattern {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == 8 {
                self.state ^= self.state >> 12;
                self.state ^= self.state << 25;
                self.state ^= self.state >> 27;
                self.word = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes();
                self.used = 0;
            }
            *byte = self.word[self.used];
            self.used += 1;
        }
    }
}
