//! Words over a stream: their length in four bytes, then the words, each but the first behind a
//! zero.

use std::io::{self, Read, Write};

/// The limit of a message.
const MAX_BYTES: usize = 4 << 20;

/// Writes a message. Zeroes in words are left out.
pub(super) fn write<W: AsRef<str>>(mut stream: impl Write, words: &[W]) -> io::Result<()> {
    let words: Vec<_> = words.iter().map(|word| word.as_ref().replace('\0', "")).collect();
    let body = words.join("\0");
    if body.len() > MAX_BYTES {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_le_bytes(), body.as_bytes()].concat())
}

/// Reads a message; `None` at the end of the stream.
pub(super) fn read(mut stream: impl Read) -> io::Result<Option<Vec<String>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let body = String::from_utf8(body).map_err(io::Error::other)?;
    Ok(Some(body.split('\0').map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        let mut bytes = Vec::new();
        for words in [&["ip", "", "a b"][..], &["one\0"]] {
            write(&mut bytes, words).unwrap();
        }
        let mut stream = bytes.as_slice();
        assert_eq!(read(&mut stream).unwrap().unwrap(), ["ip", "", "a b"]);
        assert_eq!(read(&mut stream).unwrap().unwrap(), ["one"]);
        assert_eq!(read(&mut stream).unwrap(), None);
        assert!(read(&[255, 255, 255, 255, 0][..]).is_err());
        assert!(read(&[3, 0, 0, 0, 0][..]).is_err());
    }
}
