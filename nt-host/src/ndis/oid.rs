//! OID requests (ndis.h): those that NDIS handles, and those that it sends to the miniport.

use std::ptr;
use std::sync::PoisonError;
use std::time::Duration;

use nt_sys::ndis::{
    MediaConnectStateConnected, NDIS_DEFAULT_PORT_NUMBER, NDIS_HANDLE, NDIS_MAKE_VERSION,
    NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_OID_REQUEST, NDIS_OID, NDIS_OID_REQUEST,
    NDIS_OID_REQUEST_DATA, NDIS_OID_REQUEST_METHOD, NDIS_OID_REQUEST_QUERY,
    NDIS_OID_REQUEST_REVISION_2, NDIS_OID_REQUEST_SET, NDIS_PM_CAPABILITIES,
    NDIS_SIZEOF_OID_REQUEST_REVISION_2, NDIS_STATUS, NDIS_STATUS_BUFFER_TOO_SHORT,
    NDIS_STATUS_FAILURE, NDIS_STATUS_INVALID_DATA, NDIS_STATUS_INVALID_LENGTH,
    NDIS_STATUS_INVALID_STATE, NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS,
    NdisMediumIP, NdisRequestMethod, NdisRequestQueryInformation, NdisRequestSetInformation,
    OID_GEN_CURRENT_LOOKAHEAD, OID_GEN_CURRENT_PACKET_FILTER, OID_GEN_DRIVER_VERSION,
    OID_GEN_HARDWARE_STATUS, OID_GEN_LINK_SPEED, OID_GEN_LINK_SPEED_EX, OID_GEN_LINK_STATE,
    OID_GEN_MAC_OPTIONS, OID_GEN_MAXIMUM_FRAME_SIZE, OID_GEN_MAXIMUM_LOOKAHEAD,
    OID_GEN_MAXIMUM_SEND_PACKETS, OID_GEN_MEDIA_CONNECT_STATUS, OID_GEN_MEDIA_CONNECT_STATUS_EX,
    OID_GEN_MEDIA_DUPLEX_STATE, OID_GEN_MEDIA_IN_USE, OID_GEN_MEDIA_SUPPORTED,
    OID_GEN_PHYSICAL_MEDIUM, OID_GEN_PHYSICAL_MEDIUM_EX, OID_GEN_SUPPORTED_LIST,
    OID_PM_CURRENT_CAPABILITIES, OID_PM_HARDWARE_CAPABILITIES, OID_TCP_OFFLOAD_CURRENT_CONFIG,
    OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
};
use nt_sys::ntdef::{DISPATCH_LEVEL, PASSIVE_LEVEL};

use super::miniport_adapter::MiniportAdapter;
use super::oid_slot::Pending;
use super::state::State;
use crate::callback;
use crate::irql;
use crate::violation::{Rule, stop};

/// The time after which a pending request is reported.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An OID request.
#[derive(Debug)]
pub enum OidRequest<'a> {
    /// A query. The answer is written to `buffer`.
    Query {
        /// The OID.
        oid: NDIS_OID,
        /// The output buffer.
        buffer: &'a mut [u8],
    },
    /// A set request.
    Set {
        /// The OID.
        oid: NDIS_OID,
        /// The value.
        buffer: &'a [u8],
    },
    /// A method request.
    Method {
        /// The OID.
        oid: NDIS_OID,
        /// The method.
        method: u32,
        /// The number of bytes of `buffer` that are input.
        input_bytes: usize,
        /// Input, then output.
        buffer: &'a mut [u8],
    },
}

/// The failure of an OID request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OidFailure {
    /// The status.
    pub status: NDIS_STATUS,
    /// The required length of the buffer in bytes if it was too short; otherwise 0.
    pub bytes_needed: u32,
}

impl OidFailure {
    const fn of(status: NDIS_STATUS) -> Self {
        Self { status, bytes_needed: 0 }
    }
}

impl MiniportAdapter {
    /// Handles an OID request, or sends it to the miniport.
    pub(super) fn oid(&self, request: OidRequest<'_>) -> Result<usize, OidFailure> {
        irql::require_exactly("NdisOidRequest", PASSIVE_LEVEL);
        if matches!(self.states.state(), State::Halted | State::Initializing) {
            return Err(OidFailure::of(NDIS_STATUS_INVALID_STATE));
        }
        match request {
            OidRequest::Query { oid, buffer } => match self.answer(oid) {
                Some(Ok(answer)) => {
                    let bytes_needed = u32::try_from(answer.len()).unwrap_or(u32::MAX);
                    let too_short =
                        OidFailure { status: NDIS_STATUS_BUFFER_TOO_SHORT, bytes_needed };
                    buffer.get_mut(..answer.len()).ok_or(too_short)?.copy_from_slice(&answer);
                    Ok(answer.len())
                }
                Some(Err(status)) => Err(OidFailure::of(status)),
                None => {
                    let mut memory = aligned(buffer);
                    let written = self.ask(
                        |information, bytes| {
                            (
                                NdisRequestQueryInformation,
                                NDIS_OID_REQUEST_DATA {
                                    QUERY_INFORMATION: NDIS_OID_REQUEST_QUERY {
                                        Oid: oid,
                                        InformationBuffer: information,
                                        InformationBufferLength: bytes,
                                        BytesWritten: 0,
                                        BytesNeeded: 0,
                                    },
                                },
                            )
                        },
                        &mut memory,
                        buffer.len(),
                    )?;
                    copy_back(&memory, buffer, written);
                    Ok(written)
                }
            },
            OidRequest::Set { oid, buffer } => {
                let mut memory = aligned(buffer);
                let told_before = self.offloads.times_told();
                self.offloads.before_set(oid);
                let read = self.ask(
                    |information, bytes| {
                        (
                            NdisRequestSetInformation,
                            NDIS_OID_REQUEST_DATA {
                                SET_INFORMATION: NDIS_OID_REQUEST_SET {
                                    Oid: oid,
                                    InformationBuffer: information,
                                    InformationBufferLength: bytes,
                                    BytesRead: 0,
                                    BytesNeeded: 0,
                                },
                            },
                        )
                    },
                    &mut memory,
                    buffer.len(),
                )?;
                self.note_set(oid, buffer);
                self.offloads.require_told(oid, told_before);
                Ok(read)
            }
            OidRequest::Method { oid, method, input_bytes, buffer } => {
                if input_bytes > buffer.len() {
                    return Err(OidFailure::of(NDIS_STATUS_INVALID_LENGTH));
                }
                let mut memory = aligned(buffer);
                let written = self.ask(
                    |information, bytes| {
                        (
                            NdisRequestMethod,
                            NDIS_OID_REQUEST_DATA {
                                METHOD_INFORMATION: NDIS_OID_REQUEST_METHOD {
                                    Oid: oid,
                                    InformationBuffer: information,
                                    InputBufferLength: u32::try_from(input_bytes)
                                        .unwrap_or(u32::MAX),
                                    OutputBufferLength: bytes,
                                    MethodId: method,
                                    BytesWritten: 0,
                                    BytesRead: 0,
                                    BytesNeeded: 0,
                                },
                            },
                        )
                    },
                    &mut memory,
                    buffer.len(),
                )?;
                copy_back(&memory, buffer, written);
                Ok(written)
            }
        }
    }

    /// Calls MiniportOidRequest and waits for the completion. Returns the bytes written or read.
    fn ask(
        &self,
        body: impl FnOnce(nt_sys::ntdef::PVOID, u32) -> (u32, NDIS_OID_REQUEST_DATA),
        memory: &mut [u64],
        bytes: usize,
    ) -> Result<usize, OidFailure> {
        let Some(handler) = self.driver.0.characteristics.OidRequestHandler else {
            return Err(OidFailure::of(NDIS_STATUS_NOT_SUPPORTED));
        };
        let _asking = self.oids.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let (request_type, data) =
            body(memory.as_mut_ptr().cast(), u32::try_from(bytes).unwrap_or(u32::MAX));
        let mut request = NDIS_OID_REQUEST {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_OID_REQUEST,
                Revision: NDIS_OID_REQUEST_REVISION_2,
                Size: NDIS_SIZEOF_OID_REQUEST_REVISION_2,
            },
            RequestType: request_type,
            PortNumber: NDIS_DEFAULT_PORT_NUMBER,
            Timeout: 0,
            RequestId: ptr::null_mut(),
            RequestHandle: ptr::null_mut(),
            DATA: data,
            NdisReserved: [0; 128],
            MiniportReserved: [0; 16],
            SourceReserved: [0; 16],
            SupportedRevision: 0,
            Reserved1: 0,
            Reserved2: 0,
            SwitchId: 0,
            VPortId: 0,
            Flags: 0,
        };
        let pointer = &raw mut request;
        *self.pending() = Pending { request: pointer.addr(), completion: None };
        let context = self.context();
        // SAFETY: the driver's handler, called as documented (ndis.h, MINIPORT_OID_REQUEST).
        let mut status = callback::enter_driver(|| unsafe { handler(context, pointer) });
        if status == NDIS_STATUS_PENDING {
            status = self.wait_for_completion(pointer);
        } else if self.pending().completion.is_some() {
            stop(
                Rule::NOT_PENDING,
                "MiniportOidRequest",
                format_args!(
                    "returned {status:#010x} for a request that NdisMOidRequestComplete completed"
                ),
            );
        }
        *self.pending() = Pending::default();
        // SAFETY: the driver has completed the request; the pointer is to the local above.
        let done = unsafe { &*pointer };
        let (transferred, bytes_needed) = match done.RequestType {
            nt_sys::ndis::NdisRequestSetInformation => {
                // SAFETY: the type says so.
                let set = unsafe { done.DATA.SET_INFORMATION };
                (set.BytesRead, set.BytesNeeded)
            }
            nt_sys::ndis::NdisRequestMethod => {
                // SAFETY: the type says so.
                let method = unsafe { done.DATA.METHOD_INFORMATION };
                (method.BytesWritten, method.BytesNeeded)
            }
            _ => {
                // SAFETY: the type says so.
                let query = unsafe { done.DATA.QUERY_INFORMATION };
                (query.BytesWritten, query.BytesNeeded)
            }
        };
        if status != NDIS_STATUS_SUCCESS {
            return Err(OidFailure { status, bytes_needed });
        }
        let transferred = transferred as usize;
        if transferred > bytes {
            stop(
                Rule::BAD_OID_ANSWER,
                "MiniportOidRequest",
                format_args!("transferred {transferred} bytes of a buffer of {bytes}"),
            );
        }
        Ok(transferred)
    }

    fn wait_for_completion(&self, request: *const NDIS_OID_REQUEST) -> NDIS_STATUS {
        let (pending, _) = self
            .oids
            .completed
            .wait_timeout_while(self.pending(), TIMEOUT, |pending| pending.completion.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let completion = pending.completion;
        drop(pending);
        completion.unwrap_or_else(|| {
            // SAFETY: the request is live; its OID is in the same place in every body.
            let data = unsafe { (*request).DATA };
            // SAFETY: every body of a request begins with its OID.
            let oid = unsafe { data.Oid };
            stop(
                Rule::NEVER_COMPLETED,
                "MiniportOidRequest",
                format_args!("OID {oid:#010x} is pending for {} s", TIMEOUT.as_secs()),
            )
        })
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.oids.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_set(&self, oid: NDIS_OID, buffer: &[u8]) {
        let Some(value) = buffer.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes)) else {
            return;
        };
        let mut set = self.oids.set.lock().unwrap_or_else(PoisonError::into_inner);
        match oid {
            OID_GEN_CURRENT_PACKET_FILTER => set.packet_filter = value,
            OID_GEN_CURRENT_LOOKAHEAD => set.lookahead = value,
            _ => {}
        }
    }

    /// The answers that NDIS gives for an NDIS 6 miniport from its attributes and indications.
    /// `None` if the request goes to the miniport (windows-driver-docs, "NDIS 6.0 OIDs": NDIS
    /// handles those marked "not requested from miniports").
    fn answer(&self, oid: NDIS_OID) -> Option<Result<Vec<u8>, NDIS_STATUS>> {
        let attributes = self.attributes();
        let Some(general) = attributes.general else {
            return Some(Err(NDIS_STATUS_FAILURE));
        };
        let link = *self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let set = *self.oids.set.lock().unwrap_or_else(PoisonError::into_inner);
        let characteristics = &self.driver.0.characteristics;
        let ulong = |value: u32| Some(Ok(value.to_ne_bytes().to_vec()));
        match oid {
            OID_GEN_SUPPORTED_LIST => Some(Ok(attributes
                .supported_oids
                .iter()
                .flat_map(|oid| oid.to_ne_bytes())
                .collect())),
            // NdisHardwareStatusReady
            OID_GEN_HARDWARE_STATUS => ulong(0),
            OID_GEN_MEDIA_SUPPORTED | OID_GEN_MEDIA_IN_USE => ulong(NdisMediumIP),
            OID_GEN_MAXIMUM_LOOKAHEAD => ulong(general.lookahead),
            OID_GEN_MAXIMUM_FRAME_SIZE => ulong(general.mtu),
            OID_GEN_LINK_SPEED => {
                ulong(u32::try_from(link.XmitLinkSpeed / 100).unwrap_or(u32::MAX))
            }
            OID_GEN_CURRENT_PACKET_FILTER => ulong(set.packet_filter),
            OID_GEN_CURRENT_LOOKAHEAD => ulong(set.lookahead),
            OID_GEN_DRIVER_VERSION => {
                let version = NDIS_MAKE_VERSION(
                    characteristics.MajorNdisVersion,
                    characteristics.MinorNdisVersion,
                );
                ulong((version >> 16) << 8 | (version & 0xff))
            }
            OID_GEN_MAC_OPTIONS => ulong(general.mac_options),
            OID_GEN_MEDIA_CONNECT_STATUS => {
                ulong(u32::from(link.MediaConnectState != MediaConnectStateConnected))
            }
            OID_GEN_MAXIMUM_SEND_PACKETS => ulong(1),
            OID_GEN_PHYSICAL_MEDIUM | OID_GEN_PHYSICAL_MEDIUM_EX => ulong(general.physical_medium),
            OID_GEN_MEDIA_CONNECT_STATUS_EX => ulong(link.MediaConnectState),
            OID_GEN_MEDIA_DUPLEX_STATE => ulong(link.MediaDuplexState),
            OID_GEN_LINK_SPEED_EX => {
                Some(Ok(
                    [link.XmitLinkSpeed.to_ne_bytes(), link.RcvLinkSpeed.to_ne_bytes()].concat()
                ))
            }
            OID_GEN_LINK_STATE => Some(Ok(bytes_of(&link))),
            OID_PM_CURRENT_CAPABILITIES | OID_PM_HARDWARE_CAPABILITIES => Some(
                general
                    .power
                    .map(|power: NDIS_PM_CAPABILITIES| bytes_of(&power))
                    .ok_or(NDIS_STATUS_NOT_SUPPORTED),
            ),
            OID_TCP_OFFLOAD_CURRENT_CONFIG => Some(
                attributes
                    .offload
                    .map(|(current, _)| current.to_vec())
                    .ok_or(NDIS_STATUS_NOT_SUPPORTED),
            ),
            OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES => Some(
                attributes
                    .offload
                    .map(|(_, hardware)| hardware.to_vec())
                    .ok_or(NDIS_STATUS_NOT_SUPPORTED),
            ),
            _ if oid == 0 => Some(Err(NDIS_STATUS_INVALID_DATA)),
            _ => None,
        }
    }
}

/// The bytes of a struct of integers, including its padding.
pub(super) fn bytes_of<T: Copy>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<T>()];
    // SAFETY: both have that many bytes, and don't overlap.
    unsafe {
        ptr::copy_nonoverlapping(
            ptr::from_ref(value).cast::<u8>(),
            bytes.as_mut_ptr(),
            bytes.len(),
        );
    };
    bytes
}

/// A copy of the bytes, with the alignment that a driver may expect.
fn aligned(bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            u64::from_ne_bytes(word)
        })
        .collect()
}

fn copy_back(memory: &[u64], buffer: &mut [u8], bytes: usize) {
    let from = memory.iter().flat_map(|word| word.to_ne_bytes()).take(bytes);
    buffer.iter_mut().zip(from).for_each(|(to, from)| *to = from);
}

export! { "ndis.sys";
    /// ndis.h, NdisMOidRequestComplete.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// None beyond the handle's validity.
    pub unsafe fn NdisMOidRequestComplete(
        miniport_adapter_handle: NDIS_HANDLE,
        oid_request: *mut NDIS_OID_REQUEST,
        status: NDIS_STATUS,
    ) {
        const FUNCTION: &str = "NdisMOidRequestComplete";
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        let adapter = MiniportAdapter::of(FUNCTION, miniport_adapter_handle);
        if status == NDIS_STATUS_PENDING {
            stop(Rule::BAD_ARGUMENT, FUNCTION, format_args!("completed with NDIS_STATUS_PENDING"));
        }
        let mut pending = adapter.pending();
        if pending.request == 0
            || pending.request != oid_request.addr()
            || pending.completion.is_some()
        {
            drop(pending);
            stop(
                Rule::NOT_PENDING,
                FUNCTION,
                format_args!("{oid_request:p} is not the pending request"),
            );
        }
        pending.completion = Some(status);
        drop(pending);
        adapter.oids.completed.notify_all();
    }
}
