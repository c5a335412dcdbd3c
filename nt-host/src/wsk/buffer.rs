//! Receive buffers, and the indications that lend them to a driver.
//!
//! A buffer takes one message of `recvmmsg`: one datagram, or with UDP_GRO up to 128 of them. Each
//! datagram becomes an indication, and all indications of a buffer share its MDL, its remote
//! address and its control data. The buffer comes back when the last of them is released.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use nt_sys::mm::{MDL, MDL_SOURCE_IS_NONPAGED_POOL, PAGE_SIZE};
use nt_sys::wsk::{SOCKADDR_IN6, WSK_BUF, WSK_DATAGRAM_INDICATION};

use super::ancillary::AncillaryData;
use crate::pages::Pages;

// SAFETY 1: the pointer is into a buffer of a slab, and no reference to other fields is made.
// SAFETY 2: the buffer is not indicated: the receiving thread or the constructor is its only user.
// SAFETY 3: buffers and their indications stay in memory as long as their client.

/// The largest message: a UDP datagram, or a GRO packet.
pub(super) const DATA_BYTES: usize = 65536;
/// The most datagrams that Linux joins (`UDP_MAX_SEGMENTS`).
pub(super) const MAX_DATAGRAMS: usize = 128;
/// How many buffers a socket may have: what is beyond stays in Linux's socket buffer, as it would
/// in a NIC's ring.
pub(super) const MAX_BUFFERS: usize = 1024;

/// How many buffers are allocated at once.
const SLAB_BUFFERS: usize = 32;
/// What a driver finds in a released indication.
const POISON: usize = 0xdead_dead_dead_dead;
/// `Indication::state`: with the driver, or about to be.
const INDICATED: u32 = 0x1d1c_a7ed;
/// `Indication::state`: not with the driver.
const FREE: u32 = 0xf4ee_f4ee;

/// One datagram of a buffer.
#[repr(C)]
struct Indication {
    /// First, so that a driver's pointer is one to this.
    wsk: WSK_DATAGRAM_INDICATION,
    /// `INDICATED` or `FREE`.
    state: AtomicU32,
    buffer: *const Buffer,
}

/// A receive buffer. It stays as long as its client: a stale pointer of a driver stays readable,
/// and is recognized.
#[repr(C, align(64))]
pub(super) struct Buffer {
    mdl: MDL,
    /// The socket that it receives for, or null.
    socket: AtomicUsize,
    /// Indications with the driver, and one for the receiver while it has the buffer.
    references: AtomicU32,
    remote: [u8; size_of::<SOCKADDR_IN6>()],
    control: AncillaryData,
    indications: [Indication; MAX_DATAGRAMS],
    data: [u8; DATA_BYTES],
}

/// A pointer to a buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct BufferPointer(NonNull<Buffer>);

// SAFETY: a buffer is used by one thread at a time where it is not atomic: the receiver's until it
// is indicated, the driver's until the last release.
unsafe impl Send for BufferPointer {}

/// The buffers of a client's sockets, which go with it.
#[derive(Default)]
pub(super) struct Slabs {
    all: Vec<Pages>,
    /// Buffers of sockets that are closed.
    unused: Vec<BufferPointer>,
}

impl Slabs {
    /// Gives some buffers. `None` when memory ran out.
    pub(super) fn take(&mut self) -> Option<Vec<BufferPointer>> {
        if !self.unused.is_empty() {
            let kept = self.unused.len().saturating_sub(SLAB_BUFFERS);
            return Some(self.unused.split_off(kept));
        }
        let pages = Pages::new(SLAB_BUFFERS * size_of::<Buffer>())?;
        let slab = NonNull::new(ptr::with_exposed_provenance_mut::<Buffer>(pages.address()))?;
        self.all.push(pages);
        let buffers = (0..SLAB_BUFFERS).map(|index| {
            // SAFETY: inside the slab.
            let buffer = BufferPointer(unsafe { slab.add(index) });
            buffer.initialize();
            buffer
        });
        Some(buffers.collect())
    }

    /// Keeps the buffers of a closed socket for the next one.
    pub(super) fn take_back(&mut self, buffers: Vec<BufferPointer>) {
        self.unused.extend(buffers);
    }
}

/// The receive buffers of a socket that are not in use.
#[derive(Default)]
pub(super) struct Buffers {
    /// Last in, first out: the last one is in the cache.
    pub(super) free: Vec<BufferPointer>,
    pub(super) allocated: usize,
    /// The receiver waits for one.
    pub(super) starved: bool,
}

/// Why a release is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRelease {
    /// It was never indicated, or is released already.
    NotIndicated,
    /// It belongs to another socket.
    OtherSocket,
}

impl BufferPointer {
    /// Where `recvmmsg` writes the message.
    pub(super) fn data(self) -> *mut u8 {
        // SAFETY: 1.
        unsafe { &raw mut (*self.0.as_ptr()).data }.cast()
    }

    /// Where `recvmmsg` writes the remote address.
    pub(super) fn remote(self) -> *mut [u8; size_of::<SOCKADDR_IN6>()] {
        // SAFETY: 1.
        unsafe { &raw mut (*self.0.as_ptr()).remote }
    }

    /// Lends the buffer to a driver: makes `datagrams` indications, linked, of `datagram_bytes`
    /// each, the last one what is left of `bytes`. The receiver keeps a reference.
    ///
    /// The buffer is not indicated at present.
    pub(super) fn indicate(
        self,
        socket: *const c_void,
        bytes: usize,
        datagram_bytes: usize,
        control: &AncillaryData,
    ) -> Chain {
        let datagrams = bytes.div_ceil(datagram_bytes.max(1)).clamp(1, MAX_DATAGRAMS);
        let buffer = self.0.as_ptr();
        // SAFETY: 2.
        unsafe { (*buffer).control = *control };
        self.shared().socket.store(socket.addr(), Ordering::Relaxed);
        self.shared().references.store(datagrams as u32 + 1, Ordering::Relaxed);
        // SAFETY: 1.
        let mdl = unsafe { &raw mut (*buffer).mdl };
        // SAFETY: 1.
        let control_bytes = unsafe { &raw mut (*buffer).control.bytes };
        let control_info = if control.length == 0 { ptr::null_mut() } else { control_bytes.cast() };
        let mut next = ptr::null_mut();
        for index in (0..datagrams).rev() {
            let offset = index * datagram_bytes;
            let length = datagram_bytes.min(bytes.saturating_sub(offset));
            let indication = self.indication(index);
            let wsk = WSK_DATAGRAM_INDICATION {
                Next: next,
                Buffer: WSK_BUF { Mdl: mdl, Offset: offset as u32, Length: length },
                ControlInfo: control_info,
                ControlInfoLength: control.length as u32,
                RemoteAddress: self.remote().cast(),
            };
            // SAFETY: 1 and 2.
            unsafe { (*indication).wsk = wsk };
            // SAFETY: 1 and 2.
            unsafe { &(*indication).state }.store(INDICATED, Ordering::Release);
            next = indication.cast();
        }
        Chain {
            first: self.indication(0).cast(),
            last: self.indication(datagrams - 1).cast(),
            datagrams,
        }
    }

    /// Ends the receiver's reference after a callback that retained the indications. Whether the
    /// buffer is free.
    pub(super) fn drop_reference(self) -> bool {
        self.shared().references.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Takes the buffer back after a callback that did not retain it. False when the driver has
    /// released an indication.
    pub(super) fn take_back(self, datagrams: usize) -> bool {
        let references = datagrams as u32 + 1;
        if self
            .shared()
            .references
            .compare_exchange(references, 0, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            return false;
        }
        for index in 0..datagrams {
            poison(self.indication(index));
        }
        true
    }

    fn initialize(self) {
        let buffer = self.0.as_ptr();
        let data = self.data();
        let offset = data.addr() % PAGE_SIZE;
        // As MmBuildMdlForNonPagedPool leaves it; no page numbers, which nobody reads here.
        let mdl = MDL {
            Next: ptr::null_mut(),
            Size: size_of::<MDL>() as i16,
            MdlFlags: MDL_SOURCE_IS_NONPAGED_POOL,
            Process: ptr::null_mut(),
            MappedSystemVa: data.cast(),
            StartVa: data.wrapping_sub(offset).cast(),
            ByteCount: DATA_BYTES as u32,
            ByteOffset: offset as u32,
        };
        // SAFETY: 1 and 2.
        unsafe { (*buffer).mdl = mdl };
        for index in 0..MAX_DATAGRAMS {
            let indication = self.indication(index);
            // SAFETY: 1 and 2.
            unsafe { (*indication).buffer = buffer };
            // SAFETY: 1 and 2.
            unsafe { &(*indication).state }.store(FREE, Ordering::Release);
        }
    }

    fn indication(self, index: usize) -> *mut Indication {
        // SAFETY: 1.
        let indications = unsafe { &raw mut (*self.0.as_ptr()).indications };
        indications.cast::<Indication>().wrapping_add(index)
    }

    fn shared(self) -> Shared<'static> {
        let buffer = self.0.as_ptr();
        // SAFETY: 3.
        let socket = unsafe { &(*buffer).socket };
        // SAFETY: 3.
        let references = unsafe { &(*buffer).references };
        Shared { socket, references }
    }
}

/// The part of a buffer that threads share.
struct Shared<'a> {
    socket: &'a AtomicUsize,
    references: &'a AtomicU32,
}

/// Indications, linked.
#[derive(Clone, Copy)]
pub(super) struct Chain {
    pub(super) first: *mut WSK_DATAGRAM_INDICATION,
    pub(super) last: *mut WSK_DATAGRAM_INDICATION,
    pub(super) datagrams: usize,
}

/// Takes one indication back from a driver. Gives the next of the driver's list, and the buffer if
/// it is free now.
///
/// # Safety
/// `indication` is a pointer that some `WskReceiveFromEvent` was given since a driver is loaded,
/// however long ago.
pub(super) unsafe fn release(
    socket: *const c_void,
    indication: *mut WSK_DATAGRAM_INDICATION,
) -> Result<(*mut WSK_DATAGRAM_INDICATION, Option<BufferPointer>), BadRelease> {
    let indication = indication.cast::<Indication>();
    // SAFETY: 3.
    let state = unsafe { &(*indication).state };
    // The state goes last, so that two threads that release the same are found out, too.
    if state.load(Ordering::Acquire) != INDICATED {
        return Err(BadRelease::NotIndicated);
    }
    // SAFETY: 3; the field is set once.
    let buffer = unsafe { (*indication).buffer };
    let buffer = NonNull::new(buffer.cast_mut()).ok_or(BadRelease::NotIndicated)?;
    let buffer = BufferPointer(buffer);
    if buffer.shared().socket.load(Ordering::Relaxed) != socket.addr() {
        return Err(BadRelease::OtherSocket);
    }
    // SAFETY: the driver's until the state changes.
    let next = unsafe { (*indication).wsk.Next };
    if !poison(indication) {
        return Err(BadRelease::NotIndicated);
    }
    Ok((next, buffer.drop_reference().then_some(buffer)))
}

/// Makes an indication useless to a driver that still has it. False when it was not indicated.
fn poison(indication: *mut Indication) -> bool {
    let bad = ptr::without_provenance_mut::<u8>(POISON);
    let wsk = WSK_DATAGRAM_INDICATION {
        Next: bad.cast(),
        Buffer: WSK_BUF { Mdl: bad.cast(), Offset: u32::MAX, Length: POISON },
        ControlInfo: bad.cast(),
        ControlInfoLength: u32::MAX,
        RemoteAddress: bad.cast(),
    };
    // SAFETY: 3, and the driver gives this one up now.
    unsafe { (*indication).wsk = wsk };
    // SAFETY: 3.
    unsafe { &(*indication).state }
        .compare_exchange(INDICATED, FREE, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}
