//! Pool memory. Every block has a tag, checked borders, and is kept for a while after its free.
//!
//! A block lies between two borders of known bytes. A freed block is filled with [`FREED`] and kept
//! for a while: a second free is recognized, and a write to the block is found when its memory is
//! released or at unload. In guard-page mode ([`guard_pages`]) each block ends at an inaccessible
//! page, and a freed block becomes inaccessible, so that the offending access itself ends the
//! process.
//!
//! Low resources are simulated by making one allocation fail ([`fail_allocation`]). Every
//! allocating function of the host calls [`admit`] first.

use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::heap;
use crate::ke::{active_object, lock_order};
use crate::violation::{Rule, stop};

/// The byte with which freed memory is filled.
pub const FREED: u8 = 0xdf;
/// The byte with which new memory is filled, unless it is zeroed.
pub const UNINITIALIZED: u8 = 0xcd;

const HEAD: u8 = 0xa5;
const TAIL: u8 = 0x5a;
const HEAD_BYTES: usize = 64;
const TAIL_BYTES: usize = 16;
const PAGE: usize = 4096;

/// Limits of the freed blocks that are kept.
const KEPT_BLOCKS: usize = 4096;
const KEPT_BYTES: usize = 32 << 20;

/// A pool tag: four characters, the first in the lowest byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub u32);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.to_le_bytes() {
            let character = if byte.is_ascii_graphic() || byte == b' ' { byte } else { b'.' };
            fmt::Write::write_char(f, char::from(character))?;
        }
        Ok(())
    }
}

/// The owner of a block. Leaks of the driver's blocks are reported at unload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Allocated by the driver, directly or as an object (an MDL, an IRP) that it must free.
    Driver,
    /// Allocated by the host.
    Host,
}

/// The parameters of an allocation.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The owner.
    pub owner: Owner,
    /// The tag.
    pub tag: u32,
    /// Whether the block is zeroed. Otherwise it is filled with [`UNINITIALIZED`].
    pub zeroed: bool,
    /// The alignment in bytes: a power of two, at least 16 and at most a page.
    pub alignment: usize,
}

#[derive(Clone, Copy)]
struct Block {
    bytes: usize,
    tag: u32,
    owner: Owner,
    /// The number of the allocation, counted from the boot.
    number: u64,
    memory: Memory,
}

/// The memory of a block.
#[derive(Clone, Copy)]
enum Memory {
    /// On the heap: address and layout.
    Heap { base: usize, bytes: usize, alignment: usize },
    /// On pages of its own: address and length, including the guard page at the end.
    Pages { base: usize, bytes: usize },
}

#[derive(Default)]
struct Pool {
    live: BTreeMap<usize, Block>,
    freed: BTreeMap<usize, Block>,
    /// The addresses of `freed`, in the order of their frees.
    kept: VecDeque<usize>,
    kept_bytes: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    live: BTreeMap::new(),
    freed: BTreeMap::new(),
    kept: VecDeque::new(),
    kept_bytes: 0,
});
static GUARD_PAGES: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
/// The number of the allocation that fails; 0 for none.
static FAIL_AT: AtomicU64 = AtomicU64::new(0);

/// Allocates each further block on pages of its own, followed by a guard page.
pub fn guard_pages(on: bool) {
    GUARD_PAGES.store(on, Ordering::Relaxed);
}

/// Makes the `n`-th allocation from now fail, once: 1 is the next one. 0 cancels this.
pub fn fail_allocation(n: u64) {
    let at = if n == 0 { 0 } else { COUNT.load(Ordering::SeqCst).wrapping_add(n) };
    FAIL_AT.store(at, Ordering::SeqCst);
}

/// The number of allocations since the boot.
#[must_use]
pub fn allocation_count() -> u64 {
    COUNT.load(Ordering::SeqCst)
}

/// Counts an allocation on the driver's behalf. Returns false if the allocation must fail.
#[must_use]
pub fn admit() -> bool {
    let number = COUNT.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
    FAIL_AT.compare_exchange(number, 0, Ordering::SeqCst, Ordering::Relaxed).is_err()
}

/// Allocates a block. Returns null if there is no memory. Does not call [`admit`].
#[must_use]
pub fn allocate(bytes: usize, request: Request) -> *mut u8 {
    let alignment = request.alignment.clamp(16, PAGE);
    let Some(address) = (if GUARD_PAGES.load(Ordering::Relaxed) {
        allocate_pages(bytes, alignment)
    } else {
        allocate_heap(bytes, alignment)
    }) else {
        return ptr::null_mut();
    };
    let (start, memory) = address;
    let pointer = ptr::with_exposed_provenance_mut::<u8>(start);
    let fill = if request.zeroed { 0 } else { UNINITIALIZED };
    // SAFETY: the block has `bytes` bytes from `start`.
    unsafe { pointer.write_bytes(fill, bytes) };
    let number = COUNT.load(Ordering::Relaxed);
    let block = Block { bytes, tag: request.tag, owner: request.owner, number, memory };
    lock().live.insert(start, block);
    pointer
}

/// Frees a block. `tag` must match, or be 0.
///
/// # Safety
/// Nothing uses the block any more.
pub unsafe fn free(function: &str, pointer: *mut u8, tag: u32) {
    let start = pointer.expose_provenance();
    let mut pool = lock();
    let Some(block) = pool.live.get(&start).copied() else {
        let freed = pool.freed.get(&start).copied();
        drop(pool);
        match freed {
            Some(block) => stop(
                Rule::DOUBLE_FREE,
                function,
                format_args!("the block {block} at {pointer:p} was freed before"),
            ),
            None => stop(
                Rule::BAD_FREE,
                function,
                format_args!("{pointer:p} is not the start of a pool block"),
            ),
        }
    };
    if tag != 0 && tag != block.tag {
        drop(pool);
        stop(
            Rule::WRONG_TAG,
            function,
            format_args!("the block {block} at {pointer:p} is freed with tag '{}'", Tag(tag)),
        );
    }
    pool.live.remove(&start);
    check_surroundings(function, start, &block);
    active_object::require_none(function, start, block.bytes);
    lock_order::forget(start..start + block.bytes);
    poison(start, &block);
    pool.freed.insert(start, block);
    pool.kept.push_back(start);
    pool.kept_bytes += block.bytes;
    while pool.kept.len() > KEPT_BLOCKS || pool.kept_bytes > KEPT_BYTES {
        let Some(oldest) = pool.kept.pop_front() else { break };
        let Some(block) = pool.freed.remove(&oldest) else { break };
        pool.kept_bytes -= block.bytes;
        check_freed(oldest, &block);
        release(&block);
    }
}

/// The size of the live block that starts at `pointer`, if there is one.
#[must_use]
pub fn block_bytes(pointer: *const u8) -> Option<usize> {
    lock().live.get(&pointer.addr()).map(|block| block.bytes)
}

/// The tag of the freed block that starts here, if it is still kept.
pub(crate) fn freed_tag(pointer: *const u8) -> Option<u32> {
    lock().freed.get(&pointer.addr()).map(|block| block.tag)
}

/// Lists what the driver has not freed, one line for each block.
#[must_use]
pub fn leaks() -> Vec<String> {
    let mut leaks: Vec<String> = lock()
        .live
        .iter()
        .filter(|(_, block)| block.owner == Owner::Driver)
        .map(|(start, block)| format!("pool block {block} at {start:#x}"))
        .collect();
    let (blocks, bytes) = heap::usage();
    if blocks > 0 {
        leaks.push(format!("{blocks} blocks of {bytes} bytes of the driver's heap"));
    }
    leaks
}

/// Blocks and bytes that the driver has allocated.
#[must_use]
pub fn usage() -> (usize, usize) {
    let pool = lock();
    let blocks = pool.live.values().filter(|block| block.owner == Owner::Driver);
    blocks.fold(heap::usage(), |(count, bytes), block| (count + 1, bytes + block.bytes))
}

/// Checks the borders of every live block and the content of every freed one.
pub fn check() {
    let pool = lock();
    for (start, block) in &pool.live {
        check_surroundings("check", *start, block);
    }
    for (start, block) in &pool.freed {
        check_freed(*start, block);
    }
}

/// Releases the memory of freed blocks. No driver is loaded that could use it.
pub(crate) fn forget() {
    let mut pool = lock();
    pool.kept.clear();
    pool.kept_bytes = 0;
    for (start, block) in core::mem::take(&mut pool.freed) {
        check_freed(start, &block);
        release(&block);
    }
}

/// Finds the block of a faulting address. For the signal handler, which must not wait for the lock.
pub(crate) fn explain(address: usize) -> Option<(Rule, Explanation)> {
    let pool = POOL.try_lock().ok()?;
    let find = |blocks: &BTreeMap<usize, Block>| {
        let (start, block) = blocks.range(..=address).next_back()?;
        let Memory::Pages { base, bytes } = block.memory else { return None };
        (address >= base && address < base + bytes).then_some(Explanation {
            start: *start,
            block: *block,
            address,
        })
    };
    find(&pool.freed)
        .map(|found| (Rule::USE_AFTER_FREE, found))
        .or_else(|| find(&pool.live).map(|found| (Rule::POOL_OVERRUN, found)))
}

/// The position of a fault in a block.
pub(crate) struct Explanation {
    start: usize,
    block: Block,
    address: usize,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.address.wrapping_sub(self.start).cast_signed();
        write!(f, "touched byte {offset} of the block {} at {:#x}", self.block, self.start)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' of {} bytes (allocation {})", Tag(self.tag), self.bytes, self.number)
    }
}

fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Allocates on the heap: the border before the block, the block, the border behind it.
fn allocate_heap(bytes: usize, alignment: usize) -> Option<(usize, Memory)> {
    let before = alignment.max(HEAD_BYTES);
    let whole = bytes.checked_add(before)?.checked_add(TAIL_BYTES)?;
    let layout = std::alloc::Layout::from_size_align(whole, alignment.max(16)).ok()?;
    // SAFETY: the layout has a size other than 0.
    let base = unsafe { std::alloc::alloc(layout) };
    if base.is_null() {
        return None;
    }
    let start = base.expose_provenance() + before;
    fill(start - HEAD_BYTES, HEAD, HEAD_BYTES);
    fill(start + bytes, TAIL, TAIL_BYTES);
    let memory = Memory::Heap { base: base.addr(), bytes: whole, alignment: alignment.max(16) };
    Some((start, memory))
}

/// Allocates pages: the block ends at the guard page, up to its alignment.
fn allocate_pages(bytes: usize, alignment: usize) -> Option<(usize, Memory)> {
    let room = bytes.checked_next_multiple_of(alignment)?;
    let usable = room.max(1).checked_next_multiple_of(PAGE)?;
    let whole = usable.checked_add(PAGE)?;
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing that
    // exists.
    let base = unsafe {
        libc::mmap(
            ptr::null_mut(),
            whole,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return None;
    }
    let base = base.expose_provenance();
    protect(base + usable, PAGE);
    let start = base + usable - room;
    fill(base, HEAD, start - base);
    fill(start + bytes, TAIL, room - bytes);
    Some((start, Memory::Pages { base, bytes: whole }))
}

/// Stops if the borders of a block have changed.
fn check_surroundings(function: &str, start: usize, block: &Block) {
    let (before, after) = match block.memory {
        Memory::Heap { .. } => (HEAD_BYTES, TAIL_BYTES),
        Memory::Pages { base, bytes } => (start - base, base + bytes - PAGE - start - block.bytes),
    };
    let change = find_other(start - before, HEAD, before)
        .map(|at| at.cast_signed() - before.cast_signed())
        .or_else(|| {
            find_other(start + block.bytes, TAIL, after).map(|at| (at + block.bytes).cast_signed())
        });
    if let Some(offset) = change {
        stop(
            Rule::POOL_OVERRUN,
            function,
            format_args!("byte {offset} of the block {block} at {start:#x} was written"),
        );
    }
}

/// Makes a freed block unusable.
fn poison(start: usize, block: &Block) {
    match block.memory {
        Memory::Heap { .. } => fill(start, FREED, block.bytes),
        Memory::Pages { base, bytes } => {
            protect(base, bytes);
            let discard = |advice| {
                // SAFETY: the pages belong to the block, and their content is of no use any more.
                unsafe { libc::madvise(ptr::with_exposed_provenance_mut(base), bytes, advice) }
            };
            // Memory that the process has locked (mlockall) needs the other advice, of Linux 5.18.
            if discard(libc::MADV_DONTNEED) != 0 {
                discard(libc::MADV_DONTNEED_LOCKED);
            }
        }
    }
}

/// Stops if a freed block was written to.
fn check_freed(start: usize, block: &Block) {
    if matches!(block.memory, Memory::Heap { .. })
        && let Some(offset) = find_other(start, FREED, block.bytes)
    {
        stop(
            Rule::USE_AFTER_FREE,
            "ExFreePoolWithTag",
            format_args!(
                "byte {offset} of the block {block} at {start:#x} was written after its free"
            ),
        );
    }
}

/// Releases the memory of a block.
fn release(block: &Block) {
    match block.memory {
        Memory::Heap { base, bytes, alignment } => {
            let Ok(layout) = std::alloc::Layout::from_size_align(bytes, alignment) else { return };
            // SAFETY: the memory was allocated with this layout.
            unsafe { std::alloc::dealloc(ptr::with_exposed_provenance_mut(base), layout) };
        }
        Memory::Pages { base, bytes } => {
            // SAFETY: the pages belong to the block.
            unsafe { libc::munmap(ptr::with_exposed_provenance_mut(base), bytes) };
        }
    }
}

fn protect(base: usize, bytes: usize) {
    // SAFETY: the pages belong to one block.
    let failed =
        unsafe { libc::mprotect(ptr::with_exposed_provenance_mut(base), bytes, libc::PROT_NONE) };
    if failed != 0 {
        stop(
            Rule::BAD_ARGUMENT,
            "guard pages",
            format_args!("too many blocks for the system's limit of mappings (vm.max_map_count)"),
        );
    }
}

/// Fills a part of a block's memory.
fn fill(start: usize, byte: u8, bytes: usize) {
    let pointer = ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: all callers pass a part of one block's memory.
    unsafe { pointer.write_bytes(byte, bytes) };
}

/// The offset of the first byte that differs from `byte`.
fn find_other(start: usize, byte: u8, bytes: usize) -> Option<usize> {
    let pointer = ptr::with_exposed_provenance::<u8>(start);
    // SAFETY: all callers pass a part of one block's memory, which is initialized.
    let memory = unsafe { core::slice::from_raw_parts(pointer, bytes) };
    // Compares whole cache lines first: this is most of the cost of a free.
    let line = [byte; 64];
    let lines = memory.chunks_exact(64).take_while(|part| **part == line).count();
    let rest = memory.get(lines * 64..).unwrap_or_default();
    rest.iter().position(|found| *found != byte).map(|place| lines * 64 + place)
}
