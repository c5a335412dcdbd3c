//! What functions that have returned left on the stack.

use core::arch::asm;

use crate::wipe;

/// Bytes of one frame of [`wipe_stack`].
const FRAME_BYTES: usize = 1000;

/// Overwrites `frames` times about 1 KiB of the stack below the caller's frame.
///
/// A value that is moved leaves a copy where it was, and a compiler spills registers: a function
/// that works with keys leaves pieces of them in its frame. Its caller, or a caller of that, calls
/// this when the work is done. Frames must reach as deep as that work did.
#[inline(never)]
pub fn wipe_stack(frames: usize) {
    let mut frame = [0_u8; FRAME_BYTES];
    // SAFETY: it is a local variable.
    unsafe { wipe(frame.as_mut_ptr(), FRAME_BYTES) };
    if frames > 1 {
        wipe_stack(frames - 1);
    }
    let start = &raw const frame;
    // SAFETY: no instruction. As the frame may be read here, it is not given up before the call.
    unsafe { asm!("/* {} */", in(reg) start, options(nostack, preserves_flags, readonly)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves a pattern on the stack, and says where.
    #[inline(never)]
    fn leave() -> *const u64 {
        let words = core::hint::black_box([0x5ec2_e75e_c2e7_5ec2_u64; 500]);
        core::hint::black_box(&raw const words).cast()
    }

    /// How much of the pattern is there.
    #[inline(never)]
    fn left(start: *const u64) -> usize {
        // SAFETY: none of these calls gives the pages of the stack back. Other code may write there
        // meanwhile, which changes the count and nothing else.
        let word = |index: usize| unsafe { start.wrapping_add(index).read_volatile() };
        (0..500).filter(|index| word(*index) == 0x5ec2_e75e_c2e7_5ec2).count()
    }

    #[test]
    fn what_was_left_is_overwritten() {
        let start = leave();
        assert!(left(start) > 250, "the test's own frame is not deep");
        wipe_stack(16);
        assert_eq!(left(start), 0);
    }
}
