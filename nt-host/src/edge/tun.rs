//! A Linux TUN device as the stack above an adapter.
//!
//! One thread reads packets and transmits them in batches; it stops reading while as many packets as may be are with the
//! miniport. What is indicated is written at once, one packet a call.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::edge::Edge;
use crate::ndis::{AdapterPort, PacketBatch, ReceivedBatch};

/// Packets in a batch at most.
const BATCH_PACKETS: usize = 64;

/// A TUN device; clones are the same device.
#[derive(Clone)]
pub struct Tun {
    shared: Arc<Shared>,
}

struct Shared {
    device: OwnedFd,
    /// Wakes the reader.
    wake: OwnedFd,
    name: String,
    stops: AtomicBool,
    reader: Mutex<Option<JoinHandle<()>>>,
    written: AtomicU64,
    dropped: AtomicU64,
}

/// Counters of a TUN device, in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TunCounters {
    /// Written to Linux.
    pub written: u64,
    /// Not taken by Linux: its queue was full, or the device down.
    pub dropped: u64,
}

impl Tun {
    /// Makes the device `name`, or one whose name Linux chooses. Needs CAP_NET_ADMIN.
    ///
    /// # Errors
    /// What Linux says: `PermissionDenied` without the capability, `ResourceBusy` when the name is taken; `InvalidInput`
    /// for a name that is too long.
    pub fn create(name: Option<&str>) -> io::Result<Self> {
        // SAFETY: the path is a string.
        let device = unsafe {
            libc::open(c"/dev/net/tun".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC | libc::O_NONBLOCK)
        };
        let device = owned(device)?;
        let mut request = request(name.unwrap_or_default())?;
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
        control(&device, libc::TUNSETIFF, &mut request)?;
        // SAFETY: Linux has written a name with its NUL.
        let name =
            unsafe { CStr::from_ptr(request.ifr_name.as_ptr()) }.to_string_lossy().into_owned();
        // SAFETY: has no conditions.
        let wake = owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        Ok(Self {
            shared: Arc::new(Shared {
                device,
                wake,
                name,
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

    /// Sets the MTU that Linux has, in bytes.
    ///
    /// # Errors
    /// What Linux says.
    pub fn set_mtu(&self, mtu: u32) -> io::Result<()> {
        let mut request = request(self.name())?;
        request.ifr_ifru.ifru_mtu = i32::try_from(mtu).map_err(|_| io::ErrorKind::InvalidInput)?;
        control(&socket()?, libc::SIOCSIFMTU, &mut request)
    }

    /// Whether Linux has the device up.
    ///
    /// # Errors
    /// What Linux says.
    pub fn is_up(&self) -> io::Result<bool> {
        let mut request = request(self.name())?;
        control(&socket()?, libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: the request answers with this field.
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
    fn attach(&self, port: AdapterPort) -> io::Result<()> {
        self.set_mtu(port.mtu())?;
        self.shared.stops.store(false, Ordering::Release);
        let tun = self.clone();
        let reader = thread::Builder::new()
            .name(format!("tun-{}", self.name()))
            .spawn(move || read(&tun, port))?;
        *self.shared.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        Ok(())
    }

    fn receive(&self, packets: &ReceivedBatch<'_>) {
        let device = self.shared.device.as_raw_fd();
        let (mut written, mut dropped) = (0, 0);
        packets.for_each(|packet| {
            // SAFETY: the packet is live.
            let result =
                unsafe { libc::write(device, packet.data.as_ptr().cast(), packet.data.len()) };
            if result < 0 { dropped += 1 } else { written += 1 }
        });
        self.shared.written.fetch_add(written, Ordering::Relaxed);
        self.shared.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    fn room(&self) {
        self.wake();
    }

    fn link(&self, up: bool) {
        let mut carrier = libc::c_int::from(up);
        // SAFETY: the request takes a pointer to an int. Kernels before 5.0 do not know it; nothing depends on it.
        unsafe { libc::ioctl(self.shared.device.as_raw_fd(), TUNSETCARRIER, &raw mut carrier) };
        self.wake();
    }

    fn mtu(&self, mtu: u32) {
        // The interface may be gone; its own MTU then does not matter.
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

/// What [`fill`] found.
enum Filled {
    /// Linux has no more packets.
    Drained,
    /// The batch is full.
    Full,
    /// As many packets as may be are with the miniport.
    NoRoom,
    /// The device is gone.
    Gone,
}

/// Reads until the edge is detached.
fn read(tun: &Tun, port: AdapterPort) {
    let mut batch = port.batch();
    while !tun.shared.stops.load(Ordering::Acquire) {
        let filled = fill(tun.shared.device.as_raw_fd(), &mut batch);
        if !batch.is_empty() {
            // What is not taken is discarded, and counted by the port.
            let _ = port.transmit(&mut batch);
        }
        match filled {
            Filled::Full => {}
            Filled::Drained => wait(tun, true),
            Filled::NoRoom => wait(tun, false),
            Filled::Gone => break,
        }
    }
}

/// Reads packets into a batch.
fn fill(device: RawFd, batch: &mut PacketBatch) -> Filled {
    while batch.len() < BATCH_PACKETS {
        let Some(buffer) = batch.buffer() else {
            return Filled::NoRoom;
        };
        // SAFETY: the buffer is live and as long as that.
        let bytes = unsafe { libc::read(device, buffer.as_mut_ptr().cast(), buffer.len()) };
        let Ok(bytes) = usize::try_from(bytes) else {
            return match io::Error::last_os_error().raw_os_error() {
                Some(libc::EAGAIN) => Filled::Drained,
                Some(libc::EINTR) => continue,
                _ => Filled::Gone,
            };
        };
        // What is no IP packet is not sent.
        batch.commit(bytes);
    }
    Filled::Full
}

/// Waits for a wake-up, or with `packets` for packets, too.
fn wait(tun: &Tun, packets: bool) {
    let mut descriptors = [
        libc::pollfd { fd: tun.shared.wake.as_raw_fd(), events: libc::POLLIN, revents: 0 },
        libc::pollfd { fd: tun.shared.device.as_raw_fd(), events: libc::POLLIN, revents: 0 },
    ];
    let count = if packets { 2 } else { 1 };
    // SAFETY: the array has that many entries.
    unsafe { libc::poll(descriptors.as_mut_ptr(), count, -1) };
    let mut counter = [0_u8; 8];
    // SAFETY: the bytes are live. Nothing to read is fine.
    unsafe { libc::read(tun.shared.wake.as_raw_fd(), counter.as_mut_ptr().cast(), counter.len()) };
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
    // SAFETY: has no conditions.
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
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
