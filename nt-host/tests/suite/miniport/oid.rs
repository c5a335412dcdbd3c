//! OID requests.

use std::ptr;
use std::sync::atomic::Ordering;

use nt_sys::ndis::*;

use super::fault::{Fault, is};
use super::{Context, DEVICE_STATE, context, header};

pub(crate) unsafe extern "efiapi" fn oid_request(
    adapter: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    let context = context(adapter);
    // SAFETY: NDIS gives it.
    let request = unsafe { &mut *request };
    match request.RequestType {
        nt_sys::ndis::NdisRequestQueryInformation => {
            // SAFETY: the type says so.
            let query = unsafe { &mut request.DATA.QUERY_INFORMATION };
            match query.Oid {
                OID_GEN_STATISTICS => answer(query, &statistics(context)),
                OID_GEN_XMIT_OK => answer(query, &context.sent.load(Ordering::Relaxed)),
                OID_GEN_RCV_OK => answer(query, &context.received.load(Ordering::Relaxed)),
                OID_GEN_VENDOR_ID => {
                    let status = answer(query, &0x00ff_ffff_u32);
                    let request = ptr::from_mut(request);
                    if is(Fault::CompleteOidTwice) {
                        // SAFETY: the request is about to pend.
                        unsafe { NdisMOidRequestComplete(context.handle(), request, status) };
                        // SAFETY: it does not pend any more: that is the fault.
                        unsafe { NdisMOidRequestComplete(context.handle(), request, status) };
                    }
                    let request = request.expose_provenance();
                    std::thread::spawn(move || {
                        let request = ptr::with_exposed_provenance_mut(request);
                        // SAFETY: the request pends.
                        unsafe { NdisMOidRequestComplete(context.handle(), request, status) };
                    });
                    NDIS_STATUS_PENDING
                }
                _ => NDIS_STATUS_NOT_SUPPORTED,
            }
        }
        nt_sys::ndis::NdisRequestSetInformation => {
            // SAFETY: the type says so.
            let set = unsafe { &mut request.DATA.SET_INFORMATION };
            match set.Oid {
                OID_GEN_CURRENT_LOOKAHEAD | OID_GEN_CURRENT_PACKET_FILTER | OID_PNP_SET_POWER => {
                    if set.InformationBufferLength != 4 {
                        set.BytesNeeded = 4;
                        return NDIS_STATUS_INVALID_LENGTH;
                    }
                    if set.Oid == OID_PNP_SET_POWER {
                        // SAFETY: four bytes, aligned.
                        DEVICE_STATE.store(
                            unsafe { *set.InformationBuffer.cast::<u32>() },
                            Ordering::Relaxed,
                        );
                    }
                    set.BytesRead = 4;
                    NDIS_STATUS_SUCCESS
                }
                OID_TCP_OFFLOAD_PARAMETERS if is(Fault::OffloadUntold) => {
                    set.BytesRead = set.InformationBufferLength;
                    NDIS_STATUS_SUCCESS
                }
                _ => NDIS_STATUS_NOT_SUPPORTED,
            }
        }
        _ => NDIS_STATUS_INVALID_OID,
    }
}

fn answer<T: Copy>(query: &mut NDIS_OID_REQUEST_QUERY, value: &T) -> NDIS_STATUS {
    let bytes = size_of::<T>() as u32;
    if query.InformationBufferLength < bytes {
        query.BytesNeeded = bytes;
        return NDIS_STATUS_BUFFER_TOO_SHORT;
    }
    // SAFETY: the length was checked, and the buffer is aligned.
    unsafe { query.InformationBuffer.cast::<T>().write(*value) };
    query.BytesWritten = bytes;
    NDIS_STATUS_SUCCESS
}

fn statistics(context: &Context) -> NDIS_STATISTICS_INFO {
    NDIS_STATISTICS_INFO {
        Header: header(
            NDIS_OBJECT_TYPE_DEFAULT,
            NDIS_STATISTICS_INFO_REVISION_1,
            NDIS_SIZEOF_STATISTICS_INFO_REVISION_1,
        ),
        SupportedStatistics: NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_XMIT
            | NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_RCV,
        ifHCOutUcastPkts: context.sent.load(Ordering::Relaxed),
        ifHCInUcastPkts: context.received.load(Ordering::Relaxed),
        ..NDIS_STATISTICS_INFO::default()
    }
}
