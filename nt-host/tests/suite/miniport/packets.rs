//! Packets: an adapter's packets are received by the next one.

use std::ptr;
use std::sync::atomic::Ordering;

use nt_sys::ndis::*;
use nt_sys::ntdef::ULONG;

use super::fault::{Fault, is};
use super::{DATA_BYTES, SEND_FLAGS_SEEN, Shared, adapters, context};

/// Returns `lists` indicated lists. Completes a pause that waits for the last.
fn returned(context: Shared, lists: usize) {
    if context.indicated.fetch_sub(lists, Ordering::SeqCst) == lists
        && !context.running.load(Ordering::SeqCst)
        && context.pausing.swap(false, Ordering::SeqCst)
    {
        // SAFETY: the pause pends.
        unsafe { NdisMPauseComplete(context.handle()) };
    }
}

pub(crate) unsafe extern "efiapi" fn return_lists(
    adapter: NDIS_HANDLE,
    lists: *mut NET_BUFFER_LIST,
    _: ULONG,
) {
    let context = context(adapter);
    let (mut next, mut count) = (lists, 0);
    while !next.is_null() {
        let list = next;
        // SAFETY: back with the driver.
        next = unsafe { (*list).Next };
        // SAFETY: back with the driver.
        unsafe { NdisFreeNetBufferList(list) };
        if is(Fault::FreeTwice) {
            // SAFETY: it is not: that is the fault.
            unsafe { NdisFreeNetBufferList(list) };
        }
        count += 1;
    }
    returned(context, count);
}

pub(crate) unsafe extern "efiapi" fn send(
    adapter: NDIS_HANDLE,
    lists: *mut NET_BUFFER_LIST,
    _: NDIS_PORT_NUMBER,
    flags: ULONG,
) {
    let context = context(adapter);
    SEND_FLAGS_SEEN.fetch_or(1 << (flags & NDIS_SEND_FLAGS_DISPATCH_LEVEL), Ordering::Relaxed);
    let target = {
        let adapters = adapters();
        let own = adapters
            .iter()
            .position(|known| ptr::eq(*known, context))
            .expect("an adapter of this driver");
        adapters[(own + 1) % adapters.len()]
    };
    if is(Fault::PauseWithSends) || is(Fault::CompleteOwnList) || is(Fault::IndicateSentList) {
        context.kept.store(lists, Ordering::Relaxed);
    }
    if is(Fault::PauseWithSends) {
        return;
    }
    deliver(target, lists, flags);
    if is(Fault::ChangeSentList) {
        // SAFETY: a sent list.
        unsafe { (*lists).FirstNetBuffer = ptr::null_mut() };
    }
    let mut next = lists;
    while !next.is_null() {
        // SAFETY: a sent list.
        let list = unsafe { &mut *next };
        list.Status = NDIS_STATUS_SUCCESS;
        context.sent.fetch_add(1, Ordering::Relaxed);
        next = list.Next;
    }
    if is(Fault::CompleteOwnList) {
        // SAFETY: the pool is live.
        let own = unsafe { NdisAllocateNetBufferList(context.pool(), 0, 0) };
        // SAFETY: not a sent one: that is the fault.
        unsafe { NdisMSendNetBufferListsComplete(context.handle(), own, 0) };
    }
    if is(Fault::IndicateSentList) {
        // SAFETY: not the driver's: that is the fault.
        unsafe { (*lists).SourceHandle = context.handle() };
        // SAFETY: the list is not the driver's: that is the fault.
        unsafe { NdisMIndicateReceiveNetBufferLists(context.handle(), lists, 0, 1, 0) };
    }
    let flag = if flags & NDIS_SEND_FLAGS_DISPATCH_LEVEL != 0 || is(Fault::DispatchFlagAtPassive) {
        NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL
    } else {
        0
    };
    // SAFETY: a sent list with its NET_BUFFER.
    let net_buffer = unsafe { (*lists).FirstNetBuffer };
    let data = if is(Fault::ChangeSentList) { ptr::null_mut() } else { data_of(net_buffer) };
    // SAFETY: what was sent.
    unsafe { NdisMSendNetBufferListsComplete(context.handle(), lists, flag) };
    if is(Fault::CompleteTwice) {
        // SAFETY: it is not the driver's any more: that is the fault.
        unsafe { NdisMSendNetBufferListsComplete(context.handle(), lists, flag) };
    }
    if is(Fault::TouchAfterCompletion) {
        // SAFETY: the list is not the driver's any more: that is the fault.
        unsafe { (*lists).Scratch = ptr::null_mut() };
    }
    if is(Fault::ReadAfterCompletion) {
        // SAFETY: the list is not the driver's any more; only its address is computed.
        let status = unsafe { &raw const (*lists).Status };
        // SAFETY: the list is not the driver's any more: that is the fault.
        let status = unsafe { ptr::read_volatile(status) };
        assert_eq!(status, 0);
    }
    if is(Fault::WriteDataAfterCompletion) {
        // SAFETY: the data is not the driver's any more: that is the fault.
        unsafe { data.write(0) };
    }
}

fn data_of(net_buffer: *mut NET_BUFFER) -> *mut u8 {
    // SAFETY: a NET_BUFFER that the driver has.
    let net_buffer = unsafe { &*net_buffer };
    // SAFETY: its current MDL.
    let mdl = unsafe { &*net_buffer.CurrentMdl };
    mdl.MappedSystemVa.cast::<u8>().wrapping_add(net_buffer.CurrentMdlOffset as usize)
}

/// Copies a chain and indicates the copies.
fn deliver(target: Shared, lists: *mut NET_BUFFER_LIST, flags: ULONG) {
    // Counts this call, so that a pause waits for it.
    target.indicated.fetch_add(1, Ordering::SeqCst);
    if !target.running.load(Ordering::SeqCst) && !is(Fault::IndicateWhilePaused) {
        returned(target, 1);
        return;
    }
    let (mut first, mut last, mut count) =
        (ptr::null_mut::<NET_BUFFER_LIST>(), ptr::null_mut::<NET_BUFFER_LIST>(), 0_usize);
    let mut next = lists;
    while !next.is_null() {
        // SAFETY: a sent list.
        let list = unsafe { &*next };
        next = list.Next;
        let Some(copy) = copy(target, list.FirstNetBuffer) else { continue };
        if first.is_null() {
            first = copy;
        } else {
            // SAFETY: the last copy.
            unsafe { (*last).Next = copy };
        }
        last = copy;
        count += 1;
    }
    if count > 0 {
        target.indicated.fetch_add(count, Ordering::SeqCst);
        target.received.fetch_add(count as u64, Ordering::Relaxed);
        let flag = if flags & NDIS_SEND_FLAGS_DISPATCH_LEVEL != 0 {
            NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL
        } else {
            0
        };
        let said = if is(Fault::WrongCount) { count + 1 } else { count } as ULONG;
        // SAFETY: a chain of the driver's.
        unsafe { NdisMIndicateReceiveNetBufferLists(target.handle(), first, 0, said, flag) };
        if is(Fault::IndicateTwice) {
            // SAFETY: the stack holds it: that is the fault.
            unsafe { NdisMIndicateReceiveNetBufferLists(target.handle(), first, 0, said, flag) };
        }
        if is(Fault::FreeIndicated) {
            // SAFETY: the stack holds it: that is the fault.
            unsafe { NdisFreeNetBufferList(first) };
        }
    }
    returned(target, 1);
}

/// A list of the driver with a copy of a packet.
fn copy(target: Shared, packet: *mut NET_BUFFER) -> Option<*mut NET_BUFFER_LIST> {
    // SAFETY: the pool is live.
    let list = unsafe { NdisAllocateNetBufferList(target.pool(), 0, 0) };
    // SAFETY: null, or a new list.
    let fields = unsafe { list.as_mut() }?;
    fields.SourceHandle = target.handle();
    if is(Fault::ChecksumUnasked) {
        let right = NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO::RECEIVE_IP_CHECKSUM_SUCCEEDED;
        fields.NetBufferListInfo[TcpIpChecksumNetBufferListInfo] =
            ptr::without_provenance_mut(right);
    }
    // SAFETY: allocated with the list.
    let net_buffer = unsafe { &mut *fields.FirstNetBuffer };
    // SAFETY: a sent packet.
    let bytes = unsafe { (*packet).DataLength };
    assert!(bytes <= DATA_BYTES);
    let to = data_of(net_buffer);
    // SAFETY: the storage has as many bytes as the packet.
    let from = unsafe { NdisGetDataBuffer(packet, bytes, to.cast(), 1, 0) };
    assert!(!from.is_null());
    if from != to.cast() {
        // SAFETY: both have that many bytes.
        unsafe { ptr::copy_nonoverlapping(from.cast::<u8>(), to, bytes as usize) };
    }
    net_buffer.DataLength = bytes;
    Some(list)
}

/// Indicates a list in whatever state the adapter of `index` is.
pub(crate) fn indicate_one(index: usize) {
    let target = adapters()[index];
    // SAFETY: the pool is live.
    let list = unsafe { NdisAllocateNetBufferList(target.pool(), 0, 0) };
    // SAFETY: a new list.
    unsafe { (*list).SourceHandle = target.handle() };
    // SAFETY: a new list, which is the driver's to indicate.
    unsafe { NdisMIndicateReceiveNetBufferLists(target.handle(), list, 0, 1, 0) };
}
