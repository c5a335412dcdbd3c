//! MiniportOidRequest.

use nt::checksums::ReceiveChecksums;
use nt::oid::{
    NDIS_OID, OID_GEN_CURRENT_LOOKAHEAD, OID_GEN_CURRENT_PACKET_FILTER,
    OID_GEN_INTERRUPT_MODERATION, OID_GEN_LINK_PARAMETERS, OID_GEN_MAXIMUM_TOTAL_SIZE,
    OID_GEN_RCV_OK, OID_GEN_RECEIVE_BLOCK_SIZE, OID_GEN_RECEIVE_BUFFER_SPACE, OID_GEN_STATISTICS,
    OID_GEN_TRANSMIT_BLOCK_SIZE, OID_GEN_TRANSMIT_BUFFER_SPACE, OID_GEN_VENDOR_DESCRIPTION,
    OID_GEN_VENDOR_DRIVER_VERSION, OID_GEN_VENDOR_ID, OID_GEN_XMIT_OK, OID_OFFLOAD_ENCAPSULATION,
    OID_PNP_QUERY_POWER, OID_PNP_SET_POWER, OID_TCP_OFFLOAD_PARAMETERS, OidKind, OidRequest,
};
use nt::{Result, Shared, Status};

use super::{Adapter, AdapterProtocol, MAXIMUM_MTU_BYTES, statistics};
use crate::VERSION;

/// The supported OIDs.
pub(super) static SUPPORTED: [NDIS_OID; 19] = [
    OID_GEN_MAXIMUM_TOTAL_SIZE,
    OID_GEN_CURRENT_LOOKAHEAD,
    OID_GEN_TRANSMIT_BUFFER_SPACE,
    OID_GEN_RECEIVE_BUFFER_SPACE,
    OID_GEN_TRANSMIT_BLOCK_SIZE,
    OID_GEN_RECEIVE_BLOCK_SIZE,
    OID_GEN_VENDOR_DESCRIPTION,
    OID_GEN_VENDOR_ID,
    OID_GEN_VENDOR_DRIVER_VERSION,
    OID_GEN_XMIT_OK,
    OID_GEN_RCV_OK,
    OID_GEN_CURRENT_PACKET_FILTER,
    OID_GEN_STATISTICS,
    OID_GEN_INTERRUPT_MODERATION,
    OID_GEN_LINK_PARAMETERS,
    OID_PNP_SET_POWER,
    OID_PNP_QUERY_POWER,
    OID_TCP_OFFLOAD_PARAMETERS,
    OID_OFFLOAD_ENCAPSULATION,
];

/// The reported buffer space in bytes; there are no hardware buffers.
const BUFFER_SPACE: u32 = 64 << 20;

/// The ID of a vendor without an IEEE code (NDIS documentation, OID_GEN_VENDOR_ID).
const VENDOR_ID: u32 = 0x00ff_ffff;

const VENDOR_DESCRIPTION: &[u8] = b"Tunic\0";

/// The device is on (ntddndis.h, NdisDeviceStateD0).
const POWER_ON: u32 = 1;

/// Handles a request.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn oid_request<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    mut request: OidRequest<'_>,
) -> Status {
    match request.kind() {
        OidKind::Query => query(adapter, &mut request),
        OidKind::Set => set(adapter, &mut request),
        OidKind::Other => Status::INVALID_OID,
    }
}

fn query<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, request: &mut OidRequest<'_>) -> Status {
    match request.oid() {
        OID_GEN_MAXIMUM_TOTAL_SIZE | OID_GEN_TRANSMIT_BLOCK_SIZE | OID_GEN_RECEIVE_BLOCK_SIZE => {
            request.answer_u32(MAXIMUM_MTU_BYTES)
        }
        OID_GEN_TRANSMIT_BUFFER_SPACE | OID_GEN_RECEIVE_BUFFER_SPACE => {
            request.answer_u32(BUFFER_SPACE)
        }
        OID_GEN_VENDOR_ID => request.answer_u32(VENDOR_ID),
        OID_GEN_VENDOR_DESCRIPTION => request.answer(VENDOR_DESCRIPTION),
        OID_GEN_VENDOR_DRIVER_VERSION => {
            request.answer_u32(u32::from(VERSION.0) << 16 | u32::from(VERSION.1))
        }
        OID_GEN_XMIT_OK => request.answer_counter(statistics(adapter).sent_packets),
        OID_GEN_RCV_OK => request.answer_counter(statistics(adapter).received_packets),
        OID_GEN_STATISTICS => request.answer_statistics(&statistics(adapter)),
        OID_GEN_INTERRUPT_MODERATION => request.answer_no_interrupt_moderation(),
        // No hardware to prepare.
        OID_PNP_QUERY_POWER => request.accept(),
        _ => Status::NOT_SUPPORTED,
    }
}

fn set<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, request: &mut OidRequest<'_>) -> Status {
    match request.oid() {
        // No hardware filters packets: any filter and lookahead is accepted.
        OID_GEN_CURRENT_PACKET_FILTER | OID_GEN_CURRENT_LOOKAHEAD => {
            request.value::<4>().map_or_else(|status| status, |_| Status::SUCCESS)
        }
        OID_GEN_INTERRUPT_MODERATION => Status::INVALID_DATA,
        OID_GEN_LINK_PARAMETERS => request.accept(),
        OID_PNP_SET_POWER => match request.value::<4>() {
            // NDIS has paused the adapter before. Keys stay, and age during sleep: on wake, the
            // control thread runs the timers that are due.
            Ok(state) => {
                if u32::from_ne_bytes(state) == POWER_ON {
                    adapter.control.wake();
                }
                Status::SUCCESS
            }
            Err(status) => status,
        },
        OID_TCP_OFFLOAD_PARAMETERS => {
            let change = request.offload_change();
            indicate_offloads(adapter, change.map(|change| adapter.offloads.change(change)))
        }
        OID_OFFLOAD_ENCAPSULATION => {
            let switch = request.offload_switch();
            indicate_offloads(adapter, switch.map(|switch| adapter.offloads.switch(switch)))
        }
        _ => Status::NOT_SUPPORTED,
    }
}

/// Indicates the offload state after a change, as both OIDs require.
fn indicate_offloads<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    checksums: Result<ReceiveChecksums>,
) -> Status {
    match checksums {
        Ok(checksums) => {
            adapter.handle.indicate_receive_checksums(checksums);
            Status::SUCCESS
        }
        Err(status) => status,
    }
}
