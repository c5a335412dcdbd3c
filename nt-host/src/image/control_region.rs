//! The processor control region, to which GS points in the kernel: the reads that Microsoft's
//! headers contain inline.
//!
//! GS is not set here, so that each access faults. The fault handler emulates the reads of two
//! fields. The other fields are not for drivers.

use super::module::Module;
use super::trap;
use crate::ke::processor;
use crate::ps::thread;

/// wdm.h (amd64), `_KeGetCurrentThread`: 8 bytes.
const CURRENT_THREAD: u32 = 0x188;

/// ntddk.h (amd64), `KeGetCurrentProcessorNumber`: one byte.
const PROCESSOR_NUMBER: u32 = 0x184;

/// A read of the region: `mov r64, gs:[offset]` or `movzx r32, byte gs:[offset]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Read {
    register: usize,
    offset: u32,
    bytes: u8,
    /// The length of the instruction in bytes.
    length: u8,
}

impl Read {
    /// Decodes the GS prefix, REX, an opcode, and ModRM and SIB bytes for a 32-bit displacement
    /// without registers (Intel SDM, volume 2, "Instruction Format").
    fn decode(code: [u8; 10]) -> Option<Self> {
        let [0x65, code @ ..] = &code else { return None };
        let (rex, code, mut length) = match code {
            [rex @ 0x40..=0x4f, code @ ..] => (*rex, code, 2),
            [code @ .., _] => (0, code, 1),
        };
        let (bytes, code) = match code {
            [0x8b, modrm @ ..] if rex & 8 != 0 => (8, modrm.first_chunk::<6>()?),
            [0x0f, 0xb6, modrm @ ..] => (1, modrm.first_chunk::<6>()?),
            _ => return None,
        };
        let [modrm, 0x25, offset @ ..] = *code else { return None };
        if modrm & 0xc7 != 0x04 || rex & 3 != 0 {
            return None;
        }
        length += if bytes == 8 { 7 } else { 8 };
        let register = usize::from(modrm >> 3 & 7) | usize::from(rex & 4) << 1;
        Some(Self { register, offset: u32::from_le_bytes(offset), bytes, length })
    }
}

/// Emulates a read of the region and skips the instruction. Returns false for any other instruction
/// or field.
///
/// # Safety
/// The context is that of a thread that faulted on the instruction, which lies in the image.
pub(crate) unsafe fn emulate(module: &Module, context: &mut libc::ucontext_t) -> bool {
    // SAFETY: as the caller promises.
    let code = unsafe { trap::code::<10>(module, trap::instruction(context)) };
    let Some(read) = code.and_then(Read::decode) else { return false };
    let value = match (read.offset, read.bytes) {
        (CURRENT_THREAD, 8) => thread::current().expose_provenance() as u64,
        (PROCESSOR_NUMBER, 1) => u64::from(processor::current()),
        _ => return false,
    };
    let Some(register) = trap::register(context, read.register) else { return false };
    *register = value.cast_signed();
    context.uc_mcontext.gregs[libc::REG_RIP as usize] += i64::from(read.length);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_decoded() {
        // As assembled by GNU as: mov rax, gs:[0x188]; mov r9, gs:[0x188].
        let thread =
            |register| Some(Read { register, offset: CURRENT_THREAD, bytes: 8, length: 9 });
        assert_eq!(Read::decode([0x65, 0x48, 0x8b, 0x04, 0x25, 0x88, 1, 0, 0, 0x90]), thread(0));
        assert_eq!(Read::decode([0x65, 0x4c, 0x8b, 0x0c, 0x25, 0x88, 1, 0, 0, 0x90]), thread(9));
        // movzx eax, byte ptr gs:[0x184]; movzx r10d, byte ptr gs:[0x184].
        let processor =
            |register, length| Some(Read { register, offset: PROCESSOR_NUMBER, bytes: 1, length });
        let code = [0x65, 0x0f, 0xb6, 0x04, 0x25, 0x84, 1, 0, 0, 0x90];
        assert_eq!(Read::decode(code), processor(0, 9));
        let code = [0x65, 0x44, 0x0f, 0xb6, 0x14, 0x25, 0x84, 1, 0, 0];
        assert_eq!(Read::decode(code), processor(10, 10));
        // mov eax, gs:[0x188]; mov rax, fs:[0x188]; mov rax, gs:[rcx + 0x188]; mov gs:[0x188], rax.
        assert_eq!(Read::decode([0x65, 0x8b, 0x04, 0x25, 0x88, 1, 0, 0, 0x90, 0x90]), None);
        assert_eq!(Read::decode([0x64, 0x48, 0x8b, 0x04, 0x25, 0x88, 1, 0, 0, 0x90]), None);
        assert_eq!(Read::decode([0x65, 0x48, 0x8b, 0x81, 0x88, 1, 0, 0, 0x90, 0x90]), None);
        assert_eq!(Read::decode([0x65, 0x48, 0x89, 0x04, 0x25, 0x88, 1, 0, 0, 0x90]), None);
    }
}
