//! The effects of ARM64 instructions (Arm Architecture Reference Manual for A-profile, C4.1: the
//! encodings by their fields).
//!
//! What isn't known to leave a general register alone counts as changing those that it names as its
//! result.

use crate::stack::code::{Flow, Instruction, Location, Source};

/// Register 31: the stack pointer in an address, zero otherwise.
const SP: u8 = 31;
/// Registers that a call may change (Microsoft, "Overview of ARM64 ABI conventions"), the link
/// register with them.
const VOLATILE: std::ops::Range<u8> = 0..18;
const LR: u8 = 30;

/// The instructions of code that starts at this address.
pub(crate) fn decode(code: &[u8], start: u32) -> Vec<Instruction> {
    let words =
        code.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    (start..)
        .step_by(4)
        .zip(words)
        .map(|(address, word)| instruction(address, Word(word)))
        .collect()
}

/// An instruction's bits.
#[derive(Clone, Copy)]
struct Word(u32);

impl Word {
    /// `count` bits from bit `from` on.
    const fn bits(self, from: u32, count: u32) -> u32 {
        self.0 >> from & ((1 << count) - 1)
    }

    /// The same, as a number with a sign.
    const fn signed(self, from: u32, count: u32) -> i32 {
        (self.0 << (32 - from - count)).cast_signed() >> (32 - count)
    }

    /// The register whose number starts at this bit.
    const fn register(self, from: u32) -> u8 {
        self.bits(from, 5) as u8
    }

    /// Whether the bits of `mask` are these.
    const fn is(self, mask: u32, bits: u32) -> bool {
        self.0 & mask == bits
    }
}

fn instruction(address: u32, word: Word) -> Instruction {
    let mut done =
        Instruction { address, flow: Flow::Next, clobbers: Vec::new(), writes: Vec::new() };
    match word.bits(25, 4) {
        0b1000 | 0b1001 => immediate(word, &mut done),
        0b1010 | 0b1011 => branch(word, &mut done),
        0b0100 | 0b0110 | 0b1100 | 0b1110 => load_or_store(word, &mut done),
        0b0101 | 0b1101 => register(word, &mut done),
        0b0111 | 0b1111 => vector(word, &mut done),
        // Not allocated: there is no way on.
        _ => done.flow = Flow::Stop,
    }
    done
}

impl Instruction {
    /// Writes a register.
    fn put(&mut self, register: u8, source: Source) {
        self.clobbers.push(register);
        self.writes.push((Location::register(register), source));
    }

    /// Clobbers a register, unless it is the zero register.
    fn change(&mut self, register: u8) {
        if register != SP {
            self.clobbers.push(register);
        }
    }
}

/// Data processing with an immediate.
fn immediate(word: Word, done: &mut Instruction) {
    let target = word.register(0);
    match word.bits(23, 3) {
        // adr, adrp
        0b000 | 0b001 => {
            let number = word.signed(5, 19) << 2 | word.bits(29, 2).cast_signed();
            let address = match word.bits(31, 1) {
                0 => done.address.wrapping_add_signed(number),
                _ => (done.address & !0xfff).wrapping_add_signed(number << 12),
            };
            done.put(target, Source::Address(address));
        }
        // add, adds, sub, subs
        0b010 => {
            let number = word.bits(10, 12) << (12 * word.bits(22, 1));
            let from = Location::register(word.register(5));
            match word.bits(29, 3) {
                0b100 if number == 0 => done.put(target, Source::Copy(from)),
                0b100 => done.put(target, Source::Offset(from, number)),
                0b110 | 0b000 | 0b010 => done.put(target, Source::Other),
                _ => done.change(target),
            }
        }
        // and, orr and eor may write the stack pointer; ands doesn't.
        0b100 if word.bits(29, 2) != 0b11 => done.put(target, Source::Other),
        _ => done.change(target),
    }
}

/// Branches and what concerns the system.
fn branch(word: Word, done: &mut Instruction) {
    let to = |from, count| done.address.wrapping_add_signed(word.signed(from, count) << 2);
    let register = Source::Copy(Location::register(word.register(5)));
    done.flow = if word.is(0xfc00_0000, 0x1400_0000) {
        Flow::Jump(to(0, 26))
    } else if word.is(0xfc00_0000, 0x9400_0000) {
        Flow::Call(to(0, 26))
    } else if word.is(0xff00_0000, 0x5400_0000) || word.is(0x7e00_0000, 0x3400_0000) {
        // b.cond; cbz, cbnz
        Flow::Branch(to(5, 19))
    } else if word.is(0x7e00_0000, 0x3600_0000) {
        // tbz, tbnz
        Flow::Branch(to(5, 14))
    } else if word.is(0xffff_fc1f, 0xd61f_0000) {
        Flow::JumpIndirect(register)
    } else if word.is(0xffff_fc1f, 0xd63f_0000) {
        Flow::CallIndirect(register)
    } else if word.is(0xffff_fc1f, 0xd65f_0000) || word.is(0xffff_fbff, 0xd65f_0bff) {
        // ret; retaa, retab
        Flow::Return
    } else if word.is(0xfe00_0000, 0xd600_0000) {
        // With pointer authentication.
        if word.bits(21, 1) == 1 {
            Flow::CallIndirect(Source::Other)
        } else {
            Flow::JumpIndirect(Source::Other)
        }
    } else if word.is(0xff00_0000, 0xd400_0000) {
        // svc, brk, hlt and the like
        Flow::Stop
    } else {
        // mrs and the like
        done.change(word.register(0));
        Flow::Next
    };
    if matches!(done.flow, Flow::Call(_) | Flow::CallIndirect(_)) {
        done.clobbers.extend(VOLATILE.chain([LR]));
    }
}

/// Loads and stores.
fn load_or_store(word: Word, done: &mut Instruction) {
    let is_vector = word.bits(26, 1) == 1;
    let (first, second, base) = (word.register(0), word.register(10), word.register(5));
    match word.bits(27, 3) {
        // Exclusive ones, and those of several vectors.
        0b001 => {
            for register in [first, second, word.register(16)] {
                done.change(register);
            }
            if is_vector && word.bits(23, 1) == 1 {
                done.clobbers.push(base);
            }
        }
        // A literal beside the code.
        0b011 if !is_vector => done.change(first),
        // Pairs
        0b101 => {
            let index = word.bits(23, 2);
            let size = if is_vector { 4 << word.bits(30, 2) } else { 4 << word.bits(31, 1) };
            let offset = i64::from(word.signed(15, 7)) * i64::from(size);
            let access = Access { base, index, offset, size, is_vector };
            access.done(word.bits(22, 1) == 1, &[first, second], done);
        }
        0b111 => {
            let kind = word.bits(22, 2);
            let scale = word.bits(30, 2) | if is_vector { (kind & 0b10) << 1 } else { 0 };
            let is_load = if is_vector { kind & 1 == 1 } else { kind != 0 };
            let access =
                |index, offset| Access { base, index, offset, size: 1 << scale, is_vector };
            if word.bits(24, 1) == 1 {
                let offset = i64::from(word.bits(10, 12)) << scale;
                access(OFFSET, offset).done(is_load, &[first], done);
            } else if word.bits(21, 1) == 0 {
                let index = match word.bits(10, 2) {
                    0b01 => AFTER,
                    0b11 => BEFORE,
                    _ => OFFSET,
                };
                access(index, word.signed(12, 9).into()).done(is_load, &[first], done);
            } else if !is_vector && is_load && word.bits(10, 2) == 0b10 {
                // By a register's offset.
                let table = Location::register(base);
                done.put(first, Source::TableEntry(table, 1 << scale));
            } else if !is_vector && word.bits(10, 2) != 0b10 {
                // Atomic ones.
                done.change(first);
            }
        }
        _ => {}
    }
}

/// Addressing: post-index, offset, pre-index.
const AFTER: u32 = 0b01;
const BEFORE: u32 = 0b11;
const OFFSET: u32 = 0b10;

/// An access relative to a register.
struct Access {
    base: u8,
    index: u32,
    offset: i64,
    /// Bytes of each register.
    size: u32,
    is_vector: bool,
}

impl Access {
    /// The effect of a load or store of these registers.
    fn done(&self, is_load: bool, registers: &[u8], done: &mut Instruction) {
        let is_changed = matches!(self.index, AFTER | BEFORE);
        let is_word = !self.is_vector && self.size == 8;
        let offset = if is_changed { 0 } else { self.offset };
        for (register, offset) in registers.iter().zip((offset..).step_by(self.size as usize)) {
            if is_load && !self.is_vector {
                let source = match u32::try_from(offset) {
                    _ if !is_word || is_changed => Source::Other,
                    _ if is_frame(self.base) => Source::Copy(self.slot(offset)),
                    Ok(offset) => Source::LoadOffset(Location::register(self.base), offset),
                    Err(_) => Source::Other,
                };
                if *register != SP {
                    done.put(*register, source);
                }
            } else if !is_load && is_frame(self.base) && !is_changed {
                let source = Source::Copy(Location::register(*register));
                // A word, or what lies over those that it may overwrite.
                if is_word {
                    done.writes.push((self.slot(offset), source));
                } else {
                    let first = offset & !7;
                    let last = offset + i64::from(self.size) - 1;
                    for slot in (first..=last).step_by(8) {
                        done.writes.push((self.slot(slot), Source::Other));
                    }
                }
            }
        }
        if is_changed {
            done.clobbers.push(self.base);
        }
    }

    const fn slot(&self, offset: i64) -> Location {
        Location { register: self.base, slot: Some(offset) }
    }
}

/// Whether a register points into the frame: the stack pointer and the frame pointer do.
const fn is_frame(register: u8) -> bool {
    matches!(register, SP | 29)
}

/// Data processing in registers.
fn register(word: Word, done: &mut Instruction) {
    let target = word.register(0);
    if word.is(0xffe0_ffe0, 0xaa00_03e0) {
        // mov, of a register or of zero
        let from = word.register(16);
        let source =
            if from == SP { Source::Other } else { Source::Copy(Location::register(from)) };
        done.put(target, source);
    } else if word.is(0xff20_0000, 0x8b00_0000) || word.is(0xffe0_0000, 0x8b20_0000) {
        // add
        let [base, other] = [5, 16].map(|from| Location::register(word.register(from)));
        done.put(target, Source::Sum(base, other));
    } else if word.is(0x3fe0_0000, 0x0b20_0000) {
        // add and sub of an extended register, which may write the stack pointer
        done.put(target, Source::Other);
    } else if !word.is(0x1fe0_0000, 0x1a40_0000) {
        // All but ccmp and ccmn
        done.change(target);
    }
}

/// Data processing in vector registers. Some write a general register.
fn vector(word: Word, done: &mut Instruction) {
    let is_conversion = word.is(0x5f20_0000, 0x1e20_0000);
    let is_copy = word.is(0x9fe0_8400, 0x0e00_0400);
    if is_conversion || is_copy {
        done.change(word.register(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(word: u32) -> Instruction {
        decode(&word.to_le_bytes(), 0x2004).remove(0)
    }

    const fn x(register: u8) -> Location {
        Location::register(register)
    }

    const fn on_stack(offset: i64) -> Location {
        Location { register: SP, slot: Some(offset) }
    }

    #[test]
    fn values_are_followed_through_registers_and_the_frame() {
        for (word, writes) in [
            (0xb000_0028, &[(x(8), Source::Address(0x7000))][..]), // adrp x8, .+5 pages
            (0x9104_8108, &[(x(8), Source::Offset(x(8), 0x120))]), // add x8, x8, #0x120
            (0xf940_9108, &[(x(8), Source::LoadOffset(x(8), 0x120))]), // ldr x8, [x8, #0x120]
            (0xaa08_03f3, &[(x(19), Source::Copy(x(8)))]),         // mov x19, x8
            (0xf900_0fe8, &[(on_stack(24), Source::Copy(x(8)))]),  // str x8, [sp, #24]
            (0xf940_0ff5, &[(x(21), Source::Copy(on_stack(24)))]), // ldr x21, [sp, #24]
            (
                0xa901_53f3,
                &[(on_stack(16), Source::Copy(x(19))), (on_stack(24), Source::Copy(x(20)))],
            ),
            // str q0, [sp, #16]
            (0x3d80_07e0, &[(on_stack(16), Source::Other), (on_stack(24), Source::Other)]),
            (0x8b0b_094a, &[(x(10), Source::Sum(x(10), x(11)))]), // add x10, x10, x11, lsl #2
            (0xf100_051f, &[]),                                   // cmp x8, #1
            (0xfa40_0904, &[]),                                   // ccmp x8, #0, #4, eq
        ] {
            assert_eq!(one(word).writes, writes, "{word:#x}");
        }
        assert_eq!(one(0xd280_0020).clobbers, [0]); // mov x0, #1
        assert_eq!(one(0xa9be_7bfd).clobbers, [SP]); // stp x29, x30, [sp, #-32]!
        assert!(one(0x6f00_e400).clobbers.is_empty()); // movi v0.2d, #0
        assert_eq!(one(0x9e66_0013).clobbers, [19]); // fmov x19, d0
    }

    #[test]
    fn branches_lead_where_they_say() {
        for (word, flow) in [
            (0x9400_0003, Flow::Call(0x2010)),
            (0x17ff_ffff, Flow::Jump(0x2000)),
            (0x5400_0040, Flow::Branch(0x200c)),
            (0xb400_0048, Flow::Branch(0x200c)), // cbz x8, .+8
            (0x3707_ffc8, Flow::Branch(0x1ffc)), // tbnz w8, #0, .-8
            (0xd63f_0100, Flow::CallIndirect(Source::Copy(x(8)))),
            (0xd61f_0100, Flow::JumpIndirect(Source::Copy(x(8)))),
            (0xd65f_03c0, Flow::Return),
            (0xd420_0020, Flow::Stop), // brk #1
            (0xd503_201f, Flow::Next), // nop
        ] {
            assert_eq!(one(word).flow, flow, "{word:#x}");
        }
    }
}
