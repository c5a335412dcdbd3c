//! Sending datagrams.
//!
//! # Safety conditions
//! 1. The batch or datagram is ours until the call of WSK, and is at its final address.
//! 2. WSK reads only memory of the batch or datagram, which the completion routine alone gives
//!    back.
//! 3. The context is the batch or datagram that was passed to WSK, which WSK does not use any more.

use core::mem::MaybeUninit;
use core::net::SocketAddr;
use core::ptr::{self, NonNull};

use nt_sys::io::{DEVICE_OBJECT, IRP};
use nt_sys::ntdef::{NTSTATUS, PVOID};
use nt_sys::status::STATUS_MORE_PROCESSING_REQUIRED;
use nt_sys::wsk::{SOCKADDR_INET, WSK_BUF};

use super::address::{PacketInfo, to_sockaddr};
use super::control::Control;
use super::request::WskIrp;
use super::socket::{Core, Family, ReceiveFrom, UdpSocket};
use crate::datagrams::DatagramBuffer;
use crate::mdl::Mdl;
use crate::pool::{PoolBox, PoolBytes};
use crate::shared::Shared;
use crate::status::{Result, Status};

/// The owner of a batch that is sent.
pub trait Sent: Sized + Send + 'static {
    /// Takes back a batch, whether it was sent or not. It is called at up to `DISPATCH_LEVEL`, on
    /// any thread, and possibly before [`UdpSocket::send_batch`] has returned. It should not send,
    /// as the stack would grow ("Using IRPs with Winsock Kernel Functions").
    fn sent(batch: SendBatch<Self>, status: Status);
}

/// The completion of a single datagram.
pub trait OneSent: Sized + Send + 'static {
    /// The datagram was sent, or not. The context is that of [`Sent::sent`].
    fn sent(self, status: Status);
}

/// No notice.
impl OneSent for () {
    fn sent(self, _: Status) {}
}

/// Datagrams to one address, with an IRP and everything else to send them. It is reusable.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`
pub struct SendBatch<T: Sent> {
    inner: PoolBox<Inner<T>>,
}

struct Inner<T> {
    /// A value of the sender.
    context: T,
    datagrams: DatagramBuffer,
    flight: Flight,
}

/// What WSK reads during a send. It must not move.
struct Flight {
    irp: WskIrp,
    remote: SOCKADDR_INET,
    control: Control,
    /// The socket, while the batch is being sent.
    core: Option<Shared<Core>>,
}

impl<T: Sent> SendBatch<T> {
    /// Allocates a batch of `slots` datagrams, at most 64, of up to `slot_bytes` bytes each.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`; needs about 8 KiB of stack.
    pub fn new(slots: usize, slot_bytes: usize, context: T) -> Result<Self> {
        let flight = Flight::new()?;
        let datagrams = DatagramBuffer::new(slots, slot_bytes)?;
        Ok(Self { inner: PoolBox::new(Inner { context, datagrams, flight })? })
    }

    /// The datagrams.
    pub fn datagrams(&self) -> &DatagramBuffer {
        &self.inner.datagrams
    }

    /// The datagrams, mutable.
    pub fn datagrams_mut(&mut self) -> &mut DatagramBuffer {
        &mut self.inner.datagrams
    }

    /// A value of the sender.
    pub fn context(&self) -> &T {
        &self.inner.context
    }

    /// A value of the sender.
    pub fn context_mut(&mut self) -> &mut T {
        &mut self.inner.context
    }
}

impl Flight {
    fn new() -> Result<Self> {
        Ok(Self {
            irp: WskIrp::new()?,
            remote: to_sockaddr(SocketAddr::from(([0; 4], 0))),
            control: Control::EMPTY,
            core: None,
        })
    }

    /// Sets socket and addresses. The socket must have a use for this.
    fn aim(&mut self, core: &Shared<Core>, remote: SocketAddr, local: Option<PacketInfo>) {
        self.remote = to_sockaddr(remote);
        // A local address of the other family can't be sent from.
        self.control =
            Control::of(local.filter(|local| local.address.is_ipv4() == remote.is_ipv4()));
        self.core = Some(core.clone());
    }
}

impl<R: ReceiveFrom> UdpSocket<R> {
    /// Sends a batch, without waiting. [`Sent::sent`] returns it in every case, exactly once.
    ///
    /// # Locks
    /// None may be held.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn send_batch<T: Sent>(
        &self,
        mut batch: SendBatch<T>,
        remote: SocketAddr,
        local: Option<PacketInfo>,
    ) {
        let list = batch.inner.datagrams.wsk_list();
        if list.is_null() {
            return T::sent(batch, Status::SUCCESS);
        }
        if !self.reaches(remote) {
            return T::sent(batch, Status::INVALID_PARAMETER);
        }
        // One use for the batch, and one for the call: the socket may be closed after both.
        let core = self.core();
        if !core.rundown.enter(2) {
            return T::sent(batch, Status::DEVICE_NOT_READY);
        }
        let Some(send) = core.dispatch().WskSendMessages else {
            core.rundown.leave(2);
            return T::sent(batch, Status::NOT_SUPPORTED);
        };
        batch.inner.flight.aim(core, remote, local);
        let context: NonNull<Inner<T>> = PoolBox::into_raw(batch.inner);
        // SAFETY: 1.
        let flight = unsafe { &raw mut (*context.as_ptr()).flight };
        // SAFETY: 1.
        let call = unsafe { Call::prepare(flight, batch_sent::<T>, context.as_ptr().cast()) };
        // SAFETY: 2.
        unsafe {
            send(core.socket(), list, 0, call.remote, call.control_length, call.control, call.irp)
        };
        core.rundown.leave(1);
    }

    /// Copies and sends one datagram, without waiting. The result of the send is not reported.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn send_to(
        &self,
        datagram: &[u8],
        remote: SocketAddr,
        local: Option<PacketInfo>,
    ) -> Result<()> {
        self.send_one(datagram, remote, local, ()).map_err(|(status, ())| status)
    }

    /// Copies and sends one datagram, without waiting. `context` is told of the completion; if the
    /// send can't be started, it is returned with the reason.
    ///
    /// # Locks
    /// None may be held.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn send_one<T: OneSent>(
        &self,
        datagram: &[u8],
        remote: SocketAddr,
        local: Option<PacketInfo>,
        context: T,
    ) -> core::result::Result<(), (Status, T)> {
        if !self.reaches(remote) {
            return Err((Status::INVALID_PARAMETER, context));
        }
        let core = self.core();
        let Some(send) = core.dispatch().WskSendTo else {
            return Err((Status::NOT_SUPPORTED, context));
        };
        let mut single = Single::new(datagram, context)?;
        // One use for the datagram, and one for the call: the socket may be closed after both.
        if !core.rundown.enter(2) {
            return Err((Status::DEVICE_NOT_READY, PoolBox::into_inner(single).context));
        }
        single.flight.aim(core, remote, local);
        let single: NonNull<Single<T>> = PoolBox::into_raw(single);
        // SAFETY: 1.
        let flight = unsafe { &raw mut (*single.as_ptr()).flight };
        // SAFETY: 1.
        let buffer = unsafe { &raw mut (*single.as_ptr()).buffer };
        // SAFETY: 1.
        let call = unsafe { Call::prepare(flight, single_sent::<T>, single.as_ptr().cast()) };
        // SAFETY: 2.
        unsafe {
            send(core.socket(), buffer, 0, call.remote, call.control_length, call.control, call.irp)
        };
        core.rundown.leave(1);
        Ok(())
    }

    fn reaches(&self, remote: SocketAddr) -> bool {
        (self.family() == Family::V4) == remote.is_ipv4()
    }
}

/// The arguments that both send functions have in common.
struct Call {
    remote: *mut nt_sys::wsk::SOCKADDR,
    control: *mut nt_sys::wsk::CMSGHDR,
    control_length: u32,
    irp: *mut IRP,
}

impl Call {
    /// # Safety
    /// The flight must be valid, ours, and at its final place.
    unsafe fn prepare(
        flight: *mut Flight,
        routine: nt_sys::io::IO_COMPLETION_ROUTINE,
        context: PVOID,
    ) -> Self {
        // SAFETY: by the caller's promise.
        let flight = unsafe { &mut *flight };
        let control_length = flight.control.length();
        Self {
            remote: (&raw mut flight.remote).cast(),
            control: if control_length == 0 {
                ptr::null_mut()
            } else {
                (&raw mut flight.control).cast()
            },
            control_length,
            irp: flight.irp.prepare(routine, context),
        }
    }
}

unsafe extern "efiapi" fn batch_sent<T: Sent>(
    _: *mut DEVICE_OBJECT,
    _: *mut IRP,
    context: PVOID,
) -> NTSTATUS {
    if let Some(context) = NonNull::new(context.cast::<Inner<T>>()) {
        // SAFETY: 3.
        let mut inner = unsafe { PoolBox::from_raw(context) };
        let (status, _) = inner.flight.irp.outcome();
        let core = inner.flight.core.take();
        T::sent(SendBatch { inner }, status);
        if let Some(core) = core {
            core.rundown.leave(1);
        }
    }
    // The driver owns the IRP, and may have freed it already.
    STATUS_MORE_PROCESSING_REQUIRED
}

/// One datagram that is being sent.
struct Single<T> {
    flight: Flight,
    buffer: WSK_BUF,
    _mdl: Mdl,
    _bytes: PoolBytes,
    /// A value of the sender.
    context: T,
}

impl<T> Single<T> {
    fn new(datagram: &[u8], context: T) -> core::result::Result<PoolBox<Self>, (Status, T)> {
        let made = Self::make(datagram)
            .and_then(|parts| Ok((parts, PoolBox::new(MaybeUninit::uninit())?)));
        match made {
            Ok(((flight, buffer, mdl, bytes), place)) => {
                Ok(PoolBox::fill(place, Self { flight, buffer, _mdl: mdl, _bytes: bytes, context }))
            }
            Err(status) => Err((status, context)),
        }
    }

    fn make(datagram: &[u8]) -> Result<(Flight, WSK_BUF, Mdl, PoolBytes)> {
        let length = u32::try_from(datagram.len()).map_err(|_| Status::INVALID_PARAMETER)?;
        let mut bytes = PoolBytes::zeroed(datagram.len())?;
        bytes.copy_from_slice(datagram);
        // SAFETY: the bytes are in the non-paged pool, and are freed after the MDL.
        let mdl = unsafe { Mdl::new(bytes.as_mut_ptr(), length) }?;
        let buffer = WSK_BUF { Mdl: mdl.as_ptr(), Offset: 0, Length: datagram.len() };
        Ok((Flight::new()?, buffer, mdl, bytes))
    }
}

unsafe extern "efiapi" fn single_sent<T: OneSent>(
    _: *mut DEVICE_OBJECT,
    _: *mut IRP,
    context: PVOID,
) -> NTSTATUS {
    if let Some(context) = NonNull::new(context.cast::<Single<T>>()) {
        // SAFETY: 3.
        let Single { mut flight, buffer: _, _mdl, _bytes, context } =
            PoolBox::into_inner(unsafe { PoolBox::from_raw(context) });
        let (status, _) = flight.irp.outcome();
        let core = flight.core.take();
        drop((flight, _mdl, _bytes));
        context.sent(status);
        if let Some(core) = core {
            core.rundown.leave(1);
        }
    }
    // The IRP has been freed already.
    STATUS_MORE_PROCESSING_REQUIRED
}
