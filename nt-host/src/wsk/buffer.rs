//! Receive buffers, and the datagram indications that lend them to a driver.
//!
//! A buffer holds one message of `recvmmsg`: one datagram, or up to 128 with UDP_GRO. Each datagram
//! becomes an indication. All indications of a buffer share its MDL, its remote address and its
//! control messages. The buffer is free again when the last of them is released.

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

/// The size of the largest message: a UDP datagram or a GRO packet.
pub(super) const DATA_BYTES: usize = 65536;
/// The maximum number of datagrams that Linux coalesces (`UDP_MAX_SEGMENTS`).
pub(super) const MAX_DATAGRAMS: usize = 128;
/// The maximum number of buffers of a socket. Further datagrams stay in Linux's socket buffer, as
/// they would in a NIC's ring.
pub(super) const MAX_BUFFERS: usize = 1024;

/// The number of buffers that are allocated at once.
const SLAB_BUFFERS: usize = 32;
/// The content of a released indication.
const POISON: usize = 0xdead_dead_dead_dead;
/// `Indication::state`: the driver has the indication, or is about to get it.
const INDICATED: u32 = 0x1d1c_a7ed;
/// `Indication::state`: the driver does not have the indication.
const FREE: u32 = 0xf4ee_f4ee;

/// One datagram of a buffer.
#[repr(C)]
struct Indication {
    /// First, so that the driver's pointer is also one to this struct.
    wsk: WSK_DATAGRAM_INDICATION,
    /// `INDICATED` or `FREE`.
    state: AtomicU32,
    buffer: *const Buffer,
}

/// A receive buffer. It stays in memory as long as its client, so that a stale pointer of a driver
/// can be read and recognized.
#[repr(C, align(64))]
pub(super) struct Buffer {
    mdl: MDL,
    /// The socket that it receives for; null if there is none.
    socket: AtomicUsize,
    /// The number of indications that the driver has, plus one for the receiver while it uses the
    /// buffer.
    references: AtomicU32,
    remote: [u8; size_of::<SOCKADDR_IN6>()],
    control: AncillaryData,
    indications: [Indication; MAX_DATAGRAMS],
    data: [u8; DATA_BYTES],
}

/// A pointer to a buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct BufferPointer(NonNull<Buffer>);

// SAFETY: the fields that are not atomic are used by one thread at a time: by the receiver until
// the indication, by the driver until the last release.
unsafe impl Send for BufferPointer {}

/// The buffers of a client's sockets. They are freed with the client.
#[derive(Default)]
pub(super) struct Slabs {
    all: Vec<Pages>,
    /// Buffers of closed sockets.
    unused: Vec<BufferPointer>,
}

impl Slabs {
    /// Takes some buffers. Returns `None` if there is no memory.
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
    /// Last in, first out: the last one is most likely in the cache.
    pub(super) free: Vec<BufferPointer>,
    pub(super) allocated: usize,
    /// Whether the receiver waits for a buffer.
    pub(super) starved: bool,
}

/// The reason why a release is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRelease {
    /// The indication was never indicated, or was released before.
    NotIndicated,
    /// The indication belongs to another socket.
    OtherSocket,
}

impl BufferPointer {
    /// The address for the message of `recvmmsg`.
    pub(super) fn data(self) -> *mut u8 {
        // SAFETY: 1.
        unsafe { &raw mut (*self.0.as_ptr()).data }.cast()
    }

    /// The address for the remote address of `recvmmsg`.
    pub(super) fn remote(self) -> *mut [u8; size_of::<SOCKADDR_IN6>()] {
        // SAFETY: 1.
        unsafe { &raw mut (*self.0.as_ptr()).remote }
    }

    /// Lends the buffer to a driver: creates `datagrams` linked indications of `datagram_bytes`
    /// each; the last one has the rest of `bytes`. The receiver keeps a reference.
    ///
    /// The buffer must not be indicated.
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

    /// Releases the receiver's reference after a callback that retained the indications. Returns
    /// whether the buffer is free.
    pub(super) fn drop_reference(self) -> bool {
        self.shared().references.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Takes the buffer back after a callback that did not retain it. Returns false if the driver
    /// has released an indication.
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
        // As MmBuildMdlForNonPagedPool leaves it, but without page numbers.
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

/// The fields of a buffer that threads share.
struct Shared<'a> {
    socket: &'a AtomicUsize,
    references: &'a AtomicU32,
}

/// Linked indications.
#[derive(Clone, Copy)]
pub(super) struct Chain {
    pub(super) first: *mut WSK_DATAGRAM_INDICATION,
    pub(super) last: *mut WSK_DATAGRAM_INDICATION,
    pub(super) datagrams: usize,
}

/// Takes one indication back from a driver. Returns the next of the driver's list, and the buffer
/// if it is free now.
///
/// # Safety
/// `indication` is a pointer that `WskReceiveFromEvent` got since a driver is loaded, however long
/// ago.
pub(super) unsafe fn release(
    socket: *const c_void,
    indication: *mut WSK_DATAGRAM_INDICATION,
) -> Result<(*mut WSK_DATAGRAM_INDICATION, Option<BufferPointer>), BadRelease> {
    let indication = indication.cast::<Indication>();
    // SAFETY: 3.
    let state = unsafe { &(*indication).state };
    // The state changes last, so that two threads that release the same indication are found.
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
    // SAFETY: the driver owns the indication until the state changes.
    let next = unsafe { (*indication).wsk.Next };
    if !poison(indication) {
        return Err(BadRelease::NotIndicated);
    }
    Ok((next, buffer.drop_reference().then_some(buffer)))
}

/// Overwrites an indication, so that a driver cannot use it any more. Returns false if it was not
/// indicated.
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
