//! The datagrams of a send request, prepared for `sendmmsg`.

use std::ptr;

use nt_sys::wsk::{WSK_BUF, WSK_BUF_LIST};

use super::address::Address;
use super::ancillary::AncillaryData;
use crate::mm::mdl;

/// The maximum number of messages in one `sendmmsg`.
const MAX_MESSAGES: usize = 64;
/// The maximum number of segments of a message (`UDP_MAX_SEGMENTS` before Linux 6.9).
const MAX_SEGMENTS: usize = 64;
/// The maximum size of a segmented message in bytes: that of a UDP datagram over IPv4.
const MAX_SEGMENTED_BYTES: usize = 65507;
/// The maximum number of pieces of a message (`UIO_MAXIOV`).
const MAX_PIECES: usize = 1024;

/// Datagrams, in order.
#[derive(Default)]
pub(super) struct Datagrams {
    pieces: Vec<libc::iovec>,
    datagrams: Vec<Datagram>,
}

// SAFETY: the pieces point to memory that the MDLs of a request describe. The driver leaves it
// alone until the request is completed.
unsafe impl Send for Datagrams {}

/// One datagram: the index after its last piece, and its length.
#[derive(Clone, Copy)]
struct Datagram {
    pieces_end: usize,
    bytes: usize,
}

/// Messages for one `sendmmsg`.
#[derive(Default)]
pub(super) struct Messages {
    headers: Vec<libc::mmsghdr>,
    /// The control messages of segmented messages.
    controls: Vec<AncillaryData>,
    /// The content of each message.
    pub(super) contents: Vec<Content>,
}

/// The content of a message.
#[derive(Clone, Copy)]
pub(super) struct Content {
    pub(super) datagrams: usize,
    pub(super) bytes: usize,
    /// The segment size, if Linux segments the message.
    pub(super) segment_bytes: Option<usize>,
}

/// A buffer of a request is longer than the MDLs that describe it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BadBuffer;

impl Datagrams {
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.datagrams.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Adds one datagram for each buffer of a list, or several if a buffer is segmented.
    ///
    /// # Safety
    /// The list and its MDL chains are valid and stay so until the request is completed.
    pub(super) unsafe fn push_list(
        &mut self,
        mut list: *const WSK_BUF_LIST,
        segment_bytes: Option<usize>,
    ) -> Result<(), BadBuffer> {
        while !list.is_null() {
            // SAFETY: as the caller promises.
            let entry = unsafe { *list };
            // SAFETY: as the caller promises.
            unsafe { self.push(&entry.Buffer, segment_bytes) }?;
            list = entry.Next;
        }
        Ok(())
    }

    /// Adds one datagram, or several if the buffer is segmented.
    ///
    /// # Safety
    /// The MDL chain is valid and stays so until the request is completed.
    pub(super) unsafe fn push(
        &mut self,
        buffer: &WSK_BUF,
        segment_bytes: Option<usize>,
    ) -> Result<(), BadBuffer> {
        let mut mdl = buffer.Mdl;
        let mut offset = buffer.Offset as usize;
        let mut left = buffer.Length;
        let segment_bytes = segment_bytes.unwrap_or(usize::MAX);
        let mut segment_left = segment_bytes.min(left);
        while left > 0 {
            if mdl.is_null() {
                return Err(BadBuffer);
            }
            // SAFETY: as the caller promises.
            let described = unsafe { &*mdl };
            let address = mdl::system_address(described).cast::<u8>();
            while left > 0 && offset < described.ByteCount as usize {
                let bytes = segment_left.min(described.ByteCount as usize - offset);
                let base = address.wrapping_add(offset).cast();
                self.pieces.push(libc::iovec { iov_base: base, iov_len: bytes });
                offset += bytes;
                left -= bytes;
                segment_left -= bytes;
                if segment_left == 0 && left > 0 {
                    self.end_datagram();
                    segment_left = segment_bytes.min(left);
                }
            }
            offset = offset.saturating_sub(described.ByteCount as usize);
            mdl = described.Next;
        }
        self.end_datagram();
        Ok(())
    }

    fn end_datagram(&mut self) {
        let start = self.pieces_end(self.datagrams.len());
        let bytes = self.pieces.iter().skip(start).map(|piece| piece.iov_len).sum();
        self.datagrams.push(Datagram { pieces_end: self.pieces.len(), bytes });
    }

    /// The end of the pieces of all earlier datagrams.
    fn pieces_end(&self, datagram: usize) -> usize {
        datagram
            .checked_sub(1)
            .and_then(|last| self.datagrams.get(last))
            .map_or(0, |d| d.pieces_end)
    }

    /// The datagrams from `first` on that fit one message: they have the same length, except that
    /// the last may be shorter.
    fn run(&self, first: usize, single: bool) -> Content {
        let rest = self.datagrams.get(first..).unwrap_or_default();
        let Some((head, rest)) = rest.split_first() else {
            return Content { datagrams: 0, bytes: 0, segment_bytes: None };
        };
        let mut content = Content { datagrams: 1, bytes: head.bytes, segment_bytes: None };
        if single || head.bytes == 0 {
            return content;
        }
        let pieces_start = self.pieces_end(first);
        for datagram in rest.iter().take(MAX_SEGMENTS - 1) {
            if datagram.bytes == 0
                || datagram.bytes > head.bytes
                || content.bytes + datagram.bytes > MAX_SEGMENTED_BYTES
                || datagram.pieces_end - pieces_start > MAX_PIECES
            {
                break;
            }
            content.datagrams += 1;
            content.bytes += datagram.bytes;
            content.segment_bytes = Some(head.bytes);
            if datagram.bytes < head.bytes {
                break;
            }
        }
        content
    }
}

impl Messages {
    /// Creates messages of the datagrams from `first` on. Datagrams before `single_until`, and
    /// those of at least `uncut_bytes`, get messages of their own.
    pub(super) fn prepare(
        &mut self,
        datagrams: &mut Datagrams,
        first: usize,
        single_until: usize,
        uncut_bytes: usize,
        remote: &Address,
        control: &AncillaryData,
    ) -> &mut [libc::mmsghdr] {
        self.headers.clear();
        self.contents.clear();
        // Headers point into this vector, which therefore must not grow.
        self.controls.clear();
        self.controls.reserve(MAX_MESSAGES);
        let mut next = first;
        while next < datagrams.len() && self.headers.len() < MAX_MESSAGES {
            let bytes = datagrams.datagrams.get(next).map_or(0, |datagram| datagram.bytes);
            let content = datagrams.run(next, next < single_until || bytes >= uncut_bytes);
            let pieces_start = datagrams.pieces_end(next);
            next += content.datagrams;
            let pieces_end = datagrams.pieces_end(next);
            let control = match content.segment_bytes {
                None => control,
                Some(bytes) => {
                    let mut cut = *control;
                    let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
                    cut.push(libc::SOL_UDP, libc::UDP_SEGMENT, &bytes.to_ne_bytes());
                    self.controls.push(cut);
                    self.controls.last().unwrap_or(control)
                }
            };
            let pieces = datagrams.pieces.get_mut(pieces_start..pieces_end).unwrap_or_default();
            self.headers.push(header(remote, control, pieces));
            self.contents.push(content);
        }
        &mut self.headers
    }
}

fn header(remote: &Address, control: &AncillaryData, pieces: &mut [libc::iovec]) -> libc::mmsghdr {
    let control_bytes = control.as_slice();
    // SAFETY: all zeros is a value of this C struct.
    let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
    header.msg_hdr.msg_name = remote.as_ptr().cast_mut().cast();
    header.msg_hdr.msg_namelen = remote.length();
    header.msg_hdr.msg_iov = pieces.as_mut_ptr();
    header.msg_hdr.msg_iovlen = pieces.len();
    header.msg_hdr.msg_control = if control_bytes.is_empty() {
        ptr::null_mut()
    } else {
        control_bytes.as_ptr().cast_mut().cast()
    };
    header.msg_hdr.msg_controllen = control_bytes.len();
    header
}
