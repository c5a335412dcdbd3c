//! Reads the requests of the UAPI. Unlike `BufReader`, whose buffer keeps what was read, this
//! leaves no copy of the keys in a request: what follows it is moved to a new buffer, and the whole
//! old one is the request.

use std::io::{self, Read};

use zeroize::Zeroizing;

/// The size of a buffer for a short request.
const BUFFER_BYTES: usize = 4096;

/// Reads requests, each of which ends with an empty line.
pub(crate) struct RequestReader<R> {
    stream: R,
    buffer: Zeroizing<Vec<u8>>,
    /// How much of the buffer has been read from the stream.
    filled: usize,
    max_bytes: usize,
}

impl<R: Read> RequestReader<R> {
    /// A reader of requests of at most `max_bytes`.
    pub(crate) fn new(stream: R, max_bytes: usize) -> Self {
        Self { stream, buffer: Zeroizing::new(vec![0; BUFFER_BYTES]), filled: 0, max_bytes }
    }

    /// The lines of the next request, without the empty line at its end; `None` at the end of the
    /// stream.
    ///
    /// # Errors
    /// `UnexpectedEof` where the stream ends within a request, or the request is too long.
    pub(crate) fn next(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let mut searched = 0;
        loop {
            let read = &self.buffer[..self.filled];
            if let Some(end) = end_of_request(read, searched) {
                return Ok(Some(self.take(end)));
            }
            searched = self.filled;
            if self.filled >= self.max_bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.filled == self.buffer.len() {
                self.grow();
            }
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) if self.filled == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => self.filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the request, whose empty line ends at `end`.
    fn take(&mut self, end: usize) -> Zeroizing<Vec<u8>> {
        let rest = &self.buffer[end..self.filled];
        let mut next = Zeroizing::new(vec![0; rest.len().max(BUFFER_BYTES)]);
        next[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
        let mut request = std::mem::replace(&mut self.buffer, next);
        // What is behind is wiped with the request.
        request.truncate(end.saturating_sub(2));
        request
    }

    fn grow(&mut self) {
        let mut larger = Zeroizing::new(vec![0; self.buffer.len() * 2]);
        larger[..self.filled].copy_from_slice(&self.buffer[..self.filled]);
        self.buffer = larger;
    }
}

/// Where the first empty line ends, in bytes of which the first `searched` have none.
fn end_of_request(bytes: &[u8], searched: usize) -> Option<usize> {
    if bytes.first() == Some(&b'\n') {
        return Some(1);
    }
    let start = searched.saturating_sub(1);
    let found = bytes[start..].windows(2).position(|pair| pair == b"\n\n")?;
    Some(start + found + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most so many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let most = to.len().min(self.1);
            self.0.read(&mut to[..most])
        }
    }

    fn requests(text: &str, at_a_time: usize) -> Result<Vec<String>, io::ErrorKind> {
        let mut reader = RequestReader::new(Slow(text.as_bytes(), at_a_time), 20_000);
        let mut requests = Vec::new();
        while let Some(request) = reader.next().map_err(|error| error.kind())? {
            requests.push(String::from_utf8(request.to_vec()).unwrap());
        }
        Ok(requests)
    }

    #[test]
    fn requests_end_with_an_empty_line() {
        let long = "k=v\n".repeat(4000);
        let text = format!("get=1\n\n\nset=1\n{long}\nset=1\na=b\n\n");
        let long = format!("set=1\n{}", long.trim_end());
        for at_a_time in [1, 2, 3, 7, 4096, 1 << 20] {
            let found = requests(&text, at_a_time).unwrap();
            assert_eq!(found, ["get=1", "", &long, "set=1\na=b"], "{at_a_time}");
        }
    }

    #[test]
    fn a_request_that_is_cut_short_or_too_long_is_an_error() {
        for text in ["get=1", "get=1\n", "get=1\n\nset=1\n", &"k=v\n".repeat(6000)] {
            for at_a_time in [1, 4096] {
                let error = requests(text, at_a_time);
                assert_eq!(error, Err(io::ErrorKind::UnexpectedEof), "{at_a_time}");
            }
        }
    }
}
