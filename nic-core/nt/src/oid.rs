//! OID requests.

use nt_sys::ndis::{
    NDIS_INTERRUPT_MODERATION_PARAMETERS, NDIS_INTERRUPT_MODERATION_PARAMETERS_REVISION_1,
    NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEFAULT, NDIS_OBJECT_TYPE_OFFLOAD_ENCAPSULATION,
    NDIS_OFFLOAD_ENCAPSULATION, NDIS_OFFLOAD_PARAMETERS, NDIS_OID_REQUEST,
    NDIS_SIZEOF_INTERRUPT_MODERATION_PARAMETERS_REVISION_1,
    NDIS_SIZEOF_OFFLOAD_ENCAPSULATION_REVISION_1, NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_1,
    NDIS_SIZEOF_STATISTICS_INFO_REVISION_1, NDIS_STATISTICS_FLAGS_VALID_BROADCAST_BYTES_RCV,
    NDIS_STATISTICS_FLAGS_VALID_BROADCAST_BYTES_XMIT,
    NDIS_STATISTICS_FLAGS_VALID_BROADCAST_FRAMES_RCV,
    NDIS_STATISTICS_FLAGS_VALID_BROADCAST_FRAMES_XMIT, NDIS_STATISTICS_FLAGS_VALID_BYTES_RCV,
    NDIS_STATISTICS_FLAGS_VALID_BYTES_XMIT, NDIS_STATISTICS_FLAGS_VALID_DIRECTED_BYTES_RCV,
    NDIS_STATISTICS_FLAGS_VALID_DIRECTED_BYTES_XMIT,
    NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_RCV,
    NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_XMIT,
    NDIS_STATISTICS_FLAGS_VALID_MULTICAST_BYTES_RCV,
    NDIS_STATISTICS_FLAGS_VALID_MULTICAST_BYTES_XMIT,
    NDIS_STATISTICS_FLAGS_VALID_MULTICAST_FRAMES_RCV,
    NDIS_STATISTICS_FLAGS_VALID_MULTICAST_FRAMES_XMIT, NDIS_STATISTICS_FLAGS_VALID_RCV_DISCARDS,
    NDIS_STATISTICS_FLAGS_VALID_RCV_ERROR, NDIS_STATISTICS_FLAGS_VALID_XMIT_DISCARDS,
    NDIS_STATISTICS_FLAGS_VALID_XMIT_ERROR, NDIS_STATISTICS_INFO, NDIS_STATISTICS_INFO_REVISION_1,
    NDIS_STATUS_BUFFER_TOO_SHORT, NDIS_STATUS_INVALID_DATA, NDIS_STATUS_INVALID_LENGTH,
    NdisInterruptModerationNotSupported, NdisRequestQueryInformation, NdisRequestQueryStatistics,
    NdisRequestSetInformation,
};

pub use nt_sys::ndis::{
    NDIS_OID, OID_GEN_CURRENT_LOOKAHEAD, OID_GEN_CURRENT_PACKET_FILTER,
    OID_GEN_INTERRUPT_MODERATION, OID_GEN_LINK_PARAMETERS, OID_GEN_MAXIMUM_TOTAL_SIZE,
    OID_GEN_RCV_OK, OID_GEN_RECEIVE_BLOCK_SIZE, OID_GEN_RECEIVE_BUFFER_SPACE, OID_GEN_STATISTICS,
    OID_GEN_TRANSMIT_BLOCK_SIZE, OID_GEN_TRANSMIT_BUFFER_SPACE, OID_GEN_VENDOR_DESCRIPTION,
    OID_GEN_VENDOR_DRIVER_VERSION, OID_GEN_VENDOR_ID, OID_GEN_XMIT_OK, OID_OFFLOAD_ENCAPSULATION,
    OID_PNP_QUERY_POWER, OID_PNP_SET_POWER, OID_TCP_OFFLOAD_PARAMETERS,
};

use crate::offload::{OffloadChange, OffloadSwitch};
use crate::status::Status;

/// The type of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OidKind {
    /// A query.
    Query,
    /// A set request.
    Set,
    /// Any other type; this miniport supports none.
    Other,
}

/// An adapter's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets received.
    pub received_packets: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Received packets with errors.
    pub receive_errors: u64,
    /// Received packets that were discarded.
    pub receive_discards: u64,
    /// Packets sent.
    pub sent_packets: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Packets that could not be sent.
    pub send_errors: u64,
    /// Packets that were discarded before they were sent.
    pub send_discards: u64,
}

impl Statistics {
    /// The NDIS struct, in which all packets count as directed ones.
    fn to_ndis(self) -> NDIS_STATISTICS_INFO {
        NDIS_STATISTICS_INFO {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_DEFAULT,
                Revision: NDIS_STATISTICS_INFO_REVISION_1,
                Size: NDIS_SIZEOF_STATISTICS_INFO_REVISION_1,
            },
            SupportedStatistics: VALID_STATISTICS,
            ifInDiscards: self.receive_discards,
            ifInErrors: self.receive_errors,
            ifHCInOctets: self.received_bytes,
            ifHCInUcastPkts: self.received_packets,
            ifHCOutOctets: self.sent_bytes,
            ifHCOutUcastPkts: self.sent_packets,
            ifOutErrors: self.send_errors,
            ifOutDiscards: self.send_discards,
            ifHCInUcastOctets: self.received_bytes,
            ifHCOutUcastOctets: self.sent_bytes,
            ..NDIS_STATISTICS_INFO::default()
        }
    }
}

/// All counters are valid; there are no multicast and broadcast packets.
const VALID_STATISTICS: u32 = NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_RCV
    | NDIS_STATISTICS_FLAGS_VALID_MULTICAST_FRAMES_RCV
    | NDIS_STATISTICS_FLAGS_VALID_BROADCAST_FRAMES_RCV
    | NDIS_STATISTICS_FLAGS_VALID_BYTES_RCV
    | NDIS_STATISTICS_FLAGS_VALID_RCV_DISCARDS
    | NDIS_STATISTICS_FLAGS_VALID_RCV_ERROR
    | NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_XMIT
    | NDIS_STATISTICS_FLAGS_VALID_MULTICAST_FRAMES_XMIT
    | NDIS_STATISTICS_FLAGS_VALID_BROADCAST_FRAMES_XMIT
    | NDIS_STATISTICS_FLAGS_VALID_BYTES_XMIT
    | NDIS_STATISTICS_FLAGS_VALID_XMIT_ERROR
    | NDIS_STATISTICS_FLAGS_VALID_XMIT_DISCARDS
    | NDIS_STATISTICS_FLAGS_VALID_DIRECTED_BYTES_RCV
    | NDIS_STATISTICS_FLAGS_VALID_MULTICAST_BYTES_RCV
    | NDIS_STATISTICS_FLAGS_VALID_BROADCAST_BYTES_RCV
    | NDIS_STATISTICS_FLAGS_VALID_DIRECTED_BYTES_XMIT
    | NDIS_STATISTICS_FLAGS_VALID_MULTICAST_BYTES_XMIT
    | NDIS_STATISTICS_FLAGS_VALID_BROADCAST_BYTES_XMIT;

/// An OID request while its handler runs.
pub struct OidRequest<'a> {
    request: &'a mut NDIS_OID_REQUEST,
}

impl<'a> OidRequest<'a> {
    pub(crate) fn new(request: &'a mut NDIS_OID_REQUEST) -> Self {
        Self { request }
    }

    /// The type of the request.
    pub fn kind(&self) -> OidKind {
        let kind = self.request.RequestType;
        if kind == NdisRequestQueryInformation || kind == NdisRequestQueryStatistics {
            OidKind::Query
        } else if kind == NdisRequestSetInformation {
            OidKind::Set
        } else {
            OidKind::Other
        }
    }

    /// The OID.
    pub fn oid(&self) -> NDIS_OID {
        // SAFETY: every member of the union begins with the OID.
        unsafe { self.request.DATA.Oid }
    }

    /// The size of a query's buffer in bytes; 0 for another request.
    fn answer_room(&self) -> usize {
        if self.kind() != OidKind::Query {
            return 0;
        }
        // SAFETY: it is a query.
        unsafe { self.request.DATA.QUERY_INFORMATION }.InformationBufferLength as usize
    }

    /// Answers a query. The answer is written completely or not at all.
    pub fn answer(&mut self, answer: &[u8]) -> Status {
        if self.kind() != OidKind::Query {
            return Status(nt_sys::ndis::NDIS_STATUS_INVALID_OID);
        }
        // SAFETY: it is a query.
        let query = unsafe { &mut self.request.DATA.QUERY_INFORMATION };
        query.BytesNeeded = answer.len() as u32;
        if (query.InformationBufferLength as usize) < answer.len()
            || query.InformationBuffer.is_null()
        {
            query.BytesWritten = 0;
            return Status(NDIS_STATUS_BUFFER_TOO_SHORT);
        }
        // SAFETY: the buffer has room for the answer, and nobody else uses it while the handler
        // runs.
        unsafe {
            core::ptr::copy_nonoverlapping(
                answer.as_ptr(),
                query.InformationBuffer.cast(),
                answer.len(),
            );
        };
        query.BytesWritten = answer.len() as u32;
        Status::SUCCESS
    }

    /// Answers a query with an integer.
    pub fn answer_u32(&mut self, answer: u32) -> Status {
        self.answer(&answer.to_ne_bytes())
    }

    /// Answers a query with a counter, in 8 bytes, or in 4 if the buffer is shorter (ndis docs,
    /// OID_GEN_XMIT_OK).
    pub fn answer_counter(&mut self, answer: u64) -> Status {
        if self.answer_room() < size_of::<u64>() {
            let status = self.answer_u32(answer as u32);
            if self.kind() == OidKind::Query {
                // SAFETY: it is a query.
                let query = unsafe { &mut self.request.DATA.QUERY_INFORMATION };
                query.BytesNeeded = size_of::<u64>() as u32;
            }
            return status;
        }
        self.answer(&answer.to_ne_bytes())
    }

    /// Answers a query with the adapter's counters.
    pub fn answer_statistics(&mut self, statistics: &Statistics) -> Status {
        let info = statistics.to_ndis();
        // SAFETY: the struct has no padding: 4 + 4 + 18 * 8 bytes, as its layout asserts.
        let bytes = unsafe {
            core::slice::from_raw_parts(
                core::ptr::from_ref(&info).cast::<u8>(),
                size_of::<NDIS_STATISTICS_INFO>(),
            )
        };
        self.answer(bytes)
    }

    /// Answers a query of interrupt moderation: it is not supported.
    pub fn answer_no_interrupt_moderation(&mut self) -> Status {
        let mut answer = [0; size_of::<NDIS_INTERRUPT_MODERATION_PARAMETERS>()];
        let [size_low, size_high] =
            NDIS_SIZEOF_INTERRUPT_MODERATION_PARAMETERS_REVISION_1.to_ne_bytes();
        let header = [
            NDIS_OBJECT_TYPE_DEFAULT,
            NDIS_INTERRUPT_MODERATION_PARAMETERS_REVISION_1,
            size_low,
            size_high,
        ];
        let moderation = NdisInterruptModerationNotSupported.to_ne_bytes();
        let fields = header.iter().chain(&[0; 4]).chain(&moderation);
        for (byte, value) in answer.iter_mut().zip(fields) {
            *byte = *value;
        }
        self.answer(&answer)
    }

    /// The value to set, of exactly `N` bytes. The handler must return the error.
    pub fn value<const N: usize>(&mut self) -> core::result::Result<[u8; N], Status> {
        if self.kind() != OidKind::Set {
            return Err(Status(nt_sys::ndis::NDIS_STATUS_INVALID_OID));
        }
        // SAFETY: it is a set.
        let set = unsafe { &mut self.request.DATA.SET_INFORMATION };
        if set.InformationBufferLength as usize != N || set.InformationBuffer.is_null() {
            set.BytesNeeded = N as u32;
            set.BytesRead = 0;
            return Err(Status(NDIS_STATUS_INVALID_LENGTH));
        }
        // SAFETY: the buffer has that many bytes.
        let value = unsafe { set.InformationBuffer.cast::<[u8; N]>().read_unaligned() };
        set.BytesRead = N as u32;
        Ok(value)
    }

    /// The change of `OID_TCP_OFFLOAD_PARAMETERS`. The handler must return the error.
    pub fn offload_change(&mut self) -> core::result::Result<OffloadChange, Status> {
        // SAFETY: the struct consists of integers.
        let parameters = unsafe {
            self.object::<NDIS_OFFLOAD_PARAMETERS>(
                NDIS_OBJECT_TYPE_DEFAULT,
                NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_1,
            )
        }?;
        OffloadChange::of(&parameters)
    }

    /// The switch of `OID_OFFLOAD_ENCAPSULATION`. The handler must return the error.
    pub fn offload_switch(&mut self) -> core::result::Result<OffloadSwitch, Status> {
        // SAFETY: the struct consists of integers.
        let encapsulation = unsafe {
            self.object::<NDIS_OFFLOAD_ENCAPSULATION>(
                NDIS_OBJECT_TYPE_OFFLOAD_ENCAPSULATION,
                NDIS_SIZEOF_OFFLOAD_ENCAPSULATION_REVISION_1,
            )
        }?;
        OffloadSwitch::of(&encapsulation)
    }

    /// The struct to set, whose first revision has `min_bytes` bytes. Fields that the revision of
    /// the request lacks have their default.
    ///
    /// # Safety
    /// `T` must begin with an object header, and every bit pattern must be a value of it.
    unsafe fn object<T: Default>(
        &mut self,
        object_type: u8,
        min_bytes: u16,
    ) -> core::result::Result<T, Status> {
        if self.kind() != OidKind::Set {
            return Err(Status(nt_sys::ndis::NDIS_STATUS_INVALID_OID));
        }
        // SAFETY: it is a set.
        let set = unsafe { &mut self.request.DATA.SET_INFORMATION };
        set.BytesRead = 0;
        if set.InformationBufferLength < u32::from(min_bytes) || set.InformationBuffer.is_null() {
            set.BytesNeeded = u32::from(min_bytes);
            return Err(Status(NDIS_STATUS_INVALID_LENGTH));
        }
        // SAFETY: the buffer has more bytes than a header.
        let header = unsafe { set.InformationBuffer.cast::<NDIS_OBJECT_HEADER>().read_unaligned() };
        if header.Type != object_type
            || header.Revision == 0
            || header.Size < min_bytes
            || u32::from(header.Size) > set.InformationBufferLength
        {
            return Err(Status(NDIS_STATUS_INVALID_DATA));
        }
        let mut object = T::default();
        // SAFETY: neither the buffer, as was checked, nor the struct is shorter than what is
        // copied, and by the caller's promise all bytes are a value.
        unsafe {
            core::ptr::copy_nonoverlapping(
                set.InformationBuffer.cast::<u8>(),
                (&raw mut object).cast::<u8>(),
                usize::from(header.Size).min(size_of::<T>()),
            );
        };
        set.BytesRead = set.InformationBufferLength;
        Ok(object)
    }

    /// Accepts a set request and ignores its value.
    pub fn accept(&mut self) -> Status {
        if self.kind() == OidKind::Set {
            // SAFETY: it is a set.
            let set = unsafe { &mut self.request.DATA.SET_INFORMATION };
            set.BytesRead = set.InformationBufferLength;
        }
        Status::SUCCESS
    }
}
