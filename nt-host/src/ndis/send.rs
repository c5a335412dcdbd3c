//! Sending: MiniportSendNetBufferLists and NdisMSendNetBufferListsComplete (ndis.h).

use std::cell::RefCell;
use std::ptr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use nt_sys::ndis::{
    NDIS_DEFAULT_PORT_NUMBER, NDIS_HANDLE, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL,
    NDIS_SEND_FLAGS_DISPATCH_LEVEL, NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS, NET_BUFFER_LIST,
};
use nt_sys::ntdef::{DISPATCH_LEVEL, ULONG};

use super::miniport_adapter::MiniportAdapter;
use super::object::{Object, Owner};
use super::port::TransmitError;
use super::send_pool::DataLayout;
use super::send_state::Completion;
use super::state::State;
use super::tuning::SendLevel;
use crate::callback;
use crate::irql;
use crate::stack;
use crate::violation::{Rule, stop};

impl MiniportAdapter {
    /// Sends the packets in `objects`, in order, and leaves it empty.
    pub(super) fn send(&self, objects: &mut Vec<Object>) -> Result<usize, TransmitError> {
        let count = objects.len();
        let Some(handler) = self.driver.0.characteristics.SendNetBufferListsHandler else {
            return Ok(0);
        };
        self.sends.in_progress.fetch_add(1, Ordering::SeqCst);
        let refused = if self.states.state() != State::Running {
            Some(TransmitError::NotRunning)
        } else if self.link_is_up.load(Ordering::Acquire) == 0 {
            Some(TransmitError::LinkDown)
        } else {
            None
        };
        if let Some(error) = refused {
            self.sends.in_progress.fetch_sub(1, Ordering::SeqCst);
            self.sends.discarded_packets.fetch_add(count as u64, Ordering::Relaxed);
            self.sends.pool.give(objects);
            return Err(error);
        }
        let mut chain: *mut NET_BUFFER_LIST = ptr::null_mut();
        let adapter = self.handle().addr();
        for object in objects.drain(..).rev() {
            // SAFETY: the object is the caller's until it is sent.
            unsafe { (*object.nbl()).Next = chain };
            object.set_adapter(adapter);
            let _ = object.pass(Owner::Allocator, Owner::Miniport);
            chain = object.nbl();
        }
        if !chain.is_null() {
            self.sends.outstanding.fetch_add(count, Ordering::AcqRel);
            self.sends.sent_packets.fetch_add(count as u64, Ordering::Relaxed);
            self.call_send(handler, chain);
        }
        self.sends.in_progress.fetch_sub(1, Ordering::SeqCst);
        Ok(count)
    }

    fn call_send(
        &self,
        handler: unsafe extern "efiapi" fn(NDIS_HANDLE, *mut NET_BUFFER_LIST, ULONG, ULONG),
        chain: *mut NET_BUFFER_LIST,
    ) {
        let context = self.context();
        let raise = match self.tuning.send_level {
            SendLevel::Passive => false,
            SendLevel::Dispatch => true,
            SendLevel::Alternate => self.sends.calls.fetch_add(1, Ordering::Relaxed) % 2 == 1,
        };
        let call = |flags| {
            callback::enter_driver(|| {
                // SAFETY: the driver's handler, called as documented (ndis.h,
                // MINIPORT_SEND_NET_BUFFER_LISTS).
                unsafe { handler(context, chain, NDIS_DEFAULT_PORT_NUMBER, flags) }
            });
        };
        if irql::current() == DISPATCH_LEVEL {
            call(NDIS_SEND_FLAGS_DISPATCH_LEVEL);
        } else if raise {
            irql::raised(DISPATCH_LEVEL, || call(NDIS_SEND_FLAGS_DISPATCH_LEVEL));
        } else {
            call(0);
        }
    }
}

/// Stops if `flag` is set in `flags` but the IRQL is not DISPATCH_LEVEL.
pub(super) fn require_dispatch_flag(function: &str, flags: ULONG, flag: ULONG) {
    if flags & flag != 0 && irql::current() != DISPATCH_LEVEL {
        stop(
            Rule::WRONG_DISPATCH_FLAG,
            function,
            format_args!("the flag for DISPATCH_LEVEL is set at IRQL {}", irql::current()),
        );
    }
}

thread_local! {
    /// A buffer for the completed objects of one call, which is reused.
    static COMPLETED: RefCell<Vec<Object>> = const { RefCell::new(Vec::new()) };
}

export! { "ndis.sys";
    /// ndis.h, NdisMSendNetBufferListsComplete.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// None: the chain is checked.
    pub unsafe fn NdisMSendNetBufferListsComplete(
        miniport_adapter_handle: NDIS_HANDLE,
        net_buffer_list: *mut NET_BUFFER_LIST,
        send_complete_flags: ULONG,
    ) {
        const FUNCTION: &str = "NdisMSendNetBufferListsComplete";
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        require_dispatch_flag(
            FUNCTION,
            send_complete_flags,
            NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL,
        );
        let adapter = MiniportAdapter::of(FUNCTION, miniport_adapter_handle);
        let mut completed = COMPLETED.take();
        let (mut failed, mut next) = (0, net_buffer_list);
        if next.is_null() {
            stop(Rule::NBL_BAD_CHAIN, FUNCTION, format_args!("the chain is empty"));
        }
        let call = adapter.sends.log.calls.fetch_add(1, Ordering::Relaxed);
        while !next.is_null() {
            let object = Object::of(FUNCTION, next);
            take_back(adapter, object);
            // SAFETY: the host owns the object again.
            let nbl = unsafe { &*object.nbl() };
            next = nbl.Next;
            let status = nbl.Status;
            // SAFETY: the host owns the object again.
            if !unsafe { DataLayout::is_unchanged(object) } || status == NDIS_STATUS_PENDING {
                stop(
                    Rule::NBL_CHANGED,
                    FUNCTION,
                    format_args!(
                        "{:p} has other NET_BUFFERs or MDLs than it was sent with, or is pending",
                        object.nbl()
                    ),
                );
            }
            failed += u64::from(status != NDIS_STATUS_SUCCESS);
            if adapter.sends.log.is_on {
                // SAFETY: part of the object, which the host owns again.
                let bytes = unsafe { (*object.net_buffer()).DataLength };
                let completion = Completion { status, bytes, call };
                let completions = &adapter.sends.log.completions;
                completions.lock().unwrap_or_else(PoisonError::into_inner).push(completion);
            }
            completed.push(object);
        }
        adapter.sends.failed_packets.fetch_add(failed, Ordering::Relaxed);
        let count = completed.len();
        adapter.sends.pool.give(&mut completed);
        adapter.sends.outstanding.fetch_sub(count, Ordering::AcqRel);
        COMPLETED.set(completed);
        let wants_room = &adapter.sends.wants_room;
        if wants_room.load(Ordering::Relaxed) && wants_room.swap(false, Ordering::AcqRel) {
            stack::on_host(|| adapter.edge.room());
        }
    }
}

/// Passes a list from the miniport back to the host. Stops if the miniport does not own it.
fn take_back(adapter: &MiniportAdapter, object: Object) {
    const FUNCTION: &str = "NdisMSendNetBufferListsComplete";
    if object.pool() != 0 {
        stop(
            Rule::NBL_NEVER_SENT,
            FUNCTION,
            format_args!("{:p} is from a pool of the driver", object.nbl()),
        );
    }
    match object.pass(Owner::Miniport, Owner::Allocator) {
        Ok(()) if object.adapter() == adapter.handle().addr() => {}
        Ok(()) => stop(
            Rule::NBL_NEVER_SENT,
            FUNCTION,
            format_args!("{:p} was sent to another adapter than {}", object.nbl(), adapter.name),
        ),
        Err(owner) => stop(
            Rule::NBL_COMPLETED_TWICE,
            FUNCTION,
            format_args!(
                "{:p} (use {}) is owned by the {owner:?}",
                object.nbl(),
                object.generation()
            ),
        ),
    }
}
