//! The input of a packet as a sequence of blocks, each byte of which is read once.

#![allow(unsafe_code, reason = "the input may be the output: no reference to it")]

use core::ptr;

use crate::Source;

/// What is left of the input of a packet.
///
/// It yields pointers instead of references: with [`Source::InPlace`] the input is the output.
pub(super) struct Cursor<'a> {
    /// The fragments after `front`.
    rest: &'a [&'a [u8]],
    /// The unread part of the current fragment.
    front: *const u8,
    front_len: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first byte of `source`, whose output is `output`.
    pub(super) fn new(source: Source<'a>, output: &mut [u8]) -> Self {
        match source {
            Source::InPlace => Self { rest: &[], front: output.as_ptr(), front_len: output.len() },
            Source::Fragments([front, rest @ ..]) => {
                Self { rest, front: front.as_ptr(), front_len: front.len() }
            }
            Source::Fragments([]) => Self { rest: &[], front: ptr::null(), front_len: 0 },
        }
    }

    /// The next `len` bytes: where they lie if one fragment holds them all, else copied to `stage`,
    /// which is at least as long. Beyond the end of the input they are zeros. The pointer is valid
    /// as long as `stage` and the packet are.
    #[inline(always)]
    pub(super) fn take(&mut self, len: usize, stage: &mut [u8]) -> *const u8 {
        if self.front_len >= len {
            let taken = self.front;
            self.front = self.front.wrapping_add(len);
            self.front_len -= len;
            return taken;
        }
        self.copy(stage.get_mut(..len).unwrap_or_default());
        stage.as_ptr()
    }

    /// Fills `stage`; beyond the end of the input with zeros.
    #[inline(never)]
    pub(super) fn copy(&mut self, mut stage: &mut [u8]) {
        loop {
            let len = self.front_len.min(stage.len());
            let (filled, unfilled) = stage.split_at_mut(len);
            if len != 0 {
                // SAFETY: `front` has `front_len` readable bytes: it comes from a fragment, or from
                // the output, of which nothing else is borrowed while the cursor reads. `stage` is
                // a buffer of the caller's and overlaps neither.
                unsafe { ptr::copy_nonoverlapping(self.front, filled.as_mut_ptr(), len) };
            }
            self.front = self.front.wrapping_add(len);
            self.front_len -= len;
            stage = unfilled;
            if stage.is_empty() {
                return;
            }
            let Some((fragment, rest)) = self.rest.split_first() else {
                return stage.fill(0);
            };
            self.rest = rest;
            self.front = fragment.as_ptr();
            self.front_len = fragment.len();
        }
    }
}
