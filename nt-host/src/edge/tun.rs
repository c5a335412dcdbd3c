//! A Linux TUN interface as the edge of an adapter.
//!
//! One thread reads packets and transmits them in batches. It stops reading while the miniport has
//! the maximum number of packets. Indicated packets are written at once. Packets longer than the
//! MTU are exchanged with Linux, so that one system call moves many segments: see `tun_offload`.

use std::cell::RefCell;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::edge::Edge;
use crate::edge::tun_offload::{Coalescer, Joined, Plan, VnetHeader};
use crate::ndis::{AdapterPort, PacketBatch, ReceivedBatch};

/// The maximum number of packets in a batch.
const BATCH_PACKETS: usize = 64;

/// A TUN interface. Clones share it.
#[derive(Clone)]
pub struct Tun {
    shared: Arc<Shared>,
}

struct Shared {
    device: OwnedFd,
    /// Wakes the reader.
    wake: OwnedFd,
    name: String,
    /// Of Linux's interface.
    index: u32,
    stops: AtomicBool,
    reader: Mutex<Option<JoinHandle<()>>>,
    written: AtomicU64,
    dropped: AtomicU64,
}

/// Counters of a TUN interface, in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TunCounters {
    /// Written to Linux.
    pub written: u64,
    /// Dropped by Linux: its queue was full, or the interface down.
    pub dropped: u64,
}

impl Tun {
    /// Creates the interface `name`, or one whose name Linux chooses. Needs CAP_NET_ADMIN.
    ///
    /// # Errors
    /// The error of Linux: `PermissionDenied` without the capability, `ResourceBusy` if the name is
    /// taken. `InvalidInput` if the name is too long.
    pub fn create(name: Option<&str>) -> io::Result<Self> {
        // SAFETY: the path is a string.
        let device = unsafe {
            libc::open(c"/dev/net/tun".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC | libc::O_NONBLOCK)
        };
        let device = owned(device)?;
        let mut request = request(name.unwrap_or_default())?;
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as i16;
        control(&device, libc::TUNSETIFF, &mut request)?;
        set_offloads(&device)?;
        // SAFETY: Linux has written a name with its NUL.
        let name =
            unsafe { CStr::from_ptr(request.ifr_name.as_ptr()) }.to_string_lossy().into_owned();
        let mut with_index = self::request(&name)?;
        control(&socket()?, libc::SIOCGIFINDEX, &mut with_index)?;
        // SAFETY: the request answers with this field.
        let index = unsafe { with_index.ifr_ifru.ifru_ifindex };
        // SAFETY: has no conditions.
        let wake = owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        Ok(Self {
            shared: Arc::new(Shared {
                device,
                wake,
                name,
                index: index.cast_unsigned(),
                stops: AtomicBool::new(false),
                reader: Mutex::new(None),
                written: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
            }),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Counters.
    #[must_use]
    pub fn counters(&self) -> TunCounters {
        TunCounters {
            written: self.shared.written.load(Ordering::Relaxed),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
        }
    }

    /// The MTU that Linux has, in bytes.
    ///
    /// # Errors
    /// What Linux says.
    pub fn mtu(&self) -> io::Result<u32> {
        let mut request = request(self.name())?;
        control(&socket()?, libc::SIOCGIFMTU, &mut request)?;
        // SAFETY: the request answers with this field.
        let mtu = unsafe { request.ifr_ifru.ifru_mtu };
        u32::try_from(mtu).map_err(io::Error::other)
    }

    /// Sets the MTU of the Linux interface, in bytes.
    ///
    /// # Errors
    /// The error of Linux.
    pub fn set_mtu(&self, mtu: u32) -> io::Result<()> {
        let mut request = request(self.name())?;
        request.ifr_ifru.ifru_mtu = i32::try_from(mtu).map_err(|_| io::ErrorKind::InvalidInput)?;
        control(&socket()?, libc::SIOCSIFMTU, &mut request)
    }

    /// Whether the Linux interface is up.
    ///
    /// # Errors
    /// The error of Linux.
    pub fn is_up(&self) -> io::Result<bool> {
        let mut request = request(self.name())?;
        control(&socket()?, libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: the request returns this field.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        Ok(i32::from(flags) & libc::IFF_UP != 0)
    }

    fn wake(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: the bytes are live. A full counter wakes as well.
        unsafe { libc::write(self.shared.wake.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

impl Edge for Tun {
    fn linux_interface(&self) -> Option<u32> {
        Some(self.shared.index)
    }

    fn attach(&self, port: AdapterPort) -> io::Result<()> {
        self.set_mtu(port.mtu())?;
        self.shared.stops.store(false, Ordering::Release);
        let tun = self.clone();
        let reader = thread::Builder::new()
            .name(format!("tun-{}", self.name()))
            .spawn(move || read(&tun, &port))?;
        *self.shared.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        Ok(())
    }

    fn receive(&self, packets: &ReceivedBatch<'_>) {
        let device = self.shared.device.as_raw_fd();
        let (mut written, mut dropped) = (0, 0);
        let mut write = |joined: Joined<'_>| {
            let count = if write(device, &joined) { &mut written } else { &mut dropped };
            *count += joined.packets;
        };
        COALESCER.with_borrow_mut(|coalescer| {
            packets.for_each(|packet| coalescer.push(packet.data, &mut write));
            coalescer.flush(&mut write);
        });
        self.shared.written.fetch_add(written, Ordering::Relaxed);
        self.shared.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    fn room(&self) {
        self.wake();
    }

    fn link(&self, up: bool) {
        let mut carrier = libc::c_int::from(up);
        // SAFETY: the request takes a pointer to an int. Kernels before 5.0 do not have it; nothing
        // depends on it.
        unsafe { libc::ioctl(self.shared.device.as_raw_fd(), TUNSETCARRIER, &raw mut carrier) };
        self.wake();
    }

    fn mtu(&self, mtu: u32) {
        // If the interface is gone, its MTU does not matter.
        let _ = self.set_mtu(mtu);
    }

    fn detach(&self) {
        self.shared.stops.store(true, Ordering::Release);
        self.wake();
        let reader = self.shared.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            // A reader that panicked has ended the process.
            let _ = reader.join();
        }
    }
}

/// `linux/if_tun.h`: `_IOW('T', 226, int)`
const TUNSETCARRIER: libc::c_ulong = 0x4004_54e2;
/// `linux/if_tun.h`: `_IOW('T', 208, unsigned int)`
const TUNSETOFFLOAD: libc::c_ulong = 0x4004_54d0;
/// `linux/if_tun.h`: offloads that the reader of the device supports. Checksums.
const TUN_F_CSUM: libc::c_ulong = 0x01;
/// TCP over IPv4, TCP over IPv6, and both with ECN.
const TUN_F_TSO: libc::c_ulong = 0x02 | 0x04 | 0x08;
/// UDP over IPv4 and IPv6; since Linux 6.2.
const TUN_F_USO: libc::c_ulong = 0x20 | 0x40;

/// Tells Linux which offloads this edge performs.
fn set_offloads(device: &OwnedFd) -> io::Result<()> {
    let set = |offloads: libc::c_ulong| {
        // SAFETY: the request takes a number.
        unsafe { libc::ioctl(device.as_raw_fd(), TUNSETOFFLOAD, offloads) >= 0 }
    };
    let all = TUN_F_CSUM | TUN_F_TSO;
    if set(all | TUN_F_USO) || set(all) { Ok(()) } else { Err(io::Error::last_os_error()) }
}

thread_local! {
    /// The coalescer of this thread's indications, which is reused.
    static COALESCER: RefCell<Coalescer> = RefCell::new(Coalescer::new());
}

/// Writes a packet to Linux. Returns false if Linux drops it.
fn write(device: RawFd, joined: &Joined<'_>) -> bool {
    let header = joined.header.to_bytes();
    let pieces = [&header, joined.packet].map(|piece| libc::iovec {
        iov_base: piece.as_ptr().cast_mut().cast(),
        iov_len: piece.len(),
    });
    // SAFETY: both pieces are live.
    unsafe { libc::writev(device, pieces.as_ptr(), pieces.len() as libc::c_int) >= 0 }
}

/// The result of [`Reader::fill`].
enum Filled {
    /// Linux has no more packets.
    Drained,
    /// The batch is full, or the maximum number of reads was made.
    Full,
    /// The miniport has the maximum number of packets.
    NoRoom,
    /// The device is gone.
    Gone,
}

/// Reads and transmits until the edge is detached.
fn read(tun: &Tun, port: &AdapterPort) {
    let mut batch = port.batch();
    let mut reader = Reader::new(tun.shared.device.as_raw_fd());
    // After a wait, the first packet is transmitted before more are read.
    let mut reads = 1;
    while !tun.shared.stops.load(Ordering::Acquire) {
        let filled = reader.fill(&mut batch, reads);
        if !batch.is_empty() {
            // Packets that are not accepted are discarded, and counted by the port.
            let _ = port.transmit(&mut batch);
        }
        reads = match filled {
            Filled::Full => BATCH_PACKETS,
            Filled::Drained => {
                wait(tun, true);
                1
            }
            Filled::NoRoom => {
                wait(tun, false);
                BATCH_PACKETS
            }
            Filled::Gone => break,
        };
    }
}

/// The longest packet that Linux passes, with its header.
const READ_BYTES: usize = VnetHeader::BYTES + 65_535;

/// The state of the reader thread.
struct Reader {
    device: RawFd,
    buffer: Vec<u8>,
    /// The packet that is being segmented.
    pending: Option<Pending>,
}

/// The length of a packet, its segmentation, and the first segment that is not in a batch.
struct Pending {
    bytes: usize,
    plan: Plan,
    next: usize,
}

impl Reader {
    fn new(device: RawFd) -> Self {
        Self { device, buffer: vec![0; READ_BYTES], pending: None }
    }

    /// Reads packets into a batch, with at most `reads` reads.
    fn fill(&mut self, batch: &mut PacketBatch, mut reads: usize) -> Filled {
        while batch.len() < BATCH_PACKETS {
            let Some(pending) = &mut self.pending else {
                if reads == 0 {
                    break;
                }
                reads -= 1;
                if let Err(filled) = self.read() {
                    return filled;
                }
                continue;
            };
            let Some(buffer) = batch.buffer() else {
                return Filled::NoRoom;
            };
            let packet = self.buffer.get(VnetHeader::BYTES..pending.bytes).unwrap_or_default();
            // A packet that is longer than the MTU, or not an IP packet, is not sent.
            if let Some(bytes) = pending.plan.write(packet, pending.next, buffer) {
                batch.commit(bytes);
            }
            pending.next += 1;
            if pending.next >= pending.plan.count() {
                self.pending = None;
            }
        }
        Filled::Full
    }

    /// Reads one packet. A packet that cannot be segmented according to its header is not sent.
    fn read(&mut self) -> Result<(), Filled> {
        let (start, length) = (self.buffer.as_mut_ptr(), self.buffer.len());
        // SAFETY: the buffer is live and as long as that.
        let bytes = unsafe { libc::read(self.device, start.cast(), length) };
        let Ok(bytes) = usize::try_from(bytes) else {
            return match io::Error::last_os_error().raw_os_error() {
                Some(libc::EAGAIN) => Err(Filled::Drained),
                Some(libc::EINTR) => Ok(()),
                _ => Err(Filled::Gone),
            };
        };
        let read = self.buffer.get(..bytes).and_then(<[u8]>::split_first_chunk);
        self.pending = read.and_then(|(header, packet)| {
            let plan = Plan::new(&VnetHeader::from_bytes(*header), packet)?;
            Some(Pending { bytes, plan, next: 0 })
        });
        Ok(())
    }
}

/// Waits for a wake-up, or, with `packets`, for packets as well.
fn wait(tun: &Tun, packets: bool) {
    let mut descriptors = [
        libc::pollfd { fd: tun.shared.wake.as_raw_fd(), events: libc::POLLIN, revents: 0 },
        libc::pollfd { fd: tun.shared.device.as_raw_fd(), events: libc::POLLIN, revents: 0 },
    ];
    let count = if packets { 2 } else { 1 };
    // SAFETY: the array has that many entries.
    unsafe { libc::poll(descriptors.as_mut_ptr(), count, -1) };
    let [wake, _] = descriptors;
    if wake.revents != 0 {
        let mut counter = [0_u8; 8];
        // SAFETY: the bytes are live. The result of an empty read is not needed.
        unsafe { libc::read(wake.fd, counter.as_mut_ptr().cast(), counter.len()) };
    }
}

/// A request about the interface `name`.
fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: all zeros is a value of this type.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    request.ifr_name.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from.cast_signed());
    Ok(request)
}

/// Any socket, for requests about interfaces.
fn socket() -> io::Result<OwnedFd> {
    // SAFETY: the call has no preconditions.
    owned(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })
}

fn control(descriptor: &OwnedFd, code: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: the requests used here take a pointer to an ifreq.
    let result = unsafe { libc::ioctl(descriptor.as_raw_fd(), code, ptr::from_mut(request)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn owned(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and owned by this function.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
