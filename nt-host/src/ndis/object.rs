//! A NET_BUFFER_LIST with everything that is allocated together with it, and the header before it
//! that records the owner.
//!
//! One allocation: `[Header][NET_BUFFER_LIST][NET_BUFFER][MDLs][context][data]`. With a guard, the
//! header ends at the end of a page and the rest begins at the next page, so that the rest can be
//! made inaccessible.

use std::alloc::{self, Layout};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use nt_sys::mm::{MDL, MDL_SOURCE_IS_NONPAGED_POOL, PAGE_SIZE};
use nt_sys::ndis::{NET_BUFFER, NET_BUFFER_LIST, NET_BUFFER_LIST_CONTEXT};

use super::guard;
use crate::violation::{Rule, stop};

/// The owner of a NET_BUFFER_LIST, who alone may access it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Owner {
    /// Its pool.
    Pool = 1,
    /// The component that allocated it.
    Allocator = 2,
    /// The miniport, from MiniportSendNetBufferLists to NdisMSendNetBufferListsComplete.
    Miniport = 3,
    /// The stack above, from NdisMIndicateReceiveNetBufferLists to MiniportReturnNetBufferLists.
    Stack = 4,
}

impl Owner {
    fn of(value: u32) -> Self {
        match value {
            2 => Self::Allocator,
            3 => Self::Miniport,
            4 => Self::Stack,
            _ => Self::Pool,
        }
    }
}

/// The parts of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ObjectShape {
    /// Bytes of context space.
    pub(super) context_bytes: usize,
    /// Whether it has a NET_BUFFER.
    pub(super) net_buffer: bool,
    /// The number of MDLs.
    pub(super) mdls: usize,
    /// Bytes of data space.
    pub(super) data_bytes: usize,
    /// Whether it has pages of its own.
    pub(super) guard: bool,
}

const MAGIC: u64 = 0x4e42_4c4f_424a_4354;
const HEADER_BYTES: usize = 128;
const NBL_BYTES: usize = size_of::<NET_BUFFER_LIST>();
const NB_BYTES: usize = size_of::<NET_BUFFER>();
const MDL_BYTES: usize = size_of::<MDL>();

/// The header before a NET_BUFFER_LIST. The magic number comes first.
#[repr(C, align(128))]
struct Header {
    magic: u64,
    owner: AtomicU32,
    /// The number of times that the object was initialized for use.
    generation: AtomicU32,
    /// The address of the pool, which is only compared.
    pool: usize,
    /// The handle of the adapter that has the object, for sends and indications.
    adapter: AtomicUsize,
    shape: ObjectShape,
    /// The number of data bytes that were filled with the pattern at the last completion.
    poisoned: AtomicU32,
}

const _: () = assert!(size_of::<Header>() == HEADER_BYTES);

/// A pointer to an object, by its NET_BUFFER_LIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object(NonNull<NET_BUFFER_LIST>);

// SAFETY: an object is used by one thread at a time, its owner's; the header is atomic or constant.
unsafe impl Send for Object {}
// SAFETY: an object is used by one thread at a time, its owner's; the header is atomic or constant.
unsafe impl Sync for Object {}

impl Object {
    /// Allocates a zeroed object for the pool at `pool`. Returns `None` if there is no memory.
    pub(super) fn allocate(pool: usize, shape: ObjectShape) -> Option<Self> {
        let (layout, before) = memory(shape);
        // SAFETY: the layout has a size other than 0.
        let base = NonNull::new(unsafe { alloc::alloc_zeroed(layout) })?;
        // SAFETY: `before` bytes lie before the NET_BUFFER_LIST in the same allocation.
        let nbl = unsafe { base.add(before) }.cast::<NET_BUFFER_LIST>();
        let object = Self(nbl);
        let header = Header {
            magic: MAGIC,
            owner: AtomicU32::new(Owner::Pool as u32),
            generation: AtomicU32::new(0),
            pool,
            adapter: AtomicUsize::new(0),
            shape,
            poisoned: AtomicU32::new(0),
        };
        // SAFETY: the header lies in the allocation and is aligned.
        unsafe { object.header_pointer().write(header) };
        if shape.guard {
            guard::add(object.nbl().addr(), layout.size() - before);
        }
        Some(object)
    }

    /// Frees the memory.
    ///
    /// # Safety
    /// The object is no longer in use.
    pub(super) unsafe fn release(self) {
        let shape = self.header().shape;
        let (layout, before) = memory(shape);
        self.unprotect();
        if shape.guard {
            guard::remove(self.nbl().addr());
        }
        let header = self.header_pointer();
        // SAFETY: the header is live until the next lines.
        unsafe { (*header).magic = 0 };
        // SAFETY: `before` bytes lie before it in the same allocation.
        let base = unsafe { self.0.cast::<u8>().sub(before) };
        // SAFETY: allocated with this layout; as the caller promises.
        unsafe { alloc::dealloc(base.as_ptr(), layout) };
    }

    /// The object of a pointer that a driver passes. Stops if it is not one.
    pub(super) fn of(function: &str, nbl: *mut NET_BUFFER_LIST) -> Self {
        let address = nbl.addr();
        if address < PAGE_SIZE || !address.is_multiple_of(64) {
            stop(Rule::NOT_AN_NBL, function, format_args!("{address:#x} is not from a pool"));
        }
        let Some(nbl) = NonNull::new(nbl) else {
            stop(Rule::NOT_AN_NBL, function, format_args!("null"));
        };
        let object = Self(nbl);
        // SAFETY: the memory before a 64-byte aligned address is readable, or the fault is
        // reported.
        let magic = unsafe { ptr::read_volatile(object.header_pointer().cast::<u64>()) };
        if magic != MAGIC {
            stop(
                Rule::NOT_AN_NBL,
                function,
                format_args!("{address:#x} is not from a pool, or its pool was freed"),
            );
        }
        object
    }

    /// The NET_BUFFER_LIST.
    pub(super) fn nbl(self) -> *mut NET_BUFFER_LIST {
        self.0.as_ptr()
    }

    /// The pool that it belongs to.
    pub(super) fn pool(self) -> usize {
        self.header().pool
    }

    /// Its parts.
    pub(super) fn shape(self) -> ObjectShape {
        self.header().shape
    }

    /// Passes the object from one owner to another. Returns the actual owner if that is not `from`.
    pub(super) fn pass(self, from: Owner, to: Owner) -> Result<(), Owner> {
        let owner = &self.header().owner;
        match owner.compare_exchange(from as u32, to as u32, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(other) => Err(Owner::of(other)),
        }
    }

    /// The number of times that the object was initialized for use.
    pub(super) fn generation(self) -> u32 {
        self.header().generation.load(Ordering::Relaxed)
    }

    /// The handle of the adapter that has it.
    pub(super) fn adapter(self) -> usize {
        self.header().adapter.load(Ordering::Relaxed)
    }

    /// Records the adapter that has it.
    pub(super) fn set_adapter(self, adapter: usize) {
        self.header().adapter.store(adapter, Ordering::Relaxed);
    }

    /// The NET_BUFFER allocated with it, or null.
    pub(super) fn net_buffer(self) -> *mut NET_BUFFER {
        if self.shape().net_buffer { self.part(NBL_BYTES).cast() } else { ptr::null_mut() }
    }

    /// The MDL with this index allocated with it, or null.
    pub(super) fn mdl(self, index: usize) -> *mut MDL {
        if index < self.shape().mdls {
            self.part(NBL_BYTES + NB_BYTES + index * MDL_BYTES).cast()
        } else {
            ptr::null_mut()
        }
    }

    /// The data space, of `shape().data_bytes`.
    pub(super) fn data(self) -> *mut u8 {
        let shape = self.shape();
        self.part(data_offset(shape))
    }

    /// Initializes the NET_BUFFER_LIST, the NET_BUFFER and the context as in a new allocation,
    /// without data.
    ///
    /// # Safety
    /// The caller owns the object.
    pub(super) unsafe fn initialize(self) {
        let shape = self.shape();
        self.header().generation.fetch_add(1, Ordering::Relaxed);
        // SAFETY: both structs are inside the object, and all-zero is valid for them.
        unsafe { ptr::write_bytes(self.part(0), 0, NBL_BYTES + NB_BYTES) };
        let net_buffer = self.net_buffer();
        let mut context = ptr::null_mut();
        if shape.context_bytes > 0 {
            context = self.part(context_offset(shape)).cast::<NET_BUFFER_LIST_CONTEXT>();
            // SAFETY: inside the object.
            let context = unsafe { &mut *context };
            context.Next = ptr::null_mut();
            context.Size = u16::try_from(shape.context_bytes).unwrap_or(u16::MAX);
            context.Offset = context.Size;
        }
        // SAFETY: as the caller promises.
        let nbl = unsafe { &mut *self.nbl() };
        nbl.FirstNetBuffer = net_buffer;
        nbl.Context = context;
        nbl.NdisPoolHandle = ptr::without_provenance_mut(self.pool());
        if !net_buffer.is_null() {
            // SAFETY: inside the object, the caller's.
            let net_buffer = unsafe { &mut *net_buffer };
            net_buffer.NdisPoolHandle = ptr::without_provenance_mut(self.pool());
        }
    }

    /// Makes the MDL with this index describe `bytes` of the data space from `offset`.
    ///
    /// # Safety
    /// The caller owns the object, and the range is inside the data space.
    pub(super) unsafe fn describe(self, index: usize, offset: usize, bytes: usize, next: *mut MDL) {
        let mdl = self.mdl(index);
        // SAFETY: inside the data space, as the caller promises.
        let address = unsafe { self.data().add(offset) };
        // SAFETY: inside the object, as the caller promises.
        unsafe { mdl.write(nonpaged_mdl(address, bytes, next)) };
    }

    /// Fills NET_BUFFER_LIST, NET_BUFFER and the first `data_bytes` of the data with [`POISON`].
    ///
    /// # Safety
    /// The caller owns the object.
    pub(super) unsafe fn poison(self, data_bytes: usize) {
        let shape = self.shape();
        let data_bytes = data_bytes.min(shape.data_bytes);
        self.header()
            .poisoned
            .store(u32::try_from(data_bytes).unwrap_or(u32::MAX), Ordering::Relaxed);
        // SAFETY: inside the object, which is the caller's.
        unsafe { ptr::write_bytes(self.part(0), POISON, NBL_BYTES + NB_BYTES) };
        // SAFETY: inside the object's data, which is the caller's.
        unsafe { ptr::write_bytes(self.data(), POISON, data_bytes) };
    }

    /// The name and the offset of the part where the pattern was overwritten, if any.
    ///
    /// # Safety
    /// The caller owns the object, which was filled with the pattern.
    pub(super) unsafe fn touched(self) -> Option<(&'static str, usize)> {
        let data_bytes = self.header().poisoned.load(Ordering::Relaxed) as usize;
        let parts = [
            ("NET_BUFFER_LIST", 0, NBL_BYTES),
            ("NET_BUFFER", NBL_BYTES, NB_BYTES),
            ("data", data_offset(self.shape()), data_bytes),
        ];
        parts.into_iter().find_map(|(name, offset, bytes)| {
            // SAFETY: inside the object, which is the caller's.
            let part = unsafe { std::slice::from_raw_parts(self.part(offset), bytes) };
            is_poison(part).err().map(|at| (name, at))
        })
    }

    /// Makes everything but the header inaccessible, if the object has pages of its own.
    pub(super) fn protect(self) {
        self.set_protection(libc::PROT_NONE);
    }

    /// Makes the object accessible again.
    pub(super) fn unprotect(self) {
        self.set_protection(libc::PROT_READ | libc::PROT_WRITE);
    }

    fn set_protection(self, protection: i32) {
        let shape = self.shape();
        if !shape.guard {
            return;
        }
        let (layout, before) = memory(shape);
        // SAFETY: the range is whole pages of the object, without the header.
        let result =
            unsafe { libc::mprotect(self.part(0).cast(), layout.size() - before, protection) };
        assert_eq!(result, 0, "the pages of an NBL cannot be protected");
    }

    fn header_pointer(self) -> *mut Header {
        self.0.as_ptr().cast::<u8>().wrapping_sub(HEADER_BYTES).cast()
    }

    fn header(&self) -> &Header {
        // SAFETY: every object has a header, which lives as long as the object.
        unsafe { &*self.header_pointer() }
    }

    fn part(self, offset: usize) -> *mut u8 {
        self.0.as_ptr().cast::<u8>().wrapping_add(offset)
    }
}

/// The pattern of a completed NET_BUFFER_LIST. As a pointer, it is not canonical.
pub(super) const POISON: u8 = 0xd7;

/// An MDL of non-paged memory, as MmBuildMdlForNonPagedPool leaves it.
pub(super) fn nonpaged_mdl(address: *mut u8, bytes: usize, next: *mut MDL) -> MDL {
    let in_page = address.addr() & (PAGE_SIZE - 1);
    MDL {
        Next: next,
        Size: i16::try_from(MDL_BYTES).unwrap_or(i16::MAX),
        MdlFlags: MDL_SOURCE_IS_NONPAGED_POOL,
        Process: ptr::null_mut(),
        MappedSystemVa: address.cast(),
        StartVa: address.wrapping_sub(in_page).cast(),
        ByteCount: u32::try_from(bytes).unwrap_or(u32::MAX),
        ByteOffset: in_page as u32,
    }
}

/// The first offset where bytes differ from [`POISON`], if any.
fn is_poison(bytes: &[u8]) -> Result<(), usize> {
    const WORD: u64 = u64::from_ne_bytes([POISON; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    let difference = words.iter().fold(0, |sum, word| sum | (u64::from_ne_bytes(*word) ^ WORD));
    if difference == 0 && rest.iter().all(|byte| *byte == POISON) {
        return Ok(());
    }
    Err(bytes.iter().position(|byte| *byte != POISON).unwrap_or_default())
}

/// The layout of an object, and the offset of the NET_BUFFER_LIST in it.
fn memory(shape: ObjectShape) -> (Layout, usize) {
    let (alignment, before) =
        if shape.guard { (PAGE_SIZE, PAGE_SIZE) } else { (128, HEADER_BYTES) };
    let size = (before + data_offset(shape) + shape.data_bytes).next_multiple_of(alignment);
    let Ok(layout) = Layout::from_size_align(size, alignment) else {
        unreachable!("sizes are bounded by 32 bits");
    };
    (layout, before)
}

fn context_offset(shape: ObjectShape) -> usize {
    (NBL_BYTES + NB_BYTES + shape.mdls * MDL_BYTES).next_multiple_of(16)
}

fn data_offset(shape: ObjectShape) -> usize {
    let context = match shape.context_bytes {
        0 => 0,
        bytes => size_of::<NET_BUFFER_LIST_CONTEXT>() + bytes,
    };
    (context_offset(shape) + context).next_multiple_of(64)
}
