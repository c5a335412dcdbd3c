//! Receiving: NdisMIndicateReceiveNetBufferLists and MiniportReturnNetBufferLists (ndis.h).

use std::ptr;
use std::sync::atomic::Ordering;
use std::thread;

use nt_sys::ndis::{
    NDIS_HANDLE, NDIS_PORT_NUMBER, NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL, NDIS_RECEIVE_FLAGS_RESOURCES,
    NDIS_RETURN_FLAGS_DISPATCH_LEVEL, NET_BUFFER_LIST, TcpIpChecksumNetBufferListInfo,
};
use nt_sys::ntdef::{DISPATCH_LEVEL, ULONG};

use super::miniport_adapter::{MiniportAdapter, find};
use super::nbl_pool::is_from_driver_pool;
use super::object::{Object, Owner};
use super::received::ReceivedBatch;
use super::send::require_dispatch_flag;
use super::state::State;
use super::verification::verification;
use crate::callback;
use crate::irql;
use crate::stack;
use crate::violation::{Rule, stop};

const FUNCTION: &str = "NdisMIndicateReceiveNetBufferLists";

export! { "ndis.sys";
    /// ndis.h, NdisMIndicateReceiveNetBufferLists.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The chain is checked; what its MDLs point at is not.
    pub unsafe fn NdisMIndicateReceiveNetBufferLists(
        miniport_adapter_handle: NDIS_HANDLE,
        net_buffer_list: *mut NET_BUFFER_LIST,
        port_number: NDIS_PORT_NUMBER,
        number_of_net_buffer_lists: ULONG,
        receive_flags: ULONG,
    ) {
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        require_dispatch_flag(FUNCTION, receive_flags, NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
        let adapter = MiniportAdapter::of(FUNCTION, miniport_adapter_handle);
        let state = adapter.states.state();
        // In Restarting, the driver may receive before NDIS sees the completion.
        if !matches!(state, State::Running | State::Pausing | State::Restarting) {
            stop(
                Rule::INDICATED_WHILE_PAUSED,
                FUNCTION,
                format_args!("adapter {} is {state:?}", adapter.name),
            );
        }
        if port_number != 0 {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!("port {port_number} was never allocated"),
            );
        }
        let (lists, packets) = accept(adapter, net_buffer_list);
        if lists != number_of_net_buffer_lists as usize || lists == 0 {
            stop(
                Rule::NBL_BAD_CHAIN,
                FUNCTION,
                format_args!(
                    "{number_of_net_buffer_lists} lists are stated for a chain of {lists}"
                ),
            );
        }
        adapter.indicated.fetch_add(lists, Ordering::AcqRel);
        adapter.received_packets.fetch_add(packets, Ordering::Relaxed);
        // SAFETY: the stack owns the chain, which is not empty.
        let first = unsafe { &*net_buffer_list };
        stack::on_host(|| adapter.edge.receive(&ReceivedBatch { first, lists }));
        if receive_flags & NDIS_RECEIVE_FLAGS_RESOURCES != 0 {
            give_back(adapter, net_buffer_list);
        } else if let Some(time) = adapter.tuning.hold_indications
            && let Some(adapter) = find(|known| ptr::eq(known, adapter))
        {
            let chain = Chain(net_buffer_list);
            stack::on_host(|| {
                thread::spawn(move || {
                    thread::sleep(time);
                    return_lists(&adapter, chain);
                });
            });
        } else {
            return_lists(adapter, Chain(net_buffer_list));
        }
    }
}

/// A chain that the stack owns.
#[derive(Clone, Copy)]
struct Chain(*mut NET_BUFFER_LIST);

// SAFETY: the stack owns it, and passes it on as a whole.
unsafe impl Send for Chain {}

/// Passes a chain from the driver to the stack. Stops if the chain is wrong. Returns the number of
/// lists and of packets.
fn accept(adapter: &MiniportAdapter, chain: *mut NET_BUFFER_LIST) -> (usize, u64) {
    let (mut lists, mut packets) = (0, 0);
    let mut next = chain;
    while !next.is_null() {
        let object = Object::of(FUNCTION, next);
        if object.pool() == 0 || (verification() && !is_from_driver_pool(object)) {
            stop(
                Rule::NBL_NOT_OWNED,
                FUNCTION,
                format_args!("{:p} was not allocated by the driver", object.nbl()),
            );
        }
        if let Err(owner) = object.pass(Owner::Allocator, Owner::Stack) {
            stop(
                Rule::NBL_NOT_OWNED,
                FUNCTION,
                format_args!(
                    "{:p} is owned by the {owner:?}: indicated twice, or freed",
                    object.nbl()
                ),
            );
        }
        object.set_adapter(adapter.handle().addr());
        // SAFETY: the stack owns the list now.
        let nbl = unsafe { &*object.nbl() };
        if nbl.SourceHandle != adapter.handle() {
            stop(
                Rule::NBL_BAD_CHAIN,
                FUNCTION,
                format_args!(
                    "SourceHandle of {:p} is not the miniport adapter handle",
                    object.nbl()
                ),
            );
        }
        let checksums = nbl.NetBufferListInfo.get(TcpIpChecksumNetBufferListInfo);
        adapter.offloads.require_on(FUNCTION, checksums.map_or(0, |info| info.addr()));
        if nbl.FirstNetBuffer.is_null() {
            stop(
                Rule::NBL_BAD_CHAIN,
                FUNCTION,
                format_args!("{:p} has no NET_BUFFER", object.nbl()),
            );
        }
        lists += 1;
        let mut net_buffer = nbl.FirstNetBuffer.cast_const();
        // SAFETY: the stack owns the list now.
        while let Some(current) = unsafe { net_buffer.as_ref() } {
            packets += 1;
            net_buffer = current.Next;
        }
        next = nbl.Next;
    }
    (lists, packets)
}

/// Passes a chain back to the driver.
fn give_back(adapter: &MiniportAdapter, chain: *mut NET_BUFFER_LIST) {
    let mut next = chain;
    let mut lists = 0;
    while !next.is_null() {
        let object = Object::of(FUNCTION, next);
        // SAFETY: the stack still owns the list.
        next = unsafe { (*object.nbl()).Next };
        if let Err(owner) = object.pass(Owner::Stack, Owner::Allocator) {
            stop(
                Rule::NBL_NOT_OWNED,
                FUNCTION,
                format_args!(
                    "{:p} is owned by the {owner:?}, although the stack has not returned it",
                    object.nbl()
                ),
            );
        }
        lists += 1;
    }
    adapter.indicated.fetch_sub(lists, Ordering::AcqRel);
}

/// Returns a chain by MiniportReturnNetBufferLists.
fn return_lists(adapter: &MiniportAdapter, chain: Chain) {
    let Chain(chain) = chain;
    give_back(adapter, chain);
    let Some(handler) = adapter.driver.0.characteristics.ReturnNetBufferListsHandler else {
        return;
    };
    let context = adapter.context();
    let flags =
        if irql::current() == DISPATCH_LEVEL { NDIS_RETURN_FLAGS_DISPATCH_LEVEL } else { 0 };
    // SAFETY: the driver's handler, called as documented (ndis.h,
    // MINIPORT_RETURN_NET_BUFFER_LISTS).
    callback::enter_driver(|| unsafe { handler(context, chain, flags) });
}
