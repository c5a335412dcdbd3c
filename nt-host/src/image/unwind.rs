//! Call stacks of images, by their unwind data (`.pdata`, `.xdata`; "x64 exception handling").
//!
//! Linux cannot walk these frames. They are only printed in reports; nothing is unwound. The list
//! ends where the data makes no sense.

use core::ffi::{c_int, c_void};
use core::ops::Range;
use core::ptr;

use super::module::{Module, find};
use super::trap;
use crate::stack;

// SAFETY 1: the unwinder's context is valid during its callback.

/// Frames that are shown.
const MAX_FRAMES: usize = 32;

/// The state of a thread in a frame, as far as it is needed to find the next frame.
#[derive(Clone, Copy)]
struct Frame {
    address: usize,
    /// By register number; 4 is the stack pointer.
    registers: [usize; 16],
}

const STACK_POINTER: usize = 4;

/// Prints the frames of the image in which a thread faulted.
pub(crate) fn print_frames(context: &mut libc::ucontext_t) {
    let address = trap::instruction(context);
    let registers = core::array::from_fn(|number| {
        trap::register(context, number).map_or(0, |register| register.cast_unsigned() as usize)
    });
    print(Frame { address, registers });
}

/// Prints the image's frames that called the host, up to the host's call of the driver.
pub(crate) fn print_callers() {
    let mut caller = None;
    // SAFETY: the callback gets the second argument, before this returns.
    unsafe { _Unwind_Backtrace(find_image, (&raw mut caller).cast()) };
    if let Some(frame) = caller {
        print(frame);
    }
}

fn print(mut frame: Frame) {
    let Some(stack) = stack::driver_stack() else { return };
    let mut module = find(frame.address);
    // A call to an address without code: the caller's address is on the stack.
    if module.is_none() || module.as_ref().is_some_and(|module| module.is_unloaded()) {
        if leave(&mut frame, &stack).is_none() {
            return;
        }
        module = find(frame.address);
    }
    let Some(first) = module else { return };
    let symbols = first.symbols();
    for number in 0..MAX_FRAMES {
        let Some(module) = find(frame.address) else { return };
        // A return address lies behind the call.
        let address = frame.address - usize::from(number != 0);
        let name = symbols.as_ref().and_then(|symbols| module.function_name(symbols, address));
        eprintln!("  {} {}", module.locate(address), name.unwrap_or_default());
        if step(&module, &mut frame, &stack).is_none() {
            return;
        }
    }
}

/// Goes to the caller's frame.
fn step(module: &Module, frame: &mut Frame, stack: &Range<usize>) -> Option<()> {
    let image = Image::of(module)?;
    let offset = frame.address.checked_sub(module.range().start)?;
    if let Some(mut function) = image.function(module.functions(), offset) {
        let mut prolog = offset - function.start;
        while let Some(chained) = undo(&image, function.unwind, prolog, frame, stack)? {
            function = chained;
            // The whole prolog was executed.
            prolog = usize::MAX;
        }
    }
    leave(frame, stack)
}

/// Undoes a call: the caller's address is at the top of the stack.
fn leave(frame: &mut Frame, stack: &Range<usize>) -> Option<()> {
    frame.address = pop(frame, stack)?;
    Some(())
}

/// Undoes the prolog of a function up to an offset. Returns the function that it is a part of, if
/// any.
fn undo(
    image: &Image,
    unwind: usize,
    prolog: usize,
    frame: &mut Frame,
    stack: &Range<usize>,
) -> Option<Option<Function>> {
    let [head, _, count, frame_register] = image.read(unwind)?;
    let count = usize::from(count);
    let code = |index: usize| image.read::<2>(unwind + 4 + index * 2);
    let slot = |index: usize| code(index).map(|slot| usize::from(u16::from_le_bytes(slot)));
    let wide_slot = |index: usize| Some(slot(index)? | slot(index + 1)? << 16);
    // Offsets of saved registers count from the fixed part of the frame.
    let set_frame = frame_register & 0xf;
    let frame_offset = usize::from(frame_register >> 4) * 16;
    let fixed = if set_frame == 0 {
        frame.registers[STACK_POINTER]
    } else {
        frame.registers[usize::from(set_frame)].wrapping_sub(frame_offset)
    };
    let mut index = 0;
    while index < count {
        let [at, operation] = code(index)?;
        let (operation, info) = (operation & 0xf, usize::from(operation >> 4));
        let was_done = usize::from(at) <= prolog;
        let mut slots = 1;
        let saved = |frame: &mut Frame, offset: usize| {
            if was_done {
                frame.registers[info] = read(fixed.checked_add(offset)?, stack)?;
            }
            Some(())
        };
        let mut allocated = 0;
        match operation {
            // UWOP_PUSH_NONVOL
            0 if was_done => frame.registers[info] = pop(frame, stack)?,
            0 => {}
            // UWOP_ALLOC_LARGE
            1 if info == 0 => {
                slots = 2;
                allocated = slot(index + 1)? * 8;
            }
            1 => {
                slots = 3;
                allocated = wide_slot(index + 1)?;
            }
            // UWOP_ALLOC_SMALL
            2 => allocated = info * 8 + 8,
            // UWOP_SET_FPREG
            3 if was_done => frame.registers[STACK_POINTER] = fixed,
            3 => {}
            // UWOP_SAVE_NONVOL, and its form with a far offset
            4 => {
                slots = 2;
                saved(frame, slot(index + 1)? * 8)?;
            }
            5 => {
                slots = 3;
                saved(frame, wide_slot(index + 1)?)?;
            }
            // UWOP_EPILOG, UWOP_SAVE_XMM128 and its form with a far offset: not needed to find a
            // frame
            6 | 8 => slots = 2,
            9 => slots = 3,
            _ => return None,
        }
        if was_done {
            let top = &mut frame.registers[STACK_POINTER];
            *top = top.checked_add(allocated)?;
        }
        index += slots;
    }
    // UNW_FLAG_CHAININFO: the parent function follows, behind an even number of codes.
    if head >> 3 & 4 == 0 {
        return Some(None);
    }
    Function::read(image, unwind + 4 + count.next_multiple_of(2) * 2).map(Some)
}

/// An entry of the function table (`RUNTIME_FUNCTION`).
struct Function {
    start: usize,
    end: usize,
    unwind: usize,
}

impl Function {
    const BYTES: usize = 12;

    fn read(image: &Image, place: usize) -> Option<Self> {
        let word = |index: usize| Some(u32::from_le_bytes(image.read(place + index * 4)?) as usize);
        Some(Self { start: word(0)?, end: word(1)?, unwind: word(2)? })
    }
}

/// The readable memory of an image.
struct Image {
    range: Range<usize>,
}

impl Image {
    fn of(module: &Module) -> Option<Self> {
        (!module.is_unloaded()).then(|| Self { range: module.range() })
    }

    /// The function at an offset. A function without an entry has no frame.
    fn function(&self, table: Range<usize>, offset: usize) -> Option<Function> {
        (table.start..table.end)
            .step_by(Function::BYTES)
            .filter_map(|place| Function::read(self, place))
            .find(|function| (function.start..function.end).contains(&offset))
    }

    /// Bytes at an offset.
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let start = self.range.start.checked_add(offset)?;
        if start.checked_add(N)? > self.range.end {
            return None;
        }
        // SAFETY: within the image. Its own tables refer to these bytes, which lie in readable
        // sections.
        Some(unsafe { ptr::with_exposed_provenance::<[u8; N]>(start).read() })
    }
}

/// A word of the driver's stack.
fn read(address: usize, stack: &Range<usize>) -> Option<usize> {
    if !address.is_multiple_of(8) || !stack.contains(&address) || stack.end - address < 8 {
        return None;
    }
    // SAFETY: an aligned word of this thread's stack.
    Some(unsafe { ptr::with_exposed_provenance::<usize>(address).read_volatile() })
}

fn pop(frame: &mut Frame, stack: &Range<usize>) -> Option<usize> {
    let word = read(frame.registers[STACK_POINTER], stack)?;
    frame.registers[STACK_POINTER] += 8;
    Some(word)
}

/// From the C++ ABI for exceptions, which the platform's unwinder implements.
#[repr(C)]
struct UnwindContext {
    _private: [u8; 0],
}

// SAFETY: as the Itanium C++ ABI for exceptions, level I, declares them.
unsafe extern "C" {
    fn _Unwind_Backtrace(
        callback: unsafe extern "C" fn(*mut UnwindContext, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut UnwindContext) -> usize;
    fn _Unwind_GetCFA(context: *mut UnwindContext) -> usize;
    fn _Unwind_GetGR(context: *mut UnwindContext, register: c_int) -> usize;
}

/// Stops at the first frame in an image, and stores it.
///
/// # Safety
/// The argument is that of [`print_callers`].
unsafe extern "C" fn find_image(context: *mut UnwindContext, found: *mut c_void) -> c_int {
    /// The nonvolatile registers, by their numbers in instructions and in DWARF (System V ABI,
    /// figure 3.36).
    const KEPT: [(usize, c_int); 8] =
        [(3, 3), (5, 6), (6, 4), (7, 5), (12, 12), (13, 13), (14, 14), (15, 15)];
    // SAFETY: 1.
    let address = unsafe { _Unwind_GetIP(context) };
    if find(address).is_none() {
        // _URC_NO_REASON: go on.
        return 0;
    }
    let mut registers = [0; 16];
    for (number, dwarf) in KEPT {
        // SAFETY: 1.
        registers[number] = unsafe { _Unwind_GetGR(context, dwarf) };
    }
    // SAFETY: 1.
    registers[STACK_POINTER] = unsafe { _Unwind_GetCFA(context) };
    // SAFETY: as the caller promises.
    unsafe { found.cast::<Option<Frame>>().write(Some(Frame { address, registers })) };
    // _URC_NORMAL_STOP
    4
}
