//! Privileged instructions that an image may contain, and their emulation.

use core::fmt;
use core::ptr;

use nt_sys::ntdef::{DISPATCH_LEVEL, HIGH_LEVEL, KIRQL};

use super::module::Module;
use crate::irql::{self, Name};
use crate::ke::spin_lock;
use crate::violation::{Rule, stop_in_signal};

/// The indices of the registers 0 to 15 in a signal context.
const REGISTERS: [i32; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// The register with this number.
pub(super) fn register(context: &mut libc::ucontext_t, number: usize) -> Option<&mut i64> {
    let index = usize::try_from(*REGISTERS.get(number)?).ok()?;
    context.uc_mcontext.gregs.get_mut(index)
}

/// The address of the faulting instruction.
pub(crate) fn instruction(context: &libc::ucontext_t) -> usize {
    context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize
}

/// An access to the processor's IRQL: `mov reg, cr8` and `mov cr8, reg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cr8 {
    Read { register: usize },
    Write { register: usize },
}

impl Cr8 {
    const BYTES: i64 = 4;

    /// Decodes REX.R with or without REX.B, 0F 20 or 0F 22, and a ModRM byte with two registers,
    /// the first of them 0 (Intel SDM, volume 2, "MOV: Move to/from Control Registers").
    fn decode(code: [u8; 4]) -> Option<Self> {
        let [rex, 0x0f, opcode, modrm] = code else { return None };
        if rex & 0xf4 != 0x44 || modrm & 0xf8 != 0xc0 {
            return None;
        }
        let register = usize::from(modrm & 7) | usize::from(rex & 1) << 3;
        match opcode {
            0x20 => Some(Self::Read { register }),
            0x22 => Some(Self::Write { register }),
            _ => None,
        }
    }
}

/// Emulates a privileged instruction and skips it. Returns false if drivers may not use it.
///
/// # Safety
/// The context is that of a thread that faulted on the instruction, which lies in the image.
pub(crate) unsafe fn emulate(module: &Module, context: &mut libc::ucontext_t) -> bool {
    // SAFETY: as the caller promises.
    let code = unsafe { code::<4>(module, instruction(context)) };
    let Some(access) = code.and_then(Cr8::decode) else { return false };
    match access {
        Cr8::Read { register: number } => {
            let Some(register) = register(context, number) else { return false };
            *register = irql::current().into();
        }
        Cr8::Write { register: number } => {
            let Some(register) = register(context, number) else { return false };
            set_irql(*register);
        }
    }
    context.uc_mcontext.gregs[libc::REG_RIP as usize] += Cr8::BYTES;
    true
}

/// Applies the rules of KeRaiseIrql and KeLowerIrql, in a signal handler.
fn set_irql(level: i64) {
    let function = "mov cr8";
    let Some(level) = KIRQL::try_from(level).ok().filter(|level| *level <= HIGH_LEVEL) else {
        stop_in_signal(Rule::WRONG_IRQL, function, format_args!("sets IRQL {level}"));
    };
    if level < DISPATCH_LEVEL && spin_lock::held() != 0 {
        stop_in_signal(
            Rule::SPIN_LOCK_HELD,
            function,
            format_args!("lowers to {} with {} spin locks held", Name(level), spin_lock::held()),
        );
    }
    irql::set(level);
}

/// The kind of instruction that faulted, if it explains the fault.
pub(crate) struct Kind(Option<&'static str>);

impl Kind {
    /// # Safety
    /// As for [`emulate`].
    pub(crate) unsafe fn of(module: &Module, context: &libc::ucontext_t) -> Self {
        // SAFETY: as the caller promises.
        let Some(code) = (unsafe { code::<2>(module, instruction(context)) }) else {
            return Self(None);
        };
        Self(match code {
            [0x65, _] | [0xf0 | 0xf2 | 0xf3 | 0x66, 0x65] => {
                Some(" through GS: not a field that Microsoft's headers read")
            }
            [0xcd, 0x29] => Some(": __fastfail"),
            [0x0f, 0x0b] => Some(": ud2"),
            _ => None,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.unwrap_or_default())
    }
}

/// The first bytes of an instruction.
///
/// # Safety
/// The instruction was executed. Its bytes can be read, up to the end of the image.
pub(super) unsafe fn code<const N: usize>(module: &Module, address: usize) -> Option<[u8; N]> {
    if module.code(address)?.end - address < N {
        return None;
    }
    // SAFETY: in the image, whose executable pages are readable.
    Some(unsafe { ptr::with_exposed_provenance::<[u8; N]>(address).read() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_to_cr8_are_decoded() {
        // As assembled by llvm-mc: mov rax, cr8; mov r15, cr8; mov cr8, rcx; mov rax, cr0; mov cr3,
        // rax.
        let read = |register| Some(Cr8::Read { register });
        assert_eq!(Cr8::decode([0x44, 0x0f, 0x20, 0xc0]), read(0));
        assert_eq!(Cr8::decode([0x45, 0x0f, 0x20, 0xc7]), read(15));
        assert_eq!(Cr8::decode([0x44, 0x0f, 0x22, 0xc1]), Some(Cr8::Write { register: 1 }));
        assert_eq!(Cr8::decode([0x0f, 0x20, 0xc0, 0x90]), None);
        assert_eq!(Cr8::decode([0x0f, 0x22, 0xd8, 0x90]), None);
    }
}
