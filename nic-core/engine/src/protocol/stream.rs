//! Message boundaries on a byte stream, such as TCP.

/// How a protocol delimits its messages on a byte stream.
///
/// The caller that owns the stream writes a prefix in front of each datagram that it sends, and
/// splits what it receives into messages, which it then classifies and opens like datagrams.
pub trait StreamFraming {
    /// The length of the prefix in front of each message.
    const PREFIX_BYTES: usize;

    /// Writes the prefix of a message. Returns false if the message is too long for the stream or
    /// `prefix` is not [`StreamFraming::PREFIX_BYTES`] long.
    fn write_prefix(message_bytes: usize, prefix: &mut [u8]) -> bool;

    /// Finds the first message in the received bytes.
    fn next_message(received: &[u8]) -> StreamMessage;
}

/// The first message in the bytes received from a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamMessage {
    /// More bytes are needed.
    Incomplete,
    /// The message follows the prefix and has this length.
    Complete {
        /// The length of the message, without the prefix.
        message_bytes: usize,
    },
    /// The stream can't be parsed and must be closed.
    Malformed,
}

/// The framing of a protocol without a stream transport.
pub struct DatagramsOnly;

impl StreamFraming for DatagramsOnly {
    const PREFIX_BYTES: usize = 0;

    fn write_prefix(_message_bytes: usize, _prefix: &mut [u8]) -> bool {
        false
    }

    fn next_message(_received: &[u8]) -> StreamMessage {
        StreamMessage::Malformed
    }
}
