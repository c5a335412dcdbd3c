//! Changes of the IP stack's routes, interfaces and local addresses.
//!
//! # Safety conditions
//! 1. The context is that of [`IpChanges::watch`], which lives until all registrations are
//!    cancelled, and a cancellation waits for callbacks in progress.

use core::ptr;

use nt_sys::netioapi::{
    CancelMibChangeNotify2, MIB_IPFORWARD_ROW2, MIB_IPINTERFACE_ROW, MIB_NOTIFICATION_TYPE,
    MIB_UNICASTIPADDRESS_ROW, NotifyIpInterfaceChange, NotifyRouteChange2,
    NotifyUnicastIpAddressChange,
};
use nt_sys::ntdef::{FALSE, HANDLE, PVOID};
use nt_sys::wsk::AF_UNSPEC;

use crate::pool::PoolBox;
use crate::status::{Result, Status};

/// Who hears of changes.
pub trait IpChangeListener: Send + Sync + 'static {
    /// A route, an interface or a local address has changed. It is called at up to
    /// `DISPATCH_LEVEL`, on any thread: the documentation names no IRQL.
    fn changed(&self);
}

/// A registration for all three kinds of changes. Dropping it waits for a call in progress.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub struct IpChanges<L: IpChangeListener> {
    /// Null where there is none.
    handles: [HANDLE; 3],
    /// After the handles: dropped when they are cancelled.
    _listener: PoolBox<L>,
}

impl<L: IpChangeListener> IpChanges<L> {
    /// Has `listener` called at each change.
    pub fn watch(listener: L) -> Result<Self> {
        let listener = PoolBox::new(listener)?;
        let context: PVOID = ptr::from_ref(&*listener).cast_mut().cast();
        // From here on, dropping it cancels what is registered.
        let mut changes = Self { handles: [ptr::null_mut(); 3], _listener: listener };
        let [route, interface, address] = &mut changes.handles;
        // SAFETY: 1.
        let status =
            unsafe { NotifyRouteChange2(AF_UNSPEC, route_changed::<L>, context, FALSE, route) };
        Status(status).ok()?;
        // SAFETY: 1.
        let status = unsafe {
            NotifyIpInterfaceChange(AF_UNSPEC, interface_changed::<L>, context, FALSE, interface)
        };
        Status(status).ok()?;
        // SAFETY: 1.
        let status = unsafe {
            NotifyUnicastIpAddressChange(AF_UNSPEC, address_changed::<L>, context, FALSE, address)
        };
        Status(status).ok()?;
        Ok(changes)
    }
}

impl<L: IpChangeListener> Drop for IpChanges<L> {
    fn drop(&mut self) {
        for handle in self.handles {
            if !handle.is_null() {
                // SAFETY: registered, and cancelled once.
                let _ = unsafe { CancelMibChangeNotify2(handle) };
            }
        }
    }
}

// SAFETY: a registration may be cancelled on any thread, and a listener called on any.
unsafe impl<L: IpChangeListener> Send for IpChanges<L> {}
// SAFETY: a shared registration does nothing.
unsafe impl<L: IpChangeListener> Sync for IpChanges<L> {}

/// # Safety
/// 1.
unsafe fn changed<L: IpChangeListener>(context: PVOID) {
    // SAFETY: 1.
    unsafe { &*context.cast::<L>() }.changed();
}

unsafe extern "efiapi" fn route_changed<L: IpChangeListener>(
    context: PVOID,
    _: *mut MIB_IPFORWARD_ROW2,
    _: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: 1.
    unsafe { changed::<L>(context) };
}

unsafe extern "efiapi" fn interface_changed<L: IpChangeListener>(
    context: PVOID,
    _: *mut MIB_IPINTERFACE_ROW,
    _: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: 1.
    unsafe { changed::<L>(context) };
}

unsafe extern "efiapi" fn address_changed<L: IpChangeListener>(
    context: PVOID,
    _: *mut MIB_UNICASTIPADDRESS_ROW,
    _: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: 1.
    unsafe { changed::<L>(context) };
}
