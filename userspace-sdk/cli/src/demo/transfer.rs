//! Bulk data through a stream, every byte of it checked.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::pattern::Pattern;

/// What a transfer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// Bytes that arrived.
    pub(crate) bytes: u64,
    /// Bytes that were sent.
    pub(crate) sent_bytes: u64,
    /// From the first byte to the last, at the receiver.
    pub(crate) time: Duration,
    /// Where the first piece began that was not what was sent.
    pub(crate) corrupt_at: Option<u64>,
}

/// Sends the pattern for so long, and reads it to its end. `arrived` is kept up to date meanwhile. The sender is dropped to end
/// the stream.
pub(crate) fn transfer(
    mut sender: impl Write + Send,
    mut receiver: impl Read,
    duration: Duration,
    pattern: &Pattern,
    arrived: &AtomicU64,
) -> io::Result<Transfer> {
    thread::scope(|scope| {
        let sending = scope.spawn(move || -> io::Result<u64> {
            let end = Instant::now() + duration;
            let mut offset = 0;
            while Instant::now() < end {
                let piece = pattern.at(offset);
                let length = sender.write(&piece[..piece.len().min(64 << 10)])?;
                offset += length as u64;
            }
            sender.flush()?;
            Ok(offset)
        });
        let mut buffer = vec![0; 256 << 10];
        let mut transfer =
            Transfer { bytes: 0, sent_bytes: 0, time: Duration::ZERO, corrupt_at: None };
        let mut first = None;
        loop {
            let length = receiver.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            let start = *first.get_or_insert_with(Instant::now);
            if transfer.corrupt_at.is_none() && !pattern.matches(transfer.bytes, &buffer[..length])
            {
                transfer.corrupt_at = Some(transfer.bytes);
            }
            transfer.bytes += length as u64;
            transfer.time = start.elapsed();
            arrived.fetch_add(length as u64, Ordering::Relaxed);
        }
        let sent = sending.join().map_err(|_| io::Error::other("the sender panicked"))?;
        transfer.sent_bytes = sent?;
        Ok(transfer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    /// Flips a bit of one byte.
    struct Flip<R>(R, u64);

    impl<R: Read> Read for Flip<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.read(buffer)?;
            if let Some(byte) = usize::try_from(self.1).ok().and_then(|place| buffer.get_mut(place)) {
                *byte ^= 1;
            }
            self.1 = self.1.saturating_sub(length as u64);
            if self.1 == 0 {
                self.1 = u64::MAX;
            }
            Ok(length)
        }
    }

    #[test]
    fn what_is_sent_arrives_and_what_is_flipped_shows() {
        let (pattern, arrived) = (Pattern::new(), AtomicU64::new(0));
        let duration = Duration::from_millis(20);
        let (sender, receiver) = UnixStream::pair().unwrap();
        let clean = transfer(sender, receiver, duration, &pattern, &arrived).unwrap();
        assert!(clean.bytes > 0 && clean.bytes == clean.sent_bytes && clean.corrupt_at.is_none());
        assert_eq!(arrived.load(Ordering::Relaxed), clean.bytes);

        let (sender, receiver) = UnixStream::pair().unwrap();
        let flipped =
            transfer(sender, Flip(receiver, 70_000), duration, &pattern, &arrived).unwrap();
        assert!(flipped.corrupt_at.is_some_and(|offset| offset <= 70_000));
    }
}
